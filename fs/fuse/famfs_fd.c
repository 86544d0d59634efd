// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: devices that the server registers by file descriptor.
 *
 * An open file proves that the server may use the device, so no name has to be
 * looked up, and the server need not be asked for the device later.
 */

#include "famfs.h"

#include <linux/capability.h>
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

static int famfs_fd_register(struct fuse_conn *fc, u32 index,
			     struct file *file)
{
	struct inode *inode = file_inode(file);
	char *name;
	int err;

	/* Maps can be read, so it takes at least as much to make them. */
	if (!(file->f_mode & FMODE_READ))
		return -EBADF;
	if (!S_ISCHR(inode->i_mode))
		return -ENODEV;
	err = famfs_dev_register(fc->famfs, index, inode->i_rdev,
				 !(file->f_mode & FMODE_WRITE));
	if (!err)
		return 0;

	name = kasprintf(GFP_KERNEL, "%pD", file);
	famfs_dev_complain(fc, name ?: "", index, err);
	kfree(name);
	return err;
}

/**
 * famfs_fd_open() - FUSE_DEV_IOC_DAXDEV_OPEN
 * @fc: the connection
 * @argp: struct fuse_backing_map in user space
 *
 * Return: 0, -EPERM without CAP_SYS_RAWIO, -EOPNOTSUPP where there are no maps,
 * -EINVAL for a flag or an index out of range, -EBADF for a descriptor that is
 * none or not open for reading, or an error of famfs_dev_register().
 */
int famfs_fd_open(struct fuse_conn *fc, void __user *argp)
{
	struct fuse_backing_map arg;

	if (!famfs_conn_of(fc) || !fc->dax_fmap)
		return -EOPNOTSUPP;
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || arg.index >= FUSE_DAXDEV_MAX)
		return -EINVAL;

	CLASS(fd, f)(arg.fd);
	if (fd_empty(f))
		return -EBADF;
	return famfs_fd_register(fc, arg.index, fd_file(f));
}

/**
 * famfs_fd_close() - FUSE_DEV_IOC_DAXDEV_CLOSE
 * @fc: the connection
 * @argp: index of the device, a u32 in user space
 *
 * Return: 0, -EPERM without CAP_SYS_RAWIO, -EOPNOTSUPP where there are no maps,
 * -EINVAL for an index out of range, -ENOENT for one that is not registered,
 * -EBUSY where a map uses the device.
 */
int famfs_fd_close(struct fuse_conn *fc, void __user *argp)
{
	u32 index;

	if (!famfs_conn_of(fc) || !fc->dax_fmap)
		return -EOPNOTSUPP;
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (get_user(index, (u32 __user *)argp))
		return -EFAULT;
	if (index >= FUSE_DAXDEV_MAX)
		return -EINVAL;
	return famfs_dev_unregister(fc->famfs, index);
}
