// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes that are ordinary on a connection that may have mapped files.
 *
 * Such an inode can be given a map at any time, but not while somebody changes
 * its page cache, nor while it is open: who has it open reads and writes
 * through the page cache, and its mappings would stay what they are.
 */

#include "famfs.h"

#include <linux/pagemap.h>

/*
 * The root is never mapped, and no other inode is there before INIT has been
 * answered.  So for an inode the answer never changes, although fc->famfs does,
 * and only connections that may have maps pay for the lock.
 */
static bool famfs_may_have_fmap(struct inode *inode)
{
	return famfs_conn_of(get_fuse_conn(inode)) &&
	       get_node_id(inode) != FUSE_ROOT_ID;
}

/**
 * famfs_pagecache_lock() - start to change the page cache of an inode
 * @inode: an inode of any kind, not locked
 *
 * Keeps the inode from becoming mapped until famfs_pagecache_unlock().
 *
 * Return: false if the inode has no page cache, because it is mapped.
 */
bool famfs_pagecache_lock(struct inode *inode)
{
	if (!famfs_may_have_fmap(inode))
		return true;

	filemap_invalidate_lock_shared(inode->i_mapping);
	if (!fuse_is_famfs(inode))
		return true;
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return false;
}

/**
 * famfs_pagecache_unlock() - let an inode become mapped again
 * @inode: an inode for which famfs_pagecache_lock() returned true
 */
void famfs_pagecache_unlock(struct inode *inode)
{
	if (famfs_may_have_fmap(inode))
		filemap_invalidate_unlock_shared(inode->i_mapping);
}

/**
 * famfs_cached_open() - count an open file that is ordinary
 * @ff: the file
 * @inode: its inode
 *
 * The inode stays ordinary until famfs_cached_release().
 *
 * Return: false if the inode is not ordinary.
 */
bool famfs_cached_open(struct fuse_file *ff, struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	if (!famfs_may_have_fmap(inode))
		return true;
	if (!famfs_pagecache_lock(inode))
		return false;
	spin_lock(&fi->lock);
	fi->famfs_nr_cached++;
	spin_unlock(&fi->lock);
	ihold(inode);
	ff->famfs_inode = inode;
	famfs_pagecache_unlock(inode);
	return true;
}

/**
 * famfs_cached_release() - an open file is gone, and its last request
 * @ff: a file, whether ordinary or not
 */
void famfs_cached_release(struct fuse_file *ff)
{
	struct inode *inode = ff->famfs_inode;
	struct fuse_inode *fi;

	if (!inode)
		return;
	fi = get_fuse_inode(inode);
	spin_lock(&fi->lock);
	fi->famfs_nr_cached--;
	spin_unlock(&fi->lock);
	iput(inode);
}
