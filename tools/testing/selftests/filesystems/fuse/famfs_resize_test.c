// SPDX-License-Identifier: GPL-2.0
/*
 * In which order a file is truncated here and at the server, and what is left
 * when that stops in the middle.
 *
 * What was wrong here: the server was told a larger size before the memory was
 * zeroed; a map that was pushed before the server had seen truncate() counted
 * as its answer; truncate() waited for pages to be unmapped, and for pages that
 * the file keeps; a connection that died brought the old end back; private
 * copies behind the end came back with it; a server that was busy, or a device,
 * made truncate() by name one of an ordinary file, which zeroes nothing.
 */
#include <sys/resource.h>

#include "tfs_growing.h"
#include "tfs_jobs.h"

#define PAGE	4096UL
#define UNITS	96
#define LEN	(20 * UNIT)

FIXTURE(resize)
{
	struct tfs_env env;
	struct tfs_file *file;
	int dev;			/* for notifications past the server */
	int fd;				/* of "f", LEN long, as is known */
	char *map;
	char path[128];
};

FIXTURE_SETUP(resize)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_server *srv = &self->env.srv;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, BASE + UNITS * UNIT));
	GROWING_INIT(UNITS);
	tfs_add_growing(srv, "heir", 1);
	GROWING_MOUNT();
	snprintf(self->path, sizeof(self->path), "%s/f", self->env.dir);
	ASSERT_EQ(0, ftruncate(self->fd, LEN));
	self->map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	memset(self->map, 'd', LEN);
	ASSERT_EQ(0, fsync(self->fd));
	tfs_counts_reset(srv);
}

FIXTURE_TEARDOWN(resize)
{
	munmap(self->map, LEN);
	GROWING_TEARDOWN();
}

#define TRUNCATE(size) { .run = tfs_job_truncate, .fd = self->fd, .pos = size }

/* What was cut off is another file's, and is not reached by this one. */
static void expect_gone(struct __test_metadata *const _metadata,
			FIXTURE_DATA(resize) * self)
{
	struct tfs_server *srv = &self->env.srv;
	static char buf[70 * UNIT];
	int heir = ASSERT_OPEN("heir", O_RDWR);

	EXPECT_EQ(1, self->file->units);
	memset(buf, 'h', sizeof(buf));
	EXPECT_EQ((ssize_t)sizeof(buf), pwrite(heir, buf, sizeof(buf), 0));
	rule_fail(srv, FUSE_FALLOCATE, TFS_INO(0), -ENOSPC, -1);
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, "x", 1, 5 * UNIT));
	EXPECT_EQ(SIGBUS, store_byte(self->map + UNIT, 'x'));
	memset(buf, 0, sizeof(buf));
	EXPECT_EQ((ssize_t)sizeof(buf), pread(heir, buf, sizeof(buf), 0));
	EXPECT_EQ(NULL, memchr(buf, 'x', sizeof(buf)));
	close(heir);
}

TEST_F(resize, G5_map_is_pushed_while_truncate_waits_for_a_pin)
{
	struct tfs_job cut = TRUNCATE(PAGE);
	int pipes[2];

	ASSERT_EQ(0, tfs_pin(pipes, self->map + 10 * UNIT));
	ASSERT_EQ(0, tfs_job_start(&cut));
	EXPECT_FALSE(tfs_job_done(&cut, 300));
	EXPECT_EQ(0, tfs_push_file(&self->env.srv, self->dev, self->file));
	tfs_unpin(pipes);
	EXPECT_EQ(0, tfs_job_result(&cut));
	EXPECT_COUNT(1, FUSE_GET_FMAP);
	expect_gone(_metadata, self);
}

TEST_F(resize, G5_map_is_pushed_before_the_server_reads_the_request)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job cut = TRUNCATE(PAGE);

	ASSERT_EQ(0, tfs_server_signal(srv, SIGSTOP));
	ASSERT_EQ(0, tfs_job_start(&cut));
	EXPECT_FALSE(tfs_job_done(&cut, 300));
	EXPECT_EQ(0, tfs_push_file(srv, self->dev, self->file));
	ASSERT_EQ(0, tfs_server_signal(srv, SIGCONT));
	EXPECT_EQ(0, tfs_job_result(&cut));
	expect_gone(_metadata, self);
}

/* The server pushes in its handler what was so before. */
TEST_F(resize, G5_map_is_pushed_by_a_server_that_truncates_later)
{
	struct tfs_server *srv = &self->env.srv;
	size_t len;
	const void *map = tfs_map_of(srv, self->file, &len);

	rule_push(srv, FUSE_SETATTR, 0, map, len, 1);
	EXPECT_EQ(0, ftruncate(self->fd, PAGE));
	EXPECT_EQ(0, srv->st->notify_errno);
	expect_gone(_metadata, self);
}

/* A page that is used again is mapped, and still it is not pinned any more. */
TEST_F(resize, G5_truncate_waits_for_the_pin_alone)
{
	struct tfs_job cut = TRUNCATE(PAGE);
	char *page = self->map + 10 * UNIT;
	int pipes[2];
	char c;

	ASSERT_EQ(0, tfs_pin(pipes, page));
	ASSERT_EQ(0, tfs_job_start(&cut));
	EXPECT_FALSE(tfs_job_done(&cut, 300));
	EXPECT_EQ(0, load_byte(page));
	tfs_unpin(pipes);
	load_byte(page);
	EXPECT_EQ(0, tfs_job_result(&cut));
	EXPECT_EQ(1, pread(self->fd, &c, 1, 0));
	EXPECT_EQ(SIGBUS, load_byte(page));
}

/* Although it would share a huge page with what goes, if there were any. */
TEST_F(resize, G5_truncate_does_not_wait_for_what_stays)
{
	struct tfs_job cut = TRUNCATE(10 * UNIT);
	int pipes[2];

	ASSERT_EQ(0, tfs_pin(pipes, self->map + 9 * UNIT));
	ASSERT_EQ(0, tfs_job_start(&cut));
	EXPECT_TRUE(tfs_job_done(&cut, 3000)) {
		tfs_unpin(pipes);
		tfs_job_result(&cut);
	}
	EXPECT_EQ(0, cut.result);
	EXPECT_SIZE(10 * UNIT);
	tfs_unpin(pipes);
}

/* The server may have the memory, or not: nobody can say. */
TEST_F(resize, G5_connection_dies_while_truncate_waits)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job cut = TRUNCATE(PAGE);
	char c;

	ASSERT_EQ(0, tfs_job_hold(&cut, srv, FUSE_SETATTR));
	ASSERT_EQ(0, tfs_server_signal(srv, SIGKILL));
	close(self->dev);
	self->dev = -1;
	EXPECT_EQ(-ECONNABORTED, tfs_job_result(&cut));
	EXPECT_EQ(PAGE, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, pread(self->fd, &c, 1, UNIT));
	EXPECT_EQ(SIGBUS, load_byte(self->map + UNIT));
	EXPECT_EQ(-1, pwrite(self->fd, "x", 1, UNIT));
	EXPECT_EQ(PAGE, lseek(self->fd, 0, SEEK_END));
	/* What is left of it needs no server. */
	EXPECT_EQ(1, pwrite(self->fd, "y", 1, PAGE - 1));
	EXPECT_EQ(0, load_byte(self->map));
}

/* By what the device shows: it is told when the connection dies. */
TEST_F(resize, G2_memory_is_zeroed_before_the_server_is_told)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job grow = TRUNCATE(40 * UNIT - 5);
	__u64 place[40];
	char *raw;
	int i;

	ASSERT_EQ(0, tfs_job_hold(&grow, srv, FUSE_SETATTR));
	EXPECT_SIZE(LEN);
	EXPECT_EQ(LEN, self->file->size);
	for (i = 0; i < 40; i++)
		place[i] = tfs_place(srv, self->file, i * UNIT);
	ASSERT_EQ(0, tfs_server_signal(srv, SIGKILL));
	close(self->dev);
	self->dev = -1;
	EXPECT_EQ(-ECONNABORTED, tfs_job_result(&grow));
	munmap(self->map, LEN);
	close(self->fd);
	ASSERT_EQ(0, tfs_umount(&self->env));
	raw = tfs_raw_map(&self->env.devs[0], BASE + UNITS * UNIT);
	ASSERT_NE(NULL, raw);
	for (i = LEN / UNIT; i < 40; i++) {
		ASSERT_NE(~0ULL, place[i]);
		EXPECT_EQ(0, raw[place[i]]);
		EXPECT_EQ(0, memcmp(raw + place[i], raw + place[i] + 1,
				    UNIT - 1));
	}
	EXPECT_EQ(0, tfs_raw_unmap(&self->env.devs[0], raw,
				   BASE + UNITS * UNIT));
	ASSERT_EQ(0, tfs_remount(&self->env));
	tfs_pool_init(srv, 0, BASE, UNIT, UNITS);
	tfs_add_growing(srv, "f", 1);
	self->fd = ASSERT_OPEN("f", O_RDWR);
	self->map = mmap(NULL, LEN, PROT_READ, MAP_SHARED, self->fd, 0);
}

/* No memory, no size: neither here nor there. */
TEST_F(resize, G2_truncate_without_memory)
{
	struct tfs_server *srv = &self->env.srv;

	rule_fail(srv, FUSE_FALLOCATE, TFS_ANY, -ENOSPC, -1);
	EXPECT_ERRNO(ENOSPC, ftruncate(self->fd, 40 * UNIT));
	EXPECT_ERRNO(ENOSPC, truncate(self->path, 40 * UNIT));
	EXPECT_COUNT(0, FUSE_SETATTR);
	EXPECT_SIZE(LEN);
	EXPECT_EQ(LEN, self->file->size);
	EXPECT_NO_HANDLES_BUT(1);
}

/* The server gets a handle to give memory by, and has it back. */
TEST_F(resize, G1_truncate_by_name)
{
	EXPECT_EQ(0, truncate(self->path, 40 * UNIT));
	EXPECT_SIZE(40 * UNIT);
	EXPECT_EQ(40 * UNIT, self->file->size);
	EXPECT_OPENS(1);
	EXPECT_NO_HANDLES_BUT(1);
	EXPECT_TRUE(tfs_zeros(self->fd, LEN, 40 * UNIT));
	tfs_counts_reset(&self->env.srv);
	EXPECT_EQ(0, truncate(self->path, 39 * UNIT));
	EXPECT_OPENS(0);
}

/* The map changes while the server makes the file larger. */
TEST_F(resize, G2_memory_is_other_memory_when_the_server_replies)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job grow = TRUNCATE(40 * UNIT);
	__u16 unit[40];
	int i, heir = ASSERT_OPEN("heir", O_RDWR);

	ASSERT_EQ(0, tfs_job_hold(&grow, srv, FUSE_SETATTR));
	/* It moves what is behind the end, without its content. */
	for (i = LEN / UNIT; i < 40; i++) {
		unit[i] = self->file->unit[i];
		self->file->unit[i] = 50 + i;
		srv->st->pool.owner[50 + i] = 1;
	}
	EXPECT_EQ(0, tfs_push_file(srv, self->dev, self->file));
	for (i = LEN / UNIT; i < 40; i++)
		srv->st->pool.owner[unit[i]] = 0;
	rules_release(srv);
	EXPECT_EQ(0, tfs_job_result(&grow));
	EXPECT_SIZE(40 * UNIT);
	EXPECT_TRUE(tfs_zeros(self->fd, LEN, 40 * UNIT));
	close(heir);
}

TEST_F(resize, G5_private_copies_behind_the_end)
{
	char *copy = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  self->fd, 0);

	ASSERT_NE(MAP_FAILED, copy);
	copy[2 * PAGE] = 'p';
	copy[10] = 'p';
	EXPECT_EQ(0, ftruncate(self->fd, PAGE));
	EXPECT_EQ('p', copy[10]);
	EXPECT_EQ(SIGBUS, load_byte(copy + 2 * PAGE));
	EXPECT_EQ(0, ftruncate(self->fd, LEN));
	EXPECT_EQ(0, copy[2 * PAGE]);
	/* The server can make the file smaller as well. */
	copy[2 * PAGE] = 'p';
	self->file->size = PAGE;
	EXPECT_EQ(0, tfs_push_file(&self->env.srv, self->dev, self->file));
	EXPECT_EQ(SIGBUS, load_byte(copy + 2 * PAGE));
	munmap(copy, LEN);
}

TEST_F(resize, G1_truncate_to_the_same_size_gives_memory_back)
{
	EXPECT_EQ(0, fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, 40 * UNIT));
	EXPECT_EQ(40, self->file->units);
	EXPECT_EQ(0, ftruncate(self->fd, LEN));
	EXPECT_EQ(LEN / UNIT, self->file->units);
	EXPECT_SIZE(LEN);
	EXPECT_EQ('d', self->map[LEN - 1]);
}

/* From nothing to something, and back. */
TEST_F(resize, M10_empty_file_needs_no_memory)
{
	struct tfs_server *srv = &self->env.srv;
	int fd;

	srv->st->pool.empty = true;
	EXPECT_EQ(0, ftruncate(self->fd, 0));
	EXPECT_EQ(0, self->file->units);
	EXPECT_EQ(1, tfs_maps(&self->env));
	EXPECT_EQ(SIGBUS, load_byte(self->map));
	EXPECT_EQ(5, pwrite(self->fd, "hello", 5, 2 * UNIT));
	EXPECT_EQ(3, self->file->units);
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(2 * UNIT + 5, self->file->size);
	EXPECT_TRUE(tfs_zeros(self->fd, 0, 2 * UNIT));
	EXPECT_EQ('h', self->map[2 * UNIT]);
	/* A second opener truncates it. */
	fd = ASSERT_OPEN("f", O_WRONLY | O_TRUNC);
	EXPECT_EQ(0, self->file->units);
	EXPECT_EQ(0, truncate(self->path, UNIT));
	EXPECT_EQ(1, self->file->units);
	EXPECT_EQ(0, self->map[0]);
	close(fd);
}

/* Memory that is not part of the file is not limited. */
TEST_F(resize, G1_size_limit_does_not_limit_memory)
{
	const struct rlimit limit = { LEN, LEN };

	signal(SIGXFSZ, SIG_IGN);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	EXPECT_EQ(0, fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, 40 * UNIT));
	EXPECT_ERRNO(EFBIG, fallocate(self->fd, 0, 0, LEN + 1));
	EXPECT_EQ(0, fallocate(self->fd, 0, 0, LEN));
	EXPECT_SIZE(LEN);
}

/* Of a file that nobody has open, and that has been forgotten. */
TEST_F(resize, F3_busy_server_fails_truncate_by_name)
{
	struct tfs_server *srv = &self->env.srv;
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/heir", self->env.dir);
	ASSERT_EQ(0, stat(path, &st));
	rule_fail(srv, FUSE_GET_FMAP, TFS_ANY, -EBUSY, 1);
	EXPECT_ERRNO(EBUSY, truncate(path, st.st_size + LEN));
	rule_fail(srv, FUSE_GET_DAXDEV, TFS_ANY, -EBUSY, 1);
	EXPECT_EQ(0, truncate(path, st.st_size + LEN));
	EXPECT_COUNT(1, FUSE_SETATTR);
}

TEST_HARNESS_MAIN
