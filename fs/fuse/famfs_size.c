// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: the size that the server has, and the one that it has to be told.
 *
 * A growing file gets its size here: writes move it, and the server is told
 * with FUSE_SETATTR by fsync(), close(), and the flusher.  What the server is
 * known to have is famfs_server_size.  The file has an untold size where i_size
 * is larger.  It is never smaller for that reason: truncate() tells the server
 * first.
 *
 * An error that the server sends, or a connection that is gone, is an answer:
 * whoever syncs or closes the file gets it, every open file through wb_err, and
 * the size is told again only when somebody asks for it.  A request that a
 * signal has taken out of the queue is none: see famfs_tell.c.
 */

#include "famfs.h"

#include <linux/pagemap.h>
#include <linux/wait_bit.h>
#include <linux/writeback.h>

/**
 * famfs_size_write() - set the size of a file
 * @inode: a file that is mapped
 * @size: the new size
 *
 * Attributes that the server sends later do not undo this.
 *
 * Context: Takes fuse_inode.lock.
 */
void famfs_size_write(struct inode *inode, loff_t size)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	guard(spinlock)(&fi->lock);
	fi->attr_version = atomic64_inc_return(&get_fuse_conn(inode)->attr_version);
	i_size_write(inode, size);
}

/**
 * famfs_size_dirty() - does the server have to be told the size of a file?
 * @inode: an inode of any kind
 *
 * Return: true if the file has grown since.
 */
bool famfs_size_dirty(const struct inode *inode)
{
	return fuse_is_famfs(inode) &&
	       i_size_read(inode) >
	       READ_ONCE(get_fuse_inode(inode)->famfs_server_size);
}

/**
 * famfs_size_to_flush() - add the size to a request that tells the times
 * @inode: an inode of any kind
 * @size: set to the size
 * @seq: set to what famfs_size_flushed() wants to know
 *
 * Return: FATTR_SIZE, or 0 if there is nothing to tell.
 */
u32 famfs_size_to_flush(const struct inode *inode, u64 *size, u32 *seq)
{
	*seq = READ_ONCE(get_fuse_inode(inode)->famfs_seq);
	if (!famfs_size_dirty(inode))
		return 0;
	*size = i_size_read(inode);
	return FATTR_SIZE;
}

/*
 * A reply to GET_FMAP from before brings a size from before.  A map that has
 * come meanwhile brings a size that may be later than this one: so this one
 * counts for nothing, and is told again.
 */
static void famfs_server_size_update(struct inode *inode, u64 size, u32 seq)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	guard(spinlock)(&fi->lock);
	if (seq != fi->famfs_seq || size <= fi->famfs_server_size)
		return;
	WRITE_ONCE(fi->famfs_server_size, size);
	if (!fi->famfs_meta)
		fi->famfs_seq++;
}

/**
 * famfs_size_flushed() - take the answer to times, and a size, that were told
 * @inode: an inode of any kind
 * @valid: FATTR_* bits of the request
 * @size: the size in it
 * @seq: what famfs_size_to_flush() set it to
 * @err: 0 or the error that the request ended with
 *
 * Context: Any task, the server's among them.
 */
void famfs_size_flushed(struct inode *inode, u32 valid, u64 size, u32 seq,
		     int err)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	if (!fuse_is_famfs(inode))
		return;
	/* Replies to GETATTR from before have times from before. */
	scoped_guard(spinlock, &fi->lock)
		fi->attr_version =
			atomic64_inc_return(&get_fuse_conn(inode)->attr_version);
	if (!(valid & FATTR_SIZE))
		return;
	if (!err)
		famfs_server_size_update(inode, size, seq);
	else if (!famfs_err_unanswered(err))
		__filemap_set_wb_err(inode->i_mapping, err);
}

/* Also where the file has become smaller since @size was its size. */
static bool famfs_server_size_covers(const struct inode *inode, loff_t size)
{
	return !famfs_size_dirty(inode) ||
	       READ_ONCE(get_fuse_inode(inode)->famfs_server_size) >= size;
}

/**
 * famfs_attr_flush_wait() - wait for the answer to what is on its way
 * @inode: a file that is mapped
 *
 * Context: Waits for the server, killably.
 * Return: 0 or -EINTR.
 */
int famfs_attr_flush_wait(struct inode *inode)
{
	return wait_on_bit(&get_fuse_inode(inode)->state, FUSE_I_ATTR_FLUSHING,
			   TASK_KILLABLE) ? -EINTR : 0;
}

/**
 * famfs_size_flush() - see to it that the server knows the size of a file
 * @inode: an inode of any kind
 * @size: what its size was, or is
 *
 * Others may be telling it, and fail: then this tells it as well.  Whatever is
 * on its way when this is called has been answered when it returns 0, so that
 * a file which close() has flushed need not be kept.
 *
 * Context: May wait for the server, killably until it has read the request.
 * i_rwsem may be held.
 * Return: 0, an error of the server, -EINTR or -ENOMEM where the server has not
 * been asked.
 */
int famfs_size_flush(struct inode *inode, loff_t size)
{
	errseq_t since;
	int err;

	if (!fuse_is_famfs(inode))
		return 0;
	since = errseq_sample(&inode->i_mapping->wb_err);
	err = famfs_attr_flush_wait(inode);
	while (!err && !famfs_server_size_covers(inode, size)) {
		mark_inode_dirty_sync(inode);
		err = sync_inode_metadata(inode, 1);
		if (!err)
			err = filemap_check_wb_err(inode->i_mapping, since);
	}
	return err;
}

/**
 * famfs_size_settle() - see to it that no size is on its way to the server
 * @inode: a file that is mapped
 *
 * What truncate() tells the server must not be overtaken by a size from before.
 *
 * Context: i_rwsem is held for writing, so that the size does not move.  May
 * wait for the server, killably.
 * Return: as famfs_size_flush().
 */
int famfs_size_settle(struct inode *inode)
{
	int err;

	lockdep_assert_held_write(&inode->i_rwsem);
	err = write_inode_now(inode, 1);
	if (!err)
		err = famfs_size_flush(inode, i_size_read(inode));
	if (err)
		return err;
	/* Pairs with famfs_attr_flush_start(), which sends nothing from here on. */
	smp_mb();
	return famfs_attr_flush_wait(inode);
}
