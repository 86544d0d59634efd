// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: mappings of files, and their faults.
 *
 * A fault sends no request, and waits for none.
 */

#include "famfs.h"

#include <linux/dax.h>
#include <linux/pagemap.h>

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
