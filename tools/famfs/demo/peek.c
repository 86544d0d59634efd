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
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

#define ALIGN	(2UL << 20)

static int fail(const char *what, const char *name)
{
	fprintf(stderr, "peek: %s %s: %s\n", what, name, strerror(errno));
	return 1;
}

/* KiB of the mapping that PMDs map; smaps does not count pages of devices. */
static unsigned long huge_kib(const char *addr, unsigned long len)
{
	struct page_region regions[64];
	struct pm_scan_arg arg = {
		.size		= sizeof(arg),
		.start		= (unsigned long)addr,
		.end		= (unsigned long)addr + len,
		.vec		= (unsigned long)regions,
		.vec_len	= sizeof(regions) / sizeof(regions[0]),
		.category_mask	= PAGE_IS_HUGE,
		.return_mask	= PAGE_IS_HUGE,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY);
	unsigned long sum = 0;
	long n;

	while (fd >= 0 && (n = ioctl(fd, PAGEMAP_SCAN, &arg)) > 0) {
		while (n--)
			sum += regions[n].end - regions[n].start;
		arg.start = arg.walk_end;
	}
	if (fd >= 0)
		close(fd);
	return sum / 1024;
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
	fprintf(stderr, "%lu\n", huge_kib(map, len));
	return 0;
}
