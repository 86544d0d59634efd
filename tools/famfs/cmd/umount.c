// SPDX-License-Identifier: GPL-2.0
/*
 * famfs umount, which umount(8) calls as umount.fuse.famfs: unmounts, and waits
 * until the device is free.
 */

#include <errno.h>
#include <fcntl.h>
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
#include "place.h"
#include "table.h"
#include "umount.h"

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

/*
 * Unmounting may need a server, and would wait for one: the kernel tells times
 * and sizes that it has not told yet.
 */
static bool umount_revive(struct answer *stopped, const char *path)
{
	struct answer answer;
	char next[PATH_MAX + 128];
	int err = ask_uuid(stopped->uuid, "restart", &answer);

	if (!err)
		err = ask_next(stopped->uuid, "0", path, &answer);
	if (!err)
		*stopped = answer;
	if (!err)
		return true;
	snprintf(next, sizeof(next), "journalctl -t famfs   tells why; famfs umount -f %s   does without one",
		 path);
	cmd_fail(path, next, err == -ETIMEDOUT ?
		 "its next server has not answered for a minute, and unmounting needs one" :
		 "its servers die, and unmounting needs one");
	return false;
}

static int umount_fail(const char *path, int err)
{
	char next[PATH_MAX + 64];

	snprintf(next, sizeof(next), err == -EBUSY ?
		 "fuser -vm %s   shows who uses it" : err == -EINVAL ?
		 "findmnt -t fuse.famfs   shows what is mounted" :
		 "run it as root", path);
	cmd_fail(path, next, "%s", err == -EINVAL ? "it is not mounted" :
		 strerror(-err));
	return UMOUNT_FAILED;
}

static int umount_one(const char *directory, int flags)
{
	struct umount_target target = { .flags = flags };
	struct place place;
	int err;

	err = place_find(directory, false, &place);
	if (err == -ETIMEDOUT) {
		cmd_fail(directory, "name it as findmnt shows it",
			 "whoever serves what lies on the way there does not answer");
		return UMOUNT_FAILED;
	}
	target.path = place.path;
	target.number = place.number;
	/* Whoever does not want to wait does without. */
	if (!err)
		ask_find(ask_is_superblock, place.number, place.path,
			 flags ? 0 : ASK_LIMIT_MS, &target.answer);
	target.elsewhere = !err && table_count(place.number) > 1;
	if (target.answer.uuid[0] && !flags &&
	    !strcmp(ask_value(&target.answer, "state"), "stopped") &&
	    !umount_revive(&target.answer, place.path))
		return UMOUNT_FAILED;
	err = umount_call(&target);
	if (err > 0)
		return UMOUNT_FAILED;
	return err ? umount_fail(place.path, err) : umount_wait(&target);
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
