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

/**
 * struct table_row - a mount
 * @rest: what comes behind its place
 */
struct table_row {
	char *number, *root, *place, *rest;
};

/* Only a space ends a word, and only a newline a row: users choose the rest. */
static bool table_split(char *line, struct table_row *row)
{
	char *words[5];

	for (unsigned int i = 0; i < 5; i++) {
		words[i] = strsep(&line, " ");
		if (!words[i])
			return false;
	}
	*row = (struct table_row) { words[2], words[3], words[4], line };
	return true;
}

/* Its own options, optional words, a -, its type, its source, and those of all. */
static bool table_row_is_readonly(char *rest)
{
	char *word;

	while ((word = strsep(&rest, " ")) && strcmp(word, "-"))
		;
	strsep(&rest, " ");
	strsep(&rest, " ");
	return rest && !strncmp(rest, "ro", 2) && strchr(",\n", rest[2]);
}

/* Of one row that @use has seen it wants no other one. NULL: of all superblocks. */
static void table_search(const char *path, const char *superblock,
			 bool (*use)(struct table_row *row, void *context),
			 void *context)
{
	FILE *table = fopen(path, "re");
	struct table_row row;
	char *line = NULL;
	size_t room = 0;
	bool going = true;

	while (table && going && getline(&line, &room, table) > 0) {
		if (table_split(line, &row) &&
		    (!superblock || !strcmp(row.number, superblock)))
			going = use(&row, context);
	}
	free(line);
	if (table)
		fclose(table);
}

struct table_place {
	bool whole, found;
	char *where;
};

static bool table_take(struct table_row *row, void *context)
{
	struct table_place *place = context;

	if (place->whole && strcmp(row->root, "/"))
		return true;
	text_plain_table(row->place);
	snprintf(place->where, PATH_MAX, "%s", row->place);
	place->found = true;
	return false;
}

bool table_find(const char *superblock, bool whole, char where[PATH_MAX])
{
	struct table_place place = { .whole = whole, .where = where };

	table_search("/proc/self/mountinfo", superblock, table_take, &place);
	return place.found;
}

static bool table_add(struct table_row *row, void *context)
{
	(void)row;
	++*(unsigned int *)context;
	return true;
}

unsigned int table_count(const char *superblock)
{
	unsigned int count = 0;

	table_search("/proc/self/mountinfo", superblock, table_add, &count);
	return count;
}

static bool table_look(struct table_row *row, void *context)
{
	*(bool *)context = table_row_is_readonly(row->rest);
	return false;
}

bool table_is_readonly(const char *superblock)
{
	bool readonly = false;

	table_search("/proc/self/mountinfo", superblock, table_look, &readonly);
	return readonly;
}

/* @call is made, with @context, for each mount of that type. */
struct table_type {
	const char *type;
	void (*call)(void *context, const struct table_mount *mount);
	void *context;
};

/* Who has made it is among the options of all, which users do not write. */
static bool table_is_roots(const char *options)
{
	const char *user = strstr(options, ",user_id=0");

	return user && strchr(",\n", user[strlen(",user_id=0")]);
}

static bool table_tell(struct table_row *row, void *context)
{
	const struct table_type *wanted = context;
	struct table_mount mount;
	char *word, *type, *source;

	while ((word = strsep(&row->rest, " ")) && strcmp(word, "-"))
		;
	type = strsep(&row->rest, " ");
	source = strsep(&row->rest, " ");
	if (!row->rest || strcmp(type, wanted->type) ||
	    !table_is_roots(row->rest))
		return true;
	text_plain_table(row->place);
	text_plain_table(source);
	snprintf(mount.number, sizeof(mount.number), "%s", row->number);
	snprintf(mount.where, sizeof(mount.where), "%s", row->place);
	snprintf(mount.source, sizeof(mount.source), "%s", source);
	wanted->call(wanted->context, &mount);
	return true;
}

void table_each(const char *type,
		void (*call)(void *context, const struct table_mount *mount),
		void *context)
{
	struct table_type wanted = { type, call, context };

	table_search("/proc/self/mountinfo", NULL, table_tell, &wanted);
}

bool table_find_anywhere(const char *superblock)
{
	DIR *processes = opendir("/proc");
	unsigned int pid, count = 0;
	struct dirent *entry;
	char path[64];

	while (processes && !count && (entry = readdir(processes))) {
		if (sscanf(entry->d_name, "%u", &pid) != 1)
			continue;
		snprintf(path, sizeof(path), "/proc/%u/mountinfo", pid);
		table_search(path, superblock, table_add, &count);
	}
	if (processes)
		closedir(processes);
	return count;
}
