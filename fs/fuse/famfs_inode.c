// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: how an inode gets its map, keeps it and loses it.
 *
 * The map is fetched when a regular file is opened, before the server is sent
 * the open, or created.  Until then, and if the server says that the file has
 * none, the inode is an ordinary FUSE file.
 */

#include "famfs.h"
#include "famfs_trace.h"

#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

/*
 * Asks the server for the map.  NULL means that there is none: the file, or
 * with -ENOSYS every file, is ordinary.
 */
static struct famfs_map *famfs_map_fetch(struct fuse_mount *fm, u64 nodeid)
{
	struct famfs_fault fault = {};
	struct famfs_map *map;
	FUSE_ARGS(args);
	ssize_t size;

	args.opcode = FUSE_GET_FMAP;
	args.nodeid = nodeid;
	args.out_numargs = 1;
	args.out_argvar = true;
	args.out_alloc = true;
	args.out_args[0].size = FUSE_FMAP_MAX_SIZE;

	size = fuse_simple_request(fm, &args);
	if (size == -ENOSYS) {
		fm->fc->dax_fmap = 0;
		size = 0;
	}
	if (size > 0) {
		map = famfs_map_parse(args.out_args[0].value, size, &fault);
		if (fault.why)
			pr_debug("fmap of node %llu refused at byte %zu: %s\n",
				 nodeid, fault.pos, fault.why);
	} else {
		map = ERR_PTR(size);
	}
	kvfree(args.out_args[0].value);
	return map;
}

static int famfs_check_alive(const struct famfs_range *range, void *data)
{
	struct famfs_daxdev **devs = data;

	return READ_ONCE(devs[range->dev]->dead) ? -EIO : 0;
}

/*
 * An inode that was ordinary so far may have page cache, from NOTIFY_STORE for
 * one.  It goes before the first DAX entry comes.  Mappings of the page cache
 * would stay what they are, so there must be none.
 */
static int famfs_drop_cache(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	if (mapping_mapped(mapping))
		return -EBUSY;
	truncate_inode_pages(mapping, 0);
	return 0;
}

static void famfs_publish(struct inode *inode, struct famfs_map *map)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	inode->i_data.a_ops = &famfs_aops;

	/* Attributes from the server change i_flags under this lock alone. */
	spin_lock(&fi->lock);
	fi->attr_version = atomic64_inc_return(&get_fuse_conn(inode)->attr_version);
	i_size_write(inode, map->file_size);
	inode->i_flags |= S_DAX;
	/* Times move here, not at the server, which sees no write. */
	inode->i_flags &= ~S_NOCMTIME;
	spin_unlock(&fi->lock);

	/* Pairs with famfs_is_mapped(). */
	smp_store_release(&fi->famfs_meta, map);
}

static int famfs_install(struct inode *inode, struct famfs_map *map)
{
	struct famfs_conn *conn = get_fuse_conn(inode)->famfs;
	struct address_space *mapping = inode->i_mapping;
	int err;

	err = famfs_claim(conn, inode, map);
	if (err)
		return err;

	inode_lock(inode);
	/* May ask the server, so without the lock that faults take. */
	err = filemap_write_and_wait(mapping);
	filemap_invalidate_lock(mapping);
	/* Pairs with famfs_try_revoke(), which looks for a map with the lock. */
	if (!err)
		err = famfs_map_walk(map, famfs_check_alive, map->devs);
	if (!err)
		err = famfs_drop_cache(inode);
	if (!err)
		famfs_publish(inode, map);
	filemap_invalidate_unlock(mapping);
	inode_unlock(inode);

	if (err) {
		famfs_unclaim(conn, map, NULL);
		return err;
	}
	atomic_long_inc(&conn->nr_maps);
	atomic_long_add(map->nr_extents + map->nr_strips, &conn->nr_extents);
	return 0;
}

/* The caller is the only one who fetches for this inode. */
static int famfs_fetch(struct inode *inode)
{
	struct fuse_mount *fm = get_fuse_mount(inode);
	struct fuse_inode *fi = get_fuse_inode(inode);
	struct famfs_map *map;
	int err;

	map = famfs_map_fetch(fm, fi->nodeid);
	if (IS_ERR(map)) {
		trace_famfs_install(inode, NULL, PTR_ERR(map));
		return PTR_ERR(map);
	}
	if (!map) {
		set_bit(FUSE_I_NO_FMAP, &fi->state);
		return 0;
	}

	err = famfs_devs_get(fm, map);
	if (!err)
		err = famfs_install(inode, map);
	trace_famfs_install(inode, map, err);
	if (err)
		famfs_map_free(map);
	return err;
}

static bool famfs_is_mapped(struct inode *inode)
{
	/* Pairs with famfs_publish(). */
	return smp_load_acquire(&get_fuse_inode(inode)->famfs_meta);
}

static bool famfs_must_fetch(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	/* The root can be open before the server has agreed to anything. */
	return get_fuse_conn(inode)->dax_fmap && S_ISREG(inode->i_mode) &&
	       fi->nodeid != FUSE_ROOT_ID && !famfs_is_mapped(inode) &&
	       !test_bit(FUSE_I_NO_FMAP, &fi->state);
}

/* One opener asks, the others wait for what it gets. */
static int famfs_fetch_once(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err;

	if (!famfs_must_fetch(inode))
		return 0;
	if (wait_on_bit_lock(&fi->state, FUSE_I_FMAP_FETCH, TASK_KILLABLE))
		return -EINTR;
	err = famfs_must_fetch(inode) ? famfs_fetch(inode) : 0;
	clear_and_wake_up_bit(FUSE_I_FMAP_FETCH, &fi->state);
	return err;
}

/**
 * famfs_open() - get the map of a file that is being opened
 * @inode: the inode
 * @file: the file, of which the server does not know yet
 *
 * Context: No locks held.  May wait for the server, killably until it has
 * read the request.
 * Return: 0 also where the file has no map, -EPERM where opening would
 * truncate, -EINTR, an error of the server, of the map or of a device.
 */
int famfs_open(struct inode *inode, struct file *file)
{
	int err;

	err = famfs_fetch_once(inode);
	if (err || !fuse_is_famfs(inode))
		return err;
	if ((file->f_flags & O_TRUNC) && i_size_read(inode))
		return -EPERM;
	return 0;
}

/**
 * famfs_created() - get the map of a file that has just been created
 * @inode: the inode
 * @file: the file, which the server has open
 *
 * Nothing is truncated when the file is new.  Where it was there before, the
 * server may not have known that it must not be.
 *
 * Context: The directory is locked.  May wait for the server, killably until
 * it has read the request.
 * Return: as famfs_open().
 */
int famfs_created(struct inode *inode, struct file *file)
{
	if (fuse_is_famfs(inode))
		return famfs_open(inode, file);
	return famfs_fetch_once(inode);
}

/**
 * famfs_evict() - take the map from an inode
 * @inode: an inode of any kind that nobody uses, its DAX entries gone
 */
void famfs_evict(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	struct famfs_map *map = fi->famfs_meta;
	struct famfs_conn *conn;

	if (!map)
		return;
	conn = get_fuse_conn(inode)->famfs;
	WRITE_ONCE(fi->famfs_meta, NULL);
	famfs_unclaim(conn, map, NULL);
	atomic_long_dec(&conn->nr_maps);
	atomic_long_sub(map->nr_extents + map->nr_strips, &conn->nr_extents);
	famfs_map_free(map);
}
