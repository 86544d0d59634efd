// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of file maps: each rule about messages.
 *
 * M1 and the like are the promises of the design that a test keeps.
 */

#include "famfs_cases.h"

#include <kunit/test.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/string.h>

/* No byte more than the message has: KASAN sees who reads on. */
static void *famfs_case_data(struct kunit *test, size_t *size)
{
	struct famfs_msg *msg;
	void *data;

	msg = kunit_kzalloc(test, sizeof(*msg), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, msg);
	famfs_case_message(test->param_value, msg);
	*size = msg->size;

	data = kunit_kmalloc(test, msg->size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, data);
	memcpy(data, msg->data, msg->size);
	return data;
}

static void famfs_refuses(struct kunit *test)
{
	const struct famfs_case *c = test->param_value;
	struct famfs_parse_error fault = {};
	struct famfs_map *map;
	size_t size;
	void *msg;

	msg = famfs_case_data(test, &size);
	map = famfs_map_parse(msg, size, &fault);
	KUNIT_EXPECT_EQ(test, PTR_ERR(map), -EINVAL);
	if (!IS_ERR(map))
		famfs_map_free(map);
	KUNIT_EXPECT_STREQ(test, fault.why, c->why);
	KUNIT_EXPECT_EQ(test, fault.pos, c->pos);
	KUNIT_EXPECT_FALSE(test, famfs_ref_valid(msg, size));
}

static void famfs_M1_refuses_bad_header(struct kunit *test)
{
	famfs_refuses(test);
}

static void famfs_M1_refuses_wrong_length(struct kunit *test)
{
	famfs_refuses(test);
}

static void famfs_M1_refuses_bad_extent(struct kunit *test)
{
	famfs_refuses(test);
}

static void famfs_M1_refuses_bad_stripe(struct kunit *test)
{
	famfs_refuses(test);
}

static void famfs_M1_accepts(struct kunit *test)
{
	struct famfs_parse_error fault = {};
	struct famfs_map *map;
	struct rnd_state rnd;
	size_t size;
	void *msg;

	msg = famfs_case_data(test, &size);
	KUNIT_EXPECT_TRUE(test, famfs_ref_valid(msg, size));
	map = famfs_map_parse(msg, size, &fault);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(map), "refused at byte %zu: %s",
			       fault.pos, fault.why);

	KUNIT_EXPECT_EQ(test, map->mapped, famfs_ref_mapped(msg));
	prandom_seed_state(&rnd, 1);
	KUNIT_EXPECT_STREQ(test, famfs_check_map(msg, size, map, &rnd) ?: "",
			   "");
	famfs_map_free(map);
}

/* A strip needs what its own chunks take up, to the page. */
static void famfs_M1_refuses_short_strip(struct kunit *test)
{
	const struct famfs_shape *shape = test->param_value;
	struct fuse_fmap_stripe *stripe;
	struct fuse_fmap_extent *strips;
	struct famfs_parse_error fault;
	struct famfs_map *map;
	struct famfs_msg *msg;
	struct rnd_state rnd;
	u32 i;

	msg = kunit_kzalloc(test, sizeof(*msg), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, msg);
	prandom_seed_state(&rnd, shape - famfs_shapes);
	famfs_msg_random(msg, shape, &rnd);
	stripe = (void *)(famfs_msg_header(msg) + 1);
	strips = (void *)(stripe + 1);
	for (i = 0; i < stripe->nstrips; i++)
		strips[i].len = famfs_ref_strip_need(stripe, i) ?: PAGE_SIZE;

	for (i = 0; i < stripe->nstrips; i++) {
		if (strips[i].len == PAGE_SIZE)
			continue;
		strips[i].len -= PAGE_SIZE;
		map = famfs_map_parse(msg->data, msg->size, &fault);
		KUNIT_ASSERT_EQ(test, PTR_ERR(map), -EINVAL);
		KUNIT_EXPECT_STREQ(test, fault.why,
				   "strip shorter than its chunks");
		KUNIT_EXPECT_EQ(test, fault.pos,
				(u8 *)&strips[i] - msg->data);
		strips[i].len += PAGE_SIZE;
	}
	map = famfs_map_parse(msg->data, msg->size, &fault);
	KUNIT_ASSERT_FALSE(test, IS_ERR(map));
	famfs_map_free(map);
}

static const void *famfs_next_case(const struct famfs_case *cases,
				   const void *prev, char *desc)
{
	const struct famfs_case *c = prev ? prev + sizeof(*c) : cases;

	if (!c->name)
		return NULL;
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
	return c;
}

#define FAMFS_CASES(cases)						\
	static const void *cases##_gen(struct kunit *test,		\
				       const void *prev, char *desc)	\
	{								\
		return famfs_next_case(cases, prev, desc);		\
	}

FAMFS_CASES(famfs_bad_headers)
FAMFS_CASES(famfs_bad_lengths)
FAMFS_CASES(famfs_bad_extents)
FAMFS_CASES(famfs_bad_stripes)
FAMFS_CASES(famfs_good_cases)

static const void *famfs_striped_gen(struct kunit *test, const void *prev,
				     char *desc)
{
	const struct famfs_shape *shape = famfs_shapes;

	if (prev)
		shape = prev + sizeof(*shape);
	for (; shape < famfs_shapes + FAMFS_NR_SHAPES; shape++) {
		if (!shape->strips)
			continue;
		strscpy(desc, shape->name, KUNIT_PARAM_DESC_SIZE);
		return shape;
	}
	return NULL;
}

static struct kunit_case famfs_parse_cases[] = {
	KUNIT_CASE_PARAM(famfs_M1_refuses_bad_header, famfs_bad_headers_gen),
	KUNIT_CASE_PARAM(famfs_M1_refuses_wrong_length, famfs_bad_lengths_gen),
	KUNIT_CASE_PARAM(famfs_M1_refuses_bad_extent, famfs_bad_extents_gen),
	KUNIT_CASE_PARAM(famfs_M1_refuses_bad_stripe, famfs_bad_stripes_gen),
	KUNIT_CASE_PARAM(famfs_M1_refuses_short_strip, famfs_striped_gen),
	KUNIT_CASE_PARAM(famfs_M1_accepts, famfs_good_cases_gen),
	{}
};

static struct kunit_suite famfs_parse_suite = {
	.name = "fuse_famfs_parse",
	.test_cases = famfs_parse_cases,
};

kunit_test_suite(famfs_parse_suite);

MODULE_DESCRIPTION("KUnit tests of maps of files in FUSE");
MODULE_LICENSE("GPL");
