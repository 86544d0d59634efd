// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: files that grow.
 *
 * If the fmap allows it, writes extend the file into memory that is already
 * mapped or that FUSE_FALLOCATE requests from the server.  i_size changes
 * locally and is sent to the server later.
 *
 * New memory contains stale data.  So the range from the old EOF to the data,
 * and from the data to the end of its page, is zeroed before i_size is raised.
 * Memory further beyond EOF is never visible.
 */

#include "famfs.h"

#include <linux/dax.h>
#include <linux/falloc.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/uio.h>

/**
 * famfs_zero_range() - zero a range of a file, also beyond EOF
 * @inode: the file
 * @start: first byte
 * @end: byte after the last one
 *
 * Context: i_rwsem is held for writing, and invalidate_lock.
 * Return: 0, -EIO if the range is not mapped, or another error.
 */
int famfs_zero_range(struct inode *inode, loff_t start, loff_t end)
{
	int err;

	lockdep_assert_held_write(&inode->i_rwsem);
	lockdep_assert_held(&inode->i_mapping->invalidate_lock);
	if (start >= end)
		return 0;
	err = dax_zero_range(inode, start, end - start, NULL,
			     &famfs_iomap_ops);
	/* As in famfs_rw_copy_locked(). */
	return err == -ENXIO ? -EIO : err;
}

/**
 * famfs_extend_prepare() - prepare a write beyond EOF
 * @rw: the write; truncated to the memory that there is
 * @map: the file's fmap, which lets it grow
 *
 * Context: i_rwsem is held for writing, and invalidate_lock.
 * Return: 0 or an error; if @rw->need is set nothing has been prepared.
 */
int famfs_extend_prepare(struct famfs_rw *rw, const struct famfs_map *map)
{
	struct inode *inode = file_inode(rw->iocb->ki_filp);
	loff_t pos = rw->iocb->ki_pos;

	lockdep_assert_held_write(&inode->i_rwsem);
	lockdep_assert_held(&inode->i_mapping->invalidate_lock);
	if (map->readonly)
		return -EROFS;
	if (pos + iov_iter_count(rw->iter) > map->mapped) {
		if (!rw->alloc_err) {
			rw->need = FAMFS_RW_MEMORY;
			return 0;
		}
		if (pos >= map->mapped)
			return rw->alloc_err;
		iov_iter_truncate(rw->iter, map->mapped - pos);
	}
	if (pos - i_size_read(inode) > FAMFS_ZERO_MAX) {
		rw->need = FAMFS_RW_ZEROS;
		return 0;
	}
	return famfs_zero_range(inode, i_size_read(inode), pos);
}

/**
 * famfs_extend_commit() - raise i_size after a write beyond EOF
 * @inode: the file
 * @size: its new size, more than the old one
 *
 * The size is dirty afterwards.
 *
 * Context: i_rwsem is held for writing, and invalidate_lock.
 */
void famfs_extend_commit(struct inode *inode, loff_t size)
{
	/* This does not fail: the same page has just been written. */
	famfs_zero_range(inode, size, PAGE_ALIGN(size));
	famfs_size_write(inode, size);
	mark_inode_dirty_sync(inode);
}

/**
 * famfs_mapped_len() - get the number of bytes that a file's fmap maps
 * @inode: an fmap inode
 * @mapped: set to the number
 *
 * Context: As famfs_map_lock().
 * Return: 0 or an error of famfs_map_lock().
 */
int famfs_mapped_len(struct inode *inode, u64 *mapped)
{
	const struct famfs_map *map = famfs_map_lock(inode);

	if (IS_ERR(map))
		return PTR_ERR(map);
	*mapped = map->mapped;
	famfs_map_unlock(inode);
	return 0;
}

static int famfs_request_alloc(struct fuse_file *ff, u64 start, u64 end)
{
	struct fuse_fallocate_in in = {
		.fh	= ff->fh,
		.offset	= start,
		.length	= end - start,
		.mode	= FALLOC_FL_KEEP_SIZE,
	};
	FUSE_ARGS(args);
	int err;

	if (ff->fm->fc->no_fallocate)
		return -EOPNOTSUPP;
	args.opcode = FUSE_FALLOCATE;
	args.nodeid = ff->nodeid;
	args.in_numargs = 1;
	args.in_args[0].size = sizeof(in);
	args.in_args[0].value = &in;
	err = fuse_simple_request(ff->fm, &args);
	if (err == -ENOSYS) {
		ff->fm->fc->no_fallocate = 1;
		err = -EOPNOTSUPP;
	}
	return err;
}

/* The server pushes the larger fmap before it replies, or it is fetched. */
static int famfs_try_alloc(struct inode *inode, struct fuse_file *ff,
			   u64 mapped, loff_t end)
{
	int alloc_err = famfs_request_alloc(ff, mapped, end);
	int err;

	err = famfs_mapped_len(inode, &mapped);
	if (err || mapped >= end)
		return err;
	err = alloc_err ?: famfs_fetch(inode, false);
	if (!err)
		err = famfs_mapped_len(inode, &mapped);
	if (err)
		return err;
	return mapped >= end ? 0 : -ENOSPC;
}

/*
 * -ENOSPC is not final if a concurrent truncate took the memory away.  Waits
 * for one that is in progress.
 */
static bool famfs_was_truncated(struct inode *inode, u64 mapped)
{
	u64 now;
	int err;

	if (inode_lock_shared_killable(inode))
		return false;
	err = famfs_mapped_len(inode, &now);
	inode_unlock_shared(inode);
	return !err && now < mapped;
}

/**
 * famfs_alloc() - request memory at the end of a file
 * @file: the file, open for writing
 * @end: bytes of the file to be mapped
 *
 * Context: No lock held that the server could need.  May wait for the server,
 * killably until it has read the request.
 * Return: 0, -ENOSPC if the server has mapped less, or its error.
 */
int famfs_alloc(struct file *file, loff_t end)
{
	struct inode *inode = file_inode(file);
	u64 mapped;
	int err;

	do {
		err = famfs_fetch_locked(inode) ?:
		      famfs_mapped_len(inode, &mapped);
		if (err || mapped >= end)
			return err;
		err = famfs_try_alloc(inode, file->private_data, mapped, end);
	} while (err == FAMFS_STALE ||
		 (err == -ENOSPC && famfs_was_truncated(inode, mapped)));
	return err;
}

/* truncate() by name has no open file, and FUSE_FALLOCATE needs one. */
static int famfs_alloc_unopened(struct inode *inode, u64 mapped, loff_t end)
{
	struct fuse_file *ff;
	int err;

	ff = fuse_file_open_write(get_fuse_mount(inode), get_node_id(inode));
	if (IS_ERR(ff))
		return PTR_ERR(ff);
	err = famfs_try_alloc(inode, ff, mapped, end);
	fuse_file_release(inode, ff, O_WRONLY, NULL, false);
	return err;
}

/**
 * famfs_alloc_locked() - request memory at the end of a locked file
 * @inode: an fmap inode
 * @file: an open file of it, or NULL
 * @end: bytes of the file to be mapped
 *
 * Context: i_rwsem is held for writing, so that the file does not shrink.  May
 * wait for the server, killably until it has read the request.
 * Return: as famfs_alloc(); -EPERM if the file may not grow any more.
 */
int famfs_alloc_locked(struct inode *inode, struct file *file, loff_t end)
{
	u64 mapped;
	int err;

	lockdep_assert_held_write(&inode->i_rwsem);
	do {
		/* i_rwsem is held, so FUSE_I_FMAP_LOCK cannot be taken. */
		err = famfs_can_resize(inode);
		if (err <= 0)
			return err ?: -EPERM;
		err = famfs_mapped_len(inode, &mapped);
		if (err || mapped >= end)
			return err;
		if (file)
			err = famfs_try_alloc(inode, file->private_data, mapped,
					      end);
		else
			err = famfs_alloc_unopened(inode, mapped, end);
	} while (err == FAMFS_STALE);
	return err;
}

/*
 * Move EOF towards @size.  Returns 0, 1 if the fmap is too short, or an error.
 */
static int famfs_extend_step(struct inode *inode, loff_t size)
{
	const struct famfs_map *map = famfs_map_lock(inode);
	loff_t old;
	int err = 0;

	if (IS_ERR(map))
		return PTR_ERR(map);
	old = i_size_read(inode);
	size = min(size, old + FAMFS_ZERO_MAX);
	if (!map->grow || size > map->mapped)
		err = 1;
	else if (old < size)
		err = famfs_zero_range(inode, old, size);
	/* Another fmap may have brought a larger size. */
	if (!err && old < size)
		famfs_extend_commit(inode, size);
	famfs_map_unlock(inode);
	return err;
}

/*
 * Move EOF to @size, zeroing up to there.  Returns 0, 1 if the fmap is too
 * short, or an error; then EOF may have moved in part.
 */
static int famfs_extend(struct inode *inode, loff_t size)
{
	int ret = 0;

	lockdep_assert_held_write(&inode->i_rwsem);
	while (!ret && i_size_read(inode) < size) {
		ret = famfs_extend_step(inode, size);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}
	return ret;
}

/* Move EOF to the start of a write. */
static int famfs_zero_gap(struct kiocb *iocb)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	int ret;

	inode_lock(inode);
	ret = famfs_extend(inode, iocb->ki_pos);
	inode_unlock(inode);
	return min(ret, 0);
}

/**
 * famfs_rw_provide() - get what a read or write needs to go on
 * @rw: the call
 *
 * Context: No locks held.
 * Return: 0 also if more memory is needed, -EAGAIN with IOCB_NOWAIT, -EINTR, an
 * error of famfs_fetch_locked() or of zeroing.
 */
int famfs_rw_provide(struct famfs_rw *rw)
{
	struct kiocb *iocb = rw->iocb;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	switch (rw->need) {
	case FAMFS_RW_MAP:
		return famfs_fetch_locked(file_inode(iocb->ki_filp));
	case FAMFS_RW_ZEROS:
		return famfs_zero_gap(iocb);
	case FAMFS_RW_MEMORY:
		rw->alloc_err = famfs_alloc(iocb->ki_filp, iocb->ki_pos +
					    iov_iter_count(rw->iter));
		return 0;
	case FAMFS_RW_LOCK:
	case FAMFS_RW_NOTHING:
		break;
	}
	return 0;
}

/* Returns 1 if memory is missing, as famfs_extend() does. */
static int famfs_fallocate_locked(struct file *file, int mode, loff_t end)
{
	struct inode *inode = file_inode(file);
	int ret;

	inode_lock(inode);
	ret = famfs_file_modified(file);
	if (!ret && !(mode & FALLOC_FL_KEEP_SIZE))
		ret = famfs_extend(inode, end);
	inode_unlock(inode);
	return ret;
}

/* RLIMIT_FSIZE limits the size, not the memory. */
static int famfs_fallocate_check_size(struct inode *inode, int mode, loff_t end)
{
	int err = 0;

	if (mode & FALLOC_FL_KEEP_SIZE)
		return 0;
	inode_lock_shared(inode);
	if (end > i_size_read(inode))
		err = inode_newsize_ok(inode, end);
	inode_unlock_shared(inode);
	return err;
}

/**
 * famfs_fallocate() - fallocate() of an fmap file
 * @file: the file
 * @mode: 0 or FALLOC_FL_KEEP_SIZE
 * @offset: first byte
 * @length: bytes
 *
 * Return: 0, -EOPNOTSUPP if the file may not grow or for other modes, or an
 * error of famfs_alloc().
 */
long famfs_fallocate(struct file *file, int mode, loff_t offset, loff_t length)
{
	struct inode *inode = file_inode(file);
	loff_t end = offset + length;
	int ret;

	if (mode & ~FALLOC_FL_KEEP_SIZE)
		return -EOPNOTSUPP;
	ret = famfs_fallocate_check_size(inode, mode, end);
	if (ret)
		return ret;
	/*
	 * A truncate may take the memory away before i_rwsem is taken; then ask
	 * again.
	 */
	do {
		ret = famfs_fetch_locked(inode) ?: famfs_can_resize(inode);
		if (ret <= 0)
			return ret ?: -EOPNOTSUPP;
		ret = famfs_alloc(file, end);
		if (!ret)
			ret = famfs_fallocate_locked(file, mode, end);
	} while (ret > 0);
	return ret;
}
