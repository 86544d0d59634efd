// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: from a server's message to an fmap.
 *
 * No other code reads the message.  The result is validated except for what
 * needs the devices: that they exist, and that extents lie inside them and do
 * not overlap.
 */

#include "famfs_map.h"

#include <linux/align.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

/* A cursor over the message; only famfs_parse_bytes() advances it. */
struct famfs_parser {
	const void *msg;
	size_t size;
	size_t pos;
	struct famfs_parse_error *error;
};

static int famfs_parse_fail(struct famfs_parser *p, size_t pos, const char *why)
{
	p->error->pos = pos;
	p->error->why = why;
	return -EINVAL;
}

static const void *famfs_parse_bytes(struct famfs_parser *p, size_t size)
{
	const void *data = p->msg + p->pos;

	if (p->size - p->pos < size)
		return NULL;
	p->pos += size;
	return data;
}

#define FAMFS_MAP_FLAGS							\
	(FUSE_FMAP_GROW | FUSE_FMAP_BACKING_IDS | FUSE_FMAP_DROP |	\
	 FUSE_FMAP_LONGTERM_PIN)

static int famfs_check_header(struct famfs_parser *p,
			      const struct fuse_fmap_header *hdr)
{
	if (hdr->version != FUSE_FMAP_VERSION)
		return famfs_parse_fail(p, 0, "unknown version");
	if (hdr->file_type > FUSE_FMAP_FILE_LOG)
		return famfs_parse_fail(p, 0, "unknown file type");
	if (hdr->ext_type > FUSE_FMAP_EXT_STRIPED)
		return famfs_parse_fail(p, 0, "unknown extent type");
	if (hdr->flags & ~FAMFS_MAP_FLAGS)
		return famfs_parse_fail(p, 0, "unknown flag");
	if (hdr->reserved)
		return famfs_parse_fail(p, 0, "reserved field is not zero");
	if (hdr->size && hdr->size != p->size)
		return famfs_parse_fail(p, 0, "size is not the message's length");
	if (hdr->file_size > MAX_LFS_FILESIZE)
		return famfs_parse_fail(p, 0, "file size above the limit");
	return 0;
}

static int famfs_parse_extent(struct famfs_parser *p, struct famfs_strip *strip)
{
	size_t pos = p->pos;
	const struct fuse_fmap_extent *ext = famfs_parse_bytes(p, sizeof(*ext));
	u64 end;

	if (!ext)
		return famfs_parse_fail(p, pos, "message ends before its extents");
	if (ext->reserved)
		return famfs_parse_fail(p, pos, "reserved field is not zero");
	if (!ext->len)
		return famfs_parse_fail(p, pos, "empty extent");
	if (!PAGE_ALIGNED(ext->offset) || !PAGE_ALIGNED(ext->len))
		return famfs_parse_fail(p, pos, "extent is not page aligned");
	if (check_add_overflow(ext->offset, ext->len, &end) || end > LLONG_MAX)
		return famfs_parse_fail(p, pos, "extent ends beyond any device");

	strip->addr = ext->offset;
	strip->len = ext->len;
	strip->dev = ext->devindex;
	strip->reserved = 0;
	return 0;
}

/* Add @len to the bytes mapped; file offsets are signed. */
static int famfs_parse_add_len(struct famfs_parser *p, struct famfs_map *map,
			       size_t pos, u64 len)
{
	if (check_add_overflow(map->mapped, len, &map->mapped) ||
	    map->mapped > LLONG_MAX)
		return famfs_parse_fail(p, pos, "maps more than a file can hold");
	return 0;
}

static int famfs_log2_or_none(u64 size)
{
	return is_power_of_2(size) ? ilog2(size) : -1;
}

static int famfs_parse_simple(struct famfs_parser *p, struct famfs_map *map,
			      u32 nr)
{
	struct famfs_strip strip;
	bool uniform = true;
	u64 prev = 0;
	u32 i;
	int err;

	for (i = 0; i < nr; i++) {
		size_t pos = p->pos;

		err = famfs_parse_extent(p, &strip);
		if (err)
			return err;
		map->extents[i] = (struct famfs_extent) {
			.start	= map->mapped,
			.addr	= strip.addr,
			.dev	= strip.dev,
		};
		err = famfs_parse_add_len(p, map, pos, strip.len);
		if (err)
			return err;
		if (i == 0)
			map->uniform_len = strip.len;
		else if (prev != map->uniform_len)
			uniform = false;
		prev = strip.len;
	}
	map->nr_extents = nr;

	/* One extent: any offset shifted by 63 is extent 0. */
	if (nr == 1)
		map->uniform_shift = 63;
	else if (uniform)
		map->uniform_shift = famfs_log2_or_none(map->uniform_len);
	else
		map->uniform_len = 0;
	return 0;
}

/* Length of the chunks of a stripe of @nbytes that are in strip @i. */
static u64 famfs_strip_min_len(const struct famfs_stripe *stripe, u64 nbytes,
			       u32 i)
{
	u64 chunks = DIV_ROUND_UP_ULL(nbytes, stripe->chunk_size);
	u32 rem, last;
	u64 need;

	need = div_u64_rem(chunks, stripe->nstrips, &rem);
	last = rem ? rem - 1 : stripe->nstrips - 1;
	need = (need + (i < rem)) * stripe->chunk_size;
	if (i == last)
		need -= chunks * stripe->chunk_size - nbytes;
	return need;
}

static int famfs_parse_strips(struct famfs_parser *p, struct famfs_map *map,
			      const struct famfs_stripe *stripe)
{
	u64 nbytes = stripe->end - stripe->start;
	struct famfs_strip *strip;
	size_t pos;
	u32 i;
	int err;

	for (i = 0; i < stripe->nstrips; i++) {
		pos = p->pos;
		strip = &map->strips[stripe->first + i];
		err = famfs_parse_extent(p, strip);
		if (err)
			return err;
		if (strip->len < famfs_strip_min_len(stripe, nbytes, i))
			return famfs_parse_fail(p, pos, "strip shorter than its chunks");
	}
	map->nr_strips += stripe->nstrips;
	return 0;
}

/* Page granularity: only a file's last stripe may end inside a page. */
static int famfs_parse_stripe(struct famfs_parser *p, struct famfs_map *map,
			      bool last)
{
	size_t pos = p->pos;
	const struct fuse_fmap_stripe *in = famfs_parse_bytes(p, sizeof(*in));
	struct famfs_stripe *stripe = &map->stripes[map->nr_stripes++];
	int err;

	if (in->reserved)
		return famfs_parse_fail(p, pos, "reserved field is not zero");
	if (!in->chunk_size || !PAGE_ALIGNED((u64)in->chunk_size))
		return famfs_parse_fail(p, pos, "chunk size is no multiple of the page");
	if (!in->nbytes || in->nbytes > LLONG_MAX)
		return famfs_parse_fail(p, pos, "stripe maps nothing or too much");
	if (!PAGE_ALIGNED(in->nbytes) && !last)
		return famfs_parse_fail(p, pos, "stripe is not page aligned");

	stripe->start = map->mapped;
	stripe->chunk_size = in->chunk_size;
	stripe->chunk_shift = famfs_log2_or_none(in->chunk_size);
	stripe->nstrips = in->nstrips;
	stripe->nstrips_shift = famfs_log2_or_none(in->nstrips);
	stripe->first = map->nr_strips;
	err = famfs_parse_add_len(p, map, pos, ALIGN(in->nbytes, PAGE_SIZE));
	if (err)
		return err;
	stripe->end = map->mapped;
	return famfs_parse_strips(p, map, stripe);
}

static size_t famfs_extents_size(u32 nr)
{
	return array_size(nr, sizeof(struct fuse_fmap_extent));
}

/* Count the strips, and check that nothing follows them. */
static int famfs_count_strips(struct famfs_parser *p, u32 nr, u32 *nr_strips)
{
	const struct fuse_fmap_stripe *in;
	size_t start = p->pos;
	u32 i;

	*nr_strips = 0;
	for (i = 0; i < nr; i++) {
		size_t pos = p->pos;

		in = famfs_parse_bytes(p, sizeof(*in));
		if (!in)
			return famfs_parse_fail(p, pos, "message ends before its stripes");
		if (!in->nstrips)
			return famfs_parse_fail(p, pos, "stripe without strips");
		if (!famfs_parse_bytes(p, famfs_extents_size(in->nstrips)))
			return famfs_parse_fail(p, pos, "message ends before its strips");
		*nr_strips += in->nstrips;
	}
	if (p->pos != p->size)
		return famfs_parse_fail(p, p->pos, "bytes after the last strip");
	p->pos = start;
	return 0;
}

static int famfs_parse_striped(struct famfs_parser *p, struct famfs_map *map,
			       u32 nr)
{
	u32 i;
	int err = 0;

	for (i = 0; i < nr && !err; i++)
		err = famfs_parse_stripe(p, map, i == nr - 1);
	return err;
}

static struct famfs_map *famfs_map_alloc(u32 nr_extents, u32 nr_stripes,
					 u32 nr_strips)
{
	struct famfs_map *map;
	size_t size;

	size = struct_size(map, extents, nr_extents);
	size = size_add(size, array_size(nr_stripes, sizeof(*map->stripes)));
	size = size_add(size, array_size(nr_strips, sizeof(*map->strips)));
	map = famfs_map_kvmalloc(size);
	if (!map)
		return NULL;
	*map = (struct famfs_map) { .uniform_shift = -1 };
	map->stripes = (void *)&map->extents[nr_extents];
	map->strips = (void *)&map->stripes[nr_stripes];
	return map;
}

static struct famfs_map *famfs_parse_body(struct famfs_parser *p,
					  const struct fuse_fmap_header *hdr)
{
	bool striped = hdr->ext_type == FUSE_FMAP_EXT_STRIPED;
	struct famfs_map *map;
	u32 nr_strips = 0;
	int err = 0;

	if (striped)
		err = famfs_count_strips(p, hdr->nextents, &nr_strips);
	else if (p->size - p->pos != famfs_extents_size(hdr->nextents))
		err = famfs_parse_fail(p, 0, "length does not fit the extents");
	if (err)
		return ERR_PTR(err);

	map = famfs_map_alloc(striped ? 0 : hdr->nextents,
			      striped ? hdr->nextents : 0, nr_strips);
	if (!map)
		return ERR_PTR(-ENOMEM);

	if (striped)
		err = famfs_parse_striped(p, map, hdr->nextents);
	else
		err = famfs_parse_simple(p, map, hdr->nextents);
	if (!err && hdr->file_size > map->mapped)
		err = famfs_parse_fail(p, 0, "extents do not cover the file");
	if (err) {
		famfs_map_free(map);
		return ERR_PTR(err);
	}
	map->file_size = hdr->file_size;
	map->grow = hdr->flags & FUSE_FMAP_GROW;
	map->longterm_pin = hdr->flags & FUSE_FMAP_LONGTERM_PIN;
	map->backing_ids = hdr->flags & FUSE_FMAP_BACKING_IDS;
	map->drop = hdr->flags & FUSE_FMAP_DROP;
	return map;
}

/**
 * famfs_map_parse() - make an fmap from a message
 * @msg: the message, aligned to 8 bytes; untrusted
 * @size: its length in bytes
 * @error: set if the message is refused
 *
 * Allocates the fmap alone, charged to the caller's memory cgroup: 24 bytes an
 * extent.  Stops at the first error.
 *
 * Context: May sleep.
 * Return: the fmap, for famfs_map_free(), or an ERR_PTR: -EINVAL for a
 * malformed message, -ENOMEM.
 */
struct famfs_map *famfs_map_parse(const void *msg, size_t size,
				  struct famfs_parse_error *error)
{
	struct famfs_parser p = {
		.msg	= msg,
		.size	= size,
		.error	= error,
	};
	const struct fuse_fmap_header *hdr;
	int err;

	hdr = famfs_parse_bytes(&p, sizeof(*hdr));
	if (!hdr)
		err = famfs_parse_fail(&p, 0, "shorter than a header");
	else
		err = famfs_check_header(&p, hdr);
	if (err)
		return ERR_PTR(err);
	return famfs_parse_body(&p, hdr);
}
