// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: sending times and sizes to the server, and inodes waiting for it.
 *
 * Times of an fmap file, and the size of a growing one, change locally.  A
 * change dirties the inode, and writing the inode sends FUSE_SETATTR.  fsync()
 * and close() wait for the answer (WB_SYNC_ALL).  All other callers may be the
 * server or act for everybody, such as the flusher and the task that drops the
 * last reference to a file.  They send the request in the background
 * (WB_SYNC_NONE).
 *
 * At most one such request of an inode is in flight, because the older of two
 * sizes could reach the server last.  A request that a signal removed from the
 * queue leaves the inode dirty.
 *
 * FUSE evicts an inode with its last reference, wherever that is dropped: in
 * memory reclaim, or in the server's task.  Neither may wait for a user who has
 * pinned a page of the file, nor for the server, and no dirty size may be lost.
 * So such an inode, and its superblock, are kept by a work item until the inode
 * can be evicted.
 *
 * Pages are pinned through a mapping of the file, and a mapping keeps its file
 * open.  So no page becomes pinned after the last file of an inode is closed.
 */

#include "args.h"
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

/* Unmaps nothing: a file that is mapped is open. */
static bool famfs_inode_pinned(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	return !mapping_empty(mapping) && !mapping_mapped(mapping) &&
	       dax_layout_busy_page(mapping);
}

/**
 * famfs_inode_attr_dirty() - check for times or a size that are not flushed
 * @inode: an fmap inode
 *
 * Context: Takes i_lock.  FUSE_I_ATTR_FLUSHING is set under I_SYNC, and the
 * inode is dirtied again before the bit is cleared, so no state in between is
 * seen.
 * Return: true if a request must be sent, or has no answer yet.
 */
bool famfs_inode_attr_dirty(struct inode *inode)
{
	guard(spinlock)(&inode->i_lock);
	return test_bit(FUSE_I_ATTR_FLUSHING, &get_fuse_inode(inode)->state) ||
	       (inode_state_read(inode) &
		(I_DIRTY_INODE | I_DIRTY_TIME | I_SYNC));
}

/**
 * famfs_cache_mask() - attributes for which the kernel's values are
 * authoritative
 * @inode: an fmap inode
 *
 * i_size comes from the fmap or from local writes.  Timestamps are
 * authoritative until flushed.
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

static void famfs_kept_free(struct famfs_kept *kept)
{
	struct inode *inode = kept->inode;
	struct super_block *sb = inode->i_sb;

	kfree(kept);
	iput(inode);
	deactivate_super(sb);
}

/* Under keep_lock, so famfs_inode_keep() adds the inode before or once more. */
static void famfs_kept_collect(struct list_head *kept, struct list_head *free)
{
	struct famfs_kept *pos, *next;

	list_for_each_entry_safe(pos, next, kept, list) {
		struct inode *inode = pos->inode;

		if (famfs_inode_attr_dirty(inode) || famfs_inode_pinned(inode))
			continue;
		clear_bit(FUSE_I_FMAP_KEPT, &get_fuse_inode(inode)->state);
		list_move(&pos->list, free);
	}
}

/**
 * famfs_keep_work() - drop inodes that need not be kept any more
 * @work: &famfs_conn.keep_work
 *
 * Dirty attributes are sent to the server in the background.  The last inode
 * may take the superblock and the connection along.
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
		famfs_kept_collect(&kept, &free);
		list_splice(&kept, &conn->kept);
		conn->keep_delay = min(2 * conn->keep_delay, FAMFS_KEEP_MAX);
		if (list_empty(&conn->kept))
			/* Queued for an inode that was dropped above. */
			cancel_delayed_work(&conn->keep_work);
		else
			queue_delayed_work(system_dfl_long_wq, &conn->keep_work,
					   conn->keep_delay);
	}
	list_for_each_entry_safe(pos, next, &free, list)
		famfs_kept_free(pos);
}

/**
 * famfs_attr_flush_done() - the background FUSE_SETATTR of an inode has ended
 * @inode: an fmap inode, open or kept; may be freed on return
 *
 * Context: Any task that ends a request, including the server's.
 */
void famfs_attr_flush_done(struct inode *inode)
{
	struct fuse_conn *fc = fuse_conn_get(get_fuse_conn(inode));
	unsigned long *state = &get_fuse_inode(inode)->state;
	bool kept;

	scoped_guard(mutex, &fc->famfs->keep_lock) {
		kept = test_bit(FUSE_I_FMAP_KEPT, state);
		clear_and_wake_up_bit(FUSE_I_ATTR_FLUSHING, state);
		/*
		 * The list has a reference, and the work item looks at the
		 * inode.
		 */
		if (kept)
			mod_delayed_work(system_dfl_long_wq,
					 &fc->famfs->keep_work, 0);
	}
	fuse_conn_put(fc);
}

/* A stream of inodes must not postpone the work item. */
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
 * @inode: an fmap inode
 *
 * The inode is dropped when it is neither dirty nor pinned and no request is in
 * flight.
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
 * Dirty attributes are left to the release of another writable file, which
 * leaves the list later.
 */
static bool famfs_file_unlink_last(struct fuse_inode *fi, struct fuse_file *ff)
{
	guard(spinlock)(&fi->lock);
	list_del_init(&ff->write_entry);
	return list_empty(&fi->write_files);
}

static void famfs_file_write_now(struct inode *inode)
{
	filemap_write_and_wait(inode->i_mapping);
	/* Lazy times as well: nothing else would flush them. */
	if (famfs_size_dirty(inode) ||
	    (inode_state_read_once(inode) & I_DIRTY_TIME))
		mark_inode_dirty_sync(inode);
	write_inode_now(inode, 0);
}

/**
 * famfs_file_release() - release a file of an fmap inode
 * @inode: an fmap inode
 * @ff: the file
 *
 * Flushes attributes that close() did not flush, and keeps the inode if it
 * cannot be evicted yet.  The last reference may be dropped by the server, or
 * by a kernel thread that serves everybody.
 *
 * Context: No locks held.  Waits neither for the server nor for pins.
 */
void famfs_file_release(struct inode *inode, struct fuse_file *ff)
{
	/* Of a file that is open for reading the others are the writers. */
	bool last = false;

	if (!list_empty(&ff->write_entry)) {
		famfs_file_write_now(inode);
		last = famfs_file_unlink_last(get_fuse_inode(inode), ff);
	}
	if ((last && famfs_inode_attr_dirty(inode)) ||
	    (ff->famfs_mmapped && famfs_inode_pinned(inode)))
		famfs_inode_keep(inode);
}

/**
 * struct famfs_attr_flush - FUSE_SETATTR in the background
 * @args: the request
 * @in: its argument
 * @out: the reply, ignored
 * @inode: the file, open or kept
 * @ff: the handle in @in, or NULL; released after the answer
 * @seq: fuse_inode.famfs_seq of the request
 */
struct famfs_attr_flush {
	struct fuse_args args;
	struct fuse_setattr_in in;
	struct fuse_attr_out out;
	struct inode *inode;
	struct fuse_file *ff;
	u32 seq;
};

/*
 * In the context of the server's task, or of the task that ended the request.
 */
static void famfs_attr_flush_end(struct fuse_args *args, int error)
{
	struct famfs_attr_flush *flush =
		container_of(args, struct famfs_attr_flush, args);
	struct inode *inode = flush->inode;
	struct fuse_file *ff = flush->ff;

	/* These errors come from the server here, so they are answers. */
	if (famfs_err_unanswered(error))
		error = -EIO;
	famfs_size_flushed(inode, flush->in.valid, flush->in.size, flush->seq,
			   error);
	/* An fmap installed after the request was sent takes precedence. */
	if (!error && famfs_size_dirty(inode))
		mark_inode_dirty_sync(inode);
	kfree(flush);
	famfs_attr_flush_done(inode);
	if (ff)
		fuse_file_put(ff, false);
}

static void famfs_attr_flush_fill(struct famfs_attr_flush *flush)
{
	struct fuse_args *args = &flush->args;

	fuse_times_fill(flush->inode, flush->ff, &flush->in);
	flush->in.valid |= famfs_size_to_flush(flush->inode, &flush->in.size,
					       &flush->seq);
	args->opcode = FUSE_SETATTR;
	args->nodeid = get_node_id(flush->inode);
	args->in_numargs = 1;
	args->in_args[0].size = sizeof(flush->in);
	args->in_args[0].value = &flush->in;
	args->out_numargs = 1;
	args->out_args[0].size = sizeof(flush->out);
	args->out_args[0].value = &flush->out;
	args->force = true;
	args->nocreds = true;
	args->end = famfs_attr_flush_end;
}

/* The release of the last writable file keeps the inode if necessary. */
static bool famfs_has_writers(struct fuse_inode *fi)
{
	guard(spinlock)(&fi->lock);
	return !list_empty(&fi->write_files);
}

/*
 * The request is neither killed nor short of memory, so it has an answer.
 * I_SYNC keeps others from sending one.
 */
static void famfs_attr_flush_start(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	struct famfs_attr_flush *flush;

	if ((!famfs_has_writers(fi) && !famfs_inode_keep(inode)) ||
	    test_and_set_bit(FUSE_I_ATTR_FLUSHING, &fi->state)) {
		/* Later changes are flushed after the answer. */
		mark_inode_dirty_sync(inode);
		return;
	}
	/* Pairs with famfs_size_settle(). */
	smp_mb__after_atomic();
	flush = kzalloc_obj(*flush, GFP_KERNEL | __GFP_NOFAIL);
	flush->inode = inode;
	flush->ff = __fuse_write_file_get(fi);
	famfs_attr_flush_fill(flush);
	if (fuse_simple_background(get_fuse_mount(inode), &flush->args,
				   GFP_KERNEL | __GFP_NOFAIL))
		famfs_attr_flush_end(&flush->args, -ENOTCONN);
}

static int famfs_attr_flush_sync(struct inode *inode)
{
	struct fuse_file *ff;
	int err;

	err = famfs_attr_flush_wait(inode);
	if (err)
		return err;
	ff = __fuse_write_file_get(get_fuse_inode(inode));
	err = fuse_flush_times(inode, ff);
	if (ff)
		fuse_file_put(ff, false);
	return err;
}

/**
 * famfs_write_inode() - send the times and the size of a file to the server
 * @inode: an fmap inode
 * @wbc: tells whether to wait for the answer
 *
 * Context: I_SYNC is held.
 * Return: 0, an error of the server, -EINTR or -ENOMEM if no request reached
 * the server; then the inode is dirty again.
 */
int famfs_write_inode(struct inode *inode, struct writeback_control *wbc)
{
	/* The last unmount leaves no inode that is open or kept. */
	bool active = atomic_read(&inode->i_sb->s_active);
	int err;

	if (wbc->sync_mode == WB_SYNC_NONE && active) {
		famfs_attr_flush_start(inode);
		return 0;
	}
	err = famfs_attr_flush_sync(inode);
	if (famfs_err_unanswered(err) && active) {
		famfs_inode_keep(inode);
		mark_inode_dirty_sync(inode);
	}
	return err;
}
