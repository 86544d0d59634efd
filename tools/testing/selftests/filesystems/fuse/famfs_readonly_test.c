// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that the server may only read: whatever their users try, nothing is
 * written to them.
 *
 * What is easily wrong here: a mapping that was writable before the file moved
 * to such a device; one that becomes writable by mprotect(); a write that goes
 * past write(), by splice() or copy_file_range().
 */
#include <sys/sendfile.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(PMD + 4 * PAGE)

FIXTURE(readonly)
{
	struct tfs_env env;
	struct tfs_msg m;
	int dev;			/* /dev/fuse of the connection */
	int ids[2];			/* backing ids of the devices */
	int fd;				/* of "f", which is read-only */
};

static int push_by_id(FIXTURE_DATA(readonly) * self, int file,
		      const struct tfs_msg *m)
{
	struct tfs_msg by_id;
	int err;

	tfs_msg_by_id(&by_id, m, self->ids);
	err = tfs_push_map(self->dev, file, &by_id);
	tfs_msg_exit(&by_id);
	return err;
}

static void set_by_id(FIXTURE_DATA(readonly) * self, int file,
		      const struct tfs_msg *m)
{
	struct tfs_msg by_id;

	tfs_msg_by_id(&by_id, m, self->ids);
	tfs_set_map(&self->env.srv, file, by_id.buf, by_id.len);
	tfs_msg_exit(&by_id);
}

FIXTURE_SETUP(readonly)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, 4 * MiB));
	tfs_msg_simple(&self->m, SIZE, 0, 0, SIZE);
	tfs_add_mapped(&self->env, "f", &self->m);
	tfs_add_data(&self->env.srv, "plain", "0123456789", 10);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->ids[0] = tfs_dax_open_path(self->dev, self->env.devs[0].path,
					 O_RDONLY);
	ASSERT_LT(0, self->ids[0]);
	set_by_id(self, 0, &self->m);
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(readonly)
{
	/* It holds what it held. */
	EXPECT_EQ(0, tfs_check_all(self->fd, NULL, &self->m));
	close(self->fd);
	EXPECT_EQ(0, tfs_umount(&self->env));
	close(self->dev);
	tfs_msg_exit(&self->m);
	TFS_TEARDOWN();
}

TEST_F(readonly, D2_writes)
{
	int plain = ASSERT_OPEN("plain", O_RDONLY);
	loff_t in = 0, out = 0;
	int fds[2];

	EXPECT_ERRNO(EROFS, pwrite(self->fd, "x", 1, 0));
	EXPECT_ERRNO(EROFS, pwrite(self->fd, "x", 1, SIZE - 1));
	EXPECT_ERRNO(EROFS, sendfile(self->fd, plain, NULL, 10));
	EXPECT_GT(0, copy_file_range(plain, &in, self->fd, &out, 10, 0));
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(3, write(fds[1], "abc", 3));
	EXPECT_ERRNO(EROFS, splice(fds[0], NULL, self->fd, NULL, 3, 0));
	close(fds[0]);
	close(fds[1]);
	EXPECT_GT(0, fallocate(self->fd, 0, 0, SIZE));
	close(plain);
}

TEST_F(readonly, D2_mappings)
{
	char *map;

	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				   MAP_SHARED, self->fd, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIZE, PROT_WRITE, MAP_SHARED,
				   self->fd, 0));
	EXPECT_EQ(EACCES, errno);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, tfs_check_all(self->fd, map, &self->m));
	EXPECT_ERRNO(EACCES, mprotect(map, SIZE, PROT_READ | PROT_WRITE));
	munmap(map, SIZE);
	/* A private one writes to memory of its own. */
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, self->fd,
		   0);
	ASSERT_NE(MAP_FAILED, map);
	memset(map, 'p', SIZE);
	munmap(map, SIZE);
}

/* Nothing of it could be zeroed, so the server is not asked for more. */
TEST_F(readonly, D2_file_that_the_server_lets_grow)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_msg m;

	tfs_msg_simple(&m, SIZE, 0, 0, SIZE);
	tfs_msg_header(&m)->flags = FUSE_FMAP_GROW;
	ASSERT_EQ(0, push_by_id(self, 0, &m));
	tfs_counts_reset(srv);
	EXPECT_ERRNO(EPERM, ftruncate(self->fd, SIZE + 1));
	EXPECT_ERRNO(EPERM, ftruncate(self->fd, 10));
	EXPECT_ERRNO(EOPNOTSUPP, fallocate(self->fd, 0, 0, 2 * SIZE));
	EXPECT_ERRNO(EROFS, pwrite(self->fd, "x", 1, SIZE));
	EXPECT_OPEN_FAILS(EPERM, "f", O_RDWR | O_TRUNC);
	EXPECT_EQ(SIZE, tfs_size_of(self->fd));
	EXPECT_COUNT(0, FUSE_FALLOCATE);
	EXPECT_EQ(0, srv->st->setattr_valid & FATTR_SIZE);
	tfs_msg_exit(&m);
}

/* What the kernel writes for a process is refused like what this stores. */
TEST_F(readonly, D2_reads_into_a_mapping)
{
	int plain = ASSERT_OPEN("plain", O_RDONLY);
	char *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, load_byte(map));
	EXPECT_ERRNO(EFAULT, pread(plain, map, 10, 0));
	munmap(map, SIZE);
	close(plain);
}

/* The file comes to lie on such a device while it is mapped for writing. */
TEST_F(readonly, D2_mapping_from_before)
{
	struct tfs_dev *other = &self->env.devs[1];
	struct tfs_msg on_other;
	char *map;
	int fd;

	if (self->env.ndevs < 2)
		SKIP(return, "need two dax devices in FAMFS_DAXDEVS");
	if (!tfs_bound(other, "fsdev_dax"))
		ASSERT_EQ(0, tfs_bind(other, "fsdev_dax"));
	self->ids[1] = tfs_dax_open_path(self->dev, other->path, O_RDWR);
	ASSERT_LT(0, self->ids[1]);
	tfs_msg_simple(&on_other, SIZE, 1, 0, SIZE);
	/* The pages of the read-only device have to be free. */
	ASSERT_EQ(0, push_by_id(self, 0, &on_other));
	fd = ASSERT_OPEN("f", O_RDWR);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, store_byte(map, 'w'));
	EXPECT_EQ(0, store_byte(map + PMD, 'w'));
	EXPECT_EQ(0, push_by_id(self, 0, &self->m));
	EXPECT_EQ(SIGBUS, store_byte(map, 'x'));
	EXPECT_EQ(0, tfs_check_all(fd, map, &self->m));
	EXPECT_EQ(SIGBUS, store_byte(map + PAGE, 'x'));
	EXPECT_EQ(SIGBUS, store_byte(map + PMD, 'x'));
	EXPECT_ERRNO(EROFS, pwrite(fd, "x", 1, PMD));
	EXPECT_EQ(0, tfs_check_all(fd, map, &self->m));
	/* Back again, it can be written to. */
	EXPECT_EQ(0, push_by_id(self, 0, &on_other));
	EXPECT_EQ(0, store_byte(map, 'y'));
	EXPECT_EQ(1, pwrite(fd, "y", 1, 1));
	EXPECT_EQ(0, push_by_id(self, 0, &self->m));
	munmap(map, SIZE);
	close(fd);
	tfs_msg_exit(&on_other);
}

/* One extent on such a device is enough. */
TEST_F(readonly, D2_map_of_two_devices)
{
	struct tfs_dev *other = &self->env.devs[1];
	struct tfs_msg m;
	int fd;

	if (self->env.ndevs < 2)
		SKIP(return, "need two dax devices in FAMFS_DAXDEVS");
	if (!tfs_bound(other, "fsdev_dax"))
		ASSERT_EQ(0, tfs_bind(other, "fsdev_dax"));
	self->ids[1] = tfs_dax_open_path(self->dev, other->path, O_RDWR);
	ASSERT_LT(0, self->ids[1]);
	tfs_msg_init(&m, 2 * PAGE, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(&m, 1, 0, PAGE);
	tfs_msg_extent(&m, 0, 4 * MiB, PAGE);
	set_by_id(self, tfs_add_mapped(&self->env, "both", &m), &m);
	tfs_msg_exit(&m);
	fd = ASSERT_OPEN("both", O_RDWR);
	EXPECT_ERRNO(EROFS, pwrite(fd, "x", 1, PAGE));
	EXPECT_ERRNO(EROFS, pwrite(fd, "x", 1, 0));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0));
	EXPECT_EQ(EACCES, errno);
	close(fd);
}

/*
 * The pages that were stored to stay where they are, but the file has become
 * one that cannot be written to.
 */
TEST_F(readonly, D2_map_that_adds_such_a_device)
{
	struct tfs_dev *other = &self->env.devs[1];
	struct tfs_msg m;
	char *map;
	int fd;

	if (self->env.ndevs < 2)
		SKIP(return, "need two dax devices in FAMFS_DAXDEVS");
	if (!tfs_bound(other, "fsdev_dax"))
		ASSERT_EQ(0, tfs_bind(other, "fsdev_dax"));
	self->ids[1] = tfs_dax_open_path(self->dev, other->path, O_RDWR);
	ASSERT_LT(0, self->ids[1]);
	tfs_msg_simple(&m, PAGE, 1, 0, PAGE);
	set_by_id(self, tfs_add_mapped(&self->env, "more", &m), &m);
	tfs_msg_exit(&m);
	fd = ASSERT_OPEN("more", O_RDWR);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, store_byte(map, 'w'));
	tfs_msg_init(&m, 2 * PAGE, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(&m, 1, 0, PAGE);
	tfs_msg_extent(&m, 0, 4 * MiB, PAGE);
	EXPECT_EQ(0, push_by_id(self, 2, &m));
	EXPECT_EQ(SIGBUS, store_byte(map, 'x'));
	EXPECT_EQ(0, load_byte(map));
	EXPECT_EQ('w', map[0]);
	tfs_msg_exit(&m);
	munmap(map, PAGE);
	close(fd);
}

TEST_HARNESS_MAIN
