// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of file maps: a plain reference.
 *
 * Reads the message itself, from its start for each question, and shares no
 * formula with the code under test.  Slow, and easy to check against
 * <linux/fuse.h>.
 */

#include "famfs_test.h"

#include <linux/fs.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>

static bool famfs_ref_aligned(u64 value)
{
	return !(value & (PAGE_SIZE - 1));
}

static bool famfs_ref_extent_valid(const struct fuse_fmap_extent *ext)
{
	return !ext->reserved && ext->len &&
	       famfs_ref_aligned(ext->offset) && famfs_ref_aligned(ext->len) &&
	       ext->offset <= S64_MAX && ext->len <= S64_MAX - ext->offset;
}

/* What a stripe maps, in whole pages. */
static u64 famfs_ref_stripe_len(const struct fuse_fmap_stripe *stripe)
{
	u64 len = stripe->nbytes & ~((u64)PAGE_SIZE - 1);

	return len == stripe->nbytes ? len : len + PAGE_SIZE;
}

/**
 * famfs_ref_strip_need() - how long a strip must be
 * @stripe: the stripe
 * @i: number of the strip
 *
 * Return: bytes; 0 if no chunk lands on it.
 */
u64 famfs_ref_strip_need(const struct fuse_fmap_stripe *stripe, u32 i)
{
	u64 tail, chunks, last;

	chunks = div64_u64_rem(famfs_ref_stripe_len(stripe), stripe->chunk_size,
			       &tail);
	if (tail)
		chunks++;
	if (chunks <= i)
		return 0;

	/* Chunks i, i + nstrips and so on: the last of them in its row. */
	last = div64_u64(chunks - 1 - i, stripe->nstrips);
	if (tail && i + last * stripe->nstrips == chunks - 1)
		return last * stripe->chunk_size + tail;
	return (last + 1) * stripe->chunk_size;
}

static bool famfs_ref_stripe_valid(const struct fuse_fmap_stripe *stripe,
				   bool last)
{
	const struct fuse_fmap_extent *strips = (const void *)(stripe + 1);
	u32 i;

	if (stripe->reserved || !stripe->chunk_size || !stripe->nbytes ||
	    stripe->nbytes > S64_MAX || !famfs_ref_aligned(stripe->chunk_size))
		return false;
	if (!last && !famfs_ref_aligned(stripe->nbytes))
		return false;
	for (i = 0; i < stripe->nstrips; i++)
		if (!famfs_ref_extent_valid(&strips[i]) ||
		    strips[i].len < famfs_ref_strip_need(stripe, i))
			return false;
	return true;
}

/* Is what @size bytes at @pos begin with a valid extent, or stripe? */
static bool famfs_ref_piece_valid(const struct fuse_fmap_header *hdr,
				  const void *pos, size_t size, bool last)
{
	const struct fuse_fmap_stripe *stripe = pos;

	if (size < sizeof(struct fuse_fmap_extent))
		return false;
	if (hdr->ext_type == FUSE_FMAP_EXT_SIMPLE)
		return famfs_ref_extent_valid(pos);
	return stripe->nstrips &&
	       (u64)stripe->nstrips * sizeof(struct fuse_fmap_extent) <=
	       size - sizeof(*stripe) &&
	       famfs_ref_stripe_valid(stripe, last);
}

/* Steps over an extent, or stripe with its strips.  Returns what it maps. */
static u64 famfs_ref_next(const struct fuse_fmap_header *hdr, const void **pos)
{
	const struct fuse_fmap_extent *ext = *pos;
	const struct fuse_fmap_stripe *stripe = *pos;

	*pos += sizeof(*ext);
	if (hdr->ext_type == FUSE_FMAP_EXT_SIMPLE)
		return ext->len;
	*pos += stripe->nstrips * sizeof(*ext);
	return famfs_ref_stripe_len(stripe);
}

/**
 * famfs_ref_valid() - is this a map?
 * @msg: anything
 * @size: its length
 *
 * Return: whether the message must be accepted.
 */
bool famfs_ref_valid(const void *msg, size_t size)
{
	const struct fuse_fmap_header *hdr = msg;
	const void *end = msg + size;
	u64 len, mapped = 0;
	u32 i;

	if (size < sizeof(*hdr) || hdr->version != 1 || hdr->file_type > 2 ||
	    hdr->ext_type > 1 || hdr->flags > 15 || hdr->reserved ||
	    hdr->file_size > MAX_LFS_FILESIZE)
		return false;
	if (hdr->size != 0 && hdr->size != size)
		return false;

	msg += sizeof(*hdr);
	for (i = 0; i < hdr->nextents; i++) {
		if (!famfs_ref_piece_valid(hdr, msg, end - msg,
					   i == hdr->nextents - 1))
			return false;
		len = famfs_ref_next(hdr, &msg);
		if (len > S64_MAX - mapped)
			return false;
		mapped += len;
	}
	return msg == end && hdr->file_size <= mapped;
}

/**
 * famfs_ref_mapped() - how much of the file a map maps
 * @msg: a valid message
 *
 * Return: bytes, a multiple of the page.
 */
u64 famfs_ref_mapped(const void *msg)
{
	const struct fuse_fmap_header *hdr = msg;
	u64 mapped = 0;
	u32 i;

	msg += sizeof(*hdr);
	for (i = 0; i < hdr->nextents; i++)
		mapped += famfs_ref_next(hdr, &msg);
	return mapped;
}

static void famfs_ref_resolve_stripe(const struct fuse_fmap_stripe *stripe,
				     u64 start, u64 pos,
				     struct famfs_range *range)
{
	const struct fuse_fmap_extent *strips = (const void *)(stripe + 1);
	u64 chunk, in_chunk, strip;

	/* In the words of <linux/fuse.h>. */
	chunk = div64_u64_rem(pos - start, stripe->chunk_size, &in_chunk);
	range->offset = pos - in_chunk;
	range->addr = div64_u64_rem(chunk, stripe->nstrips, &strip) *
		      stripe->chunk_size + strips[strip].offset;
	range->dev = strips[strip].devindex;
	range->len = min_t(u64, stripe->chunk_size, start +
			   famfs_ref_stripe_len(stripe) - range->offset);
}

/**
 * famfs_ref_resolve() - find the bytes of a file
 * @msg: a valid message
 * @pos: file offset, less than famfs_ref_mapped()
 * @range: the extent or chunk around @pos
 */
void famfs_ref_resolve(const void *msg, u64 pos, struct famfs_range *range)
{
	const struct fuse_fmap_header *hdr = msg;
	const struct fuse_fmap_extent *ext;
	u64 len, start = 0;

	msg += sizeof(*hdr);
	for (;;) {
		ext = msg;
		len = famfs_ref_next(hdr, &msg);
		if (pos - start < len)
			break;
		start += len;
	}
	if (hdr->ext_type == FUSE_FMAP_EXT_STRIPED) {
		famfs_ref_resolve_stripe((const void *)ext, start, pos, range);
		return;
	}
	range->offset = start;
	range->len = ext->len;
	range->addr = ext->offset;
	range->dev = ext->devindex;
}
