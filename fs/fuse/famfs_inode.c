// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: size, privileges and cached opens of an inode.
 *
 * The size of a growing file changes locally: writes raise it, and FUSE_SETATTR
 * sends it to the server at fsync(), close() and writeback.  famfs_server_size is
 * the size that the server is known to have.  The size is dirty if i_size is
 * larger.  i_size is never smaller because of a local change: truncate() sends
 * its size to the server first.
 *
 * An error from the server, or a dead connection, is an answer: fsync() and
 * close() return it, wb_err reports it to every open file, and the size is sent
 * again only at the next request.  A request that a signal removed from the queue
 * has no answer, see famfs_writeback.c.
 *
 * An inode without an fmap uses the page cache, and can be given an fmap at any
 * time, except while its page cache changes or while it is open: open files use
 * the page cache, and existing VMAs cannot be converted.
 */

#include "famfs.h"

#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>
#include <linux/writeback.h>
#include <linux/xattr.h>

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

/*
 * i_rwsem serialises setting the flag against the VFS, fi->lock serialises all
 * changes against attribute updates from the server.
 */
static void famfs_set_nosec(struct inode *inode, bool nosec)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	spin_lock(&fi->lock);
	if (nosec)
		inode->i_flags |= S_NOSEC;
	else
		inode->i_flags &= ~S_NOSEC;
	spin_unlock(&fi->lock);
}

/*
 * Does a file have privileges that a write has to strip?  An error is neither
 * yes nor no, so nothing may be remembered then.
 */
static int famfs_query_privs(struct inode *inode, struct file *file)
{
	ssize_t ret;

	if (is_sxid(inode->i_mode))
		return 1;
	ret = __vfs_getxattr(file_dentry(file), inode, XATTR_NAME_CAPS, NULL,
			     0);
	if (ret == -ENODATA || ret == -EOPNOTSUPP)
		return 0;
	return ret > 0 ? 1 : ret;
}

/*
 * Nothing is asked while i_rwsem is held, since others write meanwhile.  So the
 * answer counts only if no privileges have been set since the question:
 * famfs_privs_set() clears the bit.
 */
static int famfs_fetch_privs(struct inode *inode, struct file *file)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	int privs;

	set_bit(FUSE_I_NOSEC_VALID, &fi->state);
	privs = famfs_query_privs(inode, file);
	if (privs > 0)
		famfs_set_nosec(inode, false);
	if (privs || IS_NOSEC(inode))
		return 0;

	if (inode_lock_killable(inode))
		return -EINTR;
	if (test_bit(FUSE_I_NOSEC_VALID, &fi->state) &&
	    !is_sxid(inode->i_mode))
		famfs_set_nosec(inode, true);
	inode_unlock(inode);
	return 0;
}

/*
 * A write strips privileges, and where nothing is known about them it asks the
 * server.  Find out at open, so that writes need not: famfs_preserve_nosec() keeps
 * what is learnt here, and the VFS drops it where privileges are set locally.
 */
int famfs_refresh_nosec(struct inode *inode, struct file *file)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err;

	if (!(file->f_mode & FMODE_WRITE))
		return 0;
	if (wait_on_bit_lock(&fi->state, FUSE_I_NOSEC_LOCK, TASK_KILLABLE))
		return -EINTR;
	err = famfs_fetch_privs(inode, file);
	clear_and_wake_up_bit(FUSE_I_NOSEC_LOCK, &fi->state);
	return err;
}

/**
 * famfs_privs_set() - an extended attribute may have been set
 * @inode: an inode of any kind, with i_rwsem held for writing
 *
 * Called with the server's reply: who has asked for privileges before may have
 * been told of those from before.
 */
void famfs_privs_set(struct inode *inode)
{
	if (fuse_is_famfs(inode))
		clear_bit(FUSE_I_NOSEC_VALID, &get_fuse_inode(inode)->state);
}

/* Strips what there is, and finds out whether anything is left. */
static int famfs_strip_privs(struct inode *inode, struct file *file)
{
	int privs, err;

	privs = famfs_query_privs(inode, file);
	if (fatal_signal_pending(current))
		return -EINTR;
	if (privs) {
		err = file_remove_privs(file);
		if (err)
			return err;
	}
	if (privs > 0)
		privs = famfs_query_privs(inode, file);
	famfs_set_nosec(inode, !privs);
	return 0;
}

/**
 * famfs_file_modified() - strip privileges and update times before a change
 * @file: the file
 *
 * Asks the server where nothing is known, once: afterwards there is nothing
 * left to strip.
 *
 * Context: i_rwsem is held for writing.
 * Return: 0 or an error.
 */
int famfs_file_modified(struct file *file)
{
	struct inode *inode = file_inode(file);
	int err;

	if (unlikely(!IS_NOSEC(inode))) {
		err = famfs_strip_privs(inode, file);
		if (err)
			return err;
	}
	return file_update_time(file);
}

/**
 * famfs_iocb_modified() - strip privileges and update times before a write
 * @iocb: the write
 * @inode: the file, with i_rwsem held for writing
 *
 * Return: as famfs_file_modified(), -EAGAIN where IOCB_NOWAIT forbids to ask.
 */
int famfs_iocb_modified(struct kiocb *iocb, struct inode *inode)
{
	if (likely(!(iocb->ki_flags & IOCB_NOWAIT)))
		return famfs_file_modified(iocb->ki_filp);
	/* Nothing to strip: only the times of kiocb_modified() remain. */
	return IS_NOSEC(inode) ? kiocb_modified(iocb) : -EAGAIN;
}

/**
 * famfs_preserve_nosec() - may S_NOSEC outlive new attributes from the server?
 * @inode: an inode of any kind
 *
 * Return: true if a write to the file has no privileges to strip.
 */
bool famfs_preserve_nosec(const struct inode *inode)
{
	return fuse_is_famfs(inode) && !is_sxid(inode->i_mode);
}

/*
 * The root is never mapped, and no other inode is there before INIT has been
 * answered.  So for an inode the answer never changes, although fc->famfs does,
 * and only connections that may have maps pay for the lock.
 */
static bool famfs_may_have_fmap(struct inode *inode)
{
	return famfs_conn_of(get_fuse_conn(inode)) &&
	       get_node_id(inode) != FUSE_ROOT_ID;
}

/**
 * famfs_pagecache_lock() - start to change the page cache of an inode
 * @inode: an inode of any kind, not locked
 *
 * Keeps the inode from becoming mapped until famfs_pagecache_unlock().
 *
 * Return: false if the inode has no page cache, because it is mapped.
 */
bool famfs_pagecache_lock(struct inode *inode)
{
	if (!famfs_may_have_fmap(inode))
		return true;

	filemap_invalidate_lock_shared(inode->i_mapping);
	if (!fuse_is_famfs(inode))
		return true;
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return false;
}

/**
 * famfs_pagecache_unlock() - let an inode become mapped again
 * @inode: an inode for which famfs_pagecache_lock() returned true
 */
void famfs_pagecache_unlock(struct inode *inode)
{
	if (famfs_may_have_fmap(inode))
		filemap_invalidate_unlock_shared(inode->i_mapping);
}

/**
 * famfs_cached_open() - count an open file that is ordinary
 * @ff: the file
 * @inode: its inode
 *
 * The inode stays ordinary until famfs_cached_release().
 *
 * Return: false if the inode is not ordinary.
 */
bool famfs_cached_open(struct fuse_file *ff, struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	if (!famfs_may_have_fmap(inode))
		return true;
	if (!famfs_pagecache_lock(inode))
		return false;
	spin_lock(&fi->lock);
	fi->famfs_nr_cached++;
	spin_unlock(&fi->lock);
	ihold(inode);
	ff->famfs_inode = inode;
	famfs_pagecache_unlock(inode);
	return true;
}

/**
 * famfs_cached_release() - an open file is gone, and its last request
 * @ff: a file, whether ordinary or not
 */
void famfs_cached_release(struct fuse_file *ff)
{
	struct inode *inode = ff->famfs_inode;
	struct fuse_inode *fi;

	if (!inode)
		return;
	fi = get_fuse_inode(inode);
	spin_lock(&fi->lock);
	fi->famfs_nr_cached--;
	spin_unlock(&fi->lock);
	iput(inode);
}
