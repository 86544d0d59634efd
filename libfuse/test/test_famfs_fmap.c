// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * The part of a famfs server that packs maps: it includes no more than such a
 * file includes, and defines _GNU_SOURCE itself, where it finds no names of maps
 * but those of -include fuse_famfs.h. A header that was read by then and
 * included the C library's would leave asprintf() undeclared.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#define _GNU_SOURCE

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuse_kernel.h"

#include "test_famfs.h"

#ifdef FUSE_LOWLEVEL_H_
#error "this file is to be compiled without fuse_lowlevel.h"
#endif

size_t famfs_pack_simple(void *buf)
{
	struct fuse_famfs_fmap_header *hdr = buf;
	struct fuse_famfs_simple_ext *se = (void *)(hdr + 1);

	memset(buf, 0, sizeof(*hdr) + sizeof(*se));
	hdr->file_type = FUSE_FAMFS_FILE_REG;
	hdr->fmap_version = FAMFS_FMAP_VERSION;
	hdr->ext_type = FUSE_FAMFS_EXT_SIMPLE;
	hdr->nextents = 1;
	hdr->file_size = 0x200000;
	se->se_devindex = 0;
	se->se_offset = 0x400000;
	se->se_len = 0x200000;
	return sizeof(*hdr) + sizeof(*se);
}

size_t famfs_pack_interleaved(void *buf)
{
	struct fuse_famfs_fmap_header *hdr = buf;
	struct fuse_famfs_iext *ie = (void *)(hdr + 1);
	struct fuse_famfs_simple_ext *se = (void *)(ie + 1);

	memset(buf, 0, sizeof(*hdr) + sizeof(*ie) + 2 * sizeof(*se));
	hdr->file_type = FUSE_FAMFS_FILE_SUPERBLOCK;
	hdr->fmap_version = FAMFS_FMAP_VERSION;
	hdr->ext_type = FUSE_FAMFS_EXT_INTERLEAVE;
	hdr->nextents = 1;
	hdr->file_size = 0x400000;
	ie->ie_nstrips = 2;
	ie->ie_chunk_size = 0x200000;
	ie->ie_nbytes = 0x400000;
	for (int i = 0; i < 2; i++) {
		se[i].se_devindex = i;
		se[i].se_len = 0x200000;
	}
	return sizeof(*hdr) + sizeof(*ie) + 2 * sizeof(*se);
}

/* With a function that only _GNU_SOURCE declares */
char *famfs_describe(const void *buf)
{
	const struct fuse_famfs_fmap_header *hdr = buf;
	char *text;

	if (asprintf(&text, "%s of %u extents",
		     hdr->file_type == FUSE_FAMFS_FILE_LOG ? "log" : "file",
		     hdr->nextents) < 0)
		return NULL;
	return text;
}
