// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: read, write, mmap and faults.
 *
 * Nothing here asks the server, except where it has taken the map away or lets
 * the file grow.  The map is used under the mapping's invalidate_lock.
 */

#include "famfs.h"
#include "famfs_rw.h"

#include <linux/dax.h>
#include <linux/pagemap.h>
#include <linux/sizes.h>
#include <linux/uio.h>

/* How often a buffer is made present in vain */
#define FAMFS_FAULT_TRIES	64

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

static __always_inline int famfs_use_map(struct kiocb *iocb,
					 struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	if (unlikely(iocb->ki_flags & IOCB_NOWAIT))
		return filemap_invalidate_trylock_shared(mapping) ? 0 : -EAGAIN;
	filemap_invalidate_lock_shared(mapping);
	return 0;
}

/*
 * Sees to it that there is room for a write past the end of the file.
 * dax_iomap_rw() does not look at the size.
 */
static int famfs_rw_room(struct famfs_rw *rw, const struct famfs_map *map)
{
	struct kiocb *iocb = rw->iocb;
	loff_t size = i_size_read(file_inode(iocb->ki_filp));

	/* The end may have moved with the map since generic_write_checks(). */
	if (unlikely((iocb->ki_flags & IOCB_APPEND) && iocb->ki_pos != size)) {
		rw->need = FAMFS_RW_MAP;
		return 0;
	}
	if (likely(iocb->ki_pos + iov_iter_count(rw->iter) <= size))
		return 0;
	if (map->grow)
		return famfs_extend_begin(rw, map);
	if (iocb->ki_pos >= size)
		return -EFBIG;
	iov_iter_truncate(rw->iter, size - iocb->ki_pos);
	return 0;
}

static __always_inline ssize_t famfs_rw_copy_locked(struct famfs_rw *rw,
						    struct inode *inode)
{
	const struct famfs_map *map = famfs_inode_map(inode);
	bool write = iov_iter_rw(rw->iter) == WRITE;
	ssize_t ret = 0;

	/* Without a map nobody knows where the file ends. */
	if (unlikely(!map)) {
		rw->need = FAMFS_RW_MAP;
		return 0;
	}
	/* A file may shrink with its map while this waits to begin. */
	if (!write && rw->iocb->ki_pos >= i_size_read(inode))
		return 0;
	if (write)
		ret = famfs_rw_room(rw, map);
	if (unlikely(ret || rw->need))
		return ret;
	pagefault_disable();
	ret = dax_iomap_rw(rw->iocb, rw->iter, &famfs_iomap_ops);
	pagefault_enable();
	/* The device may go when it has just been found alive. */
	if (unlikely(ret == -ENXIO))
		ret = -EIO;
	if (write && unlikely(ret > 0 && rw->iocb->ki_pos > i_size_read(inode)))
		famfs_extend_end(inode, rw->iocb->ki_pos);
	return ret;
}

/*
 * Copies as much as can be copied without faults: the buffer may be a mapping
 * of this file, or of one whose server waits for the lock.
 */
static __always_inline ssize_t famfs_rw_copy(struct famfs_rw *rw)
{
	struct inode *inode = file_inode(rw->iocb->ki_filp);
	ssize_t ret;

	ret = famfs_use_map(rw->iocb, inode);
	if (unlikely(ret))
		return ret;
	ret = famfs_rw_copy_locked(rw, inode);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return ret;
}

/* Makes the next part of a user's buffer present; false if that cannot be. */
static bool famfs_fault_in(struct iov_iter *iter)
{
	size_t size = min_t(size_t, iov_iter_count(iter), SZ_1M);

	if (iov_iter_rw(iter) == WRITE)
		return fault_in_iov_iter_readable(iter, size) < size;
	return fault_in_iov_iter_writeable(iter, size) < size;
}

/* Can the file be read where a copy has stopped? */
static bool famfs_readable(struct kiocb *iocb)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	bool readable;

	if (famfs_use_map(iocb, inode))
		return true;
	readable = !famfs_inode_map(inode) ||
		   !famfs_iomap_probe(inode, iocb->ki_pos);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return readable;
}

/*
 * Makes the rest of the buffer present after a copy that stopped with -EFAULT.
 *
 * A buffer can be reclaimed again before it is copied.  But memory of the file
 * that fails in the middle of a copy looks just the same, and each try may be
 * a machine check: so a second failure in a row is looked into.  A buffer of
 * the kernel's, as sendfile(2) has one, is always present: it must be the file.
 */
static int famfs_after_fault(struct kiocb *iocb, struct iov_iter *iter,
			     int tries)
{
	if (!user_backed_iter(iter))
		return -EIO;
	if (tries && iov_iter_rw(iter) == READ && !famfs_readable(iocb))
		return -EIO;
	if (tries == FAMFS_FAULT_TRIES || !famfs_fault_in(iter))
		return -EFAULT;
	return 0;
}

/*
 * Goes on where the first copy ended with @ret.  What has been copied counts
 * more than an error.
 */
static noinline ssize_t famfs_rw_rest(struct famfs_rw *rw, ssize_t ret)
{
	struct kiocb *iocb = rw->iocb;
	loff_t start = iocb->ki_pos - max(ret, 0);
	int tries = 0;

	while (iov_iter_count(rw->iter) && (ret > 0 || ret == -EFAULT)) {
		if (ret > 0)
			tries = 0;
		else
			ret = famfs_after_fault(iocb, rw->iter, tries++);
		if (ret < 0)
			break;
		ret = famfs_rw_copy(rw);
	}
	return iocb->ki_pos - start ?: ret;
}

/* With i_rwsem held, until something is needed.  One copy is mostly all. */
static __always_inline ssize_t famfs_rw_iter(struct famfs_rw *rw)
{
	ssize_t ret = famfs_rw_copy(rw);

	if (likely(ret >= 0 && !iov_iter_count(rw->iter)))
		return ret;
	return famfs_rw_rest(rw, ret);
}

/* Gets what is needed, with no locks held. */
static noinline int famfs_rw_provide(struct famfs_rw *rw)
{
	struct kiocb *iocb = rw->iocb;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	switch (rw->need) {
	case FAMFS_RW_MAP:
		return famfs_fetch_once(file_inode(iocb->ki_filp));
	case FAMFS_RW_ZEROS:
		return famfs_fill_gap(iocb);
	case FAMFS_RW_MEMORY:
		rw->refused = famfs_grow(iocb->ki_filp, iocb->ki_pos +
					 iov_iter_count(rw->iter));
		return 0;
	case FAMFS_RW_NOTHING:
		break;
	}
	return 0;
}

static ssize_t famfs_read_locked(struct famfs_rw *rw)
{
	struct inode *inode = file_inode(rw->iocb->ki_filp);
	ssize_t ret;

	rw->need = FAMFS_RW_NOTHING;
	ret = famfs_lock_shared(rw->iocb, inode);
	if (ret)
		return ret;
	ret = famfs_rw_iter(rw);
	inode_unlock_shared(inode);
	return ret;
}

/* The server has taken the map away, before a read from @start or during it. */
static noinline ssize_t famfs_read_again(struct famfs_rw *rw, loff_t start)
{
	ssize_t ret;

	do {
		ret = famfs_rw_provide(rw);
		if (ret)
			break;
		ret = famfs_read_locked(rw);
	} while (rw->need);
	return rw->iocb->ki_pos - start ?: ret;
}

/**
 * famfs_read_iter() - read from a mapped file
 * @iocb: where from
 * @to: where to
 *
 * Access times are the server's, as for any FUSE file (S_NOATIME).
 *
 * Return: bytes read, 0 at and past the end of the file, or an error.
 */
ssize_t famfs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct famfs_rw rw = { .iocb = iocb, .iter = to };
	loff_t start = iocb->ki_pos;
	ssize_t ret;

	ret = famfs_read_locked(&rw);
	if (likely(!rw.need))
		return ret;
	return famfs_read_again(&rw, start);
}

/*
 * A write that appends and has been interrupted after @done bytes goes on only
 * where it has stopped: what others have appended since is not overwritten, and
 * stays behind what has been written.
 */
static ssize_t famfs_write_checks(struct kiocb *iocb, struct iov_iter *from,
				  ssize_t done)
{
	if (unlikely(done) && (iocb->ki_flags & IOCB_APPEND) &&
	    iocb->ki_pos != i_size_read(file_inode(iocb->ki_filp)))
		return 0;
	return generic_write_checks(iocb, from);
}

/* Adds to @done what has been written. */
static ssize_t famfs_write_locked(struct famfs_rw *rw, ssize_t *done)
{
	struct kiocb *iocb = rw->iocb;
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t start;
	ssize_t ret;

	rw->need = FAMFS_RW_NOTHING;
	ret = famfs_lock(iocb, inode);
	if (ret)
		return ret;
	ret = famfs_write_checks(iocb, rw->iter, *done);
	if (ret > 0) {
		start = iocb->ki_pos;
		ret = famfs_modified(iocb, inode);
		if (!ret)
			ret = famfs_rw_iter(rw);
		*done += iocb->ki_pos - start;
	}
	inode_unlock(inode);
	return ret;
}

/**
 * famfs_write_iter() - write to a mapped file
 * @iocb: where to
 * @from: where from
 *
 * The server is asked for more memory with no lock held.  What it has grown
 * the file by may be gone when the lock is there again, then it is asked once
 * more; if it has not, what there is room for is written.
 *
 * Return: bytes written, fewer where the file or the memory ends, -EFBIG at and
 * past the end of a file that does not grow, or another error.
 */
ssize_t famfs_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct famfs_rw rw = { .iocb = iocb, .iter = from };
	ssize_t ret, done = 0;
	int err = 0;

	do {
		ret = famfs_write_locked(&rw, &done);
		if (likely(!rw.need))
			break;
		err = famfs_rw_provide(&rw);
	} while (!err);

	if (done > 0)
		return generic_write_sync(iocb, done);
	return err ?: ret;
}

/* A private mapping writes to its own copy: the file does not change. */
static __always_inline vm_fault_t famfs_fault_of(struct vm_fault *vmf,
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
	return famfs_fault_of(vmf, order);
}

static vm_fault_t famfs_fault(struct vm_fault *vmf)
{
	return famfs_fault_of(vmf, 0);
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

/* A map can become read-only later: then faults see it. */
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
 * famfs_mmap() - map a mapped file into memory
 * @file: the file
 * @vma: the new mapping
 *
 * Leaves the flags that the user chose for @vma alone.
 *
 * Return: 0, -EACCES where memory that is read-only would be written, an error
 * of famfs_map_lock().
 */
int famfs_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(file);
	const struct famfs_map *map;
	int err = 0;

	/* Not with FUSE_I_FMAP_FETCH: mmap_lock is held. */
	map = famfs_map_lock(inode);
	if (IS_ERR(map))
		return PTR_ERR(map);
	if (map->readonly)
		err = famfs_mmap_readonly(vma);
	famfs_map_unlock(inode);
	if (err)
		return err;
	file_accessed(file);
	((struct fuse_file *)file->private_data)->famfs_mmapped = true;
	vma->vm_ops = &famfs_vm_ops;
	return 0;
}
