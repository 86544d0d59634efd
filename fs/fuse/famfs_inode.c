// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: size, privileges and cached opens of an inode.
 *
 * The size of a growing file changes locally: writes raise it, and FUSE_SETATTR
 * sends it to the server at fsync(), close() and writeback.  famfs_server_size
 * is the size that the server is known to have.  The size is dirty if i_size is
 * larger.  truncate() sends its size first, so i_size is never smaller.
 *
 * An error from the server, or a dead connection, is an answer: fsync() and
 * close() return it, wb_err reports it to every open file, and the size is sent
 * again only at the next request.  A request that a signal removed from the
 * queue has no answer, see famfs_writeback.c.
 *
 * An inode without an fmap can be given one at any time, unless its page cache
 * is changing or it is open: existing VMAs cannot be converted.
 */

#include "famfs.h"

#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>
#include <linux/writeback.h>
#include <linux/xattr.h>

/**
 * famfs_size_write_locked() - set the size of a file
 * @inode: an fmap inode
 * @size: the new size
 *
 * Attributes that the server sent earlier do not undo this.
 *
 * Context: fuse_inode.lock is held.
 */
void famfs_size_write_locked(struct inode *inode, loff_t size)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	lockdep_assert_held(&fi->lock);
	fi->attr_version = atomic64_inc_return(&get_fuse_conn(inode)->attr_version);
	i_size_write(inode, size);
}

/* Takes fuse_inode.lock. */
void famfs_size_write(struct inode *inode, loff_t size)
{
	guard(spinlock)(&get_fuse_inode(inode)->lock);
	famfs_size_write_locked(inode, size);
}

/**
 * famfs_size_dirty() - check whether the size must be sent to the server
 * @inode: an inode of any kind
 *
 * Return: true if i_size is larger than the size that the server has.
 */
bool famfs_size_dirty(const struct inode *inode)
{
	return fuse_is_famfs(inode) &&
	       i_size_read(inode) >
	       READ_ONCE(get_fuse_inode(inode)->famfs_server_size);
}

/**
 * famfs_size_to_flush() - add a dirty size to a FUSE_SETATTR request
 * @inode: an inode of any kind
 * @size: set to the size
 * @seq: set to the value to pass to famfs_size_flushed()
 *
 * Return: FATTR_SIZE, or 0 if the size is not dirty.
 */
u32 famfs_size_to_flush(const struct inode *inode, u64 *size, u32 *seq)
{
	guard(spinlock)(&get_fuse_inode(inode)->lock);
	*seq = get_fuse_inode(inode)->famfs_seq;
	if (!famfs_size_dirty(inode))
		return 0;
	*size = i_size_read(inode);
	return FATTR_SIZE;
}

/*
 * An earlier reply to GET_FMAP has an earlier size, so without an fmap the
 * reply becomes stale.  An fmap that was installed after the request was sent
 * may have a later size than @size: then @size is ignored, and sent again.
 */
static void famfs_server_size_update(struct inode *inode, u64 size, u32 seq)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	guard(spinlock)(&fi->lock);
	if (seq != fi->famfs_seq || size <= fi->famfs_server_size)
		return;
	WRITE_ONCE(fi->famfs_server_size, size);
	if (!famfs_inode_map(inode))
		fi->famfs_seq++;
}

/**
 * famfs_size_flushed() - handle the answer to a request with times and a size
 * @inode: an inode of any kind
 * @valid: FATTR_* bits of the request
 * @size: size in the request
 * @seq: value from famfs_size_to_flush()
 * @err: 0 or the error of the request
 *
 * Context: Any task, including the server's.
 */
void famfs_size_flushed(struct inode *inode, u32 valid, u64 size, u32 seq,
			int err)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	if (!fuse_is_famfs(inode))
		return;
	/* Earlier replies to GETATTR have earlier times. */
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

/* True also if the file became smaller after @size was read. */
static bool famfs_server_size_covers(const struct inode *inode, loff_t size)
{
	return !famfs_size_dirty(inode) ||
	       READ_ONCE(get_fuse_inode(inode)->famfs_server_size) >= size;
}

/**
 * famfs_attr_flush_wait() - wait for the background FUSE_SETATTR
 * @inode: an fmap inode
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
 * famfs_size_flush() - make sure that the server has the size of a file
 * @inode: an inode of any kind
 * @size: a size that the file has or had
 *
 * If another task's request fails, this sends one as well.  Every request in
 * flight at the time of the call is answered on success, so that a file which
 * close() has flushed need not be kept.
 *
 * Context: May wait for the server, killably until it has read the request.
 * i_rwsem may be held.
 * Return: 0, an error of the server, -EINTR or -ENOMEM if no request reached
 * the server.
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
 * famfs_size_settle() - make sure that no size is in flight to the server
 * @inode: an fmap inode
 *
 * An earlier size must not overtake the request of truncate().
 *
 * Context: i_rwsem is held for writing, so that the size does not change.  May
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
	/*
	 * Pairs with famfs_attr_flush_start(), which sends no size from here
	 * on.
	 */
	smp_mb();
	return famfs_attr_flush_wait(inode);
}

/*
 * i_rwsem serialises setting the flag against the VFS, fi->lock serialises all
 * changes against attribute updates, which may have set a bit of the mode.
 */
static void famfs_set_nosec(struct inode *inode, bool nosec)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	guard(spinlock)(&fi->lock);
	if (nosec && !is_sxid(inode->i_mode))
		inode->i_flags |= S_NOSEC;
	else
		inode->i_flags &= ~S_NOSEC;
}

/*
 * Check for privileges that a write must remove.  An error is no answer, so
 * nothing may be cached then.
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

/**
 * famfs_refresh_nosec() - find out whether a file has privileges to remove
 * @inode: an fmap inode
 * @file: a file being opened for writing
 *
 * A write removes privileges, and asks the server if they are unknown.  Do this
 * at open so that writes need not: famfs_preserve_nosec() preserves the result
 * across attribute updates, and the VFS clears S_NOSEC when privileges are set
 * locally.
 *
 * The request is sent without i_rwsem, since others write in the meantime.  So
 * the answer is valid only if no privileges were set after the request was
 * sent, see famfs_privs_set().
 *
 * Context: No locks held.  May wait for the server.
 * Return: 0 or -EINTR.
 */
int famfs_refresh_nosec(struct inode *inode, struct file *file)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	unsigned int seq = READ_ONCE(fi->famfs_privs_seq);
	int privs;

	privs = famfs_query_privs(inode, file);
	if (privs > 0)
		famfs_set_nosec(inode, false);
	if (privs || IS_NOSEC(inode))
		return 0;
	if (inode_lock_killable(inode))
		return -EINTR;
	if (fi->famfs_privs_seq == seq)
		famfs_set_nosec(inode, true);
	inode_unlock(inode);
	return 0;
}

/**
 * famfs_privs_set() - an extended attribute may have been set
 * @inode: an inode of any kind, with i_rwsem held for writing
 *
 * Called after the server's reply: an answer about privileges that is in flight
 * may predate it.
 */
void famfs_privs_set(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	if (fuse_is_famfs(inode))
		WRITE_ONCE(fi->famfs_privs_seq, fi->famfs_privs_seq + 1);
}

/**
 * famfs_remove_privs() - remove privileges, and find out whether any are left
 * @file: a file of any kind
 *
 * Context: i_rwsem is held for writing.
 * Return: 0 or an error.
 */
int famfs_remove_privs(struct file *file)
{
	struct inode *inode = file_inode(file);
	int privs, err;

	if (!fuse_is_famfs(inode))
		return file_remove_privs(file);
	if (likely(IS_NOSEC(inode)))
		return 0;
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
 * famfs_file_modified() - remove privileges and update times before a change
 * @file: the file
 *
 * Asks the server at most once: afterwards no privileges are left.
 *
 * Context: i_rwsem is held for writing.
 * Return: 0 or an error.
 */
int famfs_file_modified(struct file *file)
{
	int err;

	lockdep_assert_held_write(&file_inode(file)->i_rwsem);
	err = famfs_remove_privs(file);
	return err ?: file_update_time(file);
}

/**
 * famfs_iocb_modified() - remove privileges and update times before a write
 * @iocb: the write
 * @inode: the file
 *
 * Context: i_rwsem is held for writing.
 * Return: as famfs_file_modified(), -EAGAIN if IOCB_NOWAIT forbids a request.
 */
int famfs_iocb_modified(struct kiocb *iocb, struct inode *inode)
{
	if (likely(!(iocb->ki_flags & IOCB_NOWAIT)))
		return famfs_file_modified(iocb->ki_filp);
	/* The update of the times is local, and waits for nothing. */
	return IS_NOSEC(inode) ? file_update_time(iocb->ki_filp) : -EAGAIN;
}

/**
 * famfs_preserve_nosec() - check whether attribute updates preserve S_NOSEC
 * @inode: an inode of any kind
 *
 * Return: true if a write to the file has no privileges to remove.
 */
bool famfs_preserve_nosec(const struct inode *inode)
{
	return fuse_is_famfs(inode) && !is_sxid(inode->i_mode);
}

/*
 * The root never has an fmap, and no other inode exists before the reply to
 * INIT.  So the result never changes for an inode, although fc->famfs does, and
 * only connections with FUSE_DAX_FMAP pay for the lock.
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
 * The inode cannot be given its first fmap until famfs_pagecache_unlock().
 *
 * Return: false if the inode has an fmap, and so no page cache.
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
 * famfs_pagecache_unlock() - undo famfs_pagecache_lock()
 * @inode: an inode for which it returned true
 */
void famfs_pagecache_unlock(struct inode *inode)
{
	if (famfs_may_have_fmap(inode))
		filemap_invalidate_unlock_shared(inode->i_mapping);
}

/**
 * famfs_cached_open() - count an open file that uses the page cache
 * @ff: the file
 * @inode: its inode
 *
 * The inode cannot be given its first fmap until famfs_cached_release().
 *
 * Return: false if the inode is an fmap inode.
 */
bool famfs_cached_open(struct fuse_file *ff, struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	if (fuse_is_famfs(inode))
		return false;
	if (!famfs_may_have_fmap(inode))
		return true;
	if (!famfs_pagecache_lock(inode))
		return false;
	scoped_guard(spinlock, &fi->lock)
		fi->famfs_nr_cached++;
	ihold(inode);
	ff->famfs_inode = inode;
	famfs_pagecache_unlock(inode);
	return true;
}

/**
 * famfs_cached_release() - drop the count after the last request of a file
 * @ff: a file of any kind
 */
void famfs_cached_release(struct fuse_file *ff)
{
	struct inode *inode = ff->famfs_inode;
	struct fuse_inode *fi;

	if (!inode)
		return;
	fi = get_fuse_inode(inode);
	scoped_guard(spinlock, &fi->lock)
		WARN_ON_ONCE(!fi->famfs_nr_cached--);
	iput(inode);
}
