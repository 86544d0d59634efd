// SPDX-License-Identifier: GPL-2.0
/* Mappings of files: where they are. */
#include <stdint.h>
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
