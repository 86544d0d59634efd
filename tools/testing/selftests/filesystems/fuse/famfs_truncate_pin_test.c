// SPDX-License-Identifier: GPL-2.0
/*
 * A file that another map makes shorter while truncate() waits for a page that
 * is pinned.
 *
 * What broke here: truncate() acted on the size from before, so that the file
 * became longer, over memory of the other map that nobody had zeroed; if the
 * server refused, the file got back a size that it did not have any more.
 */
#include "tfs_growing.h"
#include "tfs_jobs.h"
#include "tfs_trace.h"

#define PAGE	4096UL
#define UNITS	96
#define LEN	(20 * UNIT)
/* What is left, ... */
#define CUT	(4 * UNIT)
/* ... and the other memory, which "f" gets as its own by a push. */
#define OTHER	(BASE + (UNITS - 8) * UNIT)
#define OTHERLEN	(8 * UNIT)
#define ROUNDS	60

FIXTURE(truncate_pin)
{
	struct tfs_env env;
	struct tfs_trace trace;
	struct tfs_file *file;
	struct tfs_msg full, page;	/* of the other memory */
	bool wait, cut;			/* probes that there are */
	int dev;			/* for notifications past the server */
	int fd;				/* of "f" */
	char *map;
};

FIXTURE_SETUP(truncate_pin)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_trace *trace = &self->trace;

	if (why)
		SKIP(return, "%s", why);
	GROWING_INIT(UNITS);
	tfs_msg_simple(&self->full, OTHERLEN, 0, OTHER, OTHERLEN);
	tfs_msg_header(&self->full)->flags = FUSE_FMAP_GROW;
	tfs_msg_simple(&self->page, PAGE, 0, OTHER, OTHERLEN);
	tfs_msg_header(&self->page)->flags = FUSE_FMAP_GROW;
	GROWING_MOUNT();
	self->map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	if (tfs_trace_on(trace, "fs_dax/dax_writeback_one", NULL))
		SKIP(return, "need tracefs");
	self->wait = !tfs_trace_probe(trace, "p:tfs_wait famfs_wait_page_idle");
	self->cut = !tfs_trace_probe(trace,
				     "p:tfs_cut dax_delete_mapping_range pos=%si:x64");
	if (!self->wait || !self->cut)
		SKIP(return, "need CONFIG_KPROBE_EVENTS on x86");
	ASSERT_EQ(0, tfs_trace_on(trace, "kprobes/tfs_wait", NULL));
	ASSERT_EQ(0, tfs_trace_on(trace, "kprobes/tfs_cut", NULL));
}

FIXTURE_TEARDOWN(truncate_pin)
{
	munmap(self->map, LEN);
	if (self->wait) {
		tfs_trace_off(&self->trace, "kprobes/tfs_wait");
		EXPECT_EQ(0, tfs_trace_probe(&self->trace, "-:tfs_wait"));
	}
	if (self->cut) {
		tfs_trace_off(&self->trace, "kprobes/tfs_cut");
		EXPECT_EQ(0, tfs_trace_probe(&self->trace, "-:tfs_cut"));
	}
	tfs_trace_end(&self->trace);
	tfs_msg_exit(&self->full);
	tfs_msg_exit(&self->page);
	GROWING_TEARDOWN();
}

/* The file is LEN long in its memory, and the other memory has something. */
static void refill(struct __test_metadata *const _metadata,
		   FIXTURE_DATA(truncate_pin) * self)
{
	ASSERT_EQ(0, tfs_push_map(self->dev, 0, &self->full));
	memset(self->map, 'o', OTHERLEN);
	ASSERT_EQ(0, tfs_revoke(self->dev, 0));
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	ASSERT_EQ(0, ftruncate(self->fd, LEN));
	memset(self->map, 'd', LEN);
	ASSERT_EQ(0, fsync(self->fd));
}

/* Pushes a map until no page is pinned any more. */
struct push_job {
	struct tfs_job job;
	int dev;
	const struct tfs_msg *m;
};

static long push_run(struct tfs_job *job)
{
	struct push_job *push = (struct push_job *)job;
	int err;

	do {
		err = tfs_push_map(push->dev, 0, push->m);
	} while (err == -EBUSY);
	return err;
}

/*
 * Both go on when the pin ends.  The truncate() is kept at the server.  Returns
 * whether the map came first.
 */
static bool push_at_unpin(struct __test_metadata *const _metadata,
			  FIXTURE_DATA(truncate_pin) * self,
			  struct tfs_job *cut)
{
	struct push_job push = { .job.run = push_run, .dev = self->dev,
				 .m = &self->page };
	int pipes[2];

	*cut = (struct tfs_job) { .run = tfs_job_truncate, .fd = self->fd,
				  .pos = CUT };
	ASSERT_EQ(0, tfs_pin(pipes, self->map + 10 * UNIT));
	tfs_trace_clear(&self->trace);
	rule_hold(&self->env.srv, FUSE_SETATTR, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(cut));
	ASSERT_EQ(0, tfs_trace_wait(&self->trace, "tfs_wait: "));
	ASSERT_EQ(0, tfs_job_start(&push.job));
	usleep(2000);
	tfs_unpin(pipes);
	ASSERT_EQ(0, tfs_job_result(&push.job));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	return tfs_trace_first(&self->trace, "tfs_cut: ", "pos=0x0");
}

/* Rounds until the map comes first; true with the truncate() at the server. */
static bool push_first(struct __test_metadata *const _metadata,
		       FIXTURE_DATA(truncate_pin) * self, struct tfs_job *cut)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		refill(_metadata, self);
		if (push_at_unpin(_metadata, self, cut))
			return true;
		rules_clear(&self->env.srv);
		rules_release(&self->env.srv);
		EXPECT_EQ(0, tfs_job_result(cut));
	}
	return false;
}

TEST_F(truncate_pin, G2_file_becomes_shorter_while_truncate_waits)
{
	struct tfs_job cut;

	if (!push_first(_metadata, self, &cut))
		SKIP(return, "the map always came last");
	EXPECT_SIZE(PAGE);
	rules_clear(&self->env.srv);
	rules_release(&self->env.srv);
	EXPECT_EQ(0, tfs_job_result(&cut));
	EXPECT_SIZE(CUT);
	EXPECT_EQ(CUT, self->file->size);
	EXPECT_EQ('o', self->map[PAGE - 1]);
	EXPECT_TRUE(tfs_zeros(self->fd, PAGE, CUT));
}

TEST_F(truncate_pin, G5_file_becomes_shorter_and_truncate_is_refused)
{
	struct tfs_job cut;

	if (!push_first(_metadata, self, &cut))
		SKIP(return, "the map always came last");
	rules_clear(&self->env.srv);
	rule_fail(&self->env.srv, FUSE_SETATTR, TFS_ANY, -EIO, 1);
	rules_release(&self->env.srv);
	EXPECT_EQ(-EIO, tfs_job_result(&cut));
	EXPECT_SIZE(PAGE);
	EXPECT_EQ('o', load_byte(self->map) ? 0 : self->map[0]);
	EXPECT_EQ(SIGBUS, load_byte(self->map + PAGE));
}

TEST_HARNESS_MAIN
