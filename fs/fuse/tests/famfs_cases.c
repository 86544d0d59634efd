// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of file maps: a message for each rule about messages.
 */

#include "famfs_cases.h"

#include <linux/array_size.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/stddef.h>

/* In the messages of famfs_good_message() */
#define EXT(i)		(32 + 24 * (i))
#define EXT_END		EXT(3)
#define STRIPE0		32
#define STRIP0(i)	(STRIPE0 + 24 + 24 * (i))
#define STRIPE1		STRIP0(2)
#define STRIP1(i)	(STRIPE1 + 24 + 24 * (i))
#define STRIP_END	STRIP1(3)

/* The first length with a bit that offsets in a file do not have. */
#define TOO_LONG	((u64)S64_MAX + 1)
#define LAST_PAGE	(TOO_LONG - PAGE_SIZE)

/* Takes the name of the struct and that of its field. */
#define SET(pos, to, field...)						\
	{ (pos) + offsetof(struct field), sizeof_field(struct field), (to) }
#define HEADER(field, to)	SET(0, to, fuse_fmap_header, field)
#define EXTENT(pos, field, to)	SET(pos, to, fuse_fmap_extent, field)
#define STRIPE(pos, field, to)	SET(pos, to, fuse_fmap_stripe, field)

/*
 * Extents of 2, 3 and 1 pages.  Or two stripes, of 7 pages in chunks of 2 on
 * 2 strips, and of 2 pages in chunks of 1 on 3 strips, of which one is unused.
 */
static void famfs_good_message(struct famfs_msg *msg, u32 type)
{
	famfs_msg_init(msg, type);
	if (type == FUSE_FMAP_EXT_SIMPLE) {
		famfs_msg_extent(msg, 0, 1 * PAGE_SIZE, 2 * PAGE_SIZE);
		famfs_msg_extent(msg, 1, 8 * PAGE_SIZE, 3 * PAGE_SIZE);
		famfs_msg_extent(msg, 0, 16 * PAGE_SIZE, PAGE_SIZE);
	} else {
		famfs_msg_stripe(msg, 2, 2 * PAGE_SIZE, 7 * PAGE_SIZE);
		famfs_msg_strip(msg, 0, 0, 4 * PAGE_SIZE);
		famfs_msg_strip(msg, 1, 0, 3 * PAGE_SIZE);
		famfs_msg_stripe(msg, 3, PAGE_SIZE, 2 * PAGE_SIZE);
		famfs_msg_strip(msg, 0, 64 * PAGE_SIZE, PAGE_SIZE);
		famfs_msg_strip(msg, 1, 64 * PAGE_SIZE, PAGE_SIZE);
		famfs_msg_strip(msg, 2, 64 * PAGE_SIZE, PAGE_SIZE);
	}
}

#define WRONG_VERSION	"unknown version"
#define WRONG_FILE_TYPE	"unknown file type"
#define WRONG_EXT_TYPE	"unknown extent type"
#define WRONG_FLAG	"unknown flag"
#define RESERVED	"reserved field is not zero"
#define WRONG_SIZE	"size is not the message's length"
#define FILE_TOO_LARGE	"file size above the limit"
#define NOT_COVERED	"extents do not cover the file"
#define NO_HEADER	"shorter than a header"
#define WRONG_LENGTH	"length does not fit the extents"
#define STRIPES_END	"message ends before its stripes"
#define STRIPS_END	"message ends before its strips"
#define TRAILING	"bytes after the last strip"
#define EMPTY		"empty extent"
#define UNALIGNED	"extent is not page aligned"
#define BEYOND		"extent ends beyond any device"
#define TOO_MUCH	"maps more than a file can hold"
#define WRONG_CHUNK	"chunk size is no multiple of the page"
#define WRONG_NBYTES	"stripe maps nothing or too much"
#define ODD_NBYTES	"stripe is not page aligned"
#define NO_STRIPS	"stripe without strips"
#define SHORT_STRIP	"strip shorter than its chunks"

const struct famfs_case famfs_bad_headers[] = {
	{ "version 0", 0, { HEADER(version, 0) }, 0, 0, WRONG_VERSION },
	{ "version 2", 0, { HEADER(version, 2) }, 0, 0, WRONG_VERSION },
	{ "file type", 0, { HEADER(file_type, 3) }, 0, 0, WRONG_FILE_TYPE },
	{ "extent type", 0, { HEADER(ext_type, 2) }, 0, 0, WRONG_EXT_TYPE },
	{ "extent type beyond 8 bits", 0, { HEADER(ext_type, 256) },
	  0, 0, WRONG_EXT_TYPE },
	{ "fifth flag", 0, { HEADER(flags, 16) }, 0, 0, WRONG_FLAG },
	{ "highest flag", 1, { HEADER(flags, 128) }, 0, 0, WRONG_FLAG },
	{ "reserved", 0, { HEADER(reserved, 1) }, 0, 0, RESERVED },
	{ "reserved, high bit", 1, { HEADER(reserved, 1ULL << 63) },
	  0, 0, RESERVED },
	{ "size too small", 0, { HEADER(size, EXT_END - 1) }, 0, 0, WRONG_SIZE },
	{ "size too large", 1, { HEADER(size, STRIP_END + 8) },
	  0, 0, WRONG_SIZE },
	{ "size of the header", 0, { HEADER(size, 32) }, 0, 0, WRONG_SIZE },
	{ "no extents, but there are", 0, { HEADER(nextents, 0) },
	  0, 0, WRONG_LENGTH },
	{ "no extents of a file with bytes", 0, { HEADER(nextents, 0) },
	  -72, 0, NOT_COVERED },
	{ "no stripes, but there are", 1, { HEADER(nextents, 0) },
	  0, 32, TRAILING },
	{ "no stripes of a file with bytes", 1, { HEADER(nextents, 0) },
	  32 - STRIP_END, 0, NOT_COVERED },
	{ "file size above the limit", 0,
	  { HEADER(file_size, MAX_LFS_FILESIZE + 1ULL) },
	  0, 0, FILE_TOO_LARGE },
	{ "file size with all bits", 1, { HEADER(file_size, U64_MAX) },
	  0, 0, FILE_TOO_LARGE },
	{ "file size at the limit", 0, { HEADER(file_size, MAX_LFS_FILESIZE) },
	  0, 0, NOT_COVERED },
	{ "extents one byte short of the file", 0,
	  { HEADER(file_size, 6 * PAGE_SIZE + 1) }, 0, 0, NOT_COVERED },
	{ "stripes one byte short of the file", 1,
	  { HEADER(file_size, 9 * PAGE_SIZE + 1) }, 0, 0, NOT_COVERED },
	{}
};

const struct famfs_case famfs_bad_lengths[] = {
	{ "nothing", 0, { }, -EXT_END, 0, NO_HEADER },
	{ "one byte", 0, { }, 1 - EXT_END, 0, NO_HEADER },
	{ "header without its last byte", 0, { }, -73, 0, NO_HEADER },
	{ "header alone", 0, { }, -72, 0, WRONG_LENGTH },
	{ "header alone, with stripes", 1, { }, 32 - STRIP_END,
	  32, STRIPES_END },
	{ "one byte short", 0, { }, -1, 0, WRONG_LENGTH },
	{ "8 bytes short", 0, { }, -8, 0, WRONG_LENGTH },
	{ "an extent short", 0, { }, -24, 0, WRONG_LENGTH },
	{ "one byte more", 0, { }, 1, 0, WRONG_LENGTH },
	{ "8 bytes more", 0, { }, 8, 0, WRONG_LENGTH },
	{ "an extent more", 0, { }, 24, 0, WRONG_LENGTH },
	{ "an extent more than counted", 0, { HEADER(nextents, 2) },
	  0, 0, WRONG_LENGTH },
	{ "as many extents as can be counted", 0, { HEADER(nextents, U32_MAX) },
	  0, 0, WRONG_LENGTH },
	/* The product with 24 is that of 3 in 32 bits. */
	{ "count that overflows", 0, { HEADER(nextents, (1U << 29) + 3) },
	  0, 0, WRONG_LENGTH },
	{ "strip without its last byte", 1, { }, -1, STRIPE1, STRIPS_END },
	{ "strips 8 bytes short", 1, { }, -8, STRIPE1, STRIPS_END },
	{ "strip missing", 1, { }, -24, STRIPE1, STRIPS_END },
	{ "strips missing", 1, { }, -72, STRIPE1, STRIPS_END },
	{ "stripe without its last byte", 1, { }, -73, STRIPE1, STRIPES_END },
	{ "stripe missing", 1, { }, -96, STRIPE1, STRIPES_END },
	{ "one byte after the strips", 1, { }, 1, STRIP_END, TRAILING },
	{ "8 bytes after the strips", 1, { }, 8, STRIP_END, TRAILING },
	{ "a stripe more than counted", 1, { HEADER(nextents, 1) },
	  0, STRIPE1, TRAILING },
	{ "a stripe less than counted", 1, { HEADER(nextents, 3) },
	  0, STRIP_END, STRIPES_END },
	{ "as many stripes as can be counted", 1, { HEADER(nextents, U32_MAX) },
	  0, STRIP_END, STRIPES_END },
	{ "as many strips as can be counted", 1,
	  { STRIPE(STRIPE1, nstrips, U32_MAX) }, 0, STRIPE1, STRIPS_END },
	/* The product with 24 is that of 3 in 32 bits. */
	{ "strips that overflow", 1,
	  { STRIPE(STRIPE1, nstrips, (1U << 29) + 3) },
	  0, STRIPE1, STRIPS_END },
	{ "stripe without strips", 1, { STRIPE(STRIPE0, nstrips, 0) },
	  0, STRIPE0, NO_STRIPS },
	{ "last stripe without strips", 1, { STRIPE(STRIPE1, nstrips, 0) },
	  -72, STRIPE1, NO_STRIPS },
	{}
};

const struct famfs_case famfs_bad_extents[] = {
	{ "reserved", 0, { EXTENT(EXT(0), reserved, 1) }, 0, EXT(0), RESERVED },
	{ "reserved in the last", 0, { EXTENT(EXT(2), reserved, 1U << 31) },
	  0, EXT(2), RESERVED },
	{ "no length", 0, { EXTENT(EXT(0), len, 0) }, 0, EXT(0), EMPTY },
	{ "no length, last", 0, { EXTENT(EXT(2), len, 0) }, 0, EXT(2), EMPTY },
	{ "length of a byte", 0, { EXTENT(EXT(2), len, 1) },
	  0, EXT(2), UNALIGNED },
	{ "length of half a page more", 0,
	  { EXTENT(EXT(1), len, 7 * PAGE_SIZE / 2) }, 0, EXT(1), UNALIGNED },
	{ "offset of a byte", 0, { EXTENT(EXT(0), offset, 1) },
	  0, EXT(0), UNALIGNED },
	{ "offset of half a page more", 0,
	  { EXTENT(EXT(2), offset, PAGE_SIZE / 2) }, 0, EXT(2), UNALIGNED },
	{ "end wraps around", 0, { EXTENT(EXT(1), offset, -2 * (u64)PAGE_SIZE) },
	  0, EXT(1), BEYOND },
	{ "end at zero", 0, { EXTENT(EXT(2), offset, -(u64)PAGE_SIZE) },
	  0, EXT(2), BEYOND },
	{ "offset too large", 0, { EXTENT(EXT(1), offset, TOO_LONG) },
	  0, EXT(1), BEYOND },
	{ "end a page too large", 0, { EXTENT(EXT(2), offset, LAST_PAGE) },
	  0, EXT(2), BEYOND },
	{ "length too large", 0, { EXTENT(EXT(1), len, TOO_LONG) },
	  0, EXT(1), BEYOND },
	{ "lengths together too large", 0,
	  { EXTENT(EXT(0), len, 1ULL << 62), EXTENT(EXT(1), len, 1ULL << 62) },
	  0, EXT(1), TOO_MUCH },
	{ "lengths together a page too large", 0,
	  { EXTENT(EXT(1), offset, 0),
	    EXTENT(EXT(1), len, LAST_PAGE - 2 * PAGE_SIZE) },
	  0, EXT(2), TOO_MUCH },
	{}
};

const struct famfs_case famfs_bad_stripes[] = {
	{ "reserved", 1, { STRIPE(STRIPE0, reserved, 1) }, 0, STRIPE0, RESERVED },
	{ "reserved, high bit", 1, { STRIPE(STRIPE1, reserved, 1ULL << 63) },
	  0, STRIPE1, RESERVED },
	{ "no chunk size", 1, { STRIPE(STRIPE0, chunk_size, 0) },
	  0, STRIPE0, WRONG_CHUNK },
	{ "half a page a chunk", 1,
	  { STRIPE(STRIPE1, chunk_size, PAGE_SIZE / 2) },
	  0, STRIPE1, WRONG_CHUNK },
	{ "a page and a byte a chunk", 1,
	  { STRIPE(STRIPE1, chunk_size, PAGE_SIZE + 1) },
	  0, STRIPE1, WRONG_CHUNK },
	{ "largest chunk size", 1, { STRIPE(STRIPE0, chunk_size, U32_MAX) },
	  0, STRIPE0, WRONG_CHUNK },
	{ "no bytes", 1, { STRIPE(STRIPE0, nbytes, 0) },
	  0, STRIPE0, WRONG_NBYTES },
	{ "no bytes in the last", 1, { STRIPE(STRIPE1, nbytes, 0) },
	  0, STRIPE1, WRONG_NBYTES },
	{ "too many bytes", 1, { STRIPE(STRIPE0, nbytes, TOO_LONG) },
	  0, STRIPE0, WRONG_NBYTES },
	{ "bytes with all bits", 1, { STRIPE(STRIPE1, nbytes, U64_MAX) },
	  0, STRIPE1, WRONG_NBYTES },
	{ "bytes in part of a page", 1,
	  { STRIPE(STRIPE0, nbytes, 7 * PAGE_SIZE - 1) },
	  0, STRIPE0, ODD_NBYTES },
	{ "bytes too many when rounded up", 1,
	  { STRIPE(STRIPE1, nbytes, TOO_LONG - 1) }, 0, STRIPE1, TOO_MUCH },
	{ "bytes together too many", 1,
	  { STRIPE(STRIPE1, nbytes, TOO_LONG - 7 * PAGE_SIZE) },
	  0, STRIPE1, TOO_MUCH },
	{ "reserved in a strip", 1, { EXTENT(STRIP0(1), reserved, 1) },
	  0, STRIP0(1), RESERVED },
	{ "strip without length", 1, { EXTENT(STRIP1(0), len, 0) },
	  0, STRIP1(0), EMPTY },
	{ "unused strip without length", 1, { EXTENT(STRIP1(2), len, 0) },
	  0, STRIP1(2), EMPTY },
	{ "strip length in part of a page", 1,
	  { EXTENT(STRIP0(0), len, 4 * PAGE_SIZE + 8) },
	  0, STRIP0(0), UNALIGNED },
	{ "strip offset in part of a page", 1,
	  { EXTENT(STRIP1(1), offset, 8) }, 0, STRIP1(1), UNALIGNED },
	{ "strip end too large", 1, { EXTENT(STRIP1(1), offset, LAST_PAGE) },
	  0, STRIP1(1), BEYOND },
	{ "strip a page short of whole chunks", 1,
	  { EXTENT(STRIP0(0), len, 3 * PAGE_SIZE) },
	  0, STRIP0(0), SHORT_STRIP },
	{ "strip a page short of a partial chunk", 1,
	  { EXTENT(STRIP0(1), len, 2 * PAGE_SIZE) },
	  0, STRIP0(1), SHORT_STRIP },
	{ "strips a page short of one byte", 1,
	  { STRIPE(STRIPE1, nbytes, 3 * PAGE_SIZE + 1) },
	  0, STRIP1(0), SHORT_STRIP },
	{}
};

/* The largest and the smallest of everything */
const struct famfs_case famfs_good_cases[] = {
	{ "extents", 0 },
	{ "stripes", 1 },
	{ "size given, extents", 0, { HEADER(size, EXT_END) } },
	{ "size given, stripes", 1, { HEADER(size, STRIP_END) } },
	{ "file of type superblock", 0, { HEADER(file_type, 1) } },
	{ "file of type log", 1, { HEADER(file_type, 2) } },
	{ "empty file", 0, { HEADER(file_size, 0) } },
	{ "empty file, no extents", 0,
	  { HEADER(file_size, 0), HEADER(nextents, 0) }, 32 - EXT_END },
	{ "empty file, no stripes", 1,
	  { HEADER(file_size, 0), HEADER(nextents, 0) }, 32 - STRIP_END },
	{ "file that ends in the first extent", 0, { HEADER(file_size, 1) } },
	{ "file that ends in a page", 1, { HEADER(file_size, 8 * PAGE_SIZE + 1) } },
	{ "device with all bits", 0, { EXTENT(EXT(2), devindex, U32_MAX) } },
	{ "device with all bits, unused strip", 1,
	  { EXTENT(STRIP1(2), devindex, U32_MAX) } },
	{ "backing ids, extents", 0, { HEADER(flags, 2) } },
	{ "backing ids of a file that grows", 1, { HEADER(flags, 3) } },
	{ "lines to be dropped", 0, { HEADER(flags, 4) } },
	{ "pins that last", 0, { HEADER(flags, 8) } },
	{ "pins that last, and growth", 1, { HEADER(flags, 9) } },
	{ "all flags", 1, { HEADER(flags, 15) } },
	{ "last page that there can be", 0,
	  { EXTENT(EXT(2), offset, LAST_PAGE - PAGE_SIZE) } },
	{ "all that a file can hold", 0,
	  { EXTENT(EXT(1), offset, 0),
	    EXTENT(EXT(1), len, LAST_PAGE - 3 * PAGE_SIZE) } },
	{ "same extent twice", 0,
	  { EXTENT(EXT(2), offset, PAGE_SIZE), EXTENT(EXT(1), devindex, 0) } },
	{ "last stripe ends in a page", 1,
	  { STRIPE(STRIPE1, nbytes, PAGE_SIZE + 1) } },
	{ "last stripe of one byte", 1,
	  { STRIPE(STRIPE1, nbytes, 1), HEADER(file_size, 7 * PAGE_SIZE + 1) } },
	{ "largest chunk", 1,
	  { STRIPE(STRIPE1, chunk_size, (u32)-PAGE_SIZE),
	    EXTENT(STRIP1(0), len, 2 * PAGE_SIZE) } },
	{ "strip longer than needed", 1,
	  { EXTENT(STRIP0(1), len, LAST_PAGE) } },
	{}
};

/**
 * famfs_case_message() - make the message of a case
 * @c: the case
 * @msg: the message
 */
void famfs_case_message(const struct famfs_case *c, struct famfs_msg *msg)
{
	const struct famfs_edit *edit;
	void *field;
	int i;

	famfs_good_message(msg, c->type);
	for (i = 0; i < ARRAY_SIZE(c->edits); i++) {
		edit = &c->edits[i];
		field = msg->data + edit->at;
		switch (edit->width) {
		case 1:
			*(u8 *)field = edit->to;
			break;
		case 2:
			*(u16 *)field = edit->to;
			break;
		case 4:
			*(u32 *)field = edit->to;
			break;
		case 8:
			*(u64 *)field = edit->to;
			break;
		}
	}
	msg->size += c->resize;
}
