// SPDX-License-Identifier: GPL-2.0
/*
 * Makes a file of a DAX file system that can be mapped by 2 MiB.
 *
 * Usage: fill FILE MIB
 *
 * Its blocks are allocated and written, so that what is measured later neither
 * allocates nor converts.  Fails if they do not lie in 2 MiB pieces.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#include "align.h"

#define MiB	(1UL << 20)
#define PMD	(2 * MiB)

static int fail(const char *what, const char *name)
{
	fprintf(stderr, "fill: %s %s: %s\n", what, name, strerror(errno));
	return 1;
}

static int write_all(int fd, unsigned long size)
{
	char *buf = calloc(1, MiB);
	unsigned long pos;
	int err = buf ? 0 : -1;

	for (pos = 0; pos < size && !err; pos += MiB)
		if (pwrite(fd, buf, MiB, pos) != (ssize_t)MiB)
			err = -1;
	free(buf);
	return err;
}

static int check_place(int fd)
{
	struct {
		struct fiemap map;
		struct fiemap_extent ext[32];
	} f = {
		.map = {
			.fm_length = FIEMAP_MAX_OFFSET,
			.fm_flags = FIEMAP_FLAG_SYNC,
			.fm_extent_count = 32,
		},
	};
	unsigned int i;

	if (ioctl(fd, FS_IOC_FIEMAP, &f))
		return -1;
	for (i = 0; i < f.map.fm_mapped_extents; i++) {
		if (f.ext[i].fe_physical % PMD == 0 &&
		    f.ext[i].fe_length % PMD == 0)
			continue;
		errno = ERANGE;
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long size;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: fill FILE MIB\n");
		return 2;
	}
	size = strtoul(argv[2], NULL, 0) * MiB;
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		return fail("cannot make", argv[1]);
	align_hint(fd, PMD);
	if (posix_fallocate(fd, 0, size) || write_all(fd, size) || fsync(fd))
		return fail("cannot fill", argv[1]);
	if (check_place(fd))
		return fail("no 2 MiB pieces in", argv[1]);
	return 0;
}
