// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of file maps: the ranges whose cache lines are dropped.
 *
 * A stub stands in for the CPU.  A range that is left out shows bytes that are
 * older than the map, one beyond the part that was asked for costs time, and
 * one that is too long keeps a killed task from ending.
 */

#include "famfs_test.h"

#include <kunit/test.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/mm.h>

#define PAGES(n)	((u64)(n) * PAGE_SIZE)

/* Parts of a map of each shape */
#define FAMFS_ROUNDS	64

/**
 * struct famfs_dropper - the stub
 * @msg: the map's message
 * @pos: end of what has been dropped
 * @max: bytes of a range at most
 * @left: ranges until it fails, or 0
 * @wrong: what was wrong with a range, or NULL
 */
struct famfs_dropper {
	const struct famfs_msg *msg;
	u64 pos;
	u64 max;
	u32 left;
	const char *wrong;
};

static int famfs_dropper_drop(const struct famfs_range *range, void *data)
{
	struct famfs_dropper *drop = data;
	struct famfs_range first, last;

	famfs_ref_resolve(drop->msg->data, range->offset, &first);
	famfs_ref_resolve(drop->msg->data,
			  range->offset + range->len - PAGE_SIZE, &last);
	if (range->offset != drop->pos)
		drop->wrong = "not the next one";
	else if (!range->len || range->len > drop->max)
		drop->wrong = "of a wrong length";
	else if (first.dev != range->dev || last.dev != range->dev)
		drop->wrong = "on a wrong device";
	else if (first.addr + (range->offset - first.offset) != range->addr ||
		 last.addr + (range->offset + range->len - PAGE_SIZE -
			      last.offset) !=
		 range->addr + range->len - PAGE_SIZE)
		drop->wrong = "at a wrong place";
	drop->pos += range->len;
	return drop->wrong || (drop->left && !--drop->left) ? -EINTR : 0;
}

static struct famfs_map *famfs_parse_or_fail(struct kunit *test,
					     const struct famfs_msg *msg)
{
	struct famfs_parse_error fault = {};
	struct famfs_map *map;

	map = famfs_map_parse(msg->data, msg->size, &fault);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(map), "refused at byte %zu: %s",
			       fault.pos, fault.why);
	return map;
}

static void famfs_check_part(struct kunit *test, const struct famfs_msg *msg,
			     const struct famfs_map *map, u64 start, u64 end,
			     u64 max)
{
	struct famfs_dropper drop = { .msg = msg, .pos = start, .max = max };

	KUNIT_EXPECT_EQ(test, 0, famfs_map_walk_file(map, start, end, max,
						     famfs_dropper_drop,
						     &drop));
	KUNIT_EXPECT_NULL_MSG(test, drop.wrong, "a range is %s", drop.wrong);
	KUNIT_EXPECT_EQ(test, drop.pos, max(start, end));
}

static void famfs_shape_desc(const struct famfs_shape *shape, char *desc)
{
	strscpy(desc, shape->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(famfs_shape, famfs_shapes, famfs_shape_desc);

static void famfs_M11_each_page_of_a_part_is_dropped_once(struct kunit *test)
{
	const struct famfs_shape *shape = test->param_value;
	struct famfs_msg *msg;
	struct rnd_state rnd;
	int i;

	msg = kunit_kzalloc(test, sizeof(*msg), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, msg);
	prandom_seed_state(&rnd, shape - famfs_shapes);
	for (i = 0; i < FAMFS_ROUNDS; i++) {
		struct famfs_map *map;
		u64 pages, start, end;

		famfs_msg_random(msg, shape, &rnd);
		map = famfs_parse_or_fail(test, msg);
		pages = map->mapped >> PAGE_SHIFT;
		start = famfs_rnd(&rnd, pages + 1);
		end = start + famfs_rnd(&rnd, min(pages - start, 512ULL) + 1);
		famfs_check_part(test, msg, map, PAGES(start), PAGES(end),
				 PAGES(1 + famfs_rnd(&rnd, 64)));
		/* Nothing, also where the end is before the start. */
		famfs_check_part(test, msg, map, PAGES(start),
				 PAGES(famfs_rnd(&rnd, start + 1)), PAGES(1));
		famfs_map_free(map);
	}
}

static void famfs_M11_drop_ends_with_an_error(struct kunit *test)
{
	struct famfs_dropper drop = { .max = PAGES(4), .left = 3 };
	struct famfs_msg *msg;
	struct famfs_map *map;

	msg = kunit_kzalloc(test, sizeof(*msg), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, msg);
	famfs_msg_init(msg, FUSE_FMAP_EXT_SIMPLE);
	famfs_msg_extent(msg, 0, PAGES(10), PAGES(100));
	map = famfs_parse_or_fail(test, msg);
	drop.msg = msg;
	KUNIT_EXPECT_EQ(test, -EINTR,
			famfs_map_walk_file(map, 0, map->mapped, drop.max,
					    famfs_dropper_drop, &drop));
	KUNIT_EXPECT_EQ(test, drop.pos, PAGES(12));
	famfs_map_free(map);
}

static struct kunit_case famfs_drop_cases[] = {
	KUNIT_CASE_PARAM(famfs_M11_each_page_of_a_part_is_dropped_once,
			 famfs_shape_gen_params),
	KUNIT_CASE(famfs_M11_drop_ends_with_an_error),
	{}
};

static struct kunit_suite famfs_drop_suite = {
	.name = "fuse_famfs_drop",
	.test_cases = famfs_drop_cases,
};

kunit_test_suite(famfs_drop_suite);
