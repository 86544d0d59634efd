// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: devices that the server names when it is asked.
 *
 * What an index of the server's own means is asked with FUSE_GET_DAXDEV when a
 * map first uses it.  The path in the reply is looked up in the context of the
 * server's task that replies, not of the process that opens a file: it is the
 * server's /dev that counts.
 */

#include "famfs.h"

#include <linux/completion.h>
#include <linux/namei.h>
#include <linux/slab.h>

#define FAMFS_INDICES_MAX	256	/* for one device */

/* One GET_DAXDEV request; the asker may be killed before the reply. */
struct famfs_daxdev_req {
	struct fuse_args args;
	struct fuse_get_daxdev_in in;
	struct fuse_daxdev_out out;
	struct famfs_conn *conn;
	int err;
	refcount_t count;
	struct completion done;
};

static void famfs_daxdev_req_put(struct famfs_daxdev_req *ask)
{
	if (refcount_dec_and_test(&ask->count))
		kfree(ask);
}

static bool famfs_reply_valid(const struct famfs_daxdev_req *ask)
{
	const struct fuse_daxdev_out *out = &ask->out;

	return (!out->index || out->index == ask->in.index) &&
	       !out->reserved && !out->reserved2 &&
	       !out->reserved3[0] && !out->reserved3[1] && out->name[0] &&
	       strnlen(out->name, sizeof(out->name)) < sizeof(out->name);
}

/* May current open the device node at @path for reading and writing? */
static int famfs_node_permission(const struct path *path)
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

static int famfs_node_lookup(const char *name, dev_t *devt)
{
	struct path path;
	int err;

	err = kern_path(name, LOOKUP_FOLLOW, &path);
	if (err)
		return err;
	err = famfs_node_permission(&path);
	if (!err)
		*devt = d_inode(path.dentry)->i_rdev;
	path_put(&path);
	return err;
}

/*
 * Nothing is in the way of an index that a device has which is dead and without
 * maps: it is forgotten then.
 */
static int famfs_index_set(struct famfs_conn *conn, u32 index,
			   struct famfs_daxdev *dev)
{
	struct famfs_daxdev *old = famfs_dev_named(conn, index, false);
	int err;

	lockdep_assert_held(&conn->register_lock);
	if (old == dev)
		return 0;
	if (old && (!READ_ONCE(old->dead) || famfs_dev_drop(old)))
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
	dev = famfs_dev_get(conn, devt, false);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	err = famfs_index_set(conn, index, dev);
	if (err)
		famfs_dev_drop_unnamed(dev);
	return err;
}

static int famfs_daxdev_resolve(struct famfs_daxdev_req *ask)
{
	dev_t devt;
	int err;

	err = famfs_node_lookup(ask->out.name, &devt);
	if (!err)
		err = famfs_index_register(ask->conn, ask->in.index, devt);
	return err;
}

/* In the context of the server's task, or of whoever ended the request. */
static void famfs_daxdev_request_end(struct fuse_args *args, int error)
{
	struct famfs_daxdev_req *ask =
		container_of(args, struct famfs_daxdev_req, args);

	if (!error && !famfs_reply_valid(ask)) {
		famfs_warn(ask->conn->fc,
			   "dax device with index %u: malformed reply to GET_DAXDEV\n",
			   ask->in.index);
		error = -EINVAL;
	} else if (!error) {
		error = famfs_daxdev_resolve(ask);
		if (error)
			famfs_dev_complain(ask->conn->fc, ask->out.name, error);
	}
	ask->err = error;
	complete(&ask->done);
	famfs_daxdev_req_put(ask);
}

/*
 * A background request, for the sake of its callback: a waiter would be woken
 * in the wrong context.
 */
static int famfs_daxdev_request(struct fuse_mount *fm, u32 index)
{
	struct famfs_daxdev_req *ask;
	int err;

	ask = kzalloc_obj(*ask);
	if (!ask)
		return -ENOMEM;
	ask->conn = fm->fc->famfs;
	ask->in.index = index;
	init_completion(&ask->done);
	refcount_set(&ask->count, 2);

	ask->args.opcode = FUSE_GET_DAXDEV;
	ask->args.nodeid = FUSE_ROOT_ID;
	ask->args.in_numargs = 1;
	ask->args.in_args[0].size = sizeof(ask->in);
	ask->args.in_args[0].value = &ask->in;
	ask->args.out_numargs = 1;
	ask->args.out_args[0].size = sizeof(ask->out);
	ask->args.out_args[0].value = &ask->out;
	ask->args.end = famfs_daxdev_request_end;

	err = fuse_simple_background(fm, &ask->args, GFP_KERNEL);
	if (err)
		famfs_daxdev_req_put(ask);
	else
		err = wait_for_completion_killable(&ask->done) ? -EINTR : ask->err;
	famfs_daxdev_req_put(ask);
	return err;
}

/* One that is dead, and that no map has any more, may have come back. */
static bool famfs_index_known(struct famfs_conn *conn, u32 index)
{
	const struct famfs_daxdev *dev;

	guard(mutex)(&conn->lock);
	dev = famfs_dev_named(conn, index, false);
	return dev && (dev->nr_users || !READ_ONCE(dev->dead));
}

/**
 * famfs_dev_ask() - ask the server for the device of an index
 * @fm: the mount
 * @index: the index, which may be known already
 *
 * Context: No lock held that the server could need.  May wait for the server,
 * killably.
 * Return: 0, -EINTR, the server's error, -EINVAL for a malformed reply, an
 * error of looking the path up, of famfs_dev_get(), -EBUSY where the index
 * stands for another device, -E2BIG where too many stand for this one.
 */
int famfs_dev_ask(struct fuse_mount *fm, u32 index)
{
	struct famfs_conn *conn = fm->fc->famfs;
	int err = 0;

	if (famfs_index_known(conn, index))
		return 0;
	/* The server may need it before it replies. */
	lockdep_assert_not_held(&conn->register_lock);
	if (mutex_lock_killable(&conn->ask_lock))
		return -EINTR;
	if (!famfs_index_known(conn, index))
		err = famfs_daxdev_request(fm, index);
	mutex_unlock(&conn->ask_lock);
	return err;
}
