// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: read, write, mmap and faults.
 *
 * Nothing here asks the server.  Whoever reads the map holds i_rwsem (read,
 * write, fiemap) or the mapping's invalidate_lock (faults).
 */

#include "famfs.h"
#include "famfs_trace.h"

#include <linux/dax.h>
#include <linux/fiemap.h>
#include <linux/iomap.h>
#include <linux/pagemap.h>

static int famfs_iomap_begin(struct inode *inode, loff_t pos, loff_t length,
			     unsigned int flags, struct iomap *iomap,
			     struct iomap *srcmap)
{
	const struct famfs_map *map = famfs_inode_map(inode);
	struct famfs_daxdev *dev;
	struct famfs_range range;
	int err;

	if (unlikely(!map || pos >= map->mapped))
		return -EIO;

	famfs_map_resolve(map, pos, &range);
	dev = map->devs[range.dev];
	if (unlikely(READ_ONCE(dev->dead)))
		return -EIO;
	if (unlikely(!mtree_empty(&dev->bad))) {
		err = famfs_avoid_bad(dev, pos, &range);
		if (err)
			return flags & IOMAP_FAULT ? err : -EIO;
	}

	/* iomap->flags stays 0: nothing is new, shared or dirty metadata. */
	iomap->type = IOMAP_MAPPED;
	iomap->offset = range.offset;
	iomap->length = range.len;
	iomap->addr = range.addr;
	iomap->dax_dev = dev->dax_dev;
	trace_famfs_resolve(inode, pos, &range);
	return 0;
}

static DEFINE_IOMAP_ITER_NEXT(famfs_iomap_next, famfs_iomap_begin);

static const struct iomap_ops famfs_iomap_ops = {
	.iomap_next	= famfs_iomap_next,
};

static int famfs_lock_shared(struct kiocb *iocb, struct inode *inode)
{
	if (iocb->ki_flags & IOCB_NOWAIT)
		return inode_trylock_shared(inode) ? 0 : -EAGAIN;
	inode_lock_shared(inode);
	return 0;
}

static int famfs_lock(struct kiocb *iocb, struct inode *inode)
{
	if (iocb->ki_flags & IOCB_NOWAIT)
		return inode_trylock(inode) ? 0 : -EAGAIN;
	inode_lock(inode);
	return 0;
}

/**
 * famfs_read_iter() - read from a mapped file
 * @iocb: where from
 * @to: where to
 *
 * Return: bytes read, 0 at and past the end of the file, or an error.
 */
ssize_t famfs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	ret = famfs_lock_shared(iocb, inode);
	if (ret)
		return ret;
	if (iocb->ki_pos < i_size_read(inode))
		ret = dax_iomap_rw(iocb, to, &famfs_iomap_ops);
	inode_unlock_shared(inode);

	file_accessed(iocb->ki_filp);
	return ret;
}

/*
 * The size of the file is fixed, so a write past its end has nowhere to go.
 * dax_iomap_rw() does not look at the size.
 */
static ssize_t famfs_write_checks(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t size = i_size_read(inode);
	ssize_t ret;

	ret = generic_write_checks(iocb, from);
	if (ret <= 0)
		return ret;
	if (iocb->ki_pos >= size)
		return -EFBIG;
	iov_iter_truncate(from, size - iocb->ki_pos);
	return famfs_modified(iocb, inode);
}

static ssize_t famfs_write_locked(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t ret;

	ret = famfs_write_checks(iocb, from);
	if (ret || !iov_iter_count(from))
		return ret;
	return dax_iomap_rw(iocb, from, &famfs_iomap_ops);
}

/**
 * famfs_write_iter() - write to a mapped file
 * @iocb: where to
 * @from: where from
 *
 * Return: bytes written, fewer where the file ends, -EFBIG at and past the
 * end of the file, or another error.
 */
ssize_t famfs_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	ret = famfs_lock(iocb, inode);
	if (ret)
		return ret;
	ret = famfs_write_locked(iocb, from);
	inode_unlock(inode);

	if (ret > 0)
		ret = generic_write_sync(iocb, ret);
	return ret;
}

/* A private mapping writes to its own copy: the file does not change. */
static vm_fault_t famfs_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct file *file = vmf->vma->vm_file;
	struct inode *inode = file_inode(file);
	bool write = (vmf->flags & FAULT_FLAG_WRITE) &&
		     (vmf->vma->vm_flags & VM_SHARED);
	vm_fault_t ret;

	if (write) {
		sb_start_pagefault(inode->i_sb);
		file_update_time(file);
	}
	filemap_invalidate_lock_shared(inode->i_mapping);
	ret = dax_iomap_fault(vmf, order, NULL, NULL, &famfs_iomap_ops);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	if (write)
		sb_end_pagefault(inode->i_sb);
	return ret;
}

static vm_fault_t famfs_fault(struct vm_fault *vmf)
{
	return famfs_huge_fault(vmf, 0);
}

/*
 * There are no folios to be mapped around a fault.  With this function here
 * faults are handled under the lock of the vma; without, under mmap_lock.
 */
static vm_fault_t famfs_map_pages(struct vm_fault *vmf, pgoff_t start,
				  pgoff_t end)
{
	return 0;
}

static const struct vm_operations_struct famfs_vm_ops = {
	.fault		= famfs_fault,
	.map_pages	= famfs_map_pages,
	.huge_fault	= famfs_huge_fault,
	.page_mkwrite	= famfs_fault,
	.pfn_mkwrite	= famfs_fault,
};

/**
 * famfs_mmap() - map a mapped file into memory
 * @file: the file
 * @vma: the new mapping
 *
 * Leaves the flags that the user chose for @vma alone.
 *
 * Return: 0.
 */
int famfs_mmap(struct file *file, struct vm_area_struct *vma)
{
	file_accessed(file);
	vma->vm_ops = &famfs_vm_ops;
	return 0;
}

/**
 * famfs_fiemap() - report where a file's bytes are
 * @inode: any regular FUSE file
 * @info: the request
 * @start: file offset
 * @len: bytes
 *
 * Addresses are offsets in devices; which device it is cannot be said here.
 *
 * Return: 0, -EOPNOTSUPP for a file that is not mapped, or another error.
 */
int famfs_fiemap(struct inode *inode, struct fiemap_extent_info *info,
		 u64 start, u64 len)
{
	u64 size;
	int err = 0;

	if (!fuse_is_famfs(inode))
		return -EOPNOTSUPP;
	inode_lock_shared(inode);
	size = i_size_read(inode);
	if (start < size)
		err = iomap_fiemap(inode, info, start, min(len, size - start),
				   &famfs_iomap_ops);
	inode_unlock_shared(inode);
	return err;
}
