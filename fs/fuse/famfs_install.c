// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: installing, replacing and revoking the fmap of an inode.
 *
 * A server may change an fmap while the file is in use, and while requests
 * about the inode are in flight.  So nothing here waits for anything that the
 * server may hold: holders of i_rwsem may wait for the server, holders of
 * invalidate_lock do not.
 */

#include "famfs.h"
#include "famfs_trace.h"

#include <linux/dax.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

/**
 * famfs_seq_inc() - make replies to earlier requests stale
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

/**
 * famfs_snap_stale() - check whether a reply has been overtaken by a change
 * @inode: the file
 * @snap: from before the request, or NULL for a push
 *
 * Return: true if the reply is void, whether right or wrong.
 */
bool famfs_snap_stale(struct inode *inode,
		      const struct famfs_fmap_snap *snap)
{
	return snap && snap->seq != READ_ONCE(get_fuse_inode(inode)->famfs_seq);
}

/*
 * The size that a file gets with an fmap.  A dirty size, or one that was
 * flushed after the request, takes precedence over the server's, as long as the
 * memory stays the same: other memory has other bytes beyond the size in the
 * fmap.  During truncate() the size is local, with the same limit.
 */
static loff_t famfs_map_size(struct inode *inode, struct famfs_map *map,
			     const struct famfs_map *old,
			     const struct famfs_fmap_snap *snap)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	u64 size = i_size_read(inode), known = READ_ONCE(fi->famfs_server_size);
	bool local = test_bit(FUSE_I_SIZE_UNSTABLE, &fi->state);
	bool told = snap && snap->size != known;
	u64 common;

	if (!map->grow)
		return map->file_size;
	/* By the same sample: an answer in between makes the size neither. */
	if (!local && (!old || !(told || size > known)))
		return map->file_size;
	common = old ? famfs_map_common_len(map, old) : 0;
	if (local)
		return min3(size, map->mapped, max(common, map->file_size));
	size = min3(size, map->mapped, common);
	size = max(size, map->file_size);
	if (told)
		map->file_size = max(map->file_size, min(size, known));
	return size;
}

/*
 * Turn a page-cached inode into a DAX inode.  Fails if it has cached pages or is
 * open: existing VMAs cannot be converted.
 */
static int famfs_convert(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	struct fuse_inode *fi = get_fuse_inode(inode);

	lockdep_assert_held_write(&mapping->invalidate_lock);
	/* Stable: famfs_cached_open() takes invalidate_lock. */
	if (READ_ONCE(fi->famfs_nr_cached))
		return FAMFS_IN_USE;
	truncate_inode_pages(mapping, 0);

	/* Attribute updates change i_flags under this lock alone. */
	guard(spinlock)(&fi->lock);
	if (!mapping_empty(mapping))
		return -EBUSY;
	inode->i_flags |= S_DAX;
	WRITE_ONCE(fi->famfs_server_size, i_size_read(inode));
	/*
	 * Times are local, since the server sees no write, and so is S_NOSEC:
	 * the VFS may have set it after an error.
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

	lockdep_assert_held_write(&inode->i_mapping->invalidate_lock);
	WARN_ON_ONCE(!fuse_is_famfs(inode) || size > map->mapped);
	/* Bytes beyond the new size were written and are lost. */
	if (famfs_size_dirty(inode) && size < i_size_read(inode))
		__filemap_set_wb_err(inode->i_mapping, -EIO);
	/* No request sends one of these without the others, no answer does. */
	scoped_guard(spinlock, &fi->lock) {
		famfs_size_write_locked(inode, size);
		WRITE_ONCE(fi->famfs_server_size, map->file_size);
		fi->famfs_seq++;
	}

	mapping_set_longterm_pin(inode->i_mapping, map->longterm_pin);
	atomic_long_inc(&conn->nr_maps);
	atomic_long_add(map->nr_extents + map->nr_strips, &conn->nr_extents);

	/* Pairs with famfs_fmap_known(). */
	smp_store_release(&fi->famfs_meta, map);
}

/* Frees an fmap that was replaced or revoked, and has no claims. */
static void famfs_unpublish(struct inode *inode, struct famfs_map *map)
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

/* First offset that differs; all of the file if pins may not last any more. */
static u64 famfs_map_diff_start(struct inode *inode,
				const struct famfs_map *map,
				const struct famfs_map *old, loff_t size)
{
	u64 pos = famfs_map_common_len(map, old);

	if (old->longterm_pin && !map->longterm_pin)
		return 0;
	if (size < i_size_read(inode))
		pos = min_t(u64, pos, PAGE_ALIGN(size));
	return pos;
}

/*
 * The old entries are deleted before the old claims: others may claim these
 * pages at once, and no page can have two entries.
 */
static int famfs_replace(struct inode *inode, struct famfs_map *map,
			 struct famfs_map *old, loff_t size)
{
	u64 from = old ? famfs_map_diff_start(inode, map, old, size) : 0;
	int err = famfs_drop_end(inode, map);

	/* Nothing to unmap if the file only grows. */
	if (!err && old && from < old->claimed)
		err = famfs_unmap_or_busy(inode, old, from);
	if (!err)
		err = famfs_claim_map(get_fuse_conn(inode)->famfs, map, old);
	if (err)
		return err;
	if (size < i_size_read(inode))
		famfs_unmap_beyond(inode, size);
	/* No mapping stays writable if the new fmap is read-only. */
	if (old && map->readonly && !old->readonly)
		unmap_mapping_range(inode->i_mapping, 0, 0, 0);
	famfs_publish(inode, map, size);
	return 0;
}

static int famfs_install_new(struct inode *inode, struct famfs_map *map,
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

static int famfs_install_locked(struct inode *inode, struct famfs_map *map,
				const struct famfs_fmap_snap *snap)
{
	struct famfs_map *old;
	loff_t size;
	int err;

	if (!famfs_invalidate_trylock(inode))
		return FAMFS_CONTENDED;
	old = famfs_inode_map(inode);
	size = famfs_map_size(inode, map, old, snap);
	if (famfs_snap_stale(inode, snap))
		err = FAMFS_STALE;
	else if (fuse_is_famfs(inode))
		err = famfs_replace(inode, map, old, size);
	else
		err = famfs_install_new(inode, map, size);
	/* Once the lock is free, another change may free @map. */
	if (old)
		trace_famfs_replace(inode, map, err);
	else
		trace_famfs_install(inode, map, err);
	filemap_invalidate_unlock(inode->i_mapping);

	if (!err)
		famfs_unpublish(inode, old);
	return err;
}

/*
 * The page cache of a cached inode is dropped first.  An open file stays
 * cached, and is not disturbed: its faults may be waiting for the server.
 */
static int famfs_convert_and_install(struct inode *inode, struct famfs_map *map,
				     const struct famfs_fmap_snap *snap)
{
	struct address_space *mapping = inode->i_mapping;
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err = 0;

	if (READ_ONCE(fi->famfs_nr_cached))
		return famfs_snap_stale(inode, snap) ? FAMFS_STALE :
						       FAMFS_IN_USE;
	if (snap) {
		if (!snap->locked && inode_lock_killable(inode))
			return -EINTR;
		err = filemap_write_and_wait(mapping);
	} else if (!inode_trylock(inode)) {
		return FAMFS_CONTENDED;
	} else if (mapping_tagged(mapping, PAGECACHE_TAG_DIRTY) ||
		   mapping_tagged(mapping, PAGECACHE_TAG_WRITEBACK)) {
		err = -EBUSY;
	}
	if (!err)
		err = famfs_install_locked(inode, map, snap);
	if (!snap || !snap->locked)
		inode_unlock(inode);
	return err;
}

/* The lock may be free soon, or its holder may have opened the file. */
static int famfs_install_wait(struct inode *inode, struct famfs_map *map,
			      const struct famfs_fmap_snap *snap)
{
	int err;

	for (;;) {
		err = famfs_convert_and_install(inode, map, snap);
		if (err != FAMFS_CONTENDED)
			return err;
		schedule_timeout_killable(1);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
}

/*
 * Give an inode an fmap, the first one or another.  Afterwards nobody sees the
 * old fmap.
 *
 * Context: A reply may wait for the server, and needs i_rwsem free or an fmap
 * inode.  A push waits for nothing that the server may hold.
 *
 * Returns 0, FAMFS_STALE, FAMFS_IN_USE, which is -EBUSY for a push, -EBUSY if
 * pages are pinned or cached, -EINTR, or an error of famfs_claims_alloc(),
 * famfs_drop_new() or famfs_claim_map().  After errors the inode is unchanged.
 */
static int famfs_install(struct inode *inode, struct famfs_map *map,
			 const struct famfs_fmap_snap *snap)
{
	int err;

	err = famfs_claims_alloc(get_fuse_conn(inode)->famfs, inode, map);
	if (err)
		return err;
	do {
		err = famfs_snap_stale(inode, snap) ? FAMFS_STALE :
		      famfs_drop_new(inode, map);
		if (err)
			continue;
		if (fuse_is_famfs(inode))
			err = famfs_install_locked(inode, map, snap);
		else if (snap)
			err = famfs_install_wait(inode, map, snap);
		else
			err = famfs_convert_and_install(inode, map, NULL);
	} while (err == FAMFS_UNDROPPED);
	return err > 0 && !snap ? -EBUSY : err;
}

static struct famfs_map *famfs_map_parse_logged(struct inode *inode,
						const void *msg, size_t size)
{
	struct famfs_parse_error error = {};
	struct famfs_map *map;

	map = famfs_map_parse(msg, size, &error);
	if (error.why)
		pr_debug("fmap of node %llu refused at byte %zu: %s\n",
			 get_fuse_inode(inode)->nodeid, error.pos, error.why);
	if (IS_ERR(map))
		trace_famfs_install(inode, NULL, PTR_ERR(map));
	return map;
}

/* An inode that has had an fmap cannot use FUSE_READ and FUSE_WRITE again. */
static int famfs_install_none(struct inode *inode, u32 seq)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err = 0;

	filemap_invalidate_lock_shared(inode->i_mapping);
	if (seq != fi->famfs_seq)
		err = FAMFS_STALE;
	else if (fuse_is_famfs(inode))
		err = -EIO;
	else
		WRITE_ONCE(fi->famfs_meta, FAMFS_NO_FMAP);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return err;
}

/**
 * famfs_install_msg() - parse and install the fmap in a message
 * @inode: a regular file
 * @msg: the message
 * @size: its length in bytes; a reply may be empty
 * @snap: for a reply, from before the request; NULL for a push
 *
 * A reply may cause requests about devices.
 *
 * Context: As famfs_install().
 * Return: 0, FAMFS_STALE, FAMFS_IN_USE, an error of the fmap or of a device,
 * -EIO for an empty reply about an fmap inode.
 */
int famfs_install_msg(struct inode *inode, const void *msg, size_t size,
		      const struct famfs_fmap_snap *snap)
{
	struct famfs_map *map;
	int err;

	if (!size && snap)
		return famfs_install_none(inode, snap->seq);
	/* Do not ask for devices of a stale fmap. */
	if (famfs_snap_stale(inode, snap))
		return FAMFS_STALE;
	map = famfs_map_parse_logged(inode, msg, size);
	if (IS_ERR(map))
		return PTR_ERR(map);
	err = famfs_daxdevs_resolve(get_fuse_mount(inode), map, snap);
	if (!err)
		err = famfs_install(inode, map, snap);
	if (err)
		famfs_map_put(get_fuse_conn(inode)->famfs, map);
	/* The error of a stale fmap does not matter. */
	if (err < 0 && err != -EINTR && famfs_snap_stale(inode, snap))
		return FAMFS_STALE;
	return err;
}

/**
 * famfs_revoke() - drop the fmap of an inode, or the knowledge that it has none
 * @inode: a regular file
 *
 * Context: Waits for nothing that the server may hold.
 * Return: 0, -EBUSY if pages are pinned, or if the file is cached and in use.
 */
int famfs_revoke(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	struct famfs_map *old;
	int err = 0;

	if (!famfs_invalidate_trylock(inode))
		return -EBUSY;
	old = famfs_inode_map(inode);
	if (old)
		err = famfs_unmap_or_busy(inode, old, 0);
	if (!err) {
		WRITE_ONCE(fi->famfs_meta, NULL);
		mapping_set_longterm_pin(inode->i_mapping, false);
		if (old)
			famfs_unclaim_map(get_fuse_conn(inode)->famfs, old);
		famfs_seq_inc(inode);
	}
	/* Once the lock is free, another change may free @old. */
	trace_famfs_revoke(inode, old, err);
	filemap_invalidate_unlock(inode->i_mapping);

	if (!err)
		famfs_unpublish(inode, old);
	return err;
}

/**
 * famfs_evict() - drop the fmap of an inode that is being evicted
 * @inode: an inode of any kind without users
 *
 * Context: Any context in which inodes are evicted, including memory reclaim.
 * Does not wait: famfs_file_release() keeps inodes with pinned pages.
 */
void famfs_evict(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	struct famfs_map *map = famfs_inode_map(inode);

	if (!fuse_is_famfs(inode))
		return;
	/* A fault leaves an entry also if there is no fmap. */
	if (WARN_ON_ONCE(dax_layout_busy_page(mapping)))
		dax_break_layout_final(inode);
	else
		famfs_delete_entries(inode, map, 0);
	if (!map)
		return;
	WRITE_ONCE(get_fuse_inode(inode)->famfs_meta, NULL);
	famfs_unclaim_map(get_fuse_conn(inode)->famfs, map);
	famfs_unpublish(inode, map);
}
