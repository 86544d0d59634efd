// SPDX-License-Identifier: GPL-2.0
/*
 * Maps that are taken away in the middle of a call: it asks again, and goes on
 * where it was.
 *
 * What was wrong here: reads and writes that came back short in the middle of a
 * file, which programs take for its end; fallocate() and ftruncate() that took
 * a missing map for one that does not let the file grow, or for a full device;
 * a write that appends and whose end had moved with a new map, which landed
 * inside the file.
 */
#include <sys/mman.h>
#include <linux/falloc.h>

#include "tfs_growing.h"
#include "tfs_jobs.h"

#define PAGE	4096UL
#define UNITS	256
#define LEN	(8 * MiB)
/* Microseconds between two revocations, mostly, and how many there are. */
#define PERIOD	1500
#define TIMES	300

FIXTURE(revoke_retry)
{
	struct tfs_env env;
	struct tfs_file *file;		/* "f", which may grow */
	int dev;			/* for notifications past the server */
	int fd;
	char *buf, *data;		/* both LEN, of files in memory */
	struct tfs_job revoke;
};

/* Pages of a file, so that they can be absent and still hold something. */
static char *map_buffer(void)
{
	int fd = memfd_create("buffer", MFD_CLOEXEC);
	char *buf;

	if (fd < 0 || ftruncate(fd, LEN))
		return MAP_FAILED;
	buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return buf;
}

FIXTURE_SETUP(revoke_retry)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_server *srv = &self->env.srv;
	size_t i;

	if (why)
		SKIP(return, "%s", why);
	GROWING_INIT(UNITS);
	srv->st->xattrs = true;
	GROWING_MOUNT();
	self->buf = map_buffer();
	self->data = map_buffer();
	ASSERT_NE(MAP_FAILED, self->buf);
	ASSERT_NE(MAP_FAILED, self->data);
	for (i = 0; i < LEN; i += 8)
		*(__u64 *)(self->data + i) = i * 0x9e3779b97f4a7c15;
}

FIXTURE_TEARDOWN(revoke_retry)
{
	munmap(self->buf, LEN);
	munmap(self->data, LEN);
	GROWING_TEARDOWN();
}

/* Takes the map away again and again, and counts in pos, until flags is set. */
static long revoke_often(struct tfs_job *job)
{
	while (!__atomic_load_n(&job->flags, __ATOMIC_SEQ_CST)) {
		if (!tfs_revoke(job->fd, 0))
			__atomic_add_fetch(&job->pos, 1, __ATOMIC_SEQ_CST);
		/* At random: then some maps last, and some do not. */
		usleep(rand() % (2 * PERIOD));
	}
	return 0;
}

#define START_REVOKING() do {						\
	self->revoke = (struct tfs_job){				\
		.run = revoke_often, .fd = self->dev };			\
	ASSERT_EQ(0, tfs_job_start(&self->revoke));			\
} while (0)

/* Until the map has been taken away often enough to be in the way. */
static bool is_revoking(const struct tfs_job *job)
{
	return __atomic_load_n(&job->pos, __ATOMIC_SEQ_CST) < TIMES;
}

#define STOP_REVOKING() do {						\
	__atomic_store_n(&self->revoke.flags, 1, __ATOMIC_SEQ_CST);	\
	ASSERT_TRUE(tfs_job_done(&self->revoke, TFS_SOON));		\
} while (0)

/* So that copying stops at each part of the buffer. */
#define ABSENT(buf) ASSERT_EQ(0, madvise(buf, LEN, MADV_DONTNEED))

TEST_F(revoke_retry, M7_reads_are_not_short)
{
	int bad = 0;

	ASSERT_EQ(LEN, pwrite(self->fd, self->data, LEN, 0));
	START_REVOKING();
	while (is_revoking(&self->revoke)) {
		ABSENT(self->buf);
		if (pread(self->fd, self->buf, LEN, 0) != LEN)
			bad++;
	}
	STOP_REVOKING();
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, memcmp(self->buf, self->data, LEN));
}

TEST_F(revoke_retry, M7_writes_are_not_short)
{
	int bad = 0;

	ASSERT_EQ(0, ftruncate(self->fd, LEN));
	START_REVOKING();
	while (is_revoking(&self->revoke)) {
		ABSENT(self->data);
		if (pwrite(self->fd, self->data, LEN, 0) != LEN)
			bad++;
	}
	STOP_REVOKING();
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, tfs_check_data(self->fd, self->data, LEN));
}

/* Also of a file that grows meanwhile. */
TEST_F(revoke_retry, M7_appends_are_not_short)
{
	int fd = ASSERT_OPEN("f", O_WRONLY | O_APPEND), i, bad = 0;

	START_REVOKING();
	while (is_revoking(&self->revoke)) {
		EXPECT_EQ(0, ftruncate(self->fd, 0));
		for (i = 0; i < 2; i++) {
			ABSENT(self->data);
			if (write(fd, self->data + i * LEN / 2, LEN / 2) !=
			    LEN / 2)
				bad++;
		}
	}
	STOP_REVOKING();
	EXPECT_EQ(0, bad);
	EXPECT_EQ(LEN, tfs_size_of(self->fd));
	EXPECT_EQ(0, tfs_check_data(self->fd, self->data, LEN));
	close(fd);
}

/* No memory is missing, and the file may grow: there is no error to report. */
TEST_F(revoke_retry, M7_growing_and_shrinking)
{
	int i = 0, err[4] = {};

	START_REVOKING();
	while (is_revoking(&self->revoke)) {
		i++;
		if (ftruncate(self->fd, (i % 7 + 1) * UNIT + i))
			err[0] = errno;
		if (fallocate(self->fd, 0, 0, (i % 9 + 8) * UNIT))
			err[1] = errno;
		if (ftruncate(self->fd, i % 5 * UNIT + 10))
			err[2] = errno;
		if (fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, 20 * UNIT))
			err[3] = errno;
	}
	STOP_REVOKING();
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, err[i]) {
			TH_LOG("operation %d", i);
		}
}

/*
 * The end is where the map says at the time of the copy, not where it was
 * before the server was asked about privileges.
 */
TEST_F(revoke_retry, I2_append_to_an_end_that_moves)
{
	const struct fuse_getxattr_out caps = { .size = 20 };
	struct tfs_server *srv = &self->env.srv;
	struct iovec iov = { "mine", 4 };
	struct tfs_job write = { .run = tfs_job_write, .iov = &iov,
				 .iovs = 1, .pos = 0 };
	char got[12] = "";

	EXPECT_EQ(4, pwrite(self->fd, "old ", 4, 0));
	EXPECT_EQ(0, fsync(self->fd));
	/* A file that has privileges: a write has to ask. */
	rule_raw(srv, FUSE_GETXATTR, TFS_ANY, &caps, sizeof(caps), 1);
	write.fd = ASSERT_OPEN("f", O_WRONLY | O_APPEND);
	ASSERT_EQ(0, tfs_job_hold(&write, srv, FUSE_GETXATTR));
	/* Another host has appended. */
	self->file->size = 8;
	EXPECT_EQ(0, tfs_push_file(srv, self->dev, self->file));
	rules_release(srv);
	EXPECT_EQ(4, tfs_job_result(&write));
	EXPECT_EQ(12, tfs_size_of(self->fd));
	EXPECT_EQ(12, pread(self->fd, got, 12, 0));
	EXPECT_EQ(0, memcmp(got, "old ", 4));
	EXPECT_EQ(0, memcmp(got + 8, "mine", 4));
	close(write.fd);
}

TEST_HARNESS_MAIN
