// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: where the bytes of a file are, and mappings of them.
 *
 * The iomap operations translate an offset in a file into an offset on a
 * device, for read, write, faults and FIEMAP.  A fault sends no request, and
 * waits for none.
 */

#include "famfs.h"
#include "famfs_trace.h"

#include <linux/dax.h>
#include <linux/fiemap.h>
#include <linux/iomap.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

static void famfs_iomap_set(struct iomap *iomap, const struct famfs_daxdev *dev,
			    u64 offset, u64 len, u64 addr)
{
	/* iomap->flags stays 0: never new, shared or with dirty metadata. */
	iomap->type = IOMAP_MAPPED;
	iomap->offset = offset;
	iomap->length = len;
	iomap->addr = addr;
	iomap->dax_dev = dev->dax_dev;
}

static noinline int famfs_iomap_slow(const struct famfs_map *map,
				     struct inode *inode, loff_t pos,
				     struct iomap *iomap)
{
	struct famfs_daxdev *dev;
	struct famfs_range range;

	famfs_map_resolve(map, pos, &range);
	dev = map->devs[range.dev];
	if (unlikely(READ_ONCE(dev->dead)))
		return -EIO;
	famfs_iomap_set(iomap, dev, range.offset, range.len, range.addr);
	trace_famfs_resolve(inode, pos, &range);
	return 0;
}

/*
 * Fast path without a stack frame for the common case: one extent on a healthy
 * device.  Every fault comes here.
 */
static __always_inline int famfs_iomap_find(struct inode *inode, loff_t pos,
					    unsigned int flags,
					    struct iomap *iomap)
{
	const struct famfs_map *map = famfs_inode_map(inode);
	const struct famfs_daxdev *dev;

	lockdep_assert_held(&inode->i_mapping->invalidate_lock);
	if (unlikely(!map || pos >= map->mapped))
		return -EIO;
	if (unlikely(map->readonly && (flags & (IOMAP_WRITE | IOMAP_ZERO))))
		return -EROFS;
	if (map->nr_extents != 1 || trace_famfs_resolve_enabled())
		return famfs_iomap_slow(map, inode, pos, iomap);

	dev = map->devs[map->extents[0].dev];
	if (unlikely(READ_ONCE(dev->dead)))
		return -EIO;
	famfs_iomap_set(iomap, dev, 0, map->mapped, map->extents[0].addr);
	return 0;
}

/*
 * famfs's tools look for this symbol in /proc/kallsyms to see whether the
 * kernel supports fmaps, so the compiler must not rename it.
 */
static noinline __used int
famfs_fuse_iomap_begin(struct inode *inode, loff_t pos, loff_t length,
		       unsigned int flags, struct iomap *iomap,
		       struct iomap *srcmap)
{
	return famfs_iomap_find(inode, pos, flags, iomap);
}

static noinline DEFINE_IOMAP_ITER_NEXT(famfs_iomap_next_slow,
				       famfs_fuse_iomap_begin);

static int famfs_iomap_next(const struct iomap_iter *iter, struct iomap *iomap,
			    struct iomap *srcmap)
{
	int ret;

	if (iomap->length) {
		/*
		 * Usually one mapping covers the request: skip
		 * iomap_iter_next().
		 */
		if (likely(!iter->len && !iter->status))
			return 0;
		return famfs_iomap_next_slow(iter, iomap, srcmap);
	}
	ret = famfs_iomap_find(iter->inode, iter->pos, iter->flags, iomap);
	return ret < 0 ? ret : 1;
}

/* The caller holds invalidate_lock while it uses the result. */
const struct iomap_ops famfs_iomap_ops = {
	.iomap_next	= famfs_iomap_next,
};

/**
 * famfs_iomap_probe() - check whether a byte of a file can be read
 * @inode: an fmap inode
 * @pos: offset of the byte
 *
 * Context: invalidate_lock is held.
 * Return: 0, or -EIO.
 */
int famfs_iomap_probe(struct inode *inode, loff_t pos)
{
	struct iomap iomap = {};
	void *addr;
	pgoff_t page;
	char byte;
	int id, err;

	err = famfs_iomap_find(inode, pos, 0, &iomap);
	if (err)
		return err;
	page = PHYS_PFN(iomap.addr + pos - iomap.offset);
	id = dax_read_lock();
	if (dax_direct_access(iomap.dax_dev, page, 1, DAX_ACCESS, &addr,
			      NULL) < 1 ||
	    copy_mc_to_kernel(&byte, addr + offset_in_page(pos), 1))
		err = -EIO;
	dax_read_unlock(id);
	return err;
}

/* FIEMAP copies to user space between calls, which may fault: lock per call. */
static int famfs_fiemap_next(const struct iomap_iter *iter, struct iomap *iomap,
			     struct iomap *srcmap)
{
	int ret;

	/* A file can have millions of extents. */
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	filemap_invalidate_lock_shared(iter->inode->i_mapping);
	ret = famfs_iomap_next(iter, iomap, srcmap);
	filemap_invalidate_unlock_shared(iter->inode->i_mapping);
	return ret;
}

static const struct iomap_ops famfs_fiemap_ops = {
	.iomap_next	= famfs_fiemap_next,
};

/**
 * famfs_fiemap() - FIEMAP of an fmap file
 * @inode: a regular FUSE file of any kind
 * @info: the request
 * @start: file offset
 * @len: bytes
 *
 * Addresses are offsets in devices; the interface cannot name the device.
 *
 * Return: 0, -EOPNOTSUPP if @inode is no fmap inode, or another error.
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
				   &famfs_fiemap_ops);
	inode_unlock_shared(inode);
	return err;
}

/**
 * famfs_map_lock() - get the fmap of a file, and keep it from changing
 * @inode: an fmap inode
 *
 * A revoked fmap is requested again, so that no caller handles a missing one.
 *
 * Context: No lock held that the server could need except i_rwsem; mmap_lock
 * may be held.  May wait for the server, killably until it has read the
 * request.
 * Return: the fmap, with invalidate_lock held for reading until
 * famfs_map_unlock(), or an error of famfs_fetch_retry().
 */
const struct famfs_map *famfs_map_lock(struct inode *inode)
{
	const struct famfs_map *map;
	int err;

	for (;;) {
		filemap_invalidate_lock_shared(inode->i_mapping);
		map = famfs_inode_map(inode);
		if (map)
			return map;
		filemap_invalidate_unlock_shared(inode->i_mapping);

		err = famfs_fetch_retry(inode, false);
		if (err)
			return ERR_PTR(err);
	}
}

/**
 * famfs_map_unlock() - drop the lock of famfs_map_lock()
 * @inode: an inode for which famfs_map_lock() returned an fmap
 */
void famfs_map_unlock(struct inode *inode)
{
	filemap_invalidate_unlock_shared(inode->i_mapping);
}

/* A private mapping writes to its own copy, and the file does not change. */
static __always_inline vm_fault_t famfs_dax_fault(struct vm_fault *vmf,
						  unsigned int order)
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

static vm_fault_t famfs_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	return famfs_dax_fault(vmf, order);
}

static vm_fault_t famfs_filemap_fault(struct vm_fault *vmf)
{
	return famfs_dax_fault(vmf, 0);
}

/*
 * Providing ->map_pages lets faults run under the per-VMA lock instead of
 * mmap_lock.  There are no folios to map around.
 */
static vm_fault_t famfs_map_pages(struct vm_fault *vmf, pgoff_t start,
				  pgoff_t end)
{
	return 0;
}

static const struct vm_operations_struct famfs_vm_ops = {
	.fault		= famfs_filemap_fault,
	.map_pages	= famfs_map_pages,
	.huge_fault	= famfs_huge_fault,
	.page_mkwrite	= famfs_filemap_fault,
	.pfn_mkwrite	= famfs_filemap_fault,
};

/* A later fmap may be read-only; the fault handler checks for that. */
static int famfs_mmap_readonly(struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED))
		return 0;
	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	vm_flags_clear(vma, VM_MAYWRITE);
	return 0;
}

/**
 * famfs_mmap() - mmap() of an fmap file
 * @file: the file
 * @vma: the mapping
 *
 * Context: mmap_lock is held.  May wait for the server, as famfs_map_lock().
 * Return: 0, -EACCES for a shared writable mapping of a read-only fmap, or an
 * error of famfs_map_lock().
 */
int famfs_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(file);
	const struct famfs_map *map;
	int err;

	/* mmap_lock is held, so FUSE_I_FMAP_LOCK cannot be taken. */
	map = famfs_map_lock(inode);
	if (IS_ERR(map))
		return PTR_ERR(map);
	err = map->readonly ? famfs_mmap_readonly(vma) : 0;
	famfs_map_unlock(inode);
	if (err)
		return err;
	file_accessed(file);
	((struct fuse_file *)file->private_data)->famfs_mmapped = true;
	vma->vm_ops = &famfs_vm_ops;
	return 0;
}
