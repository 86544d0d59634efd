/* SPDX-License-Identifier: LGPL-2.0 */
/*
 * FUSE: Filesystem in Userspace
 *
 * The names that famfs uses for what other filesystems know as struct
 * fuse_fmap_header and its kin. A new filesystem needs none of them: it
 * composes maps with fuse_fmap_create().
 *
 * No other header includes this one. famfs is built with
 *
 *     -include fuse_famfs.h
 *
 * so that it comes before the first line of a source, which may define
 * _GNU_SOURCE: nothing may be included here.
 *
 * This program can be distributed under the terms of the GNU LGPLv2.
 * See the file LGPL2.txt
 */

#ifndef FUSE_FAMFS_H_
#define FUSE_FAMFS_H_

/* FUSE_FMAP_VERSION */
#define FAMFS_FMAP_VERSION 1

/* FUSE_FMAP_FILE_* */
enum {
	FUSE_FAMFS_FILE_REG,
	FUSE_FAMFS_FILE_SUPERBLOCK,
	FUSE_FAMFS_FILE_LOG,
};

/* FUSE_FMAP_EXT_* */
enum {
	FUSE_FAMFS_EXT_SIMPLE,
	FUSE_FAMFS_EXT_INTERLEAVE,
};

/* struct fuse_fmap_header */
struct fuse_famfs_fmap_header {
	__UINT8_TYPE__ file_type;
	__UINT8_TYPE__ reserved;
	__UINT16_TYPE__ fmap_version;
	__UINT32_TYPE__ ext_type;
	__UINT32_TYPE__ nextents;
	__UINT32_TYPE__ reserved0;
	__UINT64_TYPE__ file_size;
	__UINT64_TYPE__ reserved1;
};

/* struct fuse_fmap_extent */
struct fuse_famfs_simple_ext {
	__UINT32_TYPE__ se_devindex;
	__UINT32_TYPE__ reserved;
	__UINT64_TYPE__ se_offset;
	__UINT64_TYPE__ se_len;
};

/* struct fuse_fmap_stripe */
struct fuse_famfs_iext {
	__UINT32_TYPE__ ie_nstrips;
	__UINT32_TYPE__ ie_chunk_size;
	__UINT64_TYPE__ ie_nbytes;
	__UINT64_TYPE__ reserved;
};

#endif /* FUSE_FAMFS_H_ */
