// SPDX-License-Identifier: GPL-2.0
/*
 * Checks with records that have right sums and say what cannot be, or do not
 * follow on.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "checks.h"
#include "crc.h"
#include "layout.h"
#include "volume_internal.h"

static uint8_t bad_bytes[CHECK_SIZE], bad_image[CHECK_SIZE];
static bool bad_ready;

#define DATA	(4ull << 20)

/*
 * The medium of all these: 2 a directory with the file 3 "f" (two units, 5000
 * bytes), 4 a link, 5 a file with two names, 6 removed, 7 cut from two units to
 * one.
 */
static int bad_fill(struct volume *volume)
{
	struct op op = { .now = 2100000000 };
	struct volume_node file = { .mode = S_IFREG | 0644, .map = 8192 };
	struct volume_node directory = { .mode = S_IFDIR | 0755 };
	struct volume_node link = { .mode = S_IFLNK | 0777, .target = "x" };
	int err = 0;

	err |= volume_create(volume, &op, 1, "d", &directory, NULL);
	err |= volume_create(volume, &op, 2, "f", &file, NULL);
	err |= volume_truncate(volume, &op, 3, 5000, NULL);
	err |= volume_create(volume, &op, 1, "l", &link, NULL);
	err |= volume_create(volume, &op, 1, "h", &file, NULL);
	err |= volume_link(volume, &op, 5, 1, "h2", NULL);
	err |= volume_create(volume, &op, 1, "gone", &file, NULL);
	err |= volume_unlink(volume, &op, 1, "gone", NULL);
	err |= volume_create(volume, &op, 1, "cut", &file, NULL);
	err |= volume_truncate(volume, &op, 7, 8192, NULL);
	err |= volume_truncate(volume, &op, 7, 1, NULL);
	return err;
}

static int bad_prepare(void)
{
	struct media *media = media_of_memory(bad_image, CHECK_SIZE);
	struct volume *volume;

	if (check_mkfs(media) || check_open(&volume, media, VOLUME_OWN, NULL) ||
	    bad_fill(volume))
		return -EIO;
	volume_close(volume);
	media_close(media);
	bad_ready = true;
	return 0;
}

/* The log of bad_bytes, at its end. */
static int bad_log(struct log *log, struct super *super, struct root *root,
		   struct media *media)
{
	struct record_header header;
	const uint8_t *bytes;
	int found;

	if (super_read(super, media, NULL) ||
	    root_read(root, media, super->uuid))
		return -EIO;
	log_begin(log, media, super, root);
	while ((found = log_next(log, &header, &bytes)) > 0)
		;
	return found;
}

static int bad_append(struct log *log, const struct item *items,
		      unsigned int count, uint16_t flags)
{
	struct record record = { 0 };
	int err;

	record_begin(&record);
	for (unsigned int i = 0; i < count; i++)
		record_add(&record, &items[i]);
	err = log_append(log, &record, flags, 0, 2200000000);
	record_free(&record);
	return err;
}

/* Opens what has been made, and closes it. */
static int bad_open(struct media *media, struct fault *fault)
{
	struct volume *volume;
	int err;

	memset(fault, 0, sizeof(*fault));
	err = check_open(&volume, media, VOLUME_READ, fault);
	if (!err)
		volume_close(volume);
	return err;
}

static int bad_record(const struct item *items, unsigned int count,
		      struct fault *fault)
{
	struct media *media = media_of_memory(bad_bytes, CHECK_SIZE);
	struct super super;
	struct root root;
	struct log log;
	int err;

	if (!bad_ready && bad_prepare())
		return -EIO;
	memcpy(bad_bytes, bad_image, CHECK_SIZE);
	err = bad_log(&log, &super, &root, media);
	if (!err)
		err = bad_append(&log, items, count, 0);
	log_end(&log);
	err = err ? -EIO : bad_open(media, fault);
	media_close(media);
	return err;
}

#define INODE(n, m, s)	{ .type = ITEM_INODE_TYPE, .ino = n, \
			  .inode = { .mode = m, .size = s } }
#define NAME(p, n, c, t) { .type = ITEM_NAME_TYPE, .ino = n, \
			   .name = { p, c, { t, sizeof(t) - 1 } } }
#define UNNAME(p, c)	{ .type = ITEM_UNNAME_TYPE, .unname = { p, c } }
#define EXTENT(n, o, b)	{ .type = ITEM_EXTENT_TYPE, .ino = n, \
			  .extent = { 0, o, b } }
#define REG		(S_IFREG | 0644)
#define DIR		(S_IFDIR | 0755)

static const struct {
	const char *text;
	struct item items[4];
	unsigned int count;
} bad_items[] = {
	{ "a mode without a type", { INODE(20, 0644, 0) }, 1 },
	{ "an inode number of the past", { { .type = ITEM_GONE_TYPE, .ino = 6 },
	  INODE(6, REG, 0) }, 2 },
	{ "inode 0", { INODE(0, REG, 0) }, 1 },
	{ "an inode of another type", { INODE(3, DIR, 5000) }, 1 },
	{ "an inode of another size", { INODE(3, REG, 6000) }, 1 },
	{ "a new inode with a size", { INODE(20, REG, 5) }, 1 },
	{ "an extent of a directory", { EXTENT(2, DATA + (1 << 19), 4096) }, 1 },
	{ "an extent of nothing", { EXTENT(99, DATA + (1 << 19), 4096) }, 1 },
	{ "an extent of another device", { { .type = ITEM_EXTENT_TYPE, .ino = 3,
	  .extent = { 1, DATA + (1 << 19), 4096 } } }, 1 },
	{ "an extent below the data", { EXTENT(3, DATA - 4096, 4096) }, 1 },
	{ "an extent behind the data", { EXTENT(3, CHECK_SIZE - 4096, 4096) }, 1 },
	{ "an extent across the end", { EXTENT(3, CHECK_SIZE - 8192, 8192) }, 1 },
	{ "an extent that wraps", { EXTENT(3, DATA, 0 - 4096ull) }, 1 },
	{ "an extent of no bytes", { EXTENT(3, DATA + (1 << 19), 0) }, 1 },
	{ "an extent of half a unit", { EXTENT(3, DATA + (1 << 19), 2048) }, 1 },
	{ "an extent that a file has", { EXTENT(5, DATA, 4096) }, 1 },
	{ "a cut of nothing", { { .type = ITEM_CUT_TYPE, .ino = 3,
	  .cut = { 12288 } } }, 1 },
	{ "a cut through a unit", { { .type = ITEM_CUT_TYPE, .ino = 3,
	  .cut = { 100 } } }, 1 },
	{ "a cut of a link", { { .type = ITEM_CUT_TYPE, .ino = 4 } }, 1 },
	{ "a size beyond the map", { { .type = ITEM_SIZE_TYPE, .ino = 3,
	  .size = { 8193, 0, 0 } } }, 1 },
	{ "an xattr without a name", { { .type = ITEM_XATTR_TYPE, .ino = 3,
	  .xattr = { 0, { "", 0 }, { "v", 1 } } } }, 1 },
	{ "an xattr with a NUL", { { .type = ITEM_XATTR_TYPE, .ino = 3,
	  .xattr = { 0, { "a\0b", 3 }, { "v", 1 } } } }, 1 },
	{ "an xattr of nothing", { { .type = ITEM_XATTR_TYPE, .ino = 99,
	  .xattr = { 0, { "a", 1 }, { "v", 1 } } } }, 1 },
	{ "no xattr removed", { { .type = ITEM_XATTR_TYPE, .ino = 3,
	  .xattr = { 1, { "a", 1 }, { "", 0 } } } }, 1 },
	{ "a second target", { { .type = ITEM_TARGET_TYPE, .ino = 4,
	  .target = { { "y", 1 } } } }, 1 },
	{ "a target of a file", { { .type = ITEM_TARGET_TYPE, .ino = 3,
	  .target = { { "y", 1 } } } }, 1 },
	{ "an empty target", { INODE(20, S_IFLNK | 0777, 0),
	  { .type = ITEM_TARGET_TYPE, .ino = 20, .target = { { "", 0 } } } }, 2 },
	{ "a target with a NUL", { INODE(20, S_IFLNK | 0777, 0),
	  { .type = ITEM_TARGET_TYPE, .ino = 20, .target = { { "a\0", 2 } } } }, 2 },
	{ "a name of a link without a target", { INODE(20, S_IFLNK | 0777, 0),
	  NAME(1, 20, 50, "n") }, 2 },
	{ "the end of a file with a name", { { .type = ITEM_GONE_TYPE,
	  .ino = 3 } }, 1 },
	{ "the end of a full directory", { UNNAME(1, 1),
	  { .type = ITEM_GONE_TYPE, .ino = 2 } }, 2 },
	{ "the end of nothing", { { .type = ITEM_GONE_TYPE, .ino = 99 } }, 1 },
	{ "a name in a file", { NAME(3, 5, 50, "n") }, 1 },
	{ "a name with a slash", { NAME(1, 5, 50, "a/b") }, 1 },
	{ "a name with a NUL", { NAME(1, 5, 50, "a\0b") }, 1 },
	{ "the name .", { NAME(1, 5, 50, ".") }, 1 },
	{ "the name ..", { NAME(1, 5, 50, "..") }, 1 },
	{ "no name", { NAME(1, 5, 50, "") }, 1 },
	{ "a name of the root", { NAME(2, 1, 50, "r") }, 1 },
	{ "a name of nothing", { NAME(1, 99, 50, "r") }, 1 },
	{ "a name in nothing", { NAME(99, 5, 50, "r") }, 1 },
	{ "a cookie used up", { NAME(1, 5, 1, "n") }, 1 },
	{ "a cookie twice", { NAME(1, 5, 50, "n"), NAME(2, 5, 50, "n") }, 2 },
	{ "a cookie beyond offsets", { NAME(1, 5, 1ull << 63, "n") }, 1 },
	{ "a name that is there", { NAME(1, 5, 50, "d") }, 1 },
	{ "a second name of a directory", { NAME(1, 2, 50, "n") }, 1 },
	{ "a directory in itself", { UNNAME(1, 1), NAME(2, 2, 50, "n") }, 2 },
	{ "a directory below itself", { INODE(20, DIR, 0), NAME(2, 20, 50, "s"),
	  UNNAME(1, 1), NAME(20, 2, 51, "n") }, 4 },
	{ "a name in what has none", { INODE(20, DIR, 0),
	  NAME(20, 5, 50, "n") }, 2 },
	{ "no such name removed", { UNNAME(1, 40) }, 1 },
	{ "a full directory removed", { UNNAME(1, 1) }, 1 },
	{ "a slot that there is not", { { .type = ITEM_HOST_TYPE,
	  .host = { .slot = 32 } } }, 1 },
	{ "a state that there is not", { { .type = ITEM_HOST_TYPE,
	  .host = { .slot = 1, .state = 9 } } }, 1 },
	{ "waiting outside a snapshot", { { .type = ITEM_WAIT_TYPE, .ino = 6,
	  .wait = { .seq = 1 } } }, 1 },
	{ "an end outside a snapshot", { { .type = ITEM_END_TYPE,
	  .end = { 7, 6, 4, 1, 20, 50 } } }, 1 },
};

const char *check_bad_items(void)
{
	static const struct item good[] = { INODE(20, REG, 0),
					    NAME(2, 20, 50, "good"),
					    EXTENT(20, DATA + (1 << 19), 4096) };
	struct fault fault;

	if (bad_record(good, 3, &fault))
		return check_say("a good record is refused: %s", fault.text);
	for (unsigned int i = 0; i < sizeof(bad_items) / sizeof(*bad_items);
	     i++) {
		int err = bad_record(bad_items[i].items, bad_items[i].count,
				     &fault);

		if (err != -EUCLEAN || fault.kind != FAULT_CONTENT)
			return check_say("%s: %d", bad_items[i].text, err);
	}
	return NULL;
}

#define END(...)	{ .type = ITEM_END_TYPE, .end = { __VA_ARGS__ } }
#define WAIT(n, f, o, b) { .type = ITEM_WAIT_TYPE, .ino = n, \
			   .wait = { 1, 0, f, o, b } }

/* Snapshots: the items, the last of which is the end. */
static const struct {
	const char *text;
	struct item items[6];
	unsigned int count;
} bad_snapshots[] = {
	{ NULL, { INODE(1, DIR, 0), INODE(2, REG, 0), NAME(1, 2, 1, "a"),
	  EXTENT(2, DATA, 4096), WAIT(2, 1, DATA + 4096, 4096),
	  END(2, 1, 1, 1, 3, 2) }, 6 },
	{ NULL, { INODE(1, DIR, 0), INODE(2, REG, 0), WAIT(2, 0, 0, 0),
	  END(2, 0, 0, 0, 3, 1) }, 4 },
	{ "no root", { END(0, 0, 0, 0, 2, 1) }, 1 },
	{ "a root that is a file", { INODE(1, REG, 0), END(1, 0, 0, 0, 2, 1) }, 2 },
	{ "another count of inodes", { INODE(1, DIR, 0),
	  END(2, 0, 0, 0, 2, 1) }, 2 },
	{ "another count of names", { INODE(1, DIR, 0),
	  END(1, 1, 0, 0, 2, 1) }, 2 },
	{ "another count of waits", { INODE(1, DIR, 0),
	  END(1, 0, 0, 1, 2, 1) }, 2 },
	{ "a next number that is used", { INODE(1, DIR, 0), INODE(2, REG, 0),
	  NAME(1, 2, 1, "a"), END(2, 1, 0, 0, 2, 2) }, 4 },
	{ "a next cookie that is used", { INODE(1, DIR, 0), INODE(2, REG, 0),
	  NAME(1, 2, 1, "a"), END(2, 1, 0, 0, 3, 1) }, 4 },
	{ "a next cookie beyond offsets", { INODE(1, DIR, 0),
	  END(1, 0, 0, 0, 2, 1ull << 63) }, 2 },
	{ "an inode twice", { INODE(1, DIR, 0), INODE(1, DIR, 0),
	  END(1, 0, 0, 0, 2, 1) }, 3 },
	{ "a size without a map", { INODE(1, DIR, 0), INODE(2, REG, 1),
	  NAME(1, 2, 1, "a"), END(2, 1, 0, 0, 3, 2) }, 4 },
	{ "an inode without a name", { INODE(1, DIR, 0), INODE(2, REG, 0),
	  END(2, 0, 0, 0, 3, 1) }, 3 },
	{ "a cookie twice in a directory", { INODE(1, DIR, 0), INODE(2, REG, 0),
	  NAME(1, 2, 1, "a"), NAME(1, 2, 1, "b"), END(2, 2, 0, 0, 3, 2) }, 5 },
	{ "waiting space that a file has", { INODE(1, DIR, 0), INODE(2, REG, 0),
	  NAME(1, 2, 1, "a"), EXTENT(2, DATA, 4096), WAIT(2, 1, DATA, 4096),
	  END(2, 1, 1, 1, 3, 2) }, 6 },
	{ "waiting space outside", { INODE(1, DIR, 0), WAIT(1, 1, 0, 4096),
	  END(1, 0, 0, 1, 2, 1) }, 3 },
	{ "waiting space of another device", { INODE(1, DIR, 0),
	  { .type = ITEM_WAIT_TYPE, .ino = 1,
	    .wait = { 1, 1, 1, DATA, 4096 } }, END(1, 0, 0, 1, 2, 1) }, 3 },
	{ "a name in a removed directory", { INODE(1, DIR, 0),
	  INODE(2, DIR, 0), INODE(3, REG, 0), WAIT(2, 0, 0, 0),
	  NAME(2, 3, 1, "a"), END(3, 1, 0, 0, 4, 2) }, 6 },
	{ "waiting with a name", { INODE(1, DIR, 0), INODE(2, REG, 0),
	  NAME(1, 2, 1, "a"), WAIT(2, 0, 0, 0), END(2, 1, 0, 0, 3, 2) }, 5 },
	{ "something behind the end", { INODE(1, DIR, 0),
	  END(1, 0, 0, 0, 2, 1), END(1, 0, 0, 0, 2, 1) }, 3 },
	{ "no end", { INODE(1, DIR, 0) }, 1 },
};

static int bad_snapshot(const struct item *items, unsigned int count,
			struct fault *fault)
{
	struct media *media = media_of_memory(bad_bytes, CHECK_SIZE);
	struct root root;
	struct super super;
	struct log log;
	int err;

	memcpy(bad_bytes, bad_image, CHECK_SIZE);
	err = bad_log(&log, &super, &root, media);
	log_end(&log);
	root.generation++;
	log_begin(&log, media, &super, &root);
	if (!err)
		err = bad_append(&log, items, count, RECORD_SNAPSHOT);
	root.lines = (uint32_t)log.tail;
	log_end(&log);
	if (!err)
		err = root_write(&root, media, super.uuid);
	err = err ? -EIO : bad_open(media, fault);
	media_close(media);
	return err;
}

const char *check_bad_snapshots(void)
{
	unsigned int all = sizeof(bad_snapshots) / sizeof(*bad_snapshots);
	struct fault fault;

	if (!bad_ready && bad_prepare())
		return "preparing fails";
	for (unsigned int i = 0; i < all; i++) {
		int err = bad_snapshot(bad_snapshots[i].items,
				       bad_snapshots[i].count, &fault);

		if (err != (bad_snapshots[i].text ? -EUCLEAN : 0))
			return check_say("snapshot %u, %s: %d %s", i,
					 bad_snapshots[i].text, err,
					 fault.text);
	}
	return NULL;
}

/* The last cookies and numbers: nothing is made with them, and nothing ends. */
static const char *numbers_end(void)
{
	static const struct item items[] = {
		INODE(1, DIR, 0), INODE(2, REG, 0), NAME(1, 2, 1, "a"),
		{ .type = ITEM_HOST_TYPE, .host = { .state = HOST_STATE_GIVEN,
		  .uuid = { 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
			    0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11 },
		  .name = { "here", 4 } } },
		END(2, 1, 0, 0, UINT64_MAX, INT64_MAX),
	};
	struct media *media = media_of_memory(bad_bytes, CHECK_SIZE);
	struct volume_node node = { .mode = REG };
	struct op op = { .now = 2300000000 };
	struct volume *volume;
	struct fault fault;
	int err, linked, health;

	if (bad_snapshot(items, 5, &fault) ||
	    check_open(&volume, media, VOLUME_OWN, NULL))
		return "what has given all numbers does not open";
	err = volume_create(volume, &op, 1, "new", &node, NULL);
	linked = volume_link(volume, &op, 2, 1, "b", NULL);
	health = volume_health(volume);
	volume_close(volume);
	if (err != -ENOSPC || linked != -ENOSPC || health)
		return check_say("without numbers: %d %d %d", err, linked,
				 health);
	err = check_open(&volume, media, VOLUME_OWN, NULL);
	if (!err)
		volume_close(volume);
	media_close(media);
	return err ? "and then it does not open any more" : NULL;
}

/* A root with the last generation, or the last seq, has no next one. */
static const char *numbers_of_root(uint64_t generation, uint64_t seq)
{
	struct media *media = media_of_memory(bad_bytes, CHECK_SIZE);
	struct super super;
	struct fault fault;
	struct root root;
	int err;

	memcpy(bad_bytes, bad_image, CHECK_SIZE);
	if (super_read(&super, media, NULL) ||
	    root_read(&root, media, super.uuid))
		return "there is no root";
	root.generation += generation;
	root.base_seq += seq;
	err = root_write(&root, media, super.uuid);
	if (!err)
		err = bad_open(media, &fault);
	media_close(media);
	return err == -EUCLEAN && fault.kind == FAULT_ROOT ? NULL :
	       "a root with used up numbers counts";
}

const char *check_numbers(void)
{
	const char *wrong;

	if (!bad_ready && bad_prepare())
		return "preparing fails";
	wrong = numbers_end();
	if (!wrong)
		wrong = numbers_of_root(1ull << 63, 0);
	return wrong ? wrong : numbers_of_root(0, 1ull << 63);
}
