// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes whose last reference goes while somebody has a page of theirs pinned.
 *
 * FUSE evicts an inode with its last reference, wherever that is dropped: in
 * the server's reply to RELEASE, in a notification, in memory reclaim.  Eviction
 * waited there for the user who had the page, unkillably, and with the server
 * every request of the mount waited.
 */
#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(PMD + 8 * PAGE)
#define FILLED	(16 * MiB)
#define OPENS	50
#define ROUNDS	20

FIXTURE(evict)
{
	struct tfs_env env;
	struct tfs_msg msg;
	int dev;			/* for notifications past the server */
	int fd;				/* of "f", or -1 */
	char *map;
	int pipes[2];			/* with a page of "f" */
};

FIXTURE_SETUP(evict)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, FILLED));
	tfs_msg_simple(&self->msg, SIZE, 0, 0, SIZE);
	tfs_add_mapped(&self->env, "f", &self->msg);
	tfs_add_data(&self->env.srv, "plain", "0123456789abcdef", 16);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = ASSERT_OPEN("f", O_RDWR);
	self->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	tfs_dirty(self->map + PMD);
	ASSERT_EQ(0, tfs_pin(self->pipes, self->map + PMD));
	tfs_counts_reset(&self->env.srv);
}

FIXTURE_TEARDOWN(evict)
{
	tfs_msg_exit(&self->msg);
	EXPECT_EQ(0, tfs_umount(&self->env));
	close(self->dev);
	TFS_TEARDOWN();
}

/* Nobody has the file any more, but for the page. */
#define CLOSE() do {							\
	munmap(self->map, SIZE);					\
	close(self->fd);						\
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));		\
} while (0)

/* As soon as the page is free the inode is gone. */
#define UNPIN() do {							\
	tfs_unpin(self->pipes);						\
	EXPECT_EQ(0, wait_maps(&self->env, 0));				\
} while (0)

static int wait_maps(struct tfs_env *env, long maps)
{
	int i;

	for (i = 0; i < TFS_SOON && tfs_maps(env) != maps; i += 10)
		usleep(10000);
	return tfs_maps(env) == maps ? 0 : -ETIMEDOUT;
}

static int unlink_f(struct tfs_env *env)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/f", env->dir);
	return unlink(path);
}

/* In the server's task, which has to go on. */
static int forget_name(struct tfs_env *env)
{
	struct fuse_notify_inval_entry_out out = {
		.parent = FUSE_ROOT_ID, .namelen = 1 };

	return tfs_notify(&env->srv, FUSE_NOTIFY_INVAL_ENTRY, &out,
			  sizeof(out), "f", 2);
}

static int invalidate(struct tfs_env *env)
{
	struct fuse_notify_inval_inode_out out = {
		.ino = TFS_INO(0), .off = -1 };

	return tfs_notify(&env->srv, FUSE_NOTIFY_INVAL_INODE, &out,
			  sizeof(out), NULL, 0);
}

static long do_stat(struct tfs_job *job)
{
	__u64 size;

	return tfs_stat_size(job->env, "plain", &size);
}

static long do_drop(struct tfs_job *job)
{
	(void)job;
	return tfs_drop_caches();
}

static long do_sync(struct tfs_job *job)
{
	(void)job;
	sync();
	return 0;
}

static long do_forget(struct tfs_job *job)
{
	return forget_name(job->env);
}

/* It has to be through although the page is pinned. */
#define EXPECT_SOON(what) do {						\
	struct tfs_job job_ = { .run = what, .env = &self->env };	\
									\
	ASSERT_EQ(0, tfs_job_start(&job_));				\
	EXPECT_TRUE(tfs_job_done(&job_, 3000)) {			\
		tfs_unpin(self->pipes);					\
		tfs_job_result(&job_);					\
	}								\
	EXPECT_EQ(0, job_.result);					\
} while (0)

TEST_F(evict, X5_servers_reply_to_release)
{
	EXPECT_EQ(0, unlink_f(&self->env));
	CLOSE();
	EXPECT_SOON(do_stat);
	EXPECT_EQ(1, tfs_maps(&self->env));
	UNPIN();
}

TEST_F(evict, X5_notification_that_the_name_is_gone)
{
	CLOSE();
	EXPECT_SOON(do_forget);
	EXPECT_SOON(do_stat);
	UNPIN();
}

TEST_F(evict, X5_memory_reclaim)
{
	CLOSE();
	EXPECT_SOON(do_drop);
	UNPIN();
}

TEST_F(evict, X5_sync)
{
	CLOSE();
	EXPECT_SOON(do_sync);
	EXPECT_EQ(0, forget_name(&self->env));
	EXPECT_SOON(do_sync);
	UNPIN();
}

/* Whoever looks the name up does not wait either, and finds the same file. */
TEST_F(evict, X5_open_of_a_file_that_is_kept)
{
	CLOSE();
	EXPECT_SOON(do_drop);
	self->fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_COUNT(0, FUSE_GET_FMAP);
	EXPECT_EQ(SIZE, tfs_check(self->fd, &self->msg));
	close(self->fd);
	EXPECT_SOON(do_drop);
	UNPIN();
}

/* The pin is a request that the server answers after it has let go. */
static long write_plain(struct tfs_job *job)
{
	int fd = tfs_open(job->env, "plain", O_RDWR | O_DIRECT);
	ssize_t n = pwrite(fd, job->iov->iov_base, PAGE, 0);

	close(fd);
	return n;
}

TEST_F(evict, X5_pin_is_a_request_to_the_same_server)
{
	struct iovec iov = { self->map + PMD, PAGE };
	struct tfs_job write = { .run = write_plain, .env = &self->env,
				 .iov = &iov };

	tfs_unpin(self->pipes);
	ASSERT_EQ(0, pipe(self->pipes));
	ASSERT_EQ(0, tfs_job_hold(&write, &self->env.srv, FUSE_WRITE));
	EXPECT_EQ(0, unlink_f(&self->env));
	munmap(self->map, SIZE);
	close(self->fd);
	EXPECT_SOON(do_stat);
	rules_release(&self->env.srv);
	EXPECT_EQ(PAGE, tfs_job_result(&write));
	UNPIN();
}

/* It ends at once, and the device is free when the page is. */
TEST_F(evict, X5_umount)
{
	int i, fd;

	CLOSE();
	EXPECT_EQ(0, tfs_umount(&self->env));
	ASSERT_EQ(0, tfs_remount(&self->env));
	tfs_add_mapped(&self->env, "f", &self->msg);
	EXPECT_OPEN_FAILS(EBUSY, "f", O_RDONLY);
	tfs_unpin(self->pipes);
	for (i = 0; i < 100; i++) {
		fd = tfs_open(&self->env, "f", O_RDONLY);
		if (fd != -EBUSY)
			break;
		usleep(20000);
	}
	EXPECT_LE(0, fd);
	close(fd);
}

/* However often the file is closed, it is kept once, and then not any more. */
TEST_F(evict, X3_file_is_kept_once)
{
	int i;

	for (i = 0; i < OPENS; i++) {
		int fd = ASSERT_OPEN("f", O_RDWR);
		char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

		ASSERT_NE(MAP_FAILED, map);
		EXPECT_EQ(0, load_byte(map));
		munmap(map, PAGE);
		close(fd);
	}
	CLOSE();
	EXPECT_SOON(do_drop);
	EXPECT_EQ(1, tfs_maps(&self->env));
	tfs_unpin(self->pipes);
	EXPECT_EQ(0, tfs_drop_caches());
	EXPECT_EQ(0, wait_maps(&self->env, 0));
}

/* The other users of the file keep what they have mapped. */
TEST_F(evict, X5_one_of_two_openers_closes)
{
	int fd = ASSERT_OPEN("f", O_RDWR);
	char *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, load_byte(map + PMD));
	munmap(self->map, SIZE);
	close(self->fd);
	EXPECT_EQ(0, load_byte(map + PMD));
	munmap(map, SIZE);
	close(fd);
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	EXPECT_SOON(do_drop);
	UNPIN();
}

/* Pages that are pinned keep the file findable, to pushes as well. */
TEST_F(evict, X7_file_is_found_while_it_is_kept)
{
	CLOSE();
	EXPECT_SOON(do_drop);
	EXPECT_EQ(0, invalidate(&self->env));
	EXPECT_EQ(-EBUSY, tfs_revoke(self->dev, 0));
	UNPIN();
	EXPECT_EQ(-ENOENT, invalidate(&self->env));
}

/* When it is said to be unknown, its memory can be another file's at once. */
TEST_F(evict, X7_unknown_file_has_no_claims)
{
	struct tfs_job drop = { .run = do_drop, .env = &self->env };
	int i, err, fd;

	CLOSE();
	tfs_unpin(self->pipes);
	tfs_add_mapped(&self->env, "g", &self->msg);
	for (i = 0; i < ROUNDS; i++) {
		EXPECT_EQ(0, tfs_drop_caches());
		fd = ASSERT_OPEN("f", O_RDWR);
		self->map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, self->map);
		EXPECT_EQ(0, load_byte(self->map));
		EXPECT_EQ(0, load_byte(self->map + PMD));
		munmap(self->map, SIZE);
		close(fd);
		ASSERT_EQ(0, tfs_job_start(&drop));
		do {
			err = invalidate(&self->env);
		} while (!err);
		EXPECT_EQ(-ENOENT, err);
		fd = ASSERT_OPEN("g", O_RDWR);
		close(fd);
		EXPECT_TRUE(tfs_job_done(&drop, TFS_SOON));
		drop.done = false;
	}
}

TEST_HARNESS_MAIN
