// SPDX-License-Identifier: GPL-2.0
/*
 * Good map messages, and all that can be wrong with them.
 */
#include <errno.h>
#include <stdlib.h>

#include "tfs_env.h"
#include "tfs_bad_fmaps.h"

#define PAGE		4096UL
#define HDR(f)		offsetof(struct fuse_fmap_header, f)
#define HDR_LEN		sizeof(struct fuse_fmap_header)
#define EXT_LEN		sizeof(struct fuse_fmap_extent)
#define STRIPE_LEN	sizeof(struct fuse_fmap_stripe)

/* Fields of the first and the second extent of a simple map, ... */
#define EXT(f)		(HDR_LEN + offsetof(struct fuse_fmap_extent, f))
#define EXT2(f)		(EXT(f) + EXT_LEN)
/* ... of the first stripe, and of its first two strips. */
#define STRIPE(f)	(HDR_LEN + offsetof(struct fuse_fmap_stripe, f))
#define STRIP(f)	(EXT(f) + STRIPE_LEN)
#define STRIP2(f)	(STRIP(f) + EXT_LEN)

/* The good one: two extents of 16 pages each. */
const struct tfs_fault tfs_simple_faults[] = {
	{ "file type", HDR(file_type), 1, 3, EINVAL },
	{ "flags", HDR(flags), 1, 16, EINVAL },
	{ "version 0", HDR(version), 2, 0, EINVAL },
	{ "version 2", HDR(version), 2, 2, EINVAL },
	{ "extent type", HDR(ext_type), 4, 2, EINVAL },
	{ "simple read as striped", HDR(ext_type), 4, 1, EINVAL },
	{ "no extents", HDR(nextents), 4, 0, EINVAL },
	{ "one extent too few", HDR(nextents), 4, 1, EINVAL },
	{ "one extent too many", HDR(nextents), 4, 3, EINVAL },
	{ "too many extents", HDR(nextents), 4, ~0U, EINVAL },
	{ "extents that wrap", HDR(nextents), 4, 0x0aaaaaad, EINVAL },
	{ "size too small", HDR(size), 4, 79, EINVAL },
	{ "size too large", HDR(size), 4, 81, EINVAL },
	{ "size of a header", HDR(size), 4, 32, EINVAL },
	{ "header reserved", HDR(reserved), 8, 1ULL << 63, EINVAL },
	{ "file larger than map", HDR(file_size), 8, 32 * PAGE + 1, EINVAL },
	{ "file size negative", HDR(file_size), 8, 1ULL << 63, EINVAL },
	{ "file size maximal", HDR(file_size), 8, ~0ULL, EINVAL },
	{ "extent reserved", EXT(reserved), 4, 1, EINVAL },
	{ "second reserved", EXT2(reserved), 4, 1, EINVAL },
	{ "offset in a page", EXT(offset), 8, 512, EINVAL },
	{ "offset odd", EXT2(offset), 8, 1, EINVAL },
	{ "no length", EXT(len), 8, 0, EINVAL },
	{ "length odd", EXT(len), 8, 16 * PAGE + 1, EINVAL },
	{ "length in a page", EXT2(len), 8, 16 * PAGE + 512, EINVAL },
	{ "length short", EXT2(len), 8, 15 * PAGE, EINVAL },
	{ "extent wraps", EXT(offset), 8, -PAGE, EINVAL },
	{ "length wraps", EXT(len), 8, -PAGE, EINVAL },
	{ "length negative", EXT2(len), 8, 1ULL << 63, EINVAL },
	{ "offset beyond device", EXT(offset), 8, 1ULL << 50, ERANGE },
	{ "length beyond device", EXT2(len), 8, 1ULL << 50, ERANGE },
	{ "same pages twice", EXT2(offset), 8, 0, EEXIST },
	{ "last page twice", EXT2(offset), 8, 15 * PAGE, EEXIST },
	{ NULL },
};

/* The good one: three strips, chunks of two pages, 32 pages in all. */
const struct tfs_fault tfs_striped_faults[] = {
	{ "striped read as simple", HDR(ext_type), 4, 0, EINVAL },
	{ "no strips", STRIPE(nstrips), 4, 0, EINVAL },
	{ "one strip too few", STRIPE(nstrips), 4, 2, EINVAL },
	{ "one strip too many", STRIPE(nstrips), 4, 4, EINVAL },
	{ "strips that wrap", STRIPE(nstrips), 4, 0x0aaaaaae, EINVAL },
	{ "too many strips", STRIPE(nstrips), 4, ~0U, EINVAL },
	{ "no chunk size", STRIPE(chunk_size), 4, 0, EINVAL },
	{ "chunk in a page", STRIPE(chunk_size), 4, 2048, EINVAL },
	{ "chunk odd", STRIPE(chunk_size), 4, 2 * PAGE + 1, EINVAL },
	{ "chunk too large", STRIPE(chunk_size), 4, 32 * PAGE, EINVAL },
	{ "stripe empty", STRIPE(nbytes), 8, 0, EINVAL },
	{ "stripe short", STRIPE(nbytes), 8, 31 * PAGE, EINVAL },
	{ "stripe too long", STRIPE(nbytes), 8, 48 * PAGE, EINVAL },
	{ "stripe wraps", STRIPE(nbytes), 8, -PAGE, EINVAL },
	{ "stripe reserved", STRIPE(reserved), 8, 1, EINVAL },
	{ "strip reserved", STRIP(reserved), 4, 1, EINVAL },
	{ "strip offset odd", STRIP(offset), 8, 3, EINVAL },
	{ "strip without length", STRIP2(len), 8, 0, EINVAL },
	{ "strip length odd", STRIP2(len), 8, 12 * PAGE + 1, EINVAL },
	{ "strip a page short", STRIP(len), 8, 11 * PAGE, EINVAL },
	{ "strip wraps", STRIP(offset), 8, -PAGE, EINVAL },
	{ "strip beyond device", STRIP(offset), 8, 1ULL << 50, ERANGE },
	{ "strip used twice", STRIP2(offset), 8, 0, EEXIST },
	{ "strips overlap in a page", STRIP2(offset), 8, 11 * PAGE, EEXIST },
	{ NULL },
};

void tfs_good_simple(struct tfs_msg *m)
{
	tfs_msg_init(m, 32 * PAGE - 5, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(m, 0, 0, 16 * PAGE);
	tfs_msg_extent(m, 0, PMD, 16 * PAGE);
}

void tfs_good_striped(struct tfs_msg *m)
{
	tfs_msg_init(m, 32 * PAGE - 5, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_stripe(m, 32 * PAGE, 2 * PAGE, 3);
	tfs_msg_strip(m, 0, 0, 12 * PAGE);
	tfs_msg_strip(m, 0, PMD, 12 * PAGE);
	tfs_msg_strip(m, 0, 2 * PMD, 12 * PAGE);
}

void tfs_spoil(struct tfs_msg *m, const struct tfs_fault *f)
{
	/* Little endian or not, a narrow field takes its own bytes. */
	switch (f->bytes) {
	case 1:
		m->buf[f->at] = f->value;
		return;
	case 2:
		*(__u16 *)(m->buf + f->at) = f->value;
		return;
	case 4:
		*(__u32 *)(m->buf + f->at) = f->value;
		return;
	case 8:
		*(__u64 *)(m->buf + f->at) = f->value;
		return;
	}
	abort();
}
