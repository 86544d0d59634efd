// SPDX-License-Identifier: GPL-2.0
/*
 * Mounts by the number of their superblock, which users cannot make up, as they
 * can sources and types.
 */

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "table.h"

/* Without a request: its server may have died, or be another user's. */
bool table_number(int folder, const char *path, char number[TABLE_NUMBER])
{
	struct statx st;

	if (statx(folder, path, AT_EMPTY_PATH | AT_STATX_DONT_SYNC |
		  AT_NO_AUTOMOUNT, 0, &st))
		return false;
	snprintf(number, TABLE_NUMBER, "%u:%u", st.stx_dev_major,
		 st.stx_dev_minor);
	return true;
}

static bool table_search(FILE *table, const char *superblock, bool whole,
			 char where[PATH_MAX])
{
	char line[3 * PATH_MAX], root[PATH_MAX], at[PATH_MAX];
	char number[TABLE_NUMBER];
	bool found = false;

	while (table && !found && fgets(line, sizeof(line), table)) {
		if (sscanf(line, "%*s %*s %31s %4095s %4095s", number, root,
			   at) != 3)
			continue;
		text_plain_table(at);
		found = !strcmp(number, superblock) &&
			(!whole || !strcmp(root, "/"));
	}
	if (table)
		fclose(table);
	if (found)
		strcpy(where, at);
	return found;
}

bool table_find(const char *superblock, bool whole, char where[PATH_MAX])
{
	return table_search(fopen("/proc/self/mountinfo", "re"), superblock,
			    whole, where);
}

bool table_find_anywhere(const char *superblock)
{
	DIR *processes = opendir("/proc");
	char path[64], where[PATH_MAX];
	struct dirent *entry;
	unsigned int pid;
	bool found = false;

	while (processes && !found && (entry = readdir(processes))) {
		if (sscanf(entry->d_name, "%u", &pid) != 1)
			continue;
		snprintf(path, sizeof(path), "/proc/%u/mountinfo", pid);
		found = table_search(fopen(path, "re"), superblock, false,
				     where);
	}
	if (processes)
		closedir(processes);
	return found;
}
