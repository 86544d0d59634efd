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
#include <sys/stat.h>
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

/*
 * Where the table shows a mount, another one may lie over it. Without a request:
 * that one may have a server.
 */
static bool second_is(int tree, const char *superblock)
{
	char number[32];
	struct statx st;

	if (statx(tree, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st))
		return false;
	snprintf(number, sizeof(number), "%u:%u", st.stx_dev_major,
		 st.stx_dev_minor);
	return !strcmp(number, superblock);
}

/* All of it that nobody sees yet, or nothing. 0 or -errno. */
static int second_mount(const char *where, const char *superblock,
			const char *to, struct mount_attr *attr)
{
	int tree = open_tree(AT_FDCWD, where, OPEN_TREE_CLONE |
			     OPEN_TREE_CLOEXEC), err = 0;

	if (tree < 0)
		return -errno;
	if (!second_is(tree, superblock))
		err = -EBUSY;
	else if (mount_setattr(tree, "", AT_EMPTY_PATH, attr, sizeof(*attr)) ||
	    move_mount(tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH))
		err = -errno;
	close(tree);
	return err;
}

/* @superblock: its number, as the server knows it: users can lie about the rest. */
struct second {
	const char *device;
	char superblock[32];
};

static void second_note(void *context, const struct answer *answer)
{
	struct second *second = context;

	if (!strcmp(ask_value(answer, "device"), second->device) &&
	    !strcmp(ask_value(answer, "state"), "serving"))
		snprintf(second->superblock, sizeof(second->superblock), "%s",
			 ask_value(answer, "superblock"));
}

/* Where is it mounted as a whole, in this namespace? */
static bool second_find(const char *superblock, char *where)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	char line[3 * PATH_MAX], root[PATH_MAX], at[PATH_MAX], number[32];
	bool found = false;

	while (table && !found && fgets(line, sizeof(line), table)) {
		if (sscanf(line, "%*s %*s %31s %4095s %4095s", number, root,
			   at) != 3)
			continue;
		text_plain_table(at);
		found = !strcmp(number, superblock) && !strcmp(root, "/");
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
	if (!second.superblock[0] || !second_find(second.superblock, where))
		return -1;
	if (!second_attr(wanted->flags, &attr))
		return SECOND_FAILED;
	err = second_mount(where, second.superblock, wanted->mountpoint,
			   &attr);
	if (err == -EBUSY) {
		cmd_fail(where, "umount that, or mount --bind another mount point",
			 "something else is mounted over it");
		return SECOND_FAILED;
	}
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
