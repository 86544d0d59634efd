// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: files that grow.
 *
 * Where the server allows it a write goes on past the end of the file, into
 * memory that the map has already or that the server is asked for.  The size
 * moves here and the server is told later.
 *
 * The memory comes with whatever it held before.  So what lies between the old
 * end and the data, and between the data and the end of its page, is zeroed
 * before the size lets anyone see it.  Memory further behind the end is never
 * seen.
 */

#include "famfs.h"

#include <linux/dax.h>
#include <linux/falloc.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/uio.h>

/* What is zeroed at once; others may want the map meanwhile. */
#define FAMFS_ZERO_MAX		SZ_16M

/**
 * famfs_zero() - zero a part of a file, also past its end
 * @inode: the file
 * @start: first byte
 * @end: byte after the last one
 *
 * Context: i_rwsem is held for writing, in an I/O section or with
 * invalidate_lock held.
 * Return: 0, -EIO where nothing is mapped, or another error.
 */
int famfs_zero(struct inode *inode, loff_t start, loff_t end)
{
	if (start >= end)
		return 0;
	return dax_zero_range(inode, start, end - start, NULL,
			      &famfs_iomap_ops);
}

/**
 * famfs_extend_begin() - prepare a write past the end of a file
 * @iocb: the write
 * @from: what to write; cut down to what there is room for
 * @map: the file's map, which lets it grow
 * @grown: 0, or why the server has not given more memory
 *
 * Context: i_rwsem is held for writing, in an I/O section or with
 * invalidate_lock held.
 * Return: 0, -ETOOSMALL where the server is to be asked for memory, -EJUKEBOX
 * where famfs_fill_gap() is due, @grown where there is no room, or another
 * error.
 */
int famfs_extend_begin(struct kiocb *iocb, struct iov_iter *from,
		       const struct famfs_map *map, int grown)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t end = iocb->ki_pos + iov_iter_count(from);

	if (map->readonly)
		return -EROFS;
	if (end > map->mapped) {
		if (!grown)
			return -ETOOSMALL;
		if (iocb->ki_pos >= map->mapped)
			return grown;
		iov_iter_truncate(from, map->mapped - iocb->ki_pos);
	}
	if (iocb->ki_pos - i_size_read(inode) > FAMFS_ZERO_MAX)
		return -EJUKEBOX;
	return famfs_zero(inode, i_size_read(inode), iocb->ki_pos);
}

/**
 * famfs_extend_end() - let what has been written past the end be seen
 * @inode: the file
 * @size: its new size, more than the old one
 *
 * The server will be told, unless truncate() has.
 *
 * Context: i_rwsem is held for writing, in an I/O section or with
 * invalidate_lock held.
 */
void famfs_extend_end(struct inode *inode, loff_t size)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	bool tells;

	/* The same page has just been written, so this does not fail. */
	famfs_zero(inode, size, PAGE_ALIGN(size));
	spin_lock(&fi->lock);
	fi->attr_version = atomic64_inc_return(&get_fuse_conn(inode)->attr_version);
	i_size_write(inode, size);
	tells = !test_bit(FUSE_I_SIZE_UNSTABLE, &fi->state);
	if (tells)
		set_bit(FUSE_I_FMAP_SIZE, &fi->state);
	spin_unlock(&fi->lock);
	if (tells)
		mark_inode_dirty_sync(inode);
}

/**
 * famfs_mapped() - how far is a file mapped?
 * @inode: a mapped inode
 *
 * Return: bytes, 0 where it has no map.
 */
u64 famfs_mapped(struct inode *inode)
{
	const struct famfs_map *map;
	u64 mapped;

	filemap_invalidate_lock_shared(inode->i_mapping);
	map = famfs_inode_map(inode);
	mapped = map ? map->mapped : 0;
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return mapped;
}

static int famfs_ask_memory(struct file *file, u64 start, u64 end)
{
	struct fuse_file *ff = file->private_data;
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

static int famfs_grow_once(struct file *file, loff_t end)
{
	struct inode *inode = file_inode(file);
	u64 mapped;
	int err;

	err = famfs_fetch_once(inode);
	if (err)
		return err;
	mapped = famfs_mapped(inode);
	if (mapped >= end)
		return 0;
	err = famfs_ask_memory(file, mapped, end);
	if (famfs_mapped(inode) >= end)
		return 0;
	if (!err)
		err = famfs_fetch(inode);
	if (err)
		return err;
	return famfs_mapped(inode) >= end ? 0 : -ENOSPC;
}

/* Has truncate() been at it?  Where it still is, this waits for it. */
static bool famfs_resized(struct inode *inode, u32 told)
{
	bool resized;

	inode_lock_shared(inode);
	resized = famfs_asked(inode).told != told;
	inode_unlock_shared(inode);
	return resized;
}

/**
 * famfs_grow() - ask the server for memory at the end of a file
 * @file: the file, open for writing
 * @end: how far the file is to be mapped
 *
 * The server has mapped the memory by the time it replies, or is asked for the
 * map again.
 *
 * Context: No lock held that the server could need.
 * Return: 0, -ENOSPC where the server has not mapped as much, or its error.
 */
int famfs_grow(struct file *file, loff_t end)
{
	struct inode *inode = file_inode(file);
	u32 told;
	int err;

	/* What truncate() takes away is not what there is no room for. */
	do {
		told = famfs_asked(inode).told;
		err = famfs_grow_once(file, end);
	} while (err == -EOPENSTALE ||
		 (err == -ENOSPC && famfs_resized(inode, told)));
	return err;
}

/* Moves the end of the file towards @size. */
static int famfs_extend_some(struct inode *inode, loff_t size)
{
	const struct famfs_map *map;
	loff_t old;
	int err = 0;

	filemap_invalidate_lock_shared(inode->i_mapping);
	map = famfs_inode_map(inode);
	old = i_size_read(inode);
	size = min(size, old + FAMFS_ZERO_MAX);
	if (!map || !map->grow || size > map->mapped)
		err = -ENOSPC;
	else
		err = famfs_zero(inode, old, size);
	if (!err)
		famfs_extend_end(inode, size);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return err;
}

/**
 * famfs_extend() - move the end of a file, with zeros behind the old one
 * @inode: a mapped inode
 * @size: the new size; one that is not larger than the old one does nothing
 *
 * Context: i_rwsem is held for writing.
 * Return: 0, -ENOSPC where the map does not reach as far, -EINTR, or another
 * error.  After errors the file may have grown by a part.
 */
int famfs_extend(struct inode *inode, loff_t size)
{
	int err = 0;

	while (!err && i_size_read(inode) < size) {
		err = famfs_extend_some(inode, size);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

/**
 * famfs_fill_gap() - move the end of a file to where a write begins
 * @iocb: the write
 *
 * Context: No locks held.
 * Return: 0, also where the gap is gone, -EAGAIN, or an error of
 * famfs_extend().
 */
int famfs_fill_gap(struct kiocb *iocb)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	int err;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	inode_lock(inode);
	err = famfs_extend(inode, iocb->ki_pos);
	inode_unlock(inode);
	/* The server has to be asked for more. */
	return err == -ENOSPC ? 0 : err;
}

/**
 * famfs_fallocate() - fallocate() of a mapped file
 * @file: the file
 * @mode: 0 or FALLOC_FL_KEEP_SIZE
 * @offset: first byte
 * @length: bytes
 *
 * Return: 0, -EOPNOTSUPP where the file does not grow or for other modes, or an
 * error of famfs_grow().
 */
long famfs_fallocate(struct file *file, int mode, loff_t offset, loff_t length)
{
	struct inode *inode = file_inode(file);
	loff_t end = offset + length;
	int err;

	err = famfs_fetch_once(inode);
	if (err)
		return err;
	if ((mode & ~FALLOC_FL_KEEP_SIZE) || !famfs_may_grow(inode))
		return -EOPNOTSUPP;
	err = inode_newsize_ok(inode, end);
	if (!err)
		err = famfs_grow(file, end);
	if (err)
		return err;

	inode_lock(inode);
	err = file_modified(file);
	if (!err && !(mode & FALLOC_FL_KEEP_SIZE))
		err = famfs_extend(inode, end);
	inode_unlock(inode);
	return err;
}

/**
 * famfs_tell_size() - tell the server a size that has moved here
 * @inode: an inode of any kind
 * @size: set to the size
 *
 * Return: FATTR_SIZE, or 0 if there is nothing to tell, or truncate() is about
 * to tell another size.
 */
u32 famfs_tell_size(struct inode *inode, u64 *size)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	guard(spinlock)(&fi->lock);
	if (!test_bit(FUSE_I_FMAP_SIZE, &fi->state) ||
	    test_bit(FUSE_I_SIZE_UNSTABLE, &fi->state))
		return 0;
	*size = i_size_read(inode);
	return FATTR_SIZE;
}

/**
 * famfs_told_size() - the server has replied
 * @inode: an inode of any kind
 * @valid: FATTR_* bits of the request
 * @size: what it said
 * @err: the server's error
 */
void famfs_told_size(struct inode *inode, u32 valid, u64 size, int err)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	if (err || !(valid & FATTR_SIZE))
		return;
	guard(spinlock)(&fi->lock);
	fi->famfs_told++;
	if (i_size_read(inode) == size)
		clear_bit(FUSE_I_FMAP_SIZE, &fi->state);
}
