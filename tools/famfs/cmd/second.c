// SPDX-License-Identifier: GPL-2.0
/*
 * One more mount point of what a server of this host has mounted: a bind mount
 * of the first one, with options of its own.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ask.h"
#include "cmd.h"
#include "second.h"

/* What a mount point has for itself. */
static const struct second_option {
	const char *name;
	uint64_t set, clear;
} second_options[] = {
	{ "ro", MOUNT_ATTR_RDONLY, 0 },
	{ "rw", 0, MOUNT_ATTR_RDONLY },
	{ "nosuid", MOUNT_ATTR_NOSUID, 0 },
	{ "suid", 0, MOUNT_ATTR_NOSUID },
	{ "nodev", MOUNT_ATTR_NODEV, 0 },
	{ "dev", 0, MOUNT_ATTR_NODEV },
	{ "noexec", MOUNT_ATTR_NOEXEC, 0 },
	{ "exec", 0, MOUNT_ATTR_NOEXEC },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
	{ "diratime", 0, MOUNT_ATTR_NODIRATIME },
	{ "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR_STRICTATIME },
	{ "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR_NOATIME },
	{ "relatime", 0, MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME },
	{ "atime", 0, MOUNT_ATTR_NOATIME },
	{ "norelatime", 0, 0 },
	/* Of the whole file system, and as it is without a word. */
	{ "async", 0, 0 },
	{ "nolazytime", 0, 0 },
};

static const struct second_option *second_option_find(const char *name)
{
	for (size_t i = 0; i < sizeof(second_options) / sizeof(*second_options);
	     i++) {
		if (!strcmp(second_options[i].name, name))
			return &second_options[i];
	}
	return NULL;
}

/* Of options separated by commas the later ones count. */
static bool second_attr(const char *list, struct mount_attr *attr)
{
	char options[512], *rest = options, *name;
	const struct second_option *option;

	snprintf(options, sizeof(options), "%s", list);
	memset(attr, 0, sizeof(*attr));
	while ((name = strsep(&rest, ","))) {
		option = second_option_find(name);
		if (!option) {
			cmd_fail(name, "leave it out, or umount the file system everywhere first",
				 "it is an option of the whole file system, which is mounted already");
			return false;
		}
		attr->attr_set = (attr->attr_set & ~option->clear) |
				 option->set;
	}
	/* What the first mount point has does not count. */
	attr->attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
			 MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
			 MOUNT_ATTR_NODIRATIME | MOUNT_ATTR__ATIME;
	return true;
}

/* All of it that nobody sees yet, or nothing. 0 or -errno. */
static int second_mount(const char *where, const char *to,
			struct mount_attr *attr)
{
	int tree = open_tree(AT_FDCWD, where, OPEN_TREE_CLONE |
			     OPEN_TREE_CLOEXEC), err = 0;

	if (tree < 0)
		return -errno;
	if (mount_setattr(tree, "", AT_EMPTY_PATH, attr, sizeof(*attr)) ||
	    move_mount(tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH))
		err = -errno;
	close(tree);
	return err;
}

struct second {
	const char *device;
	char source[PATH_MAX];
};

static void second_note(void *context, const struct answer *answer)
{
	struct second *second = context;

	if (!strcmp(ask_value(answer, "device"), second->device) &&
	    !strcmp(ask_value(answer, "state"), "serving"))
		snprintf(second->source, sizeof(second->source), "%s",
			 ask_value(answer, "source"));
}

/* Where is it mounted as a whole, in this namespace? */
static bool second_find(const char *source, char *where)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	char line[3 * PATH_MAX], root[PATH_MAX], at[PATH_MAX], from[PATH_MAX];
	const char *rest;
	bool found = false;

	while (table && !found && fgets(line, sizeof(line), table)) {
		rest = strstr(line, " - fuse.famfs ");
		if (!rest ||
		    sscanf(rest, " - fuse.famfs %4095s", from) != 1 ||
		    sscanf(line, "%*s %*s %*s %4095s %4095s", root, at) != 2)
			continue;
		text_plain_table(from);
		text_plain_table(at);
		found = !strcmp(from, source) && !strcmp(root, "/");
	}
	if (table)
		fclose(table);
	if (found)
		strcpy(where, at);
	return found;
}

int second_mount_point(const struct serve *wanted)
{
	struct second second = { .device = wanted->device };
	struct mount_attr attr;
	struct statvfs st;
	char where[PATH_MAX];
	int err;

	ask_status(wanted->device, second_note, &second);
	if (!second.source[0] || !second_find(second.source, where))
		return -1;
	if (!second_attr(wanted->flags, &attr))
		return SECOND_FAILED;
	err = second_mount(where, wanted->mountpoint, &attr);
	if (err) {
		cmd_fail_errno(wanted->mountpoint, err);
		return SECOND_FAILED;
	}
	if (attr.attr_set & MOUNT_ATTR_RDONLY ||
	    statvfs(wanted->mountpoint, &st) || !(st.f_flag & ST_RDONLY))
		return 0;
	umount2(wanted->mountpoint, MNT_DETACH);
	cmd_fail(wanted->mountpoint, "mount it with -o ro, or umount it there first",
		 "it is mounted at %s, for reading only", where);
	return SECOND_FAILED;
}
