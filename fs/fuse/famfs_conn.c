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
 *
 * Returns why the mount is none that can have maps, which does not change, or
 * NULL.
 */
static const char *famfs_conn_unfit(const struct fuse_mount *fm)
{
	const struct fuse_conn *fc = fm->fc;

	if (fc->user_ns != &init_user_ns)
		return "/dev/fuse was opened in a user namespace";
	if (!uid_eq(fc->user_id, GLOBAL_ROOT_UID))
		return "it is mounted for a user, user_id= is not 0";
	if (fm->sb->s_bdev || fc->auto_submounts)
		return "this kind of mount cannot have them";
	return NULL;
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
	/* capable() last: where it says no it leaves an audit record. */
	fm->fc->dax_fmap_offered = !famfs_conn_unfit(fm) &&
				   capable(CAP_SYS_RAWIO);
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
	mutex_init(&conn->partial_lock);
	INIT_LIST_HEAD(&conn->partials);
	mutex_init(&conn->keep_lock);
	INIT_LIST_HEAD(&conn->kept);
	INIT_DELAYED_WORK(&conn->keep_work, famfs_keep_work);
	init_waitqueue_head(&conn->claimed);
	return conn;
}

/**
 * famfs_conn_start() - take note of what the server replied to INIT
 * @fm: the mount that INIT was sent for
 * @flags: the reply's flags
 *
 * A flag that was not offered has no effect, but that the log says why.
 *
 * Context: The task that replies to INIT, or the one that mounts.
 * Return: false if there is no memory for what has been agreed.
 */
bool famfs_conn_start(struct fuse_mount *fm, u64 flags)
{
	struct fuse_conn *fc = fm->fc;
	struct famfs_conn *conn;

	if (!(flags & FUSE_DAX_FMAP))
		return true;
	if (!fc->dax_fmap_offered) {
		famfs_warn(fc, FAMFS_NO_MAPS, famfs_conn_unfit(fm) ?:
			   "who mounted it had no CAP_SYS_RAWIO");
		return true;
	}

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
		famfs_daxdevs_release(fc->famfs);
}

/**
 * famfs_conn_free() - free what famfs_conn_start() allocated
 * @fc: a connection that nobody uses any more
 */
void famfs_conn_free(struct fuse_conn *fc)
{
	struct famfs_partial *partial, *next;

	if (!fc->famfs)
		return;
	WARN_ON_ONCE(!list_empty(&fc->famfs->kept));
	WARN_ON_ONCE(delayed_work_pending(&fc->famfs->keep_work));
	WARN_ON_ONCE(!xa_empty(&fc->famfs->indices));
	list_for_each_entry_safe(partial, next, &fc->famfs->partials, list)
		kvfree(partial);
	kvfree(fc->famfs);
}
