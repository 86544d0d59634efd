// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of file maps: is the way back the inverse of the way there?
 *
 * famfs_map_walk_at() leads from a device range to the places of the file
 * that lie in it.  What it finds must be there, and nothing else must be.
 */

#include "famfs_test.h"

#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>

/* Maps of at most this many pieces are searched piece by piece. */
#define FAMFS_SMALL	256

/* Device ranges that are looked for in a map of any size. */
#define FAMFS_WINDOWS	12

/**
 * struct famfs_at - what was found in a device range
 * @msg: message of the map
 * @where: the device range
 * @want: a place in the file that must be found
 * @found: it was
 * @bytes: sum of all that was found
 * @wrong: what is wrong with a finding
 */
struct famfs_at {
	const void *msg;
	struct famfs_range where;
	u64 want;
	bool found;
	u64 bytes;
	const char *wrong;
};

static int famfs_at_found(const struct famfs_range *range, void *data)
{
	struct famfs_at *at = data;
	struct famfs_range ref;

	at->wrong = "for_each_at finds what is not in the device range";
	if (range->dev != at->where.dev || !range->len ||
	    range->addr < at->where.addr || range->addr - at->where.addr >
	    at->where.len - range->len || range->len > at->where.len)
		return 1;

	at->wrong = "for_each_at finds what is not in the file";
	if (range->offset >= famfs_ref_mapped(at->msg))
		return 1;
	famfs_ref_resolve(at->msg, range->offset, &ref);
	if (ref.dev != range->dev ||
	    ref.addr + (range->offset - ref.offset) != range->addr ||
	    range->offset - ref.offset + range->len > ref.len)
		return 1;

	at->wrong = NULL;
	at->bytes += range->len;
	if (at->want - range->offset < range->len)
		at->found = true;
	return 0;
}

/* How many bytes two device ranges share. */
static u64 famfs_shared(const struct famfs_range *a,
			const struct famfs_range *b)
{
	u64 start = max(a->addr, b->addr);
	u64 end = min(a->addr + a->len, b->addr + b->len);

	return a->dev == b->dev && start < end ? end - start : 0;
}

/* How many bytes of the file lie in a device range, or ~0 if it takes long. */
static u64 famfs_ref_bytes_at(const void *msg, const struct famfs_range *where)
{
	u64 pos = 0, bytes = 0, mapped = famfs_ref_mapped(msg);
	struct famfs_range range;
	int i;

	for (i = 0; pos < mapped; i++) {
		if (i == FAMFS_SMALL)
			return ~0ULL;
		famfs_ref_resolve(msg, pos, &range);
		bytes += famfs_shared(&range, where);
		pos += range.len;
	}
	return bytes;
}

static const char *famfs_check_window(const struct famfs_map *map,
				      struct famfs_at *at)
{
	u64 bytes = famfs_ref_bytes_at(at->msg, &at->where);
	int ret = famfs_map_walk_at(map, &at->where, famfs_at_found, at);

	if (at->wrong)
		return at->wrong;
	if (ret)
		return "for_each_at fails by itself";
	if (at->want != ~0ULL && !at->found)
		return "for_each_at misses a piece";
	if (bytes != ~0ULL && bytes != at->bytes)
		return "for_each_at finds too much or too little";
	return NULL;
}

/* A range that has page @pos in it, and parts of its neighbours perhaps. */
static void famfs_window_at(struct famfs_at *at, u64 pos,
			    struct rnd_state *rnd)
{
	u64 before = famfs_rnd(rnd, 40) * PAGE_SIZE;
	struct famfs_range range;
	u64 addr;

	famfs_ref_resolve(at->msg, pos, &range);
	addr = range.addr + (pos - range.offset);
	addr &= ~((u64)PAGE_SIZE - 1);
	at->where.addr = addr - min(before, addr);
	at->where.len = addr - at->where.addr +
			(1 + famfs_rnd(rnd, 40)) * PAGE_SIZE;
	at->where.dev = range.dev;
	at->want = pos;
}

/* Round distances are those at which products overflow to little. */
static void famfs_window_off(struct famfs_at *at, u64 pos,
			     struct rnd_state *rnd)
{
	famfs_window_at(at, pos, rnd);
	at->where.addr &= S64_MAX >> 1;
	at->where.addr += (u64)PAGE_SIZE << famfs_rnd(rnd, 62 - PAGE_SHIFT);
	at->want = ~0ULL;
}

static int famfs_at_stop(const struct famfs_range *range, void *data)
{
	u32 *calls = data;

	++*calls;
	return -EINTR;
}

static int famfs_at_is_dev(const struct famfs_range *range, void *data)
{
	return range->dev == *(u32 *)data;
}

/* A device that the map does not name. */
static u32 famfs_rnd_absent(const struct famfs_map *map, struct rnd_state *rnd)
{
	u32 dev;

	do
		dev = famfs_rnd(rnd, 0);
	while (famfs_map_walk(map, famfs_at_is_dev, &dev));
	return dev;
}

/**
 * famfs_check_at() - is famfs_map_walk_at() the inverse of resolving?
 * @msg: a valid message
 * @map: its map
 * @rnd: state, for the choice of device ranges
 *
 * Return: NULL, or what is wrong in words.
 */
const char *famfs_check_at(const void *msg, const struct famfs_map *map,
			   struct rnd_state *rnd)
{
	const char *wrong = NULL;
	struct famfs_at at = {};
	u32 calls = 0;
	u64 pos;
	int i;

	for (i = 0; i < FAMFS_WINDOWS && !wrong; i++) {
		pos = famfs_rnd(rnd, map->mapped);
		at = (struct famfs_at) { .msg = msg };
		if (i % 4 == 3)
			famfs_window_off(&at, pos, rnd);
		else
			famfs_window_at(&at, pos, rnd);
		wrong = famfs_check_window(map, &at);
	}
	if (wrong)
		return wrong;

	famfs_window_at(&at, pos, rnd);
	if (famfs_map_walk_at(map, &at.where, famfs_at_stop, &calls) !=
	    -EINTR || calls != 1)
		return "for_each_at does not stop when told";

	at.where.dev = famfs_rnd_absent(map, rnd);
	if (famfs_map_walk_at(map, &at.where, famfs_at_stop, &calls))
		return "for_each_at takes one device for another";
	return NULL;
}
