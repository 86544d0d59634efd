/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests of file maps: what they share.
 *
 * Apart from the files named *_kunit.c nothing in this directory knows KUnit,
 * and like the code under test it knows no dax device either: the fuzzer in
 * tools/famfs/fuzz builds the same files for user space.
 */

#ifndef _FS_FUSE_FAMFS_TEST_H
#define _FS_FUSE_FAMFS_TEST_H

/*
 * The tests bring a copy of the code under test, since they are also built
 * where FUSE comes without it.  Where FUSE has it, the names must differ.
 */
#define famfs_map_parse		famfs_test_map_parse
#define famfs_map_free		famfs_test_map_free
#define famfs_map_resolve	famfs_test_map_resolve
#define famfs_map_walk		famfs_test_map_walk
#define famfs_map_walk_at	famfs_test_map_walk_at
#define famfs_map_walk_file	famfs_test_map_walk_file
#define famfs_map_common_len	famfs_test_map_common_len
#define famfs_map_shrink	famfs_test_map_shrink

#include "../famfs_map.h"

#include <linux/fuse.h>
#include <linux/prandom.h>

/* Makes messages of at most this size */
#define FAMFS_MSG_ROOM	4096

/**
 * struct famfs_msg - a message under construction
 * @size: its length so far
 * @mapped: bytes of the file that its extents map, in whole pages
 * @data: the message
 */
struct famfs_msg {
	size_t size;
	u64 mapped;
	u8 data[FAMFS_MSG_ROOM] __aligned(8);
};

/**
 * enum famfs_tail - how the last extent or stripe differs from the others
 * @FAMFS_TAIL_SAME: extents: not at all; stripes: ends with a whole chunk
 * @FAMFS_TAIL_SHORT: extents: shorter; stripes: ends inside a chunk
 * @FAMFS_TAIL_LONG: extents: longer
 * @FAMFS_TAIL_MIXED: no two need have the same length
 */
enum famfs_tail {
	FAMFS_TAIL_SAME,
	FAMFS_TAIL_SHORT,
	FAMFS_TAIL_LONG,
	FAMFS_TAIL_MIXED,
};

/**
 * struct famfs_shape - a kind of map
 * @name: of the kind
 * @nr: extents or stripes at most; at least half of that
 * @strips: strips of each stripe at most, 0 for extents
 * @pow2: lengths, or chunk sizes and strip counts, are powers of two
 * @few: there are fewer chunks than strips
 * @tail: how the last one differs
 */
struct famfs_shape {
	const char *name;
	u32 nr;
	u32 strips;
	bool pow2;
	bool few;
	enum famfs_tail tail;
};

#define FAMFS_NR_SHAPES	16

extern const struct famfs_shape famfs_shapes[FAMFS_NR_SHAPES];

u64 famfs_rnd(struct rnd_state *rnd, u64 below);

void famfs_msg_init(struct famfs_msg *msg, u32 ext_type);
struct fuse_fmap_header *famfs_msg_header(struct famfs_msg *msg);
void famfs_msg_extent(struct famfs_msg *msg, u32 dev, u64 addr, u64 len);
void famfs_msg_stripe(struct famfs_msg *msg, u32 nstrips, u32 chunk_size,
		      u64 nbytes);
void famfs_msg_strip(struct famfs_msg *msg, u32 dev, u64 addr, u64 len);
void famfs_msg_random(struct famfs_msg *msg, const struct famfs_shape *shape,
		      struct rnd_state *rnd);

bool famfs_ref_valid(const void *msg, size_t size);
u64 famfs_ref_mapped(const void *msg);
u64 famfs_ref_strip_need(const struct fuse_fmap_stripe *stripe, u32 i);
void famfs_ref_resolve(const void *msg, u64 pos, struct famfs_range *range);

const char *famfs_check_parse(const void *msg, size_t size,
			      const struct famfs_map *map,
			      const struct famfs_parse_error *fault);
const char *famfs_check_map(const void *msg, size_t size,
			    const struct famfs_map *map,
			    struct rnd_state *rnd);
const char *famfs_check_at(const void *msg, const struct famfs_map *map,
			   struct rnd_state *rnd);

#endif /* _FS_FUSE_FAMFS_TEST_H */
