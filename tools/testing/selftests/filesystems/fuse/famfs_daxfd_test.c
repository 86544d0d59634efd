// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that the server registers by an open descriptor, in place of a name
 * that the kernel looks up.
 *
 * What is easily wrong here: a descriptor of something else that is taken for a
 * device; a device that its server may only read and that users then write to,
 * by write(), by a mapping, or by one from before; an index that changes its
 * meaning under the maps that use it; a device that is not given back.
 */
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "famfs_task.h"
#include "famfs_test.h"

#define PAGE	4096UL
#define SIZE	(64 * 1024UL)

FIXTURE(famfs_daxfd)
{
	struct famfs_env env;
	int dev;			/* /dev/fuse of the connection */
	int rw, ro;			/* the dax device */
};

/* To be closed while the device changes its driver: see close_devs(). */
static int open_devs(FIXTURE_DATA(famfs_daxfd) * self)
{
	self->rw = open(self->env.devs[0].path, O_RDWR | O_CLOEXEC);
	self->ro = open(self->env.devs[0].path, O_RDONLY | O_CLOEXEC);
	return self->rw < 0 || self->ro < 0 ? -errno : 0;
}

/* Both drivers use one cdev, and begin to count its users anew. */
static void close_devs(FIXTURE_DATA(famfs_daxfd) * self)
{
	close(self->rw);
	close(self->ro);
}

FIXTURE_SETUP(famfs_daxfd)
{
	const char *why = famfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	famfs_add_simple(&self->env, "f", SIZE, 0, 0);
	famfs_add_simple(&self->env, "g", SIZE, 1, 0);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	ASSERT_EQ(0, open_devs(self));
}

FIXTURE_TEARDOWN(famfs_daxfd)
{
	close_devs(self);
	if (self->env.mounted)
		EXPECT_EQ(0, famfs_umount(&self->env));
	close(self->dev);
	FAMFS_TEARDOWN();
}

/* The two calls; they return 0 or an error. */
static int dax_open(int dev, int fd, __u64 index, __u32 flags)
{
	struct fuse_backing_map map = {
		.fd = fd, .flags = flags, .index = index,
	};

	return ioctl(dev, FUSE_DEV_IOC_DAXDEV_OPEN, &map) < 0 ? -errno : 0;
}

static int dax_close(int dev, __u32 index)
{
	return ioctl(dev, FUSE_DEV_IOC_DAXDEV_CLOSE, &index) < 0 ? -errno : 0;
}

TEST_F(famfs_daxfd, D2_registered_device_is_not_asked_for)
{
	char c = 0;
	int fd;

	ASSERT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
	/* The descriptor was the proof; it is not needed any more. */
	close(self->rw);
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(1, pwrite(fd, "r", 1, 5000));
	EXPECT_EQ(1, pread(fd, &c, 1, 5000));
	EXPECT_EQ('r', c);
	close(fd);
	EXPECT_COUNT(0, FUSE_GET_DAXDEV);
	self->rw = open(self->env.devs[0].path, O_RDWR | O_CLOEXEC);
}

/* A push does not ask, so this is how its devices come to be known. */
TEST_F(famfs_daxfd, D2_registered_device_can_be_pushed)
{
	struct famfs_msg m;
	__u64 size;

	famfs_msg_simple(&m, SIZE, 3, PMD, SIZE);
	ASSERT_EQ(0, famfs_stat_size(&self->env, "f", &size));
	EXPECT_EQ(-ENODEV, famfs_push_map(self->dev, 0, &m));
	ASSERT_EQ(0, dax_open(self->dev, self->rw, 3, 0));
	EXPECT_EQ(0, famfs_push_map(self->dev, 0, &m));
	EXPECT_EQ(0, famfs_try_open(&self->env, "f", O_RDWR));
	EXPECT_FETCHES(0);
	EXPECT_COUNT(0, FUSE_GET_DAXDEV);
	famfs_msg_exit(&m);
}

TEST_F(famfs_daxfd, D2_malformed_calls)
{
	static const __u64 indices[] = {
		FUSE_DAXDEV_MAX, FUSE_DAXDEV_MAX + 1, 1ULL << 32, ~0ULL,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(indices); i++)
		EXPECT_EQ(-EINVAL, dax_open(self->dev, self->rw, indices[i],
					    0));
	for (i = 1; i; i <<= 1)
		EXPECT_EQ(-EINVAL, dax_open(self->dev, self->rw, 0, i));
	EXPECT_EQ(-EBADF, dax_open(self->dev, -1, 0, 0));
	EXPECT_EQ(-EBADF, dax_open(self->dev, 1000, 0, 0));
	EXPECT_EQ(-EINVAL, dax_close(self->dev, FUSE_DAXDEV_MAX));
	EXPECT_EQ(-EINVAL, dax_close(self->dev, ~0U));
	EXPECT_EQ(-ENOENT, dax_close(self->dev, 0));
	EXPECT_EQ(-ENOENT, dax_close(self->dev, FUSE_DAXDEV_MAX - 1));
	EXPECT_ERRNO(EFAULT, ioctl(self->dev, FUSE_DEV_IOC_DAXDEV_OPEN, NULL));
	EXPECT_ERRNO(EFAULT, ioctl(self->dev, FUSE_DEV_IOC_DAXDEV_CLOSE,
				   NULL));
	/* The last index is as good as any. */
	EXPECT_EQ(0, dax_open(self->dev, self->rw, FUSE_DAXDEV_MAX - 1, 0));
	EXPECT_EQ(0, dax_close(self->dev, FUSE_DAXDEV_MAX - 1));
}

/* None of these is a dax device, and none of them becomes one. */
TEST_F(famfs_daxfd, D4_descriptors_of_other_things)
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
		EXPECT_EQ(-ENODEV, dax_open(self->dev, fd, 0, 0)) {
			TH_LOG("%s", paths[i]);
		}
		close(fd);
	}
	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(-ENODEV, dax_open(self->dev, fds[0], 0, 0));
	close(fds[0]);
	close(fds[1]);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	EXPECT_EQ(-ENODEV, dax_open(self->dev, fds[0], 0, 0));
	close(fds[0]);
	close(fds[1]);
	EXPECT_EQ(-ENODEV, dax_open(self->dev, self->dev, 0, 0));
	/* A name for the device is no right to use it. */
	fd = open(self->env.devs[0].path, O_PATH | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, dax_open(self->dev, fd, 0, 0));
	close(fd);
	EXPECT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
}

/* One with the numbers of the dax device, but not of its kind. */
TEST_F(famfs_daxfd, D4_block_device)
{
	const char *const paths[] = { "/dev/loop0", "/dev/ram0", "/dev/pmem0",
				      "/dev/vda", "/dev/sda", "/dev/pmem1" };
	int fd = -1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths) && fd < 0; i++)
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		SKIP(return, "need a block device");
	EXPECT_EQ(-ENODEV, dax_open(self->dev, fd, 0, 0));
	close(fd);
}

static int without_rawio(int dev, int rw)
{
	int err;

	if (famfs_drop_cap(CAP_SYS_RAWIO))
		return 1;
	err = dax_open(dev, rw, 0, 0);
	if (err != -EPERM)
		return 2;
	return dax_close(dev, 0) != -EPERM;
}

static int in_user_namespace(int dev, int rw)
{
	if (unshare(CLONE_NEWUSER))
		return 10;
	return dax_open(dev, rw, 0, 0) != -EPERM ||
	       dax_close(dev, 0) != -EPERM;
}

TEST_F(famfs_daxfd, D2_needs_the_right_to_raw_io)
{
	EXPECT_CHILD(without_rawio(self->dev, self->rw));
	EXPECT_CHILD(in_user_namespace(self->dev, self->rw));
	EXPECT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
	EXPECT_CHILD(without_rawio(self->dev, self->rw));
	EXPECT_EQ(0, dax_close(self->dev, 0));
}

TEST_F(famfs_daxfd, D2_connection_without_maps)
{
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	/* Not mounted, and so not a connection at all. */
	EXPECT_GT(0, dax_open(fuse, self->rw, 0, 0));
	close(fuse);
	ASSERT_EQ(0, famfs_umount(&self->env));
	/* Nobody would give the device back. */
	EXPECT_GT(0, dax_open(self->dev, self->rw, 0, 0));
	famfs_server_exit(&self->env.srv);
	ASSERT_EQ(0, famfs_server_init(&self->env.srv));
	self->env.srv.st->want &= ~FUSE_DAX_FMAP;
	fuse = dup(self->env.srv.fd);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	EXPECT_EQ(-EOPNOTSUPP, dax_open(fuse, self->rw, 0, 0));
	EXPECT_EQ(-EOPNOTSUPP, dax_close(fuse, 0));
	close(fuse);
}

TEST_F(famfs_daxfd, D3_device_of_another_driver)
{
	struct famfs_dev *dev = &self->env.devs[0];
	int fd;

	close_devs(self);
	ASSERT_EQ(0, famfs_bind(dev, "device_dax"));
	fd = open(dev->path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EOPNOTSUPP, dax_open(self->dev, fd, 0, 0));
	EXPECT_EQ(-EOPNOTSUPP, dax_open(self->dev, fd, 0, 0));
	close(fd);
	/* The remedy; nothing was remembered. */
	ASSERT_EQ(0, famfs_bind(dev, "fsdev_dax"));
	ASSERT_EQ(0, open_devs(self));
	EXPECT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
}

TEST_F(famfs_daxfd, D4_index_keeps_its_meaning)
{
	EXPECT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
	EXPECT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
	/* Its pages would be in the map of two devices. */
	EXPECT_EQ(-EBUSY, dax_open(self->dev, self->rw, 1, 0));
	/* What may be written to must not become read-only, nor reverse. */
	EXPECT_EQ(-EBUSY, dax_open(self->dev, self->ro, 0, 0));
	EXPECT_EQ(0, dax_close(self->dev, 0));
	EXPECT_EQ(-ENOENT, dax_close(self->dev, 0));
	EXPECT_EQ(0, dax_open(self->dev, self->rw, 1, 0));
	EXPECT_EQ(0, dax_close(self->dev, 1));
	EXPECT_EQ(0, dax_open(self->dev, self->ro, 0, 0));
	EXPECT_EQ(-EBUSY, dax_open(self->dev, self->rw, 0, 0));
}

TEST_F(famfs_daxfd, D4_other_device_under_an_index)
{
	int other;

	if (self->env.ndevs < 2)
		SKIP(return, "need two dax devices in FAMFS_DAXDEVS");
	if (!famfs_bound(&self->env.devs[1], "fsdev_dax"))
		ASSERT_EQ(0, famfs_bind(&self->env.devs[1], "fsdev_dax"));
	other = open(self->env.devs[1].path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, other);
	EXPECT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
	EXPECT_EQ(-EBUSY, dax_open(self->dev, other, 0, 0));
	EXPECT_EQ(0, dax_open(self->dev, other, 1, 0));
	EXPECT_EQ(0, famfs_try_open(&self->env, "g", O_RDWR));
	ASSERT_EQ(0, famfs_evict(&self->env, 0));
	/* Free again, they can change places. */
	EXPECT_EQ(0, dax_close(self->dev, 0));
	EXPECT_EQ(0, dax_close(self->dev, 1));
	EXPECT_EQ(0, dax_open(self->dev, other, 0, 0));
	EXPECT_EQ(0, dax_open(self->dev, self->rw, 1, 0));
	EXPECT_EQ(0, famfs_try_open(&self->env, "f", O_RDWR));
	EXPECT_COUNT(0, FUSE_GET_DAXDEV);
	close(other);
}

TEST_F(famfs_daxfd, D4_close_of_a_device_in_use)
{
	int fd;

	ASSERT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(-EBUSY, dax_close(self->dev, 0));
	EXPECT_EQ(1, pwrite(fd, "u", 1, 0));
	/* Without a map the file does not use it. */
	EXPECT_EQ(0, famfs_revoke(self->dev, 0));
	EXPECT_EQ(0, dax_close(self->dev, 0));
	EXPECT_COUNT(0, FUSE_GET_DAXDEV);
	/* Needing it again, the kernel asks for it, as for any. */
	EXPECT_EQ(1, pwrite(fd, "v", 1, 0));
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
	EXPECT_EQ(-EBUSY, dax_close(self->dev, 0));
	close(fd);
	ASSERT_EQ(0, famfs_evict(&self->env, 0));
	/* And so it can be given back, like any. */
	EXPECT_EQ(0, dax_close(self->dev, 0));
}

/* A second server, mounted on a folder of its own. */
static int mount_other(struct famfs_env *env, struct famfs_env *other,
		       int *dev)
{
	*other = *env;
	snprintf(other->dir, sizeof(other->dir), "/tmp/famfs_XXXXXX");
	if (!mkdtemp(other->dir))
		return -errno;
	if (famfs_server_init(&other->srv))
		return -ENOMEM;
	*dev = dup(other->srv.fd);
	return famfs_mount_fork(other);
}

TEST_F(famfs_daxfd, D5_closed_device_is_free_for_another_mount)
{
	struct famfs_env other;
	int dev = -1;

	ASSERT_EQ(0, mount_other(&self->env, &other, &dev));
	EXPECT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
	EXPECT_EQ(-EBUSY, dax_open(dev, self->rw, 0, 0));
	EXPECT_EQ(0, dax_close(self->dev, 0));
	EXPECT_EQ(0, dax_open(dev, self->rw, 0, 0));
	EXPECT_EQ(-EBUSY, dax_open(self->dev, self->rw, 0, 0));
	/* With the mount goes what it has registered. */
	EXPECT_EQ(0, famfs_umount(&other));
	EXPECT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
	close(dev);
	EXPECT_EQ(0, famfs_env_exit(&other));
	/* And nobody is in the way of another driver. */
	EXPECT_EQ(0, dax_close(self->dev, 0));
	close_devs(self);
	EXPECT_EQ(0, famfs_bind(&self->env.devs[0], "device_dax"));
	EXPECT_EQ(0, famfs_bind(&self->env.devs[0], "fsdev_dax"));
	EXPECT_EQ(0, open_devs(self));
}

TEST_F(famfs_daxfd, X2_device_that_has_gone_is_registered_anew)
{
	struct famfs_dev *dev = &self->env.devs[0];
	int fd;

	ASSERT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
	fd = ASSERT_OPEN("f", O_RDWR);
	close_devs(self);
	ASSERT_EQ(0, famfs_unbind(dev));
	ASSERT_EQ(0, famfs_bind(dev, "fsdev_dax"));
	ASSERT_EQ(0, open_devs(self));
	EXPECT_ERRNO(EIO, pwrite(fd, "x", 1, 0));
	EXPECT_EQ(-EBUSY, dax_open(self->dev, self->rw, 0, 0));
	EXPECT_EQ(-EBUSY, dax_close(self->dev, 0));
	close(fd);
	ASSERT_EQ(0, famfs_evict(&self->env, 0));
	EXPECT_EQ(0, dax_close(self->dev, 0));
	EXPECT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(1, pwrite(fd, "x", 1, 0));
	close(fd);
}

static bool stop;

static long register_again(struct famfs_job *job)
{
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		dax_open(job->fd, job->flags, 1, 0);
	return 0;
}

/* Who tries to have it once more must not be taken for who has it. */
TEST_F(famfs_daxfd, X2_device_goes_while_it_is_registered_again)
{
	struct famfs_job again = { .run = register_again, .fd = self->dev,
				   .flags = self->rw };
	int fd, err = dax_open(self->dev, self->rw, 0, 0);
	char *map;

	ASSERT_EQ(0, err);
	fd = ASSERT_OPEN("f", O_RDWR);
	map = mmap(NULL, SIZE, PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, famfs_job_start(&again));
	usleep(10000);
	ASSERT_EQ(0, famfs_unbind(&self->env.devs[0]));
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	ASSERT_TRUE(famfs_job_done(&again, FAMFS_SOON));
	EXPECT_EQ(SIGBUS, famfs_poke(map, 'y'));
	munmap(map, SIZE);
	close_devs(self);
	close(fd);
	ASSERT_EQ(0, famfs_bind(&self->env.devs[0], "fsdev_dax"));
	ASSERT_EQ(0, open_devs(self));
}

/* The kernel has asked before the server came to register the device. */
TEST_F(famfs_daxfd, D2_reply_without_a_name_for_a_registered_device)
{
	struct fuse_daxdev_out out = {};
	struct famfs_job open = { .run = famfs_job_open, .env = &self->env,
				  .name = "f", .flags = O_RDWR };

	famfs_hold(&self->env.srv, FUSE_GET_DAXDEV, FAMFS_ANY);
	famfs_raw(&self->env.srv, FUSE_GET_DAXDEV, FAMFS_ANY, &out,
		  sizeof(out), 1);
	ASSERT_EQ(0, famfs_job_start(&open));
	ASSERT_EQ(0, famfs_wait_held(&self->env.srv, 1));
	EXPECT_EQ(0, dax_open(self->dev, self->rw, 0, 0));
	famfs_release(&self->env.srv);
	ASSERT_TRUE(famfs_job_done(&open, FAMFS_SOON));
	ASSERT_LE(0, open.result);
	EXPECT_EQ(1, pwrite(open.result, "e", 1, 0));
	close(open.result);
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
}

TEST_F(famfs_daxfd, D2_reply_without_a_name_for_an_unknown_device)
{
	struct fuse_daxdev_out out = {};

	famfs_raw(&self->env.srv, FUSE_GET_DAXDEV, FAMFS_ANY, &out,
		  sizeof(out), 1);
	EXPECT_EQ(-ENODEV, famfs_try_open(&self->env, "f", O_RDWR));
	EXPECT_EQ(0, famfs_try_open(&self->env, "f", O_RDWR));
}

TEST_HARNESS_MAIN
