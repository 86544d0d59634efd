// SPDX-License-Identifier: GPL-2.0
/*
 * Mounts by the number of their superblock, which users cannot make up, as they
 * can sources and types.
 */

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Only a space ends a word, and only a newline a row: users choose the rest. */
static bool table_row(char *line, const char *superblock, bool whole,
		      char where[PATH_MAX])
{
	char *words[5];

	for (unsigned int i = 0; i < 5; i++) {
		words[i] = strsep(&line, " ");
		if (!words[i])
			return false;
	}
	if (strcmp(words[2], superblock) || (whole && strcmp(words[3], "/")))
		return false;
	text_plain_table(words[4]);
	snprintf(where, PATH_MAX, "%s", words[4]);
	return true;
}

static bool table_search(FILE *table, const char *superblock, bool whole,
			 char where[PATH_MAX])
{
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	while (table && !found && getline(&line, &room, table) > 0)
		found = table_row(line, superblock, whole, where);
	free(line);
	if (table)
		fclose(table);
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
