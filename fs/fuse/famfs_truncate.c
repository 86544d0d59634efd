// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: truncate() and other changes of attributes.
 *
 * FUSE_SETATTR is sent to the server as for any file.  The order around it lets
 * the server, or this host, stop at any point:
 *
 * A file shrinks here first: memory beyond the new EOF is unreachable before the
 * server learns that it has that memory back.  Then the fmap is fetched again, or
 * cut down here if that fails.
 *
 * A file grows at the server last: memory is present and zeroed before the server
 * learns the new size.
 *
 * Until the server has answered, i_size is local (FUSE_I_SIZE_UNSTABLE) whatever
 * fmaps the server sends.
 */

#include "famfs.h"

#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

/**
 * famfs_truncate_fetch() - get the map of a file before it is truncated
 * @inode: an inode of any kind
 * @attr: the change
 *
 * The file need not be open, but the order in which it is truncated depends on
 * whether it is mapped.  One that others have open without a map has none.
 *
 * Context: i_rwsem is held for writing.  May wait for the server, killably
 * until it has read the request.
 * Return: 0 also where the file has no map, or an error as famfs_fetch_retry().
 */
int famfs_truncate_fetch(struct inode *inode, const struct iattr *attr)
{
	int err = 0;

	if (!(attr->ia_valid & ATTR_SIZE) || fuse_is_famfs(inode))
		return 0;
	/* Not with FUSE_I_FMAP_LOCK: i_rwsem is held. */
	while (!err && famfs_needs_fetch(inode)) {
		err = famfs_fetch(inode, true);
		if (err == FAMFS_STALE)
			err = 0;
	}
	return err == -EBUSY && !fuse_is_famfs(inode) ? 0 : err;
}

/**
 * famfs_setattr_check() - judge a change of attributes
 * @inode: a mapped inode
 * @attr: the change; the size that a file of fixed size has is taken out
 *
 * Context: i_rwsem is held.  May wait for the server.
 * Return: 0, -EPERM if the size would change and is fixed, an error of
 * famfs_fetch_retry().
 */
int famfs_setattr_check(struct inode *inode, struct iattr *attr)
{
	int err;

	if (!(attr->ia_valid & ATTR_SIZE))
		return 0;
	/* Not with FUSE_I_FMAP_LOCK: i_rwsem is held. */
	err = famfs_fetch_retry(inode);
	if (err)
		return err;
	/* O_TRUNC is not sent to the server, so it is truncated like this. */
	attr->ia_valid &= ~ATTR_OPEN;
	/* Also to the size that it has: that gives back memory behind the end. */
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
 * famfs_truncate_unmap() - make a file smaller, here
 * @inode: the file
 * @size: its new size
 *
 * Nothing is reached behind @size afterwards.
 *
 * Context: i_rwsem is held for writing, FUSE_I_SIZE_UNSTABLE is set.  Waits,
 * killably, for pages that are pinned behind @size.
 * Return: 0 or -EINTR; then nothing has changed.
 */
static int famfs_truncate_unmap(struct inode *inode, loff_t size)
{
	const struct famfs_map *map;
	struct page *busy;
	int err;

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
	famfs_unmap_beyond(inode, size);
	famfs_size_write(inode, size);
	filemap_invalidate_unlock(inode->i_mapping);
	return 0;
}

/**
 * famfs_truncate_map() - cut a map down to what is left of its file
 * @inode: a mapped inode that has become smaller
 * @size: its size
 *
 * The server has, or may have, the memory behind that back, and could not be
 * asked for the map.  Pages that are still pinned stay claimed, so that they
 * become no other file's.
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
	map = get_fuse_inode(inode)->famfs_meta;
	if (map && end < map->mapped) {
		busy = famfs_try_unmap(inode, map, end);
		atomic_long_sub(famfs_map_shrink(map, end), &conn->nr_extents);
		if (!busy)
			famfs_claims_shrink(conn, map);
		famfs_seq_inc(inode);
	}
	famfs_size_write(inode, size);
	famfs_unmap_beyond(inode, size);
	filemap_invalidate_unlock(inode->i_mapping);
}

/* Returns 0, 1 where the map has changed or reaches less far, or an error. */
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
 * Has memory for the new size, zeroed, behind the end of the file.  A server
 * that changes the map meanwhile makes this begin anew.
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
 * famfs_setattr_begin() - before the server is asked to change attributes
 * @inode: an inode of any kind
 * @attr: the change, after famfs_setattr_check()
 * @file: the file whose size is changed, or NULL where it is not open
 * @trunc: for famfs_setattr_end(), which is due if this returns 0
 *
 * Context: i_rwsem is held for writing.  Waits, killably, for pages that are
 * pinned behind the new end, and for the server.
 * Return: 0, an error of telling the server the old size, of zeroing or of
 * famfs_alloc_locked(), -EINTR.
 */
int famfs_setattr_begin(struct inode *inode, struct iattr *attr,
		       struct file *file, struct famfs_truncate *trunc)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err;

	if (!fuse_is_famfs(inode))
		return 0;
	/* What is on its way would undo what the user sets. */
	if (!famfs_is_truncate(inode, attr))
		return famfs_attr_flush_wait(inode);
	err = famfs_size_settle(inode);
	if (err)
		return err;

	trunc->old = i_size_read(inode);
	attr->ia_valid |= ATTR_MTIME | ATTR_CTIME;
	set_bit(FUSE_I_SIZE_UNSTABLE, &fi->state);
	if (attr->ia_size > trunc->old)
		err = famfs_truncate_prepare_up(inode, file, trunc, attr->ia_size);
	else
		err = famfs_truncate_unmap(inode, attr->ia_size);
	if (err)
		clear_bit(FUSE_I_SIZE_UNSTABLE, &fi->state);
	return err;
}

/**
 * famfs_truncate_refetch() - get the map of a file that the server has made smaller
 * @inode: the file, cut already
 * @size: its size
 *
 * The map that there is may have memory which the server has back, also one
 * that was pushed meanwhile: the server need not have seen the request by then.
 * Others may have asked for the map before, and their replies are out of date.
 *
 * Context: i_rwsem is held for writing.  May wait for the server, killably
 * until it has read the request.
 * Return: 0 or an error of famfs_fetch(); then the old map is cut down.
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

/* From here on the size is what the server's maps say. */
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

/* The new end is seen if the memory that was zeroed is still the file's. */
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

/* The server may have mapped less meanwhile. */
static void famfs_truncate_undo(struct inode *inode, loff_t old)
{
	const struct famfs_map *map;

	filemap_invalidate_lock_shared(inode->i_mapping);
	map = famfs_inode_map(inode);
	famfs_size_write(inode, map ? min_t(u64, old, map->mapped) : old);
	filemap_invalidate_unlock_shared(inode->i_mapping);
}

/* Nobody knows whether the server has taken the memory back before it died. */
static void famfs_truncate_abort(struct inode *inode, loff_t size,
				const struct famfs_truncate *trunc, int err)
{
	if (size > trunc->old)
		return;
	if (err == -ECONNABORTED)
		famfs_truncate_map(inode, size);
	else
		famfs_truncate_undo(inode, trunc->old);
}

/**
 * famfs_setattr_end() - after the server has been asked to change a size
 * @inode: an inode of any kind
 * @attr: the change
 * @file: as for famfs_setattr_begin()
 * @trunc: what that has left
 * @err: the server's error
 *
 * Return: @err, or an error of growing into another map than the one that was
 * there when the server was asked.
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
 * What a server truncates by name has no order with sizes that it is told by
 * node, so where files can be mapped it does not truncate: the kernel has it
 * done when it knows the file.
 *
 * Return: @flags or less.
 */
u32 famfs_create_flags(const struct fuse_conn *fc, u32 flags)
{
	return fc->dax_fmap ? flags & ~O_TRUNC : flags;
}

/**
 * famfs_create_truncate() - truncate a file that was there before its creation
 * @idmap: of the mount
 * @file: the file, open
 * @mapped: it was a mapped file before the server was asked
 *
 * Context: The directory is locked.  May wait for the server and for pins,
 * killably.
 * Return: 0 or an error.
 */
int famfs_create_truncate(struct mnt_idmap *idmap, struct file *file,
			  bool mapped)
{
	struct inode *inode = file_inode(file);
	struct iattr attr = {
		.ia_valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME,
		.ia_file = file,
	};
	int err;

	/* The reply has the size of all others. */
	if (!mapped && !i_size_read(inode))
		return 0;
	if (file->f_mode & FMODE_WRITE)
		attr.ia_valid |= ATTR_FILE;
	err = get_write_access(inode);
	if (err)
		return err;
	err = inode_lock_killable(inode);
	if (!err) {
		err = file_remove_privs(file);
		if (!err)
			err = notify_change(idmap, file_dentry(file), &attr,
					    NULL);
		inode_unlock(inode);
	}
	put_write_access(inode);
	return err;
}
