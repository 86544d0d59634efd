// SPDX-License-Identifier: GPL-2.0
/*
 * Space: bits, counts, and what waits.
 */

#include "space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "layout.h"
#include "mutant.h"

static int wait_compare(struct wait *a, struct wait *b)
{
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static int wait_compare_ino(struct wait *a, struct wait *b)
{
	if (a->ino != b->ino)
		return a->ino < b->ino ? -1 : 1;
	return wait_compare(a, b);
}

TREE_GENERATE(wait_tree, wait, by_offset, wait_compare)
TREE_GENERATE(wait_ino_tree, wait, by_ino, wait_compare_ino)

static uint64_t space_unit(const struct space *space, uint64_t offset)
{
	return (offset - space->start) / space->unit;
}

int space_init(struct space *space, uint64_t start, uint64_t end,
	       uint32_t unit)
{
	uint64_t units = (end - start) / unit;
	uint32_t per = HUGE_SIZE / unit;

	memset(space, 0, sizeof(*space));
	RB_INIT(&space->waits);
	RB_INIT(&space->waits_of);
	space->start = start;
	space->end = start + units * unit;
	space->unit = unit;
	space->free = units * unit;
	space->slot_count = (units + per - 1) / per;
	space->bits = calloc(units / 64 + 1, 8);
	space->slots = calloc(space->slot_count + 1, sizeof(*space->slots));
	if (!space->bits || !space->slots) {
		space_free(space);
		return -ENOMEM;
	}
	for (uint64_t slot = 0; slot < space->slot_count; slot++) {
		uint64_t left = units - slot * per;

		space->slots[slot] = (uint16_t)(left < per ? left : per);
		space->whole += left >= per;
	}
	return 0;
}

void space_free(struct space *space)
{
	struct wait *wait;

	while ((wait = RB_MIN(wait_tree, &space->waits))) {
		RB_REMOVE(wait_tree, &space->waits, wait);
		free(wait);
	}
	free(space->bits);
	free(space->slots);
	space->bits = NULL;
	space->slots = NULL;
}

bool space_has(const struct space *space, uint64_t offset, uint64_t bytes)
{
	return bytes && offset >= space->start && offset < space->end &&
	       bytes <= space->end - offset && offset % space->unit == 0 &&
	       bytes % space->unit == 0;
}

/* The first unit from @unit on that is taken, or free; or @last. */
static uint64_t space_seek(const struct space *space, uint64_t unit,
			   uint64_t last, bool taken)
{
	while (unit < last) {
		uint64_t bits = space->bits[unit / 64];
		uint64_t left = (taken ? bits : ~bits) >> (unit % 64);

		if (left) {
			unit += (uint64_t)__builtin_ctzll(left);
			break;
		}
		unit = (unit / 64 + 1) * 64;
	}
	return unit < last ? unit : last;
}

bool space_is_free(const struct space *space, uint64_t offset, uint64_t bytes)
{
	return space_has(space, offset, bytes) &&
	       space_free_run(space, offset, bytes) == bytes;
}

uint64_t space_free_run(const struct space *space, uint64_t offset,
			uint64_t bytes)
{
	uint64_t unit, last;

	if (offset < space->start || offset >= space->end)
		return 0;
	if (bytes > space->end - offset)
		bytes = space->end - offset;
	unit = space_unit(space, offset);
	last = unit + bytes / space->unit;
	return (space_seek(space, unit, last, true) - unit) * space->unit;
}

uint64_t space_next_free(const struct space *space, uint64_t offset,
			 uint64_t end)
{
	return space->start + space_seek(space, space_unit(space, offset),
					 space_unit(space, end), false) *
			      space->unit;
}

/* Units of one word, which lie in one slot. */
static void space_mark_word(struct space *space, uint64_t unit, uint64_t count,
			    bool taken)
{
	uint64_t bits = (count < 64 ? (1ull << count) - 1 : ~0ull)
			<< (unit % 64);

	if (taken)
		space->bits[unit / 64] |= bits;
	else
		space->bits[unit / 64] &= ~bits;
}

static void space_mark(struct space *space, uint64_t offset, uint64_t bytes,
		       bool taken)
{
	uint64_t unit = space_unit(space, offset), count;
	uint64_t last = unit + bytes / space->unit;
	uint32_t per = HUGE_SIZE / space->unit;
	/* Large units: several slots share a word. */
	uint32_t step = per < 64 ? per : 64;

	for (; unit < last; unit += count) {
		count = step - unit % step;
		if (count > last - unit)
			count = last - unit;
		space_mark_word(space, unit, count, taken);
		space->whole -= space->slots[unit / per] == per;
		space->slots[unit / per] += taken ? -count : count;
		space->whole += space->slots[unit / per] == per;
	}
	space->free += taken ? -bytes : bytes;
}

/* The first waiting run that ends behind @offset. */
static struct wait *wait_at(struct space *space, uint64_t offset)
{
	struct wait *node = RB_ROOT(&space->waits), *found = NULL;

	while (node) {
		if (node->offset + node->bytes > offset) {
			found = node;
			node = RB_LEFT(node, by_offset);
		} else {
			node = RB_RIGHT(node, by_offset);
		}
	}
	return found;
}

static int wait_insert(struct space *space, uint64_t offset, uint64_t bytes,
		       uint64_t ino, uint64_t seq)
{
	struct wait *wait = malloc(sizeof(*wait));

	if (!wait)
		return -ENOMEM;
	*wait = (struct wait){ .offset = offset, .bytes = bytes, .ino = ino,
			       .seq = seq };
	RB_INSERT(wait_tree, &space->waits, wait);
	RB_INSERT(wait_ino_tree, &space->waits_of, wait);
	space->waiting += bytes;
	space->wait_count++;
	return 0;
}

static void wait_remove(struct space *space, struct wait *wait)
{
	RB_REMOVE(wait_tree, &space->waits, wait);
	RB_REMOVE(wait_ino_tree, &space->waits_of, wait);
	space->waiting -= wait->bytes;
	space->wait_count--;
	free(wait);
}

/* What waits in [offset, offset + bytes) is free; what lies across is split. */
static int space_end_waits(struct space *space, uint64_t offset, uint64_t bytes)
{
	uint64_t end = offset + bytes;
	struct wait *wait;
	int err;

	while ((wait = wait_at(space, offset)) && wait->offset < end) {
		struct wait was = *wait;
		uint64_t from = was.offset > offset ? was.offset : offset;
		uint64_t to = was.offset + was.bytes;

		if (to > end) {
			err = wait_insert(space, end, to - end, was.ino,
					  was.seq);
			if (err)
				return err;
			wait->bytes -= to - end;
			space->waiting -= to - end;
			to = end;
		}
		wait->bytes -= to - from;
		space->waiting -= to - from;
		if (!wait->bytes)
			wait_remove(space, wait);
		space_mark(space, from, to - from, false);
	}
	return 0;
}

/* Is every unit there either free or waiting? */
static bool space_is_takable(struct space *space, uint64_t offset,
			     uint64_t bytes)
{
	uint64_t end = offset + bytes;

	for (uint64_t at = offset; at < end; ) {
		struct wait *wait;

		at += space_free_run(space, at, end - at);
		if (at == end)
			break;
		wait = wait_at(space, at);
		if (!wait || wait->offset > at)
			return false;
		at = wait->offset + wait->bytes;
	}
	return true;
}

int space_take(struct space *space, uint64_t offset, uint64_t bytes)
{
	int err;

	if (WRONG(SPACE_TAKEN, !space_is_takable(space, offset, bytes)))
		return -EEXIST;
	err = space_end_waits(space, offset, bytes);
	if (err)
		return err;
	space_mark(space, offset, bytes, true);
	return 0;
}

void space_give(struct space *space, uint64_t offset, uint64_t bytes)
{
	space_mark(space, offset, bytes, false);
}

int space_wait(struct space *space, uint64_t offset, uint64_t bytes,
	       uint64_t ino, uint64_t seq)
{
	return wait_insert(space, offset, bytes, ino, seq);
}

int space_wait_new(struct space *space, uint64_t offset, uint64_t bytes,
		   uint64_t ino, uint64_t seq)
{
	if (WRONG(SPACE_WAITS_TAKEN, !space_is_free(space, offset, bytes)))
		return -EEXIST;
	space_mark(space, offset, bytes, true);
	return wait_insert(space, offset, bytes, ino, seq);
}

/* The first waiting run of @ino, or of a higher number. */
static struct wait *wait_of(const struct space *space, uint64_t ino)
{
	struct wait *node = RB_ROOT(&space->waits_of), *found = NULL;

	while (node) {
		if (node->ino >= ino) {
			found = node;
			node = RB_LEFT(node, by_ino);
		} else {
			node = RB_RIGHT(node, by_ino);
		}
	}
	return found;
}

uint64_t space_let_go(struct space *space, uint64_t ino, uint64_t seq)
{
	struct wait *wait = wait_of(space, ino), *next;
	uint64_t bytes = 0;

	for (; wait && wait->ino == ino; wait = next) {
		next = RB_NEXT(wait_ino_tree, NULL, wait);
		if (wait->seq > seq)
			continue;
		bytes += wait->bytes;
		space_mark(space, wait->offset, wait->bytes, false);
		wait_remove(space, wait);
	}
	return bytes;
}

void space_settle(struct space *space)
{
	struct wait *wait;

	while ((wait = RB_ROOT(&space->waits))) {
		space_mark(space, wait->offset, wait->bytes, false);
		wait_remove(space, wait);
	}
}

struct wait *space_wait_first(struct space *space)
{
	return RB_MIN(wait_tree, &space->waits);
}

struct wait *space_wait_next(struct wait *wait)
{
	return RB_NEXT(wait_tree, NULL, wait);
}
