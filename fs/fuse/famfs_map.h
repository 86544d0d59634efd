/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File maps (fmaps): which ranges of dax devices hold the bytes of a file.
 *
 * Nothing in here or in the two files behind it knows what a dax device is:
 * devices are numbers.  That keeps the code that reads untrusted messages
 * buildable where there is no DAX, under UML and in a user space fuzzer.
 */

#ifndef _FS_FUSE_FAMFS_MAP_H
#define _FS_FUSE_FAMFS_MAP_H

#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/types.h>
#include <linux/vmalloc.h>

struct famfs_claims;
struct famfs_daxdev;

/* Devices of a connection; their slots are less than this. */
#define FAMFS_DEVS_MAX	256

/**
 * struct famfs_extent - bytes of a file that lie together on one device
 * @start: file offset of the first byte
 * @addr: device offset of the first byte
 * @dev: device: what the message calls it, or its slot, see &struct famfs_map
 * @reserved: unused
 *
 * The extent ends where the next one of its map starts.
 */
struct famfs_extent {
	u64 start;
	u64 addr;
	u32 dev;
	u32 reserved;
};

/**
 * struct famfs_strip - one leg of a stripe
 * @addr: device offset of the first byte
 * @len: bytes, at least what the chunks landing on it need
 * @dev: as in &struct famfs_extent
 * @reserved: unused
 */
struct famfs_strip {
	u64 addr;
	u64 len;
	u32 dev;
	u32 reserved;
};

/**
 * struct famfs_stripe - a range of a file dealt out in chunks to strips
 * @start: file offset of the first byte
 * @end: file offset after the last byte, page aligned
 * @chunk_size: bytes per chunk, a multiple of the page
 * @nstrips: number of strips
 * @first: index of the first strip in &famfs_map.strips
 * @chunk_shift: log2 of @chunk_size, or negative if there is none
 * @nstrips_shift: log2 of @nstrips, or negative if there is none
 */
struct famfs_stripe {
	u64 start;
	u64 end;
	u32 chunk_size;
	u32 nstrips;
	u32 first;
	s8 chunk_shift;
	s8 nstrips_shift;
};

/**
 * struct famfs_map - a checked map
 * @rcu: for freeing
 * @devs: the connection's devices by slot, or NULL while the extents have the
 *	  numbers of the message
 * @uses: slots of the devices that stay in @devs because of this map
 * @claims: what the map takes up on the devices; owned by the map
 * @file_size: size of the file in bytes
 * @mapped: bytes mapped, at least @file_size
 * @claimed: how far @claims reach, more than @mapped where the end was taken
 *	     away under pins
 * @uniform_len: length of every extent but the last, or 0 if they differ
 * @uniform_shift: log2 of @uniform_len, or negative if there is none
 * @nr_extents: number of @extents
 * @nr_stripes: number of @stripes
 * @nr_strips: number of @strips
 * @grow: the server lets the file grow and shrink
 * @backing_ids: the numbers of the message are backing ids
 * @readonly: a device does not let the file be written
 * @stripes: a striped map's stripes, in file order
 * @strips: their strips
 * @extents: a simple map's extents, in file order
 *
 * Either @extents or @stripes is used, or none: then the file is empty.  Once a
 * map can be seen by others it does not change until it is freed, but that
 * famfs_truncate_map() may take its end away.
 */
struct famfs_map {
	struct rcu_head rcu;
	struct famfs_daxdev **devs;
	DECLARE_BITMAP(uses, FAMFS_DEVS_MAX);
	struct famfs_claims *claims;
	u64 file_size;
	u64 mapped;
	u64 claimed;
	u64 uniform_len;
	int uniform_shift;
	u32 nr_extents;
	u32 nr_stripes;
	u32 nr_strips;
	bool grow;
	bool backing_ids;
	bool readonly;
	struct famfs_stripe *stripes;
	struct famfs_strip *strips;
	struct famfs_extent extents[];
};

/**
 * struct famfs_range - a piece of a file that is contiguous on a device
 * @offset: file offset of the first byte
 * @len: bytes
 * @addr: device offset of the first byte
 * @dev: as in &struct famfs_extent
 */
struct famfs_range {
	u64 offset;
	u64 len;
	u64 addr;
	u32 dev;
};

/**
 * struct famfs_parse_error - why a message was refused
 * @why: what is wrong, in words
 * @pos: byte offset in the message of the structure that is wrong
 */
struct famfs_parse_error {
	const char *why;
	size_t pos;
};

/**
 * typedef famfs_range_fn - called for pieces of a map
 * @range: the piece
 * @data: passed through
 *
 * Return: 0 to go on, anything else to stop.
 */
typedef int (*famfs_range_fn)(const struct famfs_range *range, void *data);

/**
 * famfs_map_kvmalloc() - allocate what grows with the extents of a map
 * @size: bytes
 *
 * kvmalloc() would take up to twice as much: a power of two where it finds
 * pages that follow one another, and huge pages where it maps them.
 *
 * Return: memory to be freed with kvfree(), or NULL.
 */
static inline void *famfs_map_kvmalloc(size_t size)
{
	if (size <= KMALLOC_MAX_CACHE_SIZE)
		return kmalloc(size, GFP_KERNEL_ACCOUNT);
	return __vmalloc(size, GFP_KERNEL_ACCOUNT);
}

struct famfs_map *famfs_map_parse(const void *msg, size_t size,
				  struct famfs_parse_error *error);
void famfs_map_free(struct famfs_map *map);

void famfs_map_resolve(const struct famfs_map *map, u64 pos,
		       struct famfs_range *range);
int famfs_map_walk(const struct famfs_map *map, famfs_range_fn fn,
		   void *data);
u64 famfs_map_common_len(const struct famfs_map *a, const struct famfs_map *b);
u32 famfs_map_shrink(struct famfs_map *map, u64 end);
int famfs_map_walk_at(const struct famfs_map *map,
		      const struct famfs_range *where,
		      famfs_range_fn fn, void *data);

#endif /* _FS_FUSE_FAMFS_MAP_H */
