// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of file maps: is a map what its message says?
 *
 * Each check returns NULL, or what is wrong in words.
 */

#include "famfs_test.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>

/* Maps of at most this many pieces are walked from end to end. */
#define FAMFS_WALK	512

/* Places that are looked at in a map of any size. */
#define FAMFS_PLACES	32

/**
 * famfs_check_parse() - was a message judged rightly?
 * @msg: any message
 * @size: its length
 * @map: what famfs_map_parse() returned
 * @fault: what it said; @fault->why was NULL before
 *
 * Return: NULL, or what is wrong in words.
 */
const char *famfs_check_parse(const void *msg, size_t size,
			      const struct famfs_map *map,
			      const struct famfs_parse_error *fault)
{
	bool valid = famfs_ref_valid(msg, size);

	if (!IS_ERR(map)) {
		if (fault->why)
			return "accepted, and a fault found";
		return valid ? NULL : "malformed message accepted";
	}
	if (valid)
		return "good message refused";
	if (PTR_ERR(map) != -EINVAL)
		return "refused with another error than EINVAL";
	if (!fault->why)
		return "refused without saying why";
	if (fault->pos > size || fault->pos % sizeof(u64))
		return "refused for something outside the message";
	return NULL;
}

/* Where the next extent of a message is expected; strips left of its stripe. */
struct famfs_each {
	const struct fuse_fmap_extent *pos;
	bool striped;
	u32 strips;
	u32 nr;
};

static int famfs_each_range(const struct famfs_range *range, void *data)
{
	struct famfs_each *each = data;
	const struct fuse_fmap_stripe *stripe;

	if (each->striped && !each->strips) {
		stripe = (const void *)each->pos;
		each->strips = stripe->nstrips;
		each->pos = (const void *)(stripe + 1);
	}
	if (range->dev != each->pos->devindex ||
	    range->addr != each->pos->offset || range->len != each->pos->len)
		return 1;
	each->pos++;
	each->strips--;
	each->nr++;
	return 0;
}

static int famfs_each_stop(const struct famfs_range *range, void *data)
{
	u32 *left = data;

	return --*left ? 0 : -EINTR;
}

/* famfs_map_walk() visits the extents of the message, in its order. */
static const char *famfs_check_each(const void *msg, size_t size,
				    const struct famfs_map *map,
				    struct rnd_state *rnd)
{
	const struct fuse_fmap_header *hdr = msg;
	struct famfs_each each = {
		.pos		= (const void *)(hdr + 1),
		.striped	= hdr->ext_type == FUSE_FMAP_EXT_STRIPED,
	};
	u32 stop;

	if (famfs_map_walk(map, famfs_each_range, &each))
		return "the walk visits what is not next in the message";
	if ((const void *)each.pos != msg + size)
		return "the walk does not visit all extents";

	stop = 1 + famfs_rnd(rnd, each.nr);
	if (famfs_map_walk(map, famfs_each_stop, &stop) != -EINTR || stop)
		return "the walk does not stop when told";
	return NULL;
}

/* Any place in a piece leads to the whole piece. */
static const char *famfs_check_piece(const void *msg,
				     const struct famfs_map *map, u64 pos,
				     struct famfs_range *range)
{
	struct famfs_range ref, last;

	famfs_map_resolve(map, pos, range);
	famfs_ref_resolve(msg, pos, &ref);
	if (range->dev != ref.dev)
		return "resolve finds another device";
	if (range->offset != ref.offset || range->addr != ref.addr)
		return "resolve finds another place";
	if (range->len != ref.len)
		return "resolve finds another length";
	if (pos < range->offset || pos - range->offset >= range->len)
		return "resolve finds a piece that does not hold the place";

	famfs_map_resolve(map, range->offset + range->len - 1, &last);
	if (last.offset != range->offset || last.addr != range->addr ||
	    last.len != range->len || last.dev != range->dev)
		return "a piece's last byte leads to another piece";
	return NULL;
}

/* Pieces follow one another without gap or overlap up to the end. */
static const char *famfs_check_tiles(const void *msg,
				     const struct famfs_map *map)
{
	const char *wrong = NULL;
	struct famfs_range range;
	u64 pos = 0;
	int i;

	for (i = 0; i < FAMFS_WALK && pos < map->mapped && !wrong; i++) {
		wrong = famfs_check_piece(msg, map, pos, &range);
		if (!wrong && range.offset != pos)
			wrong = "a piece does not begin where the last one ends";
		pos += range.len;
	}
	if (!wrong && i < FAMFS_WALK && pos != map->mapped)
		wrong = "the pieces do not end where the map ends";
	return wrong;
}

/* Also where the map is too large to be walked. */
static const char *famfs_check_places(const void *msg,
				      const struct famfs_map *map,
				      struct rnd_state *rnd)
{
	const char *wrong;
	struct famfs_range range;
	int i;

	wrong = famfs_check_piece(msg, map, map->mapped - 1, &range);
	for (i = 0; i < FAMFS_PLACES && !wrong; i++) {
		wrong = famfs_check_piece(msg, map, famfs_rnd(rnd, map->mapped),
					  &range);
		if (!wrong && range.offset)
			wrong = famfs_check_piece(msg, map, range.offset - 1,
						  &range);
	}
	return wrong;
}

/**
 * famfs_check_map() - is a map what its message says?
 * @msg: a valid message
 * @size: its length
 * @map: its map
 * @rnd: state, for the choice of places to look at
 *
 * Return: NULL, or what is wrong in words.
 */
const char *famfs_check_map(const void *msg, size_t size,
			    const struct famfs_map *map,
			    struct rnd_state *rnd)
{
	const struct fuse_fmap_header *hdr = msg;
	const char *wrong;

	if (map->file_size != hdr->file_size)
		return "another file size";
	if (map->mapped != famfs_ref_mapped(msg))
		return "another length";
	if (map->devs)
		return "devices from nowhere";
	if (map->grow != !!(hdr->flags & FUSE_FMAP_GROW) ||
	    map->backing_ids != !!(hdr->flags & FUSE_FMAP_BACKING_IDS) ||
	    map->drop != !!(hdr->flags & FUSE_FMAP_DROP) ||
	    map->longterm_pin != !!(hdr->flags & FUSE_FMAP_LONGTERM_PIN))
		return "other flags";
	if (!map->mapped)
		return NULL;

	wrong = famfs_check_each(msg, size, map, rnd);
	if (!wrong)
		wrong = famfs_check_tiles(msg, map);
	if (!wrong)
		wrong = famfs_check_places(msg, map, rnd);
	if (!wrong)
		wrong = famfs_check_at(msg, map, rnd);
	return wrong;
}
