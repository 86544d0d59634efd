// SPDX-License-Identifier: GPL-2.0
/* Mappings of files: where they are, what is mapped of them, by which pages. */
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "tfs_env.h"

/*
 * Maps the start of a file, shared, at an address that is a multiple of @align.
 * The kernel chooses addresses at random: what it maps by one fault ends where
 * a page table does.
 */
char *tfs_map_aligned(int fd, size_t len, int prot, size_t align)
{
	char *room = mmap(NULL, len + align, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (room == MAP_FAILED)
		return room;
	before = -(uintptr_t)room & (align - 1);
	munmap(room, before);
	munmap(room + before + len, align - before);
	return mmap(room + before, len, prot, MAP_SHARED | MAP_FIXED, fd, 0);
}

/*
 * Bytes of a range whose pages are mapped now and are of these kinds, as
 * PAGE_IS_HUGE; 0: of any.
 */
__u64 tfs_mapped(const void *start, size_t len, __u64 kinds)
{
	struct page_region regions[64];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = (unsigned long)start,
		.end = (unsigned long)start + len,
		.vec = (unsigned long)regions,
		.vec_len = 64,
		.category_mask = PAGE_IS_PRESENT | kinds,
		.return_mask = PAGE_IS_PRESENT | kinds,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int n = ioctl(fd, PAGEMAP_SCAN, &arg);
	__u64 sum = 0;

	close(fd);
	while (n-- > 0)
		sum += regions[n].end - regions[n].start;
	return sum;
}

/*
 * Has a file of another file system get memory that huge pages can map: xfs
 * takes this hint, ext4 took one from mkfs.
 */
void tfs_hint_huge(int fd)
{
	struct fsxattr attr;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr))
		return;
	attr.fsx_xflags |= FS_XFLAG_EXTSIZE;
	attr.fsx_extsize = PMD;
	ioctl(fd, FS_IOC_FSSETXATTR, &attr);
}
