// SPDX-License-Identifier: GPL-2.0
/*
 * mount -o remount, which comes here where fstab names the type famfs: what
 * mount(8) does by itself otherwise. The server has nothing to do with it.
 */

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "ask.h"
#include "child.h"
#include "cmd.h"
#include "second.h"

static const struct again_option {
	const char *name;
	unsigned long set, clear;
} again_options[] = {
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },
	{ "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },
	{ "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "diratime", 0, MS_NODIRATIME },
	{ "noatime", MS_NOATIME, MS_STRICTATIME | MS_RELATIME },
	{ "atime", 0, MS_NOATIME },
	{ "relatime", MS_RELATIME, MS_NOATIME | MS_STRICTATIME },
	{ "norelatime", 0, MS_RELATIME },
	{ "strictatime", MS_STRICTATIME, MS_NOATIME | MS_RELATIME },
	{ "lazytime", MS_LAZYTIME, 0 },
	{ "nolazytime", 0, MS_LAZYTIME },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },
};

/* Of options separated by commas the later ones count. */
static unsigned long again_flags(const char *list)
{
	unsigned long flags = MS_REMOUNT;

	for (; *list; list += strcspn(list, ","), list += *list == ',') {
		size_t bytes = strcspn(list, ",");

		for (size_t i = 0; i < sizeof(again_options) /
		     sizeof(*again_options); i++) {
			const struct again_option *option = &again_options[i];

			if (strncmp(option->name, list, bytes) ||
			    option->name[bytes])
				continue;
			flags = (flags & ~option->clear) | option->set;
		}
	}
	return flags;
}

struct again_call {
	const char *mountpoint;
	unsigned long flags;
	int err;
};

static void again_call(void *context)
{
	struct again_call *call = context;

	call->err = mount("none", call->mountpoint, NULL, call->flags, NULL) ?
		    -errno : 0;
}

/* It may have times and sizes to tell. 0, -ETIMEDOUT: not yet, other -errno. */
static int again_mount(const struct serve *wanted)
{
	struct again_call *call = child_memory(sizeof(*call));
	struct child child;
	int err;

	if (!call)
		return -ENOMEM;
	*call = (struct again_call) { wanted->mountpoint,
				      again_flags(wanted->flags), -EIO };
	err = child_start(&child, true, again_call, call);
	if (!err && !child_ended(&child, CHILD_MS)) {
		ask_tell(wanted->mountpoint);
		if (!child_ended(&child, ASK_LIMIT_MS)) {
			/* What it has to tell must not be lost. */
			child_leave(&child);
			err = -ETIMEDOUT;
		}
	}
	if (!err)
		err = call->err;
	child_forget(call, sizeof(*call));
	return err;
}

int mount_again(const struct serve *wanted)
{
	int err = again_mount(wanted);

	if (!err)
		return 0;
	if (err == -EINVAL)
		cmd_fail(wanted->mountpoint, "mount it without the option remount",
			 "nothing is mounted there");
	else if (err == -EBUSY)
		cmd_fail(wanted->mountpoint, "fuser -vm DIR   shows who uses it",
			 "files are open for writing");
	else if (err == -ETIMEDOUT)
		cmd_fail(wanted->mountpoint, "famfs restart DIR, if famfs status DIR shows that it has stopped",
			 "its server has not answered for a minute; it goes on when one does");
	else
		cmd_fail_errno(wanted->mountpoint, err);
	return SECOND_FAILED;
}
