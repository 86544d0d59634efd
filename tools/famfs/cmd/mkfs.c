// SPDX-License-Identifier: GPL-2.0
/*
 * mkfs.famfs: makes a file system.
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <uuid/uuid.h>

#include "cmd.h"
#include "super.h"

static const char mkfs_help[] =
	"Usage: mkfs.famfs [OPTION...] DEVICE\n"
	"\n"
	"Makes a famfs file system on a dax device, or in a plain file.\n"
	"\n"
	"  -L, --label TEXT        a label of at most 32 bytes\n"
	"  -U, --uuid UUID         this uuid, not a random one\n"
	"  -N, --dry-run           show the layout and write nothing\n"
	"  -f, --force             over what is on the device\n"
	"      --dead              over hosts that are in and silent: they are dead\n"
	"      --unit BYTES        unit of space, 4K (usual) to 2M\n"
	"      --log-size BYTES    of each of the 3 log areas, 16M to 1G; usual:\n"
	"                          1/128 of the device\n"
	"      --coherence KIND    software (usual) or hardware\n"
	"  -q, --quiet             say nothing but errors\n"
	"  -h, --help\n";

struct mkfs {
	struct volume_format format;
	bool dry, force, dead;
	const char *device;
};

enum { OPTION_DEAD = 256, OPTION_UNIT, OPTION_LOG, OPTION_COHERENCE };

static const struct option mkfs_options[] = {
	{ "label", required_argument, NULL, 'L' },
	{ "uuid", required_argument, NULL, 'U' },
	{ "dry-run", no_argument, NULL, 'N' },
	{ "force", no_argument, NULL, 'f' },
	{ "dead", no_argument, NULL, OPTION_DEAD },
	{ "unit", required_argument, NULL, OPTION_UNIT },
	{ "log-size", required_argument, NULL, OPTION_LOG },
	{ "coherence", required_argument, NULL, OPTION_COHERENCE },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static bool mkfs_unit(struct mkfs *mkfs, const char *text)
{
	uint64_t unit;

	if (!cmd_size(text, &unit) || unit < UNIT_LEAST || unit > UNIT_MOST ||
	    unit & (unit - 1)) {
		cmd_fail(text, "--unit 4K   or another one up to 2M",
			 "the unit is a power of two from 4 KiB to 2 MiB");
		return false;
	}
	mkfs->format.unit = (uint32_t)unit;
	return true;
}

static bool mkfs_log(struct mkfs *mkfs, const char *text)
{
	uint64_t *area = &mkfs->format.area;

	if (cmd_size(text, area) && *area >= AREA_LEAST_USUAL &&
	    *area <= AREA_MOST && *area % LINE_SIZE == 0)
		return true;
	cmd_fail(text, "--log-size 16M   or another one up to 1G",
		 "a log area has 16 MiB to 1 GiB, and whole lines of 64 bytes");
	return false;
}

static bool mkfs_coherence(struct mkfs *mkfs, const char *text)
{
	if (!strcmp(text, "hardware")) {
		mkfs->format.coherence = COHERENCE_HARDWARE;
	} else if (strcmp(text, "software")) {
		cmd_fail(text, "--coherence software",
			 "the coherence is software or hardware");
		return false;
	}
	return true;
}

static bool mkfs_label(struct mkfs *mkfs, const char *text)
{
	if (strlen(text) > LABEL_SIZE) {
		cmd_fail(text, NULL, "a label has at most %u bytes",
			 LABEL_SIZE);
		return false;
	}
	if (!text_is_plain(text)) {
		cmd_fail(cmd_text(text), NULL,
			 "a label has no control characters");
		return false;
	}
	strcpy(mkfs->format.label, text);
	return true;
}

static bool mkfs_uuid(struct mkfs *mkfs, const char *text)
{
	if (!uuid_parse(text, mkfs->format.uuid))
		return true;
	cmd_fail(text, "uuidgen   prints one", "that is no uuid");
	return false;
}

static bool mkfs_option(struct mkfs *mkfs, int option)
{
	switch (option) {
	case 'L':
		return mkfs_label(mkfs, optarg);
	case 'U':
		return mkfs_uuid(mkfs, optarg);
	case 'N':
		mkfs->dry = true;
		return true;
	case 'f':
		mkfs->force = true;
		return true;
	case 'q':
		cmd_quiet = true;
		return true;
	case OPTION_DEAD:
		mkfs->dead = true;
		return true;
	case OPTION_UNIT:
		return mkfs_unit(mkfs, optarg);
	case OPTION_LOG:
		return mkfs_log(mkfs, optarg);
	case OPTION_COHERENCE:
		return mkfs_coherence(mkfs, optarg);
	}
	return false;
}

/* Return: 0 to go on, else 1 + the exit status. */
static int mkfs_parse(struct mkfs *mkfs, int argc, char **argv)
{
	int option;

	uuid_generate(mkfs->format.uuid);
	mkfs->format.unit = UNIT_LEAST;
	while ((option = getopt_long(argc, argv, "L:U:Nfqh", mkfs_options,
				     NULL)) >= 0) {
		if (option == 'h') {
			fputs(mkfs_help, stdout);
			return 1;
		}
		if (!mkfs_option(mkfs, option))
			return 2;
	}
	if (optind != argc - 1) {
		cmd_fail("mkfs.famfs", "mkfs.famfs --help",
			 "one device must be named");
		return 2;
	}
	mkfs->device = argv[optind];
	return 0;
}

/* Nothing that is in use, or that somebody may miss, is overwritten. */
static bool mkfs_allowed(struct mkfs *mkfs, struct media *media)
{
	char what[120], question[200], name[HOST_NAME_MOST + 1] = "";
	bool living;
	int found = signature_find(media, what, sizeof(what)), in;

	if (found < 0) {
		cmd_fail_errno(mkfs->device, found);
		return false;
	}
	in = found == 1 ? hosts_in(media, &living, name) : 0;
	if (in < 0 && !mkfs->dead) {
		cmd_fail(mkfs->device,
			 "mkfs.famfs -f --dead DEVICE   if no host has it mounted",
			 "both superblocks are damaged: whether hosts are in cannot be told");
		return false;
	}
	if (in > 0 && living) {
		cmd_fail(mkfs->device, "umount it on every host",
			 "%s has it mounted", cmd_text(name));
		return false;
	}
	if (in > 0 && !mkfs->dead) {
		cmd_fail(mkfs->device,
			 "mkfs.famfs -f --dead DEVICE   if that host is dead",
			 "%s is in and silent: it may still write",
			 cmd_text(name));
		return false;
	}
	if (!found || mkfs->force)
		return true;
	snprintf(question, sizeof(question), "%s holds %s. Overwrite it?",
		 mkfs->device, what);
	if (cmd_ask(question))
		return true;
	cmd_fail(mkfs->device, "mkfs.famfs -f DEVICE   overwrites it",
		 "it holds %s", what);
	return false;
}

static void mkfs_show(const struct mkfs *mkfs, const struct super *super)
{
	char uuid[37];

	uuid_unparse_lower(super->uuid, uuid);
	cmd_say("%s: famfs, format version %u", mkfs->device,
		SUPER_VERSION_VALUE);
	cmd_say("  uuid       %s", uuid);
	if (super->label[0])
		cmd_say("  label      %s", super->label);
	cmd_say("  unit       %s", cmd_bytes(super->unit));
	cmd_say("  coherence  %s",
		super->coherence ? "hardware" : "software");
	cmd_say("  log        %u areas of %s at %s", AREA_COUNT,
		cmd_bytes(super->areas[0].length),
		cmd_bytes(super->areas[0].offset));
	cmd_say("  data       %s at %s", cmd_bytes(super->end - super->data),
		cmd_bytes(super->data));
	cmd_say("  owner      %s", mkfs->format.self.name);
}

static int mkfs_run(struct mkfs *mkfs, struct media *media)
{
	struct super super = { .unit = mkfs->format.unit,
			       .coherence = mkfs->format.coherence };
	struct fault fault = { 0 };
	struct timespec now;
	int err;

	memcpy(super.uuid, mkfs->format.uuid, 16);
	strcpy(super.label, mkfs->format.label);
	err = super_plan(&super, media->size, mkfs->format.area, &fault);
	if (err) {
		cmd_fail(mkfs->device, "take a larger device, or a smaller --log-size",
			 "%s", fault.text);
		return 1;
	}
	if (!mkfs->dry && !mkfs_allowed(mkfs, media))
		return 1;
	if (getrandom(mkfs->format.secret, sizeof(mkfs->format.secret), 0) !=
	    sizeof(mkfs->format.secret)) {
		cmd_fail_errno(mkfs->device, -EIO);
		return 1;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	mkfs->format.now = now.tv_sec * 1000000000ll + now.tv_nsec;
	if (!mkfs->dry)
		err = volume_format(media, &mkfs->format, &fault);
	if (err) {
		cmd_fail_fault(mkfs->device, err, &fault);
		return 1;
	}
	mkfs_show(mkfs, &super);
	return 0;
}

int cmd_mkfs(int argc, char **argv)
{
	struct mkfs mkfs = { 0 };
	struct media *media;
	int status = mkfs_parse(&mkfs, argc, argv), err;

	if (status)
		return status - 1;
	err = host_self_read(&mkfs.format.self);
	if (err) {
		cmd_fail("/etc/machine-id", "systemd-machine-id-setup",
			 "this host has no id: %s", strerror(-err));
		return 1;
	}
	media = cmd_open(mkfs.device,
			 mkfs.dry ? 0 : MEDIA_WRITE | MEDIA_EXCLUSIVE);
	if (!media)
		return 1;
	status = mkfs_run(&mkfs, media);
	media_close(media);
	return status;
}
