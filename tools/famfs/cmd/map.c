// SPDX-License-Identifier: GPL-2.0
/*
 * famfs map: where a file lies, and whether pages of 2 MiB can map it.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "layout.h"
#include "place.h"

#define MAP_BATCH	256u

static const char map_help[] =
	"Usage: famfs map [OPTION...] FILE...\n"
	"\n"
	"Shows where files lie: offset in the file, offset in the device, bytes; and\n"
	"how many of the 2 MiB pages that a file could have can map it.\n"
	"\n"
	"      --json     as JSON\n"
	"  -q, --quiet    only the last line\n"
	"  -h, --help\n";

struct piece {
	uint64_t at, place, bytes;
};

struct file_map {
	const char *path;
	uint64_t size;
	struct piece *pieces;
	size_t count, room;
	/* Of the 2 MiB pages that it could have. */
	uint64_t possible, huge, scattered, shifted;
};

/* Pieces that adjoin in file and device are one. */
static int map_add(struct file_map *map, const struct fiemap_extent *extent)
{
	struct piece *last = map->count ? &map->pieces[map->count - 1] : NULL;

	if (last && last->at + last->bytes == extent->fe_logical &&
	    last->place + last->bytes == extent->fe_physical) {
		last->bytes += extent->fe_length;
		return 0;
	}
	if (map->count == map->room) {
		size_t room = map->room ? map->room * 2 : 64;
		struct piece *more = realloc(map->pieces, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		map->pieces = more;
		map->room = room;
	}
	map->pieces[map->count++] = (struct piece) { extent->fe_logical,
		extent->fe_physical, extent->fe_length };
	return 0;
}

static int map_read(struct file_map *map, int fd)
{
	size_t bytes = sizeof(struct fiemap) +
		       MAP_BATCH * sizeof(struct fiemap_extent);
	struct fiemap *fiemap = calloc(1, bytes);
	uint64_t at = 0;
	bool last = false;
	int err = fiemap ? 0 : -ENOMEM;

	while (!err && !last) {
		memset(fiemap, 0, sizeof(*fiemap));
		fiemap->fm_start = at;
		fiemap->fm_length = FIEMAP_MAX_OFFSET - at;
		fiemap->fm_extent_count = MAP_BATCH;
		if (ioctl(fd, FS_IOC_FIEMAP, fiemap)) {
			err = -errno;
			break;
		}
		last = !fiemap->fm_mapped_extents;
		for (uint32_t i = 0; !err && i < fiemap->fm_mapped_extents; i++) {
			const struct fiemap_extent *extent =
				&fiemap->fm_extents[i];

			err = map_add(map, extent);
			at = extent->fe_logical + extent->fe_length;
			last |= extent->fe_flags & FIEMAP_EXTENT_LAST;
		}
	}
	free(fiemap);
	return err;
}

/* A page is huge where one piece has all of it, aligned alike. */
static void map_count(struct file_map *map)
{
	uint64_t end = (map->size + 4095) / 4096 * 4096;
	size_t i = 0;

	map->possible = end / HUGE_SIZE;
	for (uint64_t page = 0; page < map->possible; page++) {
		uint64_t at = page * HUGE_SIZE;

		while (i < map->count &&
		       map->pieces[i].at + map->pieces[i].bytes <= at)
			i++;
		if (i == map->count)
			return;
		if (map->pieces[i].at > at ||
		    map->pieces[i].at + map->pieces[i].bytes < at + HUGE_SIZE)
			map->scattered++;
		else if ((map->pieces[i].place - map->pieces[i].at) % HUGE_SIZE)
			map->shifted++;
		else
			map->huge++;
	}
}

static void map_print(const struct file_map *map)
{
	for (size_t i = 0; i < map->count; i++)
		cmd_say("%s: %14" PRIu64 " at %14" PRIu64 ", %" PRIu64 " bytes",
			cmd_text(map->path), map->pieces[i].at,
			map->pieces[i].place, map->pieces[i].bytes);
	printf("%s: %" PRIu64 " bytes in %zu pieces, %" PRIu64 " of %" PRIu64 " possible 2 MiB pages",
	       cmd_text(map->path), map->size, map->count, map->huge,
	       map->possible);
	if (map->scattered)
		printf("; %" PRIu64 " lie in several pieces", map->scattered);
	if (map->shifted)
		printf("; %" PRIu64 " are not aligned on the device",
		       map->shifted);
	putchar('\n');
}

static void map_print_json(const struct file_map *map)
{
	json_object *object = json_object_new_object();
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < map->count; i++) {
		json_object *piece = json_object_new_object();

		json_object_object_add(piece, "at",
			json_object_new_uint64(map->pieces[i].at));
		json_object_object_add(piece, "device_offset",
			json_object_new_uint64(map->pieces[i].place));
		json_object_object_add(piece, "bytes",
			json_object_new_uint64(map->pieces[i].bytes));
		json_object_array_add(list, piece);
	}
	json_object_object_add(object, "path",
			       cmd_json_text(map->path));
	json_object_object_add(object, "size",
			       json_object_new_uint64(map->size));
	json_object_object_add(object, "huge_pages",
			       json_object_new_uint64(map->huge));
	json_object_object_add(object, "possible_huge_pages",
			       json_object_new_uint64(map->possible));
	json_object_object_add(object, "pieces", list);
	cmd_json_print(object, JSON_C_TO_STRING_PLAIN);
	putchar('\n');
	json_object_put(object);
}

static int map_file(const char *path, bool json)
{
	struct file_map map = { .path = path };
	struct stat st;
	int fd, err;

	if (!place_answers(path))
		return 1;
	/* A FIFO is not waited for. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	err = fd < 0 || fstat(fd, &st) ? -errno : 0;
	if (!err && !S_ISREG(st.st_mode))
		err = -EINVAL;
	if (!err) {
		map.size = (uint64_t)st.st_size;
		err = map_read(&map, fd);
	}
	if (fd >= 0)
		close(fd);
	if (!err) {
		map_count(&map);
		if (json)
			map_print_json(&map);
		else
			map_print(&map);
	} else if (err == -EOPNOTSUPP || err == -ENOTTY) {
		cmd_fail(cmd_text(path), "name a file of a famfs file system",
			 "it is on no file system that says where files lie");
	} else {
		cmd_fail(cmd_text(path), err == -EINVAL ?
			 "name a regular file" : NULL, "%s", strerror(-err));
	}
	free(map.pieces);
	return err ? 1 : 0;
}

int cmd_map(int argc, char **argv)
{
	bool json = false;
	int status;

	status = cmd_options(argc, argv, map_help, &json);
	if (status >= 0)
		return status;
	if (optind == argc) {
		cmd_fail("famfs map", "famfs map --help",
			 "a file must be named");
		return 2;
	}
	for (status = 0; optind < argc; optind++)
		status |= map_file(argv[optind], json);
	return status;
}
