// SPDX-License-Identifier: GPL-2.0
/*
 * What maps call a device: indices of the server's own, which the kernel asks
 * for, and backing ids.
 *
 * What is easily wrong here: a number of one kind that is taken for one of the
 * other, which shows users other memory; a device that is taken for two because
 * it has two names, so that a page of it is in two files; one that changes
 * while maps use it, or keeps a name that it should have lost.
 */
#include "tfs_test.h"

#define SIZE	(64 * 1024UL)

FIXTURE(backing)
{
	struct tfs_env env;
	int dev;			/* /dev/fuse of the connection */
	int rw, ro;			/* the dax device */
};

FIXTURE_SETUP(backing)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	tfs_add_simple(&self->env, "g", SIZE, 1, 0);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->rw = open(self->env.devs[0].path, O_RDWR | O_CLOEXEC);
	self->ro = open(self->env.devs[0].path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->rw);
	ASSERT_LE(0, self->ro);
}

FIXTURE_TEARDOWN(backing)
{
	close(self->rw);
	close(self->ro);
	close(self->dev);
	EXPECT_EQ(0, tfs_umount(&self->env));
	TFS_TEARDOWN();
}

TEST_F(backing, D4_same_device_has_the_same_id)
{
	int id = tfs_dax_open(self->dev, self->rw);

	ASSERT_LT(0, id);
	EXPECT_EQ(id, tfs_dax_open(self->dev, self->rw));
	/* What may be written to must not become read-only, nor reverse. */
	EXPECT_EQ(-EBUSY, tfs_dax_open(self->dev, self->ro));
	EXPECT_EQ(0, tfs_dax_close(self->dev, id));
	EXPECT_EQ(-ENOENT, tfs_dax_close(self->dev, id));
	id = tfs_dax_open(self->dev, self->ro);
	EXPECT_LT(0, id);
	EXPECT_EQ(-EBUSY, tfs_dax_open(self->dev, self->rw));
	EXPECT_EQ(id, tfs_dax_open(self->dev, self->ro));
	/* Nor by the other way to name it. */
	EXPECT_EQ(-EBUSY, tfs_try_open(&self->env, "f", O_RDWR));
}

/* No page of it is in two files, whatever these call it. */
TEST_F(backing, D4_device_with_an_index_and_an_id)
{
	int id;

	EXPECT_EQ(0, tfs_try_open(&self->env, "f", O_RDWR));
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
	EXPECT_EQ(-EBUSY, tfs_dax_open(self->dev, self->ro));
	id = tfs_dax_open(self->dev, self->rw);
	ASSERT_LT(0, id);
	tfs_set_id(&self->env.srv, 1, id, 0, SIZE);
	EXPECT_EQ(-EEXIST, tfs_try_open(&self->env, "g", O_RDWR));
	tfs_set_id(&self->env.srv, 1, id, PMD, SIZE);
	EXPECT_EQ(0, tfs_try_open(&self->env, "g", O_RDWR));
	/* The same file by the other name: nothing moves. */
	EXPECT_EQ(0, tfs_push_id(self->dev, 0, id, 0, SIZE));
	EXPECT_EQ(-EBUSY, tfs_dax_close(self->dev, id));
	ASSERT_EQ(0, tfs_evict(&self->env, 0));
	/* Given back, it has neither name any more. */
	EXPECT_EQ(0, tfs_dax_close(self->dev, id));
	EXPECT_EQ(-ENODEV, tfs_try_open(&self->env, "g", O_RDWR));
	EXPECT_EQ(0, tfs_try_open(&self->env, "f", O_RDWR));
	EXPECT_COUNT(2, FUSE_GET_DAXDEV);
}

/* Who took one for the other would show users other memory. */
TEST_F(backing, D4_index_and_id_of_one_number_are_two_devices)
{
	int id = tfs_dax_open(self->dev, self->rw);
	int f, g, other;
	char c[2];

	if (self->env.ndevs < 2)
		SKIP(return, "need two dax devices in FAMFS_DAXDEVS");
	ASSERT_EQ(1, id);
	if (!tfs_bound(&self->env.devs[1], "fsdev_dax"))
		ASSERT_EQ(0, tfs_bind(&self->env.devs[1], "fsdev_dax"));
	tfs_set_id(&self->env.srv, 0, 1, 0, SIZE);
	/* "g" has index 1. */
	f = ASSERT_OPEN("f", O_RDWR);
	g = ASSERT_OPEN("g", O_RDWR);
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
	EXPECT_EQ(1, pwrite(f, "f", 1, 0));
	EXPECT_EQ(1, pwrite(g, "g", 1, 0));
	EXPECT_EQ(1, pread(f, &c[0], 1, 0));
	EXPECT_EQ(1, pread(g, &c[1], 1, 0));
	EXPECT_EQ('f', c[0]);
	EXPECT_EQ('g', c[1]);
	/* The id of the other is another number. */
	other = tfs_dax_open_path(self->dev, self->env.devs[1].path, O_RDWR);
	EXPECT_EQ(2, other);
	EXPECT_EQ(-EEXIST, tfs_push_id(self->dev, 0, other, 0, SIZE));
	close(f);
	close(g);
}

/* With one device: a name of one kind says nothing of the other kind. */
TEST_F(backing, D4_index_is_no_id_and_id_no_index)
{
	int id;

	EXPECT_EQ(0, tfs_try_open(&self->env, "f", O_RDWR));
	EXPECT_EQ(-ENODEV, tfs_push_id(self->dev, 0, 0, 0, SIZE));
	id = tfs_dax_open(self->dev, self->rw);
	ASSERT_EQ(1, id);
	/* "g" has index 1, of which the server says what it likes. */
	rule_fail(&self->env.srv, FUSE_GET_DAXDEV, 1, -ENXIO, 1);
	EXPECT_EQ(-ENXIO, tfs_try_open(&self->env, "g", O_RDWR));
	EXPECT_COUNT(2, FUSE_GET_DAXDEV);
	EXPECT_EQ(-ENODEV, tfs_push_id(self->dev, 0, 0, 0, SIZE));
	EXPECT_EQ(0, tfs_push_id(self->dev, 0, 1, 0, SIZE));
}

TEST_F(backing, D4_close_of_a_device_in_use)
{
	int fd, id = tfs_dax_open(self->dev, self->rw);

	ASSERT_LT(0, id);
	tfs_set_id(&self->env.srv, 0, id, 0, SIZE);
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(-EBUSY, tfs_dax_close(self->dev, id));
	EXPECT_EQ(1, pwrite(fd, "u", 1, 0));
	/* Without a map the file does not use it. */
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	EXPECT_EQ(0, tfs_dax_close(self->dev, id));
	/* Nobody is asked what an id stands for. */
	EXPECT_ERRNO(ENODEV, pwrite(fd, "v", 1, 0));
	EXPECT_COUNT(0, FUSE_GET_DAXDEV);
	id = tfs_dax_open(self->dev, self->rw);
	ASSERT_LT(0, id);
	tfs_set_id(&self->env.srv, 0, id, 0, SIZE);
	EXPECT_EQ(1, pwrite(fd, "v", 1, 0));
	EXPECT_EQ(-EBUSY, tfs_dax_close(self->dev, id));
	close(fd);
	ASSERT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_EQ(0, tfs_dax_close(self->dev, id));
}

TEST_HARNESS_MAIN
