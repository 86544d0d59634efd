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
 * famfs_parts_put() - drop a reference
 * @parts: the message, or NULL
 */
void famfs_parts_put(struct famfs_parts *parts)
{
	if (parts && refcount_dec_and_test(&parts->count))
		kvfree(parts);
}

static struct famfs_parts *famfs_parts_lookup(struct famfs_conn *conn,
					      u64 nodeid,
					      enum famfs_parts_kind kind)
{
	struct famfs_parts *parts;

	lockdep_assert_held(&conn->parts_lock);
	list_for_each_entry(parts, &conn->parts, list) {
		if (parts->nodeid == nodeid && parts->kind == kind)
			return parts;
	}
	return NULL;
}

/**
 * famfs_parts_take() - take a message out of the list
 * @conn: the connection
 * @nodeid: the file that it is about
 * @kind: which of the file's messages
 *
 * Return: the message, with the list's reference, or NULL.
 */
struct famfs_parts *famfs_parts_take(struct famfs_conn *conn, u64 nodeid,
				     enum famfs_parts_kind kind)
{
	struct famfs_parts *parts;

	guard(mutex)(&conn->parts_lock);
	parts = famfs_parts_lookup(conn, nodeid, kind);
	if (parts)
		list_del_init(&parts->list);
	return parts;
}

/**
 * famfs_parts_keep() - put a message into the list
 * @conn: the connection
 * @parts: the message, whose reference becomes the list's
 *
 * It replaces a message of the same kind about the same file.
 */
void famfs_parts_keep(struct famfs_conn *conn, struct famfs_parts *parts)
{
	struct famfs_parts *old;

	scoped_guard(mutex, &conn->parts_lock) {
		old = famfs_parts_lookup(conn, parts->nodeid, parts->kind);
		if (old)
			list_del_init(&old->list);
		list_add(&parts->list, &conn->parts);
	}
	famfs_parts_put(old);
}

static struct famfs_parts *famfs_staged_get(struct famfs_conn *conn, u64 nodeid)
{
	struct famfs_parts *staged;

	guard(mutex)(&conn->parts_lock);
	staged = famfs_parts_lookup(conn, nodeid, FAMFS_PARTS_STAGED);
	if (staged)
		refcount_inc(&staged->count);
	return staged;
}

/* The server may have staged another map meanwhile: that one stays. */
static void famfs_staged_unlist(struct famfs_conn *conn,
				struct famfs_parts *staged)
{
	bool listed;

	scoped_guard(mutex, &conn->parts_lock) {
		listed = !list_empty(&staged->list);
		list_del_init(&staged->list);
	}
	if (listed)
		famfs_parts_put(staged);
}

static bool famfs_staged_meant(const struct famfs_parts *staged,
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
	famfs_parts_put(famfs_parts_take(get_fuse_conn(inode)->famfs,
					 get_node_id(inode),
					 FAMFS_PARTS_STAGED));
}

/**
 * famfs_take_reply() - give an inode the map that the server has replied with
 * @inode: a regular file
 * @msg: the message: a map, or the header of the one that is staged
 * @size: its length in bytes, 0 where the file has no map
 * @asked: how it was before the request
 *
 * Whatever the reply is, nothing is staged for the file afterwards.  The staged
 * map stays listed until it is installed: another reply about it is overtaken
 * then, instead of being a header without a map.
 *
 * Context: As famfs_install().
 * Return: As famfs_take().
 */
int famfs_take_reply(struct inode *inode, const void *msg, size_t size,
		     const struct famfs_fmap_snap *asked)
{
	struct famfs_conn *conn = get_fuse_conn(inode)->famfs;
	struct famfs_parts *staged;
	int err;

	staged = famfs_staged_get(conn, get_node_id(inode));
	if (!staged)
		return famfs_take(inode, msg, size, asked);
	if (famfs_staged_meant(staged, msg, size)) {
		msg = staged->msg;
		size = staged->size;
	}
	err = famfs_take(inode, msg, size, asked);
	famfs_staged_unlist(conn, staged);
	famfs_parts_put(staged);
	return err;
}
