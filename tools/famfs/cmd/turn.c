// SPDX-License-Identifier: GPL-2.0
/*
 * Mounts of one file system come one after the other: the second one begins when
 * the first can be seen, or has failed.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "cmd.h"
#include "second.h"
#include "super.h"

static void turn_read_uuid(struct serve *wanted)
{
	struct media *media;
	struct super super;

	if (media_open(wanted->device, 0, &media))
		return;
	if (!super_read(&super, media, NULL))
		uuid_unparse_lower(super.uuid, wanted->uuid);
	media_close(media);
}

int turn_wait(const char *name)
{
	char path[sizeof(CONTROL_FOLDER) + 64];
	int fd;

	snprintf(path, sizeof(path), CONTROL_FOLDER "/.%s", name);
	if (mkdir(CONTROL_FOLDER, 0755) && errno != EEXIST) {
		cmd_fail_errno(CONTROL_FOLDER, -errno);
		return -1;
	}
	/* A file of root's: nobody else can keep mounts waiting. */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		cmd_fail(CONTROL_FOLDER, errno == EACCES ? "run it as root" :
			 "remove it, if it is no directory",
			 "servers have no place for their sockets: %s",
			 strerror(errno));
		return -1;
	}
	while (flock(fd, LOCK_EX)) {
		if (errno == EINTR)
			continue;
		cmd_fail_errno(path, -errno);
		close(fd);
		return -1;
	}
	return fd;
}

bool turn_take(struct serve *wanted)
{
	turn_read_uuid(wanted);
	/* The server will say what is wrong with it. */
	if (!wanted->uuid[0])
		return true;
	wanted->turn = turn_wait(wanted->uuid);
	return wanted->turn >= 0;
}
