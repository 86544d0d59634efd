// SPDX-License-Identifier: GPL-2.0
/*
 * famfs compact: a new snapshot, and the log begins anew. It happens by itself
 * when the log is full.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "cmd.h"

static const char compact_help[] =
	"Usage: famfs compact [OPTION...] DIRECTORY|DEVICE\n"
	"\n"
	"Writes a snapshot and begins the log anew, which happens by itself when the\n"
	"log is full. The file system may be mounted here.\n"
	"\n"
	"  -q, --quiet    say nothing but errors\n"
	"  -h, --help\n";

/* One that hangs at it would do so for whoever asks next. */
static void compact_tell_hang(const char *what, const struct answer *status)
{
	char next[200];

	snprintf(next, sizeof(next), "famfs status   shows whether it answers; pkill -9 -P %s   has another server go on",
		 ask_value(status, "parent"));
	cmd_fail(what, next, "its server has not got on with it for a minute: it hangs, or reads a long log");
}

static int compact_mounted(const char *what, const struct answer *status)
{
	struct answer answer;
	const char *result = "its server has ended, or has died";
	int err;

	if (!strcmp(ask_value(status, "state"), "stopped")) {
		cmd_fail(what, "famfs restart DIRECTORY, or famfs umount DIRECTORY",
			 "its server has died too often");
		return 1;
	}
	err = ask_work(status->uuid, "compact", what, &answer);
	if (err == -ETIMEDOUT) {
		compact_tell_hang(what, status);
		return 1;
	}
	if (!err)
		result = ask_value(&answer, "result");
	if (!strcmp(result, "done")) {
		cmd_say("%s: compacted", what);
		return 0;
	}
	cmd_fail(what, "famfs status", "%s", *result ? result :
		 "its server has died");
	return 1;
}

/* Whoever takes it over writes a snapshot. */
static int compact_device(const char *device)
{
	struct volume_options options = { .how = VOLUME_OWN | VOLUME_UNUSED };
	struct fault fault = { 0 };
	struct volume *volume;
	struct media *media;
	int err = cmd_own(&options);

	media = cmd_open(device, MEDIA_WRITE | MEDIA_EXCLUSIVE);
	if (!media)
		return 1;
	if (!err)
		err = cmd_volume_open(&volume, media, &options, &fault);
	if (err) {
		cmd_fail_fault(device, err, &fault);
	} else {
		err = volume_leave(volume);
		if (err)
			cmd_fail_errno(device, err);
		else
			cmd_say("%s: compacted", device);
		volume_close(volume);
	}
	media_close(media);
	return err ? 1 : 0;
}

int cmd_compact(int argc, char **argv)
{
	struct answer answer;
	int status;

	status = cmd_options(argc, argv, compact_help, NULL);
	if (status >= 0)
		return status;
	if (optind != argc - 1) {
		cmd_fail("famfs compact", "famfs compact --help",
			 "one device or directory must be named");
		return 2;
	}
	status = ask_find_name(argv[optind], &answer);
	if (!status)
		return compact_mounted(argv[optind], &answer);
	return status == -ENOENT ? compact_device(argv[optind]) : 1;
}
