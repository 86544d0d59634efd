// SPDX-License-Identifier: GPL-2.0
/*
 * Dax devices: one test has them at a time, and binds them to their drivers.
 * Bound to device_dax a device can be mapped raw, which shows where bytes of a
 * file really went.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/mman.h>

#include "tfs_env.h"

/* To a file of the kernel. */
int tfs_write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int driver_write(const char *driver, const char *file,
			const struct tfs_dev *dev)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/dax/drivers/%s/%s", driver,
		 file);
	return tfs_write_text(path, dev->name);
}

static bool bound_to(const struct tfs_dev *dev, char *driver, size_t len)
{
	char path[128];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/dax/devices/%.32s/driver",
		 dev->name);
	n = readlink(path, driver, len - 1);
	if (n < 0)
		return false;
	driver[n] = '\0';
	return true;
}

bool tfs_bound(const struct tfs_dev *dev, const char *driver)
{
	char link[256];
	char *base;

	if (!bound_to(dev, link, sizeof(link)))
		return false;
	base = strrchr(link, '/');
	return base && !strcmp(base + 1, driver);
}

int tfs_unbind(const struct tfs_dev *dev)
{
	char link[256];
	char *base;
	int err;

	if (!bound_to(dev, link, sizeof(link)))
		return 0;
	base = strrchr(link, '/');
	err = driver_write(base + 1, "unbind", dev);
	/* Else the driver's next bind would find the name known. */
	if (!err && !strcmp(base + 1, "fsdev_dax"))
		driver_write("fsdev_dax", "remove_id", dev);
	return err;
}

int tfs_bind(const struct tfs_dev *dev, const char *driver)
{
	int err = tfs_unbind(dev);

	if (err)
		return err;
	/* fsdev_dax takes only devices that it is told; that binds them. */
	if (!strcmp(driver, "fsdev_dax"))
		err = driver_write(driver, "new_id", dev);
	else
		err = driver_write(driver, "bind", dev);
	if (err)
		return err;
	return tfs_bound(dev, driver) ? 0 : -ENODEV;
}

/* The device's own memory, read only; NULL if that cannot be had. */
void *tfs_raw_map(const struct tfs_dev *dev, size_t len)
{
	void *map = MAP_FAILED;
	int fd;

	if (tfs_bind(dev, "device_dax"))
		return NULL;
	fd = open(dev->path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (map != MAP_FAILED)
		return map;
	tfs_bind(dev, "fsdev_dax");
	return NULL;
}

int tfs_raw_unmap(const struct tfs_dev *dev, void *map, size_t len)
{
	munmap(map, len);
	return tfs_bind(dev, "fsdev_dax");
}

/*
 * Waits, for a while, until no mount holds a device.  One may outlive umount(2),
 * and the death of its server, for as long as it takes to end its requests.
 */
void tfs_dev_wait_free(const struct tfs_dev *dev)
{
	int i, fd;

	for (i = 0; i < 100; i++) {
		/* A device without a driver is free as well. */
		fd = open(dev->path, O_RDONLY | O_EXCL | O_CLOEXEC);
		if (fd >= 0)
			close(fd);
		if (fd >= 0 || errno != EBUSY)
			return;
		usleep(50000);
	}
}

/*
 * Waits for the test before, which the harness does not do if it has killed it:
 * it may be in the middle of unbinding the device.  The lock is kept by all of
 * a test's processes, but for servers, and goes with them.
 */
int tfs_dev_lock(const struct tfs_dev *dev)
{
	char path[128];
	int i, fd;

	snprintf(path, sizeof(path), "/sys/bus/dax/devices/%.32s", dev->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (i = 0; fd >= 0 && i < 200; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB)) {
			tfs_dev_wait_free(dev);
			return 0;
		}
		usleep(100000);
	}
	return -EBUSY;
}
