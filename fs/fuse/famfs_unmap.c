// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: taking pages of a file away from who has them mapped or pinned.
 *
 * A mapping is taken away at once.  A pin ends when who has it lets go, and who
 * may wait for that is a matter of the caller: the task that truncates a file
 * does, killably, and the server never does.
 */

#include "famfs.h"

#include <linux/dax.h>
#include <linux/memremap.h>
#include <linux/pagemap.h>

/* Dirty cache lines go to the memory that they belong to. */
static void famfs_drop_entries(struct inode *inode, const struct famfs_map *map,
			       u64 pos)
{
	struct dax_device *dax_dev = famfs_live_dax_dev(map);

	if (dax_dev)
		famfs_flush_cpu_cache(inode->i_mapping, dax_dev);
	dax_delete_mapping_range(inode->i_mapping, pos, LLONG_MAX);
}

/**
 * famfs_try_unmap() - take a file's mappings away
 * @inode: the file
 * @map: its map
 * @pos: from where on; a huge entry that goes on behind it goes whole
 *
 * The pages before @pos that share a huge page with it are unmapped as well,
 * for they may be mapped one by one, but their being pinned does not matter.
 *
 * Context: invalidate_lock is held for writing.
 * Return: NULL, or a page that is pinned.  Then nothing has changed but that
 * others have to fault again.
 */
struct page *famfs_try_unmap(struct inode *inode, const struct famfs_map *map,
			     u64 pos)
{
	struct address_space *mapping = inode->i_mapping;
	u64 huge = round_down(pos, PMD_SIZE);
	struct page *busy;

	lockdep_assert_held_write(&mapping->invalidate_lock);
	if (huge < pos)
		unmap_mapping_pages(mapping, huge >> PAGE_SHIFT,
				    (pos - huge) >> PAGE_SHIFT, false);
	busy = dax_layout_busy_page_range(mapping, pos, LLONG_MAX);
	if (!busy)
		famfs_drop_entries(inode, map, pos);
	return busy;
}

/**
 * famfs_wait_page_idle() - wait for a page of a file that somebody has pinned
 * @inode: the inode that famfs_try_unmap() was called for
 * @busy: the page that it returned
 *
 * The struct page does not go with its device meanwhile.
 *
 * Context: invalidate_lock is held for writing, and free afterwards.  Killable,
 * and for a while only: the caller unmaps the page and looks again.
 * Return: 0 or -EINTR.
 */
int famfs_wait_page_idle(struct inode *inode, struct page *busy)
{
	struct dev_pagemap *pgmap = get_dev_pagemap(page_to_pfn(busy));

	filemap_invalidate_unlock(inode->i_mapping);
	return famfs_pin_wait(busy, pgmap, TASK_KILLABLE);
}

/**
 * famfs_unmap_beyond() - take away what is mapped behind the end of a file
 * @inode: the file
 * @size: its new size
 *
 * That includes private copies: faults get SIGBUS there, and if the file grows
 * again it has zeros.
 *
 * Context: invalidate_lock is held for writing.
 */
void famfs_unmap_beyond(struct inode *inode, loff_t size)
{
	unmap_mapping_pages(inode->i_mapping, PAGE_ALIGN(size) >> PAGE_SHIFT, 0,
			    true);
}

/**
 * famfs_truncate_unmap() - make a file smaller, here
 * @inode: the file
 * @size: its new size
 *
 * Nothing is reached behind @size afterwards.
 *
 * Context: i_rwsem is held for writing, FUSE_I_SIZE_UNSTABLE is set.  Waits,
 * killably, for pages that are pinned behind @size.
 * Return: 0 or -EINTR; then nothing has changed.
 */
int famfs_truncate_unmap(struct inode *inode, loff_t size)
{
	const struct famfs_map *map;
	struct page *busy;
	int err;

	for (;;) {
		filemap_invalidate_lock(inode->i_mapping);
		map = famfs_inode_map(inode);
		busy = map ? famfs_try_unmap(inode, map, PAGE_ALIGN(size)) :
			     NULL;
		if (!busy)
			break;
		err = famfs_wait_page_idle(inode, busy);
		if (err)
			return err;
	}
	famfs_unmap_beyond(inode, size);
	famfs_size_write(inode, size);
	filemap_invalidate_unlock(inode->i_mapping);
	return 0;
}

/**
 * famfs_truncate_map() - cut a map down to what is left of its file
 * @inode: a mapped inode that has become smaller
 * @size: its size
 *
 * The server has, or may have, the memory behind that back, and could not be
 * asked for the map.  Pages that are still pinned stay claimed, so that they
 * become no other file's.
 *
 * Context: i_rwsem is held for writing.
 */
void famfs_truncate_map(struct inode *inode, loff_t size)
{
	struct famfs_conn *conn = get_fuse_conn(inode)->famfs;
	u64 end = PAGE_ALIGN(size);
	struct famfs_map *map;
	struct page *busy;

	lockdep_assert_held_write(&inode->i_rwsem);
	filemap_invalidate_lock(inode->i_mapping);
	map = get_fuse_inode(inode)->famfs_meta;
	if (map && end < map->mapped) {
		busy = famfs_try_unmap(inode, map, end);
		atomic_long_sub(famfs_map_shrink(map, end), &conn->nr_extents);
		if (!busy)
			famfs_claims_shrink(conn, map);
		famfs_seq_inc(inode);
	}
	famfs_size_write(inode, size);
	famfs_unmap_beyond(inode, size);
	filemap_invalidate_unlock(inode->i_mapping);
}
