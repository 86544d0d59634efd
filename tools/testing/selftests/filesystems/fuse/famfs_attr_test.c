// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes of mapped files: times, mode, a size that does not change, and
 * what statx() and FIEMAP tell.
 *
 * What is easily wrong here: a server that reports another size, or a truncate
 * that is let through, drops pages of the device that are still mapped and
 * makes every later access fail; times that never reach the server.
 */
#include <pthread.h>
#include <sys/ioctl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#include "tfs_test.h"

#define PAGE	4096UL
/* Ends in a page, beyond a huge page. */
#define SIZE	(2 * MiB + PAGE + 100)

FIXTURE(attr)
{
	struct tfs_env env;
	struct tfs_file *file;
};

FIXTURE_SETUP(attr)
{
	const char *why = tfs_env_init(&self->env, 1);
	int i;

	if (why)
		SKIP(return, "%s", why);
	i = tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	self->file = &self->env.srv.st->files[i];
	tfs_add_data(&self->env.srv, "plain", "server", 6);
}

FIXTURE_TEARDOWN(attr)
{
	TFS_TEARDOWN();
}

static bool later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec :
					a->tv_nsec > b->tv_nsec;
}

/* Writes once, by a mapping or not; the server must learn of it by sync. */
static void check_times(struct __test_metadata *const _metadata,
			struct tfs_env *env, bool mapping, bool sync)
{
	struct tfs_file *f = &env->srv.st->files[0];
	struct stat before, after;
	char *map;
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(env));
	fd = tfs_open(env, "f", O_RDWR);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fstat(fd, &before));
	if (mapping) {
		map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   0);
		ASSERT_NE(MAP_FAILED, map);
		map[0] = 1;
		munmap(map, PAGE);
	} else {
		EXPECT_EQ(4, pwrite(fd, "time", 4, 0));
	}
	ASSERT_EQ(0, fstat(fd, &after));
	EXPECT_TRUE(later(&after.st_mtim, &before.st_mtim));
	EXPECT_TRUE(later(&after.st_ctim, &before.st_ctim));
	EXPECT_EQ(0, tfs_count(&env->srv, FUSE_SETATTR));
	EXPECT_EQ(0, sync ? fsync(fd) : close(fd));
	EXPECT_EQ(FATTR_MTIME, env->srv.st->setattr_valid & FATTR_MTIME);
	EXPECT_EQ(after.st_mtim.tv_sec, f->mtime.tv_sec);
	EXPECT_EQ(after.st_mtim.tv_nsec, f->mtime.tv_nsec);
	if (sync)
		close(fd);
}

TEST_F(attr, I2_write_moves_times_that_fsync_sends)
{
	check_times(_metadata, &self->env, false, true);
}

TEST_F(attr, I2_write_moves_times_that_close_sends)
{
	check_times(_metadata, &self->env, false, false);
}

TEST_F(attr, I5_shared_write_fault_moves_times_that_fsync_sends)
{
	check_times(_metadata, &self->env, true, true);
}

TEST_F(attr, I5_shared_write_fault_moves_times_that_close_sends)
{
	check_times(_metadata, &self->env, true, false);
}

TEST_F(attr, I5_reading_and_private_mappings_leave_mtime_alone)
{
	struct stat before, after;
	char c, *map;
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	ASSERT_EQ(0, fstat(fd, &before));
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	memset(map, 1, SIZE);
	munmap(map, SIZE);
	EXPECT_EQ(1, pread(fd, &c, 1, 0));
	ASSERT_EQ(0, fstat(fd, &after));
	EXPECT_EQ(0, memcmp(&before.st_mtim, &after.st_mtim,
			    sizeof(before.st_mtim)));
	close(fd);
	EXPECT_COUNT(0, FUSE_SETATTR);
}

/* A user without CAP_FSETID takes setuid and setgid away by writing. */
TEST_F(attr, I2_write_strips_privileges)
{
	struct stat st;
	int fd;

	self->file->mode = S_IFREG | 06777;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_CHILD(setgid(65534) || setuid(65534) ||
		     pwrite(fd, "x", 1, 0) != 1);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0777, st.st_mode & 07777);
	EXPECT_EQ(0777, self->file->mode & 07777);
	close(fd);
}

struct worker {
	struct tfs_env *env;
	int fd;
	long result;
};

static void *open_file(void *arg)
{
	struct worker *w = arg;

	w->result = tfs_open(w->env, "f", O_WRONLY);
	return NULL;
}

static void *write_file(void *arg)
{
	struct worker *w = arg;

	w->result = pwrite(w->fd, "x", 1, 0);
	return NULL;
}

/* What an open has not been told yet must not be taken for "none". */
TEST_F(attr, I2_write_strips_privileges_while_an_open_asks_for_them)
{
	struct tfs_server *srv = &self->env.srv;
	struct fuse_getxattr_out caps = { .size = 20 };
	struct worker open = { .env = &self->env }, write = {};
	pthread_t opener, writer;

	srv->st->xattrs = true;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	ASSERT_EQ(0, rule_raw(srv, FUSE_GETXATTR, TFS_ANY, &caps,
			      sizeof(caps), 1));
	write.fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_COUNT(1, FUSE_GETXATTR);

	rule_hold(srv, FUSE_GETXATTR, TFS_ANY);
	rule_raw(srv, FUSE_GETXATTR, TFS_ANY, &caps, sizeof(caps), -1);
	rule_raw(srv, FUSE_REMOVEXATTR, TFS_ANY, NULL, 0, -1);
	ASSERT_EQ(0, pthread_create(&opener, NULL, open_file, &open));
	ASSERT_EQ(0, tfs_wait_held(srv, 1));
	ASSERT_EQ(0, pthread_create(&writer, NULL, write_file, &write));
	usleep(200000);
	rules_release(srv);
	pthread_join(opener, NULL);
	pthread_join(writer, NULL);
	EXPECT_EQ(1, write.result);
	EXPECT_LE(1, tfs_count(srv, FUSE_REMOVEXATTR));
	ASSERT_LE(0, open.result);
	close(open.result);
	close(write.fd);
}

/* The whole file is still there, by read(), write() and faults. */
static int use_file(int fd)
{
	char *map, c = 'q';
	off_t pos;

	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return 1;
	for (pos = 0; pos < (off_t)SIZE; pos += PAGE) {
		map[pos] = pos / PAGE;
		if (pread(fd, &c, 1, pos) != 1 || c != map[pos])
			return 2;
	}
	c = 'w';
	if (pwrite(fd, &c, 1, SIZE - 1) != 1 || map[SIZE - 1] != c)
		return 3;
	munmap(map, SIZE);
	return 0;
}

TEST_F(attr, I3_size_is_fixed)
{
	struct stat st;
	char path[128];
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_ERRNO(EPERM, ftruncate(fd, 0));
	EXPECT_ERRNO(EPERM, ftruncate(fd, SIZE - 1));
	EXPECT_ERRNO(EPERM, ftruncate(fd, SIZE + 1));
	snprintf(path, sizeof(path), "%s/f", self->env.dir);
	EXPECT_ERRNO(EPERM, truncate(path, PAGE));
	EXPECT_EQ(0, ftruncate(fd, SIZE));
	EXPECT_OPEN_FAILS(EPERM, "f", O_WRONLY | O_TRUNC);
	EXPECT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(SIZE, st.st_size);
	EXPECT_EQ(SIZE, self->file->size);
	EXPECT_EQ(0, use_file(fd));
	close(fd);
}

/* The VFS then truncates by itself after the open. */
TEST_F(attr, I3_size_is_fixed_without_atomic_o_trunc)
{
	self->env.srv.st->want &= ~FUSE_ATOMIC_O_TRUNC;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_OPEN_FAILS(EPERM, "f", O_WRONLY | O_TRUNC);
	EXPECT_EQ(SIZE, self->file->size);
	close(ASSERT_OPEN("f", O_RDWR));
}

/* Nothing is cut off; with these flags FUSE holds the inode lock meanwhile. */
TEST_F(attr, I3_truncating_open_of_an_empty_file)
{
	struct tfs_msg m;

	self->env.srv.st->want |= FUSE_WRITEBACK_CACHE;
	tfs_msg_simple(&m, 0, 0, 2 * PMD, PMD);
	tfs_add_mapped(&self->env, "empty", &m);
	tfs_msg_exit(&m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	close(ASSERT_OPEN("empty", O_RDWR | O_TRUNC));
	close(ASSERT_OPEN("empty", O_RDWR | O_TRUNC | O_CREAT));
	EXPECT_FETCHES(1);
}

TEST_F(attr, I3_fallocate_is_refused)
{
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_ERRNO(EOPNOTSUPP, fallocate(fd, 0, 0, PAGE));
	EXPECT_ERRNO(EOPNOTSUPP, fallocate(fd, 0, SIZE, PAGE));
	EXPECT_ERRNO(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE |
					   FALLOC_FL_KEEP_SIZE, 0, PAGE));
	EXPECT_ERRNO(EOPNOTSUPP, fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, PAGE));
	EXPECT_COUNT(0, FUSE_FALLOCATE);
	EXPECT_EQ(0, use_file(fd));
	close(fd);
}

TEST_F(attr, I3_size_is_the_maps_whatever_the_server_reports)
{
	static const __u64 sizes[] = { 0, PAGE, SIZE - 1, SIZE + 1, 1 << 30 };
	struct stat st;
	size_t i;
	int fd;

	self->env.srv.st->valid = 0;
	self->file->size = 17;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		self->file->size = sizes[i];
		EXPECT_EQ(0, fstat(fd, &st));
		EXPECT_EQ(SIZE, st.st_size);
		EXPECT_EQ(0, use_file(fd));
		/* Also by LOOKUP, by OPEN and by SETATTR's reply. */
		close(ASSERT_OPEN("f", O_RDWR));
		EXPECT_EQ(0, fchmod(fd, 0600 + i));
		EXPECT_EQ(SIZE, lseek(fd, 0, SEEK_END));
		EXPECT_EQ(0, use_file(fd));
	}
	EXPECT_LT(0, tfs_count(&self->env.srv, FUSE_GETATTR));
	close(fd);
}

static bool has_dax(int fd, struct __test_metadata *const _metadata)
{
	struct statx stx;

	EXPECT_EQ(0, statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx));
	return stx.stx_attributes & stx.stx_attributes_mask & STATX_ATTR_DAX;
}

TEST_F(attr, I7_statx_tells_dax_of_mapped_files)
{
	int mapped, plain;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	mapped = ASSERT_OPEN("f", O_RDONLY);
	plain = ASSERT_OPEN("plain", O_RDONLY);
	EXPECT_TRUE(has_dax(mapped, _metadata));
	EXPECT_FALSE(has_dax(plain, _metadata));
	close(mapped);
	close(plain);
}

#define EXTENTS	32

struct extents {
	struct fiemap h;
	struct fiemap_extent e[EXTENTS];
};

static int fiemap(int fd, struct extents *x, __u64 start, __u64 len, int room)
{
	memset(x, 0, sizeof(*x));
	x->h.fm_start = start;
	x->h.fm_length = len;
	x->h.fm_extent_count = room;
	return ioctl(fd, FS_IOC_FIEMAP, x);
}

TEST_F(attr, I7_fiemap_tells_the_map)
{
	struct tfs_msg m;
	struct extents x;
	__u64 pos = 0;
	__u32 i;
	int fd;

	tfs_msg_init(&m, 30 * PAGE, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_stripe(&m, 30 * PAGE, 2 * PAGE, 3);
	for (i = 0; i < 3; i++)
		tfs_msg_strip(&m, 0, (8 - 2 * i) * PMD, 10 * PAGE);
	tfs_add_mapped(&self->env, "striped", &m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("striped", O_RDONLY);
	ASSERT_EQ(0, fiemap(fd, &x, 0, FIEMAP_MAX_OFFSET, EXTENTS));
	EXPECT_EQ(15, x.h.fm_mapped_extents);
	for (i = 0; i < x.h.fm_mapped_extents; i++) {
		__u64 off = 0;
		__u32 dev;

		EXPECT_EQ(pos, x.e[i].fe_logical);
		EXPECT_EQ(2 * PAGE, x.e[i].fe_length);
		EXPECT_TRUE(tfs_resolve(&m, pos, &dev, &off));
		EXPECT_EQ(off, x.e[i].fe_physical);
		EXPECT_EQ(i == 14, !!(x.e[i].fe_flags & FIEMAP_EXTENT_LAST));
		pos += x.e[i].fe_length;
	}
	/* A range, and less room than there are extents. */
	ASSERT_EQ(0, fiemap(fd, &x, 5 * PAGE, 1, EXTENTS));
	EXPECT_EQ(1, x.h.fm_mapped_extents);
	EXPECT_LE(x.e[0].fe_logical, 5 * PAGE);
	ASSERT_EQ(0, fiemap(fd, &x, 0, FIEMAP_MAX_OFFSET, 2));
	EXPECT_EQ(2, x.h.fm_mapped_extents);
	close(fd);
	tfs_msg_exit(&m);
}

TEST_HARNESS_MAIN
