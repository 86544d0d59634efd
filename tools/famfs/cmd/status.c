// SPDX-License-Identifier: GPL-2.0
/*
 * famfs status: what is mounted on this host, and how it is; or what is on a
 * device that is not mounted here.
 */

#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "ask.h"
#include "cmd.h"
#include "lost.h"

enum { STATUS_GOOD = 0, STATUS_LOOK = 1, STATUS_BAD = 2 };

static const char status_help[] =
	"Usage: famfs status [OPTION...] [DIRECTORY|DEVICE|UUID|LABEL]\n"
	"\n"
	"Shows what is mounted on this host, or what a device has.\n"
	"\n"
	"      --json     as JSON\n"
	"  -q, --quiet    say nothing: the exit status tells\n"
	"  -h, --help\n"
	"\n"
	"Status: 0 mounted and in order, 1 not mounted here, or short of space,\n"
	"2 writing has ended, or it cannot be read.\n";

struct status {
	bool json;
	int worst;
	json_object *list;
};

static const char *const status_numbers[] = {
	"pid", "parent", "deaths", "epoch", "unit", "total", "free", "waiting", "inodes", "names",
	"extents", "log_bytes", "log_used", "log_least", "log_most", "record",
	"letting_go",
};

static const char *const status_texts[] = {
	"uuid", "label", "device", "source", "mountpoint", "state", "owner",
	"health", "program",
};

static uint64_t status_number(const struct answer *answer, const char *word)
{
	return strtoull(ask_value(answer, word), NULL, 10);
}

static json_object *status_object(const struct answer *answer)
{
	json_object *object = json_object_new_object();

	for (size_t i = 0; i < sizeof(status_texts) / sizeof(char *); i++)
		json_object_object_add(object, status_texts[i],
			cmd_json_text(ask_value(answer, status_texts[i])));
	for (size_t i = 0; i < sizeof(status_numbers) / sizeof(char *); i++)
		json_object_object_add(object, status_numbers[i],
			json_object_new_uint64(status_number(answer,
						status_numbers[i])));
	return object;
}

/* Is less than 1/50 of the space, or of the log, left? What to do, or NULL. */
static const char *status_short(const struct answer *answer)
{
	uint64_t most = status_number(answer, "log_most");
	uint64_t least = status_number(answer, "log_least");

	if (status_number(answer, "free") <
	    status_number(answer, "total") / 50)
		return "remove files: less than 1/50 of the space is free";
	if (least > most - most / 50)
		return "remove names: the log is full; mkfs.famfs --log-size makes a larger one";
	return NULL;
}

static void status_print(const struct answer *answer, bool healthy,
			 const char *next)
{
	const char *label = ask_value(answer, "label");

	cmd_say("%s: famfs%s%s%s on %s, %s",
		cmd_text(ask_value(answer, "mountpoint")),
		*label ? " \"" : "", cmd_text(label), *label ? "\"" : "",
		cmd_text(ask_value(answer, "device")),
		ask_value(answer, "state"));
	cmd_say("  uuid    %s", answer->uuid);
	if (!strcmp(ask_value(answer, "state"), "stopped")) {
		cmd_say("  owner   %s", cmd_text(ask_value(answer, "owner")));
		cmd_say("  health  %s: what is open goes on, all else waits",
			ask_value(answer, "health"));
		cmd_say("  Next: famfs restart %s, or famfs umount %s",
			cmd_text(ask_value(answer, "mountpoint")),
			cmd_text(ask_value(answer, "mountpoint")));
		return;
	}
	cmd_say("  owner   %s, epoch %s, server %s",
		cmd_text(ask_value(answer, "owner")),
		ask_value(answer, "epoch"),
		ask_value(answer, "pid"));
	if (status_number(answer, "deaths"))
		cmd_say("  deaths  %s: another server went on each time",
			ask_value(answer, "deaths"));
	cmd_say("  space   %s free of %s, %s wait, %s inodes to let go of",
		cmd_bytes(status_number(answer, "free")),
		cmd_bytes(status_number(answer, "total")),
		cmd_bytes(status_number(answer, "waiting")),
		ask_value(answer, "letting_go"));
	cmd_say("  log     %s of %s, record %s, %s inodes, %s names",
		cmd_bytes(status_number(answer, "log_used")),
		cmd_bytes(status_number(answer, "log_bytes")),
		ask_value(answer, "record"), ask_value(answer, "inodes"),
		ask_value(answer, "names"));
	cmd_say("  health  %s", healthy ? "in order" :
		ask_value(answer, "health"));
	if (!healthy)
		cmd_say("  Next: famfs umount %s, then fsck.famfs %s",
			cmd_text(ask_value(answer, "mountpoint")),
			cmd_text(ask_value(answer, "device")));
	else if (next)
		cmd_say("  Next: %s", next);
}

static void status_each(void *context, const struct answer *answer)
{
	struct status *status = context;
	bool healthy = !strcmp(ask_value(answer, "health"), strerror(0));
	const char *next = status_short(answer);
	int state = !healthy ? STATUS_BAD : next ? STATUS_LOOK : STATUS_GOOD;

	if (status->json)
		json_object_array_add(status->list, status_object(answer));
	else
		status_print(answer, healthy, next);
	if (state > status->worst)
		status->worst = state;
}

static void status_lost(void *context, const struct table_mount *mount)
{
	struct status *status = context;
	json_object *object;

	status->worst = STATUS_BAD;
	if (!status->json) {
		cmd_say("%s: famfs on %s, lost: its servers were killed, and none goes on",
			cmd_text(mount->where), cmd_text(mount->source));
		cmd_say("  Next: famfs umount %s, then mount it again",
			cmd_text(mount->where));
		return;
	}
	object = json_object_new_object();
	json_object_object_add(object, "mountpoint",
			       cmd_json_text(mount->where));
	json_object_object_add(object, "source", cmd_json_text(mount->source));
	json_object_object_add(object, "state", json_object_new_string("lost"));
	json_object_array_add(status->list, object);
}

static void status_say_stat(struct status *status, const char *device,
			    const struct volume_stat *stat)
{
	json_object *object;
	char uuid[37];

	uuid_unparse_lower(stat->uuid, uuid);
	if (!status->json) {
		cmd_say("%s: famfs%s%s%s, not mounted here", device,
			stat->label[0] ? " \"" : "", cmd_text(stat->label),
			stat->label[0] ? "\"" : "");
		cmd_say("  uuid    %s", uuid);
		cmd_say("  owner   %s%s", cmd_text(stat->owner),
			stat->owned ? ", in: it did not unmount" : ", left");
		cmd_say("  space   %s free of %s", cmd_bytes(stat->free),
			cmd_bytes(stat->total));
		cmd_say("  Next: mount -t famfs %s DIRECTORY", device);
		return;
	}
	object = json_object_new_object();
	json_object_object_add(object, "uuid", json_object_new_string(uuid));
	json_object_object_add(object, "label",
			       cmd_json_text(stat->label));
	json_object_object_add(object, "device",
			       cmd_json_text(device));
	json_object_object_add(object, "state", json_object_new_string(
			       stat->owned ? "in" : "left"));
	json_object_object_add(object, "owner",
			       cmd_json_text(stat->owner));
	json_object_object_add(object, "free",
			       json_object_new_uint64(stat->free));
	json_object_object_add(object, "total",
			       json_object_new_uint64(stat->total));
	json_object_array_add(status->list, object);
}

static int status_device(struct status *status, const char *device)
{
	struct volume_options options = { .how = VOLUME_READ };
	struct media *media = cmd_open(device, 0);
	struct fault fault = { 0 };
	struct volume_stat stat;
	struct volume *volume;
	int err;

	if (!media)
		return STATUS_BAD;
	err = cmd_volume_open(&volume, media, &options, &fault);
	if (err) {
		cmd_fail_fault(device, err, &fault);
		media_close(media);
		return STATUS_BAD;
	}
	volume_statfs(volume, &stat);
	status_say_stat(status, device, &stat);
	volume_close(volume);
	media_close(media);
	return STATUS_LOOK;
}

int cmd_status(int argc, char **argv)
{
	struct status status = { .list = json_object_new_array() };
	const char *wanted;
	int done, count;

	done = cmd_options(argc, argv, status_help, &status.json);
	if (done >= 0)
		return done;
	wanted = optind < argc ? argv[optind] : NULL;
	count = ask_status(wanted, status_each, &status);
	/* Of one that is served no other mount is wanted. */
	if (!wanted || !count)
		count += (int)lost_each(wanted, status_lost, &status);
	if (!count) {
		status.worst = STATUS_LOOK;
		if (wanted)
			status.worst = status_device(&status, wanted);
		else if (!status.json)
			cmd_say("nothing is mounted. Next: mount -t famfs DEVICE DIRECTORY");
	}
	if (status.json) {
		cmd_json_print(status.list, JSON_C_TO_STRING_PRETTY);
		putchar('\n');
	}
	json_object_put(status.list);
	return status.worst;
}
