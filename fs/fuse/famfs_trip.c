// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: opening a file and getting its map in one round trip.
 *
 * FUSE_OPEN, FUSE_CREATE and FUSE_TMPFILE ask for the map where the kernel has
 * none, and the server may append it to its reply.  If it does not, it is asked
 * with FUSE_GET_FMAP.
 */

#include "args.h"
#include "famfs.h"

#include <linux/mm.h>
#include <linux/wait_bit.h>

static int famfs_fetch_lock(struct famfs_open_req *req, struct inode *inode)
{
	if (wait_on_bit_lock(&get_fuse_inode(inode)->state, FUSE_I_FMAP_LOCK,
			     TASK_KILLABLE))
		return -EINTR;
	req->inode = inode;
	return 0;
}

/**
 * famfs_open_cleanup() - clean up
 * @req: an open that has succeeded or failed
 */
void famfs_open_cleanup(struct famfs_open_req *req)
{
	if (req->inode)
		clear_and_wake_up_bit(FUSE_I_FMAP_LOCK,
				      &get_fuse_inode(req->inode)->state);
	kvfree(req->msg);
	*req = (struct famfs_open_req) {};
}

/**
 * famfs_open_prepare() - before the server is asked to open a file
 * @req: to be passed on, up to famfs_open_cleanup()
 * @inode: the inode
 * @file: the file
 *
 * What a file would lose by being truncated has to be known before, a size that
 * was not told has to be told before, and without FUSE_OPEN there is no reply
 * to append to: then the server is asked here.
 *
 * Context: As famfs_open_fetch().
 * Return: as famfs_open_fetch(); famfs_open_cleanup() is due only after 0.
 */
int famfs_open_prepare(struct famfs_open_req *req, struct inode *inode,
		    struct file *file)
{
	int err;

	*req = (struct famfs_open_req) {};
	if ((file->f_flags & O_TRUNC) || get_fuse_conn(inode)->no_open ||
	    famfs_size_dirty(inode) || !famfs_needs_fetch(inode))
		return famfs_open_fetch(inode, file);

	err = famfs_fetch_lock(req, inode);
	if (err)
		return err;
	if (famfs_needs_fetch(inode)) {
		req->snap = famfs_fmap_snapshot(inode);
		req->wants_fmap = true;
		return 0;
	}
	famfs_open_cleanup(req);
	return famfs_open_fetch(inode, file);
}

/**
 * famfs_create_prepare() - before the server is asked to create a file
 * @req: to be passed on, up to famfs_open_cleanup()
 * @fc: the connection
 *
 * If the file turns out to be known, its map is too, or is asked for.
 */
void famfs_create_prepare(struct famfs_open_req *req, struct fuse_conn *fc)
{
	*req = (struct famfs_open_req) { .wants_fmap = fc->dax_fmap };
}

/**
 * famfs_open_add_arg() - ask for the map in a request
 * @req: the open, or NULL for what has no map
 * @args: the request, whose arguments are complete
 * @open_flags: FUSE_OPEN_* flags in it
 */
void famfs_open_add_arg(struct famfs_open_req *req, struct fuse_args *args,
		    u32 *open_flags)
{
	if (!req || !req->wants_fmap)
		return;
	*open_flags |= FUSE_OPEN_FMAP;
	args->out_args[args->out_numargs++].size = FAMFS_REPLY_MAX;
	args->out_argvar = true;
	args->out_alloc = true;
}

/**
 * famfs_open_get_reply() - take what came with the reply
 * @req: the open, or NULL
 * @args: the request
 * @ret: what sending it returned
 *
 * Return: 0 or the error in @ret.
 */
int famfs_open_get_reply(struct famfs_open_req *req, struct fuse_args *args,
		      ssize_t ret)
{
	if (!req || !req->wants_fmap)
		return ret;
	req->msg = args->out_args[args->out_numargs - 1].value;
	if (ret < 0)
		return ret;
	req->size = ret;
	return 0;
}

static int famfs_open_install(struct famfs_open_req *req, struct inode *inode,
			   bool appended)
{
	int err = FAMFS_STALE;

	if (appended)
		err = famfs_install_reply(inode, req->msg, req->size,
				       &req->snap);
	return err == FAMFS_STALE ? famfs_fetch_retry(inode) : err;
}

/**
 * famfs_open_finish() - after the server has opened a file
 * @req: the open
 * @inode: the inode
 * @ff: the file
 *
 * Context: No locks held but the directory's, at create.  May wait for the
 * server.
 * Return: as famfs_fetch_locked(), -EIO for a reply with something appended that
 * is not said to be a map, or with a map that was not asked for.
 */
int famfs_open_finish(struct famfs_open_req *req, struct inode *inode,
		      struct fuse_file *ff)
{
	bool appended = ff->open_flags & FOPEN_FMAP;
	int err = 0;

	if (!req->wants_fmap)
		return appended && get_fuse_conn(inode)->dax_fmap ? -EIO : 0;
	/* Says nothing about how the file is read and written. */
	ff->open_flags &= ~FOPEN_FMAP;
	if (req->size && !appended)
		return -EIO;
	if (!req->inode)
		err = famfs_fetch_lock(req, inode);
	if (!err && famfs_needs_fetch(inode))
		err = famfs_open_install(req, inode, appended);
	return err;
}

/**
 * famfs_create_finish() - after the server has created a file
 * @req: the open
 * @inode: the inode
 * @file: the file
 * @ff: the same, as the server knows it
 *
 * Context: The directory is locked.  May wait for the server, killably until
 * it has read the request.
 * Return: as famfs_open_finish() and famfs_open_fetch().
 */
int famfs_create_finish(struct famfs_open_req *req, struct inode *inode,
		       struct file *file, struct fuse_file *ff)
{
	bool mapped = fuse_is_famfs(inode);
	int err;

	err = famfs_open_finish(req, inode, ff);
	if (err || !mapped)
		return err;
	famfs_open_cleanup(req);
	return famfs_open_fetch(inode, file);
}
