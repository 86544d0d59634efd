// SPDX-License-Identifier: GPL-2.0
/*
 * Maps that arrive in parts, because they are larger than one message.
 *
 * A push is installed when its last part has arrived (famfs_push.c).  A map
 * that is staged belongs to a reply: it is kept until the server replies with
 * the header of that map and nothing else.  So it is installed by the task that
 * has asked, which may wait for locks and ask for devices.
 *
 * A file has at most one message of each kind.
 */

#include "famfs.h"

#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/string.h>

/**
 * famfs_partial_put() - drop a reference
 * @partial: the message, or NULL
 */
void famfs_partial_put(struct famfs_partial *partial)
{
	if (partial && refcount_dec_and_test(&partial->count))
		kvfree(partial);
}

static struct famfs_partial *famfs_partial_lookup(struct famfs_conn *conn,
					      u64 nodeid,
					      enum famfs_partial_kind kind)
{
	struct famfs_partial *partial;

	lockdep_assert_held(&conn->partial_lock);
	list_for_each_entry(partial, &conn->partials, list) {
		if (partial->nodeid == nodeid && partial->kind == kind)
			return partial;
	}
	return NULL;
}

/**
 * famfs_partial_remove() - take a message out of the list
 * @conn: the connection
 * @nodeid: the file that it is about
 * @kind: which of the file's messages
 *
 * Return: the message, with the list's reference, or NULL.
 */
struct famfs_partial *famfs_partial_remove(struct famfs_conn *conn, u64 nodeid,
				     enum famfs_partial_kind kind)
{
	struct famfs_partial *partial;

	guard(mutex)(&conn->partial_lock);
	partial = famfs_partial_lookup(conn, nodeid, kind);
	if (partial)
		list_del_init(&partial->list);
	return partial;
}

/**
 * famfs_partial_add() - put a message into the list
 * @conn: the connection
 * @partial: the message, whose reference becomes the list's
 *
 * It replaces a message of the same kind about the same file.
 */
void famfs_partial_add(struct famfs_conn *conn, struct famfs_partial *partial)
{
	struct famfs_partial *old;

	scoped_guard(mutex, &conn->partial_lock) {
		old = famfs_partial_lookup(conn, partial->nodeid, partial->kind);
		if (old)
			list_del_init(&old->list);
		list_add(&partial->list, &conn->partials);
	}
	famfs_partial_put(old);
}

static struct famfs_partial *famfs_staged_get(struct famfs_conn *conn, u64 nodeid)
{
	struct famfs_partial *staged;

	guard(mutex)(&conn->partial_lock);
	staged = famfs_partial_lookup(conn, nodeid, FAMFS_PARTIAL_STAGED);
	if (staged)
		refcount_inc(&staged->count);
	return staged;
}

/* The server may have staged another map meanwhile: that one stays. */
static void famfs_staged_unlist(struct famfs_conn *conn,
				struct famfs_partial *staged)
{
	bool listed;

	scoped_guard(mutex, &conn->partial_lock) {
		listed = !list_empty(&staged->list);
		list_del_init(&staged->list);
	}
	if (listed)
		famfs_partial_put(staged);
}

static bool famfs_staged_matches(const struct famfs_partial *staged,
			       const void *msg, size_t size)
{
	return size == sizeof(struct fuse_fmap_header) && staged->size > size &&
	       !memcmp(staged->msg, msg, size);
}

/**
 * famfs_staged_drop() - free the map that is staged for a file
 * @inode: the file, about which the server has replied with an error
 */
void famfs_staged_drop(struct inode *inode)
{
	famfs_partial_put(famfs_partial_remove(get_fuse_conn(inode)->famfs,
					 get_node_id(inode),
					 FAMFS_PARTIAL_STAGED));
}

/**
 * famfs_install_reply() - give an inode the map that the server has replied with
 * @inode: a regular file
 * @msg: the message: a map, or the header of the one that is staged
 * @size: its length in bytes, 0 where the file has no map
 * @snap: how it was before the request
 *
 * Whatever the reply is, nothing is staged for the file afterwards.  The staged
 * map stays listed until it is installed: another reply about it is overtaken
 * then, instead of being a header without a map.
 *
 * Context: As famfs_install().
 * Return: As famfs_install_msg().
 */
int famfs_install_reply(struct inode *inode, const void *msg, size_t size,
		     const struct famfs_fmap_snap *snap)
{
	struct famfs_conn *conn = get_fuse_conn(inode)->famfs;
	struct famfs_partial *staged;
	int err;

	staged = famfs_staged_get(conn, get_node_id(inode));
	if (!staged)
		return famfs_install_msg(inode, msg, size, snap);
	if (famfs_staged_matches(staged, msg, size)) {
		msg = staged->msg;
		size = staged->size;
	}
	err = famfs_install_msg(inode, msg, size, snap);
	famfs_staged_unlist(conn, staged);
	famfs_partial_put(staged);
	return err;
}
