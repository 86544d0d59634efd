// SPDX-License-Identifier: GPL-2.0
/*
 * Making records, and telling which ones count.
 */

#include "record.h"

#include <errno.h>
#include <stdlib.h>

#include "bytes.h"
#include "crc.h"
#include "mutant.h"

#define RECORD_MOST	((size_t)RECORD_LINES_MOST * LINE_SIZE)
#define RECORD_ROOM	1024u

static void record_reserve(struct record *record, size_t bytes)
{
	size_t room = record->room ? record->room : RECORD_ROOM;
	uint8_t *more;

	while (room < record->used + bytes)
		room *= 2;
	if (room == record->room)
		return;
	more = realloc(record->bytes, room);
	if (!more) {
		record->err = -ENOMEM;
		return;
	}
	record->bytes = more;
	record->room = room;
}

void record_begin(struct record *record)
{
	record->err = 0;
	record->used = 0;
	record_reserve(record, RECORD_HEADER);
	record->used = RECORD_HEADER;
}

bool record_fits(const struct record *record, size_t bytes)
{
	return bytes <= RECORD_MOST && record->used <= RECORD_MOST - bytes;
}

void record_add(struct record *record, const struct item *item)
{
	size_t size = item_size(item);

	if (!record->err && !record_fits(record, size))
		record->err = -EFBIG;
	/* The room for the last line's rest comes with it. */
	if (!record->err)
		record_reserve(record, size + LINE_SIZE);
	if (record->err)
		return;
	item_encode(item, record->bytes + record->used);
	record->used += size;
}

void record_free(struct record *record)
{
	free(record->bytes);
	record->bytes = NULL;
	record->room = 0;
}

uint64_t record_mark(const uint8_t secret[16], uint64_t generation)
{
	return get_le64(secret) + generation;
}

size_t record_seal(struct record *record, const uint8_t secret[16],
		   const struct record_place *place, uint16_t flags,
		   uint64_t unique, int64_t time)
{
	size_t bytes = round_up64(record->used, LINE_SIZE);
	uint8_t *to = record->bytes;

	memset(to + record->used, 0, bytes - record->used);
	put_le32(to + RECORD_CHAIN, place->chain);
	put_le64(to + RECORD_SEQ, place->seq);
	put_le64(to + RECORD_MARK, place->mark);
	put_le32(to + RECORD_EPOCH, place->epoch);
	put_le16(to + RECORD_LINES, (uint16_t)(bytes / LINE_SIZE));
	put_le16(to + RECORD_FLAGS, flags);
	put_le64(to + RECORD_UNIQUE, unique);
	put_le64(to + RECORD_TIME, (uint64_t)time);
	put_le32(to + RECORD_CRC, crc_seeded(secret, to + 4, bytes - 4));
	return bytes;
}

void record_header_decode(struct record_header *header, const uint8_t *from)
{
	header->crc = get_le32(from + RECORD_CRC);
	header->chain = get_le32(from + RECORD_CHAIN);
	header->seq = get_le64(from + RECORD_SEQ);
	header->mark = get_le64(from + RECORD_MARK);
	header->epoch = get_le32(from + RECORD_EPOCH);
	header->lines = get_le16(from + RECORD_LINES);
	header->flags = get_le16(from + RECORD_FLAGS);
	header->unique = get_le64(from + RECORD_UNIQUE);
	header->time = (int64_t)get_le64(from + RECORD_TIME);
}

bool record_follows(const struct record_header *header,
		    const struct record_place *place, bool snapshot)
{
	/* A snapshot is no operation: its records have the number before. */
	uint64_t seq = snapshot ? place->seq : place->seq + 1;

	if (WRONG(RECORD_CHAINED, header->chain != place->chain))
		return false;
	if (WRONG(RECORD_IN_SEQUENCE, header->seq != seq))
		return false;
	if (WRONG(RECORD_OF_GENERATION, header->mark != place->mark))
		return false;
	if (WRONG(RECORD_OF_EPOCH, header->epoch != place->epoch))
		return false;
	if (WRONG(RECORD_OF_KIND,
		  header->flags != (snapshot ? RECORD_SNAPSHOT : 0)))
		return false;
	return header->lines > 0;
}

bool record_whole(const struct record_header *header, const uint8_t *from,
		  const uint8_t secret[16])
{
	size_t bytes = (size_t)header->lines * LINE_SIZE;

	return !WRONG(RECORD_SUM, header->crc !=
		      crc_seeded(secret, from + 4, bytes - 4));
}
