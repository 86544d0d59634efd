// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: what differs from ordinary FUSE files around I/O.
 *
 * The size comes with the map or moves here, the times are kept here, and there
 * is no page cache for the server to have a say in.
 */

#include "famfs.h"

#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>
#include <linux/xattr.h>

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
static int famfs_refresh_nosec(struct inode *inode, struct file *file)
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

/**
 * famfs_file_io_open() - prepare a file for I/O
 * @inode: a mapped inode
 * @file: a file that the server has opened
 *
 * An inode has one data path.  What the server says about caching does not
 * apply to this one: there is no cache to drop or to go round.
 *
 * Return: 0, -EIO where the server wants passthrough, -EINTR.
 */
int famfs_file_io_open(struct inode *inode, struct file *file)
{
	struct fuse_file *ff = file->private_data;

	if (ff->open_flags & FOPEN_PASSTHROUGH) {
		pr_debug("node %llu has a map and cannot be passed through\n",
			 ff->nodeid);
		return -EIO;
	}
	ff->open_flags &= ~(FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES);
	ff->open_flags |= FOPEN_KEEP_CACHE;
	file->f_mode |= FMODE_NOWAIT;
	return famfs_refresh_nosec(inode, file);
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

/**
 * famfs_cache_mask() - attributes that the server does not know better
 * @inode: a mapped inode
 *
 * The size is the map's, or has moved here.  The times are ours until the
 * server has answered to them.
 *
 * Return: STATX_* bits.
 */
u32 famfs_cache_mask(struct inode *inode)
{
	u32 mask = STATX_SIZE;

	if (famfs_inode_attr_dirty(inode))
		mask |= STATX_MTIME | STATX_CTIME;
	return mask;
}
