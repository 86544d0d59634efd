// SPDX-License-Identifier: GPL-2.0
/*
 * Every way in which a server, a user or the system makes FUSE drop or change
 * the page cache of a file, tried on a mapped file while it is mapped.
 *
 * A mapped file has no page cache that could be dropped: its entries are pages
 * of the device.  What is easily wrong here: entries that are deleted while
 * page tables still point to their pages, with a warning from DAX at once and
 * memory corruption later; page cache folios that hide device memory; a size
 * that follows the server's.
 */
#include <pthread.h>
#include <sys/time.h>

#include "tfs_test.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define PAGE	4096UL
/* A huge page, and small ones. */
#define SIZE	(PMD + 8 * PAGE + 100)
#define MAPLEN	(PMD + 16 * PAGE)
/* Never touched before the path is run. */
#define COLD	(PMD + 4 * PAGE)

FIXTURE(inval)
{
	struct tfs_env env;
	struct tfs_msg m;
	struct tfs_file *file;
	int fd;
	char *map;
	char *small;		/* the same by small pages */
};

FIXTURE_VARIANT(inval)
{
	__u64 flags;
	__u64 valid;
};

FIXTURE_VARIANT_ADD(inval, plain) { .valid = 3600 };
FIXTURE_VARIANT_ADD(inval, auto_inval) { .flags = FUSE_AUTO_INVAL_DATA };
FIXTURE_VARIANT_ADD(inval, writeback) { .flags = FUSE_WRITEBACK_CACHE };

FIXTURE_SETUP(inval)
{
	const char *why = tfs_env_init(&self->env, 1);
	int i;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, 3 * MiB));
	tfs_msg_simple(&self->m, SIZE, 0, 0, PMD + 9 * PAGE);
	i = tfs_add_mapped(&self->env, "f", &self->m);
	self->file = &self->env.srv.st->files[i];
	tfs_add_data(&self->env.srv, "plain", NULL, 0);
	self->env.srv.st->want |= variant->flags;
	self->env.srv.st->valid = variant->valid;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_GE(self->fd, 0);

	self->map = mmap(NULL, MAPLEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->small = mmap(NULL, MAPLEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			   self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->small);
	ASSERT_EQ(0, madvise(self->small, MAPLEN, MADV_NOHUGEPAGE));
	/* Dirty and clean entries, of both sizes. */
	tfs_dirty(self->map + 5);
	tfs_dirty(self->small + 3 * PAGE);
	ASSERT_EQ(8, tfs_mismatch(&self->m, PMD, self->small + PMD, 8));
	tfs_dirty(self->map + PMD + PAGE);
}

FIXTURE_TEARDOWN(inval)
{
	munmap(self->map, MAPLEN);
	munmap(self->small, MAPLEN);
	close(self->fd);
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_READ));
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_WRITE));
	EXPECT_EQ(0, tfs_umount(&self->env));
	tfs_msg_exit(&self->m);
	TFS_TEARDOWN();
}

/* Data, both mappings, writing through each of them, and the size. */
static int check(struct tfs_env *env, struct tfs_msg *m, char *map,
		 char *small, int fd)
{
	struct stat st;
	char c = 0;
	__u64 pos;

	if (tfs_warned(env))
		return 1;
	if (fstat(fd, &st) || st.st_size != (off_t)SIZE)
		return 2;
	if (tfs_check(fd, m) != SIZE)
		return 3;
	for (pos = 0; pos < SIZE; pos += PAGE) {
		if (tfs_mismatch(m, pos, map + pos, 16) != 16)
			return 4;
		if (tfs_mismatch(m, pos, small + pos, 16) != 16)
			return 5;
	}
	map[9] ^= 1;
	if (pread(fd, &c, 1, 9) != 1 || c != map[9] || c != small[9])
		return 6;
	c ^= 1;
	if (pwrite(fd, &c, 1, 9) != 1 || c != map[9] || c != small[9])
		return 7;
	small[COLD] ^= 1;
	if (pread(fd, &c, 1, COLD) != 1 || c != map[COLD])
		return 8;
	small[COLD] ^= 1;
	if (lseek(fd, 0, SEEK_END) != (off_t)SIZE)
		return 9;
	return tfs_warned(env);
}

#define CHECK() EXPECT_EQ(0, check(&self->env, &self->m, self->map,	\
				   self->small, self->fd))

TEST_F(inval, I8_open_with_and_without_keep_cache)
{
	static const __u32 flags[] = {
		0, FOPEN_KEEP_CACHE, FOPEN_DIRECT_IO,
		FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES, FOPEN_NOFLUSH,
	};
	char buf[16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		int fd;

		self->file->open_flags = flags[i];
		fd = ASSERT_OPEN("f", O_RDWR);
		EXPECT_EQ(16, pread(fd, buf, 16, 0));
		EXPECT_EQ(16, pwrite(fd, buf, 16, 0));
		CHECK();
		EXPECT_EQ(0, check(&self->env, &self->m, self->map,
				   self->small, fd));
		close(fd);
		close(ASSERT_OPEN("f", O_RDONLY));
		CHECK();
	}
}

TEST_F(inval, I8_create_of_the_existing_file)
{
	/* Unknown to the kernel, the server has it already. */
	struct fuse_notify_inval_entry_out out = {
		.parent = FUSE_ROOT_ID, .namelen = 1 };

	tfs_notify(&self->env.srv, FUSE_NOTIFY_INVAL_ENTRY, &out,
		   sizeof(out), "f", 2);
	self->file->exists = false;
	close(ASSERT_OPEN("f", O_CREAT | O_RDWR));
	EXPECT_COUNT(1, FUSE_CREATE);
	CHECK();
}

TEST_F(inval, I8_notify_inval_inode)
{
	struct fuse_notify_inval_inode_out out[] = {
		{ TFS_INO(0), 0, 0 }, { TFS_INO(0), 0, PAGE },
		{ TFS_INO(0), 3 * PAGE + 1, 2 * PAGE },
		{ TFS_INO(0), PMD, PMD }, { TFS_INO(0), -1, 0 },
		{ TFS_INO(0), SIZE + PMD, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(out); i++) {
		tfs_notify(&self->env.srv, FUSE_NOTIFY_INVAL_INODE, &out[i],
			   sizeof(out[i]), NULL, 0);
		CHECK();
	}
}

TEST_F(inval, I8_notify_store)
{
	struct fuse_notify_store_out out = { .nodeid = TFS_INO(0) };
	static const __u64 at[] = { 0, 100, 3 * PAGE, COLD, SIZE - 50, SIZE,
				    SIZE + PMD };
	char data[2 * PAGE];
	size_t i;

	memset(data, 0xee, sizeof(data));
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		out.offset = at[i];
		out.size = sizeof(data);
		/* Refused or ignored; the device's memory is not its to fill. */
		tfs_notify(&self->env.srv, FUSE_NOTIFY_STORE, &out,
			   sizeof(out), data, sizeof(data));
		CHECK();
	}
}

TEST_F(inval, I8_notify_retrieve)
{
	/* Over io_uring the kernel warns of a request without an ID. */
	struct fuse_notify_retrieve_out out = {
		.notify_unique = 1ULL << 62,
		.nodeid = TFS_INO(0), .size = 4 * PAGE };

	tfs_notify(&self->env.srv, FUSE_NOTIFY_RETRIEVE, &out, sizeof(out),
		   NULL, 0);
	out.offset = COLD;
	tfs_notify(&self->env.srv, FUSE_NOTIFY_RETRIEVE, &out, sizeof(out),
		   NULL, 0);
	CHECK();
}

TEST_F(inval, I8_notify_inval_entry_delete_and_prune)
{
	struct fuse_notify_inval_entry_out inval = {
		.parent = FUSE_ROOT_ID, .namelen = 1 };
	struct fuse_notify_delete_out gone = {
		.parent = FUSE_ROOT_ID, .child = TFS_INO(0), .namelen = 1 };
	struct fuse_notify_prune_out prune = { .count = 1 };
	__u64 ino = TFS_INO(0);

	tfs_notify(&self->env.srv, FUSE_NOTIFY_PRUNE, &prune, sizeof(prune),
		   &ino, sizeof(ino));
	CHECK();
	tfs_notify(&self->env.srv, FUSE_NOTIFY_INVAL_ENTRY, &inval,
		   sizeof(inval), "f", 2);
	CHECK();
	close(ASSERT_OPEN("f", O_RDWR));
	tfs_notify(&self->env.srv, FUSE_NOTIFY_DELETE, &gone, sizeof(gone),
		   "f", 2);
	CHECK();
}

TEST_F(inval, I8_changed_mtime)
{
	struct stat st;

	self->file->mtime.tv_sec += 1000;
	EXPECT_EQ(0, fstat(self->fd, &st));
	CHECK();
	self->file->mtime.tv_sec += 1000;
	close(ASSERT_OPEN("f", O_RDWR));
	CHECK();
}

TEST_F(inval, I8_changed_size)
{
	static const __u64 sizes[] = { 0, 1, PMD, SIZE - 1, SIZE + 1, 1 << 30 };
	__u64 size;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		self->file->size = sizes[i];
		self->file->mtime.tv_sec += 1000;
		EXPECT_EQ(0, tfs_stat_size(&self->env, "f", &size));
		EXPECT_EQ(SIZE, size);
		CHECK();
		close(ASSERT_OPEN("f", O_RDWR));
		CHECK();
	}
}

TEST_F(inval, I8_setattr_whose_reply_has_another_size)
{
	struct timeval tv[2] = { { .tv_sec = 1 }, { .tv_sec = 2 } };

	self->file->size = 1;
	EXPECT_EQ(0, fchmod(self->fd, 0640));
	CHECK();
	self->file->size = SIZE + PMD;
	EXPECT_EQ(0, fchown(self->fd, 1, 1));
	CHECK();
	self->file->size = 0;
	EXPECT_EQ(0, futimes(self->fd, tv));
	CHECK();
	EXPECT_LE(3, tfs_count(&self->env.srv, FUSE_SETATTR));
}

TEST_F(inval, I8_truncate_and_fallocate)
{
	EXPECT_ERRNO(EPERM, ftruncate(self->fd, 0));
	CHECK();
	EXPECT_ERRNO(EPERM, ftruncate(self->fd, SIZE + PMD));
	CHECK();
	EXPECT_OPEN_FAILS(EPERM, "f", O_WRONLY | O_TRUNC);
	CHECK();
	EXPECT_ERRNO(EOPNOTSUPP, fallocate(self->fd, 0, 0, SIZE + PMD));
	EXPECT_ERRNO(EOPNOTSUPP, madvise(self->map, PMD, MADV_REMOVE));
	CHECK();
}

TEST_F(inval, I8_drop_caches)
{
	int i;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, tfs_drop_caches());
		CHECK();
	}
	EXPECT_FETCHES(1);
}

/* Copies the file onto itself, so that it stays as it is. */
TEST_F(inval, I8_copy_file_range_into_it)
{
	loff_t in = 0, out = 0;
	char buf[2 * PAGE];
	int tmp = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	ASSERT_GE(tmp, 0);
	ASSERT_EQ(sizeof(buf), pread(self->fd, buf, sizeof(buf), 0));
	ASSERT_EQ(sizeof(buf), pwrite(tmp, buf, sizeof(buf), 0));
	errno = 0;
	copy_file_range(tmp, &in, self->fd, &out, sizeof(buf), 0);
	EXPECT_TRUE(!errno || errno == EXDEV);
	CHECK();
	in = 0;
	out = PMD;
	EXPECT_EQ(2 * PAGE, copy_file_range(self->fd, &in, self->fd, &out,
					    2 * PAGE, 0));
	pattern_fill(0, PMD, buf, 2 * PAGE);
	EXPECT_EQ(2 * PAGE, pwrite(self->fd, buf, 2 * PAGE, PMD));
	CHECK();
	close(tmp);
	EXPECT_COUNT(0, FUSE_COPY_FILE_RANGE);
	EXPECT_COUNT(0, FUSE_COPY_FILE_RANGE_64);
}

TEST_F(inval, I8_advice)
{
	static const int advice[] = {
		MADV_WILLNEED, MADV_SEQUENTIAL, MADV_RANDOM, MADV_NORMAL,
		MADV_COLD, MADV_PAGEOUT, MADV_COLLAPSE, MADV_FREE,
		MADV_DONTNEED, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
	};
	size_t i;
	int a;

	for (a = POSIX_FADV_NORMAL; a <= POSIX_FADV_NOREUSE; a++) {
		EXPECT_EQ(0, posix_fadvise(self->fd, 0, 0, a));
		CHECK();
	}
	EXPECT_EQ(0, readahead(self->fd, 0, SIZE));
	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		/* Whether taken or refused. */
		madvise(self->map, PMD, advice[i]);
		madvise(self->small, PMD, advice[i]);
		CHECK();
	}
}

struct racer {
	struct tfs_env *env;
	bool stop;
};

/* Looks, from many sides, at a file that becomes mapped meanwhile. */
static void *stat_and_notify(void *arg)
{
	struct fuse_notify_inval_inode_out inval = { .ino = TFS_INO(2) };
	struct fuse_notify_store_out store = {
		.nodeid = TFS_INO(2), .size = PAGE };
	struct racer *r = arg;
	char data[PAGE] = "";
	__u64 size;

	while (!__atomic_load_n(&r->stop, __ATOMIC_SEQ_CST)) {
		tfs_stat_size(r->env, "race", &size);
		tfs_notify(&r->env->srv, FUSE_NOTIFY_STORE, &store,
			   sizeof(store), data, sizeof(data));
		tfs_notify(&r->env->srv, FUSE_NOTIFY_INVAL_INODE, &inval,
			   sizeof(inval), NULL, 0);
	}
	return NULL;
}

TEST_F(inval, I8_first_opens_against_all_of_it)
{
	struct racer r = { .env = &self->env };
	pthread_t thread;
	char *map;
	int fd, i;

	i = tfs_add_simple(&self->env, "race", PMD, 0, 2 * PMD);
	ASSERT_EQ(2, i);
	/* Until the map is there, the server's word counts. */
	self->env.srv.st->files[i].size = PAGE;
	ASSERT_EQ(0, pthread_create(&thread, NULL, stat_and_notify, &r));
	for (i = 0; i < 20; i++) {
		fd = ASSERT_OPEN("race", O_RDWR);
		map = mmap(NULL, PMD, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   0);
		ASSERT_NE(MAP_FAILED, map);
		memset(map, 'a' + i, 2 * PAGE);
		map[PMD - 1] = 'z';
		usleep(1000);
		EXPECT_EQ('a' + i, map[0]);
		EXPECT_EQ('a' + i, map[2 * PAGE - 1]);
		munmap(map, PMD);
		close(fd);
		tfs_drop_caches();
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	CHECK();
}

TEST_F(inval, I8_unlink_and_the_last_close)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/f", self->env.dir);
	EXPECT_EQ(0, unlink(path));
	CHECK();
	EXPECT_EQ(0, tfs_drop_caches());
	CHECK();
}

TEST_HARNESS_MAIN
