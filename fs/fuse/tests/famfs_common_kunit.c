// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of file maps: what two maps of a file agree about, and maps that
 * lose their end.
 *
 * Where a map takes the place of another, they keep what they agree about in
 * page tables and page cache.  Taken to agree about too much, they leave memory
 * in reach that may be another file's by now; about too little, each append
 * throws everybody's mappings away.
 */

#include "famfs_test.h"

#include <kunit/test.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>

#define PAGES(n)	((u64)(n) * PAGE_SIZE)

/* Pairs of maps of each shape */
#define FAMFS_ROUNDS	48

/* Items of a map at most */
#define FAMFS_ITEMS	6

/**
 * struct famfs_item - an extent, a stripe or a strip, in pages
 * @head: device of an extent or a strip; number of strips of a stripe
 * @at: address of an extent or a strip; chunk size of a stripe
 * @len: of an extent or a strip; bytes of a stripe; 0 behind the last item
 */
struct famfs_item {
	u32 head;
	u32 at;
	u32 len;
};

/**
 * struct famfs_two - two maps of a file
 * @name: how they differ
 * @type: FUSE_FMAP_EXT_* of each
 * @map: their items
 * @least: pages that they have to be found to agree about
 */
struct famfs_two {
	const char *name;
	u32 type[2];
	struct famfs_item map[2][FAMFS_ITEMS];
	u32 least;
};

#define STRIPED	{ FUSE_FMAP_EXT_STRIPED, FUSE_FMAP_EXT_STRIPED }

static const struct famfs_two famfs_twos[] = {
	{ "same extents", {},
	  { { { 0, 10, 4 }, { 1, 10, 2 } }, { { 0, 10, 4 }, { 1, 10, 2 } } }, 6 },
	{ "another extent behind", {},
	  { { { 0, 10, 4 } }, { { 0, 10, 4 }, { 0, 30, 2 } } }, 4 },
	{ "longer last extent", {},
	  { { { 0, 10, 4 }, { 0, 20, 2 } }, { { 0, 10, 4 }, { 0, 20, 3 } } }, 6 },
	{ "longer extent before another", {},
	  { { { 0, 10, 4 }, { 0, 20, 2 } }, { { 0, 10, 6 }, { 0, 20, 2 } } }, 4 },
	{ "extent moved", {},
	  { { { 0, 10, 4 }, { 0, 20, 4 } }, { { 0, 10, 4 }, { 0, 21, 4 } } }, 4 },
	{ "extent on another device", {},
	  { { { 0, 10, 4 }, { 0, 20, 4 } }, { { 0, 10, 4 }, { 1, 20, 4 } } }, 4 },
	{ "same memory in other extents", {},
	  { { { 0, 10, 4 }, { 0, 20, 1 } },
	    { { 0, 10, 2 }, { 0, 12, 2 }, { 0, 20, 1 } } }, 2 },
	{ "same stripe", STRIPED,
	  { { { 2, 1, 8 }, { 0, 10, 4 }, { 1, 10, 4 } },
	    { { 2, 1, 8 }, { 0, 10, 4 }, { 1, 10, 4 } } }, 8 },
	{ "longer stripe", STRIPED,
	  { { { 2, 1, 6 }, { 0, 10, 4 }, { 1, 10, 4 } },
	    { { 2, 1, 8 }, { 0, 10, 4 }, { 1, 10, 4 } } }, 6 },
	{ "longer stripe before another", STRIPED,
	  { { { 1, 1, 3 }, { 0, 10, 4 }, { 1, 1, 4 }, { 0, 20, 4 } },
	    { { 1, 1, 4 }, { 0, 10, 4 }, { 1, 1, 4 }, { 0, 20, 4 } } }, 3 },
	{ "another stripe behind", STRIPED,
	  { { { 2, 1, 8 }, { 0, 10, 4 }, { 1, 10, 4 } },
	    { { 2, 1, 8 }, { 0, 10, 4 }, { 1, 10, 4 }, { 1, 1, 4 }, { 2, 0, 4 } } },
	  8 },
	{ "chunks of another size", STRIPED,
	  { { { 1, 1, 2 }, { 2, 0, 2 }, { 2, 1, 8 }, { 0, 10, 4 }, { 1, 10, 4 } },
	    { { 1, 1, 2 }, { 2, 0, 2 }, { 2, 2, 8 }, { 0, 10, 4 }, { 1, 10, 4 } } },
	  2 },
	{ "another number of strips", STRIPED,
	  { { { 2, 1, 8 }, { 0, 10, 4 }, { 1, 10, 4 } },
	    { { 1, 1, 4 }, { 0, 10, 4 } } }, 0 },
	{ "strip moved", STRIPED,
	  { { { 1, 1, 4 }, { 2, 0, 4 }, { 2, 1, 8 }, { 0, 10, 4 }, { 1, 10, 4 } },
	    { { 1, 1, 4 }, { 2, 0, 4 }, { 2, 1, 8 }, { 0, 10, 4 }, { 1, 11, 4 } } },
	  4 },
	{ "strip on another device", STRIPED,
	  { { { 2, 1, 8 }, { 0, 10, 4 }, { 1, 10, 4 } },
	    { { 2, 1, 8 }, { 0, 10, 4 }, { 2, 10, 4 } } }, 0 },
	{ "extent and stripe", { FUSE_FMAP_EXT_SIMPLE, FUSE_FMAP_EXT_STRIPED },
	  { { { 0, 10, 4 } }, { { 1, 1, 4 }, { 0, 20, 4 } } }, 0 },
};

static void famfs_two_desc(const struct famfs_two *two, char *desc)
{
	strscpy(desc, two->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(famfs_two, famfs_twos, famfs_two_desc);

static void famfs_items_msg(const struct famfs_item *item, u32 type,
			    struct famfs_msg *msg)
{
	u32 i, strips = 0;

	famfs_msg_init(msg, type);
	for (i = 0; i < FAMFS_ITEMS && item[i].len; i++) {
		if (type == FUSE_FMAP_EXT_SIMPLE) {
			famfs_msg_extent(msg, item[i].head, PAGES(item[i].at),
					 PAGES(item[i].len));
		} else if (strips) {
			famfs_msg_strip(msg, item[i].head, PAGES(item[i].at),
					PAGES(item[i].len));
			strips--;
		} else {
			strips = item[i].head;
			famfs_msg_stripe(msg, strips, PAGES(item[i].at),
					 PAGES(item[i].len));
		}
	}
}

/* Does a byte lie at the same place?  Sets where to look next. */
static bool famfs_same_place(const struct famfs_map *a,
			     const struct famfs_map *b, u64 pos, u64 *next)
{
	struct famfs_range ra, rb;

	famfs_map_resolve(a, pos, &ra);
	famfs_map_resolve(b, pos, &rb);
	*next = min(ra.offset + ra.len, rb.offset + rb.len);
	return ra.dev == rb.dev && ra.addr + (pos - ra.offset) ==
				   rb.addr + (pos - rb.offset);
}

static u64 famfs_check_common(struct kunit *test, const struct famfs_map *a,
			      const struct famfs_map *b)
{
	u64 common = famfs_map_common_len(a, b);
	u64 pos, next;

	KUNIT_EXPECT_EQ(test, common, famfs_map_common_len(b, a));
	KUNIT_EXPECT_LE(test, common, min(a->mapped, b->mapped));
	common = min3(common, a->mapped, b->mapped);
	for (pos = 0; pos < common; pos = next) {
		if (famfs_same_place(a, b, pos, &next))
			continue;
		KUNIT_FAIL(test, "agree about %llu bytes, but not about byte %llu",
			   common, pos);
		break;
	}
	return common;
}

/* What two messages' maps agree about, or 0 where the second is refused. */
static u64 famfs_check_msgs(struct kunit *test, const struct famfs_msg *msgs)
{
	struct famfs_parse_error fault = {};
	struct famfs_map *a, *b;
	u64 common = 0;

	a = famfs_map_parse(msgs[0].data, msgs[0].size, &fault);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(a), "refused at byte %zu: %s",
			       fault.pos, fault.why);
	b = famfs_map_parse(msgs[1].data, msgs[1].size, &fault);
	if (!IS_ERR(b)) {
		common = famfs_check_common(test, a, b);
		famfs_map_free(b);
	}
	famfs_map_free(a);
	return common;
}

static struct famfs_msg *famfs_new_msgs(struct kunit *test)
{
	struct famfs_msg *msgs;

	msgs = kunit_kcalloc(test, 2, sizeof(*msgs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, msgs);
	return msgs;
}

static void famfs_M6_maps_agree_up_to_the_first_difference(struct kunit *test)
{
	const struct famfs_two *two = test->param_value;
	struct famfs_msg *msgs = famfs_new_msgs(test);

	famfs_items_msg(two->map[0], two->type[0], &msgs[0]);
	famfs_items_msg(two->map[1], two->type[1], &msgs[1]);
	KUNIT_EXPECT_GE(test, famfs_check_msgs(test, msgs), PAGES(two->least));
}

/* One number of an extent, stripe or strip differs.  Not all maps are good. */
static void famfs_spoil_number(struct famfs_msg *msg, struct rnd_state *rnd)
{
	u32 first = sizeof(struct fuse_fmap_header) / sizeof(u32);
	u32 *word = (u32 *)msg->data;

	word += first + famfs_rnd(rnd, msg->size / sizeof(u32) - first);
	switch (famfs_rnd(rnd, 3)) {
	case 0:
		*word ^= 1;
		break;
	case 1:
		*word += PAGE_SIZE;
		break;
	default:
		*word -= PAGE_SIZE;
	}
	famfs_msg_header(msg)->file_size = 0;
}

static void famfs_shape_desc(const struct famfs_shape *shape, char *desc)
{
	strscpy(desc, shape->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(famfs_shape, famfs_shapes, famfs_shape_desc);

static void famfs_M6_random_maps_agree_where_it_is_said(struct kunit *test)
{
	const struct famfs_shape *shape = test->param_value;
	struct famfs_msg *msgs = famfs_new_msgs(test);
	struct rnd_state rnd;
	int i;

	prandom_seed_state(&rnd, shape - famfs_shapes);
	for (i = 0; i < FAMFS_ROUNDS; i++) {
		famfs_msg_random(&msgs[0], shape, &rnd);
		msgs[1] = msgs[0];
		KUNIT_EXPECT_EQ(test, famfs_check_msgs(test, msgs),
				msgs[0].mapped);
		famfs_spoil_number(&msgs[1], &rnd);
		famfs_check_msgs(test, msgs);
		famfs_msg_random(&msgs[1], &famfs_shapes[i % FAMFS_NR_SHAPES],
				 &rnd);
		famfs_check_msgs(test, msgs);
	}
}

static u32 famfs_pieces(const struct famfs_map *map)
{
	return map->nr_extents + map->nr_strips;
}

/* @map has been shrunk to @end, @whole has not. */
static void famfs_check_shrunk(struct kunit *test, const struct famfs_map *map,
			       const struct famfs_map *whole, u64 end)
{
	struct famfs_range range;
	u64 pos, next;

	KUNIT_EXPECT_EQ(test, map->mapped, end);
	KUNIT_EXPECT_LE(test, map->file_size, end);
	for (pos = 0; pos < end; pos = next) {
		if (!famfs_same_place(map, whole, pos, &next)) {
			KUNIT_FAIL(test, "byte %llu is elsewhere", pos);
			break;
		}
		famfs_map_resolve(map, pos, &range);
		KUNIT_EXPECT_LE(test, range.offset + range.len, end);
	}
	if (!end)
		KUNIT_EXPECT_EQ(test, famfs_pieces(map), 0);
}

static void famfs_G5_shrunk_map_keeps_its_start(struct kunit *test)
{
	struct famfs_msg *msg = famfs_new_msgs(test);
	struct famfs_parse_error fault = {};
	struct famfs_map *map, *whole;
	struct rnd_state rnd;
	u64 end;
	u32 gone;
	int i;

	prandom_seed_state(&rnd, 1);
	for (i = 0; i < FAMFS_ROUNDS * FAMFS_NR_SHAPES; i++) {
		famfs_msg_random(msg, &famfs_shapes[i % FAMFS_NR_SHAPES], &rnd);
		map = famfs_map_parse(msg->data, msg->size, &fault);
		whole = famfs_map_parse(msg->data, msg->size, &fault);
		KUNIT_ASSERT_FALSE(test, IS_ERR(map) || IS_ERR(whole));
		end = PAGES(famfs_rnd(&rnd, map->mapped >> PAGE_SHIFT));
		gone = famfs_map_shrink(map, end);
		KUNIT_EXPECT_EQ(test, famfs_pieces(map) + gone,
				famfs_pieces(whole));
		famfs_check_shrunk(test, map, whole, end);
		famfs_map_free(map);
		famfs_map_free(whole);
	}
}

static struct kunit_case famfs_common_cases[] = {
	KUNIT_CASE_PARAM(famfs_M6_maps_agree_up_to_the_first_difference,
			 famfs_two_gen_params),
	KUNIT_CASE_PARAM(famfs_M6_random_maps_agree_where_it_is_said,
			 famfs_shape_gen_params),
	KUNIT_CASE(famfs_G5_shrunk_map_keeps_its_start),
	{}
};

static struct kunit_suite famfs_common_suite = {
	.name = "fuse_famfs_common",
	.test_cases = famfs_common_cases,
};

kunit_test_suite(famfs_common_suite);
