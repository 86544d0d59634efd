// SPDX-License-Identifier: GPL-2.0
/*
 * famfs dump: names, attributes and where files lie, as a backup of what the
 * log says. Data goes by tar or rsync.
 */

#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <uuid/uuid.h>

#include "cmd.h"

static const char dump_help[] =
	"Usage: famfs dump [OPTION...] DEVICE\n"
	"\n"
	"Lists every name with mode, owner, size and extents. Nothing is written;\n"
	"the file system can be mounted meanwhile.\n"
	"\n"
	"      --json     as JSON\n"
	"  -q, --quiet    say nothing but errors\n"
	"  -h, --help\n";

/* Paths can be longer than any buffer; no character is cut in two. */
static void dump_text(const char *text)
{
	char safe[TEXT_SAFE(64)], part[65];

	for (size_t left = strlen(text); left; ) {
		size_t bytes = left < 64 ? left : 64;

		for (int i = 0; i < 3 && (text[bytes] & 0xc0) == 0x80; i++)
			bytes--;
		memcpy(part, text, bytes);
		part[bytes] = '\0';
		fputs(text_safe(part, safe, sizeof(safe)), stdout);
		text += bytes;
		left -= bytes;
	}
}

static int dump_line(void *context, const struct volume_seen *seen)
{
	const struct attr *attr = &seen->attr.attr;

	(void)context;
	printf("%" PRIu64 " %06o %u %u %" PRIu64 " ", seen->attr.ino,
	       attr->mode, attr->uid, attr->gid, attr->size);
	if (seen->path)
		dump_text(seen->path);
	else
		printf("(removed at %" PRIu64 ")", seen->released);
	if (seen->target) {
		printf(" -> ");
		dump_text(seen->target);
	}
	putchar('\n');
	for (uint32_t i = 0; i < seen->extent_count; i++)
		printf("  %u %" PRIu64 " %" PRIu64 "\n",
		       seen->extents[i].device, seen->extents[i].offset,
		       seen->extents[i].bytes);
	return ferror(stdout);
}

static json_object *dump_extents(const struct volume_seen *seen)
{
	json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < seen->extent_count; i++) {
		json_object *extent = json_object_new_object();

		json_object_object_add(extent, "device",
			json_object_new_int64(seen->extents[i].device));
		json_object_object_add(extent, "offset",
			json_object_new_uint64(seen->extents[i].offset));
		json_object_object_add(extent, "bytes",
			json_object_new_uint64(seen->extents[i].bytes));
		json_object_array_add(list, extent);
	}
	return list;
}

/* One object at a time: a million do not fit well into memory. */
static int dump_json(void *context, const struct volume_seen *seen)
{
	const struct attr *attr = &seen->attr.attr;
	json_object *object = json_object_new_object();
	bool *first = context;

	json_object_object_add(object, "path", seen->path ?
			       cmd_json_text(seen->path) : NULL);
	json_object_object_add(object, "ino",
			       json_object_new_uint64(seen->attr.ino));
	json_object_object_add(object, "mode",
			       json_object_new_int64(attr->mode));
	json_object_object_add(object, "uid", json_object_new_int64(attr->uid));
	json_object_object_add(object, "gid", json_object_new_int64(attr->gid));
	json_object_object_add(object, "size",
			       json_object_new_uint64(attr->size));
	json_object_object_add(object, "mtime_ns",
			       json_object_new_int64(attr->mtime));
	if (seen->target)
		json_object_object_add(object, "target",
				       cmd_json_text(seen->target));
	if (seen->extent_count)
		json_object_object_add(object, "extents", dump_extents(seen));
	fputs(*first ? "\n    " : ",\n    ", stdout);
	cmd_json_print(object, JSON_C_TO_STRING_PLAIN);
	*first = false;
	json_object_put(object);
	return ferror(stdout);
}

static int dump_run(struct volume *volume, bool json)
{
	struct volume_stat stat;
	bool first = true;
	char uuid[37];
	int err;

	volume_statfs(volume, &stat);
	uuid_unparse_lower(stat.uuid, uuid);
	if (!json) {
		printf("# famfs %s record %" PRIu64 " unit %u\n", uuid,
		       stat.seq, stat.unit);
		err = volume_walk(volume, dump_line, NULL);
	} else {
		printf("{ \"uuid\": \"%s\", \"seq\": %" PRIu64 ", \"unit\": %u,\n",
		       uuid, stat.seq, stat.unit);
		printf("  \"free\": %" PRIu64 ", \"waiting\": %" PRIu64 ",\n  \"names\": [",
		       stat.free, stat.waiting);
		err = volume_walk(volume, dump_json, &first);
		printf("\n  ]\n}\n");
	}
	return err || fflush(stdout) ? 1 : 0;
}

static int dump_device(const char *device, bool json)
{
	struct volume_options options = { .how = VOLUME_READ };
	struct media *media = cmd_open(device, 0);
	struct fault fault = { 0 };
	struct volume *volume;
	int err;

	if (!media)
		return 1;
	err = cmd_volume_open(&volume, media, &options, &fault);
	if (err) {
		cmd_fail_fault(device, err, &fault);
	} else {
		err = dump_run(volume, json);
		if (err)
			cmd_fail(device, NULL, "the listing could not be written");
		volume_close(volume);
	}
	media_close(media);
	return err ? 1 : 0;
}

int cmd_dump(int argc, char **argv)
{
	bool json = false;
	int status;

	status = cmd_options(argc, argv, dump_help, &json);
	if (status >= 0)
		return status;
	if (optind != argc - 1) {
		cmd_fail("famfs dump", "famfs dump --help",
			 "one device must be named");
		return 2;
	}
	return dump_device(argv[optind], json);
}
