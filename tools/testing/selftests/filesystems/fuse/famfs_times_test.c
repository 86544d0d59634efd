// SPDX-License-Identifier: GPL-2.0
/*
 * Times and privileges of mapped files, which the kernel keeps by itself: the
 * server sees no write.
 *
 * What is easily wrong here: times that the server reports replace those that
 * it has not been told of yet; times of a fault after the last close are lost;
 * privileges stay, because the server has offered to take them away.
 */
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(64 * 1024UL)

FIXTURE(times)
{
	struct tfs_env env;
};

FIXTURE_SETUP(times)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
}

FIXTURE_TEARDOWN(times)
{
	TFS_TEARDOWN();
}

static bool later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec :
					a->tv_nsec > b->tv_nsec;
}

/* The server is asked for attributes before it has been told of the write. */
TEST_F(times, I2_unsent_times_are_not_overwritten)
{
	struct stat before, after;
	int fd;

	self->env.srv.st->valid = 0;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	ASSERT_EQ(0, fstat(fd, &before));
	EXPECT_EQ(4, pwrite(fd, "time", 4, 0));
	tfs_counts_reset(&self->env.srv);
	ASSERT_EQ(0, fstat(fd, &after));
	EXPECT_COUNT(1, FUSE_GETATTR);
	EXPECT_TRUE(later(&after.st_mtim, &before.st_mtim));
	EXPECT_TRUE(later(&after.st_ctim, &before.st_ctim));
	close(fd);
}

/* The fault comes when the descriptor has long been flushed. */
TEST_F(times, I5_times_of_a_mapping_that_outlives_its_descriptor)
{
	char *map;
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	close(fd);
	EXPECT_COUNT(0, FUSE_SETATTR);
	map[0] = 1;
	munmap(map, PAGE);
	/* The inode is kept until the server has answered. */
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_EQ(FATTR_MTIME, self->env.srv.st->setattr_valid & FATTR_MTIME);
}

/* The server offers to do it, but sees no write. */
TEST_F(times, I2_write_strips_privileges_with_killpriv_v2)
{
	struct tfs_file *f = &self->env.srv.st->files[0];
	struct stat st;
	int fd;

	self->env.srv.st->want |= FUSE_HANDLE_KILLPRIV_V2;
	f->mode = S_IFREG | 06777;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_CHILD(setgid(65534) || setuid(65534) ||
		     pwrite(fd, "x", 1, 0) != 1);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0777, st.st_mode & 07777);
	EXPECT_EQ(0777, f->mode & 07777);
	close(fd);
}

/* New attributes might mean new privileges, of which writes do not ask. */
TEST_F(times, I1_no_request_after_new_attributes)
{
	struct stat st;
	char *map;
	int fd;

	self->env.srv.st->valid = 0;
	self->env.srv.st->xattrs = true;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_LT(0, tfs_count(&self->env.srv, FUSE_GETATTR));
	tfs_counts_reset(&self->env.srv);
	EXPECT_EQ(4, pwrite(fd, "attr", 4, 0));
	EXPECT_EQ('a', map[0]);
	map[0] = 'A';
	EXPECT_EQ(0, tfs_total(&self->env.srv));
	munmap(map, PAGE);
	close(fd);
}

TEST_HARNESS_MAIN
