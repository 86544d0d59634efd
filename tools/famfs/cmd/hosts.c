// SPDX-License-Identifier: GPL-2.0
/*
 * famfs hosts: who shares a file system, and for whom space waits.
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "cmd.h"
#include "hosts.h"
#include "layout.h"

enum { HOSTS_GOOD = 0, HOSTS_LOOK = 1, HOSTS_BAD = 2 };

/* So long a device that is not mounted is looked at: hosts beat in a second. */
#define HOSTS_LOOK_S	2

static const char hosts_help[] =
	"Usage: famfs hosts [OPTION...] [DIRECTORY|DEVICE|UUID|LABEL]\n"
	"\n"
	"Shows which hosts share a file system, how each is seen from here and for\n"
	"how long, and what space waits until a host has let go of it. The owner\n"
	"alone knows that.\n"
	"\n"
	"      --json     as JSON\n"
	"  -q, --quiet    say nothing: the exit status tells\n"
	"  -h, --help\n"
	"\n"
	"Status: 0 all hosts answer, 1 one is silent or unclear, or it is not\n"
	"mounted here, 2 it cannot be read.\n";

/**
 * struct hosts_line - a host, as the server says it
 * @seconds: for so long it has been like that; -1: not known
 * @bytes, @files: wait for it
 */
struct hosts_line {
	unsigned int slot;
	char role[16], self[16], state[16];
	int64_t seconds;
	uint64_t bytes, files;
	char name[TEXT_SAFE(HOST_NAME_MOST)];
};

struct hosts_show {
	bool json;
	int worst;
	json_object *list;
};

static bool hosts_is_bad(const char *state)
{
	return !strcmp(state, "silent") || !strcmp(state, "unclear");
}

static const char *hosts_time(int64_t seconds)
{
	static char text[32];

	if (seconds < 0)
		return "";
	if (seconds < 120)
		snprintf(text, sizeof(text), "%" PRId64 " s", seconds);
	else if (seconds < 7200)
		snprintf(text, sizeof(text), "%" PRId64 " min", seconds / 60);
	else
		snprintf(text, sizeof(text), "%" PRId64 " h", seconds / 3600);
	return text;
}

static void hosts_say(const struct hosts_line *line)
{
	char waits[64] = "";

	if (line->files)
		snprintf(waits, sizeof(waits), "%s of %" PRIu64 " inodes",
			 cmd_bytes(line->bytes), line->files);
	cmd_say("  %4u  %-16s %-6s  %-8s %-8s %s", line->slot,
		cmd_text(line->name), line->role, line->state,
		hosts_time(line->seconds), waits);
}

static json_object *hosts_object(const struct hosts_line *line)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "slot",
			       json_object_new_int((int)line->slot));
	json_object_object_add(object, "name", cmd_json_text(line->name));
	json_object_object_add(object, "role",
			       json_object_new_string(line->role));
	json_object_object_add(object, "self", json_object_new_boolean(
			       !strcmp(line->self, "self")));
	json_object_object_add(object, "state",
			       json_object_new_string(line->state));
	if (line->seconds >= 0)
		json_object_object_add(object, "seconds",
			json_object_new_int64(line->seconds));
	json_object_object_add(object, "waiting",
			       json_object_new_uint64(line->bytes));
	json_object_object_add(object, "waiting_inodes",
			       json_object_new_uint64(line->files));
	json_object_object_add(object, "waits", json_object_new_array());
	return object;
}

static void hosts_add(struct hosts_show *show, json_object *hosts,
		      const struct hosts_line *line)
{
	if (hosts_is_bad(line->state) && show->worst < HOSTS_LOOK)
		show->worst = HOSTS_LOOK;
	if (show->json)
		json_object_array_add(hosts, hosts_object(line));
	else
		hosts_say(line);
}

/* The name comes last: it may have spaces. False: it is another line. */
static bool hosts_read(const char *text, struct hosts_line *line)
{
	int name = 0;

	memset(line, 0, sizeof(*line));
	if (sscanf(text, "host %u %15s %15s %15s %" SCNd64 " %" SCNu64 " %" SCNu64 " %n",
		   &line->slot, line->role, line->self, line->state,
		   &line->seconds, &line->bytes, &line->files, &name) != 7 ||
	    !name)
		return false;
	snprintf(line->name, sizeof(line->name), "%s", text + name);
	text_plain(line->name);
	return true;
}

static void hosts_add_file(struct hosts_show *show, json_object *hosts,
			   char *text)
{
	uint64_t bytes, ino;
	unsigned int slot;
	int path = 0;

	if (sscanf(text, "waits %u %" SCNu64 " %" SCNu64 "%n", &slot, &bytes,
		   &ino, &path) != 3)
		return;
	path += text[path] == ' ';
	text_plain(text + path);
	if (!show->json) {
		cmd_say("        for slot %u: %s of %s%s%" PRIu64, slot,
			cmd_bytes(bytes), cmd_text(text + path),
			text[path] ? ", inode " : "removed inode ", ino);
		return;
	}
	for (size_t i = 0; i < json_object_array_length(hosts); i++) {
		json_object *host = json_object_array_get_idx(hosts, i);
		json_object *file = json_object_new_object();

		json_object_object_add(file, "inode",
				       json_object_new_uint64(ino));
		json_object_object_add(file, "bytes",
				       json_object_new_uint64(bytes));
		if (text[path])
			json_object_object_add(file, "path",
					       cmd_json_text(text + path));
		if ((unsigned int)json_object_get_int(
			json_object_object_get(host, "slot")) == slot)
			json_object_array_add(json_object_object_get(host,
							"waits"), file);
		else
			json_object_put(file);
	}
}

/* Begins the list of one file system. */
static json_object *hosts_begin(struct hosts_show *show, const char *where,
				const char *label, const char *device,
				bool mounted)
{
	json_object *object, *hosts;

	if (!show->json) {
		cmd_say("%s: famfs%s%s%s%s%s", cmd_text(where),
			*label ? " \"" : "", cmd_text(label),
			*label ? "\"" : "", mounted ? " on " :
			", not mounted here", mounted ? cmd_text(device) : "");
		cmd_say("  %4s  %-16s %-6s  %-8s %-8s %s", "slot", "host",
			"role", "state", "for", "waits");
		return NULL;
	}
	object = json_object_new_object();
	hosts = json_object_new_array();
	json_object_object_add(object, "label", cmd_json_text(label));
	json_object_object_add(object, "device", cmd_json_text(device));
	if (mounted)
		json_object_object_add(object, "mountpoint",
				       cmd_json_text(where));
	json_object_object_add(object, "hosts", hosts);
	json_object_array_add(show->list, object);
	return hosts;
}

static void hosts_next(const struct hosts_line *silent)
{
	cmd_say("  Next: boot %s, or unmount there: what waits for it comes back when it has mounted or left",
		cmd_text(silent->name));
}

static void hosts_answer(struct hosts_show *show, json_object *hosts,
			 struct answer *answer)
{
	struct hosts_line line, silent = { 0 };
	char *text = answer->text, *end;

	/* What did not fit has no end. */
	while ((end = strchr(text, '\n'))) {
		*end = '\0';
		if (hosts_read(text, &line)) {
			hosts_add(show, hosts, &line);
			if (hosts_is_bad(line.state))
				silent = line;
		} else {
			hosts_add_file(show, hosts, text);
		}
		text = end + 1;
	}
	if (*silent.state && !show->json)
		hosts_next(&silent);
}

static void hosts_each(void *context, const struct answer *status)
{
	struct hosts_show *show = context;
	struct answer answer;
	json_object *hosts;
	bool stopped = !strcmp(ask_value(status, "state"), "stopped");
	int err = stopped ? -ETIMEDOUT :
		  ask_uuid(status->uuid, "hosts", &answer);

	if (err == -ETIMEDOUT) {
		cmd_fail(cmd_text(ask_value(status, "mountpoint")),
			 "famfs status   shows how it is", "its server %s",
			 stopped ? "has died too often" : "does not answer");
		show->worst = HOSTS_BAD;
	}
	/* It ended meanwhile. */
	if (err)
		return;
	hosts = hosts_begin(show, ask_value(status, "mountpoint"),
			    ask_value(status, "label"),
			    ask_value(status, "device"), true);
	hosts_answer(show, hosts, &answer);
	if (!show->json && !strcmp(ask_value(status, "role"), "member"))
		cmd_say("  %s knows what waits for whom: famfs hosts   there shows it",
			cmd_text(ask_value(status, "owner")));
}

struct hosts_device {
	struct hosts_show *show;
	json_object *hosts;
	bool again;
	uint64_t counters[SLOT_COUNT];
};

static int hosts_see(void *context, const struct volume_host *host)
{
	struct hosts_device *device = context;
	struct hosts_line line = { .slot = host->slot, .seconds = -1 };
	const char *state = "unclear";

	if (!device->again) {
		device->counters[host->slot] = host->counter;
		return 0;
	}
	if (host->presence == HOST_NEVER_IN)
		state = "new";
	else if (host->presence == HOST_LEFT)
		state = "left";
	else if (host->presence == HOST_IN)
		state = host->counter != device->counters[host->slot] ?
			"in" : "silent";
	snprintf(line.role, sizeof(line.role), "%s",
		 host->owner ? "owner" : "member");
	snprintf(line.state, sizeof(line.state), "%s", state);
	snprintf(line.name, sizeof(line.name), "%s", host->name);
	hosts_add(device->show, device->hosts, &line);
	return 0;
}

static int hosts_device(struct hosts_show *show, const char *name)
{
	struct volume_options options = { .how = VOLUME_READ };
	struct hosts_device device = { .show = show };
	struct media *media = cmd_open(name, 0);
	struct fault fault = { 0 };
	struct volume_stat stat;
	struct volume *volume;
	int err;

	if (!media)
		return HOSTS_BAD;
	err = cmd_volume_open(&volume, media, &options, &fault);
	if (err) {
		cmd_fail_fault(name, err, &fault);
		media_close(media);
		return HOSTS_BAD;
	}
	err = volume_look(volume);
	volume_each_host(volume, hosts_see, &device);
	sleep(HOSTS_LOOK_S);
	device.again = true;
	volume_statfs(volume, &stat);
	if (!err)
		err = volume_look(volume);
	if (err) {
		cmd_fail_errno(name, err);
	} else {
		device.hosts = hosts_begin(show, name, stat.label, name, false);
		volume_each_host(volume, hosts_see, &device);
	}
	volume_close(volume);
	media_close(media);
	return err ? HOSTS_BAD : HOSTS_LOOK;
}

int cmd_hosts(int argc, char **argv)
{
	struct hosts_show show = { .list = json_object_new_array() };
	const char *wanted;
	int done;

	done = cmd_options(argc, argv, hosts_help, &show.json);
	if (done >= 0)
		return done;
	wanted = optind < argc ? argv[optind] : NULL;
	if (!ask_status(wanted, hosts_each, &show)) {
		show.worst = HOSTS_LOOK;
		if (wanted)
			show.worst = hosts_device(&show, wanted);
		else if (!show.json)
			cmd_say("nothing is mounted. Next: famfs hosts DEVICE");
	}
	if (show.json) {
		cmd_json_print(show.list, JSON_C_TO_STRING_PRETTY);
		putchar('\n');
	}
	json_object_put(show.list);
	return show.worst;
}
