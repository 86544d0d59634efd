// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: taking memory away: unmapping, memory failure, unbinding.
 *
 * A mapping is zapped at once.  A pin ends when its owner drops it, and the
 * context decides who may wait for that: a task that truncates the file does,
 * killably, and the server never does.
 *
 * fs_put_dax() waits for a running ->notify_failure(), so the callback may use the
 * device and its connection.  It must not drop a reference whose last put releases
 * the device.
 *
 * Unbinding a driver frees the struct pages of its memory as soon as
 * ->notify_failure() returns, whether or not they are in use.
 */

#include "dev.h"
#include "famfs.h"
#include "famfs_trace.h"

#include <linux/dax.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/wait_bit.h>

/* A bound of each wait: a page that is used again never becomes idle. */
#define FAMFS_PIN_WAIT		(HZ / 10 ?: 1)

/**
 * famfs_pin_wait() - wait for a page that somebody has pinned
 * @busy: the page
 * @pgmap: what get_dev_pagemap() returned for it while it had a claim, which
 *	   this puts; NULL where the page's device is just going
 * @state: how to sleep
 *
 * Whoever has pinned the page may have to fault, or wait for the server, before
 * it lets go, so the caller holds nothing.  Then others can map the page again,
 * and a page that is mapped is not idle: so this waits for FAMFS_PIN_WAIT at
 * most, and the caller looks again.
 *
 * Return: 0, or -EINTR where @state is TASK_KILLABLE.
 */
int famfs_pin_wait(struct page *busy, struct dev_pagemap *pgmap,
		   unsigned int state)
{
	long left = FAMFS_PIN_WAIT;
	int err;

	might_sleep();
	err = ___wait_var_event(busy, !left || (pgmap && dax_page_is_idle(busy)),
				state, 0, 0, left = schedule_timeout(left));
	put_dev_pagemap(pgmap);
	return err ? -EINTR : 0;
}

/*
 * Locks the map of a file that has, or had, a claim.  Whoever has this lock of
 * an ordinary inode may wait for the server, and the file is one while its
 * first map is being installed, and again if that fails.
 *
 * Returns false if the lock was not free: then the claim is to be looked up
 * once more.
 */
bool famfs_invalidate_trylock(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	if (!fuse_is_famfs(inode))
		return down_write_trylock(&mapping->invalidate_lock);
	filemap_invalidate_lock(mapping);
	return true;
}

/* Dirty cache lines go to the memory that they belong to. */
static void famfs_drop_entries(struct inode *inode, const struct famfs_map *map,
			       u64 pos)
{
	struct dax_device *dax_dev = famfs_live_dax_dev(map);

	if (dax_dev)
		famfs_flush_cpu_cache(inode->i_mapping, dax_dev);
	dax_delete_mapping_range(inode->i_mapping, pos, LLONG_MAX);
}

/**
 * famfs_try_unmap() - take a file's mappings away
 * @inode: the file
 * @map: its map
 * @pos: from where on; a huge entry that goes on behind it goes whole
 *
 * The pages before @pos that share a huge page with it are unmapped as well,
 * for they may be mapped one by one, but their being pinned does not matter.
 *
 * Context: invalidate_lock is held for writing.
 * Return: NULL, or a page that is pinned.  Then nothing has changed but that
 * others have to fault again.
 */
struct page *famfs_try_unmap(struct inode *inode, const struct famfs_map *map,
			     u64 pos)
{
	struct address_space *mapping = inode->i_mapping;
	u64 huge = round_down(pos, PMD_SIZE);
	struct page *busy;

	lockdep_assert_held_write(&mapping->invalidate_lock);
	if (huge < pos)
		unmap_mapping_pages(mapping, huge >> PAGE_SHIFT,
				    (pos - huge) >> PAGE_SHIFT, false);
	busy = dax_layout_busy_page_range(mapping, pos, LLONG_MAX);
	if (!busy)
		famfs_drop_entries(inode, map, pos);
	return busy;
}

/**
 * famfs_wait_page_idle() - wait for a page of a file that somebody has pinned
 * @inode: the inode that famfs_try_unmap() was called for
 * @busy: the page that it returned
 *
 * The struct page does not go with its device meanwhile.
 *
 * Context: invalidate_lock is held for writing, and free afterwards.  Killable,
 * and for a while only: the caller unmaps the page and looks again.
 * Return: 0 or -EINTR.
 */
int famfs_wait_page_idle(struct inode *inode, struct page *busy)
{
	struct dev_pagemap *pgmap = get_dev_pagemap(page_to_pfn(busy));

	filemap_invalidate_unlock(inode->i_mapping);
	return famfs_pin_wait(busy, pgmap, TASK_KILLABLE);
}

/**
 * famfs_unmap_beyond() - take away what is mapped behind the end of a file
 * @inode: the file
 * @size: its new size
 *
 * That includes private copies: faults get SIGBUS there, and if the file grows
 * again it has zeros.
 *
 * Context: invalidate_lock is held for writing.
 */
void famfs_unmap_beyond(struct inode *inode, loff_t size)
{
	unmap_mapping_pages(inode->i_mapping, PAGE_ALIGN(size) >> PAGE_SHIFT, 0,
			    true);
}

/*
 * The file's map, if it uses @dev.  The server may have closed a device that no
 * map used any more, and opened another.  The caller holds invalidate_lock.
 */
static struct famfs_map *famfs_map_on_dev(struct inode *inode,
				      const struct famfs_daxdev *dev)
{
	struct famfs_map *map = get_fuse_inode(inode)->famfs_meta;

	lockdep_assert_held_write(&inode->i_mapping->invalidate_lock);
	return map && map->devs[dev->slot] == dev ? map : NULL;
}

/*
 * Unmaps a file that has pages on @dev and, if nobody has pinned one, forgets
 * where they are.  The file goes whole, also what it has on other devices: it
 * can have more pieces than there is time to look at.
 *
 * Faults that found the device alive are through once the lock is taken.  As
 * for read and write, kill_dax() waits for those that have got at the memory,
 * and the others find the device dead.
 *
 * Returns true if that is done.  Otherwise it has met a page that is pinned,
 * maybe of another device, for which it gets what famfs_pin_wait() needs, or no
 * page: then the file's lock was not free.
 */
static bool famfs_daxdev_revoke_inode(struct inode *inode, struct famfs_daxdev *dev,
			     struct page **busy, struct dev_pagemap **pgmap)
{
	struct address_space *mapping = inode->i_mapping;
	struct famfs_map *map;

	*busy = NULL;
	*pgmap = NULL;
	if (!famfs_invalidate_trylock(inode))
		return false;
	map = famfs_map_on_dev(inode, dev);
	/* A map that is not there yet will not be: the device is dead. */
	if (map)
		*busy = dax_layout_busy_page_range(mapping, 0, LLONG_MAX);
	if (*busy) {
		*pgmap = get_dev_pagemap(page_to_pfn(*busy));
	} else if (map) {
		famfs_flush_cpu_cache(mapping, dev->dax_dev);
		dax_delete_mapping_range(mapping, 0, LLONG_MAX);
		famfs_unclaim_dev(dev, map);
	}
	filemap_invalidate_unlock(mapping);
	return !*busy;
}

/*
 * The next file behind @page loses the device, or is to be tried again: see
 * famfs_daxdev_revoke_inode().  Returns false if there is no file any more.
 */
static bool famfs_daxdev_remove_next(struct famfs_daxdev *dev, u64 *page, bool *done,
			      struct page **busy, struct dev_pagemap **pgmap)
{
	struct fuse_conn *fc = dev->conn->fc;
	struct inode *inode = NULL;
	u64 next = *page;

	guard(rwsem_read)(&fc->killsb);
	if (!list_empty(&fc->mounts))
		inode = famfs_claim_next_inode(dev, &next, dev->size >> PAGE_SHIFT);
	if (!inode)
		return false;
	*done = famfs_daxdev_revoke_inode(inode, dev, busy, pgmap);
	if (*done)
		*page = next;
	iput(inode);
	return true;
}

/* All files lose the device, those with pinned pages when these are idle. */
static void famfs_daxdev_remove_files(struct famfs_daxdev *dev)
{
	struct dev_pagemap *pgmap;
	struct page *busy;
	u64 page = 0;
	bool done;

	while (famfs_daxdev_remove_next(dev, &page, &done, &busy, &pgmap)) {
		if (done)
			continue;
		if (busy)
			famfs_pin_wait(busy, pgmap, TASK_UNINTERRUPTIBLE);
		else
			schedule_timeout_uninterruptible(1);
	}
}

/*
 * Returns when no page of the device is in use any more, and none will be.
 * Whoever has pinned a page may have to fault, or wait for the server, before
 * it lets go, so no lock of the connection is held meanwhile.  A pin may be
 * gone, or another one be there, when a sleep is over, so everything is looked
 * at again.
 */
static void famfs_daxdev_remove(struct famfs_daxdev *dev)
{
	struct famfs_conn *conn = dev->conn;

	might_sleep();
	lockdep_assert_not_held(&conn->fc->killsb);
	lockdep_assert_not_held(&conn->register_lock);
	WRITE_ONCE(dev->dead, true);
	famfs_warn(conn->fc, "dax device %u (%s) is going away under its files\n",
		   dev->slot, dev->name);
	/* Files that are being evicted or opened give up their claims. */
	do
		famfs_daxdev_remove_files(dev);
	while (!wait_event_timeout(conn->claimed, !READ_ONCE(dev->nr_claims),
				   DAX_IDLE_TIMEOUT));
}

struct famfs_poison_walk {
	struct inode *inode;
	int mf_flags;
	int err;		/* the first one */
};

/* Goes on after an error: what cannot be told of one page hurts no other. */
static int famfs_poison_range(const struct famfs_range *range, void *data)
{
	struct famfs_poison_walk *poison = data;
	struct address_space *mapping = poison->inode->i_mapping;
	int err;

	err = mf_dax_kill_procs(mapping, range->offset >> PAGE_SHIFT,
				range->len >> PAGE_SHIFT, poison->mf_flags);
	/* Processes that did not ask to be told early find out by faulting. */
	unmap_mapping_range(mapping, range->offset, range->len, 0);
	if (!poison->err)
		poison->err = err;
	return 0;
}

/* Returns 0, FAMFS_CONTENDED, or an error of telling who has it mapped. */
static int famfs_poison_inode(struct inode *inode,
			      const struct famfs_daxdev *dev,
			      const struct famfs_range *where, int mf_flags)
{
	struct famfs_poison_walk poison = {
		.inode		= inode,
		.mf_flags	= mf_flags,
	};
	const struct famfs_map *map;

	/* Faults that have not seen the bad page are through after this. */
	if (!famfs_invalidate_trylock(inode))
		return FAMFS_CONTENDED;
	map = famfs_map_on_dev(inode, dev);
	if (map)
		famfs_map_walk_at(map, where, famfs_poison_range, &poison);
	filemap_invalidate_unlock(inode->i_mapping);
	return poison.err;
}

/*
 * The next file that has pages from @page on is told, and @page moves behind
 * them.  Returns false if there is no file any more.
 */
static bool famfs_poison_next(struct famfs_daxdev *dev, u64 *page, u64 end,
			      const struct famfs_range *where, int mf_flags,
			      int *err)
{
	u64 next = *page;
	struct inode *inode;
	int ret;

	inode = famfs_claim_next_inode(dev, &next, end);
	if (!inode)
		return false;
	ret = famfs_poison_inode(inode, dev, where, mf_flags);
	iput(inode);
	if (ret == FAMFS_CONTENDED) {
		schedule_timeout_uninterruptible(1);
		return true;
	}
	*page = next;
	if (!*err)
		*err = ret;
	return true;
}

/* Every file is told, whatever happens to another; returns the first error. */
static int famfs_poison(struct famfs_daxdev *dev, u64 offset, u64 len,
			int mf_flags)
{
	struct famfs_range where = {
		.addr	= offset & PAGE_MASK,
		.len	= PAGE_ALIGN(offset + len) - (offset & PAGE_MASK),
		.dev	= dev->slot,
	};
	u64 page = where.addr >> PAGE_SHIFT;
	u64 end = page + (where.len >> PAGE_SHIFT);
	struct fuse_conn *fc = dev->conn->fc;
	int err;

	if (offset >= dev->size || len > dev->size - offset)
		return -EOPNOTSUPP;

	err = mtree_store_range(&dev->poison, page, end - 1, dev, GFP_KERNEL);
	guard(rwsem_read)(&fc->killsb);
	while (!list_empty(&fc->mounts) &&
	       famfs_poison_next(dev, &page, end, &where, mf_flags, &err))
		;
	return err;
}

/*
 * Memory failure hurts who maps the failing pages, and nobody else.  Unbinding
 * calls this with the device locked.
 */
static int famfs_notify_failure(struct dax_device *dax_dev, u64 offset,
				u64 len, int mf_flags)
{
	struct famfs_daxdev *dev = dax_holder(dax_dev);

	trace_famfs_failure(dev, offset, len, mf_flags);
	if (!(mf_flags & MF_MEM_PRE_REMOVE))
		return famfs_poison(dev, offset, len, mf_flags);
	famfs_daxdev_remove(dev);
	return 0;
}

const struct dax_holder_operations famfs_holder_ops = {
	.notify_failure	= famfs_notify_failure,
};
