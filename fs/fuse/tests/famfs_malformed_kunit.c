// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of file maps: thousands of messages that are slightly wrong.
 *
 * Whatever a message is, it is either refused for a reason, or gives a map
 * that is what it says.  The reference decides which.
 */

#include "famfs_test.h"

#include <kunit/test.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

/**
 * struct famfs_spoil - a message to be spoiled
 * @msg: the message, good at first
 * @rnd: state
 * @accepted: spoiled ones that were good all the same
 * @refused: others
 */
struct famfs_spoil {
	struct famfs_msg msg;
	struct rnd_state rnd;
	u32 accepted;
	u32 refused;
};

/* Small messages, of which every byte can be tried */
static void famfs_spoil_setup(struct famfs_msg *msg, u32 variant)
{
	static const u8 odd[] = { 0, 3, 5, 1 };
	u32 i;

	if (variant < 3) {
		famfs_msg_init(msg, FUSE_FMAP_EXT_SIMPLE);
		for (i = 0; i < 1 + 2 * variant; i++)
			famfs_msg_extent(msg, i, i * PAGE_SIZE,
					 (4 + odd[variant] * i) * PAGE_SIZE);
		return;
	}
	famfs_msg_init(msg, FUSE_FMAP_EXT_STRIPED);
	famfs_msg_stripe(msg, 2, 4 * PAGE_SIZE, 16 * PAGE_SIZE);
	famfs_msg_strip(msg, 0, 0, 8 * PAGE_SIZE);
	famfs_msg_strip(msg, 1, 0, 8 * PAGE_SIZE);
	if (variant == 3)
		return;
	famfs_msg_stripe(msg, 3, 3 * PAGE_SIZE, 7 * PAGE_SIZE - 5);
	for (i = 0; i < 3; i++)
		famfs_msg_strip(msg, i, 1024 * PAGE_SIZE, 3 * PAGE_SIZE);
}

static void famfs_spoil_desc(const u32 *variant, char *desc)
{
	static const char * const names[] = {
		"one extent", "uniform extents", "mixed extents",
		"one stripe", "two stripes",
	};

	strscpy(desc, names[*variant], KUNIT_PARAM_DESC_SIZE);
}

static const u32 famfs_variants[] = { 0, 1, 2, 3, 4 };

KUNIT_ARRAY_PARAM(famfs_spoil, famfs_variants, famfs_spoil_desc);

static int famfs_spoil_init(struct kunit *test)
{
	struct famfs_spoil *spoil;

	spoil = kunit_kzalloc(test, sizeof(*spoil), GFP_KERNEL);
	if (!spoil)
		return -ENOMEM;
	prandom_seed_state(&spoil->rnd, 1);
	test->priv = spoil;
	return 0;
}

/* Has the message read, from memory of exactly its size. */
static const char *famfs_spoil_judge(struct famfs_spoil *spoil)
{
	struct famfs_parse_error fault = {};
	struct famfs_map *map;
	const char *wrong;
	size_t size = spoil->msg.size;
	void *msg = kmemdup(spoil->msg.data, size, GFP_KERNEL);

	if (!msg)
		return "no memory";
	map = famfs_map_parse(msg, size, &fault);
	kfree(msg);

	wrong = famfs_check_parse(spoil->msg.data, size, map, &fault);
	if (IS_ERR(map)) {
		spoil->refused++;
		return wrong;
	}
	spoil->accepted++;
	if (!wrong)
		wrong = famfs_check_map(spoil->msg.data, size, map,
					&spoil->rnd);
	famfs_map_free(map);
	return wrong;
}

static void famfs_spoil_report(struct kunit *test)
{
	struct famfs_spoil *spoil = test->priv;

	kunit_info(test, "%u messages, %u of them good\n",
		   spoil->accepted + spoil->refused, spoil->accepted);
	KUNIT_EXPECT_GT(test, spoil->refused, 0);
}

/* All bits of each byte, one by one and together. */
static void famfs_M1_judges_each_byte(struct kunit *test)
{
	struct famfs_spoil *spoil = test->priv;
	struct famfs_msg *msg = &spoil->msg;
	const char *wrong;
	size_t at;
	u8 good;
	int i;

	famfs_spoil_setup(msg, *(const u32 *)test->param_value);
	for (at = 0; at < msg->size; at++) {
		good = msg->data[at];
		for (i = 0; i < 10; i++) {
			msg->data[at] = i < 8 ? good ^ (1 << i) : i - 9;
			wrong = famfs_spoil_judge(spoil);
			if (wrong)
				KUNIT_FAIL_AND_ABORT(test, "byte %zu is %#x: %s",
						     at, msg->data[at], wrong);
		}
		msg->data[at] = good;
	}
	famfs_spoil_report(test);
}

/* Also with a size in the header that says the same. */
static void famfs_M1_refuses_each_other_length(struct kunit *test)
{
	struct famfs_spoil *spoil = test->priv;
	struct famfs_msg *msg = &spoil->msg;
	const char *wrong;
	size_t size, good;

	famfs_spoil_setup(msg, *(const u32 *)test->param_value);
	good = msg->size;
	for (size = 0; size < good + 64; size++) {
		msg->size = size;
		famfs_msg_header(msg)->size = 0;
		wrong = famfs_spoil_judge(spoil);
		if (wrong)
			KUNIT_FAIL(test, "%zu bytes: %s", size, wrong);
		famfs_msg_header(msg)->size = size;
		wrong = famfs_spoil_judge(spoil);
		if (wrong)
			KUNIT_FAIL(test, "%zu bytes that say so: %s", size, wrong);
	}
	/* The good length, with and without saying so. */
	KUNIT_EXPECT_EQ(test, spoil->accepted, 2);
	famfs_spoil_report(test);
}

/* A number that is large, or small, or a little off. */
static u64 famfs_spoil_number(struct rnd_state *rnd, u64 number)
{
	switch (famfs_rnd(rnd, 5)) {
	case 0:
		return famfs_rnd(rnd, 64) * PAGE_SIZE;
	case 1:
		return 1ULL << famfs_rnd(rnd, 64);
	case 2:
		return -(1ULL << famfs_rnd(rnd, 64));
	case 3:
		return number + PAGE_SIZE * (famfs_rnd(rnd, 5) - 2);
	default:
		return famfs_rnd(rnd, 0);
	}
}

static void famfs_M1_judges_random_numbers(struct kunit *test)
{
	struct famfs_spoil *spoil = test->priv;
	const struct famfs_shape *shape;
	struct famfs_msg *msg = &spoil->msg;
	const char *wrong;
	u64 *number;
	int i;

	for (i = 0; i < 128 * FAMFS_NR_SHAPES; i++) {
		shape = &famfs_shapes[i % FAMFS_NR_SHAPES];
		famfs_msg_random(msg, shape, &spoil->rnd);
		number = (u64 *)msg->data + famfs_rnd(&spoil->rnd, msg->size / 8);
		*number = famfs_spoil_number(&spoil->rnd, *number);
		wrong = famfs_spoil_judge(spoil);
		if (wrong)
			KUNIT_FAIL(test, "message %d, %s, byte %zu: %s", i,
				   shape->name, (u8 *)number - msg->data, wrong);
	}
	famfs_spoil_report(test);
}

static struct kunit_case famfs_malformed_cases[] = {
	KUNIT_CASE_PARAM(famfs_M1_judges_each_byte, famfs_spoil_gen_params),
	KUNIT_CASE_PARAM(famfs_M1_refuses_each_other_length,
			 famfs_spoil_gen_params),
	KUNIT_CASE(famfs_M1_judges_random_numbers),
	{}
};

static struct kunit_suite famfs_malformed_suite = {
	.name = "fuse_famfs_malformed",
	.init = famfs_spoil_init,
	.test_cases = famfs_malformed_cases,
};

kunit_test_suite(famfs_malformed_suite);
