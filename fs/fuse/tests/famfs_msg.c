// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of file maps: making messages, by hand and at random.
 */

#include "famfs_test.h"

#include <linux/log2.h>
#include <linux/math.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>

const struct famfs_shape famfs_shapes[FAMFS_NR_SHAPES] = {
	{ "one extent", .nr = 1 },
	{ "uniform", .nr = 32, .pow2 = true },
	{ "uniform, short last", .nr = 32, .pow2 = true, .tail = FAMFS_TAIL_SHORT },
	{ "uniform, long last", .nr = 32, .pow2 = true, .tail = FAMFS_TAIL_LONG },
	{ "uniform odd", .nr = 32 },
	{ "uniform odd, short last", .nr = 32, .tail = FAMFS_TAIL_SHORT },
	{ "uniform odd, long last", .nr = 32, .tail = FAMFS_TAIL_LONG },
	{ "mixed lengths", .nr = 64, .tail = FAMFS_TAIL_MIXED },
	{ "one strip", .nr = 1, .strips = 1, .tail = FAMFS_TAIL_MIXED },
	{ "stripe", .nr = 1, .strips = 16, .pow2 = true },
	{ "stripe, partial last chunk", .nr = 1, .strips = 16, .pow2 = true,
	  .tail = FAMFS_TAIL_SHORT },
	{ "stripe odd", .nr = 1, .strips = 17 },
	{ "stripe odd, partial last chunk", .nr = 1, .strips = 17, .tail = FAMFS_TAIL_SHORT },
	{ "several stripes", .nr = 7, .strips = 9, .tail = FAMFS_TAIL_MIXED },
	{ "more strips than chunks", .nr = 2, .strips = 32, .few = true,
	  .tail = FAMFS_TAIL_MIXED },
	{ "many strips", .nr = 1, .strips = 150, .tail = FAMFS_TAIL_MIXED },
};

/**
 * famfs_rnd() - a random number
 * @rnd: state
 * @below: upper bound, or 0 for any number
 *
 * Return: a number less than @below.
 */
u64 famfs_rnd(struct rnd_state *rnd, u64 below)
{
	u64 high = prandom_u32_state(rnd);
	u64 value = high << 32 | prandom_u32_state(rnd);

	if (below)
		div64_u64_rem(value, below, &value);
	return value;
}

/**
 * famfs_msg_header() - look at a message's header
 * @msg: the message
 *
 * Return: the header, in the message.
 */
struct fuse_fmap_header *famfs_msg_header(struct famfs_msg *msg)
{
	return (void *)msg->data;
}

/**
 * famfs_msg_init() - begin a message that has no extents yet
 * @msg: the message
 * @ext_type: FUSE_FMAP_EXT_*
 */
void famfs_msg_init(struct famfs_msg *msg, u32 ext_type)
{
	memset(msg, 0, sizeof(*msg));
	msg->size = sizeof(struct fuse_fmap_header);
	famfs_msg_header(msg)->version = FUSE_FMAP_VERSION;
	famfs_msg_header(msg)->ext_type = ext_type;
}

static void famfs_msg_map(struct famfs_msg *msg, u64 len)
{
	msg->mapped += len;
	famfs_msg_header(msg)->file_size = msg->mapped;
	famfs_msg_header(msg)->nextents++;
}

/**
 * famfs_msg_strip() - append a strip to the last stripe
 * @msg: the message
 * @dev: device index
 * @addr: device offset
 * @len: bytes
 */
void famfs_msg_strip(struct famfs_msg *msg, u32 dev, u64 addr, u64 len)
{
	struct fuse_fmap_extent ext = {
		.devindex	= dev,
		.offset		= addr,
		.len		= len,
	};

	memcpy(msg->data + msg->size, &ext, sizeof(ext));
	msg->size += sizeof(ext);
}

/**
 * famfs_msg_extent() - append an extent, and have the file end with it
 * @msg: the message
 * @dev: device index
 * @addr: device offset
 * @len: bytes
 */
void famfs_msg_extent(struct famfs_msg *msg, u32 dev, u64 addr, u64 len)
{
	famfs_msg_strip(msg, dev, addr, len);
	famfs_msg_map(msg, len);
}

/**
 * famfs_msg_stripe() - append a stripe, and have the file end with it
 * @msg: the message
 * @nstrips: number of strips; they are to be appended next
 * @chunk_size: bytes
 * @nbytes: bytes
 */
void famfs_msg_stripe(struct famfs_msg *msg, u32 nstrips, u32 chunk_size,
		      u64 nbytes)
{
	struct fuse_fmap_stripe stripe = {
		.nstrips	= nstrips,
		.chunk_size	= chunk_size,
		.nbytes		= nbytes,
	};

	memcpy(msg->data + msg->size, &stripe, sizeof(stripe));
	msg->size += sizeof(stripe);
	famfs_msg_map(msg, round_up(nbytes, PAGE_SIZE));
}

/* Narrow enough for places to meet, wide enough for them not to. */
static u64 famfs_rnd_addr(struct rnd_state *rnd)
{
	return famfs_rnd(rnd, 1 << (famfs_rnd(rnd, 2) ? 30 : 12)) * PAGE_SIZE;
}

/* In pages: at least 2, and not a power of two unless it shall be one. */
static u32 famfs_rnd_unit(struct rnd_state *rnd, bool pow2, u32 max)
{
	u32 unit = 2 + famfs_rnd(rnd, max - 1);

	return pow2 ? rounddown_pow_of_two(unit) : unit | 1;
}

static void famfs_random_extents(struct famfs_msg *msg,
				 const struct famfs_shape *shape, u32 nr,
				 struct rnd_state *rnd)
{
	u32 unit = famfs_rnd_unit(rnd, shape->pow2, 1024);
	u32 i, pages;

	famfs_msg_init(msg, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < nr; i++) {
		pages = unit;
		if (shape->tail == FAMFS_TAIL_MIXED)
			pages = 1 + famfs_rnd(rnd, unit);
		else if (shape->tail == FAMFS_TAIL_SHORT && i == nr - 1)
			pages = 1 + famfs_rnd(rnd, unit - 1);
		else if (shape->tail == FAMFS_TAIL_LONG && i == nr - 1)
			pages = unit + 1 + famfs_rnd(rnd, 3 * unit);
		famfs_msg_extent(msg, famfs_rnd(rnd, 1024),
				 famfs_rnd_addr(rnd), (u64)pages * PAGE_SIZE);
	}
}

static u64 famfs_rnd_stripe_len(const struct famfs_shape *shape, u32 nstrips,
				u32 pages, bool last, struct rnd_state *rnd)
{
	u64 len, chunks;
	bool partial;

	if (shape->few)
		chunks = 1 + famfs_rnd(rnd, nstrips - 1);
	else
		chunks = nstrips + famfs_rnd(rnd, 4 * nstrips);
	len = chunks * pages * PAGE_SIZE;

	partial = shape->tail == FAMFS_TAIL_SHORT ||
		  (shape->tail == FAMFS_TAIL_MIXED && famfs_rnd(rnd, 2));
	if (partial)
		len -= (1 + famfs_rnd(rnd, pages - 1)) * PAGE_SIZE;
	if (partial && last)
		len -= famfs_rnd(rnd, PAGE_SIZE);
	return len;
}

static void famfs_random_stripe(struct famfs_msg *msg,
				const struct famfs_shape *shape, bool last,
				struct rnd_state *rnd)
{
	u32 pages = famfs_rnd_unit(rnd, shape->pow2, 64);
	const struct fuse_fmap_stripe *stripe;
	u32 nstrips = 1;
	u64 need;
	u32 i;

	if (shape->strips > 1)
		nstrips = famfs_rnd_unit(rnd, shape->pow2, shape->strips);
	stripe = (const void *)msg->data + msg->size;
	famfs_msg_stripe(msg, nstrips, pages * PAGE_SIZE,
			 famfs_rnd_stripe_len(shape, nstrips, pages, last, rnd));
	for (i = 0; i < nstrips; i++) {
		need = famfs_ref_strip_need(stripe, i);
		/* As short as can be, or longer. */
		if (!need || famfs_rnd(rnd, 4) == 0)
			need += (1 + famfs_rnd(rnd, 8)) * PAGE_SIZE;
		famfs_msg_strip(msg, famfs_rnd(rnd, 1024),
				famfs_rnd_addr(rnd), need);
	}
}

/**
 * famfs_msg_random() - make a good message
 * @msg: the message
 * @shape: kind of map
 * @rnd: state
 */
void famfs_msg_random(struct famfs_msg *msg, const struct famfs_shape *shape,
		      struct rnd_state *rnd)
{
	u32 nr = shape->nr - famfs_rnd(rnd, shape->nr / 2 + 1);
	struct fuse_fmap_header *hdr = famfs_msg_header(msg);
	u32 i;

	if (!shape->strips) {
		famfs_random_extents(msg, shape, nr, rnd);
	} else {
		famfs_msg_init(msg, FUSE_FMAP_EXT_STRIPED);
		for (i = 0; i < nr; i++)
			famfs_random_stripe(msg, shape, i == nr - 1, rnd);
	}
	hdr->file_type = famfs_rnd(rnd, 3);
	if (famfs_rnd(rnd, 2))
		hdr->size = msg->size;
	if (famfs_rnd(rnd, 2))
		hdr->file_size = famfs_rnd(rnd, msg->mapped + 1);
}
