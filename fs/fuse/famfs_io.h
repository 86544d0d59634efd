/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mapped files: how reads and writes use a map that may change.
 *
 * Read and write use the map in I/O sections, which are counted.  In a section
 * the map stays what it is, as with invalidate_lock held, for less than that
 * takes.
 *
 * Sections and a change of the map meet in one atomic word, which both of them
 * write with full ordering.  Either the section is first: then the change sees
 * it counted and waits until it has ended, and with it all use of the old map.
 * Or the change is first: then the section sees the sign, and is none.
 */

#ifndef _FS_FUSE_FAMFS_IO_H
#define _FS_FUSE_FAMFS_IO_H

#include "famfs.h"

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/wait_bit.h>

/* Added while the map changes: it makes the count negative. */
#define FAMFS_IO_CHANGE		(-(1 << 30))

/**
 * famfs_io_end() - leave an I/O section
 * @inode: the mapped inode
 */
static inline void famfs_io_end(struct inode *inode)
{
	atomic_t *io = &get_fuse_inode(inode)->famfs_io;

	if (unlikely(atomic_dec_return(io) == FAMFS_IO_CHANGE))
		wake_up_var(io);
}

/**
 * famfs_io_begin() - enter an I/O section
 * @inode: a mapped inode
 *
 * Context: Nothing in the section waits for anybody or faults.
 * Return: false while the map is changing; famfs_io_wait() tells until when.
 */
static inline bool famfs_io_begin(struct inode *inode)
{
	atomic_t *io = &get_fuse_inode(inode)->famfs_io;

	if (likely(atomic_inc_return(io) > 0))
		return true;
	famfs_io_end(inode);
	return false;
}

/**
 * famfs_change_begin() - wait until nobody uses the map of a file
 * @inode: the file
 *
 * New I/O sections fail until famfs_change_end(), and those that there are wait
 * for nothing, so it does not take long.
 *
 * Context: invalidate_lock is held for writing.
 */
static inline void famfs_change_begin(struct inode *inode)
{
	atomic_t *io = &get_fuse_inode(inode)->famfs_io;

	atomic_add_return(FAMFS_IO_CHANGE, io);
	wait_var_event(io, atomic_read_acquire(io) == FAMFS_IO_CHANGE);
}

/**
 * famfs_change_end() - let the map be used again
 * @inode: the file, still locked
 *
 * Sections that begin after this see the new map.
 */
static inline void famfs_change_end(struct inode *inode)
{
	atomic_sub_return(FAMFS_IO_CHANGE, &get_fuse_inode(inode)->famfs_io);
}

/**
 * famfs_io_wait() - wait until the map of a file has changed
 * @inode: a mapped inode
 *
 * Context: Not in an I/O section.
 */
static inline void famfs_io_wait(struct inode *inode)
{
	filemap_invalidate_lock_shared(inode->i_mapping);
	filemap_invalidate_unlock_shared(inode->i_mapping);
}

#endif /* _FS_FUSE_FAMFS_IO_H */
