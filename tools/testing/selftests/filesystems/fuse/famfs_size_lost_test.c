// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes that the server is told in vain.
 *
 * What was wrong here: a size was told once, and if that was killed it was not
 * told again, so that bytes were lost; one of two fsync() relied on the other
 * one's failure; an answer counted that a new map had overtaken; nobody else
 * learnt of a size that the server refused; a size that was not told was kept
 * over memory with something else in it; close() did not say that bytes were
 * lost; a killed fsync() took an error with it; an open asked for a map before
 * a size was told that the file had got while the open waited for another.
 */
#include "tfs_growing.h"
#include "tfs_jobs.h"

#define UNITS	96
#define FAR	(20 * UNIT + 1234)

FIXTURE(size_lost)
{
	struct tfs_env env;
	struct tfs_file *file;
	int dev;			/* for notifications past the server */
	int fd;				/* of "f", FAR long, which is not told */
};

/* How many sizes the server forgets; it shares this. */
static int *forgets;

/* A size is answered, but a map without it is pushed before that. */
static bool forget_size(const struct tfs_req *req)
{
	const struct fuse_attr_out out = {};
	struct tfs_server *srv = req->srv;

	if (req->ih->opcode != FUSE_SETATTR || !*forgets)
		return false;
	--*forgets;
	tfs_push_file(srv, srv->fd, tfs_file_of(req));
	tfs_reply(req, 0, &out, sizeof(out));
	return true;
}

FIXTURE_SETUP(size_lost)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_server *srv = &self->env.srv;

	if (why)
		SKIP(return, "%s", why);
	GROWING_INIT(UNITS);
	forgets = mmap(NULL, sizeof(*forgets), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, forgets);
	srv->watch = forget_size;
	GROWING_MOUNT();
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, FAR - 1));
	ASSERT_EQ(0, self->file->size);
	tfs_counts_reset(srv);
}

FIXTURE_TEARDOWN(size_lost)
{
	GROWING_TEARDOWN();
}

/* The size as both sides know it, when all is told. */
static void expect_told(struct __test_metadata *const _metadata,
			FIXTURE_DATA(size_lost) * self, __u64 size)
{
	EXPECT_SIZE(size);
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_SIZE(size);
	EXPECT_EQ(size, self->file->size);
}

#define EXPECT_TOLD(n) expect_told(_metadata, self, n)

/* A server can tell which sizes take memory back. */
TEST_F(size_lost, G3_size_that_is_told_is_no_truncate)
{
	struct tfs_state *st = self->env.srv.st;

	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(FATTR_SIZE, st->setattr_valid & (FATTR_SIZE | FATTR_LOCKOWNER));
	tfs_counts_reset(&self->env.srv);
	EXPECT_EQ(0, ftruncate(self->fd, UNIT));
	EXPECT_EQ(FATTR_SIZE | FATTR_LOCKOWNER,
		  st->setattr_valid & (FATTR_SIZE | FATTR_LOCKOWNER));
}

/* What a process has written before it was killed is in the file. */
static void killed(struct __test_metadata *const _metadata,
		   FIXTURE_DATA(size_lost) * self, int (*end)(int fd))
{
	int i;

	EXPECT_TOLD(FAR);
	close(self->fd);
	ASSERT_EQ(0, tfs_write_and_die(&self->env, FAR, end));
	for (i = 0; i < 300 && self->file->size != FAR + 5; i++)
		usleep(10000);
	EXPECT_EQ(FAR + 5, self->file->size);
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	self->fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_TOLD(FAR + 5);
}

TEST_F(size_lost, G3_close_that_is_killed)
{
	killed(_metadata, self, close);
}

TEST_F(size_lost, G3_fsync_that_is_killed)
{
	killed(_metadata, self, fsync);
}

/*
 * A task that was killed learns of no error, so the error is for the next: here
 * of bytes that are lost while it waits.
 */
TEST_F(size_lost, G3_fsync_that_is_killed_leaves_the_error)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_msg m;
	int status;
	pid_t pid;

	tfs_msg_simple(&m, UNIT, 0, tfs_place(srv, self->file, 0), UNIT);
	tfs_msg_header(&m)->flags = FUSE_FMAP_GROW;
	ASSERT_EQ(0, tfs_server_signal(srv, SIGSTOP));
	pid = fork();
	if (!pid)
		_exit(fsync(self->fd) != 0);
	usleep(300000);
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &m));
	kill(pid, SIGKILL);
	usleep(300000);
	EXPECT_EQ(0, tfs_server_signal(srv, SIGCONT));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_ERRNO(EIO, fsync(self->fd));
	EXPECT_EQ(0, fsync(self->fd));
	tfs_msg_exit(&m);
}

/* Of two that tell it at once, neither relies on the other's failure. */
TEST_F(size_lost, G3_one_of_two_fsyncs_fails)
{
	struct tfs_job sync[2];
	int i, j, failed = 0;

	for (i = 1; i <= 100; i++) {
		ASSERT_EQ(1, pwrite(self->fd, "y", 1, FAR + i));
		rule_fail(&self->env.srv, FUSE_SETATTR, TFS_ANY, -EIO, 1);
		for (j = 0; j < 2; j++) {
			sync[j] = (struct tfs_job) { .run = tfs_job_fsync,
						     .fd = self->fd };
			ASSERT_EQ(0, tfs_job_start(&sync[j]));
		}
		for (j = 0; j < 2; j++) {
			if (tfs_job_result(&sync[j])) {
				failed++;
				continue;
			}
			EXPECT_EQ(FAR + i + 1, self->file->size);
		}
	}
	EXPECT_LT(0, failed);
}

/* All but the first wait for it, and find that its failure is theirs. */
TEST_F(size_lost, G3_each_of_many_fsyncs_fails)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job sync[8];
	int i, j;

	for (i = 1; i <= 5; i++) {
		ASSERT_EQ(1, pwrite(self->fd, "y", 1, FAR + i));
		for (j = 0; j < 8; j++) {
			sync[j] = (struct tfs_job) { .run = tfs_job_fsync,
						     .fd = self->fd };
			ASSERT_EQ(0, j ? tfs_job_start(&sync[j]) :
				  tfs_job_hold(&sync[j], srv, FUSE_SETATTR));
		}
		usleep(200000);
		rules_clear(srv);
		rule_fail(srv, FUSE_SETATTR, TFS_ANY, -EIO, -1);
		rules_release(srv);
		for (j = 0; j < 8; j++)
			EXPECT_EQ(-EIO, tfs_job_result(&sync[j]));
		rules_clear(srv);
	}
	EXPECT_TOLD(FAR + i);
}

/*
 * A map that comes while a size is on its way says what the server has after
 * it: however often that happens, such an answer is not enough for fsync().
 */
TEST_F(size_lost, G3_answers_from_before_a_push_do_not_count)
{
	*forgets = 2;
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, *forgets);
	EXPECT_EQ(3, tfs_count(&self->env.srv, FUSE_SETATTR));
	EXPECT_EQ(FAR, self->file->size);
	EXPECT_SIZE(FAR);
}

/* Nobody syncs or closes the file, so it is the flusher that has to go on. */
TEST_F(size_lost, G3_flusher_tells_a_size_that_a_push_has_overtaken)
{
	int i;

	*forgets = 1;
	for (i = 0; i < 100 && self->file->size != FAR; i++) {
		EXPECT_EQ(0, syncfs(self->fd));
		usleep(20000);
	}
	EXPECT_EQ(0, *forgets);
	EXPECT_EQ(FAR, self->file->size);
	EXPECT_SIZE(FAR);
}

/* Of the flusher's request it is the server that says so, not the kernel. */
TEST_F(size_lost, G3_server_has_no_memory_for_a_size)
{
	static const int errors[] = { -ENOMEM, -EINTR };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		ASSERT_EQ(1, pwrite(self->fd, "y", 1, FAR + i));
		rule_fail(&self->env.srv, FUSE_SETATTR, TFS_ANY, errors[i],
			  1);
		EXPECT_EQ(0, syncfs(self->fd));
		EXPECT_ERRNO(EIO, fsync(self->fd));
		EXPECT_TOLD(FAR + i + 1);
	}
}

/* No is an answer: whoever asks gets it, and nobody else has to wait. */
TEST_F(size_lost, G3_server_refuses_every_size)
{
	int fd = ASSERT_OPEN("f", O_RDWR);

	rule_fail(&self->env.srv, FUSE_SETATTR, TFS_ANY, -EROFS, -1);
	EXPECT_ERRNO(EROFS, fsync(fd));
	EXPECT_ERRNO(EROFS, close(fd));
	/* Also of those who did not tell it. */
	rules_clear(&self->env.srv);
	EXPECT_ERRNO(EROFS, fsync(self->fd));
	EXPECT_TOLD(FAR);
	rule_fail(&self->env.srv, FUSE_SETATTR, TFS_ANY, -EROFS, -1);
	EXPECT_EQ(1, pwrite(self->fd, "x", 1, FAR));
	EXPECT_ERRNO(EROFS, close(self->fd));
	self->fd = -1;
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
}

/*
 * The same size, and something else in the memory behind the known one: what
 * is lost fails the fsync() or close() of each open file, once.
 */
TEST_F(size_lost, G2_untold_size_over_other_memory)
{
	int fd = ASSERT_OPEN("f", O_RDWR);
	struct tfs_msg m;

	EXPECT_EQ(0, ftruncate(self->fd, UNIT));
	EXPECT_EQ(0, fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, 4 * UNIT));
	EXPECT_EQ(4, pwrite(self->fd, "lost", 4, 2 * UNIT));
	tfs_msg_simple(&m, UNIT, 0, tfs_place(&self->env.srv, self->file,
					      0), UNIT);
	tfs_msg_extent(&m, 0, BASE + 60 * UNIT, 3 * UNIT);
	tfs_msg_header(&m)->flags = FUSE_FMAP_GROW;
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &m));
	EXPECT_SIZE(UNIT);
	EXPECT_ERRNO(EIO, close(fd));
	EXPECT_ERRNO(EIO, fsync(self->fd));
	EXPECT_EQ(0, fsync(self->fd));
	tfs_msg_exit(&m);
}

/* The same where the reply to OPEN brings the map. */
FIXTURE(size_open)
{
	struct tfs_env env;
	struct tfs_file *file;
	int dev, fd;
};

FIXTURE_SETUP(size_open)
{
	const char *why;

	setenv("FAMFS_OPEN_MODE", "openfmap", 1);
	why = tfs_env_init(&self->env, 1);
	if (why)
		SKIP(return, "%s", why);
	GROWING_INIT(UNITS);
	GROWING_MOUNT();
}

FIXTURE_TEARDOWN(size_open)
{
	GROWING_TEARDOWN();
}

/* One open waits for another; in between a map comes, is used, and goes. */
TEST_F(size_open, G3_file_grows_while_an_open_waits)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job open[2];
	char c = 0;
	int i;

	ASSERT_EQ(0, tfs_revoke(self->dev, 0));
	for (i = 0; i < 2; i++)
		open[i] = (struct tfs_job) { .run = tfs_job_open,
			.env = &self->env, .name = "f", .flags = O_RDWR };
	ASSERT_EQ(0, tfs_job_hold(&open[0], srv, FUSE_OPEN));
	ASSERT_EQ(0, tfs_job_start(&open[1]));
	usleep(300000);
	ASSERT_EQ(0, tfs_push_file(srv, self->dev, self->file));
	EXPECT_EQ(1, pwrite(self->fd, "x", 1, 1233));
	EXPECT_EQ(0, self->file->size);
	ASSERT_EQ(0, tfs_revoke(self->dev, 0));
	rules_clear(srv);
	rule_fail(srv, FUSE_OPEN, TFS_ANY, -EACCES, 1);
	rules_release(srv);
	EXPECT_EQ(-EACCES, tfs_job_result(&open[0]));
	ASSERT_LE(0, tfs_job_result(&open[1]));
	EXPECT_SIZE(1234);
	EXPECT_EQ(1, pread(self->fd, &c, 1, 1233));
	EXPECT_EQ('x', c);
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(1234, self->file->size);
	close(open[1].result);
}

TEST_HARNESS_MAIN
