// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: dropping CPU cache lines before an fmap is visible.
 *
 * Hosts may share memory without their caches being coherent.  This host may
 * have lines of pages that another one has written since, and nothing tells the
 * CPU.  An fmap with FUSE_FMAP_DROP must not show them.  So what it makes
 * reachable is written back and dropped first; what is fetched afterwards is
 * not older than the fmap.
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

static int famfs_drop_beyond(struct inode *inode, struct famfs_map *map)
{
	struct famfs_drop drop = { .inode = inode, .map = map };

	return famfs_map_walk_file(map, map->kept, PAGE_ALIGN(map->file_size),
				   FAMFS_DROP_MAX, famfs_drop_range, &drop);
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
	struct famfs_drop drop = { .inode = inode, .map = map };
	int err;

	lockdep_assert_held_write(&inode->i_mapping->invalidate_lock);
	if (!map->drop)
		return 0;
	err = famfs_drop_rest(inode, map);
	if (err || !map->kept)
		return err;
	unmap_mapping_pages(inode->i_mapping, PHYS_PFN(map->kept) - 1, 1,
			    false);
	return famfs_map_walk_file(map, map->kept - PAGE_SIZE, map->kept,
				   PAGE_SIZE, famfs_drop_range, &drop);
}
