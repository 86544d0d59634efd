/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads and writes of mapped files: what goes through their functions.
 */

#ifndef _FS_FUSE_FAMFS_RW_H
#define _FS_FUSE_FAMFS_RW_H

#include <linux/types.h>

struct famfs_map;
struct iov_iter;
struct kiocb;

/**
 * enum famfs_rw_need - what a read or write lacks, with its locks dropped
 * @FAMFS_RW_NOTHING: it can go on, or is through
 * @FAMFS_RW_MAP: the map, which has been taken away or changed
 * @FAMFS_RW_MEMORY: memory behind what is mapped
 * @FAMFS_RW_ZEROS: zeros in the gap that it leaves behind the end
 */
enum famfs_rw_need {
	FAMFS_RW_NOTHING,
	FAMFS_RW_MAP,
	FAMFS_RW_MEMORY,
	FAMFS_RW_ZEROS,
};

/**
 * struct famfs_rw - a read or write
 * @iocb: where to, or where from
 * @iter: the user's buffer
 * @need: what it lacks
 * @alloc_err: 0, or why the server has not given more memory
 */
struct famfs_rw {
	struct kiocb *iocb;
	struct iov_iter *iter;
	enum famfs_rw_need need;
	int alloc_err;
};

int famfs_extend_prepare(struct famfs_rw *rw, const struct famfs_map *map);

#endif /* _FS_FUSE_FAMFS_RW_H */
