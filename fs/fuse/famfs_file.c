// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: open files: read and write.
 *
 * No request is sent, except where the server has revoked the fmap or lets the
 * file grow.
 *
 * A write holds i_rwsem for writing, so that reads and writes see either all of
 * it or nothing.  With FOPEN_PARALLEL_DIRECT_WRITES the server has left it to
 * applications that accesses do not overlap.  Then a write that changes neither
 * the size nor privileges holds i_rwsem for reading.
 */

#include "famfs.h"

#include <linux/dax.h>
#include <linux/filelock.h>
#include <linux/huge_mm.h>
#include <linux/pagemap.h>
#include <linux/sizes.h>
#include <linux/splice.h>
#include <linux/uio.h>

/* Fault-in attempts without progress before giving up */
#define FAMFS_FAULT_TRIES	64

static int famfs_rw_lock_shared(struct kiocb *iocb, struct inode *inode)
{
	if (iocb->ki_flags & IOCB_NOWAIT)
		return inode_trylock_shared(inode) ? 0 : -EAGAIN;
	inode_lock_shared(inode);
	return 0;
}

static int famfs_rw_lock(struct kiocb *iocb, struct inode *inode)
{
	if (iocb->ki_flags & IOCB_NOWAIT)
		return inode_trylock(inode) ? 0 : -EAGAIN;
	inode_lock(inode);
	return 0;
}

static __always_inline int famfs_io_enter(struct kiocb *iocb,
					  struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	if (unlikely(iocb->ki_flags & IOCB_NOWAIT))
		return filemap_invalidate_trylock_shared(mapping) ? 0 : -EAGAIN;
	filemap_invalidate_lock_shared(mapping);
	return 0;
}

static bool famfs_write_fits(const struct famfs_rw *rw)
{
	return rw->iocb->ki_pos + iov_iter_count(rw->iter) <=
	       i_size_read(file_inode(rw->iocb->ki_filp));
}

/* dax_iomap_rw() does not check the size. */
static int famfs_write_check_space(struct famfs_rw *rw,
				   const struct famfs_map *map)
{
	struct kiocb *iocb = rw->iocb;
	loff_t size = i_size_read(file_inode(iocb->ki_filp));

	/* Only the holder of i_rwsem for writing may move EOF. */
	if (unlikely(rw->shared && !famfs_write_fits(rw))) {
		rw->need = FAMFS_RW_LOCK;
		return 0;
	}
	/* A new fmap may have moved EOF since generic_write_checks(). */
	if (unlikely((iocb->ki_flags & IOCB_APPEND) && iocb->ki_pos != size)) {
		rw->need = FAMFS_RW_MAP;
		return 0;
	}
	if (likely(famfs_write_fits(rw)))
		return 0;
	if (map->grow)
		return famfs_extend_prepare(rw, map);
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

	/* Without an fmap the size is unknown. */
	if (unlikely(!map)) {
		rw->need = FAMFS_RW_MAP;
		return 0;
	}
	/* A new fmap may have moved EOF while this waited for the lock. */
	if (!write && rw->iocb->ki_pos >= i_size_read(inode))
		return 0;
	if (write)
		ret = famfs_write_check_space(rw, map);
	if (unlikely(ret || rw->need))
		return ret;
	pagefault_disable();
	ret = dax_iomap_rw(rw->iocb, rw->iter, &famfs_iomap_ops);
	pagefault_enable();
	/* The device died after it was found alive. */
	if (unlikely(ret == -ENXIO))
		ret = -EIO;
	if (write && unlikely(ret > 0 && rw->iocb->ki_pos > i_size_read(inode)))
		famfs_extend_commit(inode, rw->iocb->ki_pos);
	return ret;
}

/*
 * Copy with page faults disabled: the buffer may be a mapping of this file, or
 * of one whose server waits for the lock.
 */
static __always_inline ssize_t famfs_rw_copy(struct famfs_rw *rw)
{
	struct inode *inode = file_inode(rw->iocb->ki_filp);
	ssize_t ret;

	ret = famfs_io_enter(rw->iocb, inode);
	if (unlikely(ret))
		return ret;
	ret = famfs_rw_copy_locked(rw, inode);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return ret;
}

/* Fault in the next part of the user buffer; returns false on failure. */
static bool famfs_fault_in(struct iov_iter *iter)
{
	size_t size = min_t(size_t, iov_iter_count(iter), SZ_1M);

	if (iov_iter_rw(iter) == WRITE)
		return fault_in_iov_iter_readable(iter, size) < size;
	return fault_in_iov_iter_writeable(iter, size) < size;
}

/* Check whether the file can be read where a copy stopped. */
static bool famfs_readable(struct kiocb *iocb)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	bool readable;

	if (famfs_io_enter(iocb, inode))
		return true;
	readable = !famfs_inode_map(inode) ||
		   !famfs_iomap_probe(inode, iocb->ki_pos);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return readable;
}

/*
 * Fault in the rest of the buffer after a copy that stopped with -EFAULT.
 *
 * A buffer can be reclaimed before it is copied.  Memory of the file that fails
 * during the copy, or that a write could not mend, looks the same, and each
 * attempt may be a machine check: so check the file after a second failure in a
 * row.  A kernel buffer, as in sendfile(2), is always present: the file has
 * failed.
 */
static int famfs_after_fault(struct kiocb *iocb, struct iov_iter *iter,
			     int tries)
{
	if (!user_backed_iter(iter))
		return -EIO;
	if (tries && !famfs_readable(iocb))
		return -EIO;
	if (tries == FAMFS_FAULT_TRIES || !famfs_fault_in(iter))
		return -EFAULT;
	return 0;
}

/*
 * Continue after a short first copy that returned @ret.  Bytes copied take
 * precedence over an error.
 */
static noinline ssize_t famfs_rw_slow(struct famfs_rw *rw, ssize_t ret)
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

/* Called with i_rwsem held.  One copy usually completes the request. */
static __always_inline ssize_t famfs_rw_iter(struct famfs_rw *rw)
{
	ssize_t ret = famfs_rw_copy(rw);

	if (likely(ret >= 0 && !iov_iter_count(rw->iter)))
		return ret;
	return famfs_rw_slow(rw, ret);
}

static ssize_t famfs_read_locked(struct famfs_rw *rw)
{
	struct inode *inode = file_inode(rw->iocb->ki_filp);
	ssize_t ret;

	rw->need = FAMFS_RW_NOTHING;
	ret = famfs_rw_lock_shared(rw->iocb, inode);
	if (ret)
		return ret;
	ret = famfs_rw_iter(rw);
	inode_unlock_shared(inode);
	return ret;
}

/* The fmap was revoked before or during a read from @start. */
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

/*
 * Read from an fmap file.
 *
 * The server maintains access times, as for any FUSE file (S_NOATIME).
 *
 * Returns bytes read, 0 at and beyond EOF, or an error.
 */
static ssize_t famfs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct famfs_rw rw = { .iocb = iocb, .iter = to };
	loff_t start = iocb->ki_pos;
	ssize_t ret;

	if (unlikely(fuse_is_bad(file_inode(iocb->ki_filp))))
		return -EIO;
	ret = famfs_read_locked(&rw);
	if (likely(!rw.need))
		return ret;
	return famfs_read_again(&rw, start);
}

/*
 * An interrupted append continues after @done bytes only at EOF: bytes that
 * others have appended since are not overwritten, and none are left out in
 * between.
 */
static ssize_t famfs_write_checks(struct kiocb *iocb, struct iov_iter *from,
				  ssize_t done)
{
	if (unlikely(done) && (iocb->ki_flags & IOCB_APPEND) &&
	    iocb->ki_pos != i_size_read(file_inode(iocb->ki_filp)))
		return 0;
	return generic_write_checks(iocb, from);
}

static bool famfs_write_may_share(const struct famfs_rw *rw)
{
	const struct fuse_file *ff = rw->iocb->ki_filp->private_data;

	return ff->open_flags & FOPEN_PARALLEL_DIRECT_WRITES &&
	       !(rw->iocb->ki_flags & IOCB_APPEND) &&
	       IS_NOSEC(file_inode(rw->iocb->ki_filp)) && famfs_write_fits(rw);
}

static void famfs_write_unlock(struct famfs_rw *rw, struct inode *inode)
{
	if (rw->shared)
		inode_unlock_shared(inode);
	else
		inode_unlock(inode);
}

/* What allows for a shared lock may have changed until the lock is taken. */
static int famfs_write_lock(struct famfs_rw *rw, struct inode *inode)
{
	int err;

	rw->shared = famfs_write_may_share(rw);
	if (!rw->shared)
		return famfs_rw_lock(rw->iocb, inode);
	err = famfs_rw_lock_shared(rw->iocb, inode);
	if (err || likely(famfs_write_may_share(rw)))
		return err;
	inode_unlock_shared(inode);
	rw->shared = false;
	return famfs_rw_lock(rw->iocb, inode);
}

/*
 * Under a shared lock there were no privileges to remove when it was taken.  If
 * the server has set some since, the write comes before that.
 */
static int famfs_write_modified(struct famfs_rw *rw, struct inode *inode)
{
	if (rw->shared)
		return file_update_time(rw->iocb->ki_filp);
	return famfs_iocb_modified(rw->iocb, inode);
}

/* Adds the bytes written to @done. */
static ssize_t famfs_write_locked(struct famfs_rw *rw, ssize_t *done)
{
	struct kiocb *iocb = rw->iocb;
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t start;
	ssize_t ret;

	rw->need = FAMFS_RW_NOTHING;
	ret = famfs_write_lock(rw, inode);
	if (ret)
		return ret;
	ret = famfs_write_checks(iocb, rw->iter, *done);
	if (ret > 0) {
		start = iocb->ki_pos;
		ret = famfs_write_modified(rw, inode);
		if (!ret)
			ret = famfs_rw_iter(rw);
		*done += iocb->ki_pos - start;
	}
	famfs_write_unlock(rw, inode);
	return ret;
}

/*
 * Write to an fmap file.
 *
 * The request for memory is sent with no locks held.  A truncate may take the
 * memory away before i_rwsem is retaken; then ask again.  If the server has
 * none, write what fits.
 *
 * Returns bytes written, fewer at the end of the file or of the memory, -EFBIG
 * at and beyond EOF of a file that may not grow, or another error.
 */
static ssize_t famfs_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct famfs_rw rw = { .iocb = iocb, .iter = from };
	ssize_t ret, done = 0;
	int err = 0;

	if (unlikely(fuse_is_bad(file_inode(iocb->ki_filp))))
		return -EIO;
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

static int famfs_release(struct inode *inode, struct file *file)
{
	famfs_file_release(inode, file->private_data);
	fuse_release_common(file, false);
	return 0;
}

/*
 * There are no holes, and i_size is authoritative.  Without ->poll nobody asks
 * the server whether the file is ready, as for other regular files.
 */
static const struct file_operations famfs_file_operations = {
	.llseek		= generic_file_llseek,
	.read_iter	= famfs_read_iter,
	.write_iter	= famfs_write_iter,
	.mmap		= famfs_mmap,
	.flush		= famfs_flush,
	.release	= famfs_release,
	.fsync		= famfs_fsync,
	.lock		= fuse_file_lock,
	.get_unmapped_area = thp_get_unmapped_area,
	.flock		= fuse_file_flock,
	.splice_read	= filemap_splice_read,
	.splice_write	= iter_file_splice_write,
	.unlocked_ioctl	= fuse_file_ioctl,
	.compat_ioctl	= fuse_file_compat_ioctl,
	.fallocate	= famfs_fallocate,
	.copy_file_range = fuse_copy_file_range,
	.setlease	= generic_setlease,
	.fop_flags	= FOP_BUFFER_WASYNC,
};

/**
 * famfs_file_io_open() - prepare an open file of an fmap inode for I/O
 * @inode: an fmap inode
 * @file: a file that the server has opened
 *
 * An open file keeps the operations that it is given here: an fmap inode stays
 * one, and one with cached opens does not become one, see famfs_cached_open().
 * FOPEN_* flags about caching do not apply: there is no page cache.
 * FOPEN_PARALLEL_DIRECT_WRITES applies by itself.
 *
 * Return: 0, -EIO for FOPEN_PASSTHROUGH, -EINTR.
 */
int famfs_file_io_open(struct inode *inode, struct file *file)
{
	struct fuse_file *ff = file->private_data;

	if (ff->open_flags & FOPEN_PASSTHROUGH) {
		pr_debug("node %llu has a map and cannot be passed through\n",
			 ff->nodeid);
		return -EIO;
	}
	ff->open_flags &= ~FOPEN_DIRECT_IO;
	ff->open_flags |= FOPEN_KEEP_CACHE;
	file->f_op = &famfs_file_operations;
	file->f_mode |= FMODE_NOWAIT;
	return file->f_mode & FMODE_WRITE ? famfs_refresh_nosec(inode, file) : 0;
}
