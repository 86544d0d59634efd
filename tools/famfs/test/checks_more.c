// SPDX-License-Identifier: GPL-2.0
/*
 * More checks of volumes: reading directories, media that give errors, owners,
 * and mkfs that is broken off.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "checks.h"
#include "double.h"
#include "layout.h"
#include "volume_internal.h"

static uint8_t more_bytes[CHECK_SIZE];
static struct op op = { .now = 2500000000, .unique = 4711 };
static const struct volume_node file_node = { .mode = S_IFREG | 0644 };

#define CHECK(expression) do {						\
	if (!(expression))						\
		return check_say("line %d: %s", __LINE__, #expression);	\
} while (0)

struct reading {
	unsigned int count, most;
	uint64_t cookie, sum;
};

static int readdir_each(void *context, const struct volume_entry *entry)
{
	struct reading *reading = context;

	if (reading->count == reading->most)
		return 1;
	reading->count++;
	reading->cookie = entry->cookie;
	reading->sum += entry->attr.ino;
	return 0;
}

/* Cookies go on over removals, compaction and a new mount. */
static const char *readdir_run(struct volume *v, struct media *media)
{
	struct reading reading = { .most = 5 };
	struct volume_attr a;
	struct volume *again;
	uint64_t parent;
	char name[8];

	for (unsigned int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%u", i);
		CHECK(volume_create(v, &op, 1, name, &file_node, &a) == 0);
	}
	CHECK(volume_readdir(v, 1, 0, UINT64_MAX, &parent,
			     readdir_each, &reading) == 0);
	CHECK(parent == 1 && reading.count == 5);
	CHECK(volume_unlink(v, &op, 1, "4", NULL) == 0);
	CHECK(volume_unlink(v, &op, 1, "7", NULL) == 0);
	CHECK(volume_compact(v, op.now) == 0);
	CHECK(check_open(&again, media, VOLUME_OWN, NULL) == 0);
	CHECK(volume_create(again, &op, 1, "4", &file_node, &a) == 0);
	reading.most = 100;
	CHECK(volume_readdir(again, 1, reading.cookie, UINT64_MAX, NULL,
			     readdir_each, &reading) == 0);
	volume_close(again);
	/* 5, then 15 less the 7, and the new one at the end. */
	CHECK(reading.count == 20);
	CHECK(reading.sum == (21 * 22) / 2 - 1 - 9 + 22);
	return NULL;
}

static int more_make(struct volume **volume, struct media **media)
{
	memset(more_bytes, 0, AREAS_OFFSET);
	*media = media_of_memory(more_bytes, CHECK_SIZE);
	if (check_mkfs(*media))
		return -EIO;
	return check_open(volume, *media, VOLUME_OWN, NULL);
}

const char *check_readdir(void)
{
	struct volume *volume;
	struct media *media;
	const char *wrong;

	if (more_make(&volume, &media))
		return "making it fails";
	wrong = readdir_run(volume, media);
	volume_close(volume);
	media_close(media);
	return wrong;
}

/* An error of the medium ends writing, and looking goes on. */
static const char *dead_media_run(struct double_memory *memory)
{
	struct double_host *host = &memory->hosts[0];
	struct volume_attr a;
	struct volume *v;

	CHECK(check_mkfs(&host->media) == 0);
	CHECK(check_open(&v, &host->media, VOLUME_OWN, NULL) == 0);
	CHECK(volume_create(v, &op, 1, "a", &file_node, &a) == 0);
	host->dead = true;
	CHECK(volume_create(v, &op, 1, "b", &file_node, &a) == -EIO);
	host->dead = false;
	CHECK(volume_create(v, &op, 1, "c", &file_node, &a) == -EIO);
	CHECK(volume_lookup(v, 1, "a", &a) == 0);
	CHECK(volume_health(v) == -EIO);
	volume_close(v);
	return NULL;
}

const char *check_dead_media(void)
{
	struct double_memory memory;
	const char *wrong;

	memset(more_bytes, 0, sizeof(more_bytes));
	double_init(&memory, CHECK_SIZE);
	double_reset(&memory, more_bytes, 1);
	wrong = dead_media_run(&memory);
	double_free(&memory);
	return wrong;
}

/* Another host cannot own it; leaving and coming back can be seen. */
static const char *owner_run(struct volume *v, struct media *media)
{
	struct volume_options options = { .how = VOLUME_OWN };
	struct fault fault = { 0 };
	struct volume_stat stat;
	struct volume *other;
	struct identity identity;

	memset(options.self.uuid, 0x99, 16);
	CHECK(volume_open(&other, media, &options, &fault) == -EROFS);
	CHECK(fault.kind == FAULT_OWNER && strstr(fault.text, "here"));
	CHECK(identity_read(&identity, media, v->super.uuid, 0) == 0);
	CHECK(identity.state == IDENTITY_STATE_IN);
	CHECK(volume_leave(v) == 0);
	CHECK(identity_read(&identity, media, v->super.uuid, 0) == 0);
	CHECK(identity.state == IDENTITY_STATE_LEFT);
	CHECK(volume_create(v, &op, 1, "x", &file_node, NULL) == -EROFS);
	CHECK(check_open(&other, media, VOLUME_READ, NULL) == 0);
	volume_statfs(other, &stat);
	CHECK(!stat.owned && !strcmp(stat.owner, "here"));
	CHECK(volume_create(other, &op, 1, "x", &file_node, NULL) == -EROFS);
	volume_close(other);
	return NULL;
}

const char *check_owner(void)
{
	struct volume *volume;
	struct media *media;
	const char *wrong;

	if (more_make(&volume, &media))
		return "making it fails";
	wrong = owner_run(volume, media);
	volume_close(volume);
	media_close(media);
	return wrong;
}

/* Slots and requests of the old one do not count, and the copy is there. */
static const char *mkfs_left_nothing(struct double_memory *memory)
{
	struct media *media = &memory->hosts[1].media;
	struct super super, copy;
	struct identity identity;

	CHECK(super_read(&super, media, NULL) == 0);
	CHECK(super_read_copy(&copy, media) == 0);
	CHECK(!memcmp(&super, &copy, sizeof(copy)));
	CHECK(identity_read(&identity, media, super.uuid, 31) == -ENOENT);
	CHECK(memory->bytes[REQUEST_OFFSET + 15 * LINE_SIZE] == 0);
	return NULL;
}

/* Over an old file system: the old one whole, an unfinished mkfs, or the new. */
static const char *mkfs_crash_at(struct double_memory *memory,
				 const uint8_t *image, uint64_t seed)
{
	struct double_host *host = &memory->hosts[0];
	struct volume_format format;
	struct fault fault = { 0 };
	struct volume_stat stat;
	struct volume *volume;
	int made, err;

	double_reset(memory, image, seed);
	check_format(&format);
	memset(format.label, 'n', 3);
	/* Of the same uuid too: sums do not tell old from new then. */
	if (seed % 2)
		memset(format.uuid, 0x77, 16);
	/* The copy of the old one is inside the last unit then. */
	if (seed % 3 == 0)
		format.unit = 8192;
	memory->crash_at = 1 + double_random(memory, 640);
	made = volume_format(&host->media, &format, NULL);
	if (!host->dead)
		double_crash(memory, 0);
	host->dead = false;
	memory->crash_at = 0;
	err = check_open(&volume, &host->media, VOLUME_READ, &fault);
	if (err) {
		CHECK(made);
		CHECK(fault.kind == FAULT_UNFINISHED ||
		      fault.kind == FAULT_SUPER ||
		      fault.kind == FAULT_FOREIGN);
		return NULL;
	}
	volume_statfs(volume, &stat);
	volume_close(volume);
	CHECK(stat.names == (stat.label[0] == 'n' ? 0 : 1));
	CHECK(made || stat.label[0] == 'n');
	return made ? NULL : mkfs_left_nothing(memory);
}

const char *check_mkfs_crash(void)
{
	struct double_memory memory;
	const char *wrong = NULL;
	struct volume *volume;
	struct media *media;

	if (more_make(&volume, &media) ||
	    volume_create(volume, &op, 1, "old", &file_node, NULL))
		return "making it fails";
	if (identity_write(&volume->identity, media, volume->super.uuid, 31))
		return "making it fails";
	more_bytes[REQUEST_OFFSET + 15 * LINE_SIZE] = 1;
	volume_close(volume);
	media_close(media);
	double_init(&memory, CHECK_SIZE);
	for (uint64_t seed = 1; seed <= 600 && !wrong; seed++)
		wrong = mkfs_crash_at(&memory, more_bytes, seed);
	double_free(&memory);
	return wrong;
}
