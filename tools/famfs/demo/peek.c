// SPDX-License-Identifier: GPL-2.0
/*
 * Looks at bytes through a mapping.
 *
 * Usage: peek FILE [OFFSET SIZE]
 *
 * Maps FILE, or SIZE bytes at OFFSET of a device bound to device_dax, writes
 * what it sees to standard output, and "KIB" of it that 2 MiB mappings cover
 * to standard error.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

#include "tfs_env.h"

#define ALIGN	(2UL << 20)

static int fail(const char *what, const char *name)
{
	fprintf(stderr, "peek: %s %s: %s\n", what, name, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	unsigned long off = 0, skip = 0, size, done, len;
	struct stat st;
	char *map;
	int fd;

	if (argc != 2 && argc != 4) {
		fprintf(stderr, "usage: peek FILE [OFFSET SIZE]\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		return fail("cannot open", argv[1]);
	size = st.st_size;
	if (argc == 4) {
		off = strtoul(argv[2], NULL, 0);
		size = strtoul(argv[3], NULL, 0);
	}
	/* device_dax maps nothing smaller than its alignment. */
	skip = off % ALIGN;
	off -= skip;
	len = argc == 4 ? (skip + size + ALIGN - 1) / ALIGN * ALIGN : size;
	map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, off);
	if (map == MAP_FAILED)
		return fail("cannot map", argv[1]);
	for (done = 0; done < size; ) {
		ssize_t n = write(STDOUT_FILENO, map + skip + done, size - done);

		if (n < 0)
			return fail("cannot write what I see in", argv[1]);
		done += n;
	}
	/* smaps does not count pages of devices. */
	fprintf(stderr, "%llu\n", tfs_mapped(map, len, PAGE_IS_HUGE) / 1024);
	return 0;
}
