// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that the server opens itself and that get a backing id, in place of a
 * name that the kernel looks up.
 *
 * What is easily wrong here: a descriptor of something else that is taken for a
 * device; a device that its server may only read and that users then write to,
 * by write(), by a mapping, or by one from before; an id that is taken for an
 * index of the same number, or for a backing file; a device that changes under
 * the maps that use it, has two ids, or is not given back.
 */
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(64 * 1024UL)

FIXTURE(daxfd)
{
	struct tfs_env env;
	int dev;			/* /dev/fuse of the connection */
	int rw, ro;			/* the dax device */
};

/* To be closed while the device changes its driver: see close_devs(). */
static int open_devs(FIXTURE_DATA(daxfd) * self)
{
	self->rw = open(self->env.devs[0].path, O_RDWR | O_CLOEXEC);
	self->ro = open(self->env.devs[0].path, O_RDONLY | O_CLOEXEC);
	return self->rw < 0 || self->ro < 0 ? -errno : 0;
}

/* Both drivers use one cdev, and begin to count its users anew. */
static void close_devs(FIXTURE_DATA(daxfd) * self)
{
	close(self->rw);
	close(self->ro);
}

FIXTURE_SETUP(daxfd)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	tfs_add_simple(&self->env, "g", SIZE, 1, 0);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	ASSERT_EQ(0, open_devs(self));
}

FIXTURE_TEARDOWN(daxfd)
{
	close_devs(self);
	if (self->env.mounted)
		EXPECT_EQ(0, tfs_umount(&self->env));
	close(self->dev);
	TFS_TEARDOWN();
}

/* A call with any arguments. */
static int backing_open(int dev, int fd, __u32 flags, __u64 padding)
{
	struct fuse_backing_map map = {
		.fd = fd, .flags = flags, .padding = padding,
	};
	int id = ioctl(dev, FUSE_DEV_IOC_BACKING_OPEN, &map);

	return id < 0 ? -errno : id;
}

TEST_F(daxfd, D2_map_names_a_backing_id)
{
	int fd, id = tfs_dax_open(self->dev, self->rw);
	char c = 0;

	ASSERT_LT(0, id);
	/* The descriptor was the proof; it is not needed any more. */
	close(self->rw);
	tfs_set_id(&self->env.srv, 0, id, 0, SIZE);
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(1, pwrite(fd, "r", 1, 5000));
	EXPECT_EQ(1, pread(fd, &c, 1, 5000));
	EXPECT_EQ('r', c);
	close(fd);
	EXPECT_COUNT(0, FUSE_GET_DAXDEV);
	self->rw = open(self->env.devs[0].path, O_RDWR | O_CLOEXEC);
}

/* A push does not ask, so this is how its devices come to be known. */
TEST_F(daxfd, D2_backing_id_can_be_pushed)
{
	__u64 size;
	int id;

	ASSERT_EQ(0, tfs_stat_size(&self->env, "f", &size));
	EXPECT_EQ(-ENODEV, tfs_push_id(self->dev, 0, 1, PMD, SIZE));
	id = tfs_dax_open(self->dev, self->rw);
	ASSERT_LT(0, id);
	EXPECT_EQ(-ENODEV, tfs_push_id(self->dev, 0, id + 1, PMD, SIZE));
	EXPECT_EQ(-ENODEV, tfs_push_id(self->dev, 0, -id, PMD, SIZE));
	EXPECT_EQ(0, tfs_push_id(self->dev, 0, id, PMD, SIZE));
	EXPECT_EQ(0, tfs_try_open(&self->env, "f", O_RDWR));
	EXPECT_FETCHES(0);
	EXPECT_COUNT(0, FUSE_GET_DAXDEV);
}

TEST_F(daxfd, D2_malformed_calls)
{
	const __u32 dax = FUSE_BACKING_TYPE_DAX;
	__u32 i;

	for (i = FUSE_BACKING_DAX_DROP << 1; i; i <<= 1)
		EXPECT_EQ(-EINVAL, backing_open(self->dev, self->rw, dax | i,
						0));
	EXPECT_EQ(-EINVAL, backing_open(self->dev, self->rw, dax, 1));
	EXPECT_EQ(-EINVAL, backing_open(self->dev, self->rw, dax, 1ULL << 63));
	EXPECT_EQ(-EBADF, tfs_dax_open(self->dev, -1));
	EXPECT_EQ(-EBADF, tfs_dax_open(self->dev, 1000));
	EXPECT_EQ(-EINVAL, tfs_dax_close(self->dev, 0));
	EXPECT_EQ(-EINVAL, tfs_dax_close(self->dev, ~0U));
	EXPECT_EQ(-ENOENT, tfs_dax_close(self->dev, 1));
	EXPECT_EQ(-ENOENT, tfs_dax_close(self->dev, 0x7fffffff));
	EXPECT_ERRNO(EFAULT, ioctl(self->dev, FUSE_DEV_IOC_BACKING_OPEN, NULL));
	EXPECT_ERRNO(EFAULT, ioctl(self->dev, FUSE_DEV_IOC_BACKING_CLOSE,
				   NULL));
}

/* A server can tell what this kernel does not have from its own mistakes. */
TEST_F(daxfd, D2_types_that_are_not_known)
{
	__u32 type;

	for (type = FUSE_BACKING_TYPE_DAX + 1; type <= FUSE_BACKING_TYPE_MASK;
	     type++)
		EXPECT_EQ(-EOPNOTSUPP, backing_open(self->dev, self->rw, type,
						    0));
	/* Passthrough has not been agreed upon. */
	EXPECT_GT(0, backing_open(self->dev, self->rw,
				  FUSE_BACKING_TYPE_PASSTHROUGH, 0));
}

/* None of these is a dax device, and none of them becomes one. */
TEST_F(daxfd, D4_descriptors_of_other_things)
{
	const char *const paths[] = {
		"/dev/null", "/dev/fuse", "/proc/self/exe", "/tmp",
		self->env.dir,
	};
	int fds[2];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-ENODEV, tfs_dax_open(self->dev, fd)) {
			TH_LOG("%s", paths[i]);
		}
		close(fd);
	}
	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(-ENODEV, tfs_dax_open(self->dev, fds[0]));
	close(fds[0]);
	close(fds[1]);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	EXPECT_EQ(-ENODEV, tfs_dax_open(self->dev, fds[0]));
	close(fds[0]);
	close(fds[1]);
	EXPECT_EQ(-ENODEV, tfs_dax_open(self->dev, self->dev));
	/* A name for the device is no right to use it. */
	fd = open(self->env.devs[0].path, O_PATH | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, tfs_dax_open(self->dev, fd));
	close(fd);
	EXPECT_LT(0, tfs_dax_open(self->dev, self->rw));
}

static int without_rawio(int dev, int rw, int id)
{
	if (tfs_drop_cap(CAP_SYS_RAWIO))
		return 1;
	if (tfs_dax_open(dev, rw) != id)
		return 2;
	return tfs_dax_close(dev, id) != 0;
}

static int in_user_namespace(int dev, int rw)
{
	if (unshare(CLONE_NEWUSER))
		return 10;
	return tfs_dax_open(dev, rw) <= 0;
}

/* The descriptors say it all: a server in a container has no capability. */
TEST_F(daxfd, D2_needs_no_capability)
{
	int id = tfs_dax_open(self->dev, self->rw);

	ASSERT_LT(0, id);
	EXPECT_CHILD(without_rawio(self->dev, self->rw, id));
	EXPECT_EQ(-ENOENT, tfs_dax_close(self->dev, id));
	EXPECT_CHILD(in_user_namespace(self->dev, self->rw));
}

TEST_F(daxfd, D2_connection_without_maps)
{
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	/* Not mounted, and so not a connection at all. */
	EXPECT_GT(0, tfs_dax_open(fuse, self->rw));
	close(fuse);
	ASSERT_EQ(0, tfs_umount(&self->env));
	/* Nobody would give the device back. */
	EXPECT_GT(0, tfs_dax_open(self->dev, self->rw));
	tfs_server_exit(&self->env.srv);
	ASSERT_EQ(0, tfs_server_init(&self->env.srv));
	self->env.srv.st->want &= ~FUSE_DAX_FMAP;
	fuse = dup(self->env.srv.fd);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_EQ(-EOPNOTSUPP, tfs_dax_open(fuse, self->rw));
	/* What it has always said where passthrough was not agreed upon. */
	EXPECT_EQ(backing_open(fuse, self->rw, FUSE_BACKING_TYPE_PASSTHROUGH,
			       0), tfs_dax_close(fuse, 1));
	close(fuse);
}

TEST_F(daxfd, D3_device_of_another_driver)
{
	struct tfs_dev *dev = &self->env.devs[0];
	int fd;

	close_devs(self);
	ASSERT_EQ(0, tfs_bind(dev, "device_dax"));
	fd = open(dev->path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EOPNOTSUPP, tfs_dax_open(self->dev, fd));
	EXPECT_EQ(-EOPNOTSUPP, tfs_dax_open(self->dev, fd));
	close(fd);
	/* The remedy; nothing was remembered. */
	ASSERT_EQ(0, tfs_bind(dev, "fsdev_dax"));
	ASSERT_EQ(0, open_devs(self));
	EXPECT_LT(0, tfs_dax_open(self->dev, self->rw));
}

/* A second server, mounted on a folder of its own. */
static int mount_other(struct tfs_env *env, struct tfs_env *other,
		       int *dev)
{
	*other = *env;
	snprintf(other->dir, sizeof(other->dir), "/tmp/famfs_XXXXXX");
	if (!mkdtemp(other->dir))
		return -errno;
	if (tfs_server_init(&other->srv))
		return -ENOMEM;
	*dev = dup(other->srv.fd);
	return tfs_mount_fork(other);
}

TEST_F(daxfd, D5_closed_device_is_free_for_another_mount)
{
	struct tfs_env other;
	int id, dev = -1;

	ASSERT_EQ(0, mount_other(&self->env, &other, &dev));
	id = tfs_dax_open(self->dev, self->rw);
	EXPECT_LT(0, id);
	EXPECT_EQ(-EBUSY, tfs_dax_open(dev, self->rw));
	EXPECT_EQ(0, tfs_dax_close(self->dev, id));
	EXPECT_LT(0, tfs_dax_open(dev, self->rw));
	EXPECT_EQ(-EBUSY, tfs_dax_open(self->dev, self->rw));
	/* With the mount goes what it has opened, though its device stays. */
	EXPECT_EQ(0, tfs_umount(&other));
	id = tfs_dax_open(self->dev, self->rw);
	EXPECT_LT(0, id);
	close(dev);
	EXPECT_EQ(0, tfs_env_exit(&other));
	/* And nobody is in the way of another driver. */
	EXPECT_EQ(0, tfs_dax_close(self->dev, id));
	close_devs(self);
	EXPECT_EQ(0, tfs_bind(&self->env.devs[0], "device_dax"));
	EXPECT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	EXPECT_EQ(0, open_devs(self));
}

TEST_F(daxfd, X2_device_that_has_gone_gets_a_new_id)
{
	struct tfs_dev *dev = &self->env.devs[0];
	int fd, new, id = tfs_dax_open(self->dev, self->rw);

	ASSERT_LT(0, id);
	tfs_set_id(&self->env.srv, 0, id, 0, SIZE);
	fd = ASSERT_OPEN("f", O_RDWR);
	close_devs(self);
	ASSERT_EQ(0, tfs_unbind(dev));
	ASSERT_EQ(0, tfs_bind(dev, "fsdev_dax"));
	ASSERT_EQ(0, open_devs(self));
	EXPECT_ERRNO(EIO, pwrite(fd, "x", 1, 0));
	/* What files still name is not what has come back. */
	new = tfs_dax_open(self->dev, self->rw);
	EXPECT_LT(0, new);
	EXPECT_NE(id, new);
	EXPECT_EQ(-EBUSY, tfs_dax_close(self->dev, id));
	EXPECT_ERRNO(EIO, pwrite(fd, "x", 1, 0));
	EXPECT_EQ(0, tfs_push_id(self->dev, 0, new, 0, SIZE));
	EXPECT_EQ(1, pwrite(fd, "x", 1, 0));
	/* Nobody uses it any more, and it is not listed for ever. */
	EXPECT_EQ(0, tfs_dax_close(self->dev, id));
	close(fd);
}

/* Its server has nothing to close. */
TEST_F(daxfd, X2_index_of_a_device_that_has_gone_is_asked_for_again)
{
	struct tfs_dev *dev = &self->env.devs[0];

	EXPECT_EQ(0, tfs_try_open(&self->env, "f", O_RDWR));
	close_devs(self);
	ASSERT_EQ(0, tfs_unbind(dev));
	ASSERT_EQ(0, tfs_bind(dev, "fsdev_dax"));
	ASSERT_EQ(0, open_devs(self));
	ASSERT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_EQ(0, tfs_try_open(&self->env, "f", O_RDWR));
	EXPECT_COUNT(2, FUSE_GET_DAXDEV);
}

static bool stop;

static long register_again(struct tfs_job *job)
{
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		tfs_dax_open(job->fd, job->flags);
	return 0;
}

/* Who tries to have it once more must not be taken for who has it. */
TEST_F(daxfd, X2_device_goes_while_it_is_registered_again)
{
	struct tfs_job again = { .run = register_again, .fd = self->dev,
				 .flags = self->rw };
	int fd, id = tfs_dax_open(self->dev, self->rw);
	char *map;

	ASSERT_LT(0, id);
	tfs_set_id(&self->env.srv, 0, id, 0, SIZE);
	fd = ASSERT_OPEN("f", O_RDWR);
	map = mmap(NULL, SIZE, PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, tfs_job_start(&again));
	usleep(10000);
	ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	ASSERT_TRUE(tfs_job_done(&again, TFS_SOON));
	EXPECT_EQ(SIGBUS, store_byte(map, 'y'));
	munmap(map, SIZE);
	close_devs(self);
	close(fd);
	ASSERT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	ASSERT_EQ(0, open_devs(self));
}

TEST_HARNESS_MAIN
