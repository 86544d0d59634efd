// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of a log that users fill by what they can hold for as long as they
 * like: inodes without names, and space that waits because pages are pinned.
 * Things can be removed at any time, and it can always be mounted again.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checks.h"
#include "layout.h"
#include "volume_internal.h"

#define CHECK(expression) do {						\
	if (!(expression))						\
		return check_say("line %d: %s", __LINE__, #expression);	\
} while (0)

#define FULL_SIZE	(12u << 20)
#define FULL_FILES	8u

static struct op op = { .now = 2500000000 };
static const struct volume_node file_node = { .mode = S_IFREG | 0600 };

/* The snapshot that comes next takes no more than was counted. */
static bool full_counts(struct volume *v)
{
	struct volume_stat before, after;

	volume_statfs(v, &before);
	if (volume_compact(v, op.now))
		return false;
	volume_statfs(v, &after);
	return after.log_used <= before.log_least &&
	       before.log_least <= before.log_bytes;
}

/* Unnamed inodes until there is no room; the first and the last number. */
static int full_tmpfiles(struct volume *v, uint64_t *first, uint64_t *last)
{
	struct volume_attr a;
	int err;

	*first = *last = 0;
	while (!(err = volume_create(v, &op, 1, NULL, &file_node, &a))) {
		if (!*first)
			*first = a.ino;
		*last = a.ino;
	}
	return err;
}

/* Files in pieces of a unit each, in turn. */
static int full_fragment(struct volume *v, uint64_t *inos, uint64_t pieces)
{
	struct volume_attr a;
	char name[16];
	int err = 0;

	for (unsigned int i = 0; i < FULL_FILES && !err; i++) {
		snprintf(name, sizeof(name), "%u", i);
		err = volume_create(v, &op, 1, name, &file_node, &a);
		inos[i] = a.ino;
	}
	for (uint64_t size = 4096; size <= pieces * 4096 && !err; size += 4096)
		for (unsigned int i = 0; i < FULL_FILES && !err; i++)
			err = volume_truncate(v, &op, inos[i], size, &a);
	return err;
}

/* What must work in a file system of which the log is full. */
static const char *full_works(struct volume *v, uint64_t first, uint64_t last)
{
	struct attr to = { .mode = 0640 };
	struct volume_removed gone;
	struct volume_attr a;

	CHECK(volume_create(v, &op, 1, "new", &file_node, &a) == -ENOSPC);
	CHECK(full_counts(v));
	CHECK(volume_setattr(v, &op, 2, VOLUME_MODE, &to, &a) == 0);
	CHECK(volume_tell(v, &op, 2, 100, &a) == 0);
	CHECK(volume_rename(v, &op, 1, "a", 1, "b", 0, &gone) == 0);
	CHECK(volume_unlink(v, &op, 1, "b", &gone) == 0);
	CHECK(full_counts(v));
	for (uint64_t ino = first; ino <= last; ino++)
		CHECK(volume_gone(v, &op, ino) == 0);
	CHECK(volume_gone(v, &op, gone.ino) == 0);
	CHECK(volume_create(v, &op, 1, "new", &file_node, &a) == 0);
	CHECK(volume_health(v) == 0);
	return NULL;
}

static const char *full_of_tmpfiles(struct volume *v, struct media *media)
{
	uint64_t first = 0, last = 0;
	struct volume_attr a;

	(void)media;
	/* Names as short as can be: a WAIT takes more. */
	CHECK(volume_create(v, &op, 1, "a", &file_node, &a) == 0);
	CHECK(volume_create(v, &op, 1, "b", &file_node, &a) == 0);
	CHECK(volume_map(v, &op, 2, 4096, false, &a) == 0);
	CHECK(full_tmpfiles(v, &first, &last) == -ENOSPC);
	CHECK(full_counts(v));
	return full_works(v, first, last);
}

/* All of them lose their names, then the log is full of what waits. */
static const char *full_of_removed(struct volume *v, struct media *media)
{
	struct volume_removed gone;
	unsigned int made = 0;
	struct volume_attr a;
	char name[16];
	int err;

	(void)media;
	do {
		snprintf(name, sizeof(name), "%x", made++);
		err = volume_create(v, &op, 1, name, &file_node, &a);
	} while (!err);
	CHECK(err == -ENOSPC && made > 100);
	while (--made > 0) {
		snprintf(name, sizeof(name), "%x", made - 1);
		CHECK(volume_unlink(v, &op, 1, name, &gone) == 0);
		CHECK(gone.ino);
	}
	CHECK(full_counts(v));
	CHECK(volume_gone(v, &op, 2) == 0);
	return NULL;
}

/* Files shrink a unit at a time, and nobody lets go of anything. */
static const char *full_of_waits(struct volume *v, struct media *media)
{
	uint64_t inos[FULL_FILES], first = 0, last = 0;
	struct volume_stat stat;
	struct volume_attr a;

	(void)media;
	CHECK(full_fragment(v, inos, 40) == 0);
	CHECK(full_tmpfiles(v, &first, &last) == -ENOSPC);
	for (unsigned int i = 0; i < FULL_FILES / 2; i++)
		CHECK(volume_truncate(v, &op, inos[i], 0, &a) == 0);
	CHECK(full_counts(v));
	CHECK(volume_unlink(v, &op, 1, "7", NULL) == 0);
	for (uint64_t ino = first; ino <= last; ino++)
		CHECK(volume_gone(v, &op, ino) == 0);
	CHECK(volume_truncate(v, &op, inos[6], 400 * 4096, &a) == 0);
	for (uint64_t size = 400 * 4096; size; size -= 4096)
		CHECK(volume_truncate(v, &op, inos[6], size - 4096, &a) == 0);
	volume_statfs(v, &stat);
	CHECK(stat.waiting > 100 * 4096);
	CHECK(full_counts(v));
	CHECK(volume_let_go(v, inos[6], stat.seq) == 0);
	CHECK(volume_trim(v, &op, inos[6], &a) == 0 && a.mapped == 0);
	return NULL;
}

/*
 * What waits is let go of, which nobody logs: who replays has it all. A mount
 * by which nobody has anything gives it back before it writes a snapshot.
 */
static const char *full_replay(struct volume *v, struct media *media)
{
	struct volume_stat stat;
	struct volume_attr a;
	struct volume *again;
	int err = 0;

	CHECK(volume_create(v, &op, 1, "a", &file_node, &a) == 0);
	for (unsigned int i = 0; i < 40 && !err; i++) {
		err = volume_create(v, &op, 1, NULL, &file_node, NULL);
		CHECK(volume_truncate(v, &op, 2, 64 * 4096, &a) == 0);
		for (uint64_t to = 60; to && !err; to -= 20) {
			err = volume_truncate(v, &op, 2, to * 4096, &a);
			if (!err)
				err = volume_let_go(v, 2, volume_seq(v));
		}
	}
	CHECK(err == 0);
	CHECK(volume_map(v, &op, 2, 512 * 4096, true, &a) == 0);
	CHECK(check_open(&again, media, VOLUME_OWN | VOLUME_UNUSED, NULL) == 0);
	volume_statfs(again, &stat);
	err = volume_getattr(again, 2, &a);
	volume_close(again);
	CHECK(err == 0 && a.mapped == 20 * 4096 && a.attr.size == a.mapped);
	CHECK(stat.waiting == 0 && stat.inodes == 2);
	CHECK(stat.free == stat.total - 20 * 4096);
	CHECK(check_open(&again, media, VOLUME_READ, NULL) == 0);
	volume_statfs(again, &stat);
	volume_close(again);
	CHECK(stat.waiting == 0 && stat.inodes == 2);
	return NULL;
}

/*
 * As many extents as there is room for, cut off and let go of; and then as much
 * as goes into the log: together that is more than an area has.
 */
static const char *full_replay_more(struct volume *v, struct media *media)
{
	static uint8_t value[CHECK_AREA / 4 - 4096];
	uint64_t inos[FULL_FILES];
	struct volume *again;
	struct volume_attr a;

	CHECK(full_fragment(v, inos, 1000) == -ENOSPC);
	CHECK(volume_compact(v, op.now) == 0);
	for (unsigned int i = 0; i < FULL_FILES; i++) {
		CHECK(volume_truncate(v, &op, inos[i], 0, &a) == 0);
		CHECK(volume_let_go(v, inos[i], volume_seq(v)) == 0);
	}
	while ((v->log.tail + 2) * LINE_SIZE < CHECK_AREA / 4 * 3)
		CHECK(volume_create(v, &op, 1, NULL, &file_node, &a) == 0);
	CHECK(volume_setxattr(v, &op, inos[0], "user.a", value, sizeof(value),
			      0) == 0);
	CHECK(check_open(&again, media, VOLUME_OWN, NULL) == -ENOSPC);
	CHECK(check_open(&again, media, VOLUME_OWN | VOLUME_UNUSED, NULL) == 0);
	volume_close(again);
	return NULL;
}

const char *check_full(void)
{
	static const char *(*const runs[])(struct volume *v,
					   struct media *media) = {
		full_of_tmpfiles, full_of_removed, full_of_waits, full_replay,
		full_replay_more,
	};
	uint8_t *bytes = malloc(FULL_SIZE);
	struct volume_format format;
	const char *wrong = NULL;
	struct volume *volume;
	struct media *media;

	check_format(&format);
	for (unsigned int i = 0; i < sizeof(runs) / sizeof(*runs) && !wrong; i++) {
		memset(bytes, 0, FULL_SIZE);
		media = media_of_memory(bytes, FULL_SIZE);
		if (volume_format(media, &format, NULL) ||
		    check_open(&volume, media, VOLUME_OWN, NULL))
			return "making it fails";
		wrong = runs[i](volume, media);
		volume_close(volume);
		media_close(media);
	}
	free(bytes);
	return wrong;
}
