/* SPDX-License-Identifier: LGPL-2.0 */
/*
 * FUSE: Filesystem in Userspace
 *
 * The names that famfs uses for what other filesystems know as struct
 * fuse_fmap_header and its kin. A new filesystem needs none of them: it
 * composes maps with fuse_fmap_create().
 *
 * This program can be distributed under the terms of the GNU LGPLv2.
 * See the file LGPL2.txt
 */

#ifndef FUSE_FAMFS_H_
#define FUSE_FAMFS_H_

#include <stdint.h>

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
	uint8_t file_type;
	uint8_t reserved;
	uint16_t fmap_version;
	uint32_t ext_type;
	uint32_t nextents;
	uint32_t reserved0;
	uint64_t file_size;
	uint64_t reserved1;
};

/* struct fuse_fmap_extent */
struct fuse_famfs_simple_ext {
	uint32_t se_devindex;
	uint32_t reserved;
	uint64_t se_offset;
	uint64_t se_len;
};

/* struct fuse_fmap_stripe */
struct fuse_famfs_iext {
	uint32_t ie_nstrips;
	uint32_t ie_chunk_size;
	uint64_t ie_nbytes;
	uint64_t reserved;
};

#endif /* FUSE_FAMFS_H_ */
