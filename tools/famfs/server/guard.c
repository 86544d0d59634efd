// SPDX-License-Identifier: GPL-2.0
/*
 * The guard: the device's node, held with O_EXCL.
 *
 * It is held until the kernel holds the device for the mount, and had once more
 * before this host says that it has left: in between nobody else can have it,
 * and before and after that no superblock of this host is there.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "server.h"

/* Between two looks whether a superblock has gone. */
#define GUARD_US	10000

/* How long a mount waits for the server of the last one: ten seconds. */
#define GUARD_TRIES	1000

/*
 * Nobody else has the device while this is open. An unmount returns before the
 * superblock has gone.
 */
static int guard_open(const char *device)
{
	int fd = open(device, O_RDWR | O_EXCL | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int guard_wait(const char *device)
{
	int guard;

	while ((guard = guard_open(device)) == -EBUSY)
		usleep(GUARD_US);
	return guard;
}

/*
 * The server of the last mount has one of the two alone while it ends, and needs
 * the other.
 */
int guard_media(const char *device, struct media **media)
{
	int guard = -EBUSY, err;

	for (int tries = 0; guard == -EBUSY && tries < GUARD_TRIES; tries++) {
		if (tries)
			usleep(GUARD_US);
		guard = guard_open(device);
		err = guard < 0 ? guard :
		      media_open(device, MEDIA_WRITE, media);
		if (guard >= 0 && err) {
			close(guard);
			guard = err;
		}
	}
	return guard;
}
