// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: truncate().
 *
 * FUSE_SETATTR goes to the server as for any file.  What differs is what has to
 * happen around it: memory that the server takes back must not be reached any
 * more when it learns of it, and memory that it gives must not be seen before
 * it is zeroed.  Meanwhile the size is ours (FUSE_I_SIZE_UNSTABLE), whatever
 * maps the server sends.
 */

#include "famfs.h"

#include <linux/pagemap.h>
#include <linux/sched.h>

static void famfs_resize_size(struct inode *inode, loff_t size)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	spin_lock(&fi->lock);
	fi->attr_version = atomic64_inc_return(&get_fuse_conn(inode)->attr_version);
	i_size_write(inode, size);
	spin_unlock(&fi->lock);
}

/* Nothing is reached behind @size when this returns 0. */
static int famfs_cut(struct inode *inode, loff_t size)
{
	const struct famfs_map *map;
	struct page *busy;
	int err;

	for (;;) {
		filemap_invalidate_lock(inode->i_mapping);
		map = famfs_inode_map(inode);
		busy = map ? famfs_try_forget(inode, map, PAGE_ALIGN(size)) :
			     NULL;
		if (!busy)
			break;
		err = famfs_wait_idle(inode, busy, TASK_KILLABLE);
		if (err)
			return err;
	}
	famfs_resize_size(inode, size);
	filemap_invalidate_unlock(inode->i_mapping);
	return 0;
}

static bool famfs_resizes(struct inode *inode, const struct iattr *attr)
{
	return fuse_is_famfs(inode) && (attr->ia_valid & ATTR_SIZE);
}

/**
 * famfs_resize_begin() - before the server is asked to change a size
 * @inode: an inode of any kind
 * @attr: the change, after famfs_setattr()
 * @resize: for famfs_resize_end(), which is due if this returns 0
 *
 * Waits for pages that are pinned behind the new end.
 *
 * Context: i_rwsem is held for writing.
 * Return: 0, an error of telling the server the old size, -EINTR or
 * -ERESTARTSYS.
 */
int famfs_resize_begin(struct inode *inode, struct iattr *attr,
		       struct famfs_resize *resize)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err;

	if (!famfs_resizes(inode, attr))
		return 0;
	/* What is being told must not reach the server after this. */
	err = write_inode_now(inode, 1);
	if (err)
		return err;

	resize->old = i_size_read(inode);
	clear_bit(FUSE_I_FMAP_PUSHED, &fi->state);
	attr->ia_valid |= ATTR_MTIME | ATTR_CTIME;
	set_bit(FUSE_I_SIZE_UNSTABLE, &fi->state);
	if (attr->ia_size < resize->old)
		err = famfs_cut(inode, attr->ia_size);
	if (err)
		clear_bit(FUSE_I_SIZE_UNSTABLE, &fi->state);
	return err;
}

/*
 * The server has the memory back, so a map that has it is of no use.  Others
 * may have asked for the map before: what they are told is out of date.
 */
static int famfs_fetch_shrunk(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err;

	filemap_invalidate_lock(inode->i_mapping);
	fi->famfs_seq++;
	filemap_invalidate_unlock(inode->i_mapping);

	err = famfs_fetch(inode);
	return err == -EOPENSTALE ? 0 : err;
}

static void famfs_shrunk(struct inode *inode, loff_t size)
{
	if (!test_bit(FUSE_I_FMAP_PUSHED, &get_fuse_inode(inode)->state) &&
	    famfs_fetch_shrunk(inode))
		famfs_drop_map(inode);

	filemap_invalidate_lock_shared(inode->i_mapping);
	famfs_zero(inode, size, PAGE_ALIGN(size));
	filemap_invalidate_unlock_shared(inode->i_mapping);
}

/*
 * The new end is not seen before everything up to it is zeroed, in the map that
 * is there when it is seen.  The old one may have come down with a map.
 */
static int famfs_grew(struct inode *inode, loff_t size)
{
	int err;

	/* A map that has come meanwhile may be from before. */
	do {
		err = famfs_mapped(inode) < size ? famfs_fetch(inode) : 0;
	} while (err == -EOPENSTALE);
	if (err)
		return err;

	return famfs_extend(inode, size);
}

/* The server may have mapped less meanwhile. */
static void famfs_resize_undo(struct inode *inode, loff_t old)
{
	const struct famfs_map *map;

	filemap_invalidate_lock_shared(inode->i_mapping);
	map = famfs_inode_map(inode);
	famfs_resize_size(inode, map ? min_t(u64, old, map->mapped) : old);
	filemap_invalidate_unlock_shared(inode->i_mapping);
}

/**
 * famfs_resize_end() - after the server has been asked to change a size
 * @inode: an inode of any kind
 * @attr: the change
 * @resize: what famfs_resize_begin() has left
 * @err: the server's error
 *
 * Return: @err, or an error of the map that the server has given.
 */
int famfs_resize_end(struct inode *inode, const struct iattr *attr,
		     const struct famfs_resize *resize, int err)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	loff_t size = attr->ia_size;
	bool told = !err;

	if (!famfs_resizes(inode, attr))
		return err;
	if (!err && size > resize->old)
		err = famfs_grew(inode, size);
	else if (!err)
		famfs_shrunk(inode, size);
	else if (size < resize->old)
		famfs_resize_undo(inode, resize->old);

	spin_lock(&fi->lock);
	fi->famfs_told++;
	if (!err)
		clear_bit(FUSE_I_FMAP_SIZE, &fi->state);
	else if (told)
		set_bit(FUSE_I_FMAP_SIZE, &fi->state);
	clear_bit(FUSE_I_SIZE_UNSTABLE, &fi->state);
	spin_unlock(&fi->lock);
	/* The server believes in a size that the file has not got. */
	if (err && told)
		mark_inode_dirty_sync(inode);
	return err;
}
