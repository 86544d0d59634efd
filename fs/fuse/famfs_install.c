// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: how an inode is given a map, another one, or none any more.
 *
 * A server may change a map while the file is in use, and while it has requests
 * of its own under way on the inode.  So nothing here waits for what the server
 * could be keeping: whoever has i_rwsem may wait for the server, whoever has
 * invalidate_lock does not.
 */

#include "famfs.h"
#include "famfs_io.h"
#include "famfs_trace.h"

#include <linux/dax.h>
#include <linux/memremap.h>
#include <linux/pagemap.h>
#include <linux/wait_bit.h>

/*
 * The size that a file gets with a map.  What the server has yet to be told, or
 * has been told since it was asked, goes before what it knew.
 */
static loff_t famfs_map_size(struct inode *inode, const struct famfs_map *map,
			     const struct famfs_asked *asked)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	guard(spinlock)(&fi->lock);
	if (map->grow && (test_bit(FUSE_I_FMAP_SIZE, &fi->state) ||
			  test_bit(FUSE_I_SIZE_UNSTABLE, &fi->state) ||
			  (asked && asked->told != fi->famfs_told)))
		return min_t(u64, i_size_read(inode), map->mapped);
	return map->file_size;
}

/*
 * Makes an ordinary inode one of this kind.  What has its pages cached stays
 * ordinary, and so does what somebody has open: its mappings would stay what
 * they are.
 */
static int famfs_convert(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	struct fuse_inode *fi = get_fuse_inode(inode);

	/* This stays so: opening waits for invalidate_lock. */
	if (READ_ONCE(fi->famfs_plain))
		return -EBUSY;
	truncate_inode_pages(mapping, 0);

	/* Attributes from the server change i_flags under this lock alone. */
	guard(spinlock)(&fi->lock);
	if (!mapping_empty(mapping))
		return -EBUSY;
	inode->i_flags |= S_DAX;
	/* Times move here, not at the server, which sees no write. */
	inode->i_flags &= ~S_NOCMTIME;
	mapping->a_ops = &famfs_aops;
	return 0;
}

static void famfs_publish(struct inode *inode, struct famfs_map *map,
			  loff_t size)
{
	struct famfs_conn *conn = get_fuse_conn(inode)->famfs;
	struct fuse_inode *fi = get_fuse_inode(inode);

	spin_lock(&fi->lock);
	fi->attr_version = atomic64_inc_return(&get_fuse_conn(inode)->attr_version);
	i_size_write(inode, size);
	if (!map->grow)
		clear_bit(FUSE_I_FMAP_SIZE, &fi->state);
	spin_unlock(&fi->lock);

	atomic_long_inc(&conn->nr_maps);
	atomic_long_add(map->nr_extents + map->nr_strips, &conn->nr_extents);

	/* Pairs with famfs_is_mapped(). */
	smp_store_release(&fi->famfs_meta, map);
}

/* Frees a map that has been replaced, its claims given up. */
static void famfs_retire(struct inode *inode, struct famfs_map *map)
{
	struct famfs_conn *conn = get_fuse_conn(inode)->famfs;

	if (!map)
		return;
	atomic_long_dec(&conn->nr_maps);
	atomic_long_sub(map->nr_extents + map->nr_strips, &conn->nr_extents);
	famfs_map_free(map);
}

/* Dirty cache lines go to the memory that they belong to. */
static void famfs_forget(struct inode *inode, const struct famfs_map *map,
			 u64 pos)
{
	struct dax_device *dax_dev = famfs_map_alive(map);

	if (dax_dev)
		famfs_flush(inode->i_mapping, dax_dev);
	dax_delete_mapping_range(inode->i_mapping, pos, LLONG_MAX);
}

/**
 * famfs_try_forget() - take a file's mappings away
 * @inode: the file
 * @map: its map
 * @pos: from where on; huge entries go whole
 *
 * Context: invalidate_lock is held for writing.
 * Return: NULL, or a page that is pinned.  Then nothing has changed but that
 * others have to fault again.
 */
struct page *famfs_try_forget(struct inode *inode, const struct famfs_map *map,
			      u64 pos)
{
	struct page *busy;

	pos = round_down(pos, PMD_SIZE);
	busy = dax_layout_busy_page_range(inode->i_mapping, pos, LLONG_MAX);
	if (!busy)
		famfs_forget(inode, map, pos);
	return busy;
}

/**
 * famfs_wait_idle() - wait until nobody has pinned a page any more
 * @inode: the inode that famfs_try_forget() was called for
 * @busy: the page that it returned
 * @state: TASK_KILLABLE or TASK_UNINTERRUPTIBLE
 *
 * Whoever has pinned the page may have to fault before it lets go, so
 * invalidate_lock is dropped.  The struct page must not go with its device
 * meanwhile.
 *
 * Context: invalidate_lock is held for writing, and free afterwards.
 * Return: 0 or -ERESTARTSYS.
 */
int famfs_wait_idle(struct inode *inode, struct page *busy, unsigned int state)
{
	struct dev_pagemap *pgmap = get_dev_pagemap(page_to_pfn(busy));
	int err = 0;

	filemap_invalidate_unlock(inode->i_mapping);
	if (pgmap)
		err = ___wait_var_event(busy, dax_page_is_idle(busy), state, 0,
					0, schedule());
	put_dev_pagemap(pgmap);
	return err;
}

static int famfs_forget_old(struct inode *inode, const struct famfs_map *map,
			    u64 pos)
{
	if (!famfs_try_forget(inode, map, pos))
		return 0;
	pr_debug("node %llu has pinned pages and keeps its map\n",
		 get_fuse_inode(inode)->nodeid);
	return -EBUSY;
}

/* From where on a new map changes what can be seen. */
static u64 famfs_change_from(struct inode *inode, const struct famfs_map *map,
			     const struct famfs_map *old, loff_t size)
{
	u64 pos = famfs_map_common(map, old);

	if (size < i_size_read(inode))
		pos = min_t(u64, pos, PAGE_ALIGN(size));
	return pos;
}

/*
 * The old entries go before the old claims: others may claim these pages at
 * once, and no page can have two entries.
 */
static int famfs_replace(struct inode *inode, struct famfs_map *map,
			 struct famfs_map *old, loff_t size)
{
	u64 from = old ? famfs_change_from(inode, map, old, size) : 0;
	int err = 0;

	/* Where the file only grows there is nothing to forget. */
	if (old && from < old->mapped)
		err = famfs_forget_old(inode, old, from);
	if (!err)
		err = famfs_claim(get_fuse_conn(inode)->famfs, map, old);
	if (!err)
		famfs_publish(inode, map, size);
	return err;
}

static int famfs_install_first(struct inode *inode, struct famfs_map *map,
			       loff_t size)
{
	struct famfs_conn *conn = get_fuse_conn(inode)->famfs;
	int err;

	err = famfs_claim(conn, map, NULL);
	if (err)
		return err;
	err = famfs_convert(inode);
	if (err)
		famfs_unclaim(conn, map);
	else
		famfs_publish(inode, map, size);
	return err;
}

/*
 * Whoever has this lock of an ordinary inode may wait for the server, which
 * fills the page cache.  So what the server sends unasked does not wait for it.
 */
static bool famfs_lock_unasked(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	if (!fuse_is_famfs(inode))
		return down_write_trylock(&mapping->invalidate_lock);
	filemap_invalidate_lock(mapping);
	return true;
}

static int famfs_install_locked(struct inode *inode, struct famfs_map *map,
				const struct famfs_asked *asked)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	struct famfs_map *old;
	loff_t size;
	int err;

	if (asked)
		filemap_invalidate_lock(inode->i_mapping);
	else if (!famfs_lock_unasked(inode))
		return -EBUSY;
	famfs_change_begin(inode);
	old = fi->famfs_meta;
	size = famfs_map_size(inode, map, asked);
	if (asked && asked->seq != fi->famfs_seq)
		err = -EOPENSTALE;
	else if (fuse_is_famfs(inode))
		err = famfs_replace(inode, map, old, size);
	else
		err = famfs_install_first(inode, map, size);
	if (!err)
		fi->famfs_seq++;
	famfs_change_end(inode);
	/* With the lock free the next one may have freed @map. */
	if (old)
		trace_famfs_replace(inode, map, err);
	else
		trace_famfs_install(inode, map, err);
	filemap_invalidate_unlock(inode->i_mapping);

	if (!err)
		famfs_retire(inode, old);
	return err;
}

/* Whatever the page cache of an ordinary inode has goes first. */
static int famfs_install_ordinary(struct inode *inode, struct famfs_map *map,
				  const struct famfs_asked *asked)
{
	struct address_space *mapping = inode->i_mapping;
	int err = 0;

	if (asked) {
		inode_lock(inode);
		err = filemap_write_and_wait(mapping);
	} else if (!inode_trylock(inode)) {
		return -EBUSY;
	} else if (mapping_tagged(mapping, PAGECACHE_TAG_DIRTY) ||
		   mapping_tagged(mapping, PAGECACHE_TAG_WRITEBACK)) {
		err = -EBUSY;
	}
	if (!err)
		err = famfs_install_locked(inode, map, asked);
	inode_unlock(inode);
	return err;
}

/**
 * famfs_install() - give an inode a map
 * @inode: a regular file
 * @map: the map; the inode's if this succeeds
 * @asked: for a reply, how it was before the request; NULL for what the server
 *	   sends unasked
 *
 * The inode is ordinary, or has a map, which is replaced, or has lost it.
 * Afterwards nobody sees the old map.
 *
 * Context: A reply may wait for the server, and wants i_rwsem free or the inode
 * mapped.  A push waits for nothing that the server could be keeping.
 * Return: 0, -EBUSY where pages are pinned, or claimed for another file, or the
 * ordinary file is in use, -EOPENSTALE for a reply that has been overtaken, or
 * an error of famfs_claims_alloc().  After errors the inode is what it was.
 */
int famfs_install(struct inode *inode, struct famfs_map *map,
		  const struct famfs_asked *asked)
{
	int err;

	err = famfs_claims_alloc(get_fuse_conn(inode)->famfs, inode, map);
	if (err)
		return err;
	if (fuse_is_famfs(inode))
		return famfs_install_locked(inode, map, asked);
	return famfs_install_ordinary(inode, map, asked);
}

/**
 * famfs_revoke() - forget what is known about the map of an inode
 * @inode: a regular file
 *
 * Context: Waits for nothing that the server could be keeping.
 * Return: 0, -EBUSY where pages are pinned, or the file is ordinary and in use.
 */
int famfs_revoke(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	struct famfs_map *old;
	int err = 0;

	if (!famfs_lock_unasked(inode))
		return -EBUSY;
	famfs_change_begin(inode);
	old = fi->famfs_meta;
	if (old)
		err = famfs_forget_old(inode, old, 0);
	if (old && !err) {
		WRITE_ONCE(fi->famfs_meta, NULL);
		famfs_unclaim(get_fuse_conn(inode)->famfs, old);
	}
	if (!err) {
		clear_bit(FUSE_I_NO_FMAP, &fi->state);
		fi->famfs_seq++;
	}
	famfs_change_end(inode);
	/* With the lock free the next one may have freed @old. */
	trace_famfs_revoke(inode, old, err);
	filemap_invalidate_unlock(inode->i_mapping);

	if (!err)
		famfs_retire(inode, old);
	return err;
}

/**
 * famfs_drop_map() - take away a map with memory that the server has back
 * @inode: a mapped inode
 *
 * The memory must not be written any more, so this gives up never.
 *
 * Context: i_rwsem is held for writing.
 */
void famfs_drop_map(struct inode *inode)
{
	const struct famfs_map *map;
	struct page *busy;

	while (famfs_revoke(inode)) {
		filemap_invalidate_lock(inode->i_mapping);
		map = famfs_inode_map(inode);
		busy = map ? famfs_try_forget(inode, map, 0) : NULL;
		if (busy)
			famfs_wait_idle(inode, busy, TASK_UNINTERRUPTIBLE);
		else
			filemap_invalidate_unlock(inode->i_mapping);
	}
}

/**
 * famfs_evict() - take the map from an inode
 * @inode: an inode of any kind that nobody uses, its DAX entries gone
 */
void famfs_evict(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	struct famfs_map *map = fi->famfs_meta;

	if (!map)
		return;
	WRITE_ONCE(fi->famfs_meta, NULL);
	famfs_unclaim(get_fuse_conn(inode)->famfs, map);
	famfs_retire(inode, map);
}
