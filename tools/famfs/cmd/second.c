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
#include <unistd.h>

#include "ask.h"
#include "cmd.h"
#include "second.h"
#include "table.h"

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
	const struct second_option *option;
	char name[32];

	memset(attr, 0, sizeof(*attr));
	for (; *list; list += strcspn(list, ","), list += *list == ',') {
		/* None of them is as long as that. */
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(list, ","),
			 list);
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

/* Where the table shows a mount, another one may lie over it. */
static bool second_is(int tree, const char *superblock)
{
	char number[TABLE_NUMBER];

	return table_number(tree, "", number) && !strcmp(number, superblock);
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

/**
 * struct second - what is known of the server that has the file system
 * @superblock: its number, as the server knows it: users can lie about the rest;
 *		or "", where it is not served
 * @place: where it was mounted first, where it has lost its server; or ""
 * @other: another device, which is mounted and has the same uuid; or ""
 */
struct second {
	const struct serve *wanted;
	char superblock[TABLE_NUMBER];
	char place[PATH_MAX], other[PATH_MAX];
};

/* By number: a device can have several names. */
static bool second_is_device(const char *one, const char *other)
{
	struct stat a, b;

	if (stat(one, &a) || stat(other, &b) || !S_ISCHR(a.st_mode) ||
	    !S_ISCHR(b.st_mode))
		return !strcmp(one, other);
	return a.st_rdev == b.st_rdev;
}

static void second_note(void *context, const struct answer *answer)
{
	struct second *second = context;
	const char *device = ask_value(answer, "device");
	const char *state = ask_value(answer, "state");

	if (!second_is_device(device, second->wanted->device)) {
		if (!strcmp(ask_value(answer, "uuid"), second->wanted->uuid) &&
		    strcmp(state, "ending"))
			snprintf(second->other, PATH_MAX, "%s", device);
		return;
	}
	if (!strcmp(state, "serving"))
		snprintf(second->superblock, sizeof(second->superblock), "%s",
			 ask_value(answer, "superblock"));
	else if (!strcmp(state, "stopped"))
		snprintf(second->place, PATH_MAX, "%s",
			 ask_value(answer, "mountpoint"));
}

/* One socket a uuid: two of them cannot be told apart. False: it was refused. */
static bool second_ask(struct second *second)
{
	const struct serve *wanted = second->wanted;
	struct answer answer;
	int err;

	if (!wanted->uuid[0])
		return true;
	err = ask_again(wanted->uuid, "status", wanted->device, &answer);
	if (!err)
		second_note(second, &answer);
	if (err == -ETIMEDOUT)
		cmd_fail(wanted->device, "try it again, if it reads a long log; findmnt -t fuse.famfs   shows what is mounted",
			 "its server has not answered for a minute");
	else if (second->other[0])
		cmd_fail(wanted->device, "famfs umount DIR, of the other one; mkfs.famfs -f makes this one anew",
			 "it has the uuid of %s, which is mounted: one is a copy of the other",
			 cmd_text(second->other));
	else if (second->place[0])
		cmd_fail(wanted->device, "famfs restart DIR, or famfs umount DIR",
			 "it is mounted at %s, where its server has died too often",
			 cmd_text(second->place));
	else
		return true;
	return false;
}

int second_mount_point(const struct serve *wanted)
{
	struct second second = { .wanted = wanted };
	struct mount_attr attr;
	char where[PATH_MAX];
	int err;

	if (!second_ask(&second))
		return SECOND_FAILED;
	if (!second.superblock[0] ||
	    !table_find(second.superblock, true, where))
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
	    !table_is_readonly(second.superblock))
		return 0;
	umount2(wanted->mountpoint, MNT_DETACH);
	cmd_fail(wanted->mountpoint, "mount it with -o ro, or umount it there first",
		 "it is mounted at %s, for reading only", where);
	return SECOND_FAILED;
}
