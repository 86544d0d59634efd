// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of file maps: looking up places.
 */

#include "famfs_test.h"

#include <kunit/test.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#define PAGES(n)	((u64)(n) * PAGE_SIZE)

/* Maps of each shape */
#define FAMFS_ROUNDS	48

/* More than any message of a sane server, less than one that is too large */
#define FAMFS_MILLION	1000000

KUNIT_DEFINE_ACTION_WRAPPER(famfs_map_free_action, famfs_map_free,
			    struct famfs_map *);
KUNIT_DEFINE_ACTION_WRAPPER(famfs_kvfree_action, kvfree, const void *);

/* To be done when the test ends, however it does. */
static void famfs_defer(struct kunit *test, kunit_action_t *action, void *data)
{
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, action, data));
}

static struct famfs_msg *famfs_new_msg(struct kunit *test, u32 ext_type)
{
	struct famfs_msg *msg = kunit_kzalloc(test, sizeof(*msg), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, msg);
	famfs_msg_init(msg, ext_type);
	return msg;
}

static struct famfs_map *famfs_new_map(struct kunit *test,
				       const struct famfs_msg *msg)
{
	struct famfs_parse_error fault = {};
	struct famfs_map *map = famfs_map_parse(msg->data, msg->size, &fault);

	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(map), "refused at byte %zu: %s",
			       fault.pos, fault.why);
	famfs_defer(test, famfs_map_free_action, map);
	return map;
}

static void famfs_expect(struct kunit *test, const struct famfs_map *map,
			 u64 pos, u64 offset, u64 len, u32 dev, u64 addr)
{
	struct famfs_range range = {};

	famfs_map_resolve(map, pos, &range);
	KUNIT_EXPECT_EQ_MSG(test, range.offset, offset, "at %llu", pos);
	KUNIT_EXPECT_EQ_MSG(test, range.len, len, "at %llu", pos);
	KUNIT_EXPECT_EQ_MSG(test, range.dev, dev, "at %llu", pos);
	KUNIT_EXPECT_EQ_MSG(test, range.addr, addr, "at %llu", pos);
}

static void famfs_shape_desc(const struct famfs_shape *shape, char *desc)
{
	strscpy(desc, shape->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(famfs_shape, famfs_shapes, famfs_shape_desc);

/* Tiling, both ways of walking and random places: see famfs_check_map(). */
static void famfs_M4_agrees_with_the_message(struct kunit *test)
{
	const struct famfs_shape *shape = test->param_value;
	struct famfs_msg *msg = famfs_new_msg(test, 0);
	struct famfs_parse_error fault = {};
	struct famfs_map *map;
	struct rnd_state rnd;
	const char *wrong;
	int i;

	prandom_seed_state(&rnd, shape - famfs_shapes);
	for (i = 0; i < FAMFS_ROUNDS; i++) {
		famfs_msg_random(msg, shape, &rnd);
		map = famfs_map_parse(msg->data, msg->size, &fault);
		KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(map),
				       "map %d refused at byte %zu: %s", i,
				       fault.pos, fault.why);
		wrong = famfs_check_map(msg->data, msg->size, map, &rnd);
		famfs_map_free(map);
		if (wrong)
			KUNIT_FAIL(test, "map %d: %s", i, wrong);
	}
}

/* Extents of @unit pages, and one of @tail pages behind them. */
static void famfs_try_boundaries(struct kunit *test, u32 nr, u32 unit, u32 tail)
{
	struct famfs_msg *msg = famfs_new_msg(test, FUSE_FMAP_EXT_SIMPLE);
	u64 start = 0, len = PAGES(unit);
	struct famfs_map *map;
	u32 i;

	for (i = 0; i < nr; i++)
		famfs_msg_extent(msg, i, PAGES(1000 * i), PAGES(unit));
	famfs_msg_extent(msg, nr, PAGES(1000 * nr), PAGES(tail));
	map = famfs_new_map(test, msg);

	for (i = 0; i <= nr; i++) {
		if (i == nr)
			len = PAGES(tail);
		famfs_expect(test, map, start, start, len, i, PAGES(1000 * i));
		famfs_expect(test, map, start + len / 2, start, len, i,
			     PAGES(1000 * i));
		famfs_expect(test, map, start + len - 1, start, len, i,
			     PAGES(1000 * i));
		start += len;
	}
	KUNIT_EXPECT_EQ(test, map->mapped, start);
}

static void famfs_M4_first_and_last_byte_of_each_extent(struct kunit *test)
{
	static const u32 units[] = { 1, 2, 3, 5, 8, 100, 128 };
	u32 i, unit;

	for (i = 0; i < ARRAY_SIZE(units); i++) {
		unit = units[i];
		famfs_try_boundaries(test, 7, unit, unit);
		famfs_try_boundaries(test, 7, unit, 1);
		famfs_try_boundaries(test, 7, unit, unit + 1);
		famfs_try_boundaries(test, 7, unit, 5 * unit);
		famfs_try_boundaries(test, 1, unit, 2 * unit + 1);
		famfs_try_boundaries(test, 0, 1, unit);
	}
}

/* Chunks 0 to 6 of 2 pages, the last of 1, on strips A B C A B C A. */
static void famfs_M4_first_and_last_byte_of_each_chunk(struct kunit *test)
{
	static const u32 addrs[] = { 100, 200, 300 };
	struct famfs_msg *msg = famfs_new_msg(test, FUSE_FMAP_EXT_STRIPED);
	struct famfs_map *map;
	u64 start, len, addr;
	u32 i;

	famfs_msg_stripe(msg, 3, PAGES(2), PAGES(13));
	famfs_msg_strip(msg, 7, PAGES(100), PAGES(5));
	famfs_msg_strip(msg, 8, PAGES(200), PAGES(4));
	famfs_msg_strip(msg, 9, PAGES(300), PAGES(4));
	map = famfs_new_map(test, msg);

	for (i = 0; i < 7; i++) {
		start = PAGES(2 * i);
		len = PAGES(i < 6 ? 2 : 1);
		addr = PAGES(addrs[i % 3] + 2 * (i / 3));
		famfs_expect(test, map, start, start, len, 7 + i % 3, addr);
		famfs_expect(test, map, start + len - 1, start, len, 7 + i % 3,
			     addr);
	}
}

static void famfs_try_map(struct kunit *test, const struct famfs_msg *msg)
{
	struct famfs_map *map = famfs_new_map(test, msg);
	struct rnd_state rnd;
	const char *wrong;

	prandom_seed_state(&rnd, 1);
	wrong = famfs_check_map(msg->data, msg->size, map, &rnd);
	if (wrong)
		KUNIT_FAIL(test, "%s", wrong);
}

/* Sizes at which nothing fits in 32 bits, nor does the number of chunks. */
static void famfs_M4_terabytes(struct kunit *test)
{
	struct famfs_msg *msg = famfs_new_msg(test, FUSE_FMAP_EXT_STRIPED);
	u64 len = PAGES(3ULL << 34);
	u32 i;

	famfs_msg_stripe(msg, 3, PAGE_SIZE, len);
	for (i = 0; i < 3; i++)
		famfs_msg_strip(msg, i, len * i, len / 3);
	famfs_msg_stripe(msg, 2, PAGES(512), len);
	for (i = 0; i < 2; i++)
		famfs_msg_strip(msg, 3 + i, len * i, len / 2);
	famfs_try_map(test, msg);

	famfs_msg_init(msg, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < 3; i++)
		famfs_msg_extent(msg, i, len * i, len);
	famfs_try_map(test, msg);
	famfs_msg_extent(msg, i, len * i, len + PAGE_SIZE);
	famfs_msg_extent(msg, i, len * i, len + PAGE_SIZE);
	famfs_try_map(test, msg);
}

/* Lengths that need no search, and lengths that need no division. */
static void famfs_M4_searches_and_divides_only_where_it_must(struct kunit *test)
{
	const struct famfs_shape *shape = test->param_value;
	struct famfs_msg *msg = famfs_new_msg(test, 0);
	struct famfs_map *map;
	struct rnd_state rnd;
	u32 i;

	prandom_seed_state(&rnd, shape - famfs_shapes);
	famfs_msg_random(msg, shape, &rnd);
	map = famfs_new_map(test, msg);

	if (!shape->strips && shape->tail != FAMFS_TAIL_MIXED)
		KUNIT_EXPECT_GT(test, map->uniform_len, 0);
	if (shape->pow2 || shape->nr == 1)
		KUNIT_EXPECT_TRUE(test, map->nr_stripes || map->uniform_shift >= 0);
	for (i = 0; i < map->nr_stripes; i++) {
		if (is_power_of_2(map->stripes[i].chunk_size))
			KUNIT_EXPECT_GE(test, map->stripes[i].chunk_shift, 0);
		if (is_power_of_2(map->stripes[i].nstrips))
			KUNIT_EXPECT_GE(test, map->stripes[i].nstrips_shift, 0);
	}
}

static void famfs_M4_takes_24_bytes_an_extent(struct kunit *test)
{
	KUNIT_EXPECT_LE(test, sizeof(struct famfs_extent), 24);
	KUNIT_EXPECT_LE(test, sizeof(struct famfs_strip), 24);
	KUNIT_EXPECT_LE(test, sizeof_field(struct famfs_map, extents[0]), 24);
}

/* What famfs_map_walk_at() found, as text. */
struct famfs_found {
	char text[200];
	size_t len;
};

static int famfs_found_range(const struct famfs_range *range, void *data)
{
	struct famfs_found *found = data;

	found->len += scnprintf(found->text + found->len,
				sizeof(found->text) - found->len,
				"%llu+%llu at %u:%llu; ",
				range->offset >> PAGE_SHIFT,
				range->len >> PAGE_SHIFT, range->dev,
				range->addr >> PAGE_SHIFT);
	return 0;
}

/* All in pages, but for @dev. */
static void famfs_expect_at(struct kunit *test, const struct famfs_map *map,
			    u32 dev, u64 addr, u64 len, const char *text)
{
	struct famfs_range where = {
		.addr	= PAGES(addr),
		.len	= PAGES(len),
		.dev	= dev,
	};
	struct famfs_found found = {};

	KUNIT_EXPECT_EQ(test, 0, famfs_map_walk_at(map, &where,
						   famfs_found_range,
						   &found));
	KUNIT_EXPECT_STREQ(test, found.text, text);
}

static void famfs_X1_finds_the_file_behind_extents(struct kunit *test)
{
	struct famfs_msg *msg = famfs_new_msg(test, FUSE_FMAP_EXT_SIMPLE);
	struct famfs_map *map;

	famfs_msg_extent(msg, 0, PAGES(10), PAGES(4));
	famfs_msg_extent(msg, 1, PAGES(10), PAGES(6));
	famfs_msg_extent(msg, 0, PAGES(14), PAGES(3));
	map = famfs_new_map(test, msg);

	famfs_expect_at(test, map, 0, 10, 1, "0+1 at 0:10; ");
	famfs_expect_at(test, map, 0, 13, 1, "3+1 at 0:13; ");
	famfs_expect_at(test, map, 0, 13, 2, "3+1 at 0:13; 10+1 at 0:14; ");
	famfs_expect_at(test, map, 0, 0, 100, "0+4 at 0:10; 10+3 at 0:14; ");
	famfs_expect_at(test, map, 1, 12, 2, "6+2 at 1:12; ");
	famfs_expect_at(test, map, 0, 0, 10, "");
	famfs_expect_at(test, map, 0, 17, 10, "");
	famfs_expect_at(test, map, 2, 10, 6, "");
}

static void famfs_X1_finds_the_file_behind_strips(struct kunit *test)
{
	struct famfs_msg *msg = famfs_new_msg(test, FUSE_FMAP_EXT_STRIPED);
	struct famfs_map *map;

	/* Page 0 to 4: A A B B A; 5 to 7: C D C.  A and D touch. */
	famfs_msg_stripe(msg, 2, PAGES(2), PAGES(5));
	famfs_msg_strip(msg, 0, PAGES(10), PAGES(4));
	famfs_msg_strip(msg, 1, PAGES(10), PAGES(2));
	famfs_msg_stripe(msg, 2, PAGES(1), PAGES(3));
	famfs_msg_strip(msg, 1, PAGES(20), PAGES(2));
	famfs_msg_strip(msg, 0, PAGES(14), PAGES(9));
	map = famfs_new_map(test, msg);

	famfs_expect_at(test, map, 0, 11, 1, "1+1 at 0:11; ");
	famfs_expect_at(test, map, 0, 11, 2, "1+1 at 0:11; 4+1 at 0:12; ");
	famfs_expect_at(test, map, 1, 10, 2, "2+2 at 1:10; ");
	famfs_expect_at(test, map, 1, 0, 100,
			"2+2 at 1:10; 5+1 at 1:20; 7+1 at 1:21; ");
	famfs_expect_at(test, map, 0, 12, 3, "4+1 at 0:12; 6+1 at 0:14; ");
	/* The strips are longer, the file is not. */
	famfs_expect_at(test, map, 0, 13, 1, "");
	famfs_expect_at(test, map, 0, 15, 8, "");
	/* Rows of the stripe that are so far away that their number wraps. */
	famfs_expect_at(test, map, 0, 10 + (1ULL << (63 - PAGE_SHIFT)), 4, "");
	famfs_expect_at(test, map, 0, 14 + (1ULL << (63 - PAGE_SHIFT)), 4, "");
}

/* Extents of @odd and of 2 pages take turns on the device, one by one. */
static void *famfs_million(struct kunit *test, u32 odd, size_t *size)
{
	struct fuse_fmap_header *hdr;
	struct fuse_fmap_extent *ext;
	u64 addr = 0;
	u32 i;

	*size = sizeof(*hdr) + FAMFS_MILLION * sizeof(*ext);
	hdr = kvzalloc(*size, GFP_KERNEL | __GFP_NOWARN);
	if (!hdr)
		kunit_skip(test, "no memory for a message of %zu bytes", *size);
	famfs_defer(test, famfs_kvfree_action, hdr);
	hdr->version = FUSE_FMAP_VERSION;
	hdr->nextents = FAMFS_MILLION;
	ext = (void *)(hdr + 1);
	for (i = 0; i < FAMFS_MILLION; i++) {
		ext[i].offset = addr;
		ext[i].len = PAGES(i % 2 ? 2 : odd);
		addr += ext[i].len + PAGE_SIZE;
		hdr->file_size += ext[i].len;
	}
	return hdr;
}

static void famfs_try_million(struct kunit *test, u32 odd)
{
	struct famfs_parse_error fault = {};
	struct famfs_range range;
	struct famfs_map *map;
	size_t size;
	u64 pos = 0;
	u32 i, nr;
	void *msg = famfs_million(test, odd, &size);

	map = famfs_map_parse(msg, size, &fault);
	if (PTR_ERR(map) == -ENOMEM)
		kunit_skip(test, "no memory for a map of %zu bytes", size);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(map), "refused at byte %zu: %s",
			       fault.pos, fault.why);
	famfs_defer(test, famfs_map_free_action, map);
	KUNIT_EXPECT_EQ(test, map->mapped, PAGES(odd + 2) * FAMFS_MILLION / 2);

	for (nr = 0; pos < map->mapped; nr++, pos += range.len) {
		famfs_map_resolve(map, pos, &range);
		if (range.offset != pos || range.addr != pos + PAGES(nr) ||
		    range.len != PAGES(nr % 2 ? 2 : odd))
			KUNIT_FAIL_AND_ABORT(test, "extent %u is wrong", nr);
	}
	KUNIT_EXPECT_EQ(test, nr, FAMFS_MILLION);
	for (i = 0; i < FAMFS_MILLION; i += 99991) {
		pos = PAGES(odd + 2) * (i / 2) + PAGES(i % 2 ? odd : 0);
		famfs_expect(test, map, pos + PAGE_SIZE - 1, pos,
			     PAGES(i % 2 ? 2 : odd), 0, pos + PAGES(i));
	}
}

static void famfs_M5_a_million_extents_of_one_length(struct kunit *test)
{
	famfs_try_million(test, 2);
}

static void famfs_M5_a_million_extents_of_two_lengths(struct kunit *test)
{
	famfs_try_million(test, 3);
}

static struct kunit_case famfs_map_cases[] = {
	KUNIT_CASE_PARAM(famfs_M4_agrees_with_the_message,
			 famfs_shape_gen_params),
	KUNIT_CASE_PARAM(famfs_M4_searches_and_divides_only_where_it_must,
			 famfs_shape_gen_params),
	KUNIT_CASE(famfs_M4_first_and_last_byte_of_each_extent),
	KUNIT_CASE(famfs_M4_first_and_last_byte_of_each_chunk),
	KUNIT_CASE(famfs_M4_terabytes),
	KUNIT_CASE(famfs_M4_takes_24_bytes_an_extent),
	KUNIT_CASE(famfs_X1_finds_the_file_behind_extents),
	KUNIT_CASE(famfs_X1_finds_the_file_behind_strips),
	KUNIT_CASE(famfs_M5_a_million_extents_of_one_length),
	KUNIT_CASE(famfs_M5_a_million_extents_of_two_lengths),
	{}
};

static struct kunit_suite famfs_map_suite = {
	.name = "fuse_famfs_map",
	.test_cases = famfs_map_cases,
};

kunit_test_suite(famfs_map_suite);
