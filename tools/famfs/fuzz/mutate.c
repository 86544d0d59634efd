// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzing the code that reads maps of files: making good messages bad.
 */

#include "fuzz.h"

#include <string.h>

#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>

#define HEADER	sizeof(struct fuse_fmap_header)
#define UNIT	sizeof(struct fuse_fmap_extent)

/* Numbers at which something ends, and others. */
static u64 some_u64(struct rnd_state *rnd)
{
	static const u64 edges[] = {
		0, 1, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, U32_MAX,
		S64_MAX, S64_MAX & PAGE_MASK, S64_MAX + 1ULL, U64_MAX,
		U64_MAX & PAGE_MASK, 1ULL << 62, 1ULL << 62, 1ULL << 62,
	};

	switch (famfs_rnd(rnd, 4)) {
	case 0:
		return 1ULL << famfs_rnd(rnd, 64);
	case 1:
		return famfs_rnd(rnd, 64) * PAGE_SIZE;
	case 2:
		return famfs_rnd(rnd, 0);
	default:
		return edges[famfs_rnd(rnd, ARRAY_SIZE(edges))];
	}
}

static u32 some_u32(struct rnd_state *rnd)
{
	static const u32 edges[] = {
		0, 1, 2, 3, 255, 256, U32_MAX,
		PAGE_SIZE - 1, PAGE_SIZE, 3 * PAGE_SIZE, U32_MAX & PAGE_MASK,
	};

	switch (famfs_rnd(rnd, 3)) {
	case 0:
		return famfs_rnd(rnd, 64);
	case 1:
		return famfs_rnd(rnd, 0);
	default:
		return edges[famfs_rnd(rnd, ARRAY_SIZE(edges))];
	}
}

/* A field of @width bytes: where one can be, or NULL. */
static void *some_field(struct famfs_msg *msg, size_t width,
			struct rnd_state *rnd)
{
	if (msg->size < width)
		return NULL;
	return msg->data + famfs_rnd(rnd, msg->size / width) * width;
}

static void change_field(struct famfs_msg *msg, struct rnd_state *rnd)
{
	static const s64 steps[] = {
		1, -1, 8, -8, PAGE_SIZE, -(s64)PAGE_SIZE,
	};
	u64 *wide = some_field(msg, sizeof(u64), rnd);
	u32 *word = some_field(msg, sizeof(u32), rnd);
	u8 *byte = some_field(msg, sizeof(u8), rnd);

	if (!wide)
		return;
	switch (famfs_rnd(rnd, 5)) {
	case 0:
		*wide = some_u64(rnd);
		break;
	case 1:
		*wide += steps[famfs_rnd(rnd, ARRAY_SIZE(steps))];
		break;
	case 2:
		*word = some_u32(rnd);
		break;
	case 3:
		*byte ^= 1 << famfs_rnd(rnd, 8);
		break;
	default:
		*byte = famfs_rnd(rnd, 256);
	}
}

static void change_size(struct famfs_msg *msg, struct rnd_state *rnd)
{
	static const u8 steps[] = { 1, 4, 8, UNIT, 2 * UNIT };
	size_t step = steps[famfs_rnd(rnd, ARRAY_SIZE(steps))];

	switch (famfs_rnd(rnd, 4)) {
	case 0:
		msg->size = famfs_rnd(rnd, msg->size + 1);
		break;
	case 1:
		msg->size -= min(step, msg->size);
		break;
	default:
		step = min(step, FAMFS_MSG_ROOM - msg->size);
		memset(msg->data + msg->size, famfs_rnd(rnd, 4) ? 0 : 0x5a, step);
		msg->size += step;
	}
}

/* Extents, stripes and strips take each other's place. */
static void change_order(struct famfs_msg *msg, struct rnd_state *rnd)
{
	size_t n = msg->size > HEADER ? (msg->size - HEADER) / UNIT : 0;
	u8 *from, *to, copy[UNIT];

	if (!n)
		return;
	from = msg->data + HEADER + famfs_rnd(rnd, n) * UNIT;
	to = msg->data + HEADER + famfs_rnd(rnd, n) * UNIT;
	memcpy(copy, to, UNIT);
	memmove(to, from, UNIT);
	if (famfs_rnd(rnd, 2))
		memcpy(from, copy, UNIT);
}

/* Extents that fit a device each, and no file together. */
static void stretch(struct famfs_msg *msg, struct rnd_state *rnd)
{
	size_t n = msg->size > HEADER ? (msg->size - HEADER) / UNIT : 0;
	struct fuse_fmap_extent *ext = (void *)(msg->data + HEADER);

	for (; n--; ext++) {
		if (famfs_rnd(rnd, 4))
			continue;
		ext->offset = famfs_rnd(rnd, 4) * PAGE_SIZE;
		ext->len = 1ULL << (56 + famfs_rnd(rnd, 7));
	}
}

/* A count and a length that fit again let the next checks have their turn. */
static void mend(struct famfs_msg *msg, struct rnd_state *rnd)
{
	struct fuse_fmap_header *hdr = famfs_msg_header(msg);

	if (famfs_rnd(rnd, 2))
		hdr->size = 0;
	if (msg->size >= HEADER && famfs_rnd(rnd, 2) &&
	    hdr->ext_type == FUSE_FMAP_EXT_SIMPLE)
		hdr->nextents = (msg->size - HEADER) / UNIT;
	if (famfs_rnd(rnd, 2))
		hdr->file_size = famfs_rnd(rnd, PAGE_SIZE);
}

/**
 * fuzz_mutate() - change a message a little, or not
 * @msg: the message
 * @rnd: state
 */
void fuzz_mutate(struct famfs_msg *msg, struct rnd_state *rnd)
{
	u32 changes = famfs_rnd(rnd, 5);

	while (changes--) {
		switch (famfs_rnd(rnd, 12)) {
		case 0:
		case 1:
			change_size(msg, rnd);
			break;
		case 2:
		case 3:
			change_order(msg, rnd);
			break;
		case 4:
			stretch(msg, rnd);
			break;
		default:
			change_field(msg, rnd);
		}
	}
	if (famfs_rnd(rnd, 2))
		mend(msg, rnd);
}
