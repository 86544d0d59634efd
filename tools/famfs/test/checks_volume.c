// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of operations on a volume in memory.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "checks.h"
#include "double.h"
#include "layout.h"
#include "volume_internal.h"

static uint8_t volume_bytes[CHECK_SIZE];
static struct op op = { .now = 2500000000 };

static const struct volume_node file_node = { .mode = S_IFREG | 0644 };
static const struct volume_node directory_node = { .mode = S_IFDIR | 0755 };

static int volume_make(struct volume **volume, struct media **media)
{
	memset(volume_bytes, 0, AREAS_OFFSET);
	*media = media_of_memory(volume_bytes, CHECK_SIZE);
	if (check_mkfs(*media))
		return -EIO;
	return check_open(volume, *media, VOLUME_OWN, NULL);
}

static void volume_unmake(struct volume *volume, struct media *media)
{
	volume_close(volume);
	media_close(media);
}

#define CHECK(expression) do {						\
	if (!(expression))						\
		return check_say("line %d: %s", __LINE__, #expression);	\
} while (0)

/* Errors of names, and what a name may be. */
static const char *names_run(struct volume *v)
{
	struct volume_node link = { .mode = S_IFLNK | 0777 };
	static char target[TARGET_MOST + 2], buf[TARGET_MOST + 1];
	char name[NAME_MOST + 2], path[300];
	struct volume_removed gone;
	struct volume_attr a;

	memset(name, 'n', sizeof(name));
	name[NAME_MOST + 1] = '\0';
	CHECK(volume_create(v, &op, 1, name, &file_node, &a) == -ENAMETOOLONG);
	name[NAME_MOST] = '\0';
	CHECK(volume_create(v, &op, 1, name, &file_node, &a) == 0);
	CHECK(volume_path(v, a.ino, path, sizeof(path)) == 0);
	CHECK(path[0] == '/' && !strcmp(path + 1, name));
	CHECK(volume_path(v, a.ino, path, 100) == -ERANGE);
	CHECK(volume_create(v, &op, 1, "", &file_node, &a) == -ENOENT);
	CHECK(volume_create(v, &op, 1, "..", &file_node, &a) == -EINVAL);
	CHECK(volume_create(v, &op, 1, "a/b", &file_node, &a) == -EINVAL);
	memset(target, 't', sizeof(target) - 1);
	link.target = target;
	CHECK(volume_create(v, &op, 1, "l", &link, &a) == -ENAMETOOLONG);
	target[TARGET_MOST] = '\0';
	CHECK(volume_create(v, &op, 1, "l", &link, &a) == 0);
	CHECK(volume_readlink(v, a.ino, buf) == 0 && !strcmp(buf, target));
	CHECK(volume_readlink(v, 1, buf) == -EINVAL);
	CHECK(volume_unlink(v, &op, 1, "l", &gone) == 0);
	CHECK(gone.ino == a.ino && gone.seq == volume_seq(v));
	CHECK(volume_getattr(v, a.ino, &a) == 0 && a.links == 0);
	CHECK(volume_gone(v, &op, a.ino) == 0);
	CHECK(volume_getattr(v, a.ino, &a) == -ENOENT);
	CHECK(volume_path(v, 1, path, sizeof(path)) == 0 && !path[1]);
	return NULL;
}

/* Depth 1,000, and its removal from below. */
static const char *names_deep(struct volume *v)
{
	uint64_t at = 1, inos[1001] = { 1 };
	struct volume_attr a;

	for (int i = 1; i <= 1000; i++) {
		CHECK(volume_create(v, &op, at, "d", &directory_node, &a) == 0);
		at = a.ino;
		inos[i] = at;
		if (i % 100 == 0)
			CHECK(volume_compact(v, op.now) == 0);
	}
	CHECK(volume_rename(v, &op, 1, "d", at, "x", 0, NULL) == -EINVAL);
	for (int i = 1000; i > 0; i--) {
		CHECK(volume_rmdir(v, &op, inos[i - 1], "d", NULL) == 0);
		CHECK(volume_gone(v, &op, inos[i]) == 0);
	}
	CHECK(volume_getattr(v, 1, &a) == 0 && a.links == 2);
	return NULL;
}

const char *check_names(void)
{
	struct volume_format format;
	static uint8_t bytes[8 << 20];
	struct volume *volume;
	struct media *media;
	const char *wrong;

	media = media_of_memory(bytes, sizeof(bytes));
	check_format(&format);
	format.area = 1 << 20;
	if (volume_format(media, &format, NULL) ||
	    check_open(&volume, media, VOLUME_OWN, NULL))
		return "making it fails";
	wrong = names_run(volume);
	if (!wrong)
		wrong = names_deep(volume);
	volume_unmake(volume, media);
	return wrong;
}

/* Space is back when, and only when, it was let go of. */
static const char *space_run(struct volume *v)
{
	struct volume_stat before, after;
	struct volume_attr a;
	struct volume_removed gone;
	uint64_t all;

	volume_statfs(v, &before);
	all = before.free;
	CHECK(before.total == all);
	CHECK(volume_create(v, &op, 1, "a", &file_node, &a) == 0);
	CHECK(volume_truncate(v, &op, a.ino, all + 1, NULL) == -ENOSPC);
	CHECK(volume_truncate(v, &op, a.ino, all, &a) == 0);
	CHECK(a.attr.size == all && a.mapped == all);
	CHECK(volume_truncate(v, &op, a.ino, 4097, &a) == 0);
	CHECK(a.mapped == 8192);
	volume_statfs(v, &after);
	CHECK(after.free == 0 && after.waiting == all - 8192);
	/* Not even to the file itself. */
	CHECK(volume_truncate(v, &op, a.ino, 8193, NULL) == -ENOSPC);
	CHECK(volume_let_go(v, a.ino, a.seq - 1) == 0);
	volume_statfs(v, &after);
	CHECK(after.free == 0);
	CHECK(volume_let_go(v, a.ino, a.seq) == 0);
	volume_statfs(v, &after);
	CHECK(after.free == all - 8192 && after.waiting == 0);
	CHECK(volume_unlink(v, &op, 1, "a", &gone) == 0 && gone.ino == a.ino);
	volume_statfs(v, &after);
	CHECK(after.free == all - 8192 && after.waiting == 8192);
	CHECK(volume_gone(v, &op, gone.ino) == 0);
	volume_statfs(v, &after);
	CHECK(after.free == all && after.waiting == 0 && after.inodes == 1);
	CHECK(volume_gone(v, &op, 1) == -EBUSY);
	return NULL;
}

const char *check_space(void)
{
	struct volume *volume;
	struct media *media;
	const char *wrong;

	if (volume_make(&volume, &media))
		return "making it fails";
	wrong = space_run(volume);
	volume_unmake(volume, media);
	return wrong;
}

/* Which of the file's aligned 2 MiB a huge page could map. */
static unsigned int growth_huge(struct volume *v, uint64_t ino)
{
	static struct volume_extent list[4096];
	uint64_t at = 0;
	unsigned int huge = 0;
	uint32_t count;

	if (volume_extents(v, ino, list, 4096, &count))
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t from = round_up64(at, HUGE_SIZE);
		uint64_t to = round_down64(at + list[i].bytes, HUGE_SIZE);

		if (at % HUGE_SIZE == list[i].offset % HUGE_SIZE && to > from)
			huge += (to - from) / HUGE_SIZE;
		at += list[i].bytes;
	}
	return huge;
}

/* A file that grows by steps as cp makes them, beside others. */
static const char *growth_run(struct volume *v, uint64_t size, uint64_t step)
{
	struct volume_attr a, other;
	char name[20];

	CHECK(volume_create(v, &op, 1, "grows", &file_node, &a) == 0);
	for (uint64_t at = step; at <= size; at += step) {
		if (at > a.mapped)
			CHECK(volume_map(v, &op, a.ino, at, true, &a) == 0);
		CHECK(a.mapped >= at);
		if (at % (16 * step))
			continue;
		CHECK(volume_tell(v, &op, a.ino, at, &a) == 0);
		snprintf(name, sizeof(name), "%llu", (unsigned long long)at);
		CHECK(volume_create(v, &op, 1, name, &file_node, &other) == 0);
		CHECK(volume_truncate(v, &op, other.ino, 10000, NULL) == 0);
	}
	CHECK(volume_trim(v, &op, a.ino, NULL) == 0);
	CHECK(growth_huge(v, a.ino) >= size / HUGE_SIZE - 1);
	CHECK(volume_create(v, &op, 1, "at once", &file_node, &a) == 0);
	CHECK(volume_truncate(v, &op, a.ino, size + 1, &a) == 0);
	CHECK(a.mapped == size + HUGE_SIZE);
	CHECK(growth_huge(v, a.ino) == a.mapped / HUGE_SIZE);
	return NULL;
}

/* A sparse memory: only what is metadata is ever written. */
static const char *growth_on(uint64_t size, uint64_t step)
{
	uint64_t device = 4 * size + (64 << 20);
	struct volume_format format;
	struct volume *volume;
	struct media *media;
	const char *wrong;
	uint8_t *bytes;

	bytes = calloc(1, device);
	media = media_of_memory(bytes, device);
	check_format(&format);
	format.area = 4 << 20;
	if (!bytes || volume_format(media, &format, NULL) ||
	    check_open(&volume, media, VOLUME_OWN, NULL))
		return "making it fails";
	wrong = growth_run(volume, size, step);
	volume_unmake(volume, media);
	free(bytes);
	return wrong;
}

const char *check_growth(void)
{
	const char *wrong = growth_on(128 << 20, 131072);

	return wrong ? wrong : growth_on(16 << 20, 4096);
}

/* Names until no more fit; then all can still be removed. */
static const char *log_full_run(struct volume *v)
{
	unsigned int made = 0;
	char name[100];
	int err;

	do {
		struct volume_attr a;

		snprintf(name, sizeof(name), "%080u", made++);
		err = volume_create(v, &op, 1, name, &file_node, &a);
	} while (!err && made < 10000);
	CHECK(err == -ENOSPC);
	CHECK(made > 150);
	while (--made > 0) {
		struct volume_removed gone;

		snprintf(name, sizeof(name), "%080u", made - 1);
		CHECK(volume_unlink(v, &op, 1, name, &gone) == 0);
		CHECK(volume_gone(v, &op, gone.ino) == 0);
	}
	CHECK(volume_create(v, &op, 1, "again", &file_node, NULL) == 0);
	CHECK(volume_health(v) == 0);
	return NULL;
}

const char *check_log_full(void)
{
	struct volume *volume;
	struct media *media;
	const char *wrong;

	if (volume_make(&volume, &media))
		return "making it fails";
	wrong = log_full_run(volume);
	volume_unmake(volume, media);
	return wrong;
}

/* A newer call ends writing, and nothing is told. */
static const char *deposed_run(struct volume *v, struct media *media)
{
	struct call call = { .epoch = v->root.epoch + 1 };
	struct volume_attr a;

	CHECK(volume_create(v, &op, 1, "a", &file_node, &a) == 0);
	CHECK(call_write(&call, media, v->super.uuid) == 0);
	CHECK(volume_create(v, &op, 1, "b", &file_node, &a) == -EROFS);
	CHECK(volume_lookup(v, 1, "b", &a) == -ENOENT);
	CHECK(volume_health(v) == -EROFS);
	CHECK(volume_unlink(v, &op, 1, "a", NULL) == -EROFS);
	CHECK(volume_compact(v, op.now) == -EROFS);
	return NULL;
}

const char *check_deposed(void)
{
	struct volume *volume;
	struct media *media;
	const char *wrong;

	if (volume_make(&volume, &media))
		return "making it fails";
	wrong = deposed_run(volume, media);
	volume_unmake(volume, media);
	return wrong;
}
