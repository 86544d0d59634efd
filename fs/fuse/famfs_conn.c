// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: what a connection and its server agree on.
 *
 * FUSE_DAX_FMAP is negotiated by INIT.  FUSE_GET_DAXDEV asks which device a
 * server-assigned index stands for when an fmap first uses it.  The path in the
 * reply is looked up in the context of the server's task that replies, not of
 * the process that opens a file: the server's /dev counts.
 */

#include "famfs.h"

#include <linux/capability.h>
#include <linux/completion.h>
#include <linux/namei.h>
#include <linux/slab.h>

/*
 * The server decides which memory users access, so the mounter needs raw device
 * access itself and must not act for an unprivileged user, as setuid mount
 * helpers do.  A block device cannot keep its pages elsewhere, and the server
 * of a connection with submounts (virtiofs) shares no devices with this kernel.
 *
 * Returns why the mount cannot have fmaps, which does not change, or NULL.
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
 * famfs_conn_offer() - check whether to offer FUSE_DAX_FMAP
 * @fm: the mount whose INIT request is being built
 *
 * Context: The task that mounts.
 * Return: true if the flag is to be offered.
 */
bool famfs_conn_offer(struct fuse_mount *fm)
{
	/* capable() comes last, because a denial leaves an audit record. */
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
	init_rwsem(&conn->drop_rwsem);
	return conn;
}

/**
 * famfs_conn_start() - handle FUSE_DAX_FMAP in the reply to INIT
 * @fm: the mount that INIT was sent for
 * @flags: the reply's flags
 *
 * A flag that the kernel did not offer is ignored, and logged.
 *
 * Context: The task that replies to INIT, or the one that mounts.
 * Return: false if there is no memory.
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
 * famfs_conn_stop() - release the devices after the last unmount
 * @fc: a connection whose last superblock has no inodes any more
 *
 * The server may keep the connection itself open for any time.
 */
void famfs_conn_stop(struct fuse_conn *fc)
{
	if (fc->famfs)
		famfs_daxdevs_release(fc->famfs);
}

/**
 * famfs_conn_free() - free the memory of famfs_conn_start()
 * @fc: an unused connection
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

/* Limits the indices of one device. */
#define FAMFS_INDICES_MAX	256

/* FUSE_GET_DAXDEV; the opener may be killed before the reply. */
struct famfs_daxdev_req {
	struct fuse_args args;
	struct fuse_get_daxdev_in in;
	struct fuse_daxdev_out out;
	struct famfs_conn *conn;
	int err;
	refcount_t count;
	struct completion done;
};

static void famfs_daxdev_req_put(struct famfs_daxdev_req *req)
{
	if (refcount_dec_and_test(&req->count))
		kfree(req);
}

static bool famfs_daxdev_reply_valid(const struct famfs_daxdev_req *req)
{
	const struct fuse_daxdev_out *out = &req->out;

	return (!out->index || out->index == req->in.index) &&
	       !out->reserved && !out->reserved2 &&
	       !out->reserved3[0] && !out->reserved3[1] && out->name[0] &&
	       strnlen(out->name, sizeof(out->name)) < sizeof(out->name);
}

/*
 * Check that current may open the device node at @path for reading and writing.
 */
static int famfs_devnode_permission(const struct path *path)
{
	struct inode *inode = d_inode(path->dentry);

	if (!S_ISCHR(inode->i_mode))
		return -ENODEV;
	if ((path->mnt->mnt_flags & MNT_NODEV) ||
	    (path->mnt->mnt_sb->s_iflags & SB_I_NODEV))
		return -EACCES;
	return inode_permission(mnt_idmap(path->mnt), inode,
				MAY_READ | MAY_WRITE | MAY_OPEN);
}

static int famfs_devnode_lookup(const char *name, dev_t *devt)
{
	struct path path;
	int err;

	err = kern_path(name, LOOKUP_FOLLOW, &path);
	if (err)
		return err;
	err = famfs_devnode_permission(&path);
	if (!err)
		*devt = d_inode(path.dentry)->i_rdev;
	path_put(&path);
	return err;
}

/*
 * An index of a dead device without fmaps can be reassigned, others cannot.
 * Registering the same device again succeeds.
 */
static int famfs_index_set(struct famfs_conn *conn, u32 index,
			   struct famfs_daxdev *dev)
{
	struct famfs_daxdev *old = famfs_daxdev_lookup(conn, index, false);
	int err;

	lockdep_assert_held(&conn->register_lock);
	if (old == dev)
		return 0;
	if (old && (!READ_ONCE(old->dead) || famfs_daxdev_drop(old)))
		return -EBUSY;
	if (dev->nr_indices == FAMFS_INDICES_MAX)
		return -E2BIG;
	err = xa_err(xa_store(&conn->indices, index, dev, GFP_KERNEL));
	if (!err)
		dev->nr_indices++;
	return err;
}

static int famfs_index_register(struct famfs_conn *conn, u32 index, dev_t devt)
{
	struct famfs_daxdev *dev;
	int err;

	guard(mutex)(&conn->register_lock);
	dev = famfs_daxdev_find_or_add(conn, devt, false);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	err = famfs_index_set(conn, index, dev);
	if (err)
		famfs_daxdev_drop_unnamed(dev);
	return err;
}

static int famfs_daxdev_req_resolve(struct famfs_daxdev_req *req)
{
	dev_t devt;
	int err;

	err = famfs_devnode_lookup(req->out.name, &devt);
	if (!err)
		err = famfs_index_register(req->conn, req->in.index, devt);
	return err;
}

/*
 * In the context of the server's task, or of the task that ended the request.
 */
static void famfs_daxdev_request_end(struct fuse_args *args, int error)
{
	struct famfs_daxdev_req *req =
		container_of(args, struct famfs_daxdev_req, args);

	if (!error && !famfs_daxdev_reply_valid(req)) {
		famfs_warn(req->conn->fc,
			   "dax device with index %u: malformed reply to GET_DAXDEV\n",
			   req->in.index);
		error = -EINVAL;
	} else if (!error) {
		error = famfs_daxdev_req_resolve(req);
		if (error)
			famfs_daxdev_warn(req->conn->fc, req->out.name, error);
	}
	req->err = error;
	complete(&req->done);
	famfs_daxdev_req_put(req);
}

/*
 * Sent in the background so that ->end() runs in the server's context; a
 * synchronous waiter would do the lookup as the opener.
 */
static int famfs_daxdev_request(struct fuse_mount *fm, u32 index)
{
	struct famfs_daxdev_req *req;
	int err;

	req = kzalloc_obj(*req);
	if (!req)
		return -ENOMEM;
	req->conn = fm->fc->famfs;
	req->in.index = index;
	init_completion(&req->done);
	refcount_set(&req->count, 2);

	req->args.opcode = FUSE_GET_DAXDEV;
	req->args.nodeid = FUSE_ROOT_ID;
	req->args.in_numargs = 1;
	req->args.in_args[0].size = sizeof(req->in);
	req->args.in_args[0].value = &req->in;
	req->args.out_numargs = 1;
	req->args.out_args[0].size = sizeof(req->out);
	req->args.out_args[0].value = &req->out;
	req->args.end = famfs_daxdev_request_end;

	err = fuse_simple_background(fm, &req->args, GFP_KERNEL);
	if (err)
		famfs_daxdev_req_put(req);
	else
		err = wait_for_completion_killable(&req->done) ?
			-EINTR : req->err;
	famfs_daxdev_req_put(req);
	return err;
}

/* A dead device without fmaps may have been bound again: ask. */
static bool famfs_index_known(struct famfs_conn *conn, u32 index)
{
	const struct famfs_daxdev *dev;

	guard(mutex)(&conn->lock);
	dev = famfs_daxdev_lookup(conn, index, false);
	return dev && (dev->nr_users || !READ_ONCE(dev->dead));
}

/**
 * famfs_index_resolve() - ask the server for the device of an index
 * @fm: the mount
 * @index: the index
 *
 * Context: No lock held that the server could need.  May wait for the server,
 * killably.
 * Return: 0 also if the index is known, -EINTR, the server's error, -EINVAL for
 * a malformed reply, an error of the path lookup or of
 * famfs_daxdev_find_or_add(), -EBUSY if the index is another device's, -E2BIG
 * if this one has too many.
 */
static int famfs_index_resolve(struct fuse_mount *fm, u32 index)
{
	struct famfs_conn *conn = fm->fc->famfs;
	int err = 0;

	if (famfs_index_known(conn, index))
		return 0;
	/* The server may need register_lock before it replies. */
	lockdep_assert_not_held(&conn->register_lock);
	if (mutex_lock_killable(&conn->ask_lock))
		return -EINTR;
	if (!famfs_index_known(conn, index))
		err = famfs_daxdev_request(fm, index);
	mutex_unlock(&conn->ask_lock);
	return err;
}

/* Find the device of a number, and hold it until famfs_map_put(). */
static struct famfs_daxdev *famfs_daxdev_use(struct famfs_conn *conn,
					     struct famfs_map *map, u32 number)
{
	struct famfs_daxdev *dev;

	guard(mutex)(&conn->lock);
	dev = famfs_daxdev_lookup(conn, number, map->backing_ids);
	if (dev && !__test_and_set_bit(dev->slot, map->uses))
		dev->nr_users++;
	return dev;
}

/* Caches the last lookup: usually the next number is the same. */
struct famfs_resolve_walk {
	struct fuse_mount *fm;
	struct famfs_map *map;
	bool ask;
	u32 number;
	struct famfs_daxdev *dev;
};

static int famfs_daxdev_resolve_number(struct famfs_resolve_walk *use,
				       u32 *number)
{
	struct famfs_conn *conn = use->fm->fc->famfs;
	int err;

	if (!use->dev || use->number != *number) {
		if (use->ask) {
			err = famfs_index_resolve(use->fm, *number);
			if (err)
				return err;
		}
		use->number = *number;
		use->dev = famfs_daxdev_use(conn, use->map, *number);
	}
	if (!use->dev) {
		pr_debug("fmap refused: no device has the %s %u\n",
			 use->map->backing_ids ? "backing id" : "index",
			 *number);
		return -ENODEV;
	}
	*number = use->dev->slot;
	return 0;
}

/**
 * famfs_daxdevs_resolve() - replace the numbers of an fmap by slots
 * @fm: the mount
 * @map: an unpublished fmap
 * @ask: whether to ask the server for the devices of new indices
 *
 * The devices keep their slots until famfs_map_put(), which is due also after
 * errors.
 *
 * Context: With @ask no lock is held that the server could need, and this may
 * wait for the server, killably.
 * Return: 0, -ENODEV for a number without a device, or an error of
 * famfs_index_resolve().
 */
int famfs_daxdevs_resolve(struct fuse_mount *fm, struct famfs_map *map,
			  bool ask)
{
	struct famfs_resolve_walk use = {
		.fm	= fm,
		.map	= map,
		.ask	= ask && !map->backing_ids,
	};
	int err = 0;
	u32 i;

	map->devs = fm->fc->famfs->devs;
	for (i = 0; i < map->nr_extents && !err; i++)
		err = famfs_daxdev_resolve_number(&use, &map->extents[i].dev);
	for (i = 0; i < map->nr_strips && !err; i++)
		err = famfs_daxdev_resolve_number(&use, &map->strips[i].dev);
	return err;
}
