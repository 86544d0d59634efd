/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records: whole lines, each with a header and items. One operation is one
 * record.
 */
#ifndef FAMFS_RECORD_H
#define FAMFS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "item.h"

/* Where a record stands in the log; what the one behind it follows on from. */
struct record_place {
	uint64_t seq;
	uint64_t mark;		/* of the secret and the generation */
	uint32_t epoch;
	uint32_t chain;		/* crc of the last record */
};

struct record_header {
	uint32_t crc, chain;
	uint64_t seq, mark;
	uint32_t epoch;
	uint16_t lines, flags;
	uint64_t unique;
	int64_t time;
};

/**
 * struct record - a record that is being made
 * @bytes: header and items, in memory of its own that only grows
 * @err: -ENOMEM or -EFBIG: something did not fit; it stays
 */
struct record {
	uint8_t *bytes;
	size_t used, room;
	int err;
};

void record_begin(struct record *record);
void record_add(struct record *record, const struct item *item);
void record_free(struct record *record);

/* Would @bytes more leave it within the most that a record may have? */
bool record_fits(const struct record *record, size_t bytes);

/*
 * What tells a record from bytes of users that are made like one: no line of
 * theirs has it, so none is ever summed.
 */
uint64_t record_mark(const uint8_t secret[16], uint64_t generation);

/**
 * record_seal - gives a record its header
 * @place: what it follows on from; @place->seq is its own number
 *
 * Return: its bytes, a multiple of LINE_SIZE.
 */
size_t record_seal(struct record *record, const uint8_t secret[16],
		   const struct record_place *place, uint16_t flags,
		   uint64_t unique, int64_t time);

static inline uint32_t record_crc(const struct record *record)
{
	uint32_t crc = 0;

	for (int i = 3; i >= 0; i--)
		crc = crc << 8 | record->bytes[i];
	return crc;
}

void record_header_decode(struct record_header *header, const uint8_t *from);

/* Does the header say that its record follows on from @place? */
bool record_follows(const struct record_header *header,
		    const struct record_place *place, bool snapshot);

/* Is the crc right? @from has header->lines lines. */
bool record_whole(const struct record_header *header, const uint8_t *from,
		  const uint8_t secret[16]);

#endif
