// SPDX-License-Identifier: GPL-2.0
/*
 * fsck.famfs: checks a file system, and mends what can be mended.
 *
 * Everything is read as a mount reads it, so what it finds to be whole mounts.
 * Exit codes as in fsck(8).
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lines.h"
#include "super.h"

enum {
	FSCK_CLEAN = 0, FSCK_MENDED = 1, FSCK_BAD = 4, FSCK_ERROR = 8,
	FSCK_USAGE = 16,
};

static const char fsck_help[] =
	"Usage: fsck.famfs [OPTION...] DEVICE\n"
	"\n"
	"Checks a famfs file system. Without -y nothing is written, so it can be\n"
	"mounted meanwhile.\n"
	"\n"
	"  -n, --no       write nothing (usual)\n"
	"  -y, --yes      mend what can be mended; nobody may have it mounted\n"
	"      --dead     with -y: hosts that are in and silent are dead\n"
	"  -a, -p         as -n: a boot has nothing to mend\n"
	"  -q, --quiet    say nothing but errors\n"
	"  -h, --help\n"
	"\n"
	"Status: 0 clean, 1 mended, 4 not mended, 8 not checked, 16 usage.\n";

struct fsck {
	const char *device;
	struct media *media;
	struct super super;
	bool mend, dead;
	int status;
};

static void fsck_found(struct fsck *fsck, bool mended, const char *text)
{
	fprintf(stderr, "famfs: %s: %s: %s\n", fsck->device, text,
		mended ? "mended" : "not mended");
	fsck->status |= mended ? FSCK_MENDED : FSCK_BAD;
}

/* The superblock, or else its copy. False: there is none. */
static bool fsck_super(struct fsck *fsck)
{
	struct fault fault = { 0 };
	int err = super_read_either(&fsck->super, fsck->media, &fault);
	char other[120];

	if (err < 0) {
		cmd_fail_fault(fsck->device, err, &fault);
		fsck->status |= FSCK_ERROR;
		return false;
	}
	if (err && fault.kind == FAULT_FOREIGN &&
	    signature_find_other(fsck->media, other, sizeof(other)) > 0) {
		cmd_fail(fsck->device, "fsck(8) of that",
			 "it holds %s, over a famfs of which the copy of the superblock is left",
			 other);
		fsck->status |= FSCK_ERROR;
		return false;
	}
	if (!err && super_has_copy(&fsck->super, fsck->media))
		return true;
	if (!fsck->mend || super_write(&fsck->super, fsck->media)) {
		fsck_found(fsck, false, err ? "the superblock is damaged, its copy is whole" :
			   "the copy of the superblock is damaged");
		return !err;
	}
	fsck_found(fsck, true, err ? "the superblock was damaged" :
		   "the copy of the superblock was damaged");
	return true;
}

static void fsck_roots(struct fsck *fsck)
{
	const uint8_t *uuid = fsck->super.uuid;
	struct root root;

	if (root_count(fsck->media, uuid) == 2)
		return;
	/* None: replaying says so. */
	if (root_read(&root, fsck->media, uuid))
		return;
	if (fsck->mend && !root_write(&root, fsck->media, uuid))
		fsck_found(fsck, true, "one of the two root lines was torn");
	else
		fsck_found(fsck, false,
			   "one of the two root lines is torn; the next mount by the owner writes it");
}

static void fsck_show(struct fsck *fsck, struct volume *volume)
{
	struct volume_stat stat;

	volume_statfs(volume, &stat);
	cmd_say("%s: %" PRIu64 " inodes, %" PRIu64 " names, %" PRIu64 " extents",
		fsck->device, stat.inodes, stat.names, stat.extents);
	cmd_say("  %s free of %s, %s wait; log %s of %s, record %" PRIu64 ", owner %s%s",
		cmd_bytes(stat.free), cmd_bytes(stat.total),
		cmd_bytes(stat.waiting), cmd_bytes(stat.log_used),
		cmd_bytes(stat.log_bytes), stat.seq, cmd_text(stat.owner),
		stat.owned ? " (in)" : "");
}

/* Takes the file system over as its owner does, before the damage. */
static void fsck_mend_log(struct fsck *fsck, const struct fault *damage)
{
	struct volume_options options = { .how = VOLUME_OWN | VOLUME_MEND |
						 VOLUME_UNUSED };
	struct fault fault = { 0 };
	struct volume *volume;
	int err = cmd_own(&options);

	if (!err)
		err = cmd_volume_open(&volume, fsck->media, &options, &fault);
	if (err) {
		cmd_fail_fault(fsck->device, err, &fault);
		fsck_found(fsck, false, damage->text);
		return;
	}
	fsck_show(fsck, volume);
	err = volume_leave(volume);
	volume_close(volume);
	fsck_found(fsck, !err, damage->text);
}

static void fsck_log(struct fsck *fsck)
{
	struct volume_options options = { .how = VOLUME_READ };
	struct fault fault = { 0 };
	struct volume *volume;
	int err = cmd_volume_open(&volume, fsck->media, &options, &fault);

	if (!err) {
		fsck_show(fsck, volume);
		volume_close(volume);
		return;
	}
	if (fault.kind != FAULT_LOG || !fsck->mend) {
		cmd_fail_fault(fsck->device, err, &fault);
		fsck->status |= fault.kind == FAULT_NONE ||
				fault.kind == FAULT_ACCESS ?
				FSCK_ERROR : FSCK_BAD;
		return;
	}
	/* All that follows is lost, whatever it says. */
	fprintf(stderr, "famfs: %s: %s; what was logged behind it is lost\n",
		fsck->device, fault.text);
	fsck_mend_log(fsck, &fault);
}

static bool fsck_allowed(struct fsck *fsck)
{
	char name[HOST_NAME_MOST + 1];
	bool living;

	/* Without any superblock nothing is written either. */
	if (!fsck->mend || hosts_in(fsck->media, &living, name) <= 0 ||
	    (!living && fsck->dead))
		return true;
	cmd_fail(fsck->device, living ? "umount it on every host" :
		 "fsck.famfs -y --dead DEVICE   if that host is dead",
		 living ? "%s has it mounted" : "%s is in and silent",
		 cmd_text(name));
	return false;
}

static int fsck_run(struct fsck *fsck)
{
	fsck->media = cmd_open(fsck->device, fsck->mend ?
			       MEDIA_WRITE | MEDIA_EXCLUSIVE : 0);
	if (!fsck->media)
		return FSCK_ERROR;
	if (!fsck_allowed(fsck)) {
		fsck->status = FSCK_ERROR;
	} else if (fsck_super(fsck)) {
		fsck_roots(fsck);
		fsck_log(fsck);
	}
	media_close(fsck->media);
	if (!fsck->status)
		cmd_say("%s: clean", fsck->device);
	return fsck->status;
}

int cmd_fsck(int argc, char **argv)
{
	static const struct option options[] = {
		{ "no", no_argument, NULL, 'n' },
		{ "yes", no_argument, NULL, 'y' },
		{ "dead", no_argument, NULL, 'd' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct fsck fsck = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "nyapqh", options,
				     NULL)) >= 0) {
		if (option == 'h') {
			fputs(fsck_help, stdout);
			return 0;
		}
		if (option == '?')
			return FSCK_USAGE;
		fsck.mend |= option == 'y';
		fsck.dead |= option == 'd';
		cmd_quiet |= option == 'q';
	}
	if (optind != argc - 1) {
		cmd_fail("fsck.famfs", "fsck.famfs --help",
			 "one device must be named");
		return FSCK_USAGE;
	}
	fsck.device = argv[optind];
	return fsck_run(&fsck);
}
