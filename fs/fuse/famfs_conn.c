// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: what a connection needs, from INIT to the last unmount.
 */

#include "famfs.h"

#include <linux/capability.h>
#include <linux/slab.h>

/*
 * Who maps files onto devices decides what memory users touch, so the mounter
 * must be trusted with raw devices, and must not mount on behalf of a user who
 * is not, as set-user-ID helpers do.  A block device cannot keep its pages
 * elsewhere, and connections with submounts (virtiofs) have a server that
 * shares no devices with this kernel.
 */
static bool famfs_conn_allowed(struct fuse_mount *fm)
{
	struct fuse_conn *fc = fm->fc;

	/* capable() last: where it says no it leaves an audit record. */
	return fc->user_ns == &init_user_ns &&
	       uid_eq(fc->user_id, GLOBAL_ROOT_UID) && !fm->sb->s_bdev &&
	       !fc->auto_submounts && capable(CAP_SYS_RAWIO);
}

/**
 * famfs_conn_offer() - decide whether to offer FUSE_DAX_FMAP
 * @fm: the mount whose INIT request is being built
 *
 * Context: The task that mounts.
 * Return: true if the flag is to be offered.
 */
bool famfs_conn_offer(struct fuse_mount *fm)
{
	fm->fc->dax_fmap_offered = famfs_conn_allowed(fm);
	return fm->fc->dax_fmap_offered;
}

static struct famfs_conn *famfs_conn_alloc(struct fuse_conn *fc)
{
	struct famfs_conn *conn = kvzalloc_obj(*conn);

	if (!conn)
		return NULL;
	conn->fc = fc;
	mutex_init(&conn->ask_lock);
	mutex_init(&conn->register_lock);
	mutex_init(&conn->lock);
	xa_init(&conn->indices);
	mutex_init(&conn->parts_lock);
	INIT_LIST_HEAD(&conn->parts);
	mutex_init(&conn->keep_lock);
	INIT_LIST_HEAD(&conn->kept);
	INIT_DELAYED_WORK(&conn->keep_work, famfs_keep_work);
	init_waitqueue_head(&conn->claimed);
	return conn;
}

/**
 * famfs_conn_start() - take note of what the server replied to INIT
 * @fc: the connection
 * @flags: the reply's flags
 *
 * A flag that was not offered has no effect.
 *
 * Context: The task that replies to INIT, or the one that mounts.
 * Return: false if there is no memory for what has been agreed.
 */
bool famfs_conn_start(struct fuse_conn *fc, u64 flags)
{
	struct famfs_conn *conn;

	if (!fc->dax_fmap_offered || !(flags & FUSE_DAX_FMAP))
		return true;

	conn = famfs_conn_alloc(fc);
	if (!conn)
		return false;
	/* Pairs with famfs_conn_of(). */
	smp_store_release(&fc->famfs, conn);
	fc->dax_fmap = 1;
	return true;
}

/**
 * famfs_conn_stop() - give the devices back
 * @fc: a connection whose last superblock has no inodes any more
 *
 * The server may keep the connection itself open for as long as it likes.
 */
void famfs_conn_stop(struct fuse_conn *fc)
{
	if (fc->famfs)
		famfs_devs_put(fc->famfs);
}

/**
 * famfs_conn_free() - free what famfs_conn_start() allocated
 * @fc: a connection that nobody uses any more
 */
void famfs_conn_free(struct fuse_conn *fc)
{
	struct famfs_parts *parts, *next;

	if (!fc->famfs)
		return;
	WARN_ON_ONCE(!list_empty(&fc->famfs->kept));
	list_for_each_entry_safe(parts, next, &fc->famfs->parts, list)
		kvfree(parts);
	xa_destroy(&fc->famfs->indices);
	kvfree(fc->famfs);
}
