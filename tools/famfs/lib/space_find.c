// SPDX-License-Identifier: GPL-2.0
/*
 * Searches for free space.
 *
 * Whole aligned 2 MiB are what large files want, so small ones are put where a
 * slot is in use already, and each search goes on where the last one has ended.
 */

#include "bytes.h"
#include "layout.h"
#include "space.h"

/*
 * Slots in use that are looked at for a run: an aged device has many that are
 * almost full, and nobody waits while all of them are searched.
 */
#define SPACE_TRIES		4u

static uint32_t space_per_slot(const struct space *space)
{
	return HUGE_SIZE / space->unit;
}

static uint64_t space_slot_offset(const struct space *space, uint64_t slot)
{
	return space->start + slot * HUGE_SIZE;
}

static bool space_slot_is_whole(const struct space *space, uint64_t slot)
{
	return space->slots[slot] == space_per_slot(space);
}

/*
 * The longest of the runs of whole slots, or the first one of @want. An aged
 * device has none, and a large file asks once for each of its pieces.
 */
struct run space_find_slots(struct space *space, uint64_t bytes)
{
	uint64_t want = bytes / HUGE_SIZE, count = space->slot_count;
	uint64_t best = 0, best_at = 0, length = 0;
	struct run run = { 0, 0 };

	if (want > space->whole)
		want = space->whole;
	for (uint64_t i = 0; i < count && best < want; i++) {
		uint64_t slot = (space->slot_cursor + i) % count;

		/* A run does not go on at the beginning of the device. */
		if (!slot)
			length = 0;
		length = space_slot_is_whole(space, slot) ? length + 1 : 0;
		if (length > best) {
			best = length;
			best_at = slot + 1 - length;
		}
	}
	if (!best)
		return run;
	space->slot_cursor = (best_at + best) % count;
	run.offset = space_slot_offset(space, best_at);
	run.bytes = best * HUGE_SIZE;
	return run;
}

/* The first run of @want units in a slot, or the longest. */
static struct run space_find_in_slot(const struct space *space, uint64_t slot,
				     uint64_t want)
{
	uint64_t offset = space_slot_offset(space, slot);
	uint64_t end = offset + HUGE_SIZE;
	struct run best = { 0, 0 };

	if (end > space->end)
		end = space->end;
	while (best.bytes < want) {
		uint64_t from = space_next_free(space, offset, end);

		if (from == end)
			break;
		offset = from + space_free_run(space, from, end - from < want ?
					       end - from : want);
		if (offset - from > best.bytes) {
			best.offset = from;
			best.bytes = offset - from;
		}
	}
	return best;
}

/* A slot that is in use and has @want bytes; else the longest run of some. */
static struct run space_find_partial(const struct space *space, uint64_t want,
				     uint64_t *where)
{
	uint64_t count = space->slot_count;
	struct run best = { 0, 0 };
	unsigned int tries = 0;

	for (uint64_t i = 0; i < count && tries < SPACE_TRIES; i++) {
		uint64_t slot = (space->unit_cursor + i) % count;
		struct run run;

		if (!space->slots[slot] || space_slot_is_whole(space, slot))
			continue;
		tries++;
		run = space_find_in_slot(space, slot, want);
		if (run.bytes > best.bytes) {
			best = run;
			*where = slot;
		}
		if (best.bytes >= want)
			break;
	}
	return best;
}

struct run space_find_units(struct space *space, uint64_t bytes)
{
	uint64_t want = bytes < HUGE_SIZE ? bytes : HUGE_SIZE;
	uint64_t where = space->unit_cursor;
	struct run run = { 0, 0 }, part;

	part = space_find_partial(space, want, &where);
	if (part.bytes < want)
		run = space_find_slots(space, HUGE_SIZE);
	if (run.bytes) {
		where = (run.offset - space->start) / HUGE_SIZE;
		run.bytes = want;
	} else {
		/* Not as much as is wanted: more is looked for from here on. */
		run = part;
	}
	space->unit_cursor = where;
	return run;
}
