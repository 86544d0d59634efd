// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: taking memory away: unmapping, memory failure, unbinding.
 *
 * A mapping is zapped at once.  A pin ends when its owner drops it, and the
 * context decides who may wait for that: a task that truncates the file does,
 * killably, and the server never does.
 *
 * fs_put_dax() waits for a running ->notify_failure(), so the callback may use
 * the device and its connection.  It must not drop a reference whose last put
 * releases the device.
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

/**
 * famfs_invalidate_trylock() - lock the fmap of an inode for a change
 * @inode: a regular file
 *
 * A holder of the invalidate_lock of a cached inode may wait for the server,
 * which fills the page cache.  So neither a reply nor a push may wait for this
 * lock: readers would queue up after the writer, and the server's notifications
 * are among them.  An inode with claims can be a cached one as well, while its
 * first fmap is being installed.
 *
 * Return: true with invalidate_lock held for writing, false if it was
 * contended.
 */
bool famfs_invalidate_trylock(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	if (!fuse_is_famfs(inode))
		return down_write_trylock(&mapping->invalidate_lock);
	filemap_invalidate_lock(mapping);
	return true;
}

/**
 * famfs_delete_entries() - delete DAX entries from an offset on
 * @inode: the file
 * @map: its fmap, or NULL
 * @pos: offset; nothing beyond it is mapped or pinned
 *
 * Dirty cache lines are written back first: a pin may have stored until now.
 *
 * Context: invalidate_lock is held for writing, or the inode is being evicted.
 */
void famfs_delete_entries(struct inode *inode, const struct famfs_map *map,
			  u64 pos)
{
	struct dax_device *dax_dev = map ? famfs_live_dax_dev(map) : NULL;

	if (dax_dev)
		famfs_flush_cpu_cache(inode->i_mapping, dax_dev);
	dax_delete_mapping_range(inode->i_mapping, pos, LLONG_MAX);
}

/**
 * famfs_try_unmap() - unmap a file from an offset on, unless pages are pinned
 * @inode: the file
 * @map: its fmap
 * @pos: offset; a huge entry that extends beyond it is deleted as a whole
 *
 * Pages before @pos that share a huge page with it are unmapped too, because
 * they may be mapped one by one, but pins on them do not matter.
 *
 * Context: invalidate_lock is held for writing.
 * Return: NULL, or a pinned page.  In that case only page tables have been
 * zapped.
 */
struct page *famfs_try_unmap(struct inode *inode, const struct famfs_map *map,
			     u64 pos)
{
	struct address_space *mapping = inode->i_mapping;
	u64 size = PAGE_SIZE << xa_get_order(&mapping->i_pages,
					     pos >> PAGE_SHIFT);
	u64 huge = round_down(pos, size);
	struct page *busy;

	lockdep_assert_held_write(&mapping->invalidate_lock);
	if (huge < pos)
		unmap_mapping_pages(mapping, huge >> PAGE_SHIFT,
				    (pos - huge) >> PAGE_SHIFT, false);
	busy = dax_layout_busy_page_range(mapping, pos, LLONG_MAX);
	if (!busy)
		famfs_delete_entries(inode, map, pos);
	return busy;
}

/**
 * famfs_wait_page_idle() - drop invalidate_lock and wait for a pinned page
 * @inode: the inode that was passed to famfs_try_unmap()
 * @busy: the page that it returned
 *
 * The pgmap reference keeps the struct page valid while the task sleeps.
 *
 * Context: invalidate_lock is held for writing, and released.  Killable, and
 * limited in time: the caller unmaps the page and looks again.
 * Return: 0 or -EINTR.
 */
int famfs_wait_page_idle(struct inode *inode, struct page *busy)
{
	struct dev_pagemap *pgmap = get_dev_pagemap(page_to_pfn(busy));

	lockdep_assert_held_write(&inode->i_mapping->invalidate_lock);
	filemap_invalidate_unlock(inode->i_mapping);
	return dax_wait_page_idle(busy, pgmap, TASK_KILLABLE) ? -EINTR : 0;
}

/**
 * famfs_unmap_beyond() - unmap everything beyond the end of a file
 * @inode: the file
 * @size: its new size
 *
 * Private copies are unmapped as well: faults beyond EOF get SIGBUS, and if the
 * file grows again they see zeros.
 *
 * Context: invalidate_lock is held for writing.
 */
void famfs_unmap_beyond(struct inode *inode, loff_t size)
{
	lockdep_assert_held_write(&inode->i_mapping->invalidate_lock);
	unmap_mapping_pages(inode->i_mapping, PAGE_ALIGN(size) >> PAGE_SHIFT, 0,
			    true);
}

/*
 * Return the inode's fmap if it uses @dev.  The slot may have another device by
 * now, if the server closed @dev when no fmap used it.
 */
static struct famfs_map *famfs_map_on_dev(struct inode *inode,
					  const struct famfs_daxdev *dev)
{
	struct famfs_map *map = famfs_inode_map(inode);

	lockdep_assert_held_write(&inode->i_mapping->invalidate_lock);
	return map && map->devs[dev->slot] == dev ? map : NULL;
}

/*
 * Unmap a file with pages on @dev and, unless a page is pinned, delete all its
 * entries, also those on other devices: the file may have more extents than
 * there is time to look at.
 *
 * Taking invalidate_lock waits for faults that saw the device alive.
 * kill_dax() waits for reads and writes that have the memory, and others see
 * the device dead.
 *
 * Returns true if done.  Otherwise @busy is a pinned page, maybe of another
 * device, with @pgmap for dax_wait_page_idle(), or NULL if the lock was
 * contended.
 */
static bool famfs_daxdev_revoke_inode(struct inode *inode,
				      struct famfs_daxdev *dev,
				      struct page **busy,
				      struct dev_pagemap **pgmap)
{
	struct address_space *mapping = inode->i_mapping;
	struct famfs_map *map;

	*busy = NULL;
	*pgmap = NULL;
	if (!famfs_invalidate_trylock(inode))
		return false;
	map = famfs_map_on_dev(inode, dev);
	/*
	 * Without an fmap none can be installed any more: the device is dead.
	 */
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
 * Revoke @dev from the first file at or after @page, and set @done unless it is
 * to be tried again, see famfs_daxdev_revoke_inode().  Returns false if no file
 * is left.
 */
static bool famfs_daxdev_remove_next(struct famfs_daxdev *dev, u64 *page,
				     bool *done, struct page **busy,
				     struct dev_pagemap **pgmap)
{
	struct fuse_conn *fc = dev->conn->fc;
	struct inode *inode = NULL;
	u64 next = *page;

	guard(rwsem_read)(&fc->killsb);
	if (!list_empty(&fc->mounts))
		inode = famfs_claim_next_inode(dev, &next,
					       dev->size >> PAGE_SHIFT);
	if (!inode)
		return false;
	*done = famfs_daxdev_revoke_inode(inode, dev, busy, pgmap);
	if (*done)
		*page = next;
	iput(inode);
	return true;
}

/* Revoke the device from all files, waiting for pins. */
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
			dax_wait_page_idle(busy, pgmap, TASK_UNINTERRUPTIBLE);
		else
			schedule_timeout_uninterruptible(1);
	}
}

/*
 * Returns when no page of the device is in use, and none will be.  The owner of
 * a pin may have to fault, or wait for the server, before it drops the pin, so
 * no lock of the connection is held during the wait.  Pins may change while
 * this sleeps, so everything is looked up again.
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
	/* Files that are being evicted or opened drop their claims. */
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

/* Continue after an error: one page must not keep others from being handled. */
static int famfs_poison_range(const struct famfs_range *range, void *data)
{
	struct famfs_poison_walk *poison = data;
	struct address_space *mapping = poison->inode->i_mapping;
	int err;

	err = mf_dax_kill_procs(mapping, range->offset >> PAGE_SHIFT,
				range->len >> PAGE_SHIFT, poison->mf_flags);
	/* Processes without early kill find out by faulting. */
	unmap_mapping_range(mapping, range->offset, range->len, 0);
	if (!poison->err)
		poison->err = err;
	return 0;
}

/* Returns 0, FAMFS_CONTENDED, or the first error of mf_dax_kill_procs(). */
static int famfs_poison_inode(struct inode *inode,
			      const struct famfs_daxdev *dev,
			      const struct famfs_range *where, int mf_flags)
{
	struct famfs_poison_walk poison = {
		.inode		= inode,
		.mf_flags	= mf_flags,
	};
	const struct famfs_map *map;

	/*
	 * The driver has noted the poison.  Taking invalidate_lock waits for
	 * faults and I/O that did not see it.
	 */
	if (!famfs_invalidate_trylock(inode))
		return FAMFS_CONTENDED;
	map = famfs_map_on_dev(inode, dev);
	if (map)
		famfs_map_walk_at(map, where, famfs_poison_range, &poison);
	filemap_invalidate_unlock(inode->i_mapping);
	return poison.err;
}

/*
 * Handle the first file at or after @page, and advance @page.  Returns false if
 * no file is left.
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

/* Handle every file, and return the first error. */
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
	int err = 0;

	if (offset >= dev->size || len > dev->size - offset)
		return -EOPNOTSUPP;

	/* Pages whose lines are being dropped need not be any file's yet. */
	down_write(&dev->conn->drop_rwsem);
	up_write(&dev->conn->drop_rwsem);
	guard(rwsem_read)(&fc->killsb);
	while (!list_empty(&fc->mounts) &&
	       famfs_poison_next(dev, &page, end, &where, mf_flags, &err))
		;
	return err;
}

/*
 * A memory failure affects only processes that map the failing pages.
 * Unbinding calls this with the device locked.
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
