// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: inodes that cannot be evicted yet.
 *
 * FUSE evicts an inode with its last reference, wherever that is dropped: in
 * memory reclaim, or in the server's task.  Neither may wait for a user who has
 * pinned a page of the file, nor may a size be lost that the server has not
 * answered yet.  So closing the file leaves the inode, and its superblock, to a
 * work item here, which looks again until the inode can go.
 *
 * Pages are pinned through a mapping of the file, and a mapping keeps its file
 * open.  So when the last file of an inode has been closed, no page becomes
 * pinned any more.
 */

#include "famfs.h"

#include <linux/dax.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#define FAMFS_KEEP_MIN		(HZ / 100 ?: 1)
#define FAMFS_KEEP_MAX		HZ

/**
 * struct famfs_kept - an inode that is kept
 * @list: in &famfs_conn.kept
 * @inode: the inode, referenced
 * @args: the request that tells its size
 * @in: what that says
 * @out: the reply, which is not looked at
 * @seq: fuse_inode.famfs_seq of the request
 */
struct famfs_kept {
	struct list_head list;
	struct inode *inode;
	struct fuse_args args;
	struct fuse_setattr_in in;
	struct fuse_attr_out out;
	u32 seq;
};

/* Unmaps nothing: where somebody has the file mapped, it is open. */
static bool famfs_inode_pinned(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	return !mapping_empty(mapping) && !mapping_mapped(mapping) &&
	       dax_layout_busy_page(mapping);
}

static void famfs_kept_free(struct famfs_kept *kept)
{
	struct inode *inode = kept->inode;
	struct super_block *sb = inode->i_sb;

	kfree(kept);
	iput(inode);
	deactivate_super(sb);
}

/*
 * In the context of the server's task, or of whoever ended the request.  The
 * work item may free @kept when the bit is clear.
 */
static void famfs_kept_told(struct fuse_args *args, int error)
{
	struct famfs_kept *kept = container_of(args, struct famfs_kept, args);
	struct fuse_inode *fi = get_fuse_inode(kept->inode);

	/* Nobody asks again. */
	if (famfs_unanswered(error))
		error = -EIO;
	famfs_size_told(kept->inode, kept->in.valid, kept->in.size, kept->seq,
			error);
	/* A map that came meanwhile counts more than the answer. */
	if (!error && famfs_size_untold(kept->inode))
		set_bit(FUSE_I_SIZE_LEFT, &fi->state);
	clear_and_wake_up_bit(FUSE_I_SIZE_SENT, &fi->state);
}

/*
 * A background request: no kernel thread waits for a server that is stopped.
 * It is not killed and does not run short of memory, so it gets an answer.
 */
static void famfs_kept_tell(struct famfs_kept *kept)
{
	struct inode *inode = kept->inode;
	struct fuse_args *args = &kept->args;

	set_bit(FUSE_I_SIZE_SENT, &get_fuse_inode(inode)->state);
	/* Pairs with famfs_size_settle(). */
	smp_mb__after_atomic();
	kept->in.valid = famfs_size_to_tell(inode, &kept->in.size, &kept->seq);
	if (!kept->in.valid) {
		clear_and_wake_up_bit(FUSE_I_SIZE_SENT,
				      &get_fuse_inode(inode)->state);
		return;
	}
	args->opcode = FUSE_SETATTR;
	args->nodeid = get_node_id(inode);
	args->in_numargs = 1;
	args->in_args[0].size = sizeof(kept->in);
	args->in_args[0].value = &kept->in;
	args->out_numargs = 1;
	args->out_args[0].size = sizeof(kept->out);
	args->out_args[0].value = &kept->out;
	args->force = true;
	args->nocreds = true;
	args->end = famfs_kept_told;
	if (fuse_simple_background(get_fuse_mount(inode), args,
				   GFP_KERNEL | __GFP_NOFAIL))
		famfs_kept_told(args, -ENOTCONN);
}

/* Is there still a reason to keep the inode? */
static bool famfs_kept_needed(struct famfs_kept *kept)
{
	struct inode *inode = kept->inode;
	struct fuse_inode *fi = get_fuse_inode(inode);

	if (test_bit_acquire(FUSE_I_SIZE_SENT, &fi->state))
		return true;
	if (test_and_clear_bit(FUSE_I_SIZE_LEFT, &fi->state)) {
		famfs_kept_tell(kept);
		return true;
	}
	return famfs_inode_pinned(inode);
}

/**
 * famfs_keep_work() - let inodes go that need not be kept any more
 * @work: &famfs_conn.keep_work
 *
 * The last one may take the superblock along, and the connection with it.
 */
void famfs_keep_work(struct work_struct *work)
{
	struct famfs_conn *conn = container_of(to_delayed_work(work),
					       struct famfs_conn, keep_work);
	struct famfs_kept *kept, *next;
	LIST_HEAD(free);

	scoped_guard(mutex, &conn->keep_lock) {
		list_for_each_entry_safe(kept, next, &conn->kept, list) {
			if (famfs_kept_needed(kept))
				continue;
			clear_bit(FUSE_I_FMAP_KEPT,
				  &get_fuse_inode(kept->inode)->state);
			list_move(&kept->list, &free);
		}
		conn->keep_delay = min(2 * conn->keep_delay, FAMFS_KEEP_MAX);
		if (list_empty(&conn->kept))
			/* An inode that came and went while this waited. */
			cancel_delayed_work(&conn->keep_work);
		else
			queue_delayed_work(system_dfl_long_wq, &conn->keep_work,
					   conn->keep_delay);
	}
	list_for_each_entry_safe(kept, next, &free, list)
		famfs_kept_free(kept);
}

/* The caller has the inode, and so its superblock. */
static void famfs_inode_keep(struct inode *inode)
{
	struct famfs_conn *conn = get_fuse_conn(inode)->famfs;
	struct famfs_kept *kept;

	kept = kzalloc_obj(*kept, GFP_KERNEL | __GFP_NOFAIL);
	kept->inode = inode;
	guard(mutex)(&conn->keep_lock);
	if (test_and_set_bit(FUSE_I_FMAP_KEPT, &get_fuse_inode(inode)->state)) {
		kfree(kept);
		return;
	}
	ihold(inode);
	atomic_inc(&inode->i_sb->s_active);
	list_add_tail(&kept->list, &conn->kept);
	conn->keep_delay = FAMFS_KEEP_MIN;
	mod_delayed_work(system_dfl_long_wq, &conn->keep_work,
			 conn->keep_delay);
}

/**
 * famfs_file_release() - a file of a mapped inode is being closed
 * @inode: an inode of any kind
 * @ff: the file
 *
 * Tells the server the size, if closing has not done so, and keeps the inode
 * where it must not be evicted yet.
 *
 * Context: No locks held.  May wait for the server, killably, but for nobody
 * who has pinned pages.
 */
void famfs_file_release(struct inode *inode, struct fuse_file *ff)
{
	int err;

	if (!fuse_is_famfs(inode))
		return;
	err = famfs_size_flush(inode, i_size_read(inode));
	/* Set before keep_lock is taken: famfs_keep_work() sees it, or keeps. */
	if (famfs_unanswered(err))
		set_bit(FUSE_I_SIZE_LEFT, &get_fuse_inode(inode)->state);
	if (famfs_unanswered(err) ||
	    (ff->famfs_mmapped && famfs_inode_pinned(inode)))
		famfs_inode_keep(inode);
}
