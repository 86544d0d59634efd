// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: how the server is told the times and the size of a file.
 *
 * The kernel has the times of a mapped file, and the size of a growing one: a
 * change makes the inode dirty, and writing the inode tells the server with
 * FUSE_SETATTR.  Who asks for it, such as fsync() and close(), waits for the
 * answer (WB_SYNC_ALL).  All others do not, since they may be the server, or
 * work for everybody: the flusher, and whoever drops the last reference to a
 * file.  For these the request goes in the background (WB_SYNC_NONE).
 *
 * A request that a signal has taken out of the queue leaves the inode dirty.
 * An inode that is dirty, or whose server has not answered, is open or kept.
 * One that nobody has open may become dirty as well, by a change of its name or
 * of its attributes: then the flusher keeps it.
 *
 * One request of an inode is under way at any time: the older of two sizes
 * could reach the server last.
 */

#include "args.h"
#include "famfs.h"

#include <linux/slab.h>
#include <linux/writeback.h>

/**
 * struct famfs_tell - a request in the background
 * @args: the request
 * @in: what it says
 * @out: the reply, which is not looked at
 * @inode: the file, open or kept
 * @ff: the handle in @in, or NULL; its FUSE_RELEASE goes after the answer
 * @seq: fuse_inode.famfs_seq of the request
 */
struct famfs_tell {
	struct fuse_args args;
	struct fuse_setattr_in in;
	struct fuse_attr_out out;
	struct inode *inode;
	struct fuse_file *ff;
	u32 seq;
};

/* In the context of the server's task, or of whoever ended the request. */
static void famfs_tell_end(struct fuse_args *args, int error)
{
	struct famfs_tell *tell = container_of(args, struct famfs_tell, args);
	struct inode *inode = tell->inode;
	struct fuse_file *ff = tell->ff;

	/* Whatever the server has sent is an answer. */
	if (famfs_unanswered(error))
		error = -EIO;
	famfs_size_told(inode, tell->in.valid, tell->in.size, tell->seq, error);
	/* A map that came meanwhile counts more than the answer. */
	if (!error && famfs_size_untold(inode))
		mark_inode_dirty_sync(inode);
	kfree(tell);
	famfs_keep_answered(inode);
	if (ff)
		fuse_file_put(ff, false);
}

static void famfs_tell_fill(struct famfs_tell *tell)
{
	struct fuse_args *args = &tell->args;

	fuse_times_fill(tell->inode, tell->ff, &tell->in);
	tell->in.valid |= famfs_size_to_tell(tell->inode, &tell->in.size,
					     &tell->seq);
	args->opcode = FUSE_SETATTR;
	args->nodeid = get_node_id(tell->inode);
	args->in_numargs = 1;
	args->in_args[0].size = sizeof(tell->in);
	args->in_args[0].value = &tell->in;
	args->out_numargs = 1;
	args->out_args[0].size = sizeof(tell->out);
	args->out_args[0].value = &tell->out;
	args->force = true;
	args->nocreds = true;
	args->end = famfs_tell_end;
}

/* The last one that is released keeps the inode where it must be kept. */
static bool famfs_has_writers(struct fuse_inode *fi)
{
	guard(spinlock)(&fi->lock);
	return !list_empty(&fi->write_files);
}

/*
 * The request is not killed and does not run short of memory, so there is an
 * answer.  Under I_SYNC, so nobody else sends one.
 */
static void famfs_tell_start(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	struct famfs_tell *tell;

	if ((!famfs_has_writers(fi) && !famfs_inode_keep(inode)) ||
	    test_and_set_bit(FUSE_I_SIZE_SENT, &fi->state)) {
		/* What has changed since is told when that is answered. */
		mark_inode_dirty_sync(inode);
		return;
	}
	/* Pairs with famfs_size_settle(). */
	smp_mb__after_atomic();
	tell = kzalloc_obj(*tell, GFP_KERNEL | __GFP_NOFAIL);
	tell->inode = inode;
	tell->ff = __fuse_write_file_get(fi);
	famfs_tell_fill(tell);
	if (fuse_simple_background(get_fuse_mount(inode), &tell->args,
				   GFP_KERNEL | __GFP_NOFAIL))
		famfs_tell_end(&tell->args, -ENOTCONN);
}

static int famfs_tell(struct inode *inode)
{
	struct fuse_file *ff;
	int err;

	err = famfs_size_wait_sent(inode);
	if (err)
		return err;
	ff = __fuse_write_file_get(get_fuse_inode(inode));
	err = fuse_flush_times(inode, ff);
	if (ff)
		fuse_file_put(ff, false);
	return err;
}

/**
 * famfs_write_inode() - tell the server the times and the size of a file
 * @inode: a file that is mapped
 * @wbc: says whether to wait for the answer
 *
 * Context: I_SYNC is held.
 * Return: 0, an error of the server, -EINTR or -ENOMEM where the server has not
 * been asked; then the inode is dirty again.
 */
int famfs_write_inode(struct inode *inode, struct writeback_control *wbc)
{
	/* The last unmount leaves nothing that is open or kept. */
	bool active = atomic_read(&inode->i_sb->s_active);
	int err;

	if (wbc->sync_mode == WB_SYNC_NONE && active) {
		famfs_tell_start(inode);
		return 0;
	}
	err = famfs_tell(inode);
	if (famfs_unanswered(err) && active) {
		famfs_inode_keep(inode);
		mark_inode_dirty_sync(inode);
	}
	return err;
}
