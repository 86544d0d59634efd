// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: inodes that cannot be evicted yet.
 *
 * FUSE evicts an inode with its last reference, wherever that is dropped: in
 * memory reclaim, or in the server's task.  Neither may wait for a user who has
 * pinned a page of the file, nor for the server, nor may a size be lost that
 * the server has not answered yet.  So such an inode, and its superblock, are
 * left to a work item here, which looks again until the inode can go.
 *
 * Pages are pinned through a mapping of the file, and a mapping keeps its file
 * open.  So when the last file of an inode has been closed, no page becomes
 * pinned any more.
 */

#include "dev.h"
#include "famfs.h"

#include <linux/dax.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <linux/writeback.h>

#define FAMFS_KEEP_MIN		(HZ / 100 ?: 1)
#define FAMFS_KEEP_MAX		HZ

/**
 * struct famfs_kept - an inode that is kept
 * @list: in &famfs_conn.kept
 * @inode: the inode, referenced
 */
struct famfs_kept {
	struct list_head list;
	struct inode *inode;
};

/* Unmaps nothing: where somebody has the file mapped, it is open. */
static bool famfs_inode_pinned(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	return !mapping_empty(mapping) && !mapping_mapped(mapping) &&
	       dax_layout_busy_page(mapping);
}

/**
 * famfs_inode_unwritten() - does the kernel know times or a size better?
 * @inode: a file that is mapped
 *
 * Context: Takes i_lock: a request is marked as sent under I_SYNC, and the inode
 * is made dirty again before the mark goes, so there is no moment in between.
 * Return: true if the server has yet to be told, or to answer.
 */
bool famfs_inode_unwritten(struct inode *inode)
{
	guard(spinlock)(&inode->i_lock);
	return test_bit(FUSE_I_SIZE_SENT, &get_fuse_inode(inode)->state) ||
	       (inode_state_read(inode) &
		(I_DIRTY_INODE | I_DIRTY_TIME | I_SYNC));
}

static void famfs_kept_free(struct famfs_kept *kept)
{
	struct inode *inode = kept->inode;
	struct super_block *sb = inode->i_sb;

	kfree(kept);
	iput(inode);
	deactivate_super(sb);
}

/* Under keep_lock: famfs_inode_keep() comes before, or finds nothing. */
static void famfs_kept_sort(struct list_head *kept, struct list_head *free)
{
	struct famfs_kept *pos, *next;

	list_for_each_entry_safe(pos, next, kept, list) {
		struct inode *inode = pos->inode;

		if (famfs_inode_unwritten(inode) || famfs_inode_pinned(inode))
			continue;
		clear_bit(FUSE_I_FMAP_KEPT, &get_fuse_inode(inode)->state);
		list_move(&pos->list, free);
	}
}

/**
 * famfs_keep_work() - let inodes go that need not be kept any more
 * @work: &famfs_conn.keep_work
 *
 * What is dirty is sent to the server, in the background.  The last inode may
 * take the superblock along, and the connection with it.
 */
void famfs_keep_work(struct work_struct *work)
{
	struct famfs_conn *conn = container_of(to_delayed_work(work),
					       struct famfs_conn, keep_work);
	struct famfs_kept *pos, *next;
	LIST_HEAD(kept);
	LIST_HEAD(free);

	scoped_guard(mutex, &conn->keep_lock)
		list_splice_init(&conn->kept, &kept);
	list_for_each_entry(pos, &kept, list)
		write_inode_now(pos->inode, 0);

	scoped_guard(mutex, &conn->keep_lock) {
		famfs_kept_sort(&kept, &free);
		list_splice(&kept, &conn->kept);
		conn->keep_delay = min(2 * conn->keep_delay, FAMFS_KEEP_MAX);
		if (list_empty(&conn->kept))
			/* An inode that came and went while this waited. */
			cancel_delayed_work(&conn->keep_work);
		else
			queue_delayed_work(system_dfl_long_wq, &conn->keep_work,
					   conn->keep_delay);
	}
	list_for_each_entry_safe(pos, next, &free, list)
		famfs_kept_free(pos);
}

/**
 * famfs_keep_answered() - the server has answered to an inode's size and times
 * @inode: a file that is mapped, open or kept; it may be gone afterwards
 *
 * Context: Any task that ends a request, the server's among them.
 */
void famfs_keep_answered(struct inode *inode)
{
	struct fuse_conn *fc = fuse_conn_get(get_fuse_conn(inode));
	unsigned long *state = &get_fuse_inode(inode)->state;
	bool kept;

	scoped_guard(mutex, &fc->famfs->keep_lock) {
		kept = test_bit(FUSE_I_FMAP_KEPT, state);
		clear_and_wake_up_bit(FUSE_I_SIZE_SENT, state);
		/* The inode is there still, and the work item looks at it. */
		if (kept)
			mod_delayed_work(system_dfl_long_wq,
					 &fc->famfs->keep_work, 0);
	}
	fuse_conn_put(fc);
}

/* Inodes that keep coming must not put the work item off. */
static void famfs_keep_soon(struct famfs_conn *conn)
{
	if (conn->keep_delay == FAMFS_KEEP_MIN) {
		queue_delayed_work(system_dfl_long_wq, &conn->keep_work,
				   FAMFS_KEEP_MIN);
		return;
	}
	conn->keep_delay = FAMFS_KEEP_MIN;
	mod_delayed_work(system_dfl_long_wq, &conn->keep_work, FAMFS_KEEP_MIN);
}

/**
 * famfs_inode_keep() - keep an inode from being evicted
 * @inode: a file that is mapped
 *
 * It goes when nothing of it is dirty, pinned or unanswered any more.
 *
 * Context: The superblock is active, and the inode referenced or I_SYNC held.
 * Return: false if the inode is being evicted already.
 */
bool famfs_inode_keep(struct inode *inode)
{
	unsigned long *state = &get_fuse_inode(inode)->state;
	struct famfs_conn *conn = get_fuse_conn(inode)->famfs;
	struct famfs_kept *kept;

	kept = kzalloc_obj(*kept, GFP_KERNEL | __GFP_NOFAIL);
	kept->inode = inode;
	guard(mutex)(&conn->keep_lock);
	if (test_bit(FUSE_I_FMAP_KEPT, state) || !igrab(inode)) {
		kfree(kept);
		return test_bit(FUSE_I_FMAP_KEPT, state);
	}
	set_bit(FUSE_I_FMAP_KEPT, state);
	atomic_inc(&inode->i_sb->s_active);
	list_add_tail(&kept->list, &conn->kept);
	famfs_keep_soon(conn);
	return true;
}

/*
 * Whatever is unwritten is left to whoever releases another file that is open
 * for writing: that one leaves the list later.
 */
static bool famfs_file_unlink_last(struct fuse_inode *fi, struct fuse_file *ff)
{
	guard(spinlock)(&fi->lock);
	list_del_init(&ff->write_entry);
	return list_empty(&fi->write_files);
}

/**
 * famfs_file_release() - a file of a mapped inode is being closed
 * @inode: an inode of any kind
 * @ff: the file
 *
 * Has the server told what closing has not told it, and keeps the inode where
 * it must not be evicted yet.  Whoever drops the last reference may be the
 * server, or a kernel thread that does so for everybody.
 *
 * Context: No locks held.  Waits neither for the server nor for pins.
 */
void famfs_file_release(struct inode *inode, struct fuse_file *ff)
{
	bool last;

	if (!fuse_is_famfs(inode))
		return;
	filemap_write_and_wait(inode->i_mapping);
	/* Lazy times as well: nobody else would tell them. */
	if (famfs_size_untold(inode) ||
	    (inode_state_read_once(inode) & I_DIRTY_TIME))
		mark_inode_dirty_sync(inode);
	write_inode_now(inode, 0);
	last = famfs_file_unlink_last(get_fuse_inode(inode), ff);
	if ((last && famfs_inode_unwritten(inode)) ||
	    (ff->famfs_mmapped && famfs_inode_pinned(inode)))
		famfs_inode_keep(inode);
}
