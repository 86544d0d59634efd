// SPDX-License-Identifier: GPL-2.0
/*
 * The character node of a device that is bound to fsdev_dax: the memory itself,
 * read and written past the CPU caches.
 *
 * What a read returns comes from the memory, not from lines that another host
 * may have changed since they were fetched.  When a write has returned nothing
 * of it is in a cache only.
 *
 * Data goes by a page of the kernel's.  Unbinding waits for whoever is in a
 * read-side section of dax_srcu, so user memory, which can take any time to
 * come, is touched outside of it, and of node_rwsem: a failure of memory waits
 * for that, since the kernel may not map the memory any more afterwards.
 */
#include <linux/dax.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include "dax-private.h"

/* Transfers up to @len bytes, all of them in one page of the device. */
typedef ssize_t (*fsdev_transfer_t)(struct file *file, loff_t pos, void *buf,
				    size_t len, struct iov_iter *iter);

/*
 * Keep the driver bound, and memory that has not failed in the kernel's
 * mapping.
 */
static int fsdev_lock(struct file *file)
{
	int id = dax_read_lock();

	down_read(&dax_file_dev(file)->node_rwsem);
	return id;
}

static void fsdev_unlock(struct file *file, int id)
{
	up_read(&dax_file_dev(file)->node_rwsem);
	dax_read_unlock(id);
}

/* In bytes; 0 when the bind by which the node was opened has ended. */
static u64 fsdev_size(struct file *file)
{
	u64 size = 0;
	int id;

	id = dax_read_lock();
	if (dax_file_alive(file))
		size = dax_file_dev(file)->cached_size;
	dax_read_unlock(id);

	return size;
}

/*
 * Where the memory at @pos is, for the rest of its page; -EHWPOISON if that has
 * failed.
 */
static int fsdev_find(struct file *file, loff_t pos, void **kaddr)
{
	struct dev_dax *dev_dax = dax_file_dev(file);
	long nr;

	if (!dax_file_alive(file))
		return -ENXIO;
	nr = dax_direct_access(dev_dax->dax_dev, pos >> PAGE_SHIFT, 1,
			       DAX_ACCESS, kaddr, NULL);
	if (nr < 0)
		return nr;
	*kaddr += offset_in_page(pos);
	return 0;
}

/* As fsdev_find(), for writing @len bytes: a whole page mends one that failed. */
static int fsdev_find_mend(struct file *file, loff_t pos, size_t len,
			   void **kaddr)
{
	struct dax_device *dax_dev = dax_file_dev(file)->dax_dev;
	int rc;

	rc = fsdev_find(file, pos, kaddr);
	if (rc != -EHWPOISON || len != PAGE_SIZE)
		return rc;
	rc = dax_zero_page_range(dax_dev, pos >> PAGE_SHIFT, 1);
	return rc ?: fsdev_find(file, pos, kaddr);
}

static ssize_t fsdev_read(struct file *file, loff_t pos, void *buf, size_t len,
			  struct iov_iter *to)
{
	size_t copied;
	void *kaddr;
	int id, rc;

	id = fsdev_lock(file);
	rc = fsdev_find(file, pos, &kaddr);
	if (!rc)
		rc = dax_drop(kaddr, len);
	if (!rc && copy_mc_to_kernel(buf, kaddr, len))
		rc = -EIO;
	fsdev_unlock(file, id);
	if (rc)
		return rc;

	copied = copy_to_iter(buf, len, to);
	return copied ?: -EFAULT;
}

static ssize_t fsdev_write(struct file *file, loff_t pos, void *buf, size_t len,
			   struct iov_iter *from)
{
	size_t copied = copy_from_iter(buf, len, from);
	void *kaddr;
	int id, rc;

	if (!copied)
		return -EFAULT;

	id = fsdev_lock(file);
	rc = fsdev_find_mend(file, pos, copied, &kaddr);
	if (!rc) {
		/*
		 * The rest of a line that is written in part comes from the
		 * memory.  Where that is impossible it matters for shared
		 * memory alone, which cannot be read there either.
		 */
		dax_drop(kaddr, copied);
		memcpy_flushcache(kaddr, buf, copied);
		pmem_wmb();
	}
	fsdev_unlock(file, id);
	if (!rc)
		return copied;

	iov_iter_revert(from, copied);
	return rc;
}

/* Page by page, up to the first error, which counts if nothing came before. */
static ssize_t fsdev_rw(struct kiocb *iocb, struct iov_iter *iter,
			fsdev_transfer_t transfer)
{
	void *buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
	ssize_t done = 0, rc = 0;

	if (!buf)
		return -ENOMEM;
	while (iov_iter_count(iter)) {
		size_t len = min(iov_iter_count(iter),
				 PAGE_SIZE - offset_in_page(iocb->ki_pos));

		rc = fatal_signal_pending(current) ? -EINTR :
		     transfer(iocb->ki_filp, iocb->ki_pos, buf, len, iter);
		if (rc < 0)
			break;
		iocb->ki_pos += rc;
		done += rc;
		cond_resched();
	}
	kfree(buf);

	/* As for the files of file systems. */
	if (rc == -EHWPOISON)
		rc = -EIO;
	return done ?: rc;
}

static ssize_t fsdev_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	u64 size = fsdev_size(iocb->ki_filp);

	if (!size)
		return -ENXIO;
	if (iocb->ki_pos >= size)
		return 0;
	iov_iter_truncate(to, size - iocb->ki_pos);

	return fsdev_rw(iocb, to, fsdev_read);
}

/* At the end as a block device: what does not fit is not written. */
static ssize_t fsdev_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	u64 size = fsdev_size(iocb->ki_filp);

	if (!size)
		return -ENXIO;
	if (!iov_iter_count(from))
		return 0;
	if (iocb->ki_flags & IOCB_APPEND)
		iocb->ki_pos = size;
	if (iocb->ki_pos >= size)
		return -ENOSPC;
	iov_iter_truncate(from, size - iocb->ki_pos);

	return fsdev_rw(iocb, from, fsdev_write);
}

static loff_t fsdev_llseek(struct file *file, loff_t offset, int whence)
{
	u64 size = fsdev_size(file);

	return size ? fixed_size_llseek(file, offset, whence, size) : -ENXIO;
}

/*
 * Nothing has been mapped here that would have to go first.  Memory that fails
 * is left to the general code, which knows whom to tell.
 */
static int fsdev_notify_failure(struct dax_device *dax_dev, u64 offset, u64 len,
				int mf_flags)
{
	return mf_flags & MF_MEM_PRE_REMOVE ? 0 : -EOPNOTSUPP;
}

static const struct dax_holder_operations fsdev_holder_ops = {
	.notify_failure = fsdev_notify_failure,
};

/*
 * O_EXCL is for those who want no file system and nobody like them beside them,
 * as on block devices.
 */
static int fsdev_open(struct inode *inode, struct file *file)
{
	struct dax_file *node = file->private_data;
	struct dax_device *dax_dev = node->dev_dax->dax_dev;
	int rc;

	if (!(file->f_flags & O_EXCL))
		return 0;

	rc = fs_dax_get(dax_dev, node, &fsdev_holder_ops);
	if (rc)
		return rc;
	/* By now it could be another bind that is kept from others. */
	if (!fsdev_size(file)) {
		fs_put_dax(dax_dev, node);
		return -ENXIO;
	}
	/* O_EXCL does not stay in f_flags. */
	node->held = true;
	return 0;
}

static int fsdev_release(struct inode *inode, struct file *file)
{
	struct dax_file *node = file->private_data;

	if (node->held)
		fs_put_dax(node->dev_dax->dax_dev, node);
	return dax_file_release(inode, file);
}

const struct file_operations fsdev_fops = {
	.owner = THIS_MODULE,
	.open = fsdev_open,
	.release = fsdev_release,
	.llseek = fsdev_llseek,
	.read_iter = fsdev_read_iter,
	.write_iter = fsdev_write_iter,
	.fsync = noop_fsync,
	.splice_read = copy_splice_read,
	.splice_write = iter_file_splice_write,
};
