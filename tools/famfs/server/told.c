// SPDX-License-Identifier: GPL-2.0
/*
 * Files without a name that the kernel has been told of.
 *
 * Locking: none; each inode is added and dropped within its own lock.
 */

#include "told.h"

#include <unistd.h>

/* The place of @ino, or TOLD_MOST. */
static uint32_t told_find(struct told *told, uint64_t ino)
{
	uint32_t used = told->used;

	for (uint32_t i = 0; i < used; i++) {
		if (told->inos[i] == ino)
			return i;
	}
	return TOLD_MOST;
}

void told_add(struct told *told, uint64_t ino)
{
	if (told_find(told, ino) < TOLD_MOST)
		return;
	for (uint32_t i = 0; i < TOLD_MOST; i++) {
		uint32_t used = told->used;
		uint64_t none = 0;

		/* Whoever looks has to see this one from now on. */
		while (used <= i &&
		       !atomic_compare_exchange_weak(&told->used, &used, i + 1))
			;
		if (atomic_compare_exchange_strong(&told->inos[i], &none, ino))
			return;
	}
	told->more = getpid();
}

void told_drop(struct told *told, uint64_t ino)
{
	uint32_t i = told_find(told, ino);

	if (i < TOLD_MOST)
		told->inos[i] = 0;
}

bool told_has(struct told *told, uint64_t ino)
{
	return told->more || told_find(told, ino) < TOLD_MOST;
}

void told_settle(struct told *told)
{
	pid_t more = told->more;

	if (more && more != getpid())
		atomic_compare_exchange_strong(&told->more, &more, 0);
}
