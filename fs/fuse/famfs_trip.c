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
#include <linux/slab.h>
#include <linux/wait_bit.h>

/**
 * struct famfs_joined - two arguments of a reply in one
 * @entry: the first
 * @open: the second
 * @to_entry: where the first is wanted
 * @to_open: where the second is wanted
 */
struct famfs_joined {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
	struct fuse_entry_out *to_entry;
	struct fuse_open_out *to_open;
};

static_assert(offsetof(struct famfs_joined, open) ==
	      sizeof(struct fuse_entry_out));

static int famfs_trip_lock(struct famfs_trip *trip, struct inode *inode)
{
	if (wait_on_bit_lock(&get_fuse_inode(inode)->state, FUSE_I_FMAP_FETCH,
			     TASK_KILLABLE))
		return -EINTR;
	trip->inode = inode;
	return 0;
}

/**
 * famfs_trip_end() - clean up
 * @trip: an open that has succeeded or failed
 */
void famfs_trip_end(struct famfs_trip *trip)
{
	if (trip->inode)
		clear_and_wake_up_bit(FUSE_I_FMAP_FETCH,
				      &get_fuse_inode(trip->inode)->state);
	kfree(trip->joined);
	kvfree(trip->msg);
	*trip = (struct famfs_trip) {};
}

/**
 * famfs_trip_open() - before the server is asked to open a file
 * @trip: to be passed on, up to famfs_trip_end()
 * @inode: the inode
 * @file: the file
 *
 * What a file would lose by being truncated has to be known before, a size that
 * was not told has to be told before, and without FUSE_OPEN there is no reply
 * to append to: then the server is asked here.
 *
 * Context: As famfs_open().
 * Return: as famfs_open(); famfs_trip_end() is due only after 0.
 */
int famfs_trip_open(struct famfs_trip *trip, struct inode *inode,
		    struct file *file)
{
	int err;

	*trip = (struct famfs_trip) {};
	if ((file->f_flags & O_TRUNC) || get_fuse_conn(inode)->no_open ||
	    famfs_size_untold(inode) || !famfs_must_fetch(inode))
		return famfs_open(inode, file);

	err = famfs_trip_lock(trip, inode);
	if (err)
		return err;
	if (famfs_must_fetch(inode)) {
		trip->asked = famfs_fmap_snapshot(inode);
		trip->asks = true;
		return 0;
	}
	famfs_trip_end(trip);
	return famfs_open(inode, file);
}

/**
 * famfs_trip_create() - before the server is asked to create a file
 * @trip: to be passed on, up to famfs_trip_end()
 * @fc: the connection
 *
 * If the file turns out to be known, its map is too, or is asked for.
 */
void famfs_trip_create(struct famfs_trip *trip, struct fuse_conn *fc)
{
	*trip = (struct famfs_trip) { .asks = fc->dax_fmap };
}

/* A third argument would make all requests of all servers larger. */
static bool famfs_trip_join(struct famfs_trip *trip, struct fuse_args *args)
{
	struct famfs_joined *joined = kzalloc_obj(*joined);

	if (!joined)
		return false;
	joined->to_entry = args->out_args[0].value;
	joined->to_open = args->out_args[1].value;
	args->out_numargs = 1;
	args->out_args[0].size += args->out_args[1].size;
	args->out_args[0].value = joined;
	trip->joined = joined;
	return true;
}

/**
 * famfs_trip_ask() - ask for the map in a request
 * @trip: the open, or NULL for what has no map
 * @args: the request, whose arguments are complete
 * @open_flags: FUSE_OPEN_* flags in it
 *
 * Out of memory it is asked for later.
 */
void famfs_trip_ask(struct famfs_trip *trip, struct fuse_args *args,
		    u32 *open_flags)
{
	if (!trip || !trip->asks)
		return;
	if (args->out_numargs > 1 && !famfs_trip_join(trip, args)) {
		trip->asks = false;
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
 * famfs_trip_answer() - take what came with the reply
 * @trip: the open, or NULL
 * @args: the request
 * @ret: what sending it returned
 *
 * Return: 0 or the error in @ret.
 */
int famfs_trip_answer(struct famfs_trip *trip, struct fuse_args *args,
		      ssize_t ret)
{
	if (!trip || !trip->asks)
		return ret;
	trip->msg = args->out_args[1].value;
	if (ret < 0)
		return ret;
	trip->size = ret;
	if (trip->joined) {
		*trip->joined->to_entry = trip->joined->entry;
		*trip->joined->to_open = trip->joined->open;
	}
	return 0;
}

static int famfs_trip_take(struct famfs_trip *trip, struct inode *inode,
			   bool appended)
{
	int err = FAMFS_OVERTAKEN;

	if (appended)
		err = famfs_take_reply(inode, trip->msg, trip->size,
				       &trip->asked);
	if (err == FAMFS_OVERTAKEN)
		return famfs_fetch_known(inode);
	return err == FAMFS_IN_USE ? -EBUSY : err;
}

/**
 * famfs_trip_opened() - after the server has opened a file
 * @trip: the open
 * @inode: the inode
 * @ff: the file
 *
 * Context: No locks held but the directory's, at create.  May wait for the
 * server.
 * Return: as famfs_fetch_once(), -EIO for a reply with something appended that
 * is not said to be a map, or with a map that was not asked for.
 */
int famfs_trip_opened(struct famfs_trip *trip, struct inode *inode,
		      struct fuse_file *ff)
{
	bool appended = ff->open_flags & FOPEN_FMAP;
	int err = 0;

	if (!trip->asks)
		return appended && get_fuse_conn(inode)->dax_fmap ? -EIO : 0;
	/* Says nothing about how the file is read and written. */
	ff->open_flags &= ~FOPEN_FMAP;
	if (trip->size && !appended)
		return -EIO;
	if (!trip->inode)
		err = famfs_trip_lock(trip, inode);
	if (!err && famfs_must_fetch(inode))
		err = famfs_trip_take(trip, inode, appended);
	return err;
}

/**
 * famfs_trip_created() - after the server has created a file
 * @trip: the open
 * @inode: the inode
 * @file: the file
 * @ff: the same, as the server knows it
 *
 * Context: The directory is locked.  May wait for the server, killably until
 * it has read the request.
 * Return: as famfs_trip_opened() and famfs_open().
 */
int famfs_trip_created(struct famfs_trip *trip, struct inode *inode,
		       struct file *file, struct fuse_file *ff)
{
	bool mapped = fuse_is_famfs(inode);
	int err;

	err = famfs_trip_opened(trip, inode, ff);
	if (err || !mapped)
		return err;
	famfs_trip_end(trip);
	return famfs_open(inode, file);
}
