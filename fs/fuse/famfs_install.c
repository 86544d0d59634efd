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
#include "famfs_trace.h"

#include <linux/dax.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

/**
 * famfs_seq_inc() - make replies to what was asked before out of date
 * @inode: the file
 *
 * Context: Takes fuse_inode.lock.
 */
void famfs_seq_inc(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	guard(spinlock)(&fi->lock);
	fi->famfs_seq++;
}

/*
 * The size that a file gets with a map.  What the server has yet to be told, or
 * has been told since it was asked, goes before what it knew, as far as the
 * memory stays the same: other memory has something else behind the size that
 * the server vouches for.  While truncate() is at work the size is what that
 * says.
 */
static loff_t famfs_map_size(struct inode *inode, struct famfs_map *map,
			     const struct famfs_map *old,
			     const struct famfs_fmap_snap *asked)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	u64 size = i_size_read(inode), known = READ_ONCE(fi->famfs_server_size);
	bool told = asked && asked->size != known;

	if (!map->grow)
		return map->file_size;
	if (test_bit(FUSE_I_SIZE_UNSTABLE, &fi->state))
		return min(size, map->mapped);
	if (!old || !(told || famfs_size_untold(inode)))
		return map->file_size;
	size = min3(size, map->mapped, famfs_map_common(map, old));
	size = max(size, map->file_size);
	if (told)
		map->file_size = max(map->file_size, min(size, known));
	return size;
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
	if (READ_ONCE(fi->famfs_nr_cached))
		return FAMFS_IN_USE;
	truncate_inode_pages(mapping, 0);

	/* Attributes from the server change i_flags under this lock alone. */
	guard(spinlock)(&fi->lock);
	if (!mapping_empty(mapping))
		return -EBUSY;
	inode->i_flags |= S_DAX;
	/*
	 * Times move here, not at the server, which sees no write, and so do
	 * privileges: what the VFS believes of them may come from an error.
	 */
	inode->i_flags &= ~(S_NOCMTIME | S_NOSEC);
	mapping->a_ops = &famfs_aops;
	return 0;
}

static void famfs_publish(struct inode *inode, struct famfs_map *map,
			  loff_t size)
{
	struct famfs_conn *conn = get_fuse_conn(inode)->famfs;
	struct fuse_inode *fi = get_fuse_inode(inode);

	/* What was written and cannot be seen any more is lost. */
	if (famfs_size_untold(inode) && size < i_size_read(inode))
		__filemap_set_wb_err(inode->i_mapping, -EIO);
	famfs_size_write(inode, size);
	/* An answer from before counts for nothing as soon as this size counts. */
	scoped_guard(spinlock, &fi->lock) {
		WRITE_ONCE(fi->famfs_server_size, map->file_size);
		fi->famfs_seq++;
	}

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
	famfs_map_put(conn, map);
}

static int famfs_unmap_or_busy(struct inode *inode, const struct famfs_map *map,
			       u64 pos)
{
	if (!famfs_try_unmap(inode, map, pos))
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
	if (old && from < old->claimed)
		err = famfs_unmap_or_busy(inode, old, from);
	if (!err)
		err = famfs_claim_map(get_fuse_conn(inode)->famfs, map, old);
	if (err)
		return err;
	if (size < i_size_read(inode))
		famfs_unmap_behind(inode, size);
	/* Nothing stays writable where the new map is not. */
	if (old && map->readonly && !old->readonly)
		unmap_mapping_range(inode->i_mapping, 0, 0, 0);
	famfs_publish(inode, map, size);
	return 0;
}

static int famfs_install_first(struct inode *inode, struct famfs_map *map,
			       loff_t size)
{
	struct famfs_conn *conn = get_fuse_conn(inode)->famfs;
	int err;

	err = famfs_claim_map(conn, map, NULL);
	if (err)
		return err;
	err = famfs_convert(inode);
	if (err)
		famfs_unclaim_map(conn, map);
	else
		famfs_publish(inode, map, size);
	return err;
}

/*
 * Whoever has this lock of an ordinary inode may wait for the server, which
 * fills the page cache.  So nobody waits for it here, a push as little as a
 * reply: readers would wait behind, and the server's notifications are among
 * them.
 */
static bool famfs_lock_map(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	if (!fuse_is_famfs(inode))
		return down_write_trylock(&mapping->invalidate_lock);
	filemap_invalidate_lock(mapping);
	return true;
}

static int famfs_install_locked(struct inode *inode, struct famfs_map *map,
				const struct famfs_fmap_snap *asked)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	struct famfs_map *old;
	loff_t size;
	int err;

	if (!famfs_lock_map(inode))
		return FAMFS_CONTENDED;
	old = fi->famfs_meta;
	size = famfs_map_size(inode, map, old, asked);
	if (asked && asked->seq != fi->famfs_seq)
		err = FAMFS_OVERTAKEN;
	else if (fuse_is_famfs(inode))
		err = famfs_replace(inode, map, old, size);
	else
		err = famfs_install_first(inode, map, size);
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

/*
 * Whatever the page cache of an ordinary inode has goes first.  What is open
 * stays ordinary, and is left alone: its faults may be waiting for the server.
 */
static int famfs_install_ordinary(struct inode *inode, struct famfs_map *map,
				  const struct famfs_fmap_snap *asked)
{
	struct address_space *mapping = inode->i_mapping;
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err = 0;

	if (READ_ONCE(fi->famfs_nr_cached))
		return asked && asked->seq != READ_ONCE(fi->famfs_seq) ?
			FAMFS_OVERTAKEN : FAMFS_IN_USE;
	if (asked) {
		if (!asked->locked && inode_lock_killable(inode))
			return -EINTR;
		err = filemap_write_and_wait(mapping);
	} else if (!inode_trylock(inode)) {
		return FAMFS_CONTENDED;
	} else if (mapping_tagged(mapping, PAGECACHE_TAG_DIRTY) ||
		   mapping_tagged(mapping, PAGECACHE_TAG_WRITEBACK)) {
		err = -EBUSY;
	}
	if (!err)
		err = famfs_install_locked(inode, map, asked);
	if (!asked || !asked->locked)
		inode_unlock(inode);
	return err;
}

/* Whoever had the lock may be gone soon, or has opened the file meanwhile. */
static int famfs_install_reply(struct inode *inode, struct famfs_map *map,
			       const struct famfs_fmap_snap *asked)
{
	int err;

	for (;;) {
		err = famfs_install_ordinary(inode, map, asked);
		if (err != FAMFS_CONTENDED)
			return err;
		schedule_timeout_killable(1);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
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
 * Return: 0, FAMFS_OVERTAKEN, FAMFS_IN_USE, which is -EBUSY for a push, -EBUSY
 * where pages are pinned or an ordinary file's are cached, -EINTR, or an error
 * of famfs_claims_alloc() or famfs_claim_map().  Unless this is 0 the inode is
 * what it was.
 */
int famfs_install(struct inode *inode, struct famfs_map *map,
		  const struct famfs_fmap_snap *asked)
{
	int err;

	err = famfs_claims_alloc(get_fuse_conn(inode)->famfs, inode, map);
	if (err)
		return err;
	if (fuse_is_famfs(inode))
		return famfs_install_locked(inode, map, asked);
	if (asked)
		return famfs_install_reply(inode, map, asked);
	err = famfs_install_ordinary(inode, map, NULL);
	return err > 0 ? -EBUSY : err;
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

	if (!famfs_lock_map(inode))
		return -EBUSY;
	old = fi->famfs_meta;
	if (old)
		err = famfs_unmap_or_busy(inode, old, 0);
	if (old && !err) {
		WRITE_ONCE(fi->famfs_meta, NULL);
		famfs_unclaim_map(get_fuse_conn(inode)->famfs, old);
	}
	if (!err) {
		clear_bit(FUSE_I_NO_FMAP, &fi->state);
		famfs_seq_inc(inode);
	}
	/* With the lock free the next one may have freed @old. */
	trace_famfs_revoke(inode, old, err);
	filemap_invalidate_unlock(inode->i_mapping);

	if (!err)
		famfs_retire(inode, old);
	return err;
}

/**
 * famfs_evict() - take the map from an inode
 * @inode: an inode of any kind that nobody uses
 *
 * Context: Any in which inodes are evicted, memory reclaim among them.  Waits
 * for nobody: famfs_file_release() keeps inodes whose pages are pinned.
 */
void famfs_evict(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	struct fuse_inode *fi = get_fuse_inode(inode);
	struct famfs_map *map = fi->famfs_meta;

	if (!fuse_is_famfs(inode))
		return;
	/* A fault leaves an entry also where there is no map. */
	if (WARN_ON_ONCE(dax_layout_busy_page(mapping)))
		dax_break_layout_final(inode);
	else
		dax_delete_mapping_range(mapping, 0, LLONG_MAX);
	if (!map)
		return;
	WRITE_ONCE(fi->famfs_meta, NULL);
	famfs_unclaim_map(get_fuse_conn(inode)->famfs, map);
	famfs_retire(inode, map);
}
