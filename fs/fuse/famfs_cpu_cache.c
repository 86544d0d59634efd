// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: lines of files in the CPU caches of this host.
 *
 * Hosts may share memory without their caches being coherent.  Data stored
 * through a mapping sits in the CPU caches, and other hosts do not see it:
 * fsync() and sync() write dirty cache lines back.  write() bypasses them.
 *
 * This host may also have lines of pages that another one has written since,
 * and nothing tells the CPU.  An fmap with FUSE_FMAP_DROP must not show them.
 * So what it makes reachable is written back and dropped first; what is fetched
 * afterwards is not older than the fmap.
 *
 * That is everything from the first page on that the old fmap did not have, or
 * that is beyond the old EOF: a prefetcher may have been there as well.  It can
 * take minutes, and nobody reaches it through the file yet, so it is done before
 * invalidate_lock is taken.  The page of the old EOF is in use: it is unmapped,
 * and dropped with the lock held.
 *
 * If the file changes meanwhile, all is dropped anew: what the old fmap had may
 * have left the file, and be another host's.  So that a user who truncates the
 * file again and again does not keep the fmap out for ever, the lock is held for
 * all of it in the end.
 *
 * Memory that is mapped ahead of EOF stays as it is.  Nobody reads it before
 * another fmap brings a larger size, and drops it, or before this host has
 * written all of it.
 */

#include "famfs.h"
#include "famfs_trace.h"

#include <linux/dax.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/writeback.h>

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
	struct fuse_conn *fc = get_fuse_conn(inode);
	bool flush = !(ff->open_flags & FOPEN_NOFLUSH) || fc->writeback_cache;
	int err = 0, flush_err = 0;

	if (fuse_is_bad(inode))
		return -EIO;
	if (file->f_mode & FMODE_WRITE) {
		err = flush ? write_inode_now(inode, 1) : 0;
		if (!err)
			err = famfs_size_flush(inode, i_size_read(inode));
	}
	err = err ?: filemap_check_wb_err(inode->i_mapping, file->f_wb_err);
	if (flush && (!fc->no_flush || fc->writeback_cache) &&
	    !(err && fatal_signal_pending(current)))
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

/* Bytes dropped between checks for signals and other changes. */
#define FAMFS_DROP_MAX	SZ_16M

/* How often lines are dropped without the lock. */
#define FAMFS_DROP_ROUNDS	4

/**
 * struct famfs_drop - an fmap whose lines are being dropped
 * @inode: the file
 * @map: the fmap
 */
struct famfs_drop {
	struct inode *inode;
	const struct famfs_map *map;
};

/* Has another change come since famfs_drop_sample()? */
static bool famfs_drop_stale(struct inode *inode, const struct famfs_map *map)
{
	return map->seq != READ_ONCE(get_fuse_inode(inode)->famfs_seq);
}

/* Users of another file could fetch the lines again, and change them. */
static bool famfs_drop_conflict(const struct famfs_drop *drop,
				const struct famfs_range *range)
{
	struct famfs_daxdev *dev = drop->map->devs[range->dev];
	u64 page = range->addr >> PAGE_SHIFT;
	u64 end = page + (range->len >> PAGE_SHIFT);
	struct inode *inode;

	while ((inode = famfs_claim_next_inode(dev, &page, end))) {
		iput(inode);
		if (inode != drop->inode)
			return true;
	}
	return false;
}

/*
 * The driver stays bound, and pages that fail stay in the kernel's mapping, as
 * long as this runs: famfs_notify_failure() waits for drop_rwsem.
 *
 * Returns the bytes that are done, or an error.  A page that has failed is
 * skipped.
 */
static s64 famfs_drop_pages(struct famfs_daxdev *dev, u64 addr, u64 len)
{
	void *kaddr;
	long nr;
	int id, err = 0;

	guard(rwsem_read)(&dev->conn->drop_rwsem);
	id = dax_read_lock();
	nr = dax_direct_access(dev->dax_dev, PHYS_PFN(addr), PHYS_PFN(len),
			       DAX_ACCESS, &kaddr, NULL);
	if (nr > 0)
		err = dax_drop(kaddr, PFN_PHYS(nr));
	dax_read_unlock(id);
	if (nr == -EHWPOISON)
		nr = 1;
	else if (nr <= 0)
		err = -EIO;
	return err ?: PFN_PHYS(nr);
}

static int famfs_drop_range(const struct famfs_range *range, void *data)
{
	struct famfs_drop *drop = data;
	struct famfs_daxdev *dev = drop->map->devs[range->dev];
	u64 done = 0;
	s64 ret;

	if (famfs_drop_stale(drop->inode, drop->map))
		return FAMFS_UNDROPPED;
	if (fatal_signal_pending(current))
		return -EINTR;
	/* The last unmount waits for a push. */
	if (!atomic_read(&drop->inode->i_sb->s_active))
		return -ENOENT;
	if (famfs_drop_conflict(drop, range))
		return -EEXIST;
	trace_famfs_drop(drop->inode, range);
	while (done < range->len) {
		ret = famfs_drop_pages(dev, range->addr + done,
				       range->len - done);
		if (ret < 0)
			return ret;
		done += ret;
	}
	cond_resched();
	return 0;
}

/*
 * Find out where the part of the file begins that @map makes reachable.  Of an
 * fmap inode invalidate_lock is held.
 */
static void famfs_drop_sample_locked(struct inode *inode, struct famfs_map *map)
{
	const struct famfs_map *old = famfs_inode_map(inode);

	map->kept = 0;
	if (old)
		map->kept = min_t(u64, famfs_map_common_len(map, old),
				  PAGE_ALIGN(i_size_read(inode)));
	map->seq = READ_ONCE(get_fuse_inode(inode)->famfs_seq);
}

/*
 * A cached inode has no old fmap, and holders of its invalidate_lock may wait
 * for the server.
 */
static void famfs_drop_sample(struct inode *inode, struct famfs_map *map)
{
	if (!fuse_is_famfs(inode)) {
		map->kept = 0;
		map->seq = READ_ONCE(get_fuse_inode(inode)->famfs_seq);
		return;
	}
	filemap_invalidate_lock_shared(inode->i_mapping);
	famfs_drop_sample_locked(inode, map);
	filemap_invalidate_unlock_shared(inode->i_mapping);
}

static int famfs_drop_part(struct inode *inode, struct famfs_map *map,
			   u64 start, u64 end)
{
	struct famfs_drop drop = { .inode = inode, .map = map };

	return famfs_map_walk_file(map, start, end, FAMFS_DROP_MAX,
				   famfs_drop_range, &drop);
}

static int famfs_drop_beyond(struct inode *inode, struct famfs_map *map)
{
	return famfs_drop_part(inode, map, map->kept,
			       PAGE_ALIGN(map->file_size));
}

/**
 * famfs_drop_new() - drop the lines of what an fmap makes reachable
 * @inode: the file
 * @map: the fmap, after famfs_claims_alloc(), not published yet
 *
 * Does nothing without FUSE_FMAP_DROP.  After a few rounds famfs_drop_end() does
 * it.
 *
 * Context: Waits for nothing that the server may hold, but can take minutes.
 * Return: 0, FAMFS_UNDROPPED if another change has come, -EINTR, -ENOENT if the
 * file is being unmounted, -EEXIST if another file has a page, -EIO if a device
 * is dead, -EOPNOTSUPP if lines cannot be dropped here.
 */
int famfs_drop_new(struct inode *inode, struct famfs_map *map)
{
	if (!map->drop)
		return 0;
	if (!dax_can_drop()) {
		pr_debug("fmap of node %llu refused: cache lines cannot be dropped\n",
			 get_fuse_inode(inode)->nodeid);
		return -EOPNOTSUPP;
	}
	if (map->drop_rounds > FAMFS_DROP_ROUNDS)
		return 0;
	/* A cached file has no fmap that users could have cut. */
	if (fuse_is_famfs(inode) && ++map->drop_rounds > FAMFS_DROP_ROUNDS)
		return 0;
	famfs_drop_sample(inode, map);
	return famfs_drop_beyond(inode, map);
}

/* What famfs_drop_new() has left to do. */
static int famfs_drop_rest(struct inode *inode, struct famfs_map *map)
{
	if (map->drop_rounds > FAMFS_DROP_ROUNDS) {
		famfs_drop_sample_locked(inode, map);
		return famfs_drop_beyond(inode, map);
	}
	return map->kept && famfs_drop_stale(inode, map) ? FAMFS_UNDROPPED : 0;
}

/**
 * famfs_drop_end() - drop the lines of the page of the old EOF, and what is left
 * @inode: an fmap inode
 * @map: the fmap that is about to be published, after famfs_drop_new()
 *
 * If the fmaps differ before it, the page before the difference counts: the file
 * may have been cut there in between.
 *
 * Context: invalidate_lock is held for writing until @map is published.
 * Return: 0, FAMFS_UNDROPPED if the old fmap has changed since famfs_drop_new(),
 * so that @map makes more reachable now, or an error.
 */
int famfs_drop_end(struct inode *inode, struct famfs_map *map)
{
	int err;

	lockdep_assert_held_write(&inode->i_mapping->invalidate_lock);
	if (!map->drop)
		return 0;
	err = famfs_drop_rest(inode, map);
	if (err || !map->kept)
		return err;
	unmap_mapping_pages(inode->i_mapping, PHYS_PFN(map->kept) - 1, 1,
			    false);
	return famfs_drop_part(inode, map, map->kept - PAGE_SIZE, map->kept);
}
