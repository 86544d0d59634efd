/* SPDX-License-Identifier: GPL-2.0 */
/* famfs.h without CONFIG_FUSE_FAMFS_DAX: no inode is an fmap inode. */

#ifndef _FS_FUSE_FAMFS_STUBS_H
#define _FS_FUSE_FAMFS_STUBS_H

static inline bool fuse_is_famfs(const struct inode *inode)
{
	return false;
}

static inline bool famfs_conn_offer(struct fuse_mount *fm)
{
	return false;
}

static inline bool famfs_conn_start(struct fuse_mount *fm, u64 flags)
{
	if (flags & FUSE_DAX_FMAP)
		famfs_warn(fm->fc, FAMFS_NO_MAPS,
			   "the kernel is without CONFIG_FUSE_FAMFS_DAX");
	return true;
}

static inline void famfs_conn_stop(struct fuse_conn *fc)
{
}

static inline void famfs_conn_free(struct fuse_conn *fc)
{
}

static inline struct famfs_conn *famfs_conn_of(const struct fuse_conn *fc)
{
	return NULL;
}

static inline void famfs_sync_fs(struct super_block *sb)
{
}

static inline int famfs_notify_fmap(struct fuse_conn *fc, unsigned int size,
				    struct fuse_copy_state *cs)
{
	return -EINVAL;
}

static inline int famfs_backing_open(struct fuse_conn *fc,
				     const struct fuse_backing_map *map)
{
	return -EOPNOTSUPP;
}

static inline int famfs_backing_close(struct fuse_conn *fc, int id)
{
	return -EOPNOTSUPP;
}

static inline int famfs_open_prepare(struct famfs_open_req *req,
				     struct inode *inode, struct file *file)
{
	req->has_fmap = false;
	return 0;
}

static inline void famfs_create_prepare(struct famfs_open_req *req,
					struct fuse_conn *fc)
{
}

static inline void famfs_open_add_arg(struct famfs_open_req *req,
				      struct fuse_args *args, u32 *open_flags)
{
}

static inline int famfs_open_get_reply(struct famfs_open_req *req,
				       struct fuse_args *args, ssize_t ret)
{
	return ret;
}

static inline int famfs_open_finish(struct famfs_open_req *req,
				    struct inode *inode, struct fuse_file *ff)
{
	return 0;
}

static inline int famfs_create_finish(struct famfs_open_req *req,
				      struct inode *inode, struct file *file,
				      struct fuse_file *ff)
{
	return 0;
}

static inline void famfs_open_cleanup(struct famfs_open_req *req)
{
}

static inline int famfs_open_fetch(struct inode *inode, struct file *file)
{
	return 0;
}

static inline u32 famfs_create_flags(const struct fuse_conn *fc, u32 flags)
{
	return flags;
}

static inline int famfs_create_truncate(struct mnt_idmap *idmap,
					struct file *file, bool was_fmap)
{
	return 0;
}

static inline int famfs_file_io_open(struct inode *inode, struct file *file)
{
	return 0;
}

static inline void famfs_privs_set(struct inode *inode)
{
}

static inline int famfs_truncate_fetch(struct inode *inode,
				       const struct iattr *attr)
{
	return 0;
}

static inline int famfs_setattr_check(struct inode *inode, struct iattr *attr)
{
	return 0;
}

static inline int famfs_setattr_begin(struct inode *inode, struct iattr *attr,
				      struct file *file,
				      struct famfs_truncate *trunc)
{
	return 0;
}

static inline int famfs_setattr_end(struct inode *inode,
				    const struct iattr *attr, struct file *file,
				    struct famfs_truncate *trunc, int err)
{
	return err;
}

static inline int famfs_write_inode(struct inode *inode,
				    struct writeback_control *wbc)
{
	return -EIO;
}

static inline u32 famfs_size_to_flush(const struct inode *inode, u64 *size,
				      u32 *seq)
{
	return 0;
}

static inline void famfs_size_flushed(struct inode *inode, u32 valid, u64 size,
				      u32 seq, int err)
{
}

static inline u32 famfs_cache_mask(struct inode *inode)
{
	return 0;
}

static inline bool famfs_preserve_nosec(const struct inode *inode)
{
	return false;
}

static inline bool famfs_pagecache_lock(struct inode *inode)
{
	return true;
}

static inline void famfs_pagecache_unlock(struct inode *inode)
{
}

static inline void famfs_evict(struct inode *inode)
{
}

static inline bool famfs_cached_open(struct fuse_file *ff, struct inode *inode)
{
	return true;
}

static inline void famfs_cached_release(struct fuse_file *ff)
{
}

#define famfs_fiemap NULL

#endif /* _FS_FUSE_FAMFS_STUBS_H */
