// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of what users of a mount can put into the log, as values of xattrs,
 * and of what an earlier file system has left there.
 *
 * Users are taken to know the uuid, generation and epoch. Where the secret is
 * such that these are all that there is to know, the same bytes must do harm:
 * else they would be made wrongly, and prove nothing.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "bytes.h"
#include "checks.h"
#include "crc.h"
#include "layout.h"
#include "volume_internal.h"

#define CHECK(expression) do {						\
	if (!(expression))						\
		return check_say("line %d: %s", __LINE__, #expression);	\
} while (0)

static struct op op = { .now = 2500000000 };
static const struct volume_node file_node = { .mode = S_IFREG | 0644 };

/* A secret that is the uuid and whose first half is 0: there is nothing to it. */
static const uint8_t users_uuid[16] = { [8] = 1, 2, 3, 4, 5, 6, 7, 8 };

struct users {
	void *bytes;
	struct media *media;
	struct volume_format format;
};

static int users_make(struct users *users, uint64_t area, bool open_secret)
{
	uint64_t size = AREA_COUNT * area + AREAS_OFFSET + 4 * HUGE_SIZE;

	users->bytes = calloc(1, size);
	users->media = media_of_memory(users->bytes, size);
	check_format(&users->format);
	users->format.area = area;
	memcpy(users->format.uuid, users_uuid, 16);
	if (open_secret)
		memcpy(users->format.secret, users_uuid, 16);
	return volume_format(users->media, &users->format, NULL);
}

static void users_free(struct users *users)
{
	media_close(users->media);
	free(users->bytes);
}

/* A header that is later than all, as if a record of @lines began here. */
static void users_forge(uint8_t *line, uint64_t generation, uint32_t epoch,
			uint16_t lines)
{
	memset(line, 0, LINE_SIZE);
	put_le64(line + RECORD_SEQ, 1ull << 40);
	put_le64(line + RECORD_MARK, generation);
	put_le32(line + RECORD_EPOCH, epoch);
	put_le16(line + RECORD_LINES, lines);
	put_le32(line + RECORD_CRC, crc_seeded(users_uuid, line + 4, 60));
}

/* Before the value: a header, an item and a name, which are two lines. */
static const char users_name[] =
	"user.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/* Has the log filled with values until the area has come round. */
static int users_fill(struct volume *volume, uint64_t ino, uint8_t *value,
		      uint32_t bytes, uint16_t lines)
{
	/* Few long ones are enough, if they count at all. */
	uint32_t spread = lines > 1 ? 1 : 8;
	uint64_t last = volume->root.generation + AREA_COUNT;
	int err = 0;

	while (!err && volume->root.generation < last) {
		for (uint32_t i = 0; i < bytes / LINE_SIZE; i++)
			users_forge(value + i * LINE_SIZE,
				    volume->root.generation + AREA_COUNT +
				    i % spread,
				    volume->root.epoch + i / spread % 2,
				    lines);
		err = volume_setxattr(volume, &op, ino, users_name, value,
				      bytes, 0);
	}
	return err;
}

static int users_poison(struct users *users, uint32_t bytes, uint16_t lines)
{
	uint8_t *value = malloc(bytes);
	struct volume_attr attr;
	struct volume *volume;
	int err;

	err = check_open(&volume, users->media, VOLUME_OWN, NULL);
	if (err)
		return err;
	err = volume_create(volume, &op, 1, "mine", &file_node, &attr);
	if (!err)
		err = users_fill(volume, attr.ino, value, bytes, lines);
	if (!err)
		err = volume_removexattr(volume, &op, attr.ino, users_name);
	if (!err)
		err = volume_compact(volume, op.now);
	volume_close(volume);
	free(value);
	return err;
}

/* What mounts say, one behind the other, up to the first error. */
static int users_mount(struct users *users, unsigned int times)
{
	struct volume *volume;
	int err = 0;

	while (!err && times--) {
		err = check_open(&volume, users->media, VOLUME_OWN, NULL);
		if (!err)
			volume_close(volume);
	}
	return err;
}

static int forged_run(bool open_secret)
{
	struct users users;
	int err = users_make(&users, 256 << 10, open_secret);

	if (!err)
		err = users_poison(&users, 4096, 1);
	/* An area that has come round has the lines behind its end. */
	if (!err)
		err = users_mount(&users, 8);
	users_free(&users);
	return err;
}

const char *check_forged(void)
{
	int err;

	err = forged_run(true);
	if (err != -EUCLEAN)
		return check_say("records are forged wrongly: %d", err);
	err = forged_run(false);
	return err ? check_say("a user's bytes count as records: %d", err) :
		     NULL;
}

/* With the longest records of wrong sums in each line, a mount took minutes. */
const char *check_forged_long(void)
{
	struct users users;
	clock_t start;
	int err = users_make(&users, 5 << 20, false);

	if (!err)
		err = users_poison(&users, XATTR_VALUE_MOST,
				   RECORD_LINES_MOST);
	start = clock();
	if (!err)
		err = users_mount(&users, 2);
	users_free(&users);
	if (err)
		return check_say("a user's bytes count as records: %d", err);
	return clock() - start > 5 * CLOCKS_PER_SEC ?
	       "bytes of users are summed" : NULL;
}

/* An old file system of the same uuid, then a new one, then two mounts. */
static int again_run(bool same_secret)
{
	struct volume *volume;
	struct users users;
	char name[8];
	int err = users_make(&users, CHECK_AREA, same_secret);

	if (!err)
		err = check_open(&volume, users.media, VOLUME_OWN, NULL);
	for (unsigned int i = 0; i < 50 && !err; i++) {
		snprintf(name, sizeof(name), "old%u", i);
		err = volume_create(volume, &op, 1, name, &file_node, NULL);
	}
	volume_close(volume);
	users.format.secret[0] ^= !same_secret;
	if (!err)
		err = volume_format(users.media, &users.format, NULL);
	if (!err)
		err = check_open(&volume, users.media, VOLUME_OWN, NULL);
	if (err)
		return -EIO;
	err = volume_create(volume, &op, 1, "new", &file_node, NULL);
	volume_close(volume);
	if (!err)
		err = users_mount(&users, 1);
	users_free(&users);
	return err;
}

/* The copy that fsck finds is the new one, also where the unit was another. */
static const char *again_copy(void)
{
	struct users users;
	struct super copy;

	CHECK(users_make(&users, CHECK_AREA, false) == 0);
	users.format.unit = HUGE_SIZE;
	strcpy(users.format.label, "new");
	CHECK(volume_format(users.media, &users.format, NULL) == 0);
	CHECK(super_read_copy(&copy, users.media) == 0);
	CHECK(!strcmp(copy.label, "new") && copy.unit == HUGE_SIZE);
	users_free(&users);
	return NULL;
}

const char *check_mkfs_again(void)
{
	int err = again_run(true);

	if (err != -EUCLEAN)
		return check_say("the old log does not fit: %d", err);
	err = again_run(false);
	if (err)
		return check_say("the old log counts: %d", err);
	return again_copy();
}
