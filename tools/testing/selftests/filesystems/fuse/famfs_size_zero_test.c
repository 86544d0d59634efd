// SPDX-License-Identifier: GPL-2.0
/*
 * The size of a file that grows: what lies between the old end and the new one,
 * and what the server is told of it.
 *
 * What is easily wrong here: the rest of the last page, which a mapping shows
 * and nobody has zeroed; bytes that were stored behind the end and come to
 * light when the file grows; a gap that keeps everybody away until it is zeroed,
 * and its writer from being killed; a size that fsync() does not bring to the
 * server, or an older one that comes back with attributes.
 */
#include <sys/uio.h>

#include "tfs_growing.h"
#include "tfs_jobs.h"

#define PAGE	4096UL
#define UNITS	64
#define FAR	(20 * UNIT + 1234)
#define GAP	(18 * MiB)
#define LARGE	(160 * MiB)

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

FIXTURE(size_zero)
{
	struct tfs_env env;
	struct tfs_file *file;
	int dev;			/* for notifications past the server */
	int fd;				/* of "f", which is empty */
	char *map;			/* all that it can grow to */
};

FIXTURE_VARIANT(size_zero)
{
	bool pushes;
	__u32 ahead;
};

FIXTURE_VARIANT_ADD(size_zero, fetch) {};
FIXTURE_VARIANT_ADD(size_zero, push_ahead) { .pushes = true, .ahead = 40 };

FIXTURE_SETUP(size_zero)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, BASE + UNITS * UNIT));
	GROWING_INIT(UNITS);
	self->file->pushes = variant->pushes;
	self->file->ahead = variant->ahead;
	GROWING_MOUNT();
	self->map = mmap(NULL, UNITS * UNIT, PROT_READ | PROT_WRITE,
			 MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(size_zero)
{
	munmap(self->map, UNITS * UNIT);
	GROWING_TEARDOWN();
}

/* Are these bytes zero, in memory and, up to the file's end, by read()? */
static bool zeros(int fd, const char *map, off_t from, off_t to)
{
	for (; from < to; from++) {
		char c = 0;

		/* A page is there as a whole. */
		if (from % PAGE < 2 && load_byte(map + from))
			return false;
		if (map[from])
			return false;
		/* A few of each page are enough of the slow way. */
		if (from % 512 < 2 && pread(fd, &c, 1, from) >= 0 && c)
			return false;
	}
	return true;
}

#define EXPECT_ZEROS(from, to) EXPECT_TRUE(zeros(self->fd, self->map, from, to))

TEST_F(size_zero, G2_rest_of_the_last_page)
{
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, 99));
	EXPECT_SIZE(100);
	EXPECT_ZEROS(0, 99);
	EXPECT_ZEROS(100, PAGE);
	EXPECT_EQ(SIGBUS, load_byte(self->map + PAGE));
	ASSERT_EQ(1, pwrite(self->fd, "y", 1, FAR));
	EXPECT_ZEROS(100, FAR);
	EXPECT_ZEROS(FAR + 1, (FAR | (PAGE - 1)) + 1);
	EXPECT_EQ(SIGBUS, load_byte(self->map + (FAR | (PAGE - 1)) + 1));
}

/* A mapping can store behind the end; nobody is to see that later. */
static void store_behind(struct __test_metadata *const _metadata,
			 FIXTURE_DATA(size_zero) * self,
			 int (*extend)(int fd, off_t to))
{
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, 99));
	memset(self->map + 100, 'z', PAGE - 100);
	EXPECT_EQ(0, extend(self->fd, FAR));
	EXPECT_SIZE(FAR);
	EXPECT_ZEROS(100, FAR - 1);
	/* And with an end on the edge of a page, and of a unit. */
	EXPECT_EQ(0, ftruncate(self->fd, UNIT - 1));
	self->map[UNIT - 1] = 'z';
	EXPECT_EQ(0, extend(self->fd, UNIT));
	EXPECT_SIZE(UNIT);
	EXPECT_EQ(0, extend(self->fd, 2 * UNIT));
	EXPECT_ZEROS(UNIT, 2 * UNIT - 1);
}

static int by_write(int fd, off_t to)
{
	return pwrite(fd, "", 1, to - 1) == 1 ? 0 : -errno;
}

static int by_truncate(int fd, off_t to)
{
	return ftruncate(fd, to) ? -errno : 0;
}

static int by_fallocate(int fd, off_t to)
{
	return fallocate(fd, 0, 0, to) ? -errno : 0;
}

TEST_F(size_zero, G2_bytes_stored_behind_the_end_before_a_write)
{
	store_behind(_metadata, self, by_write);
}

TEST_F(size_zero, G2_bytes_stored_behind_the_end_before_truncate)
{
	store_behind(_metadata, self, by_truncate);
}

TEST_F(size_zero, G2_bytes_stored_behind_the_end_before_fallocate)
{
	store_behind(_metadata, self, by_fallocate);
}

/* What was cut off must not come back, however the file grows again. */
static void cut_and_extend(struct __test_metadata *const _metadata,
			   FIXTURE_DATA(size_zero) * self,
			   int (*extend)(int fd, off_t to))
{
	static const off_t cuts[] = { 5 * UNIT + 10, 5 * UNIT, PAGE + 1, 1, 0 };
	char *data = malloc(FAR);
	size_t i;

	ASSERT_NE(NULL, data);
	memset(data, 'd', FAR);
	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		ASSERT_EQ(FAR, pwrite(self->fd, data, FAR, 0));
		EXPECT_EQ(0, ftruncate(self->fd, cuts[i]));
		EXPECT_SIZE(cuts[i]);
		EXPECT_EQ(cuts[i], self->file->size);
		EXPECT_EQ(0, extend(self->fd, FAR));
		EXPECT_SIZE(FAR);
		EXPECT_EQ(0, memcmp(self->map, data, cuts[i]));
		EXPECT_ZEROS(cuts[i], FAR - 1);
	}
	free(data);
}

TEST_F(size_zero, G2_truncate_down_and_write)
{
	cut_and_extend(_metadata, self, by_write);
}

TEST_F(size_zero, G2_truncate_down_and_up)
{
	cut_and_extend(_metadata, self, by_truncate);
}

TEST_F(size_zero, G2_truncate_down_and_fallocate)
{
	cut_and_extend(_metadata, self, by_fallocate);
}

/* A file of its own, with more memory than is zeroed at once. */
static int open_large(FIXTURE_DATA(size_zero) * self)
{
	tfs_pool_init(&self->env.srv, 0, 16 * MiB, LARGE, 1);
	tfs_add_growing(&self->env.srv, "large", 1);
	return tfs_open(&self->env, "large", O_RDWR | O_DIRECT);
}

/* Is there this byte at the beginning of each MiB, and at the end? */
static bool all_bytes(int fd, char c, off_t len)
{
	off_t pos;
	char got;

	for (pos = 0; pos < len; pos += MiB)
		if (pread(fd, &got, 1, pos) != 1 || got != c)
			return false;
	return pread(fd, &got, 1, len - 1) == 1 && got == c;
}

/* Some memory is slow in a guest. */
TEST_F_TIMEOUT(size_zero, G2_gap_that_is_zeroed_in_steps, 120)
{
	static int (*const by[])(int fd, off_t to) = {
		by_write, by_truncate, by_fallocate,
	};
	struct iovec iov = { "z", 1 };
	int fd = open_large(self);
	off_t pos;
	size_t i;

	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(by); i++) {
		for (pos = 0; pos < GAP; pos += MiB)
			ASSERT_EQ(1, pwrite(fd, "z", 1, pos));
		ASSERT_EQ(1, pwrite(fd, "z", 1, GAP - 6));
		ASSERT_TRUE(all_bytes(fd, 'z', GAP - 5));
		ASSERT_EQ(0, ftruncate(fd, 0));
		/* It takes longer than such a writer wants to wait. */
		EXPECT_EQ(-1, pwritev2(fd, &iov, 1, GAP, RWF_NOWAIT));
		EXPECT_EQ(EAGAIN, errno);
		EXPECT_EQ(0, tfs_size_of(fd));
		EXPECT_EQ(0, by[i](fd, GAP));
		EXPECT_EQ(GAP, tfs_size_of(fd));
		EXPECT_TRUE(all_bytes(fd, 0, GAP - 5));
	}
	close(fd);
}

TEST_F_TIMEOUT(size_zero, G2_zeroing_can_be_killed, 120)
{
	int fd = open_large(self), status;
	off_t size = 0;
	pid_t pid;

	ASSERT_LE(0, fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(by_write(fd, LARGE) != 0);
	while (!size && !waitpid(pid, &status, WNOHANG))
		size = tfs_size_of(fd);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	size = tfs_size_of(fd);
	EXPECT_LT(0, size);
	EXPECT_GT(LARGE, size);
	/* What there is of it reaches the server as any size does. */
	EXPECT_EQ(0, fsync(fd));
	EXPECT_EQ(size, self->file[1].size);
	close(fd);
}

static int by_fsync(int fd)
{
	return fsync(fd);
}

static int by_fdatasync(int fd)
{
	return fdatasync(fd);
}

static int by_flush(int fd)
{
	return close(dup(fd));
}

static int by_o_sync(int fd)
{
	struct iovec iov = { "s", 1 };

	/* The last byte that is there already. */
	return pwritev2(fd, &iov, 1, FAR - 1, RWF_DSYNC) == 1 ? 0 : -1;
}

/* Each of them is a promise that the data, and so the size, is safe. */
TEST_F(size_zero, G3_server_learns_the_size)
{
	static int (*const ways[])(int fd) = {
		by_fsync, by_fdatasync, by_flush, by_o_sync,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		ASSERT_EQ(0, ftruncate(self->fd, 0));
		EXPECT_EQ(0, self->file->size);
		tfs_counts_reset(&self->env.srv);
		ASSERT_EQ(1, pwrite(self->fd, "x", 1, FAR - 1));
		EXPECT_COUNT(0, FUSE_SETATTR);
		EXPECT_EQ(0, self->file->size);
		EXPECT_EQ(0, ways[i](self->fd)) {
			TH_LOG("way %zu: %d", i, errno);
		}
		EXPECT_EQ(FAR, self->file->size) {
			TH_LOG("way %zu", i);
		}
		EXPECT_COUNT(1, FUSE_SETATTR);
		EXPECT_EQ(FATTR_SIZE, FATTR_SIZE &
			  self->env.srv.st->setattr_valid);
		/* Once it is known, it is not told again. */
		EXPECT_EQ(0, fsync(self->fd));
		EXPECT_COUNT(1, FUSE_SETATTR);
	}
}

/* A writer that is killed has closed its file. */
TEST_F(size_zero, G3_server_learns_the_size_when_the_writer_is_killed)
{
	int status, ready[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int fd = tfs_open(&self->env, "f", O_WRONLY);

		c = pwrite(fd, "x", 1, FAR - 1) == 1;
		if (write(ready[1], &c, 1) == 1)
			pause();
		_exit(1);
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	EXPECT_EQ(1, c);
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_SIZE(FAR);
	EXPECT_EQ(FAR, self->file->size);
	close(ready[0]);
	close(ready[1]);
}

TEST_F(size_zero, G3_older_size_of_the_server_is_not_believed)
{
	struct stat st;
	char path[128];
	__u64 size;

	snprintf(path, sizeof(path), "%s/f", self->env.dir);
	self->env.srv.st->valid = 0;
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, FAR - 1));
	EXPECT_EQ(0, self->file->size);
	self->file->mtime.tv_sec += 1000;
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(FAR, st.st_size);
	EXPECT_LT(0, tfs_count(&self->env.srv, FUSE_GETATTR) +
		  tfs_count(&self->env.srv, FUSE_LOOKUP));
	EXPECT_EQ(0, fchmod(self->fd, 0600));
	EXPECT_SIZE(FAR);
	close(ASSERT_OPEN("f", O_RDONLY));
	EXPECT_EQ(0, tfs_stat_size(&self->env, "f", &size));
	EXPECT_EQ(FAR, size);
	EXPECT_EQ(FAR, self->file->size);
	EXPECT_ZEROS(0, FAR - 1);
}

/* A map that comes meanwhile brings the server's size, which is older too. */
TEST_F(size_zero, G3_older_size_of_a_map_is_not_believed)
{
	const void *map;
	size_t len;

	ASSERT_EQ(1, pwrite(self->fd, "x", 1, FAR - 1));
	EXPECT_EQ(0, self->file->size);
	map = tfs_map_of(&self->env.srv, self->file, &len);
	EXPECT_EQ(0, tfs_push_to(self->dev, TFS_INO(0), 0, 0, 0, map,
				 len));
	EXPECT_SIZE(FAR);
	EXPECT_ZEROS(0, FAR - 1);
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(FAR, self->file->size);
	/* From then on it is the server's again. */
	self->file->size = PAGE;
	map = tfs_map_of(&self->env.srv, self->file, &len);
	EXPECT_EQ(0, tfs_push_to(self->dev, TFS_INO(0), 0, 0, 0, map,
				 len));
	EXPECT_SIZE(PAGE);
}

TEST_F(size_zero, G3_data_and_size_outlive_the_inode)
{
	char buf[4] = "";

	ASSERT_EQ(4, pwrite(self->fd, "kept", 4, FAR - 4));
	munmap(self->map, UNITS * UNIT);
	close(self->fd);
	ASSERT_EQ(0, tfs_evict(&self->env, 0));
	self->fd = ASSERT_OPEN("f", O_RDWR);
	self->map = mmap(NULL, UNITS * UNIT, PROT_READ | PROT_WRITE,
			 MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	EXPECT_SIZE(FAR);
	EXPECT_EQ(4, pread(self->fd, buf, 4, FAR - 4));
	EXPECT_EQ(0, memcmp(buf, "kept", 4));
	EXPECT_ZEROS(0, FAR - 4);
}

/* The last one that was told must not be an older one. */
TEST_F(size_zero, G3_truncate_after_writes)
{
	int i;

	for (i = 1; i < 20; i++) {
		ASSERT_EQ(1, pwrite(self->fd, "x", 1, FAR - 1 + i));
		ASSERT_EQ(0, ftruncate(self->fd, i * PAGE));
		EXPECT_EQ(i * PAGE, self->file->size);
		EXPECT_SIZE(i * PAGE);
	}
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(19 * PAGE, self->file->size);
}

TEST_HARNESS_MAIN
