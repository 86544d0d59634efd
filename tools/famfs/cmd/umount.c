// SPDX-License-Identifier: GPL-2.0
/*
 * famfs umount, which umount(8) calls as umount.fuse.famfs: unmounts, and waits
 * until the device is free.
 */

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "ask.h"
#include "cmd.h"

/* Between two looks whether the server has ended, in microseconds. */
#define UMOUNT_LOOK_US	10000

/* After so many the user is told what is being waited for. */
#define UMOUNT_LOOKS	200

static const char umount_help[] =
	"Usage: famfs umount [OPTION...] DIRECTORY\n"
	"\n"
	"Unmounts a famfs file system, and waits until its device is free.\n"
	"\n"
	"  -l, --lazy     take it out of the tree now; it ends when nobody uses it\n"
	"  -f, --force    cut it off from its server: what is open fails, and this\n"
	"                 host stays in until the next mount\n"
	"  -q, --quiet    say nothing but errors\n"
	"  -h, --help\n";

static void umount_note(void *context, const struct answer *answer)
{
	*(struct answer *)context = *answer;
}

/* Mounts elsewhere, in other namespaces too, keep the server. */
static void umount_wait(const char *path, const char *uuid)
{
	struct answer answer;

	for (unsigned int looks = 0; ; looks++) {
		int err = ask_uuid(uuid, "status", &answer);
		bool serving;

		/* One that is slow has not ended. */
		if (err && err != -ETIMEDOUT)
			return;
		serving = !err && !strcmp(ask_value(&answer, "state"),
					  "serving");

		if (serving && looks > UMOUNT_LOOKS) {
			cmd_say("%s: still mounted elsewhere: its server goes on",
				path);
			return;
		}
		if (!serving && looks == UMOUNT_LOOKS)
			cmd_say("%s: waiting: pages of it are in use by I/O, or in a pipe",
				path);
		usleep(UMOUNT_LOOK_US);
	}
}

/*
 * Unmounting may need a server, and would wait for one: the kernel tells times
 * and sizes that it has not told yet.
 */
static bool umount_revive(const struct answer *stopped, const char *path)
{
	struct answer answer;
	char next[PATH_MAX + 128];

	if (!ask_uuid(stopped->uuid, "restart", &answer) &&
	    !ask_next(stopped->uuid, "0", &answer))
		return true;
	snprintf(next, sizeof(next), "journalctl -t famfs   tells why; famfs umount -f %s   does without one",
		 path);
	cmd_fail(path, next, "its servers die, and unmounting needs one");
	return false;
}

static int umount_one(const char *directory, int flags)
{
	char path[PATH_MAX], next[PATH_MAX + 64];
	struct answer answer = { .uuid = "" };

	if (!realpath(directory, path))
		snprintf(path, sizeof(path), "%s", directory);
	ask_status(path, umount_note, &answer);
	if (answer.uuid[0] && !flags &&
	    !strcmp(ask_value(&answer, "state"), "stopped") &&
	    !umount_revive(&answer, path))
		return 32;
	if (umount2(path, flags)) {
		int err = errno;

		snprintf(next, sizeof(next), err == EBUSY ?
			 "fuser -vm %s   shows who uses it" : err == EINVAL ?
			 "findmnt -t fuse.famfs   shows what is mounted" :
			 "run it as root", path);
		cmd_fail(path, next, "%s", err == EINVAL ? "it is not mounted" :
			 strerror(err));
		return 32;
	}
	if (answer.uuid[0] && !(flags & MNT_DETACH))
		umount_wait(path, answer.uuid);
	return 0;
}

int cmd_umount(int argc, char **argv)
{
	static const struct option options[] = {
		{ "lazy", no_argument, NULL, 'l' },
		{ "force", no_argument, NULL, 'f' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int option, flags = 0;

	while ((option = getopt_long(argc, argv, "lfqnrvN:t:h", options,
				     NULL)) >= 0) {
		if (option == 'h') {
			fputs(umount_help, stdout);
			return 0;
		}
		if (option == '?')
			return 1;
		if (option == 'l')
			flags |= MNT_DETACH;
		if (option == 'f')
			flags |= MNT_FORCE;
		cmd_quiet |= option == 'q';
	}
	if (optind != argc - 1) {
		cmd_fail("famfs umount", "famfs umount --help",
			 "one directory must be named");
		return 1;
	}
	return umount_one(argv[optind], flags);
}
