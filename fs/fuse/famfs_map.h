/* SPDX-License-Identifier: GPL-2.0 */
/*
 * famfs: fmaps, which tell the ranges of dax devices that hold a file's bytes.
 *
 * Devices are numbers here, in famfs_map.c and in famfs_parse.c.  So the code
 * that reads untrusted messages can be built without DAX, under UML and in a
 * fuzzer in user space.
 */

#ifndef _FS_FUSE_FAMFS_MAP_H
#define _FS_FUSE_FAMFS_MAP_H

#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/types.h>
#include <linux/vmalloc.h>

struct famfs_claims;
struct famfs_daxdev;

/* Devices of a connection; slots are less than this. */
#define FAMFS_DEVS_MAX	256

/**
 * struct famfs_extent - bytes of a file that are contiguous on a device
 * @start: file offset of the first byte
 * @addr: device offset of the first byte
 * @dev: the number in the message, or the device's slot, see &struct famfs_map
 * @reserved: unused
 *
 * The extent ends where the next one of its fmap starts.
 */
struct famfs_extent {
	u64 start;
	u64 addr;
	u32 dev;
	u32 reserved;
};

/**
 * struct famfs_strip - a strip of a stripe
 * @addr: device offset of the first byte
 * @len: bytes, at least the length of its chunks
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
 * struct famfs_stripe - a range of a file that is distributed over strips
 * @start: file offset of the first byte
 * @end: file offset after the last byte, page aligned
 * @chunk_size: bytes per chunk, a multiple of the page size
 * @nstrips: number of strips
 * @first: index of the first strip in &famfs_map.strips
 * @chunk_shift: log2 of @chunk_size, or negative if it is no power of two
 * @nstrips_shift: log2 of @nstrips, or negative if it is no power of two
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
 * struct famfs_map - a validated fmap
 * @rcu: for freeing
 * @devs: the connection's devices by slot, or NULL while extents have the
 *	  numbers of the message
 * @uses: slots of the devices that this fmap holds
 * @claims: claimed pages of the devices; owned by the fmap
 * @file_size: size of the file in bytes
 * @mapped: bytes mapped, at least @file_size
 * @claimed: bytes covered by @claims, more than @mapped if the end was cut off
 *	     while pages were pinned
 * @uniform_len: length of every extent but the last, or 0 if they differ
 * @uniform_shift: log2 of @uniform_len, or negative if it is no power of two
 * @nr_extents: number of @extents
 * @nr_stripes: number of @stripes
 * @nr_strips: number of @strips
 * @seq: fuse_inode.famfs_seq when @kept was found out
 * @kept: until it is published, bytes at the start of the file that have no cache
 *	  lines to drop, page aligned
 * @drop_rounds: how often famfs_drop_new() has dropped lines
 * @grow: the file may grow and shrink
 * @drop: cache lines are dropped before it is published
 * @backing_ids: the numbers of the message are backing ids
 * @longterm_pin: users may pin pages for as long as they like
 * @readonly: the server may not write to one of the devices
 * @stripes: stripes of a striped fmap, in file order
 * @strips: their strips
 * @extents: extents of a simple fmap, in file order
 *
 * Either @extents or @stripes is used, or none if the fmap is empty.  A
 * published fmap does not change until it is freed, except that
 * famfs_truncate_map() may cut off its end.
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
	u32 seq;
	u64 kept;
	u8 drop_rounds;
	bool grow;
	bool drop;
	bool backing_ids;
	bool longterm_pin;
	bool readonly;
	struct famfs_stripe *stripes;
	struct famfs_strip *strips;
	struct famfs_extent extents[];
};

/*
 * fuse_inode.famfs_meta of a file for which the server has no fmap; NULL if this
 * is unknown, or the fmap was revoked.  famfs_inode_map() returns NULL for both.
 */
#define FAMFS_NO_FMAP	((struct famfs_map *)1)

/**
 * struct famfs_range - a range of a file that is contiguous on a device
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
 * @why: reason in words
 * @pos: byte offset in the message of the invalid structure
 */
struct famfs_parse_error {
	const char *why;
	size_t pos;
};

/**
 * typedef famfs_range_fn - called for ranges of an fmap
 * @range: the range
 * @data: passed through
 *
 * Return: 0 to continue, anything else to stop.
 */
typedef int (*famfs_range_fn)(const struct famfs_range *range, void *data);

/**
 * famfs_map_kvmalloc() - allocate memory in proportion to the extents
 * @size: bytes
 *
 * kvmalloc() would take up to twice as much: a power of two if it finds
 * contiguous pages, and huge pages if it maps them.
 *
 * Return: memory for kvfree(), or NULL.
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
int famfs_map_walk_file(const struct famfs_map *map, u64 start, u64 end,
			u64 max, famfs_range_fn fn, void *data);
u64 famfs_map_common_len(const struct famfs_map *a, const struct famfs_map *b);
u32 famfs_map_shrink(struct famfs_map *map, u64 end);
int famfs_map_walk_at(const struct famfs_map *map,
		      const struct famfs_range *where,
		      famfs_range_fn fn, void *data);

#endif /* _FS_FUSE_FAMFS_MAP_H */
