// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: truncate() and other changes of attributes.
 *
 * FUSE_SETATTR is sent to the server as for any file.  The order around it lets
 * the server, or this host, stop at any point:
 *
 * A file shrinks here first: memory beyond the new EOF is unreachable before
 * the server learns that it has that memory back.  Then the fmap is fetched
 * again, or cut down here if that fails.
 *
 * A file grows at the server last: memory is present and zeroed before the
 * server learns the new size.
 *
 * Until the server has answered, i_size is local (FUSE_I_SIZE_UNSTABLE)
 * whatever fmaps the server sends.
 */

#include "famfs.h"

#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

/**
 * famfs_truncate_fetch() - fetch the fmap of a file before it is truncated
 * @inode: an inode of any kind
 * @attr: the change
 *
 * The file need not be open, but the order of a truncate depends on whether the
 * inode is an fmap inode.  A cached inode that is open stays cached.
 *
 * Context: i_rwsem is held for writing.  May wait for the server, killably
 * until it has read the request.
 * Return: 0 also if the file has no fmap, or an error of famfs_fetch().
 */
int famfs_truncate_fetch(struct inode *inode, const struct iattr *attr)
{
	int err;

	if (!(attr->ia_valid & ATTR_SIZE) || fuse_is_famfs(inode))
		return 0;
	/* i_rwsem is held, so FUSE_I_FMAP_LOCK cannot be taken. */
	err = famfs_fetch_retry(inode, true);
	return err == FAMFS_IN_USE ? 0 : err;
}

/**
 * famfs_setattr_check() - check whether an attribute change is allowed
 * @inode: an fmap inode
 * @attr: the change; an unchanged fixed size is removed from it
 *
 * Context: i_rwsem is held.  May wait for the server.
 * Return: 0, -EPERM for another size than a fixed one, an error of
 * famfs_fetch_retry().
 */
int famfs_setattr_check(struct inode *inode, struct iattr *attr)
{
	int err;

	lockdep_assert_held_write(&inode->i_rwsem);
	if (!(attr->ia_valid & ATTR_SIZE))
		return 0;
	/* i_rwsem is held, so FUSE_I_FMAP_LOCK cannot be taken. */
	err = famfs_fetch_retry(inode, false);
	if (err)
		return err;
	/* O_TRUNC is not sent to the server: truncate with FUSE_SETATTR. */
	attr->ia_valid &= ~ATTR_OPEN;
	/* Truncating to the current size frees memory beyond EOF. */
	err = famfs_can_resize(inode);
	if (err)
		return min(err, 0);
	if (attr->ia_size != i_size_read(inode))
		return -EPERM;
	attr->ia_valid &= ~ATTR_SIZE;
	return 0;
}

static bool famfs_is_truncate(struct inode *inode, const struct iattr *attr)
{
	return fuse_is_famfs(inode) && (attr->ia_valid & ATTR_SIZE);
}

/**
 * famfs_truncate_unmap() - unmap the end of a file, and lower i_size
 * @inode: the file
 * @size: its new size
 * @trunc: notes the fmap that was cut, and its size
 *
 * On success nothing beyond @size is mapped any more.  If the file has become
 * shorter than @size, it has to grow instead.
 *
 * Context: i_rwsem is held for writing, FUSE_I_SIZE_UNSTABLE is set.  Waits,
 * killably, for pages beyond @size that are pinned.
 * Return: 0 or -EINTR; then the file is unchanged.
 */
static int famfs_truncate_unmap(struct inode *inode, loff_t size,
				struct famfs_truncate *trunc)
{
	const struct famfs_map *map;
	struct page *busy;
	int err;

	lockdep_assert_held_write(&inode->i_rwsem);
	WARN_ON_ONCE(!test_bit(FUSE_I_SIZE_UNSTABLE,
			       &get_fuse_inode(inode)->state));
	for (;;) {
		filemap_invalidate_lock(inode->i_mapping);
		map = famfs_inode_map(inode);
		busy = map ? famfs_try_unmap(inode, map, PAGE_ALIGN(size)) :
			     NULL;
		if (!busy)
			break;
		err = famfs_wait_page_idle(inode, busy);
		if (err)
			return err;
	}
	/* Another fmap may have made the file shorter while this waited. */
	trunc->old = i_size_read(inode);
	if (size <= trunc->old) {
		famfs_unmap_beyond(inode, size);
		famfs_size_write(inode, size);
	}
	trunc->seq = READ_ONCE(get_fuse_inode(inode)->famfs_seq);
	filemap_invalidate_unlock(inode->i_mapping);
	return 0;
}

/**
 * famfs_truncate_map() - cut an fmap down to the size of its file
 * @inode: an fmap inode that has become smaller
 * @size: its size
 *
 * The server has, or may have, freed the memory beyond @size, and a new fmap
 * could not be fetched.  Pages that are still pinned stay claimed, so that no
 * other file gets them.
 *
 * Context: i_rwsem is held for writing.
 */
static void famfs_truncate_map(struct inode *inode, loff_t size)
{
	struct famfs_conn *conn = get_fuse_conn(inode)->famfs;
	u64 end = PAGE_ALIGN(size);
	struct famfs_map *map;
	struct page *busy;

	lockdep_assert_held_write(&inode->i_rwsem);
	filemap_invalidate_lock(inode->i_mapping);
	map = famfs_inode_map(inode);
	if (map && end < map->mapped) {
		busy = famfs_try_unmap(inode, map, end);
		atomic_long_sub(famfs_map_shrink(map, end), &conn->nr_extents);
		if (!busy)
			famfs_claims_shrink(conn, map);
		famfs_seq_inc(inode);
	}
	famfs_size_write(inode, map ? min_t(u64, size, map->mapped) : size);
	famfs_unmap_beyond(inode, size);
	filemap_invalidate_unlock(inode->i_mapping);
}

/* Returns 0, 1 if the fmap has changed or is too short, or an error. */
static int famfs_zero_chunk(struct inode *inode, loff_t pos, loff_t end,
			    u32 seq)
{
	const struct famfs_map *map;
	int ret = 1;

	filemap_invalidate_lock_shared(inode->i_mapping);
	map = famfs_inode_map(inode);
	if (map && end <= map->mapped &&
	    seq == get_fuse_inode(inode)->famfs_seq)
		ret = famfs_zero_range(inode, pos, end);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return ret;
}

static int famfs_zero_beyond(struct inode *inode, loff_t size, u32 seq)
{
	loff_t pos = i_size_read(inode);
	loff_t end = PAGE_ALIGN(size);
	int ret = 0;

	while (!ret && pos < end) {
		loff_t next = min(end, pos + FAMFS_ZERO_MAX);

		ret = famfs_zero_chunk(inode, pos, next, seq);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		pos = next;
		cond_resched();
	}
	return ret;
}

/*
 * Allocate and zero memory for the new size beyond EOF.  If the server changes
 * the fmap in between, start over.
 */
static int famfs_truncate_prepare_up(struct inode *inode, struct file *file,
				     struct famfs_truncate *trunc, loff_t size)
{
	int ret;

	do {
		ret = famfs_alloc_locked(inode, file, size);
		if (ret)
			return ret;
		trunc->seq = READ_ONCE(get_fuse_inode(inode)->famfs_seq);
		ret = famfs_zero_beyond(inode, size, trunc->seq);
	} while (ret > 0);
	return ret;
}

/**
 * famfs_setattr_begin() - prepare FUSE_SETATTR
 * @inode: an inode of any kind
 * @attr: the change, after famfs_setattr_check()
 * @file: the file whose size is changed, or NULL if it is not open
 * @trunc: for famfs_setattr_end(), which is due if this returns 0
 *
 * Context: i_rwsem is held for writing.  Waits, killably, for pages beyond the
 * new EOF that are pinned, and for the server.
 * Return: 0, an error of flushing the old size, of zeroing or of
 * famfs_alloc_locked(), -EINTR.
 */
int famfs_setattr_begin(struct inode *inode, struct iattr *attr,
			struct file *file, struct famfs_truncate *trunc)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err;

	if (!fuse_is_famfs(inode))
		return 0;
	lockdep_assert_held_write(&inode->i_rwsem);
	/* Attributes in flight would undo the change. */
	if (!famfs_is_truncate(inode, attr))
		return famfs_attr_flush_wait(inode);
	err = famfs_size_settle(inode);
	if (err)
		return err;

	attr->ia_valid |= ATTR_MTIME | ATTR_CTIME;
	/* No fmap that comes now changes the size any more. */
	filemap_invalidate_lock_shared(inode->i_mapping);
	trunc->old = i_size_read(inode);
	set_bit(FUSE_I_SIZE_UNSTABLE, &fi->state);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	if (attr->ia_size <= trunc->old)
		err = famfs_truncate_unmap(inode, attr->ia_size, trunc);
	if (!err && attr->ia_size > trunc->old)
		err = famfs_truncate_prepare_up(inode, file, trunc,
						attr->ia_size);
	if (err)
		clear_bit(FUSE_I_SIZE_UNSTABLE, &fi->state);
	return err;
}

/*
 * Fetch the fmap of a file that has shrunk at the server, or cut it down.
 *
 * The current fmap still covers memory that the server may have reused.  So may
 * one pushed in between: the server need not have seen the request by then.
 * Replies to earlier requests for the fmap are stale.
 */
static int famfs_truncate_refetch(struct inode *inode, loff_t size)
{
	int err;

	filemap_invalidate_lock(inode->i_mapping);
	famfs_seq_inc(inode);
	filemap_invalidate_unlock(inode->i_mapping);

	err = famfs_fetch(inode, false);
	if (err == FAMFS_STALE)
		err = 0;
	if (err)
		famfs_truncate_map(inode, size);
	return err;
}

/* From here on the size is what the server's fmaps say. */
static void famfs_truncate_down(struct inode *inode, loff_t size)
{
	clear_bit(FUSE_I_SIZE_UNSTABLE, &get_fuse_inode(inode)->state);
	famfs_truncate_refetch(inode, size);
	filemap_invalidate_lock_shared(inode->i_mapping);
	/* Another host may have appended to the file. */
	size = i_size_read(inode);
	famfs_zero_range(inode, size, PAGE_ALIGN(size));
	filemap_invalidate_unlock_shared(inode->i_mapping);
}

/* Raise i_size, if the memory that was zeroed is still the file's. */
static bool famfs_truncate_commit_up(struct inode *inode, loff_t size, u32 seq)
{
	const struct famfs_map *map;
	bool same;

	filemap_invalidate_lock_shared(inode->i_mapping);
	map = famfs_inode_map(inode);
	same = map && seq == get_fuse_inode(inode)->famfs_seq;
	if (same)
		famfs_size_write(inode, size);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return same;
}

static int famfs_truncate_up(struct inode *inode, struct file *file,
			     struct famfs_truncate *trunc, loff_t size)
{
	int err = 0;

	while (!err && !famfs_truncate_commit_up(inode, size, trunc->seq))
		err = famfs_truncate_prepare_up(inode, file, trunc, size);
	return err;
}

/*
 * The server has refused to cut the file.  An fmap that came in between says
 * what the file has now; it may have other memory.
 */
static void famfs_truncate_undo(struct inode *inode,
				const struct famfs_truncate *trunc)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	const struct famfs_map *map;
	u64 size = trunc->old;

	filemap_invalidate_lock(inode->i_mapping);
	map = famfs_inode_map(inode);
	if (trunc->seq != READ_ONCE(fi->famfs_seq))
		size = READ_ONCE(fi->famfs_server_size);
	if (map)
		size = min(size, map->mapped);
	famfs_size_write(inode, size);
	famfs_unmap_beyond(inode, size);
	filemap_invalidate_unlock(inode->i_mapping);
}

/* A server that died may or may not have freed the memory. */
static void famfs_truncate_abort(struct inode *inode, loff_t size,
				 const struct famfs_truncate *trunc, int err)
{
	if (size > trunc->old)
		return;
	if (err == -ECONNABORTED)
		famfs_truncate_map(inode, size);
	else
		famfs_truncate_undo(inode, trunc);
}

/**
 * famfs_setattr_end() - finish FUSE_SETATTR
 * @inode: an inode of any kind
 * @attr: the change
 * @file: as for famfs_setattr_begin()
 * @trunc: from famfs_setattr_begin()
 * @err: result of the request
 *
 * Return: @err, or an error of growing again if the fmap has changed.
 */
int famfs_setattr_end(struct inode *inode, const struct iattr *attr,
		      struct file *file, struct famfs_truncate *trunc, int err)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	loff_t size = attr->ia_size;

	if (!famfs_is_truncate(inode, attr))
		return err;
	if (err) {
		famfs_truncate_abort(inode, size, trunc, err);
	} else {
		WRITE_ONCE(fi->famfs_server_size, size);
		if (size > trunc->old)
			err = famfs_truncate_up(inode, file, trunc, size);
		else
			famfs_truncate_down(inode, size);
	}
	clear_bit(FUSE_I_SIZE_UNSTABLE, &fi->state);
	return err;
}

/**
 * famfs_create_flags() - flags of FUSE_CREATE
 * @fc: the connection
 * @flags: flags of open()
 *
 * A truncate by name is not ordered with sizes that are sent by node.  So with
 * FUSE_DAX_FMAP the server does not truncate at create: the kernel sends
 * FUSE_SETATTR once it knows the inode.
 *
 * Return: @flags, maybe without O_TRUNC.
 */
u32 famfs_create_flags(const struct fuse_conn *fc, u32 flags)
{
	return famfs_conn_of(fc) ? flags & ~O_TRUNC : flags;
}

/**
 * famfs_create_truncate() - truncate a file that existed before FUSE_CREATE
 * @idmap: of the mount
 * @file: the file, open
 * @was_fmap: the inode was an fmap inode before the request
 *
 * Context: The directory is locked.  May wait for the server and for pins,
 * killably.
 * Return: 0 or an error.
 */
int famfs_create_truncate(struct mnt_idmap *idmap, struct file *file,
			  bool was_fmap)
{
	struct inode *inode = file_inode(file);
	struct iattr attr = {
		.ia_valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME,
		.ia_file = file,
	};
	int err;

	/* The reply has the current size of a cached inode. */
	if (!was_fmap && !i_size_read(inode))
		return 0;
	if (file->f_mode & FMODE_WRITE)
		attr.ia_valid |= ATTR_FILE;
	err = get_write_access(inode);
	if (err)
		return err;
	err = inode_lock_killable(inode);
	if (!err) {
		err = famfs_remove_privs(file);
		if (!err)
			err = notify_change(idmap, file_dentry(file), &attr,
					    NULL);
		inode_unlock(inode);
	}
	put_write_access(inode);
	return err;
}
