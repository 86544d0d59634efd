// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: the devices of a connection.
 *
 * Maps name devices by index.  What an index means is asked of the server when
 * a map first uses it, and never changes.  The name in the reply is looked up
 * in the context of the server's task that replies, not of the process that
 * opens a file: it is the server's /dev that counts.
 */

#include "famfs.h"

#include <linux/completion.h>
#include <linux/dax.h>
#include <linux/namei.h>
#include <linux/slab.h>

/* One GET_DAXDEV request; the asker may be killed before the reply. */
struct famfs_daxdev_req {
	struct fuse_args args;
	struct fuse_daxdev_out out;
	struct famfs_conn *conn;
	u32 index;
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

	return (!out->index || out->index == ask->index) &&
	       !out->reserved && !out->reserved2 &&
	       !out->reserved3[0] && !out->reserved3[1] &&
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

/**
 * famfs_dev_complain() - tell why a device was refused
 * @fc: the connection
 * @name: what the server calls it; not trusted
 * @index: its index
 * @err: the error
 */
void famfs_dev_complain(struct fuse_conn *fc, const char *name, u32 index,
			int err)
{
	const char *why;

	switch (err) {
	case -EOPNOTSUPP:
		why = "bind it to fsdev_dax by writing its name to that driver's new_id";
		break;
	case -EBUSY:
		why = "in use by another file system or under another index";
		break;
	default:
		why = "refused";
	}
	famfs_warn(fc, "dax device %u (\"%*pE\"): %s (error %d)\n", index,
		   (int)strlen(name), name, why, err);
}

static struct famfs_daxdev *famfs_dev_alloc(struct famfs_conn *conn, u32 index,
					    dev_t devt, bool readonly)
{
	struct famfs_daxdev *dev;

	dev = kzalloc_obj(*dev);
	if (!dev)
		return NULL;
	mt_init_flags(&dev->bad, MT_FLAGS_USE_RCU);
	dev->conn = conn;
	dev->index = index;
	dev->devt = devt;
	dev->readonly = readonly;
	return dev;
}

static void famfs_dev_free(struct famfs_daxdev *dev)
{
	WARN_ON_ONCE(dev->nr_claims);
	mtree_destroy(&dev->bad);
	kfree(dev);
}

static int famfs_dev_acquire(struct famfs_daxdev *dev)
{
	int err;

	dev->dax_dev = dax_dev_find(dev->devt);
	if (!dev->dax_dev)
		return -ENODEV;
	err = famfs_hold(dev);
	put_dax(dev->dax_dev);
	/* No driver, another driver: the remedy is the same. */
	return err == -ENODEV ? -EOPNOTSUPP : err;
}

/**
 * famfs_dev_register() - enter a device into the table of a connection
 * @conn: the connection's devices
 * @index: what the server calls it, less than FUSE_DAXDEV_MAX
 * @devt: number of its device node
 * @readonly: whether its files may only be read
 *
 * Entering the same one again is fine, changing what an index means is not.
 *
 * Context: The server's tasks.  Waits for nobody: a device that is being
 * unbound is refused.
 * Return: 0, -EBUSY where the index or the device is taken, -ENODEV for what
 * is no dax device, -EOPNOTSUPP where it has another driver, -ENOTCONN after
 * the last unmount, -ENOMEM.
 */
int famfs_dev_register(struct famfs_conn *conn, u32 index, dev_t devt,
		       bool readonly)
{
	struct famfs_daxdev *dev;
	int err;

	guard(mutex)(&conn->register_lock);
	/* Nobody would give the device back. */
	if (conn->stopped)
		return -ENOTCONN;
	dev = conn->devs[index];
	if (dev)
		return dev->devt == devt && dev->readonly == readonly &&
		       !READ_ONCE(dev->dead) ? 0 : -EBUSY;

	dev = famfs_dev_alloc(conn, index, devt, readonly);
	if (!dev)
		return -ENOMEM;
	err = famfs_dev_acquire(dev);
	if (err) {
		famfs_dev_free(dev);
		return err;
	}
	/* Pairs with famfs_dev_known(). */
	smp_store_release(&conn->devs[index], dev);
	return 0;
}

static struct famfs_daxdev *famfs_dev_take_out(struct famfs_conn *conn,
					       u32 index)
{
	struct famfs_daxdev *dev;

	guard(mutex)(&conn->register_lock);
	guard(mutex)(&conn->lock);
	dev = conn->devs[index];
	if (!dev)
		return ERR_PTR(-ENOENT);
	if (dev->nr_users)
		return ERR_PTR(-EBUSY);
	WRITE_ONCE(conn->devs[index], NULL);
	return dev;
}

/**
 * famfs_dev_unregister() - take a device out of the table of a connection
 * @conn: the connection's devices
 * @index: its index
 *
 * Context: No locks held.  Waits for a failure callback that is running, but
 * for no user.
 * Return: 0, -ENOENT where there is none, -EBUSY where a map uses it.
 */
int famfs_dev_unregister(struct famfs_conn *conn, u32 index)
{
	struct famfs_daxdev *dev = famfs_dev_take_out(conn, index);

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	famfs_release(dev);
	famfs_dev_free(dev);
	return 0;
}

static bool famfs_dev_known(struct famfs_conn *conn, u32 index)
{
	/* Pairs with famfs_dev_register(). */
	return smp_load_acquire(&conn->devs[index]);
}

static int famfs_daxdev_resolve(struct famfs_daxdev_req *ask)
{
	const char *name = ask->out.name;
	dev_t devt;
	int err;

	/* The server may have registered the device before it replied. */
	if (!*name)
		return famfs_dev_known(ask->conn, ask->index) ? 0 : -ENODEV;
	err = famfs_node_lookup(name, &devt);
	if (!err)
		err = famfs_dev_register(ask->conn, ask->index, devt, false);
	return err;
}

/* In the context of the server's task, or of whoever ended the request. */
static void famfs_daxdev_request_end(struct fuse_args *args, int error)
{
	struct famfs_daxdev_req *ask =
		container_of(args, struct famfs_daxdev_req, args);

	if (!error && !famfs_reply_valid(ask)) {
		famfs_warn(ask->conn->fc,
			   "dax device %u: malformed reply to GET_DAXDEV\n",
			   ask->index);
		error = -EINVAL;
	} else if (!error) {
		error = famfs_daxdev_resolve(ask);
		if (error)
			famfs_dev_complain(ask->conn->fc, ask->out.name,
					   ask->index, error);
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
	ask->index = index;
	init_completion(&ask->done);
	refcount_set(&ask->count, 2);

	ask->args.opcode = FUSE_GET_DAXDEV;
	ask->args.nodeid = index;
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

/* Asks the server for the device of @range if it is not known yet. */
static int famfs_dev_get(const struct famfs_range *range, void *data)
{
	struct fuse_mount *fm = data;
	struct famfs_conn *conn = fm->fc->famfs;
	int err = 0;

	if (famfs_dev_known(conn, range->dev))
		return 0;
	/* The server may need it before it replies. */
	lockdep_assert_not_held(&conn->register_lock);
	if (mutex_lock_killable(&conn->ask_lock))
		return -EINTR;
	if (!famfs_dev_known(conn, range->dev))
		err = famfs_daxdev_request(fm, range->dev);
	mutex_unlock(&conn->ask_lock);
	return err;
}

/**
 * famfs_devs_get() - make the devices of a map known
 * @fm: the mount
 * @map: a map that nobody else can see yet
 *
 * Asks the server for each device that the connection does not know yet.
 *
 * Context: No lock held that the server could need.  May wait for the server,
 * killably.
 * Return: 0, the server's or the device's error.
 */
int famfs_devs_get(struct fuse_mount *fm, struct famfs_map *map)
{
	return famfs_map_walk(map, famfs_dev_get, fm);
}

/**
 * famfs_devs_put() - release all devices of a connection, for good
 * @conn: the connection's devices; no inode has a map any more
 *
 * Context: As famfs_dev_unregister().
 */
void famfs_devs_put(struct famfs_conn *conn)
{
	u32 i;

	scoped_guard(mutex, &conn->register_lock)
		conn->stopped = true;
	for (i = 0; i < ARRAY_SIZE(conn->devs); i++)
		WARN_ON_ONCE(famfs_dev_unregister(conn, i) == -EBUSY);
}
