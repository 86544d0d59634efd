/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that a FUSE server maps onto dax devices.
 *
 * Locks, outermost first:
 *
 *   FUSE_I_FMAP_FETCH		bit lock: one opener asks the server about the
 *				file; taken with no lock held but a directory's,
 *				at create
 *   famfs_conn.ask_lock	one GET_DAXDEV at a time; never taken by the
 *				server
 *   famfs_conn.register_lock	device table; taken by the server's tasks
 *   device_lock of a device	unbinding holds it, and dax_srcu for reading,
 *				while it tells us
 *   fuse_conn.killsb		(read) keeps the superblock while a device fails
 *   inode->i_rwsem		read and write hold it, installing a map takes it
 *				for writing
 *   mmap_lock, sb_pagefault	held by faults
 *   mapping->invalidate_lock	faults hold it, installing a map takes it for
 *				writing
 *   famfs_conn.lock		claims; taken in reclaim, so whoever holds it
 *				allocates with GFP_NOFS
 *   famfs_held_lock		which devices are held, by whom; innermost
 *
 * fuse_inode.famfs_meta changes with i_rwsem and invalidate_lock both held for
 * writing: either of them held in any way is enough to use the map.
 */

#ifndef _FS_FUSE_FAMFS_H
#define _FS_FUSE_FAMFS_H

#include "fuse_i.h"
#include "famfs_map.h"

#include <linux/atomic.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>
#include <linux/wait.h>

struct dax_device;

/**
 * struct famfs_daxdev - a device of a connection
 * @dax_dev: the device, held for the connection
 * @conn: the connection's device table
 * @count: references: the table's, and a running failure callback's
 * @held: on the list of all held devices, under famfs_held_lock
 * @devt: number of its device node
 * @index: what the server calls it
 * @size: bytes
 * @dead: its driver has been unbound; once set it stays, and new I/O fails
 * @claims: inodes by the pages that their maps take up, under famfs_conn.lock
 * @bad: pages with a memory failure
 * @name: path by which the server named it
 */
struct famfs_daxdev {
	struct dax_device *dax_dev;
	struct famfs_conn *conn;
	refcount_t count;
	struct list_head held;
	dev_t devt;
	u32 index;
	u64 size;
	bool dead;
	struct maple_tree claims;
	struct maple_tree bad;
	char name[];
};

/**
 * struct famfs_conn - what a connection knows about dax devices
 * @fc: the connection
 * @ask_lock: held while the server is asked for a device
 * @register_lock: held while a device is entered into @devs or taken out
 * @lock: protects the claims on devices
 * @claimed: woken when claims on a device are dropped
 * @nr_maps: files that have a map
 * @nr_extents: extents and strips of these maps
 * @devs: devices by index; entries are set once
 */
struct famfs_conn {
	struct fuse_conn *fc;
	struct mutex ask_lock;		/* held by openers only */
	struct mutex register_lock;	/* protects @devs */
	struct mutex lock;		/* protects &famfs_daxdev.claims */
	wait_queue_head_t claimed;
	atomic_long_t nr_maps;
	atomic_long_t nr_extents;
	struct famfs_daxdev *devs[FUSE_DAXDEV_MAX];
};

/* famfs_ctl.c */
extern const struct file_operations famfs_ctl_ops;

#ifdef CONFIG_FUSE_FAMFS_DAX

/*
 * Once a file has been mapped it stays a file of this kind for the inode's
 * life, whatever becomes of its map.
 */
static inline bool fuse_is_famfs(const struct inode *inode)
{
	return IS_DAX(inode) && !fuse_is_virtio_dax(inode);
}

/* The caller holds i_rwsem or invalidate_lock, or looks only for NULL. */
static inline const struct famfs_map *famfs_inode_map(const struct inode *inode)
{
	return READ_ONCE(get_fuse_inode(inode)->famfs_meta);
}

/* famfs_conn.c */
bool famfs_conn_offer(struct fuse_mount *fm);
void famfs_conn_start(struct fuse_conn *fc, u64 flags);
void famfs_conn_stop(struct fuse_conn *fc);
void famfs_conn_free(struct fuse_conn *fc);

/* famfs_devs.c */
int famfs_devs_get(struct fuse_mount *fm, struct famfs_map *map);
void famfs_devs_put(struct famfs_conn *conn);
void famfs_dev_put(struct famfs_daxdev *dev);

/* famfs_claim.c */
int famfs_claim(struct famfs_conn *conn, struct inode *inode,
		const struct famfs_map *map);
void famfs_unclaim(struct famfs_conn *conn, const struct famfs_map *map,
		   const struct famfs_daxdev *only);

/* famfs_failure.c */
extern const struct dax_holder_operations famfs_holder_ops;
int famfs_hold(struct famfs_daxdev *dev);
void famfs_release(struct famfs_daxdev *dev);
int famfs_avoid_bad(struct famfs_daxdev *dev, u64 pos,
		    struct famfs_range *range);

/* famfs_file.c */
ssize_t famfs_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t famfs_write_iter(struct kiocb *iocb, struct iov_iter *from);
int famfs_mmap(struct file *file, struct vm_area_struct *vma);
int famfs_fiemap(struct inode *inode, struct fiemap_extent_info *info,
		 u64 start, u64 len);

/* famfs_sync.c */
int famfs_fsync(struct file *file, loff_t start, loff_t end, int datasync);
void famfs_flush(struct address_space *mapping, struct dax_device *dax_dev);
extern const struct address_space_operations famfs_aops;
void famfs_sync_fs(struct super_block *sb);

/* famfs_attr.c */
int famfs_file_io_open(struct inode *inode, struct file *file);
int famfs_setattr(struct inode *inode, struct iattr *attr);
int famfs_modified(struct kiocb *iocb, struct inode *inode);
u32 famfs_cache_mask(struct inode *inode);
bool famfs_keep_nosec(const struct inode *inode);
bool famfs_cache_begin(struct inode *inode);
void famfs_cache_end(struct inode *inode);

/* famfs_inode.c */
int famfs_open(struct inode *inode, struct file *file);
int famfs_created(struct inode *inode, struct file *file);
void famfs_evict(struct inode *inode);

#else /* CONFIG_FUSE_FAMFS_DAX */

static inline bool fuse_is_famfs(const struct inode *inode)
{
	return false;
}

static inline bool famfs_conn_offer(struct fuse_mount *fm)
{
	return false;
}

static inline void famfs_conn_start(struct fuse_conn *fc, u64 flags)
{
}

static inline void famfs_conn_stop(struct fuse_conn *fc)
{
}

static inline void famfs_conn_free(struct fuse_conn *fc)
{
}

static inline ssize_t famfs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	return -EIO;
}

static inline ssize_t famfs_write_iter(struct kiocb *iocb,
				       struct iov_iter *from)
{
	return -EIO;
}

static inline int famfs_mmap(struct file *file, struct vm_area_struct *vma)
{
	return -ENODEV;
}

static inline int famfs_fsync(struct file *file, loff_t start, loff_t end,
			      int datasync)
{
	return -EIO;
}

static inline void famfs_sync_fs(struct super_block *sb)
{
}

static inline int famfs_open(struct inode *inode, struct file *file)
{
	return 0;
}

static inline int famfs_created(struct inode *inode, struct file *file)
{
	return 0;
}

static inline int famfs_file_io_open(struct inode *inode, struct file *file)
{
	return 0;
}

static inline int famfs_setattr(struct inode *inode, struct iattr *attr)
{
	return 0;
}

static inline u32 famfs_cache_mask(struct inode *inode)
{
	return 0;
}

static inline bool famfs_keep_nosec(const struct inode *inode)
{
	return false;
}

static inline bool famfs_cache_begin(struct inode *inode)
{
	return true;
}

static inline void famfs_cache_end(struct inode *inode)
{
}

static inline void famfs_evict(struct inode *inode)
{
}

#define famfs_fiemap NULL

#endif /* CONFIG_FUSE_FAMFS_DAX */
#endif /* _FS_FUSE_FAMFS_H */
