// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * Composing maps of files: what is accepted has the shape that the kernel's
 * header describes, and what the kernel would refuse is refused here.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 18)

#include "fuse_i.h"
#include "fuse_kernel.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECK(cond) \
	do { \
		if (!(cond)) \
			errx(1, "%s:%d: check failed: %s", __func__, \
			     __LINE__, #cond); \
	} while (0)

static uint64_t page;

static struct fuse_fmap *create(uint64_t size)
{
	struct fuse_fmap *fmap = fuse_fmap_create(size, 0);

	CHECK(fmap != NULL);
	return fmap;
}

/* The message, which must be good */
static const struct fuse_fmap_header *message(const struct fuse_fmap *fmap,
					      size_t *size)
{
	const void *msg;

	CHECK(fuse_fmap_message(fmap, &msg, size) == 0);
	return msg;
}

static void test_extents(void)
{
	struct fuse_fmap *fmap = create(3 * page + 1);
	const struct fuse_fmap_header *hdr;
	const struct fuse_fmap_extent *ext;
	size_t size;

	CHECK(fuse_fmap_add_extent(fmap, 0, 7 * page, 3 * page) == 0);
	CHECK(fuse_fmap_add_extent(fmap, UINT32_MAX, 0, page) == 0);
	hdr = message(fmap, &size);
	ext = (const void *)(hdr + 1);

	CHECK(size == sizeof(*hdr) + 2 * sizeof(*ext));
	CHECK(hdr->file_type == FUSE_FMAP_FILE_REG && hdr->flags == 0);
	CHECK(hdr->version == FUSE_FMAP_VERSION);
	CHECK(hdr->ext_type == FUSE_FMAP_EXT_SIMPLE && hdr->nextents == 2);
	CHECK(hdr->size == size && hdr->file_size == 3 * page + 1);
	CHECK(hdr->reserved == 0);
	CHECK(ext[0].devindex == 0 && ext[0].reserved == 0);
	CHECK(ext[0].offset == 7 * page && ext[0].len == 3 * page);
	CHECK(ext[1].devindex == UINT32_MAX);
	CHECK(ext[1].offset == 0 && ext[1].len == page);
	fuse_fmap_destroy(fmap);
}

static void test_stripes(void)
{
	/* Five chunks and a bit over three strips: 2, 2 and 1 chunks and a page */
	const struct fuse_dax_range strips[] = {
		{ .devindex = 1, .offset = 0, .len = 4 * page },
		{ .devindex = 2, .offset = page, .len = 4 * page },
		{ .devindex = 3, .offset = 0, .len = 3 * page },
	};
	uint64_t nbytes = 10 * page + 5;
	struct fuse_fmap *fmap = create(12 * page);
	const struct fuse_fmap_header *hdr;
	const struct fuse_fmap_stripe *stripe;
	const struct fuse_fmap_extent *ext;
	size_t size;

	CHECK(fuse_fmap_add_stripe(fmap, 6 * page, 2 * page, strips, 3) == 0);
	CHECK(fuse_fmap_add_stripe(fmap, nbytes, 2 * page, strips, 3) == 0);
	hdr = message(fmap, &size);
	CHECK(hdr->ext_type == FUSE_FMAP_EXT_STRIPED && hdr->nextents == 2);
	CHECK(size == sizeof(*hdr) + 2 * (sizeof(*stripe) + 3 * sizeof(*ext)));
	CHECK(hdr->size == size);

	stripe = (const void *)(hdr + 1);
	ext = (const void *)(stripe + 1);
	CHECK(stripe->nstrips == 3 && stripe->chunk_size == 2 * page);
	CHECK(stripe->nbytes == 6 * page && stripe->reserved == 0);
	CHECK(ext[1].devindex == 2 && ext[1].offset == page);
	stripe = (const void *)(ext + 3);
	ext = (const void *)(stripe + 1);
	CHECK(stripe->nbytes == nbytes && ext[2].len == 3 * page);

	/* Behind a stripe that ends inside a page comes nothing */
	CHECK(fuse_fmap_add_stripe(fmap, page, page, strips, 1) == -EINVAL);
	fuse_fmap_destroy(fmap);
}

/* Ranges that the kernel would refuse */
static void test_bad_ranges(void)
{
	const struct {
		uint32_t devindex;
		uint64_t offset, len;
		int err;
	} cases[] = {
		{ 0, 0, 0, -EINVAL },
		{ 0, 1, page, -EINVAL },
		{ 0, 0, page + 1, -EINVAL },
		{ 0, page / 2, page / 2, -EINVAL },
		{ 0, UINT64_MAX - page + 1, page, -EOVERFLOW },
		{ 0, INT64_MAX - page + 1, page, -EOVERFLOW },
		{ 0, 0, INT64_MAX - page + 1, -EOVERFLOW },
	};
	size_t i, size;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fuse_fmap *fmap = create(2 * page);
		struct fuse_dax_range range = {
			.devindex = cases[i].devindex,
			.offset = cases[i].offset,
			.len = cases[i].len,
		};
		const void *msg;

		/* A page first, so that the whole may overflow, not the part */
		CHECK(fuse_fmap_add_extent(fmap, 0, 0, page) == 0);
		CHECK(fuse_fmap_add_extent(fmap, cases[i].devindex,
					   cases[i].offset, cases[i].len) ==
		      cases[i].err);
		/* It sticks */
		CHECK(fuse_fmap_add_extent(fmap, 0, 0, page) == cases[i].err);
		CHECK(fuse_fmap_message(fmap, &msg, &size) == cases[i].err);
		fuse_fmap_destroy(fmap);

		fmap = create(page);
		CHECK(fuse_fmap_add_stripe(fmap, page, page, &range, 1) < 0 ||
		      !cases[i].err || cases[i].len > INT64_MAX / 2);
		fuse_fmap_destroy(fmap);
	}
}

static void expect_stripe(uint64_t nbytes, uint64_t chunk_size,
			  uint32_t nstrips, uint64_t last_len, int err)
{
	struct fuse_dax_range strips[4] = { 0 };
	struct fuse_fmap *fmap = create(page);
	uint32_t i;

	for (i = 0; i < 4; i++) {
		strips[i].devindex = i;
		strips[i].len = 4 * page;
	}
	if (nstrips)
		strips[nstrips - 1].len = last_len;
	CHECK(fuse_fmap_add_stripe(fmap, nbytes, chunk_size, strips,
				   nstrips) == err);
	fuse_fmap_destroy(fmap);
}

static void test_bad_stripes(void)
{
	expect_stripe(page, page, 0, page, -EINVAL);
	expect_stripe(0, page, 1, page, -EINVAL);
	expect_stripe(page, 0, 1, page, -EINVAL);
	expect_stripe(page, page / 2, 1, page, -EINVAL);
	expect_stripe(UINT64_MAX, page, 1, page, -EOVERFLOW);
	expect_stripe(INT64_MAX, page, 1, page, -EOVERFLOW);

	/* The last strip: just long enough, and a page too short */
	expect_stripe(16 * page, 2 * page, 4, 4 * page, 0);
	expect_stripe(16 * page, 2 * page, 4, 3 * page, -EINVAL);
	expect_stripe(15 * page, 2 * page, 4, 3 * page, 0);
	expect_stripe(14 * page + 1, 2 * page, 4, 2 * page, -EINVAL);
	expect_stripe(14 * page, 2 * page, 4, 2 * page, 0);
	/* A strip on which no chunk lands needs bytes all the same */
	expect_stripe(2 * page, 2 * page, 2, page, 0);
	expect_stripe(2 * page, 2 * page, 2, 0, -EINVAL);
}

static void test_bad_maps(void)
{
	const struct fuse_dax_range range = { .len = page };
	struct fuse_fmap *fmap;
	const void *msg;
	size_t size;

	/* Without extents, then with too few, then with enough */
	fmap = create(page + 1);
	CHECK(fuse_fmap_message(fmap, &msg, &size) == -EINVAL);
	CHECK(fuse_fmap_add_extent(fmap, 0, 0, page) == 0);
	CHECK(fuse_fmap_message(fmap, &msg, &size) == -EINVAL);
	CHECK(fuse_fmap_add_extent(fmap, 0, page, page) == 0);
	CHECK(fuse_fmap_message(fmap, &msg, &size) == 0);
	CHECK(fuse_fmap_add_stripe(fmap, page, page, &range, 1) == -EINVAL);
	fuse_fmap_destroy(fmap);

	fmap = create((uint64_t)INT64_MAX + 1);
	CHECK(fuse_fmap_message(fmap, &msg, &size) == -EOVERFLOW);
	fuse_fmap_destroy(fmap);

	fmap = fuse_fmap_create(0, FUSE_LL_FMAP_LONGTERM_PIN << 1);
	CHECK(fmap && fuse_fmap_message(fmap, &msg, &size) == -EINVAL);
	fuse_fmap_destroy(fmap);

	fuse_fmap_destroy(NULL);
}

/* Room for what may come, as the kernel's structures have it */
static void test_reserved(void)
{
	const struct fuse_dax_range range = { .len = page, .reserved = 1 };
	struct fuse_fmap *fmap = create(page);

	CHECK(fuse_fmap_add_stripe(fmap, page, page, &range, 1) == -EINVAL);
	fuse_fmap_destroy(fmap);
}

/* A map that is kept while its file grows and shrinks */
static void test_set_size(void)
{
	struct fuse_fmap *fmap = fuse_fmap_create(0, FUSE_LL_FMAP_GROW);
	size_t size;

	CHECK(fuse_fmap_check(fmap) == 0);
	CHECK(fuse_fmap_add_extent(fmap, 0, 0, page) == 0);
	CHECK(fuse_fmap_set_size(fmap, page) == 0);
	CHECK(message(fmap, &size)->file_size == page);
	/* A mistake in the order, which is none once the extent is there */
	CHECK(fuse_fmap_set_size(fmap, page + 1) == 0);
	CHECK(fuse_fmap_check(fmap) == -EINVAL);
	CHECK(fuse_fmap_add_extent(fmap, 0, page, page) == 0);
	CHECK(message(fmap, &size)->file_size == page + 1);
	CHECK(fuse_fmap_set_size(fmap, UINT64_MAX) == -EOVERFLOW);
	CHECK(fuse_fmap_set_size(fmap, 0) == -EOVERFLOW);
	CHECK(fuse_fmap_check(fmap) == -EOVERFLOW);
	fuse_fmap_destroy(fmap);
}

/* Nothing is left of what was, but the flags */
static void test_reset(void)
{
	struct fuse_fmap *fmap = fuse_fmap_create(3, FUSE_LL_FMAP_GROW);
	const struct fuse_dax_range range = { .len = page };
	const struct fuse_fmap_extent *ext;
	size_t size;

	CHECK(fuse_fmap_add_stripe(fmap, 3, page, &range, 1) == 0);
	CHECK(fuse_fmap_add_extent(fmap, 0, 0, page) == -EINVAL);
	fuse_fmap_reset(fmap, 2 * page);
	CHECK(fuse_fmap_check(fmap) == -EINVAL);
	CHECK(fuse_fmap_add_extent(fmap, 1, page, 2 * page) == 0);
	CHECK(message(fmap, &size)->flags == FUSE_FMAP_GROW);
	CHECK(message(fmap, &size)->nextents == 1);
	CHECK(message(fmap, &size)->file_size == 2 * page);
	CHECK(size == sizeof(struct fuse_fmap_header) + sizeof(*ext));
	ext = (const void *)(message(fmap, &size) + 1);
	CHECK(ext->devindex == 1 && ext->reserved == 0);
	fuse_fmap_reset(fmap, UINT64_MAX);
	CHECK(fuse_fmap_check(fmap) == -EOVERFLOW);
	fuse_fmap_destroy(fmap);

	/* What is wrong with the flags is so still */
	fmap = fuse_fmap_create(0, ~0U);
	fuse_fmap_reset(fmap, 0);
	CHECK(fuse_fmap_check(fmap) == -EINVAL);
	fuse_fmap_destroy(fmap);
}

/* A file that may grow has room before it has bytes */
static void test_flags(void)
{
	const struct {
		unsigned int flags;
		uint8_t sent;
	} cases[] = {
		{ FUSE_LL_FMAP_GROW, FUSE_FMAP_GROW },
		{ FUSE_LL_FMAP_BACKING_IDS, FUSE_FMAP_BACKING_IDS },
		{ FUSE_LL_FMAP_GROW | FUSE_LL_FMAP_BACKING_IDS,
		  FUSE_FMAP_GROW | FUSE_FMAP_BACKING_IDS },
		{ FUSE_LL_FMAP_DROP, FUSE_FMAP_DROP },
		{ FUSE_LL_FMAP_LONGTERM_PIN, FUSE_FMAP_LONGTERM_PIN },
	};
	size_t i, size;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fuse_fmap *fmap = fuse_fmap_create(0, cases[i].flags);

		CHECK(fmap && fuse_fmap_add_extent(fmap, 1, 0, page) == 0);
		CHECK(message(fmap, &size)->flags == cases[i].sent);
		fuse_fmap_destroy(fmap);
	}
}

/* The message stays whole while its memory moves */
static void test_many(void)
{
	const uint32_t n = 200000;
	struct fuse_fmap *fmap = create(n * page);
	const struct fuse_fmap_header *hdr;
	const struct fuse_fmap_extent *ext;
	size_t size;
	uint32_t i;

	for (i = 0; i < n; i++)
		CHECK(fuse_fmap_add_extent(fmap, i % 3, i * page, page) == 0);
	hdr = message(fmap, &size);
	CHECK(hdr->nextents == n && hdr->file_size == n * page);
	CHECK(hdr->size == size && size == sizeof(*hdr) + n * sizeof(*ext));
	ext = (const void *)(hdr + 1);
	for (i = 0; i < n; i++)
		CHECK(ext[i].devindex == i % 3 && ext[i].offset == i * page &&
		      ext[i].len == page && ext[i].reserved == 0);
	fuse_fmap_destroy(fmap);
}

int main(void)
{
	page = sysconf(_SC_PAGESIZE);
	test_extents();
	test_stripes();
	test_bad_ranges();
	test_bad_stripes();
	test_bad_maps();
	test_reserved();
	test_set_size();
	test_reset();
	test_flags();
	test_many();
	return 0;
}
