// SPDX-License-Identifier: GPL-2.0
/*
 * What the server is told of a file that grows, and what it tells, while
 * something else is under way: requests that it keeps, replies that come when
 * they are out of date, and errors.
 *
 * What is easily wrong here: a size that was composed earlier and arrives
 * later, on either side; a size that the server was not told, or wrongly, and
 * that nobody remembers; a reply that a push has overtaken and that fails what
 * asked for it.
 */
#include <sys/resource.h>

#include "tfs_growing.h"
#include "tfs_jobs.h"

#define PAGE	4096UL
#define UNITS	96
#define FAR	(20 * UNIT + 1234)

FIXTURE(size_flush)
{
	struct tfs_env env;
	struct tfs_file *file;
	int dev;			/* for notifications past the server */
	int fd;				/* of "f", FAR long, which is not told */
};

FIXTURE_SETUP(size_flush)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_server *srv = &self->env.srv;

	if (why)
		SKIP(return, "%s", why);
	GROWING_INIT(UNITS);
	GROWING_MOUNT();
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, FAR - 1));
	ASSERT_EQ(0, self->file->size);
	tfs_counts_reset(srv);
}

FIXTURE_TEARDOWN(size_flush)
{
	GROWING_TEARDOWN();
}

/* The size as both sides know it, when all is told. */
static void expect_told(struct __test_metadata *const _metadata,
			FIXTURE_DATA(size_flush) * self, __u64 size)
{
	EXPECT_SIZE(size);
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_SIZE(size);
	EXPECT_EQ(size, self->file->size);
}

#define EXPECT_TOLD(n) expect_told(_metadata, self, n)

#define START(job, opcode)						\
	ASSERT_EQ(0, tfs_job_hold(job, &self->env.srv, opcode))
#define FINISH(job, want) EXPECT_EQ(want, tfs_job_result(job))
#define PUSH()								\
	EXPECT_EQ(0, tfs_push_file(&self->env.srv, self->dev, self->file))

/* It told sizes and times of others, and waited for the answer. */
TEST_F(size_flush, I1_reader_closes)
{
	int fd = ASSERT_OPEN("f", O_RDONLY);

	close(fd);
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_SETATTR));
	EXPECT_EQ(0, self->file->size);
	EXPECT_TOLD(FAR);
}

TEST_F(size_flush, G3_map_from_before_the_size_was_told)
{
	char c[2] = "";
	struct iovec iov = { c, 1 };
	struct tfs_job read = { .run = tfs_job_read, .fd = self->fd,
				.iov = &iov, .iovs = 1, .pos = FAR - 1 };
	int fd;

	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	START(&read, FUSE_GET_FMAP);
	rule_freeze_map(&self->env.srv, self->file);
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(FAR, self->file->size);
	rules_release(&self->env.srv);
	FINISH(&read, 1);
	EXPECT_EQ('x', c[0]);
	EXPECT_SIZE(FAR);
	/* Else this would go where the other byte is. */
	fd = ASSERT_OPEN("f", O_WRONLY | O_APPEND);
	EXPECT_EQ(1, write(fd, "y", 1));
	close(fd);
	EXPECT_TOLD(FAR + 1);
	EXPECT_EQ(2, pread(self->fd, c, 2, FAR - 1));
	EXPECT_EQ(0, memcmp(c, "xy", 2));
}

/* Nothing that is mapped says then which size is the later one. */
TEST_F(size_flush, G3_map_from_before_a_refused_size_was_told)
{
	char c = 0;
	struct iovec iov = { &c, 1 };
	struct tfs_job read = { .run = tfs_job_read, .fd = self->fd,
				.iov = &iov, .iovs = 1, .pos = FAR - 1 };

	rule_fail(&self->env.srv, FUSE_SETATTR, TFS_ANY, -EIO, 1);
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	START(&read, FUSE_GET_FMAP);
	rule_freeze_map(&self->env.srv, self->file);
	EXPECT_ERRNO(EIO, fsync(self->fd));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(FAR, self->file->size);
	rules_release(&self->env.srv);
	FINISH(&read, 1);
	EXPECT_EQ('x', c);
	EXPECT_TOLD(FAR);
}

TEST_F(size_flush, G3_map_from_before_truncate)
{
	struct tfs_job more = { .run = tfs_job_fallocate, .fd = self->fd,
				.pos = 30 * UNIT };

	ASSERT_EQ(0, ftruncate(self->fd, 10));
	START(&more, FUSE_GET_FMAP);
	rule_freeze_map(&self->env.srv, self->file);
	/* The map that there is reaches as far, so this fetches none. */
	EXPECT_EQ(0, ftruncate(self->fd, PAGE + 10));
	rules_release(&self->env.srv);
	FINISH(&more, 0);
	EXPECT_TOLD(PAGE + 10);
}

TEST_F(size_flush, G3_file_grows_while_its_size_is_told)
{
	struct tfs_job sync = { .run = tfs_job_fsync, .fd = self->fd };

	START(&sync, FUSE_SETATTR);
	ASSERT_EQ(1, pwrite(self->fd, "y", 1, FAR));
	rules_release(&self->env.srv);
	FINISH(&sync, 0);
	EXPECT_EQ(FAR, self->file->size);
	EXPECT_TOLD(FAR + 1);
}

TEST_F(size_flush, G3_size_is_told_when_nothing_is_flushed)
{
	int fd;

	if (self->env.srv.st->open_mode == TFS_NOOPEN)
		SKIP(return, "the server has no opens");
	self->file->open_flags = FOPEN_NOFLUSH;
	fd = ASSERT_OPEN("f", O_WRONLY);
	self->file->open_flags = 0;
	EXPECT_EQ(5, pwrite(fd, "later", 5, FAR));
	close(fd);
	EXPECT_COUNT(0, FUSE_FLUSH);
	EXPECT_EQ(FAR + 5, self->file->size);
}

TEST_F(size_flush, G3_size_that_could_not_be_told)
{
	rule_fail(&self->env.srv, FUSE_SETATTR, TFS_ANY, -EIO, 1);
	EXPECT_ERRNO(EIO, fsync(self->fd));
	EXPECT_EQ(0, self->file->size);
	/* A map with the old size does not make it true. */
	PUSH();
	EXPECT_TOLD(FAR);
}

/* With a map that does not grow the size is the server's business. */
TEST_F(size_flush, G3_file_stops_growing_before_its_size_is_told)
{
	struct tfs_msg m;

	tfs_msg_simple(&m, PAGE, 0, tfs_place(&self->env.srv, self->file,
					      0), UNIT);
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &m));
	EXPECT_SIZE(PAGE);
	self->file->size = PAGE;
	EXPECT_ERRNO(EFBIG, pwrite(self->fd, "x", 1, PAGE));
	/* What was written behind it is lost. */
	EXPECT_ERRNO(EIO, fsync(self->fd));
	EXPECT_TOLD(PAGE);
	EXPECT_EQ(0, self->env.srv.st->setattr_valid & FATTR_SIZE);
	tfs_msg_exit(&m);
}

/* An older size must not be on its way when truncate() tells its own. */
TEST_F(size_flush, G3_truncate_while_a_size_is_told)
{
	struct tfs_job sync = { .run = tfs_job_fsync, .fd = self->fd };
	struct tfs_job cut = { .run = tfs_job_truncate, .fd = self->fd,
			       .pos = PAGE };

	START(&sync, FUSE_SETATTR);
	ASSERT_EQ(0, tfs_job_start(&cut));
	EXPECT_FALSE(tfs_job_done(&cut, 300));
	EXPECT_COUNT(1, FUSE_SETATTR);
	rules_release(&self->env.srv);
	FINISH(&cut, 0);
	FINISH(&sync, 0);
	EXPECT_TOLD(PAGE);
}

/* Nor start on it: there is nothing to tell but what truncate() tells. */
TEST_F(size_flush, G3_size_is_not_told_while_truncate_waits)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job sync = { .run = tfs_job_fsync, .fd = self->fd };
	struct tfs_job grow = { .run = tfs_job_truncate, .fd = self->fd,
				.pos = 30 * UNIT };

	EXPECT_EQ(0, fsync(self->fd));
	START(&grow, FUSE_SETATTR);
	tfs_counts_reset(srv);
	ASSERT_EQ(0, tfs_job_start(&sync));
	FINISH(&sync, 0);
	EXPECT_COUNT(0, FUSE_SETATTR);
	rules_release(srv);
	FINISH(&grow, 0);
	EXPECT_EQ(30 * UNIT, srv->st->setattr_size);
	/* And what truncate() has told need not be told again. */
	tfs_counts_reset(srv);
	EXPECT_TOLD(30 * UNIT);
	EXPECT_EQ(0, srv->st->setattr_valid & FATTR_SIZE);
}

/* Memory first, and the size when it is there. */
TEST_F(size_flush, G3_truncate_that_gets_no_map)
{
	EXPECT_EQ(0, fsync(self->fd));
	rule_fail(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, -EIO, 1);
	EXPECT_ERRNO(EIO, ftruncate(self->fd, 40 * UNIT));
	EXPECT_EQ(FAR, self->file->size);
	EXPECT_TOLD(FAR);
}

/* Nor is there a size left that nobody would tell any more. */
TEST_F(size_flush, X3_evicted_after_a_truncate_that_gets_no_map)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/f", self->env.dir);
	close(self->fd);
	rule_fail(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, -EIO, 1);
	EXPECT_ERRNO(EIO, truncate(path, 40 * UNIT));
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	self->fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_TOLD(FAR);
}

/* The size comes back, but not beyond what is mapped by then. */
TEST_F(size_flush, G5_map_shrinks_while_a_refused_truncate_waits)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job cut = { .run = tfs_job_truncate, .fd = self->fd,
			       .pos = 15 * UNIT };
	char c;

	EXPECT_EQ(0, fsync(self->fd));
	START(&cut, FUSE_SETATTR);
	tfs_shrink(srv, self->file, 10 * UNIT);
	self->file->size = 10 * UNIT;
	PUSH();
	rule_fail(srv, FUSE_SETATTR, TFS_ANY, -EACCES, 1);
	rules_release(srv);
	FINISH(&cut, -EACCES);
	EXPECT_SIZE(10 * UNIT);
	EXPECT_EQ(0, pread(self->fd, &c, 1, 12 * UNIT));
	EXPECT_EQ(1, pread(self->fd, &c, 1, 10 * UNIT - 1));
}

/* The same memory, and less of it is the file's. */
TEST_F(size_flush, G5_server_makes_the_size_smaller)
{
	char *map = mmap(NULL, 20 * UNIT, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	off_t pos;

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, fsync(self->fd));
	for (pos = 0; pos < 20 * (off_t)UNIT; pos += PAGE)
		EXPECT_EQ(0, store_byte(map + pos, 'm'));
	self->file->size = UNIT + 1;
	PUSH();
	EXPECT_SIZE(UNIT + 1);
	EXPECT_EQ(0, load_byte(map + UNIT));
	EXPECT_EQ(SIGBUS, load_byte(map + UNIT + PAGE));
	EXPECT_EQ(SIGBUS, store_byte(map + 19 * UNIT, 'x'));
	munmap(map, 20 * UNIT);
}

/* It is asked once; what is mapped already needs no question. */
TEST_F(size_flush, G1_server_that_knows_no_fallocate)
{
	rule_fail(&self->env.srv, FUSE_FALLOCATE, TFS_ANY, -ENOSYS, -1);
	EXPECT_ERRNO(EOPNOTSUPP, pwrite(self->fd, "x", 1, 30 * UNIT));
	EXPECT_ERRNO(EOPNOTSUPP, pwrite(self->fd, "x", 1, 31 * UNIT));
	EXPECT_ERRNO(EOPNOTSUPP, fallocate(self->fd, 0, 0, 30 * UNIT));
	EXPECT_COUNT(1, FUSE_FALLOCATE);
	EXPECT_EQ(1, pwrite(self->fd, "y", 1, FAR));
	EXPECT_TOLD(FAR + 1);
}

/* The server is not asked for what the user must not have. */
TEST_F(size_flush, G1_file_size_limit_is_kept)
{
	const struct rlimit limit = { 25 * UNIT, 25 * UNIT };

	signal(SIGXFSZ, SIG_IGN);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	EXPECT_ERRNO(EFBIG, pwrite(self->fd, "x", 1, 25 * UNIT));
	EXPECT_ERRNO(EFBIG, ftruncate(self->fd, 25 * UNIT + 1));
	EXPECT_ERRNO(EFBIG, fallocate(self->fd, 0, 0, 25 * UNIT + 1));
	EXPECT_COUNT(0, FUSE_FALLOCATE);
	EXPECT_EQ(2, pwrite(self->fd, "xyz", 3, 25 * UNIT - 2));
	EXPECT_TOLD(25 * UNIT);
}

/* What the server has pushed counts, and whoever asked goes on with it. */
TEST_F(size_flush, G4_push_overtakes_what_a_growing_file_asks_for)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job more = { .run = tfs_job_fallocate, .fd = self->fd,
				.pos = 30 * UNIT };
	struct tfs_job grow = { .run = tfs_job_truncate, .fd = self->fd,
				.pos = 40 * UNIT };
	struct tfs_job cut = { .run = tfs_job_truncate, .fd = self->fd,
			       .pos = UNIT };

	START(&more, FUSE_GET_FMAP);
	PUSH();
	rules_release(srv);
	FINISH(&more, 0);
	EXPECT_TOLD(FAR);

	START(&grow, FUSE_GET_FMAP);
	PUSH();
	rules_release(srv);
	FINISH(&grow, 0);
	EXPECT_TOLD(40 * UNIT);

	START(&cut, FUSE_GET_FMAP);
	PUSH();
	rules_release(srv);
	FINISH(&cut, 0);
	EXPECT_TOLD(UNIT);
	EXPECT_EQ(1, tfs_maps(&self->env));
}

TEST_F(size_flush, G4_push_overtakes_what_a_reader_asks_for)
{
	char c = 0;
	struct iovec iov = { &c, 1 };
	struct tfs_job read = { .run = tfs_job_read, .fd = self->fd,
				.iov = &iov, .iovs = 1, .pos = FAR - 1 };

	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	START(&read, FUSE_GET_FMAP);
	PUSH();
	rules_release(&self->env.srv);
	FINISH(&read, 1);
	EXPECT_EQ('x', c);
	EXPECT_TOLD(FAR);
}

/* The reply is out of date, and what was pushed is not enough either. */
TEST_F(size_flush, G4_smaller_map_overtakes_what_a_writer_asks_for)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job more = { .run = tfs_job_fallocate, .fd = self->fd,
				.pos = 30 * UNIT };

	START(&more, FUSE_GET_FMAP);
	tfs_shrink(srv, self->file, FAR);
	PUSH();
	rules_release(srv);
	FINISH(&more, 0);
	EXPECT_LE(30, self->file->units);
	EXPECT_TOLD(FAR);
}

TEST_HARNESS_MAIN
