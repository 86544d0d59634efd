// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: how the server is asked for the map of a file.
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

static struct famfs_map *famfs_map_read(struct inode *inode, const void *msg,
					size_t size)
{
	struct famfs_parse_error fault = {};
	struct famfs_map *map;

	map = famfs_map_parse(msg, size, &fault);
	if (fault.why)
		pr_debug("fmap of node %llu refused at byte %zu: %s\n",
			 get_fuse_inode(inode)->nodeid, fault.pos, fault.why);
	if (IS_ERR(map))
		trace_famfs_install(inode, NULL, PTR_ERR(map));
	return map;
}

/**
 * famfs_fmap_snapshot() - take note before the server is asked for a map
 * @inode: a regular file
 *
 * Return: what the reply is to be taken with.
 */
struct famfs_fmap_snap famfs_fmap_snapshot(struct inode *inode)
{
	const struct fuse_inode *fi = get_fuse_inode(inode);

	return (struct famfs_fmap_snap) {
		.seq	= READ_ONCE(fi->famfs_seq),
		.size	= READ_ONCE(fi->famfs_server_size),
	};
}

/* What a reply says does not count any more, be it right or wrong. */
static bool famfs_overtaken(struct inode *inode,
			    const struct famfs_fmap_snap *asked)
{
	return asked && asked->seq != READ_ONCE(get_fuse_inode(inode)->famfs_seq);
}

/* An inode that has been mapped once cannot be served any other way. */
static int famfs_take_nothing(struct inode *inode, u32 seq)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err = 0;

	filemap_invalidate_lock_shared(inode->i_mapping);
	if (seq != fi->famfs_seq)
		err = FAMFS_OVERTAKEN;
	else if (fuse_is_famfs(inode))
		err = -EIO;
	else
		set_bit(FUSE_I_NO_FMAP, &fi->state);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return err;
}

/**
 * famfs_take() - give an inode the map that the server has sent
 * @inode: a regular file
 * @msg: the message
 * @size: its length in bytes; a reply may be empty
 * @asked: as for famfs_install(); a reply may bring up questions about devices
 *
 * Context: As famfs_install().
 * Return: 0, FAMFS_OVERTAKEN, FAMFS_IN_USE, an error of the map or of a device,
 * -EIO for an empty reply about a mapped inode.
 */
int famfs_take(struct inode *inode, const void *msg, size_t size,
	       const struct famfs_fmap_snap *asked)
{
	struct famfs_map *map;
	int err;

	if (!size && asked)
		return famfs_take_nothing(inode, asked->seq);
	/* The server is not asked about devices of a map that is void. */
	if (famfs_overtaken(inode, asked))
		return FAMFS_OVERTAKEN;
	map = famfs_map_read(inode, msg, size);
	if (IS_ERR(map))
		return PTR_ERR(map);
	err = famfs_map_use_devs(get_fuse_mount(inode), map, asked);
	if (!err)
		err = famfs_install(inode, map, asked);
	if (err)
		famfs_map_put(get_fuse_conn(inode)->famfs, map);
	/* Nor does it matter what is wrong with it. */
	if (err < 0 && err != -EINTR && famfs_overtaken(inode, asked))
		return FAMFS_OVERTAKEN;
	return err;
}

static int famfs_fetch_reply(struct inode *inode,
			     const struct famfs_fmap_snap *asked)
{
	const struct fuse_get_fmap_in in = {
		.length	= ~0ULL,
		.size	= FAMFS_REPLY_MAX,
	};
	struct fuse_mount *fm = get_fuse_mount(inode);
	FUSE_ARGS(args);
	ssize_t size;
	int err;

	args.opcode = FUSE_GET_FMAP;
	args.nodeid = get_node_id(inode);
	args.in_numargs = 1;
	args.in_args[0].size = sizeof(in);
	args.in_args[0].value = &in;
	args.out_numargs = 1;
	args.out_argvar = true;
	args.out_alloc = true;
	args.out_args[0].size = in.size;

	size = fuse_simple_request(fm, &args);
	if (size == -ENOSYS) {
		fm->fc->dax_fmap = 0;
		err = fuse_is_famfs(inode) ? -EIO : 0;
	} else if (size < 0) {
		if (!famfs_unanswered(size))
			famfs_staged_drop(inode);
		err = size;
	} else {
		err = famfs_take_reply(inode, args.out_args[0].value, size,
				       asked);
	}
	kvfree(args.out_args[0].value);
	return err;
}

static int famfs_fetch_as(struct inode *inode, bool locked)
{
	struct famfs_fmap_snap asked;
	int err = 0;

	/* An error of the server's is an answer. */
	if (!famfs_inode_map(inode))
		err = famfs_size_flush(inode, i_size_read(inode));
	if (famfs_unanswered(err))
		return err;
	asked = famfs_fmap_snapshot(inode);
	asked.locked = locked;
	return famfs_fetch_reply(inode, &asked);
}

/**
 * famfs_fetch() - ask the server for the map of an inode
 * @inode: a regular file
 *
 * A size that the server does not know is told first where the map is gone:
 * nothing else says then how much of the next one has the file's bytes.
 *
 * Context: No lock held that the server could need; i_rwsem only if the inode
 * is mapped.
 * Return: 0 also where the file has no map, FAMFS_OVERTAKEN where the inode has
 * been given a map or lost it meanwhile, -EINTR, an error of the server, of the
 * map or of a device.
 */
int famfs_fetch(struct inode *inode)
{
	return famfs_fetch_as(inode, false);
}

static bool famfs_is_mapped(struct inode *inode)
{
	/* Pairs with famfs_publish(). */
	return smp_load_acquire(&get_fuse_inode(inode)->famfs_meta);
}

/**
 * famfs_must_fetch() - has the server to be asked for a map?
 * @inode: an inode of any kind
 *
 * Return: true if nothing is known about the file.
 */
bool famfs_must_fetch(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	/* The root can be open before the server has agreed to anything. */
	return get_fuse_conn(inode)->dax_fmap && S_ISREG(inode->i_mode) &&
	       fi->nodeid != FUSE_ROOT_ID && !famfs_is_mapped(inode) &&
	       !test_bit(FUSE_I_NO_FMAP, &fi->state);
}

/* A mapped file whose server has said that there are no maps. */
static int famfs_check_lost(struct inode *inode)
{
	if (likely(get_fuse_conn(inode)->dax_fmap) || !fuse_is_famfs(inode) ||
	    famfs_is_mapped(inode))
		return 0;
	return -EIO;
}

/* An error counts no more than a map does where a push has overtaken it. */
static int famfs_fetch_known_as(struct inode *inode, bool locked)
{
	int err = 0;

	while (!err && famfs_must_fetch(inode)) {
		err = famfs_fetch_as(inode, locked);
		if (err == FAMFS_OVERTAKEN ||
		    (err < 0 && !famfs_unanswered(err) &&
		     famfs_is_mapped(inode)))
			err = 0;
	}
	return err;
}

/**
 * famfs_fetch_known() - ask the server until the map of an inode is known
 * @inode: an inode of any kind
 *
 * What the server pushes meanwhile counts more than its reply.
 *
 * Context: As famfs_fetch().
 * Return: As famfs_fetch(), but not FAMFS_OVERTAKEN; -EIO for a mapped file that
 * has lost its map for good.
 */
int famfs_fetch_known(struct inode *inode)
{
	int err = famfs_fetch_known_as(inode, false);

	if (err == FAMFS_IN_USE)
		return -EBUSY;
	return err ?: famfs_check_lost(inode);
}

/**
 * famfs_fetch_truncate() - get the map of a file before it is truncated
 * @inode: an inode of any kind
 * @attr: the change
 *
 * The file need not be open, but the order in which it is truncated depends on
 * whether it is mapped.  One that others have open without a map has none.
 *
 * Context: i_rwsem is held for writing.  May wait for the server, killably
 * until it has read the request.
 * Return: 0 also where the file has no map, or an error of famfs_fetch().
 */
int famfs_fetch_truncate(struct inode *inode, const struct iattr *attr)
{
	int err;

	if (!(attr->ia_valid & ATTR_SIZE) || fuse_is_famfs(inode))
		return 0;
	/* Not with FUSE_I_FMAP_FETCH: i_rwsem is held. */
	err = famfs_fetch_known_as(inode, true);
	return err == FAMFS_IN_USE ? 0 : err;
}

/**
 * famfs_fetch_once() - see to it that the map of an inode is known
 * @inode: an inode of any kind
 *
 * One task asks, the others wait for what it gets.
 *
 * Context: No lock held that the server could need.
 * Return: 0 also where the file has no map, -EINTR, -EIO for a mapped file
 * that has lost its map for good, an error of the server, of the map or of a
 * device.
 */
int famfs_fetch_once(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err;

	if (!famfs_must_fetch(inode))
		return famfs_check_lost(inode);
	if (wait_on_bit_lock(&fi->state, FUSE_I_FMAP_FETCH, TASK_KILLABLE))
		return -EINTR;
	err = famfs_fetch_known(inode);
	clear_and_wake_up_bit(FUSE_I_FMAP_FETCH, &fi->state);
	return err;
}

/**
 * famfs_map_lock() - keep the map of a file from changing
 * @inode: a mapped inode
 *
 * Where the server has taken the map away it is asked again, so nobody else has
 * to judge what a missing map means.
 *
 * Context: No lock held that the server could need but i_rwsem; mmap_lock may
 * be.  May wait for the server, killably until it has read the request.
 * Return: the map, with invalidate_lock held for reading until
 * famfs_map_unlock(), or an error of famfs_fetch_known(), -EIO for a mapped
 * file that has lost its map for good.
 */
const struct famfs_map *famfs_map_lock(struct inode *inode)
{
	const struct famfs_map *map;
	int err;

	for (;;) {
		filemap_invalidate_lock_shared(inode->i_mapping);
		map = famfs_inode_map(inode);
		if (map)
			return map;
		filemap_invalidate_unlock_shared(inode->i_mapping);

		err = famfs_fetch_known(inode);
		if (err)
			return ERR_PTR(err);
	}
}

/**
 * famfs_map_unlock() - let the map of a file change again
 * @inode: an inode for which famfs_map_lock() returned a map
 */
void famfs_map_unlock(struct inode *inode)
{
	filemap_invalidate_unlock_shared(inode->i_mapping);
}

/**
 * famfs_can_resize() - does the server let a file grow and shrink?
 * @inode: a mapped inode
 *
 * Context: As famfs_map_lock().
 * Return: 1 if it does, 0 if not, or an error of famfs_map_lock().
 */
int famfs_can_resize(struct inode *inode)
{
	const struct famfs_map *map = famfs_map_lock(inode);
	int resizes;

	if (IS_ERR(map))
		return PTR_ERR(map);
	resizes = map->grow && !map->readonly;
	famfs_map_unlock(inode);
	return resizes;
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
	if (!(file->f_flags & O_TRUNC) || !i_size_read(inode))
		return 0;
	err = famfs_can_resize(inode);
	return err > 0 ? 0 : err ?: -EPERM;
}

/**
 * famfs_fetch_shrunk() - get the map of a file that the server has made smaller
 * @inode: the file, cut already
 * @size: its size
 *
 * The map that there is may have memory which the server has back, also one
 * that was pushed meanwhile: the server need not have seen the request by then.
 * Others may have asked for the map before, and their replies are out of date.
 *
 * Context: i_rwsem is held for writing.  May wait for the server, killably
 * until it has read the request.
 * Return: 0 or an error of famfs_fetch(); then the old map is cut down.
 */
int famfs_fetch_shrunk(struct inode *inode, loff_t size)
{
	int err;

	filemap_invalidate_lock(inode->i_mapping);
	famfs_seq_inc(inode);
	filemap_invalidate_unlock(inode->i_mapping);

	err = famfs_fetch(inode);
	if (err == FAMFS_OVERTAKEN)
		err = 0;
	if (err)
		famfs_map_shorten(inode, size);
	return err;
}
