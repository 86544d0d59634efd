// SPDX-License-Identifier: GPL-2.0
/*
 * Times and sizes that writeback tells the server, which has not answered yet.
 *
 * What was wrong here: one file whose size was not answered kept the flusher
 * from all others of the mount; a later size, or the times that a user set,
 * reached the server before an older one; a GETATTR meanwhile brought the times
 * from before back, for good; a killed unlink() left its -EINTR to the next
 * fsync(); a handle was released before the size was told.
 */
#include "tfs_growing.h"
#include "tfs_jobs.h"

#define UNITS	96
#define LEN	(3 * UNIT)
#define EXPIRE	"/proc/sys/vm/dirty_expire_centisecs"
#define PERIOD	"/proc/sys/vm/dirty_writeback_centisecs"

/* What the server knows when it is sent FUSE_RELEASE. */
static __u64 *at_release;

static bool watch(const struct tfs_req *req)
{
	if (req->ih->opcode == FUSE_RELEASE)
		*at_release = tfs_file_of(req)->size;
	return false;
}

/* The same of the next release; 0 if there is none.  A count comes earlier. */
static __u64 size_at_release(void)
{
	__u64 size = 0;
	int i;

	for (i = 0; i < 10000 && !size; i++) {
		size = __atomic_exchange_n(at_release, 0, __ATOMIC_SEQ_CST);
		usleep(size ? 0 : 1000);
	}
	return size;
}

FIXTURE(writeback)
{
	struct tfs_env env;
	struct tfs_file *file, *other;
	int fd;
};

FIXTURE_SETUP(writeback)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_server *srv = &self->env.srv;

	if (why)
		SKIP(return, "%s", why);
	at_release = mmap(NULL, UNIT, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)at_release);
	srv->watch = watch;
	srv->st->valid = 3600;
	GROWING_INIT(UNITS);
	self->other = &srv->st->files[tfs_add_growing(srv, "other", 1)];
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = ASSERT_OPEN("f", O_RDWR);
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, LEN - 1));
	ASSERT_EQ(0, fsync(self->fd));
	/* Times are as coarse as ticks. */
	usleep(50000);
	tfs_counts_reset(srv);
}

FIXTURE_TEARDOWN(writeback)
{
	close(self->fd);
	/* The device is busy for as long as an inode is kept. */
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_EQ(0, tfs_umount(&self->env));
	TFS_TEARDOWN();
}

/* Has the flusher tell the times of a write of one byte at @pos. */
static void hold_write(struct __test_metadata *const _metadata,
		       FIXTURE_DATA(writeback) * self, off_t pos)
{
	struct tfs_server *srv = &self->env.srv;

	rule_hold(srv, FUSE_SETATTR, TFS_INO(self->file - srv->st->files));
	ASSERT_EQ(1, pwrite(self->fd, "y", 1, pos));
	ASSERT_EQ(0, syncfs(self->fd));
	ASSERT_EQ(0, tfs_wait_held(srv, 1));
}

static void let_go(struct tfs_server *srv)
{
	rules_clear(srv);
	rules_release(srv);
}

static long long mtime_of(int fd, int flags)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | flags, STATX_MTIME, &stx))
		return -1;
	return stx.stx_mtime.tv_sec * 1000000000LL + stx.stx_mtime.tv_nsec;
}

/* Puts what is in a file of /proc/sys into @old, and @text there. */
static int exchange(const char *path, const char *text, char *old, size_t len)
{
	int fd = open(path, O_RDWR);
	ssize_t n = read(fd, old, len - 1);

	close(fd);
	if (n <= 0)
		return -EIO;
	old[n] = 0;
	return tfs_write_text(path, text);
}

TEST_F(writeback, G3_flusher_goes_on_with_other_files)
{
	struct tfs_server *srv = &self->env.srv;
	int other = ASSERT_OPEN("other", O_RDWR);
	char expire[32], period[32];
	int i;

	ASSERT_EQ(0, exchange(EXPIRE, "10", expire, sizeof(expire)));
	ASSERT_EQ(0, exchange(PERIOD, "10", period, sizeof(period)));
	rule_hold(srv, FUSE_SETATTR, TFS_INO(self->file - srv->st->files));
	EXPECT_EQ(1, pwrite(self->fd, "y", 1, LEN));
	EXPECT_EQ(0, tfs_wait_held(srv, 1));
	EXPECT_EQ(1, pwrite(other, "y", 1, LEN));
	for (i = 0; i < 500 && self->other->size != LEN + 1; i++)
		usleep(10000);
	EXPECT_EQ(LEN + 1, self->other->size);
	EXPECT_EQ(LEN, self->file->size);
	let_go(srv);
	tfs_write_text(EXPIRE, expire);
	tfs_write_text(PERIOD, period);
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(LEN + 1, self->file->size);
	close(other);
}

TEST_F(writeback, G3_fsync_waits_for_a_size_that_is_on_its_way)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job sync = { .run = tfs_job_fsync, .fd = self->fd };

	hold_write(_metadata, self, LEN);
	EXPECT_EQ(1, pwrite(self->fd, "y", 1, LEN + 1));
	ASSERT_EQ(0, tfs_job_start(&sync));
	EXPECT_FALSE(tfs_job_done(&sync, 500));
	EXPECT_COUNT(1, FUSE_SETATTR);
	let_go(srv);
	EXPECT_EQ(0, tfs_job_result(&sync));
	EXPECT_COUNT(2, FUSE_SETATTR);
	EXPECT_EQ(LEN + 2, self->file->size);
}

/* Of two that are on their way the older one could be the last to arrive. */
TEST_F(writeback, G3_sizes_are_told_one_after_the_other)
{
	struct tfs_server *srv = &self->env.srv;

	hold_write(_metadata, self, LEN);
	EXPECT_EQ(1, pwrite(self->fd, "y", 1, LEN + 1));
	EXPECT_EQ(0, syncfs(self->fd));
	usleep(500000);
	EXPECT_COUNT(1, FUSE_SETATTR);
	let_go(srv);
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_COUNT(2, FUSE_SETATTR);
	EXPECT_EQ(LEN + 2, self->file->size);
}

/* Nobody syncs or closes the file: what the flusher has put off it does. */
TEST_F(writeback, I2_times_that_change_on_the_way_are_told)
{
	struct tfs_server *srv = &self->env.srv;
	long long now;
	int i;

	hold_write(_metadata, self, 0);
	usleep(50000);
	EXPECT_EQ(1, pwrite(self->fd, "z", 1, 0));
	now = mtime_of(self->fd, AT_STATX_DONT_SYNC);
	EXPECT_EQ(0, syncfs(self->fd));
	let_go(srv);
	for (i = 0; i < 100 && tfs_count(srv, FUSE_SETATTR) < 2; i++) {
		usleep(20000);
		EXPECT_EQ(0, syncfs(self->fd));
	}
	EXPECT_COUNT(2, FUSE_SETATTR);
	EXPECT_EQ(now % 1000000000, self->file->mtime.tv_nsec);
}

TEST_F(writeback, I2_fsync_waits_for_times_that_are_on_their_way)
{
	struct tfs_job sync = { .run = tfs_job_fsync, .fd = self->fd };

	hold_write(_metadata, self, 0);
	ASSERT_EQ(0, tfs_job_start(&sync));
	EXPECT_FALSE(tfs_job_done(&sync, 500));
	let_go(&self->env.srv);
	EXPECT_EQ(0, tfs_job_result(&sync));
}

static long set_times(struct tfs_job *job)
{
	struct timespec ts[2] = { { .tv_sec = 1234 }, { .tv_sec = 1234 } };

	return futimens(job->fd, ts) ? -errno : 0;
}

TEST_F(writeback, I2_times_that_are_set_come_last)
{
	struct tfs_job set = { .run = set_times, .fd = self->fd };

	hold_write(_metadata, self, 0);
	ASSERT_EQ(0, tfs_job_start(&set));
	EXPECT_FALSE(tfs_job_done(&set, 500));
	let_go(&self->env.srv);
	EXPECT_EQ(0, tfs_job_result(&set));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(1234, self->file->mtime.tv_sec);
	EXPECT_EQ(1234LL * 1000000000, mtime_of(self->fd, AT_STATX_FORCE_SYNC));
}

TEST_F(writeback, I2_times_do_not_go_back_before_the_answer)
{
	long long before = mtime_of(self->fd, AT_STATX_DONT_SYNC), now;

	hold_write(_metadata, self, 0);
	now = mtime_of(self->fd, AT_STATX_DONT_SYNC);
	EXPECT_GT(now, before);
	EXPECT_EQ(now, mtime_of(self->fd, AT_STATX_FORCE_SYNC));
	let_go(&self->env.srv);
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(now, mtime_of(self->fd, 0));
}

/* No file is open when the answer comes, and there is more to tell. */
TEST_F(writeback, I2_times_that_change_before_the_last_close_are_told)
{
	int dir = open(self->env.dir, O_RDONLY | O_DIRECTORY);
	struct tfs_server *srv = &self->env.srv;
	char *map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	/* It is the mapping that keeps it open, and closing it flushes nothing. */
	close(self->fd);
	self->fd = -1;
	tfs_counts_reset(srv);
	rule_hold(srv, FUSE_SETATTR, TFS_INO(self->file - srv->st->files));
	tfs_dirty(map);
	EXPECT_EQ(0, syncfs(dir));
	ASSERT_EQ(0, tfs_wait_held(srv, 1));
	usleep(50000);
	tfs_dirty(map + UNIT);
	munmap(map, LEN);
	close(dir);
	tfs_drop_caches();
	let_go(srv);
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_COUNT(2, FUSE_SETATTR);
}

static int unlink_and_exit(struct tfs_env *env)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/f", env->dir);
	_exit(unlink(path));
}

TEST_F(writeback, X6_killed_unlink_is_no_error_of_the_file)
{
	int status;
	pid_t pid;

	hold_write(_metadata, self, 0);
	pid = fork();
	if (!pid)
		unlink_and_exit(&self->env);
	usleep(500000);
	kill(pid, SIGKILL);
	usleep(500000);
	/* It has the file open, and exit waits as close() does. */
	let_go(&self->env.srv);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, fsync(self->fd));
}

static int write_and_close(struct tfs_env *env)
{
	int fd = tfs_open(env, "f", O_RDWR);

	if (pwrite(fd, "y", 1, LEN) != 1 || syncfs(fd))
		_exit(1);
	_exit(close(fd));
}

/* Who closes it is killed, and does not wait. */
TEST_F(writeback, G3_handle_is_released_after_the_answer)
{
	struct tfs_server *srv = &self->env.srv;
	int status;
	pid_t pid;

	if (srv->st->open_mode == TFS_NOOPEN)
		SKIP(return, "there are no handles");
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(LEN, size_at_release());
	rule_hold(srv, FUSE_SETATTR, TFS_INO(self->file - srv->st->files));
	pid = fork();
	if (!pid)
		write_and_close(&self->env);
	ASSERT_EQ(0, tfs_wait_held(srv, 1));
	usleep(300000);
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, *at_release);
	let_go(srv);
	EXPECT_EQ(LEN + 1, size_at_release());
}

TEST_HARNESS_MAIN
