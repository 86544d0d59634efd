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

/* The longest of the runs of whole slots, or the first one of @want. */
struct run space_find_slots(struct space *space, uint64_t bytes)
{
	uint64_t want = bytes / HUGE_SIZE, count = space->slot_count;
	uint64_t best = 0, best_at = 0, length = 0;
	struct run run = { 0, 0 };

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
static struct run space_find_in_slot(struct space *space, uint64_t slot,
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
		offset = from;
		while (offset < end && offset - from < want &&
		       space_is_free(space, offset, space->unit))
			offset += space->unit;
		if (offset - from > best.bytes) {
			best.offset = from;
			best.bytes = offset - from;
		}
	}
	return best;
}

/* A slot that is in use and has @want bytes; else the longest run of such. */
static struct run space_find_partial(struct space *space, uint64_t want,
				     uint64_t tries)
{
	uint64_t count = space->slot_count;
	struct run best = { 0, 0 };

	for (uint64_t i = 0; i < count && tries; i++) {
		uint64_t slot = (space->unit_cursor + i) % count;
		struct run run;

		if (!space->slots[slot] || space_slot_is_whole(space, slot))
			continue;
		tries--;
		run = space_find_in_slot(space, slot, want);
		if (run.bytes > best.bytes)
			best = run;
		if (best.bytes >= want) {
			space->unit_cursor = slot;
			break;
		}
	}
	return best;
}

struct run space_find_units(struct space *space, uint64_t bytes)
{
	uint64_t want = bytes < HUGE_SIZE ? bytes : HUGE_SIZE;
	struct run run = { 0, 0 }, part;

	/* A few slots alone: an aged device has many that are almost full. */
	part = space_find_partial(space, want, 8);
	if (part.bytes >= want)
		return part;
	run = space_find_slots(space, HUGE_SIZE);
	if (run.bytes) {
		space->unit_cursor = (run.offset - space->start) / HUGE_SIZE;
		run.bytes = want;
		return run;
	}
	return space_find_partial(space, want, space->slot_count);
}
