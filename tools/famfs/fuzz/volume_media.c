// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzing: a whole small medium from the input, in pieces of which each says
 * where it lies. Sums are made right, or most inputs would end at the first.
 *
 * What opens must be sound: it is walked, and no extent may lie outside.
 * Memory may change between two reads (the first byte says how often).
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc.h"
#include "layout.h"
#include "lines.h"
#include "lines_seal.h"
#include "record.h"
#include "super.h"
#include "volume.h"

#define SIZE	(5u << 20)

static uint8_t bytes[SIZE], good[SIZE];
static uint64_t area_offset;
static uint32_t changes, change_at;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fuzz_read(struct media *media, uint64_t offset, void *buf,
		     size_t len, unsigned int how)
{
	(void)media;
	(void)how;
	/* Another host writes meanwhile. */
	if (changes) {
		change_at = change_at * 1103515245u + 12345u;
		bytes[area_offset + change_at % 4096] ^= (uint8_t)changes--;
	}
	memcpy(buf, bytes + offset, len);
	return 0;
}

static int fuzz_write(struct media *media, uint64_t offset, const void *buf,
		      size_t len, unsigned int how)
{
	(void)media;
	(void)how;
	memcpy(bytes + offset, buf, len);
	return 0;
}

static void fuzz_settle(struct media *media)
{
	(void)media;
}

static const struct media_ops fuzz_ops = {
	.read = fuzz_read, .write = fuzz_write, .settle = fuzz_settle,
};

static struct media fuzz_media = { .ops = &fuzz_ops, .size = SIZE };

/* A file system with something of everything. */
static void fuzz_prepare(void)
{
	struct volume_options options = { .how = VOLUME_OWN, .nonce = 1 };
	struct volume_node file = { .mode = 0100644, .map = 8192 };
	struct volume_node directory = { .mode = 0040755 };
	struct volume_node link = { .mode = 0120777, .target = "to" };
	struct volume_format format = { .unit = 4096, .area = 64 << 10 };
	struct op op = { .now = 1 };
	struct volume *volume;

	memset(format.uuid, 0x5a, 16);
	memset(format.secret, 0xc3, 16);
	if (volume_format(&fuzz_media, &format, NULL) ||
	    volume_open(&volume, &fuzz_media, &options, NULL))
		abort();
	volume_create(volume, &op, 1, "d", &directory, NULL);
	volume_create(volume, &op, 2, "f", &file, NULL);
	volume_create(volume, &op, 1, "l", &link, NULL);
	volume_setxattr(volume, &op, 3, "user.a", "b", 1, 0);
	volume_truncate(volume, &op, 3, 5000, NULL);
	volume_truncate(volume, &op, 3, 10, NULL);
	volume_create(volume, &op, 1, "g", &file, NULL);
	volume_unlink(volume, &op, 1, "g", NULL);
	volume_close(volume);
	memcpy(good, bytes, SIZE);
}

static int fuzz_walk(void *context, const struct volume_seen *seen)
{
	(void)context;
	for (uint32_t i = 0; i < seen->extent_count; i++) {
		if (seen->extents[i].offset < (4u << 20) ||
		    seen->extents[i].offset + seen->extents[i].bytes > SIZE)
			abort();
	}
	return 0;
}

/* Makes the sums of the records of the present log right. */
static void fuzz_seal_log(const uint8_t *secret, uint64_t from, uint64_t lines)
{
	uint32_t chain = 0;
	bool first = true;

	for (uint64_t at = 0; at < lines; ) {
		uint8_t *record = bytes + from + at * LINE_SIZE;
		uint32_t much = get_le16(record + RECORD_LINES);

		if (!much || much > lines - at)
			return;
		if (!first)
			put_le32(record + RECORD_CHAIN, chain);
		first = false;
		chain = crc_seeded(secret, record + 4, much * LINE_SIZE - 4);
		put_le32(record, chain);
		at += much;
	}
}

/* Pieces: offset u16 in lines or so, length u8, bytes. */
static void fuzz_pieces(const uint8_t *data, size_t size, uint64_t area)
{
	while (size > 4) {
		uint64_t where = get_le16(data) % 8192;
		size_t length = data[2] % 64 + 1u;

		if (length > size - 4)
			length = size - 4;
		switch (data[3] % 8) {
		case 0:
			where = where % SUPER_SIZE;
			break;
		case 1:
			where = ROOT_OFFSET_ONE + where % 64;
			break;
		case 2:
			where = CALL_OFFSET + where % 64;
			break;
		case 3:
			where = SLOTS_OFFSET + where % 256;
			break;
		default:
			where += area;
		}
		memcpy(bytes + where, data + 4, length);
		data += 4 + length;
		size -= 4 + length;
	}
}

static void fuzz_seal(uint64_t area)
{
	const uint8_t *uuid = bytes + SUPER_UUID;

	put_le32(bytes + SUPER_CRC, crc_seeded(uuid, bytes, SUPER_CRC));
	line_seal(bytes + ROOT_OFFSET_ONE, uuid);
	line_seal(bytes + CALL_OFFSET, uuid);
	line_seal(bytes + slot_offset(0) + SLOT_BEAT, uuid);
	fuzz_seal_log(bytes + ROOT_OFFSET_ONE + ROOT_SECRET, area,
		      (64 << 10) / LINE_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct volume_options options = { .how = VOLUME_READ };
	struct fault fault = { 0 };
	struct volume *volume;

	if (!get_le64(good))
		fuzz_prepare();
	if (size < 2)
		return 0;
	memcpy(bytes, good, AREAS_OFFSET + (256 << 10));
	/* Generation 3 is the one that was filled. */
	area_offset = AREAS_OFFSET;
	fuzz_pieces(data + 2, size - 2, area_offset);
	if (data[0] & 1)
		fuzz_seal(area_offset);
	changes = data[0] & 2 ? data[1] : 0;
	change_at = data[1];
	if (volume_open(&volume, &fuzz_media, &options, &fault))
		return 0;
	volume_walk(volume, fuzz_walk, NULL);
	volume_close(volume);
	return 0;
}
