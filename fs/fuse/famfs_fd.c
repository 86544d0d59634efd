// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: devices that the server opens itself, and that get a backing
 * id.
 *
 * An open file proves that the server may use the device, so no name has to be
 * looked up, and nothing is asked of the caller: who may have files mapped was
 * decided when the connection was mounted.
 */

#include "dev.h"
#include "famfs.h"

#include <linux/file.h>
#include <linux/slab.h>

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

static int famfs_backing_open_devt(struct famfs_conn *conn, dev_t devt, bool readonly)
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

static int famfs_backing_open_file(struct fuse_conn *fc, const struct file *file)
{
	const struct inode *inode = file_inode(file);
	char *name;
	int id;

	/* Maps can be read, so it takes at least as much to make them. */
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
 * Return: the id, -EOPNOTSUPP where there are no maps, -EINVAL for an unknown
 * flag, -EBADF for a descriptor that is none or not open for reading, -ENOMEM,
 * or an error of famfs_daxdev_find_or_add().
 */
int famfs_backing_open(struct fuse_conn *fc, const struct fuse_backing_map *map)
{
	if (!famfs_conn_of(fc) || !fc->dax_fmap)
		return -EOPNOTSUPP;
	if ((map->flags & ~FUSE_BACKING_TYPE_MASK) || map->padding)
		return -EINVAL;

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
 * Return: 0, -EOPNOTSUPP where there are no maps, -EINVAL for what is no id,
 * -ENOENT for one that is not a dax device's, -EBUSY where a map uses the
 * device.
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
