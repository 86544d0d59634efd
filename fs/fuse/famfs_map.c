// SPDX-License-Identifier: GPL-2.0
/* famfs: looking up offsets in an fmap. */

#include "famfs_map.h"

#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>

/**
 * famfs_map_free() - free an fmap
 * @map: the fmap, or NULL
 *
 * @map may still be read under rcu_read_lock(), but not its claims.
 *
 * Context: May sleep.
 */
void famfs_map_free(struct famfs_map *map)
{
	if (!map)
		return;
	kvfree(map->claims);
	kvfree_rcu(map, rcu);
}

/* @pos divided by @unit, with the remainder; @shift avoids the division. */
static inline u64 famfs_div_shift(u64 pos, u32 unit, int shift, u32 *rem)
{
	if (likely(shift >= 0)) {
		*rem = pos & (unit - 1);
		return pos >> shift;
	}
	return div_u64_rem(pos, unit, rem);
}

/* The last of @nr elements of @size bytes with a @start not beyond @pos. */
static __always_inline u32 famfs_bsearch_start(const u64 *start, size_t size,
					       u32 nr, u64 pos)
{
	u32 low = 0, high = nr - 1;

	while (low < high) {
		u32 mid = low + (high - low + 1) / 2;

		if (*(const u64 *)((const u8 *)start + mid * size) <= pos)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

static u64 famfs_extent_end(const struct famfs_map *map, u32 i)
{
	return i + 1 < map->nr_extents ?
		map->extents[i + 1].start : map->mapped;
}

static void famfs_extent_range(const struct famfs_map *map, u32 i,
			       struct famfs_range *range)
{
	const struct famfs_extent *ext = &map->extents[i];

	range->offset = ext->start;
	range->len = famfs_extent_end(map, i) - ext->start;
	range->addr = ext->addr;
	range->dev = ext->dev;
}

/* The last extent of a uniform fmap may be the longest. */
static void famfs_resolve_simple(const struct famfs_map *map, u64 pos,
				 struct famfs_range *range)
{
	u32 i;

	if (likely(map->uniform_shift >= 0))
		i = min(pos >> map->uniform_shift, map->nr_extents - 1);
	else if (map->uniform_len)
		i = min(div64_u64(pos, map->uniform_len), map->nr_extents - 1);
	else
		i = famfs_bsearch_start(&map->extents[0].start,
					sizeof(map->extents[0]),
					map->nr_extents, pos);
	famfs_extent_range(map, i, range);
}

static void famfs_resolve_striped(const struct famfs_map *map, u64 pos,
				  struct famfs_range *range)
{
	u32 i = famfs_bsearch_start(&map->stripes[0].start,
				    sizeof(map->stripes[0]),
				    map->nr_stripes, pos);
	const struct famfs_stripe *stripe = &map->stripes[i];
	const struct famfs_strip *strip;
	u64 chunk, row;
	u32 rest;

	chunk = famfs_div_shift(pos - stripe->start, stripe->chunk_size,
				stripe->chunk_shift, &rest);
	row = famfs_div_shift(chunk, stripe->nstrips, stripe->nstrips_shift,
			      &i);
	strip = &map->strips[stripe->first + i];

	range->offset = pos - rest;
	range->len = min(stripe->end - range->offset, stripe->chunk_size);
	range->addr = strip->addr + row * stripe->chunk_size;
	range->dev = strip->dev;
}

/**
 * famfs_map_resolve() - translate a file offset to a device offset
 * @map: the fmap
 * @pos: file offset, less than &famfs_map.mapped
 * @range: set to the longest range around @pos that is known to be contiguous
 *
 * Takes constant time for extents of one length and for one stripe, and a
 * binary search over extents or stripes otherwise.  Divides only if lengths,
 * chunk sizes or numbers of strips are no powers of two.
 *
 * Context: Any, while the fmap cannot be freed.
 */
void famfs_map_resolve(const struct famfs_map *map, u64 pos,
		       struct famfs_range *range)
{
	if (likely(!map->nr_stripes))
		famfs_resolve_simple(map, pos, range);
	else
		famfs_resolve_striped(map, pos, range);
}

/**
 * famfs_map_walk() - visit all device ranges of an fmap
 * @map: the fmap
 * @fn: called for every extent, and for every strip as a whole
 * @data: passed to @fn
 *
 * A strip is not contiguous in the file, so &famfs_range.offset is undefined.
 *
 * Return: the last result of @fn.
 */
int famfs_map_walk(const struct famfs_map *map, famfs_range_fn fn,
		   void *data)
{
	struct famfs_range range = {};
	int ret = 0;
	u32 i;

	for (i = 0; i < map->nr_extents && !ret; i++) {
		famfs_extent_range(map, i, &range);
		ret = fn(&range, data);
	}
	for (i = 0; i < map->nr_strips && !ret; i++) {
		range.len = map->strips[i].len;
		range.addr = map->strips[i].addr;
		range.dev = map->strips[i].dev;
		ret = fn(&range, data);
	}
	return ret;
}

/**
 * famfs_map_walk_file() - visit the device ranges of a part of a file
 * @map: the fmap
 * @start: file offset of the first byte
 * @end: file offset after the last byte, at most &famfs_map.mapped
 * @max: bytes of a range at most
 * @fn: called for each range, in the file's order
 * @data: passed to @fn
 *
 * Return: the last result of @fn, 0 if the part is empty.
 */
int famfs_map_walk_file(const struct famfs_map *map, u64 start, u64 end,
			u64 max, famfs_range_fn fn, void *data)
{
	struct famfs_range range;
	u64 pos, skip;
	int ret = 0;

	for (pos = start; pos < end && !ret; pos += range.len) {
		famfs_map_resolve(map, pos, &range);
		skip = pos - range.offset;
		range.offset = pos;
		range.addr += skip;
		range.len = min3(range.len - skip, end - pos, max);
		ret = fn(&range, data);
	}
	return ret;
}

/* Clip @range to @where; returns false if nothing is left. */
static bool famfs_range_clip(struct famfs_range *range,
			     const struct famfs_range *where)
{
	u64 start = max(range->addr, where->addr);
	u64 end = min(range->addr + range->len, where->addr + where->len);

	if (range->dev != where->dev || start >= end)
		return false;
	range->offset += start - range->addr;
	range->addr = start;
	range->len = end - start;
	return true;
}

static int famfs_strip_walk_at(const struct famfs_stripe *stripe,
			       const struct famfs_strip *strip, u32 i,
			       const struct famfs_range *where,
			       famfs_range_fn fn, void *data)
{
	u64 row_size = (u64)stripe->chunk_size * stripe->nstrips;
	u64 row = where->addr <= strip->addr ? 0 :
		  div_u64(where->addr - strip->addr, stripe->chunk_size);
	struct famfs_range range;
	int ret = 0;

	/* A strip may extend beyond the end of its stripe. */
	if (row > div64_u64(stripe->end - stripe->start, row_size))
		return 0;

	for (; !ret; row++) {
		range.offset = stripe->start + row * row_size +
			       (u64)i * stripe->chunk_size;
		range.addr = strip->addr + row * stripe->chunk_size;
		range.dev = strip->dev;
		if (range.offset >= stripe->end ||
		    range.addr >= where->addr + where->len)
			break;
		range.len = min(stripe->end - range.offset, stripe->chunk_size);
		if (famfs_range_clip(&range, where))
			ret = fn(&range, data);
	}
	return ret;
}

/**
 * famfs_map_walk_at() - visit the ranges of a file that are in a device range
 * @map: the fmap
 * @where: the device range; &famfs_range.offset is ignored
 * @fn: called for each range of the file in @where
 * @data: passed to @fn
 *
 * Walks the whole fmap: for failures, not for I/O.
 *
 * Return: the last result of @fn, 0 if there is no such range.
 */
int famfs_map_walk_at(const struct famfs_map *map,
		      const struct famfs_range *where,
		      famfs_range_fn fn, void *data)
{
	struct famfs_range range;
	int ret = 0;
	u32 i, j;

	for (i = 0; i < map->nr_extents && !ret; i++) {
		famfs_extent_range(map, i, &range);
		if (famfs_range_clip(&range, where))
			ret = fn(&range, data);
	}
	for (i = 0; i < map->nr_stripes && !ret; i++) {
		const struct famfs_stripe *stripe = &map->stripes[i];

		for (j = 0; j < stripe->nstrips && !ret; j++) {
			const struct famfs_strip *strip =
				&map->strips[stripe->first + j];

			if (strip->dev == where->dev)
				ret = famfs_strip_walk_at(stripe, strip, j,
							  where, fn, data);
		}
	}
	return ret;
}

static u64 famfs_common_extents(const struct famfs_map *a,
				const struct famfs_map *b)
{
	u32 i, nr = min(a->nr_extents, b->nr_extents);
	u64 end_a, end_b;

	for (i = 0; i < nr; i++) {
		if (a->extents[i].dev != b->extents[i].dev ||
		    a->extents[i].addr != b->extents[i].addr)
			return a->extents[i].start;
		end_a = famfs_extent_end(a, i);
		end_b = famfs_extent_end(b, i);
		if (end_a != end_b)
			return min(end_a, end_b);
	}
	return min(a->mapped, b->mapped);
}

static bool famfs_same_strips(const struct famfs_map *a,
			      const struct famfs_map *b,
			      const struct famfs_stripe *stripe)
{
	u32 i;

	for (i = stripe->first; i < stripe->first + stripe->nstrips; i++)
		if (a->strips[i].dev != b->strips[i].dev ||
		    a->strips[i].addr != b->strips[i].addr)
			return false;
	return true;
}

static u64 famfs_common_stripes(const struct famfs_map *a,
				const struct famfs_map *b)
{
	u32 i, nr = min(a->nr_stripes, b->nr_stripes);

	for (i = 0; i < nr; i++) {
		const struct famfs_stripe *sa = &a->stripes[i];
		const struct famfs_stripe *sb = &b->stripes[i];

		if (sa->chunk_size != sb->chunk_size ||
		    sa->nstrips != sb->nstrips || !famfs_same_strips(a, b, sa))
			return sa->start;
		if (sa->end != sb->end)
			return min(sa->end, sb->end);
	}
	return min(a->mapped, b->mapped);
}

/**
 * famfs_map_common_len() - length of the common start of two fmaps
 * @a: an fmap
 * @b: another fmap
 *
 * May stop early if the same memory is divided into other extents.
 *
 * Return: a file offset below which both fmaps lead to the same memory.
 */
u64 famfs_map_common_len(const struct famfs_map *a, const struct famfs_map *b)
{
	if (a->nr_stripes && b->nr_stripes)
		return famfs_common_stripes(a, b);
	if (!a->nr_stripes && !b->nr_stripes)
		return famfs_common_extents(a, b);
	return 0;
}

/**
 * famfs_map_shrink() - cut off the end of an fmap
 * @map: an fmap without concurrent users
 * @end: bytes that stay mapped, a multiple of the page size, less than now
 *
 * Return: number of extents and strips removed.
 */
u32 famfs_map_shrink(struct famfs_map *map, u64 end)
{
	u32 nr = map->nr_extents + map->nr_strips;
	struct famfs_stripe *last;

	while (map->nr_extents &&
	       map->extents[map->nr_extents - 1].start >= end)
		map->nr_extents--;
	while (map->nr_stripes &&
	       map->stripes[map->nr_stripes - 1].start >= end) {
		last = &map->stripes[--map->nr_stripes];
		map->nr_strips = last->first;
	}
	if (map->nr_stripes)
		map->stripes[map->nr_stripes - 1].end = end;
	map->mapped = end;
	map->file_size = min(map->file_size, end);
	return nr - map->nr_extents - map->nr_strips;
}
