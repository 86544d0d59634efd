// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: the dax devices of a connection.
 *
 * A connection holds each device once, in a slot of its table.  A
 * server-assigned index (famfs_conn.c) or a backing id names the device in an
 * fmap, and several names may stand for one device.  Numbers in an fmap are
 * replaced by slots before any other use of the fmap, and a device keeps its
 * slot while an fmap uses it.
 *
 * A device whose driver was unbound stays until no fmap uses it.  After
 * rebinding it is another device.
 */

#include "dev.h"
#include "famfs.h"

#include <linux/bitmap.h>
#include <linux/dax.h>
#include <linux/file.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

/**
 * famfs_daxdev_warn() - log why a device was refused
 * @fc: the connection
 * @name: the server's name for it; untrusted
 * @err: the error
 */
void famfs_daxdev_warn(struct fuse_conn *fc, const char *name, int err)
{
	const char *why;

	switch (err) {
	case -EOPNOTSUPP:
		why = "bind it to fsdev_dax by writing its name to that driver's new_id";
		break;
	case -EBUSY:
		why = "in use by another file system, or known and opened in another way";
		break;
	case -E2BIG:
		why = "too many devices";
		break;
	default:
		why = "refused";
	}
	famfs_warn(fc, "dax device \"%*pE\": %s (error %d)\n",
		   (int)strlen(name), name, why, err);
}

static void famfs_daxdev_free(struct famfs_daxdev *dev)
{
	WARN_ON_ONCE(dev->nr_claims);
	kfree(dev);
}

/* The server may reuse these names for another device. */
static void famfs_daxdev_drop_names(struct famfs_daxdev *dev)
{
	struct famfs_conn *conn = dev->conn;
	struct famfs_daxdev *named;
	unsigned long index;

	lockdep_assert_held(&conn->lock);
	xa_for_each(&conn->indices, index, named)
		if (named == dev)
			xa_erase(&conn->indices, index);
	dev->nr_indices = 0;
	if (dev->backing_id)
		fuse_backing_put(fuse_backing_id_remove(conn->fc,
							dev->backing_id,
							FUSE_BACKING_TYPE_DAX));
	dev->backing_id = 0;
}

/**
 * famfs_daxdev_drop() - release a device
 * @dev: the device, freed on success
 *
 * Context: &famfs_conn.register_lock is held.  Waits for a running
 * ->notify_failure().  For a device without fmaps it looks for no further
 * inodes, but may have just begun to wait for a pin, for
 * DAX_IDLE_TIMEOUT at most.
 * Return: 0, or -EBUSY if an fmap uses the device.
 */
int famfs_daxdev_drop(struct famfs_daxdev *dev)
{
	struct famfs_conn *conn = dev->conn;

	lockdep_assert_held(&conn->register_lock);
	scoped_guard(mutex, &conn->lock) {
		if (dev->nr_users)
			return -EBUSY;
		conn->devs[dev->slot] = NULL;
		famfs_daxdev_drop_names(dev);
	}
	/* ->notify_failure() takes these, and fs_put_dax() waits for it. */
	lockdep_assert_not_held(&conn->lock);
	lockdep_assert_not_held(&conn->fc->killsb);
	fs_put_dax(dev->dax_dev, dev);
	famfs_daxdev_free(dev);
	return 0;
}

/**
 * famfs_daxdev_drop_unnamed() - release a device that could not be named
 * @dev: result of famfs_daxdev_find_or_add()
 *
 * Context: As famfs_daxdev_drop().
 */
void famfs_daxdev_drop_unnamed(struct famfs_daxdev *dev)
{
	if (!dev->backing_id && !dev->nr_indices)
		WARN_ON_ONCE(famfs_daxdev_drop(dev));
}

/* After fs_dax_get() ->notify_failure() may run at any time. */
static int famfs_daxdev_acquire(struct famfs_daxdev *dev)
{
	int err;

	dev->dax_dev = dax_dev_find(dev->devt);
	if (!dev->dax_dev)
		return -ENODEV;
	err = fs_dax_name(dev->dax_dev, dev->name, sizeof(dev->name));
	if (!err)
		err = fs_dax_get(dev->dax_dev, dev, &famfs_holder_ops);
	if (!err)
		dev->size = fs_dax_size(dev->dax_dev);
	put_dax(dev->dax_dev);
	/* The remedy is the same without a driver and with another driver. */
	return err == -ENODEV ? -EOPNOTSUPP : err;
}

static struct famfs_daxdev *famfs_daxdev_add(struct famfs_conn *conn, u32 slot,
					     dev_t devt, bool readonly)
{
	struct famfs_daxdev *dev = kzalloc_obj(*dev);
	int err;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev->conn = conn;
	dev->slot = slot;
	dev->devt = devt;
	dev->readonly = readonly;
	err = famfs_daxdev_acquire(dev);
	if (err) {
		famfs_daxdev_free(dev);
		return ERR_PTR(err);
	}
	guard(mutex)(&conn->lock);
	conn->devs[slot] = dev;
	return dev;
}

/**
 * famfs_daxdev_find_or_add() - find a device, or take it
 * @conn: the connection's devices
 * @devt: number of the device node
 * @readonly: files on it are read-only
 *
 * A device whose driver was unbound is another device, and is released if no
 * fmap uses it.
 *
 * Context: The server's tasks, with &famfs_conn.register_lock held.  Waits only
 * as famfs_daxdev_drop() does: a device that is being unbound is refused.
 * Return: the device, for the caller to name, or an ERR_PTR: -EBUSY if it has
 * another user or is known with another @readonly, -ENODEV if @devt is no dax
 * device, -EOPNOTSUPP if it has another driver, -E2BIG if the table is full,
 * -ENOTCONN after the last unmount, -ENOMEM.
 */
struct famfs_daxdev *famfs_daxdev_find_or_add(struct famfs_conn *conn,
					      dev_t devt, bool readonly)
{
	u32 i, slot = FAMFS_DEVS_MAX;

	lockdep_assert_held(&conn->register_lock);
	/* After the last unmount nothing would release the device. */
	if (conn->stopped)
		return ERR_PTR(-ENOTCONN);
	for (i = 0; i < FAMFS_DEVS_MAX; i++) {
		struct famfs_daxdev *dev = conn->devs[i];

		if (dev && dev->devt == devt) {
			if (!READ_ONCE(dev->dead))
				return dev->readonly == readonly ?
					dev : ERR_PTR(-EBUSY);
			if (famfs_daxdev_drop(dev))
				continue;
			dev = NULL;
		}
		if (!dev)
			slot = min(slot, i);
	}
	if (slot == FAMFS_DEVS_MAX)
		return ERR_PTR(-E2BIG);
	return famfs_daxdev_add(conn, slot, devt, readonly);
}

/**
 * famfs_daxdev_lookup() - find a device by a name
 * @conn: the connection's devices
 * @number: the name
 * @backing_id: @number is a backing id, not an index
 *
 * Context: &famfs_conn.register_lock or &famfs_conn.lock is held while the
 * device is used.
 * Return: the device, which may be dead, or NULL.
 */
struct famfs_daxdev *famfs_daxdev_lookup(struct famfs_conn *conn, u32 number,
					 bool backing_id)
{
	struct famfs_daxdev *dev;
	struct fuse_backing *fb;

	lockdep_assert(lockdep_is_held(&conn->register_lock) ||
		       lockdep_is_held(&conn->lock));
	if (!backing_id)
		return xa_load(&conn->indices, number);
	fb = fuse_backing_lookup(conn->fc, number, FUSE_BACKING_TYPE_DAX);
	if (!fb)
		return NULL;
	dev = fb->daxdev;
	fuse_backing_put(fb);
	return dev;
}

/**
 * famfs_map_put() - free an fmap and drop its devices
 * @conn: the connection's devices
 * @map: an fmap without claims
 *
 * Context: As famfs_evict().
 */
void famfs_map_put(struct famfs_conn *conn, struct famfs_map *map)
{
	u32 slot;

	scoped_guard(mutex, &conn->lock)
		for_each_set_bit(slot, map->uses, FAMFS_DEVS_MAX)
			conn->devs[slot]->nr_users--;
	famfs_map_free(map);
}

/**
 * famfs_daxdevs_release() - release all devices of a connection
 * @conn: the connection's devices; no inode has an fmap any more
 *
 * No device can be added afterwards.
 *
 * Context: As famfs_daxdev_drop(), but register_lock is not held.
 */
void famfs_daxdevs_release(struct famfs_conn *conn)
{
	u32 i;

	guard(mutex)(&conn->register_lock);
	conn->stopped = true;
	for (i = 0; i < FAMFS_DEVS_MAX; i++)
		if (conn->devs[i])
			WARN_ON_ONCE(famfs_daxdev_drop(conn->devs[i]));
}

static int famfs_daxdev_backing_id(struct famfs_daxdev *dev)
{
	struct fuse_backing *fb;

	lockdep_assert_held(&dev->conn->register_lock);
	if (dev->backing_id)
		return dev->backing_id;
	fb = kzalloc_obj(*fb);
	if (!fb)
		return -ENOMEM;
	fb->type = FUSE_BACKING_TYPE_DAX;
	fb->daxdev = dev;
	refcount_set(&fb->count, 1);
	dev->backing_id = fuse_backing_id_alloc(dev->conn->fc, fb);
	if (dev->backing_id > 0)
		return dev->backing_id;
	dev->backing_id = 0;
	kfree(fb);
	return -ENOMEM;
}

static int famfs_backing_open_devt(struct famfs_conn *conn, dev_t devt,
				   bool readonly)
{
	struct famfs_daxdev *dev;
	int id;

	guard(mutex)(&conn->register_lock);
	dev = famfs_daxdev_find_or_add(conn, devt, readonly);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	id = famfs_daxdev_backing_id(dev);
	if (id < 0)
		famfs_daxdev_drop_unnamed(dev);
	return id;
}

static int famfs_backing_open_file(struct fuse_conn *fc,
				   const struct file *file)
{
	const struct inode *inode = file_inode(file);
	char *name;
	int id;

	/* Users may read the files, so the server must be able to as well. */
	if (!(file->f_mode & FMODE_READ))
		return -EBADF;
	if (!S_ISCHR(inode->i_mode))
		return -ENODEV;
	id = famfs_backing_open_devt(fc->famfs, inode->i_rdev,
				     !(file->f_mode & FMODE_WRITE));
	if (id > 0)
		return id;

	name = kasprintf(GFP_KERNEL, "%pD", file);
	famfs_daxdev_warn(fc, name ?: "", id);
	kfree(name);
	return id;
}

/**
 * famfs_backing_open() - FUSE_DEV_IOC_BACKING_OPEN of a dax device
 * @fc: the connection
 * @map: the argument
 *
 * An open file proves that the server may use the device.  The caller needs no
 * capability: the mount decided that the server may provide fmaps.
 *
 * FUSE_BACKING_DAX_DROP only asks whether this kernel can drop cache lines.
 *
 * Return: the id, -EOPNOTSUPP without FUSE_DAX_FMAP or if it cannot, -EINVAL
 * for an unknown flag, -EBADF for an invalid descriptor or one that is not open
 * for reading, -ENOMEM, or an error of famfs_daxdev_find_or_add().
 */
int famfs_backing_open(struct fuse_conn *fc, const struct fuse_backing_map *map)
{
	if (!famfs_conn_of(fc) || !fc->dax_fmap)
		return -EOPNOTSUPP;
	if ((map->flags & ~(FUSE_BACKING_TYPE_MASK | FUSE_BACKING_DAX_DROP)) ||
	    map->padding)
		return -EINVAL;
	if ((map->flags & FUSE_BACKING_DAX_DROP) && !dax_can_drop())
		return -EOPNOTSUPP;

	CLASS(fd, f)(map->fd);
	if (fd_empty(f))
		return -EBADF;
	return famfs_backing_open_file(fc, fd_file(f));
}

/**
 * famfs_backing_close() - FUSE_DEV_IOC_BACKING_CLOSE of a dax device
 * @fc: the connection
 * @id: the argument
 *
 * Return: 0, -EOPNOTSUPP without FUSE_DAX_FMAP, -EINVAL for an invalid id,
 * -ENOENT if the id is not a dax device's, -EBUSY if an fmap uses the device.
 */
int famfs_backing_close(struct fuse_conn *fc, int id)
{
	struct famfs_conn *conn = famfs_conn_of(fc);
	struct famfs_daxdev *dev;

	if (!conn)
		return -EOPNOTSUPP;
	if (id <= 0)
		return -EINVAL;
	guard(mutex)(&conn->register_lock);
	dev = famfs_daxdev_lookup(conn, id, true);
	return dev ? famfs_daxdev_drop(dev) : -ENOENT;
}

static void famfs_ctl_show_dev(struct seq_file *m,
			       const struct famfs_daxdev *dev)
{
	seq_printf(m, "device %u %s %llu %s\n", dev->slot, dev->name,
		   dev->size, READ_ONCE(dev->dead) ? "gone" : "held");
	if (dev->backing_id)
		seq_printf(m, "backing %d %u\n", dev->backing_id, dev->slot);
}

static void famfs_ctl_show_indices(struct seq_file *m, struct famfs_conn *conn)
{
	const struct famfs_daxdev *dev;
	unsigned long index;

	xa_for_each(&conn->indices, index, dev)
		seq_printf(m, "index %lu %u\n", index, dev->slot);
}

static void famfs_ctl_show_conn(struct seq_file *m, struct famfs_conn *conn)
{
	u32 i;

	seq_printf(m, "maps %ld\nextents %ld\n",
		   atomic_long_read(&conn->nr_maps),
		   atomic_long_read(&conn->nr_extents));
	guard(mutex)(&conn->register_lock);
	for (i = 0; i < ARRAY_SIZE(conn->devs); i++)
		if (conn->devs[i])
			famfs_ctl_show_dev(m, conn->devs[i]);
	famfs_ctl_show_indices(m, conn);
}

static int famfs_ctl_show(struct seq_file *m, void *v)
{
	struct fuse_conn *fc = fuse_ctl_file_conn_get(m->file);
	struct famfs_conn *conn;

	if (!fc)
		return 0;
	conn = famfs_conn_of(fc);
	if (conn)
		famfs_ctl_show_conn(m, conn);
	fuse_conn_put(fc);
	return 0;
}

static int famfs_ctl_open(struct inode *inode, struct file *file)
{
	return single_open(file, famfs_ctl_show, NULL);
}

const struct file_operations famfs_ctl_ops = {
	.open		= famfs_ctl_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= single_release,
};
