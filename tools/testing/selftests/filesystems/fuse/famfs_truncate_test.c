// SPDX-License-Identifier: GPL-2.0
/*
 * Files that shrink: memory goes back to the server, who gives it to another
 * file at once.
 *
 * What is easily wrong here: a mapping, a write that is under way, or a pinned
 * page that still reaches memory when the server has it back; a map that is
 * kept although it names such memory; a truncate() that the server refuses and
 * that has cut the file all the same.
 */
#include "tfs_growing.h"
#include "tfs_jobs.h"

#define PAGE	4096UL
#define UNITS	96
#define LEN	(40 * UNIT)		/* huge pages are among it */
#define ROUNDS	15
#define STORERS	4

FIXTURE(truncate)
{
	struct tfs_env env;
	struct tfs_file *file, *heir;
	int dev;			/* for notifications past the server */
	int fd;				/* of "f", which is LEN long */
	char *map;
	struct iovec iov;		/* for a unit of it */
};

FIXTURE_VARIANT(truncate)
{
	bool pushes;
};

FIXTURE_VARIANT_ADD(truncate, fetch) {};
FIXTURE_VARIANT_ADD(truncate, push) { .pushes = true };

FIXTURE_SETUP(truncate)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_server *srv = &self->env.srv;

	if (why)
		SKIP(return, "%s", why);
	GROWING_INIT(UNITS);
	self->heir = &srv->st->files[tfs_add_growing(srv, "heir", 1)];
	self->file->pushes = variant->pushes;
	self->heir->pushes = variant->pushes;
	tfs_add_data(srv, "plain", "0123456789abcdef", 16);
	/* Huge pages need places of their size. */
	ASSERT_EQ(0, tfs_grow(srv, self->file, LEN));
	GROWING_MOUNT();
	ASSERT_EQ(0, fallocate(self->fd, 0, 0, LEN));
	self->map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->iov = (struct iovec) { self->map, UNIT };
	memset(self->map, 'f', LEN);
	ASSERT_EQ(0, fsync(self->fd));
	tfs_counts_reset(srv);
}

FIXTURE_TEARDOWN(truncate)
{
	munmap(self->map, LEN);
	GROWING_TEARDOWN();
}

/* Is the whole file, and its mapping, made of this byte? */
static bool filled(int fd, const char *map, char c, size_t len)
{
	static char buf[UNIT];
	size_t pos, i;

	for (pos = 0; pos < len; pos += UNIT) {
		size_t n = len - pos < UNIT ? len - pos : UNIT;

		if (pread(fd, buf, n, pos) != (ssize_t)n)
			return false;
		for (i = 0; i < n; i++)
			if (buf[i] != c || (map && map[pos + i] != c))
				return false;
	}
	return true;
}

/* Gives the other file what there is, and fills it; returns its descriptor. */
static int inherit(struct tfs_env *env, size_t len, char c)
{
	int fd = tfs_open(env, "heir", O_RDWR);
	char *buf = malloc(len);

	memset(buf, c, len);
	if (fd >= 0 && pwrite(fd, buf, len, 0) != (ssize_t)len) {
		close(fd);
		fd = -errno;
	}
	free(buf);
	return fd;
}

TEST_F(truncate, G5_faults_behind_the_new_end)
{
	const off_t ends[] = { LEN - 1, LEN - PAGE, PMD + 5 * PAGE, PMD, PAGE,
			       1, 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		off_t end = (ends[i] + PAGE - 1) & ~(PAGE - 1);

		store_byte(self->map, 'f');
		store_byte(self->map + PMD, 'f');
		EXPECT_EQ(0, ftruncate(self->fd, ends[i]));
		EXPECT_SIZE(ends[i]);
		EXPECT_EQ(ends[i], self->file->size);
		EXPECT_EQ((ends[i] + UNIT - 1) / UNIT ?: 1, self->file->units);
		EXPECT_TRUE(filled(self->fd, self->map, 'f', ends[i]));
		if (end < (off_t)LEN)
			EXPECT_EQ(SIGBUS, load_byte(self->map + end));
		EXPECT_EQ(ends[i] == LEN - 1 ? 0 : SIGBUS,
			  store_byte(self->map + LEN - 2, 'f'));
	}
	/* Once for each, whatever was pushed. */
	EXPECT_COUNT(ARRAY_SIZE(ends), FUSE_GET_FMAP);
}

TEST_F(truncate, G5_memory_is_free_for_another_file)
{
	int heir;

	EXPECT_EQ(0, ftruncate(self->fd, UNIT));
	heir = inherit(&self->env, 80 * UNIT, 'h');
	ASSERT_LE(0, heir);
	EXPECT_TRUE(filled(heir, NULL, 'h', 80 * UNIT));
	EXPECT_EQ(SIGBUS, store_byte(self->map + UNIT, 'x'));
	EXPECT_EQ(UNIT / 2, pwrite(self->fd, self->map, UNIT / 2, UNIT / 2));
	EXPECT_TRUE(filled(self->fd, NULL, 'f', UNIT));
	EXPECT_TRUE(filled(heir, NULL, 'h', 80 * UNIT));
	close(heir);
}

static bool stop;

/* Stores all over the mapping; what is not there any more brings SIGBUS. */
static long store_all(struct tfs_job *job)
{
	char *map = job->iov->iov_base;
	unsigned long i, bus = 0;

	for (i = 0; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); i++)
		if (store_byte(map + i * 7919 % LEN, 's'))
			bus++;
	return bus;
}

/* The same by write(), which puts back what has been cut off. */
static long write_all(struct tfs_job *job)
{
	char buf[3 * PAGE];
	unsigned long i;

	memset(buf, 'w', sizeof(buf));
	for (i = 0; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); i++) {
		off_t pos = i * 7919 % (10 * UNIT);

		/* There is room, whatever truncate() takes away meanwhile. */
		if (pwrite(job->fd, buf, sizeof(buf), pos) < 0)
			return -errno;
	}
	return i;
}

/*
 * What the file gives back, another file fills at once.  Nothing of what the
 * first one's writers do may ever be found there.
 */
TEST_F_TIMEOUT(truncate, G5_memory_that_went_back_is_not_written, 120)
{
	struct iovec iov = { self->map, LEN };
	struct tfs_job job[STORERS + 1] = {};
	long bus = 0;
	int i, heir;

	for (i = 0; i <= STORERS; i++) {
		job[i].run = i < STORERS ? store_all : write_all;
		job[i].iov = &iov;
		job[i].fd = self->fd;
		ASSERT_EQ(0, tfs_job_start(&job[i]));
	}
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, ftruncate(self->fd, (i % 3) * 5 * UNIT + i));
		heir = inherit(&self->env, 50 * UNIT, 'h');
		ASSERT_LE(0, heir);
		usleep(5000);
		EXPECT_TRUE(filled(heir, NULL, 'h', 50 * UNIT)) {
			TH_LOG("round %d", i);
		}
		ASSERT_EQ(0, ftruncate(heir, 0));
		close(heir);
		ASSERT_EQ(0, ftruncate(self->fd, LEN));
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	for (i = 0; i <= STORERS; i++) {
		ASSERT_TRUE(tfs_job_done(&job[i], TFS_SOON));
		EXPECT_LT(0, job[i].result);
		bus += i < STORERS ? job[i].result : 0;
	}
	TH_LOG("%d rounds, %ld writes, SIGBUS %ld times", ROUNDS,
	       job[STORERS].result, bus);
}

/* By what the device itself shows, when nothing is mounted any more. */
TEST_F(truncate, G5_device_holds_what_the_heir_wrote)
{
	struct tfs_server *srv = &self->env.srv;
	__u64 place[50];
	char *raw;
	int heir, i;

	EXPECT_EQ(0, ftruncate(self->fd, UNIT));
	heir = inherit(&self->env, 50 * UNIT, 'h');
	ASSERT_LE(0, heir);
	for (i = 0; i < 40; i++)
		store_byte(self->map + i * UNIT, 'x');
	for (i = 0; i < 50; i++)
		place[i] = tfs_place(srv, self->heir, i * UNIT);
	EXPECT_EQ(0, fsync(heir));
	close(heir);
	munmap(self->map, LEN);
	close(self->fd);
	ASSERT_EQ(0, tfs_umount(&self->env));
	raw = tfs_raw_map(&self->env.devs[0], BASE + UNITS * UNIT);
	ASSERT_NE(NULL, raw);
	for (i = 0; i < 50; i++) {
		EXPECT_EQ('h', raw[place[i]]);
		EXPECT_EQ('h', raw[place[i] + UNIT - 1]);
	}
	EXPECT_EQ(0, tfs_raw_unmap(&self->env.devs[0], raw,
				   BASE + UNITS * UNIT));
	ASSERT_EQ(0, tfs_remount(&self->env));
	tfs_pool_init(srv, 0, BASE, UNIT, UNITS);
	tfs_add_growing(srv, "f", 1);
	self->fd = ASSERT_OPEN("f", O_RDWR);
	self->map = mmap(NULL, LEN, PROT_READ, MAP_SHARED, self->fd, 0);
}

TEST_F(truncate, G5_truncate_waits_for_pinned_pages)
{
	struct tfs_job cut = { .run = tfs_job_truncate, .fd = self->fd,
			       .pos = PAGE };
	char buf[PAGE];
	int pipes[2];

	ASSERT_EQ(0, tfs_pin(pipes, self->map + PMD + PAGE));
	/* Not those that stay. */
	EXPECT_EQ(0, ftruncate(self->fd, PMD + 2 * PMD / 2));
	ASSERT_EQ(0, tfs_job_start(&cut));
	EXPECT_FALSE(tfs_job_done(&cut, 300));
	/* Until it is through, the server has nothing back. */
	EXPECT_LT(PMD, self->file->size);
	ASSERT_EQ(PAGE, read(pipes[0], buf, PAGE));
	EXPECT_EQ('f', buf[0]);
	tfs_unpin(pipes);
	ASSERT_TRUE(tfs_job_done(&cut, TFS_SOON));
	EXPECT_EQ(0, cut.result);
	EXPECT_SIZE(PAGE);
	EXPECT_EQ(PAGE, self->file->size);
	EXPECT_TRUE(filled(self->fd, self->map, 'f', PAGE));
}

TEST_F(truncate, G5_truncate_that_waits_can_be_killed)
{
	int pipes[2], status;
	pid_t pid;

	ASSERT_EQ(0, tfs_pin(pipes, self->map + PMD + PAGE));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Its own copies would keep the page. */
		tfs_unpin(pipes);
		_exit(ftruncate(self->fd, 0) != 0);
	}
	usleep(200000);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	tfs_unpin(pipes);
	/* Nothing has been cut off. */
	EXPECT_SIZE(LEN);
	EXPECT_EQ(LEN, self->file->size);
	EXPECT_TRUE(filled(self->fd, self->map, 'f', LEN));
	/* And what is written from now on is told. */
	EXPECT_EQ(1, pwrite(self->fd, "f", 1, LEN));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(LEN + 1, self->file->size);
}

/* Whatever had been done for it has to be undone. */
TEST_F(truncate, G5_truncate_that_the_server_refuses)
{
	rule_fail(&self->env.srv, FUSE_SETATTR, TFS_ANY, -EACCES, 2);
	EXPECT_ERRNO(EACCES, ftruncate(self->fd, UNIT + 5));
	EXPECT_SIZE(LEN);
	EXPECT_TRUE(filled(self->fd, self->map, 'f', LEN));
	EXPECT_ERRNO(EACCES, ftruncate(self->fd, 50 * UNIT));
	EXPECT_SIZE(LEN);
	/* No memory for it: the server's word as well. */
	EXPECT_ERRNO(ENOSPC, ftruncate(self->fd, 2 * UNITS * UNIT));
	EXPECT_SIZE(LEN);
	EXPECT_EQ(0, ftruncate(self->fd, UNIT + 5));
	EXPECT_SIZE(UNIT + 5);
	EXPECT_TRUE(filled(self->fd, self->map, 'f', UNIT + 5));
}

/* The map from before names memory that is not the file's any more. */
TEST_F(truncate, G5_map_cannot_be_had_after_truncate)
{
	int heir;
	char c;

	self->file->pushes = false;
	rule_fail(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, -EIO, 1);
	EXPECT_EQ(0, ftruncate(self->fd, UNIT + 5));
	EXPECT_SIZE(UNIT + 5);
	heir = inherit(&self->env, 70 * UNIT, 'h');
	ASSERT_LE(0, heir);
	EXPECT_EQ(1, pread(self->fd, &c, 1, UNIT));
	EXPECT_TRUE(filled(self->fd, self->map, 'f', UNIT + 5));
	EXPECT_EQ(1, pwrite(self->fd, "x", 1, 3 * UNIT));
	EXPECT_TRUE(filled(heir, NULL, 'h', 70 * UNIT));
	close(heir);
}

/* A writer who has been given memory has the map kept from it by truncate(). */
static void write_and_cut(struct __test_metadata *const _metadata,
			  FIXTURE_DATA(truncate) * self,
			  struct tfs_job *write, struct tfs_job *cut)
{
	struct tfs_server *srv = &self->env.srv;

	*write = (struct tfs_job) { .run = tfs_job_write, .fd = self->fd,
				    .iov = &self->iov, .iovs = 1, .pos = LEN };
	*cut = (struct tfs_job) { .run = tfs_job_truncate, .fd = self->fd,
				  .pos = UNIT };
	self->file->pushes = false;
	rule_hold(srv, FUSE_GET_FMAP, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(write));
	ASSERT_EQ(0, tfs_wait_held(srv, 1));
	/* So that truncate() has nothing else to say. */
	EXPECT_EQ(0, fsync(self->fd));
	rule_hold(srv, FUSE_SETATTR, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(cut));
	ASSERT_EQ(0, tfs_wait_held(srv, 2));
}

/*
 * Another task is given a map from before, while truncate() waits for the
 * server: that there is a new map does not mean that it is the right one.
 */
TEST_F(truncate, G5_older_map_comes_while_truncate_waits)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job write, cut;
	int heir;

	write_and_cut(_metadata, self, &write, &cut);
	rules_release_op(srv, FUSE_GET_FMAP);
	ASSERT_EQ(0, tfs_wait_held(srv, 1));
	usleep(100000);
	rule_fail(srv, FUSE_FALLOCATE, TFS_ANY, -ENOSPC, -1);
	rules_release(srv);
	ASSERT_TRUE(tfs_job_done(&cut, TFS_SOON) &&
		    tfs_job_done(&write, TFS_SOON));
	EXPECT_EQ(0, cut.result);
	EXPECT_EQ(1, self->file->units);
	/* Now the server gives no more memory, so there is none. */
	EXPECT_EQ(-ENOSPC, write.result);
	rules_clear(srv);
	heir = inherit(&self->env, 70 * UNIT, 'h');
	EXPECT_LE(0, heir);
	EXPECT_TRUE(filled(heir, NULL, 'h', 70 * UNIT));
	EXPECT_TRUE(filled(self->fd, NULL, 'f', UNIT));
	close(heir);
}

/*
 * The server has truncated the file, but its reply is still on the way when
 * the writer gets a map without the new memory: there is room for all that.
 */
TEST_F(truncate, G5_shorter_map_comes_while_truncate_waits)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job write, cut;

	write_and_cut(_metadata, self, &write, &cut);
	self->file->size = UNIT;
	tfs_shrink(srv, self->file, UNIT);
	rules_release_op(srv, FUSE_GET_FMAP);
	EXPECT_FALSE(tfs_job_done(&write, 200));
	rules_release(srv);
	ASSERT_TRUE(tfs_job_done(&cut, TFS_SOON) &&
		    tfs_job_done(&write, TFS_SOON));
	EXPECT_EQ(0, cut.result);
	EXPECT_EQ(UNIT, write.result);
	EXPECT_SIZE(LEN + UNIT);
}

TEST_F(truncate, M6_revoked_map_of_a_file_that_has_grown)
{
	char buf[4] = "";

	ASSERT_EQ(4, pwrite(self->fd, "more", 4, LEN + UNIT));
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	EXPECT_SIZE(LEN + UNIT + 4);
	EXPECT_EQ(SIGBUS, load_byte(self->map));
	EXPECT_EQ(4, pread(self->fd, buf, 4, LEN + UNIT));
	EXPECT_EQ(0, memcmp(buf, "more", 4));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(LEN + UNIT + 4, self->file->size);
	/* And once more before a write that needs more. */
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	EXPECT_EQ(4, pwrite(self->fd, "most", 4, LEN + 5 * UNIT));
	EXPECT_SIZE(LEN + 5 * UNIT + 4);
	EXPECT_TRUE(filled(self->fd, self->map, 'f', LEN));
}

TEST_HARNESS_MAIN
