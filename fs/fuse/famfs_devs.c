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
struct famfs_ask {
	struct fuse_args args;
	struct fuse_daxdev_out out;
	struct famfs_conn *conn;
	u32 index;
	int err;
	refcount_t count;
	struct completion done;
};

static void famfs_ask_put(struct famfs_ask *ask)
{
	if (refcount_dec_and_test(&ask->count))
		kfree(ask);
}

static bool famfs_reply_valid(const struct famfs_ask *ask)
{
	const struct fuse_daxdev_out *out = &ask->out;
	size_t len = strnlen(out->name, sizeof(out->name));

	return (!out->index || out->index == ask->index) &&
	       !out->reserved && !out->reserved2 &&
	       !out->reserved3[0] && !out->reserved3[1] &&
	       len && len < sizeof(out->name);
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

/* Replies are untrusted, and so are the names in them. */
static void famfs_dev_complain(const char *name, u32 index, int err)
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
	pr_warn_ratelimited("dax device %u (\"%*pE\"): %s (error %d)\n", index,
			    (int)strlen(name), name, why, err);
}

static struct famfs_daxdev *famfs_dev_alloc(struct famfs_conn *conn, u32 index,
					    dev_t devt, const char *name)
{
	struct famfs_daxdev *dev;

	dev = kzalloc_flex(*dev, name, strlen(name) + 1);
	if (!dev)
		return NULL;
	refcount_set(&dev->count, 1);
	mt_init(&dev->claims);
	mt_init_flags(&dev->bad, MT_FLAGS_USE_RCU);
	dev->conn = conn;
	dev->index = index;
	dev->devt = devt;
	strscpy(dev->name, name, strlen(name) + 1);
	return dev;
}

/**
 * famfs_dev_put() - drop a reference to a device
 * @dev: the device
 */
void famfs_dev_put(struct famfs_daxdev *dev)
{
	if (!refcount_dec_and_test(&dev->count))
		return;
	WARN_ON_ONCE(!mtree_empty(&dev->claims));
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

/*
 * Enters a device into the table.  Entering the same one again is fine,
 * changing what an index means is not.
 */
static int famfs_dev_register(struct famfs_conn *conn, u32 index, dev_t devt,
			      const char *name)
{
	struct famfs_daxdev *dev;
	int err;

	guard(mutex)(&conn->register_lock);
	dev = conn->devs[index];
	if (dev)
		return dev->devt == devt ? 0 : -EBUSY;

	dev = famfs_dev_alloc(conn, index, devt, name);
	if (!dev)
		return -ENOMEM;
	err = famfs_dev_acquire(dev);
	if (err) {
		famfs_dev_put(dev);
		return err;
	}
	/* Pairs with famfs_dev_at(). */
	smp_store_release(&conn->devs[index], dev);
	return 0;
}

/* In the context of the server's task, or of whoever ended the request. */
static void famfs_ask_end(struct fuse_args *args, int error)
{
	struct famfs_ask *ask = container_of(args, struct famfs_ask, args);
	const char *name = ask->out.name;
	dev_t devt;

	if (error)
		goto out;
	error = -EINVAL;
	if (!famfs_reply_valid(ask)) {
		pr_warn_ratelimited("dax device %u: malformed reply to GET_DAXDEV\n",
				    ask->index);
		goto out;
	}
	error = famfs_node_lookup(name, &devt);
	if (!error)
		error = famfs_dev_register(ask->conn, ask->index, devt, name);
	if (error)
		famfs_dev_complain(name, ask->index, error);
out:
	ask->err = error;
	complete(&ask->done);
	famfs_ask_put(ask);
}

/*
 * A background request, for the sake of its callback: a waiter would be woken
 * in the wrong context.
 */
static int famfs_ask(struct fuse_mount *fm, u32 index)
{
	struct famfs_ask *ask;
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
	ask->args.end = famfs_ask_end;

	err = fuse_simple_background(fm, &ask->args, GFP_KERNEL);
	if (err)
		famfs_ask_put(ask);
	else
		err = wait_for_completion_killable(&ask->done) ? -EINTR : ask->err;
	famfs_ask_put(ask);
	return err;
}

static struct famfs_daxdev *famfs_dev_at(struct famfs_conn *conn, u32 index)
{
	/* Pairs with famfs_dev_register(). */
	return smp_load_acquire(&conn->devs[index]);
}

/* Finds the device at @index, asking the server the first time. */
static struct famfs_daxdev *famfs_dev_get(struct fuse_mount *fm, u32 index)
{
	struct famfs_conn *conn = fm->fc->famfs;
	struct famfs_daxdev *dev;
	int err = 0;

	dev = famfs_dev_at(conn, index);
	if (dev)
		return dev;

	if (mutex_lock_killable(&conn->ask_lock))
		return ERR_PTR(-EINTR);
	dev = famfs_dev_at(conn, index);
	if (!dev) {
		err = famfs_ask(fm, index);
		dev = famfs_dev_at(conn, index);
	}
	mutex_unlock(&conn->ask_lock);
	return err ? ERR_PTR(err) : dev;
}

static int famfs_check_range(const struct famfs_range *range, void *data)
{
	struct famfs_daxdev *dev = famfs_dev_get(data, range->dev);

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	if (READ_ONCE(dev->dead))
		return -EIO;
	if (range->len > dev->size || range->addr > dev->size - range->len) {
		pr_debug("fmap refused: %#llx bytes at %#llx of device %u, which has %#llx\n",
			 range->len, range->addr, range->dev, dev->size);
		return -ERANGE;
	}
	return 0;
}

/**
 * famfs_devs_get() - make the devices of a map available to it
 * @fm: the mount
 * @map: a map that nobody else can see yet
 *
 * Asks the server for each device that the connection does not know yet, and
 * sees to it that the extents lie inside their devices.  Devices stay in the
 * table until the last unmount.
 *
 * Context: No lock held that the server could need.  May wait for the server,
 * killably.
 * Return: 0, -ERANGE for an extent outside its device, -EIO for a device whose
 * driver is gone, the server's or the device's error.
 */
int famfs_devs_get(struct fuse_mount *fm, struct famfs_map *map)
{
	map->devs = fm->fc->famfs->devs;
	return famfs_map_walk(map, famfs_check_range, fm);
}

/**
 * famfs_devs_put() - release all devices of a connection
 * @conn: the connection's devices; no inode has a map any more
 */
void famfs_devs_put(struct famfs_conn *conn)
{
	u32 i;

	guard(mutex)(&conn->register_lock);
	for (i = 0; i < ARRAY_SIZE(conn->devs); i++) {
		struct famfs_daxdev *dev = conn->devs[i];

		if (!dev)
			continue;
		conn->devs[i] = NULL;
		famfs_release(dev);
		famfs_dev_put(dev);
	}
}
