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

struct famfs_alive {
	struct famfs_daxdev **devs;
	struct famfs_daxdev *dev;
};

static int famfs_find_alive(const struct famfs_range *range, void *data)
{
	struct famfs_alive *alive = data;

	alive->dev = alive->devs[range->dev];
	return !READ_ONCE(alive->dev->dead);
}

/**
 * famfs_map_alive() - a device that can write a map's dirty lines back
 * @map: the map
 *
 * One device that is alive stands for all: they have one driver.  What was on
 * dead ones has been written back before it was forgotten.
 *
 * Return: the device, or NULL if all are gone.
 */
struct dax_device *famfs_map_alive(const struct famfs_map *map)
{
	struct famfs_alive alive = { .devs = map->devs };

	if (!famfs_map_walk(map, famfs_find_alive, &alive))
		return NULL;
	return alive.dev->dax_dev;
}

static int famfs_writepages(struct address_space *mapping,
			    struct writeback_control *wbc)
{
	const struct famfs_map *map;
	struct dax_device *dax_dev;
	int err = 0;

	filemap_invalidate_lock_shared(mapping);
	map = famfs_inode_map(mapping->host);
	dax_dev = map ? famfs_map_alive(map) : NULL;
	if (dax_dev)
		err = dax_writeback_mapping_range(mapping, dax_dev, wbc);
	filemap_invalidate_unlock_shared(mapping);
	return err;
}

/**
 * famfs_flush() - write back what is dirty in a mapped file
 * @mapping: the file's mapping, with invalidate_lock held
 * @dax_dev: a device that is alive
 */
void famfs_flush(struct address_space *mapping, struct dax_device *dax_dev)
{
	struct writeback_control wbc = {
		.sync_mode	= WB_SYNC_ALL,
		.nr_to_write	= LONG_MAX,
		.range_end	= LLONG_MAX,
	};

	dax_writeback_mapping_range(mapping, dax_dev, &wbc);
}

/**
 * famfs_fsync() - fsync of a mapped file
 * @file: the file
 * @start: first byte
 * @end: last byte
 * @datasync: whether the server may leave metadata out
 *
 * Takes no lock of the inode while the server is asked, so that others go on
 * reading and writing if it does not answer.
 *
 * Return: 0 or an error.
 */
int famfs_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	struct fuse_conn *fc = get_fuse_conn(inode);
	loff_t size = i_size_read(inode);
	int err, wb_err;

	err = file_write_and_wait_range(file, start, end);
	if (!err)
		err = sync_inode_metadata(inode, 1);
	if (!err)
		err = famfs_size_flush(inode, size);
	if (err || fc->no_fsync)
		goto out;

	err = fuse_fsync_common(file, start, end, datasync, FUSE_FSYNC);
	if (err == -ENOSYS) {
		fc->no_fsync = 1;
		err = 0;
	}
out:
	/* What this returns need not be reported to @file once more. */
	wb_err = file_check_and_advance_wb_err(file);
	return err ?: wb_err;
}

/**
 * famfs_file_flush() - see to it that what was written is told, at close()
 * @file: a file of any kind
 *
 * Context: As famfs_size_flush().
 * Return: as famfs_size_flush(), or the error of bytes lost or refused that
 * fsync() of this file has not returned.
 */
int famfs_file_flush(struct file *file)
{
	struct inode *inode = file_inode(file);
	int err = famfs_size_flush(inode, i_size_read(inode));

	if (err || !fuse_is_famfs(inode))
		return err;
	return filemap_check_wb_err(inode->i_mapping, file->f_wb_err);
}

const struct address_space_operations famfs_aops = {
	.writepages	= famfs_writepages,
	.direct_IO	= noop_direct_IO,
	.dirty_folio	= noop_dirty_folio,
};

static bool famfs_is_dirty(struct inode *inode)
{
	return fuse_is_famfs(inode) &&
	       mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY);
}

/*
 * The lock of the list can be dropped only where an inode keeps the place.  One
 * that has pages cached does not serve: dropping the last reference to it could
 * wait for the server.
 */
static bool famfs_sync_stops(struct inode *inode)
{
	return famfs_is_dirty(inode) ||
	       (need_resched() && (fuse_is_famfs(inode) ||
				   mapping_empty(inode->i_mapping)));
}

/**
 * famfs_sync_fs() - write back what is dirty in a superblock's mapped files
 * @sb: a superblock whose server has agreed to maps
 *
 * sync() leaves FUSE's inodes alone, since writing them could wait for the
 * server for ever.  This waits neither for the server nor for pinned pages.
 */
void famfs_sync_fs(struct super_block *sb)
{
	struct famfs_conn *conn = get_fuse_conn_super(sb)->famfs;
	struct inode *inode, *prev = NULL;

	if (!atomic_long_read(&conn->nr_maps))
		return;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		if (!famfs_sync_stops(inode) || !igrab(inode))
			continue;
		spin_unlock(&sb->s_inode_list_lock);

		/* The reference keeps @inode on the list. */
		iput(prev);
		prev = inode;
		if (famfs_is_dirty(inode))
			filemap_write_and_wait(inode->i_mapping);
		cond_resched();
		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(prev);
}
