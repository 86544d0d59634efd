// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel tells of maps and devices, and waiting until it has fewer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "famfs_env.h"

/*
 * What the fusectl mount shows of the connection's maps and devices.  Returns
 * 0, or an error where there is no fusectl.
 */
int famfs_table(struct famfs_env *env, char *text, size_t len)
{
	char dir[] = "/tmp/famfs_ctl_XXXXXX", path[64];
	ssize_t n = -1;
	struct stat st;
	int fd;

	text[0] = '\0';
	if (stat(env->dir, &st) || !mkdtemp(dir))
		return -errno;
	if (!mount("fusectl", dir, "fusectl", 0, NULL)) {
		snprintf(path, sizeof(path), "%s/%u/dax", dir,
			 minor(st.st_dev));
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			n = read(fd, text, len - 1);
			close(fd);
		}
		umount(dir);
	}
	rmdir(dir);
	if (n < 0)
		return -ENOENT;
	text[n] = '\0';
	return 0;
}

/* How many files the kernel has maps of, or -1. */
long famfs_maps(struct famfs_env *env)
{
	char text[4096];
	long n;

	if (famfs_table(env, text, sizeof(text)) ||
	    sscanf(text, "maps %ld", &n) != 1)
		return -1;
	return n;
}

/*
 * Drops caches until no more files than these are mapped.  A file that has been
 * closed stays until the server has answered.
 */
int famfs_evict(struct famfs_env *env, long maps)
{
	int i;

	for (i = 0; i < 100; i++) {
		if (famfs_drop_caches())
			break;
		if (famfs_maps(env) <= maps)
			return 0;
		usleep(20000);
	}
	return -EBUSY;
}
