// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: asking the server for the fmap of a file.
 *
 * The fmap is fetched when a regular file is opened or created.  FUSE_OPEN,
 * FUSE_CREATE and FUSE_TMPFILE ask for it with FUSE_OPEN_FMAP, and the server
 * may append it to its reply.  Otherwise FUSE_GET_FMAP asks.  Until then, and
 * if the server replies that there is none, the inode uses the page cache.
 */

#include "args.h"
#include "famfs.h"

#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

/* State of the inode before a request, to be passed to famfs_install_msg(). */
static struct famfs_fmap_snap famfs_fmap_snapshot(struct inode *inode)
{
	const struct fuse_inode *fi = get_fuse_inode(inode);

	return (struct famfs_fmap_snap) {
		.seq	= READ_ONCE(fi->famfs_seq),
		.size	= READ_ONCE(fi->famfs_server_size),
	};
}

static int famfs_fetch_reply(struct inode *inode,
			     const struct famfs_fmap_snap *snap)
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
		if (!famfs_err_unanswered(size))
			famfs_staged_drop(inode);
		err = size;
	} else {
		err = famfs_install_reply(inode, args.out_args[0].value, size,
					  snap);
	}
	kvfree(args.out_args[0].value);
	return err;
}

/**
 * famfs_fetch() - request the fmap of an inode with FUSE_GET_FMAP
 * @inode: a regular file
 * @locked: the caller holds i_rwsem for writing
 *
 * A dirty size is sent first if the fmap is revoked: nothing else tells then
 * how much of the next one has the file's bytes.  An error from the server is an
 * answer.
 *
 * Context: No lock held that the server could need; i_rwsem only if the inode
 * is an fmap file or @locked.
 * Return: 0 also if the file has no fmap, FAMFS_STALE if the inode was given an
 * fmap or lost it in between, FAMFS_IN_USE, -EINTR, or another error.
 */
int famfs_fetch(struct inode *inode, bool locked)
{
	struct famfs_fmap_snap snap;
	int err = 0;

	do {
		if (!famfs_inode_map(inode))
			err = famfs_size_flush(inode, i_size_read(inode));
		if (famfs_err_unanswered(err))
			return err;
		snap = famfs_fmap_snapshot(inode);
		/* Again if an fmap came, let the file grow, and went. */
	} while (!err && !famfs_inode_map(inode) && famfs_size_dirty(inode));
	snap.locked = locked;
	return famfs_fetch_reply(inode, &snap);
}

/* Is there an fmap, or the answer that there is none? */
static bool famfs_fmap_known(struct inode *inode)
{
	/* Pairs with famfs_publish(). */
	return smp_load_acquire(&get_fuse_inode(inode)->famfs_meta);
}

/**
 * famfs_needs_fetch() - check whether an fmap must be requested
 * @inode: an inode of any kind
 *
 * Return: true if it is not known whether the file has an fmap.
 */
bool famfs_needs_fetch(struct inode *inode)
{
	/* The root can be open before INIT is answered. */
	return get_fuse_conn(inode)->dax_fmap && S_ISREG(inode->i_mode) &&
	       get_node_id(inode) != FUSE_ROOT_ID && !famfs_fmap_known(inode);
}

/* -EIO for an fmap inode without one if the server has none any more. */
static int famfs_check_revoked(struct inode *inode)
{
	if (likely(get_fuse_conn(inode)->dax_fmap) || !fuse_is_famfs(inode) ||
	    famfs_fmap_known(inode))
		return 0;
	return -EIO;
}

/**
 * famfs_fetch_retry() - request the fmap of an inode until it is known
 * @inode: an inode of any kind
 * @locked: as for famfs_fetch()
 *
 * A push takes precedence over a reply, and over an error.
 *
 * Context: As famfs_fetch().
 * Return: as famfs_fetch() without FAMFS_STALE, or FAMFS_IN_USE; -EIO if an
 * fmap inode has lost its fmap for good.
 */
int famfs_fetch_retry(struct inode *inode, bool locked)
{
	int err = 0;

	while (!err && famfs_needs_fetch(inode)) {
		err = famfs_fetch(inode, locked);
		if (err == FAMFS_STALE ||
		    (err < 0 && !famfs_err_unanswered(err) &&
		     famfs_inode_map(inode)))
			err = 0;
	}
	return err ?: famfs_check_revoked(inode);
}

/**
 * famfs_fetch_locked() - make sure that the fmap of an inode has been fetched
 * @inode: an inode of any kind
 *
 * FUSE_I_FMAP_LOCK has concurrent openers send one request.
 *
 * Context: No lock held that the server could need.
 * Return: as famfs_fetch_retry(), -EBUSY for FAMFS_IN_USE.
 */
int famfs_fetch_locked(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err;

	if (!famfs_needs_fetch(inode))
		return famfs_check_revoked(inode);
	if (wait_on_bit_lock(&fi->state, FUSE_I_FMAP_LOCK, TASK_KILLABLE))
		return -EINTR;
	err = famfs_fetch_retry(inode, false);
	clear_and_wake_up_bit(FUSE_I_FMAP_LOCK, &fi->state);
	return err == FAMFS_IN_USE ? -EBUSY : err;
}

/**
 * famfs_can_resize() - check whether a file may grow and shrink
 * @inode: an fmap inode
 *
 * Context: As famfs_map_lock().
 * Return: 1 if it may, 0 if not, or an error of famfs_map_lock().
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
 * famfs_open_fetch() - fetch the fmap of a file before FUSE_OPEN
 * @inode: the inode
 * @file: the file, not yet open at the server
 *
 * Context: No locks held.  May wait for the server, killably until it has read
 * the request.
 * Return: 0 also if the file has no fmap, -EPERM if O_TRUNC would change a
 * fixed size, or an error of famfs_fetch_locked().
 */
int famfs_open_fetch(struct inode *inode, struct file *file)
{
	int err;

	err = famfs_fetch_locked(inode);
	if (err || !(file->f_flags & O_TRUNC) || !fuse_is_famfs(inode) ||
	    !i_size_read(inode))
		return err;
	err = famfs_can_resize(inode);
	return err > 0 ? 0 : err ?: -EPERM;
}

static int famfs_fetch_lock(struct famfs_open_req *req, struct inode *inode)
{
	if (wait_on_bit_lock(&get_fuse_inode(inode)->state, FUSE_I_FMAP_LOCK,
			     TASK_KILLABLE))
		return -EINTR;
	req->inode = inode;
	return 0;
}

/* struct fuse_args has room for two parts: the first two of three in one. */
struct famfs_joined {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
	struct fuse_entry_out *to_entry;
	struct fuse_open_out *to_open;
};

/**
 * famfs_open_cleanup() - free the resources of an open
 * @req: an open that has succeeded or failed
 */
void famfs_open_cleanup(struct famfs_open_req *req)
{
	if (!req->inode && !req->wants_fmap)
		return;
	if (req->inode)
		clear_and_wake_up_bit(FUSE_I_FMAP_LOCK,
				      &get_fuse_inode(req->inode)->state);
	kfree(req->joined);
	kvfree(req->msg);
	*req = (struct famfs_open_req) {};
}

/**
 * famfs_open_prepare() - prepare FUSE_OPEN of a file
 * @req: initialized here; pass to famfs_open_cleanup() at last
 * @inode: the inode
 * @file: the file
 *
 * O_TRUNC needs the fmap before the open, a dirty size must be flushed before
 * the request, and without FUSE_OPEN no reply could carry the fmap: then
 * FUSE_GET_FMAP is sent here.
 *
 * Context: As famfs_open_fetch().
 * Return: as famfs_open_fetch(); famfs_open_cleanup() is due only after 0.
 */
int famfs_open_prepare(struct famfs_open_req *req, struct inode *inode,
		       struct file *file)
{
	int err;

	req->inode = NULL;
	req->wants_fmap = false;
	req->has_fmap = fuse_is_famfs(inode);
	if (likely(famfs_inode_map(inode)) && !(file->f_flags & O_TRUNC))
		return 0;
	*req = (struct famfs_open_req) { .has_fmap = req->has_fmap };
	if ((file->f_flags & O_TRUNC) || get_fuse_conn(inode)->no_open ||
	    famfs_size_dirty(inode) || !famfs_needs_fetch(inode))
		return famfs_open_fetch(inode, file);

	err = famfs_fetch_lock(req, inode);
	if (err)
		return err;
	req->snap = famfs_fmap_snapshot(inode);
	/* The fmap may have come, let the file grow, and gone meanwhile. */
	if (famfs_needs_fetch(inode) && !famfs_size_dirty(inode)) {
		req->wants_fmap = true;
		return 0;
	}
	famfs_open_cleanup(req);
	return famfs_open_fetch(inode, file);
}

/**
 * famfs_create_prepare() - prepare FUSE_CREATE or FUSE_TMPFILE of a file
 * @req: initialized here; pass to famfs_open_cleanup() at last
 * @fc: the connection
 */
void famfs_create_prepare(struct famfs_open_req *req, struct fuse_conn *fc)
{
	*req = (struct famfs_open_req) { .wants_fmap = fc->dax_fmap };
}

static bool famfs_open_join_args(struct famfs_open_req *req,
				 struct fuse_args *args)
{
	struct famfs_joined *joined = kzalloc_obj(*joined);

	BUILD_BUG_ON(offsetof(struct famfs_joined, open) !=
		     sizeof(struct fuse_entry_out));
	if (!joined)
		return false;
	joined->to_entry = args->out_args[0].value;
	joined->to_open = args->out_args[1].value;
	args->out_numargs = 1;
	args->out_args[0].size += args->out_args[1].size;
	args->out_args[0].value = joined;
	req->joined = joined;
	return true;
}

/**
 * famfs_open_add_arg() - let the reply to a request carry the fmap
 * @req: the open, or NULL if the request has no fmap
 * @args: the request, otherwise complete
 * @open_flags: FUSE_OPEN_* flags in it
 *
 * Out of memory, the fmap is fetched later.
 */
void famfs_open_add_arg(struct famfs_open_req *req, struct fuse_args *args,
			u32 *open_flags)
{
	if (!req || !req->wants_fmap)
		return;
	if (args->out_numargs > 1 && !famfs_open_join_args(req, args)) {
		req->wants_fmap = false;
		return;
	}
	*open_flags |= FUSE_OPEN_FMAP;
	args->out_args[1].value = NULL;
	args->out_args[1].size = FAMFS_REPLY_MAX;
	args->out_numargs = 2;
	args->out_argvar = true;
	args->out_alloc = true;
}

/**
 * famfs_open_get_reply() - get the fmap from a reply
 * @req: the open, or NULL
 * @args: the request
 * @ret: result of the request
 *
 * Return: 0 or the error in @ret.
 */
int famfs_open_get_reply(struct famfs_open_req *req, struct fuse_args *args,
			 ssize_t ret)
{
	if (!req || !req->wants_fmap)
		return ret;
	req->msg = args->out_args[1].value;
	if (ret < 0)
		return ret;
	req->size = ret;
	if (req->joined) {
		*req->joined->to_entry = req->joined->entry;
		*req->joined->to_open = req->joined->open;
	}
	return 0;
}

static int famfs_open_install(struct famfs_open_req *req, struct inode *inode,
			      bool appended)
{
	int err = FAMFS_STALE;

	if (appended)
		err = famfs_install_reply(inode, req->msg, req->size,
					  &req->snap);
	if (err == FAMFS_STALE)
		err = famfs_fetch_retry(inode, false);
	return err == FAMFS_IN_USE ? -EBUSY : err;
}

/**
 * famfs_open_finish() - install the fmap after the server has opened a file
 * @req: the open; FUSE_I_FMAP_LOCK is free after success
 * @inode: the inode
 * @ff: the file
 *
 * Context: No locks held (at create: only the directory's).  May wait for the
 * server.
 * Return: as famfs_fetch_locked(), -EIO for a reply with an fmap but without
 * FOPEN_FMAP, or with FOPEN_FMAP that was not requested.
 */
int famfs_open_finish(struct famfs_open_req *req, struct inode *inode,
		      struct fuse_file *ff)
{
	bool appended = ff->open_flags & FOPEN_FMAP;
	int err = 0;

	if (!req->wants_fmap)
		return appended && get_fuse_conn(inode)->dax_fmap ? -EIO : 0;
	/* FOPEN_FMAP is not an I/O mode. */
	ff->open_flags &= ~FOPEN_FMAP;
	if (req->size && !appended)
		return -EIO;
	if (!req->inode)
		err = famfs_fetch_lock(req, inode);
	if (!err && famfs_needs_fetch(inode))
		err = famfs_open_install(req, inode, appended);
	/* Others need not wait for the next request, for privileges. */
	famfs_open_cleanup(req);
	return err;
}

/**
 * famfs_create_finish() - install the fmap after the server has created a file
 * @req: the open
 * @inode: the inode
 * @file: the file
 * @ff: the same file
 *
 * A file that existed may have an fmap already, and the request may not have
 * asked for one.
 *
 * Context: The directory is locked.  May wait for the server, killably until it
 * has read the request.
 * Return: as famfs_open_finish() and famfs_open_fetch().
 */
int famfs_create_finish(struct famfs_open_req *req, struct inode *inode,
			struct file *file, struct fuse_file *ff)
{
	bool fetched = req->wants_fmap && !fuse_is_famfs(inode);
	int err;

	err = famfs_open_finish(req, inode, ff);
	if (err || fetched)
		return err;
	return famfs_open_fetch(inode, file);
}
