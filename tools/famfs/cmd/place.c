// SPDX-License-Identifier: GPL-2.0
/*
 * What a path leads to. Names on the way can be those of a file system whose
 * server has stopped, and even the root of one can ask it: after a slash, or once
 * its attributes are old.
 */

#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "cmd.h"

/* @place and @err are what the child tells. */
struct place_look {
	const char *name;
	bool ask;
	int err;
	struct place place;
};

/* As the kernel calls it, which asks nobody; realpath() does. */
static void place_name(int fd, struct place *place)
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, place->path, sizeof(place->path) - 1);
	place->path[n < 0 ? 0 : n] = '\0';
}

static void place_look(void *context)
{
	struct place_look *look = context;
	struct place *place = &look->place;
	int fd = open(look->name, O_PATH | O_CLOEXEC);
	struct statx st;

	look->err = fd < 0 ||
		    statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT |
			  (look->ask ? AT_STATX_FORCE_SYNC :
			   AT_STATX_DONT_SYNC), STATX_TYPE, &st) ? -errno : 0;
	if (!look->err) {
		place->mode = st.stx_mode;
		snprintf(place->number, TABLE_NUMBER, "%u:%u",
			 st.stx_dev_major, st.stx_dev_minor);
		place_name(fd, place);
	}
	if (fd >= 0)
		close(fd);
}

int place_find(const char *name, bool ask, struct place *place)
{
	struct place_look *look = child_memory(sizeof(*look));
	struct child child;
	int err = -ENOMEM;

	memset(place, 0, sizeof(*place));
	if (look) {
		look->name = name;
		look->ask = ask;
		/* Where the child is killed by somebody else. */
		look->err = -EIO;
		err = child_start(&child, false, place_look, look);
	}
	if (!err && !child_ended(&child, CHILD_MS)) {
		child_kill(&child);
		err = -ETIMEDOUT;
	} else if (!err) {
		err = look->err;
	}
	if (!err)
		*place = look->place;
	/* Without proc, too, and where it lies outside of this root. */
	if (place->path[0] != '/')
		snprintf(place->path, PATH_MAX, "%s", name);
	if (look)
		child_forget(look, sizeof(*look));
	return err;
}

bool place_answers(const char *name)
{
	struct place place;

	if (place_find(name, true, &place) != -ETIMEDOUT)
		return true;
	cmd_fail(cmd_text(name), "famfs status   shows how servers are",
		 "whoever serves the file system there does not answer");
	return false;
}
