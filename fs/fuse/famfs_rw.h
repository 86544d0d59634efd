/* SPDX-License-Identifier: GPL-2.0 */
/* famfs: state of a read or write. */

#ifndef _FS_FUSE_FAMFS_RW_H
#define _FS_FUSE_FAMFS_RW_H

#include <linux/types.h>

struct famfs_map;
struct iov_iter;
struct kiocb;

/**
 * enum famfs_rw_need - what a read or write needs before it can continue
 * @FAMFS_RW_NOTHING: nothing, or it is complete
 * @FAMFS_RW_MAP: the fmap, which was revoked or changed
 * @FAMFS_RW_MEMORY: memory beyond the end of the fmap
 * @FAMFS_RW_ZEROS: zeros between EOF and its start
 */
enum famfs_rw_need {
	FAMFS_RW_NOTHING,
	FAMFS_RW_MAP,
	FAMFS_RW_MEMORY,
	FAMFS_RW_ZEROS,
};

/**
 * struct famfs_rw - a read or write
 * @iocb: the kiocb
 * @iter: the user's buffer
 * @need: what it needs, with no locks held
 * @alloc_err: 0, or why the server has not mapped more memory
 */
struct famfs_rw {
	struct kiocb *iocb;
	struct iov_iter *iter;
	enum famfs_rw_need need;
	int alloc_err;
};

int famfs_extend_prepare(struct famfs_rw *rw, const struct famfs_map *map);

#endif /* _FS_FUSE_FAMFS_RW_H */
