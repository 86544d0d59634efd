// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: read, write, mmap and faults.
 *
 * Nothing here asks the server, except where it has taken the map away or lets
 * the file grow.  The map is used under the mapping's invalidate_lock.
 */

#include "famfs.h"

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
static int famfs_write_room(struct kiocb *iocb, struct iov_iter *from,
			    const struct famfs_map *map, int grown)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t size = i_size_read(inode);

	/* The end may have moved with the map since generic_write_checks(). */
	if (unlikely((iocb->ki_flags & IOCB_APPEND) && iocb->ki_pos != size))
		return -EOPENSTALE;
	if (likely(iocb->ki_pos + iov_iter_count(from) <= size))
		return 0;
	if (map->grow)
		return famfs_extend_begin(iocb, from, map, grown);
	if (iocb->ki_pos >= size)
		return -EFBIG;
	iov_iter_truncate(from, size - iocb->ki_pos);
	return 0;
}

static __always_inline ssize_t famfs_copy_locked(struct kiocb *iocb,
						 struct iov_iter *iter,
						 int grown)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	const struct famfs_map *map = famfs_inode_map(inode);
	bool write = iov_iter_rw(iter) == WRITE;
	ssize_t ret = 0;

	/* A file may shrink with its map while this waits to begin. */
	if (!write && iocb->ki_pos >= i_size_read(inode))
		return 0;
	if (unlikely(!map))
		return -EOPENSTALE;
	if (write)
		ret = famfs_write_room(iocb, iter, map, grown);
	if (ret)
		return ret;
	pagefault_disable();
	ret = dax_iomap_rw(iocb, iter, &famfs_iomap_ops);
	pagefault_enable();
	/* The device may go when it has just been found alive. */
	if (unlikely(ret == -ENXIO))
		ret = -EIO;
	if (write && unlikely(ret > 0 && iocb->ki_pos > i_size_read(inode)))
		famfs_extend_end(inode, iocb->ki_pos);
	return ret;
}

/*
 * Copies as much as can be copied without faults: the buffer may be a mapping
 * of this file, or of one whose server waits for the lock.
 */
static __always_inline ssize_t famfs_copy(struct kiocb *iocb,
					  struct iov_iter *iter, int grown)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	ret = famfs_use_map(iocb, inode);
	if (unlikely(ret))
		return ret;
	ret = famfs_copy_locked(iocb, iter, grown);
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

/* The caller of famfs_rw() can do something about these, and goes on then. */
static bool famfs_rw_resumes(ssize_t ret)
{
	return ret == -EOPENSTALE || ret == -ETOOSMALL || ret == -EJUKEBOX;
}

/*
 * Goes on where the first copy ended with @ret.  What has been copied counts
 * more than an error.
 */
static noinline ssize_t famfs_rw_rest(struct kiocb *iocb, struct iov_iter *iter,
				      int grown, ssize_t ret)
{
	loff_t start = iocb->ki_pos - max(ret, 0);
	int tries = 0;

	while (iov_iter_count(iter) && (ret > 0 || ret == -EFAULT)) {
		if (iocb->ki_flags & IOCB_NOWAIT) {
			ret = -EAGAIN;
			break;
		}
		if (ret > 0)
			tries = 0;
		else
			ret = famfs_after_fault(iocb, iter, tries++);
		if (ret < 0)
			break;
		ret = famfs_copy(iocb, iter, grown);
	}
	if (famfs_rw_resumes(ret) || iocb->ki_pos == start)
		return ret;
	return iocb->ki_pos - start;
}

/*
 * With i_rwsem held.  One copy is mostly all.  If the result is one of those
 * that famfs_rw_resumes() names, some bytes may have been copied all the same.
 */
static __always_inline ssize_t famfs_rw(struct kiocb *iocb,
					struct iov_iter *iter, int grown)
{
	ssize_t ret = famfs_copy(iocb, iter, grown);

	if (likely(ret >= 0 && !iov_iter_count(iter)))
		return ret;
	return famfs_rw_rest(iocb, iter, grown, ret);
}

/* Asks for the map that the server has taken away. */
static int famfs_remap(struct kiocb *iocb)
{
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	return famfs_fetch_once(file_inode(iocb->ki_filp));
}

static ssize_t famfs_read_locked(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	ret = famfs_lock_shared(iocb, inode);
	if (ret)
		return ret;
	ret = famfs_rw(iocb, to, 0);
	inode_unlock_shared(inode);
	return ret;
}

/* The server has taken the map away, before a read from @start or during it. */
static noinline ssize_t famfs_read_again(struct kiocb *iocb,
					 struct iov_iter *to, loff_t start)
{
	ssize_t ret;

	do {
		ret = famfs_remap(iocb);
		if (!ret)
			ret = famfs_read_locked(iocb, to);
	} while (ret == -EOPENSTALE);
	return iocb->ki_pos - start ?: ret;
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
	loff_t start = iocb->ki_pos;
	ssize_t ret;

	ret = famfs_read_locked(iocb, to);
	if (likely(ret != -EOPENSTALE))
		return ret;
	return famfs_read_again(iocb, to, start);
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
static ssize_t famfs_write_locked(struct kiocb *iocb, struct iov_iter *from,
				  int grown, ssize_t *done)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t start;
	ssize_t ret;

	ret = famfs_lock(iocb, inode);
	if (ret)
		return ret;
	ret = famfs_write_checks(iocb, from, *done);
	if (ret > 0) {
		start = iocb->ki_pos;
		ret = famfs_modified(iocb, inode);
		if (!ret)
			ret = famfs_rw(iocb, from, grown);
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
	ssize_t ret, done = 0;
	int err = 0, grown = 0;

	do {
		ret = famfs_write_locked(iocb, from, grown, &done);
		if (likely(!famfs_rw_resumes(ret)))
			break;
		if (ret == -EOPENSTALE)
			err = famfs_remap(iocb);
		else if (ret == -EJUKEBOX)
			err = famfs_fill_gap(iocb);
		else if (iocb->ki_flags & IOCB_NOWAIT)
			err = -EAGAIN;
		else
			grown = famfs_grow(iocb->ki_filp, iocb->ki_pos +
					   iov_iter_count(from));
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
