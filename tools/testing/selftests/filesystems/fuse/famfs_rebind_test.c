// SPDX-License-Identifier: GPL-2.0
/*
 * Device nodes that are open while drivers are unbound from the device and
 * bound to it again, as a server keeps one open for as long as it runs.
 *
 * What was wrong here: the character device was made anew by each bind, in the
 * memory in which the one before was still open.  Closing that took a reference
 * too many, and who had the node open reached the device through a driver that
 * was not bound to it any more.
 */
#include <sched.h>
#include <time.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define SIZE	PMD

FIXTURE(rebind)
{
	struct tfs_env env;
	struct tfs_dev *dev;
	int old, new;
};

FIXTURE_VARIANT(rebind)
{
	const char *from, *to;
};

FIXTURE_VARIANT_ADD(rebind, device_to_device)
{
	.from = "device_dax", .to = "device_dax",
};

FIXTURE_VARIANT_ADD(rebind, device_to_fsdev)
{
	.from = "device_dax", .to = "fsdev_dax",
};

FIXTURE_VARIANT_ADD(rebind, fsdev_to_device)
{
	.from = "fsdev_dax", .to = "device_dax",
};

FIXTURE_VARIANT_ADD(rebind, fsdev_to_fsdev)
{
	.from = "fsdev_dax", .to = "fsdev_dax",
};

FIXTURE_SETUP(rebind)
{
	const char *why = tfs_env_init(&self->env, 1);

	self->old = -1;
	self->new = -1;
	self->dev = &self->env.devs[0];
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_bind(self->dev, variant->from));
	self->old = open(self->dev->path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->old, 0);
}

FIXTURE_TEARDOWN(rebind)
{
	close(self->old);
	close(self->new);
	EXPECT_EQ(0, tfs_bind(self->dev, "fsdev_dax"));
	TFS_TEARDOWN();
}

static bool maps(const char *driver)
{
	return !strcmp(driver, "device_dax");
}

static char *map_node(int fd)
{
	return mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* Uses a node as its driver has it used; 0 or an errno. */
static int use(int fd, const char *driver)
{
	char *map, c;

	if (!maps(driver))
		return pread(fd, &c, 1, 0) == 1 ? 0 : errno;
	map = map_node(fd);
	if (map == MAP_FAILED)
		return errno;
	tfs_dirty(map);
	munmap(map, SIZE);
	return 0;
}

TEST_F(rebind, D6_open_node_outlives_its_bind)
{
	struct tfs_dev *dev = self->dev;
	char *map = NULL;

	EXPECT_EQ(0, use(self->old, variant->from));
	if (maps(variant->from)) {
		map = map_node(self->old);
		ASSERT_NE(MAP_FAILED, map);
		tfs_dirty(map);
	}
	ASSERT_EQ(0, tfs_unbind(dev));
	EXPECT_EQ(ENXIO, use(self->old, variant->from));
	EXPECT_ERRNO(ENXIO, open(dev->path, O_RDWR | O_CLOEXEC));
	ASSERT_EQ(0, tfs_bind(dev, variant->to));
	EXPECT_EQ(ENXIO, use(self->old, variant->from));
	self->new = open(dev->path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->new, 0);
	EXPECT_EQ(0, use(self->new, variant->to));
	/* Faults come by the driver that was there when it was opened. */
	if (map) {
		EXPECT_EQ(SIGBUS, load_byte(map));
		munmap(map, SIZE);
	}
	close(self->old);
	EXPECT_EQ(0, use(self->new, variant->to));
	ASSERT_EQ(0, tfs_unbind(dev));
	EXPECT_EQ(ENXIO, use(self->new, variant->to));
	close(self->new);
	ASSERT_EQ(0, tfs_bind(dev, variant->to));
	self->new = open(dev->path, O_RDWR | O_CLOEXEC);
	self->old = dup(self->new);
	EXPECT_EQ(0, use(self->new, variant->to));
}

static bool stop_opens;

static void *open_again(void *arg)
{
	const char *path = arg;

	while (!__atomic_load_n(&stop_opens, __ATOMIC_SEQ_CST)) {
		int fd = open(path, O_RDWR | O_CLOEXEC);

		if (fd < 0 && errno != ENXIO)
			return "wrong errno of open";
		if (fd >= 0)
			close(fd);
		else
			sched_yield();
	}
	return NULL;
}

/* A large device that is emulated takes seconds for each bind. */
TEST_F_TIMEOUT(rebind, D6_opens_while_the_driver_comes_and_goes, 90)
{
	time_t end = time(NULL) + 15;
	pthread_t threads[2];
	void *wrong;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, open_again,
					    self->dev->path));
	for (i = 0; i < 2 || (i < 6 && time(NULL) < end); i++) {
		EXPECT_EQ(0, tfs_bind(self->dev, i % 2 ? variant->from :
							   variant->to));
		usleep(5000);
	}
	__atomic_store_n(&stop_opens, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < 2; i++) {
		pthread_join(threads[i], &wrong);
		EXPECT_EQ(NULL, wrong) {
			TH_LOG("%s", (char *)wrong);
		}
	}
}

TEST_HARNESS_MAIN
