// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: where the bytes of a file are.
 *
 * The iomap operations translate an offset in a file into an offset on a
 * device, for read, write, faults and FIEMAP.  Writeback is here as well: data
 * stored through a mapping sits in the CPU caches of this host, and other hosts
 * that share the memory do not see them.  So fsync() and sync() write dirty
 * cache lines back.  write() bypasses the caches.
 */

#include "famfs.h"
#include "famfs_trace.h"

#include <linux/dax.h>
#include <linux/fiemap.h>
#include <linux/iomap.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/writeback.h>

static void famfs_iomap_set(struct iomap *iomap, const struct famfs_daxdev *dev,
			    u64 offset, u64 len, u64 addr)
{
	/* iomap->flags stays 0: never new, shared or with dirty metadata. */
	iomap->type = IOMAP_MAPPED;
	iomap->offset = offset;
	iomap->length = len;
	iomap->addr = addr;
	iomap->dax_dev = dev->dax_dev;
}

static noinline int famfs_iomap_slow(const struct famfs_map *map,
				     struct inode *inode, loff_t pos,
				     struct iomap *iomap)
{
	struct famfs_daxdev *dev;
	struct famfs_range range;

	famfs_map_resolve(map, pos, &range);
	dev = map->devs[range.dev];
	if (unlikely(READ_ONCE(dev->dead)))
		return -EIO;
	famfs_iomap_set(iomap, dev, range.offset, range.len, range.addr);
	trace_famfs_resolve(inode, pos, &range);
	return 0;
}

/*
 * Fast path without a stack frame for the common case: one extent on a healthy
 * device.  Every fault comes here.
 */
static __always_inline int famfs_iomap_find(struct inode *inode, loff_t pos,
					    unsigned int flags,
					    struct iomap *iomap)
{
	const struct famfs_map *map = famfs_inode_map(inode);
	const struct famfs_daxdev *dev;

	lockdep_assert_held(&inode->i_mapping->invalidate_lock);
	if (unlikely(!map || pos >= map->mapped))
		return -EIO;
	if (unlikely(map->readonly && (flags & (IOMAP_WRITE | IOMAP_ZERO))))
		return -EROFS;
	if (map->nr_extents != 1 || trace_famfs_resolve_enabled())
		return famfs_iomap_slow(map, inode, pos, iomap);

	dev = map->devs[map->extents[0].dev];
	if (unlikely(READ_ONCE(dev->dead)))
		return -EIO;
	famfs_iomap_set(iomap, dev, 0, map->mapped, map->extents[0].addr);
	return 0;
}

/*
 * famfs's tools look for this symbol in /proc/kallsyms to see whether the
 * kernel supports fmaps, so the compiler must not rename it.
 */
static noinline __used int
famfs_fuse_iomap_begin(struct inode *inode, loff_t pos, loff_t length,
		       unsigned int flags, struct iomap *iomap,
		       struct iomap *srcmap)
{
	return famfs_iomap_find(inode, pos, flags, iomap);
}

static noinline DEFINE_IOMAP_ITER_NEXT(famfs_iomap_next_slow,
				       famfs_fuse_iomap_begin);

static int famfs_iomap_next(const struct iomap_iter *iter, struct iomap *iomap,
			    struct iomap *srcmap)
{
	int ret;

	if (iomap->length) {
		/*
		 * Usually one mapping covers the request: skip
		 * iomap_iter_next().
		 */
		if (likely(!iter->len && !iter->status))
			return 0;
		return famfs_iomap_next_slow(iter, iomap, srcmap);
	}
	ret = famfs_iomap_find(iter->inode, iter->pos, iter->flags, iomap);
	return ret < 0 ? ret : 1;
}

/* The caller holds invalidate_lock while it uses the result. */
const struct iomap_ops famfs_iomap_ops = {
	.iomap_next	= famfs_iomap_next,
};

/**
 * famfs_iomap_probe() - check whether a byte of a file can be read
 * @inode: an fmap inode
 * @pos: offset of the byte
 *
 * Context: invalidate_lock is held.
 * Return: 0, or -EIO.
 */
int famfs_iomap_probe(struct inode *inode, loff_t pos)
{
	struct iomap iomap = {};
	void *addr;
	pgoff_t page;
	char byte;
	int id, err;

	err = famfs_iomap_find(inode, pos, 0, &iomap);
	if (err)
		return err;
	page = PHYS_PFN(iomap.addr + pos - iomap.offset);
	id = dax_read_lock();
	if (dax_direct_access(iomap.dax_dev, page, 1, DAX_ACCESS, &addr,
			      NULL) < 1 ||
	    copy_mc_to_kernel(&byte, addr + offset_in_page(pos), 1))
		err = -EIO;
	dax_read_unlock(id);
	return err;
}

/* FIEMAP copies to user space between calls, which may fault: lock per call. */
static int famfs_fiemap_next(const struct iomap_iter *iter, struct iomap *iomap,
			     struct iomap *srcmap)
{
	int ret;

	/* A file can have millions of extents. */
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	filemap_invalidate_lock_shared(iter->inode->i_mapping);
	ret = famfs_iomap_next(iter, iomap, srcmap);
	filemap_invalidate_unlock_shared(iter->inode->i_mapping);
	return ret;
}

static const struct iomap_ops famfs_fiemap_ops = {
	.iomap_next	= famfs_fiemap_next,
};

/**
 * famfs_fiemap() - FIEMAP of an fmap file
 * @inode: a regular FUSE file of any kind
 * @info: the request
 * @start: file offset
 * @len: bytes
 *
 * Addresses are offsets in devices; the interface cannot name the device.
 *
 * Return: 0, -EOPNOTSUPP if @inode is no fmap inode, or another error.
 */
int famfs_fiemap(struct inode *inode, struct fiemap_extent_info *info,
		 u64 start, u64 len)
{
	u64 size;
	int err = 0;

	if (!fuse_is_famfs(inode))
		return -EOPNOTSUPP;
	inode_lock_shared(inode);
	size = i_size_read(inode);
	if (start < size)
		err = iomap_fiemap(inode, info, start, min(len, size - start),
				   &famfs_fiemap_ops);
	inode_unlock_shared(inode);
	return err;
}

struct famfs_live_walk {
	struct famfs_daxdev **devs;
	struct famfs_daxdev *dev;
};

static int famfs_live_dax_dev_fn(const struct famfs_range *range, void *data)
{
	struct famfs_live_walk *alive = data;

	alive->dev = alive->devs[range->dev];
	return !READ_ONCE(alive->dev->dead);
}

/**
 * famfs_live_dax_dev() - find a device that can write dirty cache lines back
 * @map: the fmap
 *
 * Any live device will do, since all have the same driver.  Cache lines of dead
 * devices were written back before their entries were deleted.
 *
 * Return: the device, or NULL if all are dead.
 */
struct dax_device *famfs_live_dax_dev(const struct famfs_map *map)
{
	struct famfs_live_walk alive = { .devs = map->devs };

	if (!famfs_map_walk(map, famfs_live_dax_dev_fn, &alive))
		return NULL;
	return alive.dev->dax_dev;
}

/**
 * famfs_flush_cpu_cache() - write dirty cache lines of a file back to memory
 * @mapping: the file's mapping
 * @dax_dev: a live device
 *
 * Context: invalidate_lock is held, or the inode is being evicted.
 */
void famfs_flush_cpu_cache(struct address_space *mapping,
			   struct dax_device *dax_dev)
{
	struct writeback_control wbc = {
		.sync_mode	= WB_SYNC_ALL,
		.nr_to_write	= LONG_MAX,
		.range_end	= LLONG_MAX,
	};

	if (!(inode_state_read_once(mapping->host) & I_FREEING))
		lockdep_assert_held(&mapping->invalidate_lock);
	dax_writeback_mapping_range(mapping, dax_dev, &wbc);
}

static int famfs_writepages(struct address_space *mapping,
			    struct writeback_control *wbc)
{
	const struct famfs_map *map;
	struct dax_device *dax_dev;
	int err = 0;

	filemap_invalidate_lock_shared(mapping);
	map = famfs_inode_map(mapping->host);
	dax_dev = map ? famfs_live_dax_dev(map) : NULL;
	if (dax_dev)
		err = dax_writeback_mapping_range(mapping, dax_dev, wbc);
	filemap_invalidate_unlock_shared(mapping);
	return err;
}

const struct address_space_operations famfs_aops = {
	.writepages	= famfs_writepages,
	.direct_IO	= noop_direct_IO,
	.dirty_folio	= noop_dirty_folio,
};

/**
 * famfs_fsync() - fsync() of an fmap file
 * @file: the file
 * @start: first byte
 * @end: last byte
 * @datasync: whether the server may skip metadata
 *
 * Holds no lock of the inode while it waits for the server, so that reads and
 * writes go on if the server does not answer.
 *
 * Return: 0 or an error.
 */
int famfs_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	struct fuse_conn *fc = get_fuse_conn(inode);
	loff_t size = i_size_read(inode);
	int err, wb_err;

	if (fuse_is_bad(inode))
		return -EIO;
	err = file_write_and_wait_range(file, start, end);
	if (!err)
		err = sync_inode_metadata(inode, 1);
	if (!err)
		err = famfs_size_flush(inode, size);
	if (err || fc->no_fsync)
		goto out;

	err = fuse_fsync_common(file, start, end, datasync, FUSE_FSYNC);
	if (err == -ENOSYS) {
		fc->no_fsync = 1;
		err = 0;
	}
out:
	if (famfs_err_unanswered(err))
		return err;
	/* An error returned here need not be reported to @file again. */
	wb_err = file_check_and_advance_wb_err(file);
	return err ?: wb_err;
}

/**
 * famfs_flush() - a descriptor of an fmap file is closed
 * @file: the file
 * @id: owner of the POSIX locks that the server drops
 *
 * The server drops locks for FUSE_FLUSH, so an error does not keep it from being
 * sent, unless the task was killed: then it does not wait once more.  A file that
 * is open for reading has changed neither times nor size.
 *
 * Context: As famfs_size_flush().
 * Return: 0, or the first error, also one of lost or refused bytes that fsync()
 * of @file has not returned.
 */
int famfs_flush(struct file *file, fl_owner_t id)
{
	struct inode *inode = file_inode(file);
	struct fuse_file *ff = file->private_data;
	bool noflush = ff->open_flags & FOPEN_NOFLUSH &&
		       !get_fuse_conn(inode)->writeback_cache;
	bool writer = file->f_mode & FMODE_WRITE;
	int err = 0, flush_err = 0;

	if (fuse_is_bad(inode))
		return -EIO;
	if (writer && !noflush)
		err = write_inode_now(inode, 1);
	if (writer && !err)
		err = famfs_size_flush(inode, i_size_read(inode));
	if (!err)
		err = filemap_check_wb_err(inode->i_mapping, file->f_wb_err);
	if (!noflush && !(err && fatal_signal_pending(current)))
		flush_err = fuse_send_flush(file, id);
	return err ?: flush_err;
}

static bool famfs_inode_is_dirty(struct inode *inode)
{
	return fuse_is_famfs(inode) &&
	       mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY);
}

/*
 * The list lock can be dropped only if an inode keeps the place.  An inode with
 * page cache does not serve: dropping its last reference could wait for the
 * server.
 */
static bool famfs_sync_fs_stops(struct inode *inode)
{
	return famfs_inode_is_dirty(inode) ||
	       (need_resched() && (fuse_is_famfs(inode) ||
				   mapping_empty(inode->i_mapping)));
}

/**
 * famfs_sync_fs() - write dirty cache lines of a superblock's files back
 * @sb: a superblock with FUSE_DAX_FMAP
 *
 * sync() skips FUSE inodes, since writing them could wait for the server
 * forever.  This function waits neither for the server nor for pins.
 */
void famfs_sync_fs(struct super_block *sb)
{
	struct famfs_conn *conn = get_fuse_conn_super(sb)->famfs;
	struct inode *inode, *prev = NULL;

	if (!atomic_long_read(&conn->nr_maps))
		return;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		if (!famfs_sync_fs_stops(inode) || !igrab(inode))
			continue;
		spin_unlock(&sb->s_inode_list_lock);

		/*
		 * The reference keeps @inode on s_inodes while the lock is
		 * dropped.
		 */
		iput(prev);
		prev = inode;
		if (famfs_inode_is_dirty(inode))
			filemap_write_and_wait(inode->i_mapping);
		cond_resched();
		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(prev);
}

/**
 * famfs_map_lock() - get the fmap of a file, and keep it from changing
 * @inode: an fmap inode
 *
 * A revoked fmap is requested again, so that no caller handles a missing one.
 *
 * Context: No lock held that the server could need except i_rwsem; mmap_lock
 * may be held.  May wait for the server, killably until it has read the
 * request.
 * Return: the fmap, with invalidate_lock held for reading until
 * famfs_map_unlock(), or an error of famfs_fetch_retry().
 */
const struct famfs_map *famfs_map_lock(struct inode *inode)
{
	const struct famfs_map *map;
	int err;

	for (;;) {
		filemap_invalidate_lock_shared(inode->i_mapping);
		map = famfs_inode_map(inode);
		if (map)
			return map;
		filemap_invalidate_unlock_shared(inode->i_mapping);

		err = famfs_fetch_retry(inode, false);
		if (err)
			return ERR_PTR(err);
	}
}

/**
 * famfs_map_unlock() - drop the lock of famfs_map_lock()
 * @inode: an inode for which famfs_map_lock() returned an fmap
 */
void famfs_map_unlock(struct inode *inode)
{
	filemap_invalidate_unlock_shared(inode->i_mapping);
}
