// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of what is encoded and decoded: each field that counts is made wrong
 * once.
 */

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "checks.h"
#include "crc.h"
#include "item.h"
#include "layout.h"
#include "lines.h"
#include "lines_seal.h"
#include "record.h"
#include "super.h"

static uint8_t check_bytes[CHECK_SIZE];

/* The known answer of CRC-32C, and that pieces add up. */
const char *check_crc(void)
{
	uint8_t uuid[16] = "0123456789abcdef";
	uint32_t piece = crc_update(~0u, "1234", 4);

	if (~crc_update(~0u, "123456789", 9) != 0xe3069283)
		return "the sum of 123456789 is wrong";
	if (crc_update(piece, "56789", 5) != ~0xe3069283)
		return "pieces do not add up";
	if (crc_seeded(uuid, "a", 1) ==
	    crc_seeded((const uint8_t *)"1123456789abcdef", "a", 1))
		return "the uuid does not matter";
	return NULL;
}

static const char *check_item(const struct item *item)
{
	uint8_t once[512], twice[512];
	size_t size = item_size(item);
	struct item read;

	memset(once, 0xee, sizeof(once));
	item_encode(item, once);
	if (once[size] != 0xee)
		return "an item is longer than its size";
	if (size % 8 || item_decode(&read, once, size) != size)
		return "an item is not read";
	item_encode(&read, twice);
	if (memcmp(once, twice, size))
		return "an item is read as another";
	if (item_decode(&read, once, size - 8))
		return "a cut item is read";
	put_le32(once + ITEM_LENGTH, (uint32_t)size + 8);
	if (item_decode(&read, once, size + 8))
		return "an item with another length is read";
	return NULL;
}

/* Texts that do not lie in their items. */
static const char *check_item_text(void)
{
	struct item item = { .type = ITEM_NAME_TYPE, .ino = 3 };
	static const char long_name[NAME_MOST + 1] = "long";
	uint8_t bytes[512] = { 0 };

	item.name.text = (struct text){ "name", 4 };
	item_encode(&item, bytes);
	put_le32(bytes + NAME_BYTES, 0xfffffff0);
	put_le32(bytes + ITEM_LENGTH, 40);
	if (item_decode(&item, bytes, sizeof(bytes)))
		return "a name reaches beyond its item";
	item.name.text = (struct text){ long_name, NAME_MOST + 1 };
	item_encode(&item, bytes);
	return item_decode(&item, bytes, sizeof(bytes)) ?
	       "a name of 256 bytes is read" : NULL;
}

const char *check_items(void)
{
	struct item items[] = {
		{ .type = ITEM_INODE_TYPE, .ino = 7, .inode = { 0100644, 1, 2,
		  3, 4, -5, 6, 7 } },
		{ .type = ITEM_NAME_TYPE, .ino = 8, .name = { 1, 9,
		  { "some name", 9 } } },
		{ .type = ITEM_UNNAME_TYPE, .ino = 1, .unname = { 1, 9 } },
		{ .type = ITEM_EXTENT_TYPE, .ino = 7, .extent = { 0, 1 << 22,
		  4096 } },
		{ .type = ITEM_CUT_TYPE, .ino = 7, .cut = { 4096 } },
		{ .type = ITEM_SIZE_TYPE, .ino = 7, .size = { 5, 6, 7 } },
		{ .type = ITEM_XATTR_TYPE, .ino = 7, .xattr = { 0,
		  { "user.a", 6 }, { "value", 5 } } },
		{ .type = ITEM_TARGET_TYPE, .ino = 7, .target = { { "to", 2 } } },
		{ .type = ITEM_GONE_TYPE, .ino = 7 },
		{ .type = ITEM_HOST_TYPE, .host = { 3, 1, { 1, 2, 3 }, 9,
		  { "a host", 6 } } },
		{ .type = ITEM_WAIT_TYPE, .ino = 7, .wait = { 1, 0, 1, 1 << 22,
		  4096 } },
		{ .type = ITEM_END_TYPE, .ino = 1, .end = { 1, 2, 3, 4, 5, 6 } },
	};

	for (unsigned int i = 0; i < sizeof(items) / sizeof(*items); i++) {
		const char *wrong = check_item(&items[i]);

		if (wrong)
			return check_say("type %d: %s", items[i].type, wrong);
	}
	return check_item_text();
}

/* A value that cannot be, in one field, with a right sum. */
static const struct {
	uint32_t at, bytes;
	uint64_t value;
	enum fault_kind kind;
} super_wrongs[] = {
	{ SUPER_MAGIC, 8, 1, FAULT_FOREIGN },
	{ SUPER_VERSION, 8, 48, FAULT_VERSION },
	{ SUPER_VERSION, 8, 49, FAULT_VERSION },
	{ SUPER_INCOMPAT, 8, 4, FAULT_FEATURES },
	{ SUPER_UNIT, 4, 4097, FAULT_SUPER },
	{ SUPER_UNIT, 4, 2048, FAULT_SUPER },
	{ SUPER_UNIT, 4, 4 << 20, FAULT_SUPER },
	{ SUPER_COHERENCE, 4, 2, FAULT_SUPER },
	{ SUPER_DEVICES + DEVICE_SIZE, 8, CHECK_SIZE + 4096, FAULT_SUPER },
	{ SUPER_DEVICES + DEVICE_SIZE, 8, CHECK_SIZE - 1, FAULT_SUPER },
	{ SUPER_DATA, 8, (4 << 20) + 4096, FAULT_SUPER },
	{ SUPER_DATA, 8, 6 << 20, FAULT_SUPER },
	{ SUPER_AREAS, 8, 1 << 20, FAULT_SUPER },
	{ SUPER_AREAS + 16, 8, 2 << 20, FAULT_SUPER },
	{ SUPER_AREAS + 8, 8, 4096, FAULT_SUPER },
	{ SUPER_AREAS + 32, 8, (4 << 20) - 4096, FAULT_SUPER },
};

static const char *check_super_field(struct media *media, unsigned int i)
{
	uint8_t *at = check_bytes + super_wrongs[i].at;
	struct fault fault = { 0 };
	struct super super;

	if (super_wrongs[i].bytes == 8)
		put_le64(at, super_wrongs[i].value);
	else
		put_le32(at, (uint32_t)super_wrongs[i].value);
	put_le32(check_bytes + SUPER_CRC,
		 crc_seeded(check_bytes + SUPER_UUID, check_bytes, SUPER_CRC));
	if (!super_read(&super, media, &fault) ||
	    !super_read(&super, media, NULL))
		return "is accepted";
	if (fault.kind != super_wrongs[i].kind)
		return "is taken for something else";
	if (fault.kind == FAULT_VERSION &&
	    fault.number != super_wrongs[i].value)
		return "is called another version";
	return NULL;
}

const char *check_super(void)
{
	struct media *media = media_of_memory(check_bytes, CHECK_SIZE);
	struct super super, copy;
	const char *wrong = NULL;

	if (check_mkfs(media) || super_read(&super, media, NULL))
		return "mkfs and reading fail";
	if (super_read_copy(&copy, media) ||
	    memcmp(&super, &copy, sizeof(copy)))
		return "the copy is not the same";
	check_bytes[SUPER_LABEL] ^= 1;
	if (!super_read(&super, media, NULL))
		return "a flipped bit of the label is accepted";
	for (unsigned int i = 0; !wrong &&
	     i < sizeof(super_wrongs) / sizeof(*super_wrongs); i++) {
		if (check_mkfs(media))
			return "mkfs fails";
		wrong = check_super_field(media, i);
		if (wrong)
			wrong = check_say("value %llu at %u %s",
					  (unsigned long long)
					  super_wrongs[i].value,
					  super_wrongs[i].at, wrong);
	}
	media_close(media);
	return wrong;
}

/* Root lines: the sum, the kind of line, the owner, the state, the higher one. */
static const char *check_root(struct media *media, const uint8_t *uuid)
{
	uint8_t *one = check_bytes + ROOT_OFFSET_ONE;
	uint8_t *two = check_bytes + ROOT_OFFSET_TWO;
	struct root root = { .epoch = 1, .state = ROOT_STATE_OWNED,
			     .generation = 5 }, read;
	static const struct { uint32_t at; uint8_t value; } wrongs[] = {
		{ ROOT_STATE, 9 }, { ROOT_OWNER, 32 }, { ROOT_MAGIC, 1 },
	};

	if (root_write(&root, media, uuid))
		return "the root is not written";
	root.generation = 6;
	if (root_write(&root, media, uuid) || root_read(&read, media, uuid) ||
	    read.generation != 6)
		return "the root is not read";
	memset(one, 0, LINE_SIZE);
	if (root_read(&read, media, uuid) || read.generation != 6)
		return "the second root line is not read";
	root.generation = 4;
	if (root_write(&root, media, uuid))
		return "the root is not written";
	put_le64(two + ROOT_GENERATION, 9);
	line_seal(two, uuid);
	if (root_read(&read, media, uuid) || read.generation != 9)
		return "the older root counts";
	memset(one, 0, LINE_SIZE);
	for (unsigned int i = 0; i < 3; i++) {
		uint8_t was = two[wrongs[i].at];

		two[wrongs[i].at] = wrongs[i].value;
		line_seal(two, uuid);
		if (!root_read(&read, media, uuid))
			return check_say("a root with %u at %u counts",
					 wrongs[i].value, wrongs[i].at);
		two[wrongs[i].at] = was;
		line_seal(two, uuid);
	}
	two[ROOT_NONCE] ^= 1;
	return root_read(&read, media, uuid) ? NULL :
	       "a root with a wrong sum counts";
}

static const char *check_slot(struct media *media, const uint8_t *uuid)
{
	struct identity identity = { .state = 1, .nonce = 2, .page = 4096 };
	struct beat beat = { .epoch = 1, .tail_seq = 9 };
	char name[HOST_NAME_MOST + 1];
	struct claim claim = { 0 };
	uint8_t *slot = check_bytes + slot_offset(3);

	if (identity_write(&identity, media, uuid, 3) ||
	    beat_write(&beat, media, uuid, 3) ||
	    claim_write(&claim, media, uuid, 3) ||
	    hostname_write("name", media, uuid, 3))
		return "a slot is not written";
	if (identity_read(&identity, media, uuid, 3) || identity.nonce != 2 ||
	    beat_read(&beat, media, uuid, 3) || beat.tail_seq != 9 ||
	    hostname_read(name, media, uuid, 3) || strcmp(name, "name"))
		return "a slot is not read";
	slot[SLOT_IDENTITY + 60] ^= 1;
	slot[SLOT_BEAT + 60] ^= 1;
	slot[SLOT_NAME + 60] ^= 1;
	if (identity_read(&identity, media, uuid, 3) != -EAGAIN)
		return "an identity with a wrong sum counts";
	if (beat_read(&beat, media, uuid, 3) != -EAGAIN)
		return "a beat with a wrong sum counts";
	return hostname_read(name, media, uuid, 3) == -EAGAIN ? NULL :
	       "a name with a wrong sum counts";
}

const char *check_lines(void)
{
	struct media *media = media_of_memory(check_bytes, CHECK_SIZE);
	uint8_t uuid[16] = "some uuid";
	struct call call = { .epoch = 7, .slot = 3 };
	const char *wrong;

	memset(check_bytes, 0, AREAS_OFFSET);
	if (call_read(&call, media, uuid) != -EAGAIN)
		return "a call with a wrong sum counts";
	call.epoch = 7;
	if (call_write(&call, media, uuid))
		return "the call is not written";
	if (call_check(media, uuid, 6) != -EROFS)
		return "a newer call is overlooked";
	if (call_check(media, uuid, 7) || call_check(media, uuid, 8))
		return "a call stops its own owner";
	call.epoch = 1;
	if (call_write(&call, media, uuid))
		return "the call is not written";
	wrong = check_root(media, uuid);
	if (!wrong)
		wrong = check_slot(media, uuid);
	media_close(media);
	return wrong;
}
