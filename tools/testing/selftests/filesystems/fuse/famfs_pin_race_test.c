// SPDX-License-Identifier: GPL-2.0
/*
 * Long-term pins that end between two flushes of CPU cache lines, or in one.
 *
 * What broke here: fsync() looked for pins when a page was flushed already, and
 * took one that had just ended for clean, with what had been stored meanwhile;
 * what a pin had stored since the last close was not written back with the last
 * reference to the file, but came over the memory's next owner.
 *
 * Many huge pages make flushing slow, and the trace tells what came first.
 */
#include <sys/syscall.h>
#include <linux/io_uring.h>

#include "tfs_jobs.h"
#include "tfs_test.h"
#include "tfs_trace.h"

#define PMDS	48
#define SIZE	(PMDS * PMD)
#define ROUNDS	20

/* Lines of the trace. */
#define FLUSH	"tfs_flush: "
#define UNPIN	"tfs_unpin: "
#define BACK	"dax_writeback_one: "

FIXTURE(pin_race)
{
	struct tfs_env env;
	struct tfs_trace trace;
	bool flush, unpin;		/* probes that there are */
	int ring, fd;
	char *map;
};

FIXTURE_SETUP(pin_race)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_trace *trace = &self->trace;
	struct io_uring_params p = {};
	struct tfs_msg m;

	if (why)
		SKIP(return, "%s", why);
	self->ring = syscall(SYS_io_uring_setup, 1, &p);
	if (self->ring < 0)
		SKIP(return, "no io_uring");
	tfs_msg_simple(&m, SIZE, 0, 0, SIZE);
	tfs_msg_header(&m)->flags = FUSE_FMAP_LONGTERM_PIN;
	tfs_add_mapped(&self->env, "f", &m);
	tfs_msg_exit(&m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	if (tfs_trace_on(trace, "fs_dax/dax_writeback_one", NULL))
		SKIP(return, "need tracefs");
	self->flush = !tfs_trace_probe(trace, "p:tfs_flush dax_flush");
	self->unpin = !tfs_trace_probe(trace, "p:tfs_unpin unpin_user_folio");
	if (!self->flush || !self->unpin)
		SKIP(return, "need CONFIG_KPROBE_EVENTS");
	ASSERT_EQ(0, tfs_trace_on(trace, "kprobes/tfs_flush", NULL));
	ASSERT_EQ(0, tfs_trace_on(trace, "kprobes/tfs_unpin", NULL));
}

FIXTURE_TEARDOWN(pin_race)
{
	close(self->ring);
	EXPECT_EQ(0, tfs_umount(&self->env));
	if (self->flush) {
		tfs_trace_off(&self->trace, "kprobes/tfs_flush");
		EXPECT_EQ(0, tfs_trace_probe(&self->trace, "-:tfs_flush"));
	}
	if (self->unpin) {
		tfs_trace_off(&self->trace, "kprobes/tfs_unpin");
		EXPECT_EQ(0, tfs_trace_probe(&self->trace, "-:tfs_unpin"));
	}
	tfs_trace_end(&self->trace);
	TFS_TEARDOWN();
}

/* Opens "f", and pins it from its first page on. */
static int pin_file(FIXTURE_DATA(pin_race) * self, size_t len)
{
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	if (self->fd < 0)
		return self->fd;
	self->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	if (self->map == MAP_FAILED)
		return -errno;
	return tfs_ring_pin(self->ring, self->map, len);
}

static void close_file(FIXTURE_DATA(pin_race) * self)
{
	munmap(self->map, SIZE);
	close(self->fd);
}

/*
 * How many pages were pinned when their flush began: both go from the first
 * page to the last.  -1 if that is not what happened.
 */
static int pinned_when_flushed(const struct tfs_trace *trace)
{
	int flushes = 0, unpins = 0, pinned = 0;
	char path[256], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/trace", trace->instance);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, UNPIN)) {
			unpins++;
		} else if (strstr(line, FLUSH)) {
			/* Of this very page. */
			pinned += unpins <= flushes;
			flushes++;
		}
	}
	fclose(f);
	return flushes == PMDS && unpins == PMDS ? pinned : -1;
}

static int written_back(FIXTURE_DATA(pin_race) * self)
{
	return tfs_trace_lines(self->trace.instance, BACK, "");
}

/* Whoever has stored while a page was being flushed has it flushed again. */
TEST_F(pin_race, I6_pin_ends_while_its_page_is_flushed)
{
	struct tfs_job sync = { .run = tfs_job_fsync };
	int i, pinned, rounds = 0;

	for (i = 0; i < ROUNDS && rounds < 5; i++) {
		ASSERT_EQ(0, pin_file(self, SIZE));
		sync.fd = self->fd;
		sync.done = false;
		tfs_trace_clear(&self->trace);
		ASSERT_EQ(0, tfs_job_start(&sync));
		ASSERT_EQ(0, tfs_trace_wait(&self->trace, FLUSH));
		ASSERT_EQ(0, tfs_ring_unpin(self->ring));
		ASSERT_EQ(0, tfs_job_result(&sync));
		pinned = pinned_when_flushed(&self->trace);
		tfs_trace_clear(&self->trace);
		EXPECT_EQ(0, fsync(self->fd));
		if (pinned >= 0 && pinned < PMDS) {
			rounds++;
			/* A pin may end just before what counts it is seen. */
			EXPECT_LE(pinned, written_back(self));
		}
		close_file(self);
	}
	if (!rounds)
		SKIP(return, "the pins always ended too late");
}

TEST_F(pin_race, I6_pin_stores_after_the_last_close)
{
	ASSERT_EQ(0, pin_file(self, PMD));
	/* Now nothing but what the pin stores is left. */
	ASSERT_EQ(0, fsync(self->fd));
	close_file(self);
	tfs_trace_clear(&self->trace);
	EXPECT_EQ(1, tfs_maps(&self->env));
	ASSERT_EQ(0, tfs_ring_unpin(self->ring));
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_EQ(1, written_back(self));
}

TEST_HARNESS_MAIN
