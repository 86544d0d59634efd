// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: writing CPU caches back.
 *
 * What is stored through a mapping sits in the caches of this host.  Other
 * hosts may share the memory without seeing those, so whatever promises that
 * data is safe writes the dirty lines back.  write() goes past the caches.
 */

#include "famfs.h"

#include <linux/dax.h>
#include <linux/pagemap.h>
#include <linux/writeback.h>

/* Any device of the map stands for all: they share one driver. */
static int famfs_writepages(struct address_space *mapping,
			    struct writeback_control *wbc)
{
	const struct famfs_map *map;
	struct famfs_range range;
	int err = 0;

	filemap_invalidate_lock_shared(mapping);
	map = famfs_inode_map(mapping->host);
	if (map) {
		famfs_map_resolve(map, 0, &range);
		err = dax_writeback_mapping_range(mapping,
						  map->devs[range.dev]->dax_dev,
						  wbc);
	}
	filemap_invalidate_unlock_shared(mapping);
	return err;
}

const struct address_space_operations famfs_aops = {
	.writepages	= famfs_writepages,
	.direct_IO	= noop_direct_IO,
	.dirty_folio	= noop_dirty_folio,
};

/* A reference to a mapped file that may be dirty, or NULL. */
static struct inode *famfs_grab_dirty(struct inode *inode)
{
	if (!fuse_is_famfs(inode) ||
	    !mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY))
		return NULL;
	return igrab(inode);
}

/**
 * famfs_sync_fs() - write back what is dirty in a superblock's mapped files
 * @sb: a FUSE superblock
 *
 * sync() leaves FUSE's inodes alone, since writing them could wait for the
 * server for ever.  This waits for nobody.
 */
void famfs_sync_fs(struct super_block *sb)
{
	struct inode *inode, *prev = NULL;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		if (!famfs_grab_dirty(inode))
			continue;
		spin_unlock(&sb->s_inode_list_lock);

		/* Holding @inode keeps the place in the list. */
		iput(prev);
		prev = inode;
		filemap_write_and_wait(inode->i_mapping);
		cond_resched();
		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(prev);
}
