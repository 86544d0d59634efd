/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mounts of this namespace, by the number of their superblock.
 */
#ifndef FAMFS_TABLE_H
#define FAMFS_TABLE_H

#include <limits.h>
#include <stdbool.h>

/* Two numbers, with a colon between them. */
#define TABLE_NUMBER	32

/* Of what @path, from @folder, lies on. False: nothing is there. */
bool table_number(int folder, const char *path, char number[TABLE_NUMBER]);

/* How often is it mounted? */
unsigned int table_count(const char *superblock);

/* Is it for reading only everywhere, whatever a mount point has? */
bool table_is_readonly(const char *superblock);

/* Where is it mounted? @whole: from its root on. */
bool table_find(const char *superblock, bool whole, char where[PATH_MAX]);

/* A mount point, and what is mounted there. */
struct table_mount {
	char number[TABLE_NUMBER];
	char where[PATH_MAX], source[PATH_MAX];
};

/* Calls @call for each mount of that type that root has made. */
void table_each(const char *type,
		void (*call)(void *context, const struct table_mount *mount),
		void *context);

/* Is it mounted in any namespace that has a process? */
bool table_find_anywhere(const char *superblock);

#endif
