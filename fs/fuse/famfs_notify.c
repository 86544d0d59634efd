// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: FUSE_NOTIFY_FMAP, and fmaps in several messages.
 *
 * FUSE_NOTIFY_FMAP installs, replaces or revokes an fmap without a request.  An
 * fmap that exceeds the size of a message is sent in parts, and parsed when the
 * last part has arrived.
 *
 * A complete fmap can also be staged: it is kept until the server replies to a
 * request for the fmap with the header of the staged fmap alone.  So the task
 * that sent the request installs it, and may wait for locks and ask for
 * devices.
 *
 * A file has at most one partial message of each kind.
 */

#include "dev.h"
#include "famfs.h"

#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

/*
 * Drop a reference; @partial may be NULL.
 */
static void famfs_partial_put(struct famfs_partial *partial)
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

/*
 * Unlist a message, and return it with the list's reference, or NULL.
 */
static struct famfs_partial *famfs_partial_remove(struct famfs_conn *conn,
						  u64 nodeid,
						  enum famfs_partial_kind kind)
{
	struct famfs_partial *partial;

	guard(mutex)(&conn->partial_lock);
	partial = famfs_partial_lookup(conn, nodeid, kind);
	if (partial)
		list_del_init(&partial->list);
	return partial;
}

/*
 * List a message, with the caller's reference, in place of one of the same kind
 * about the same file.
 */
static void famfs_partial_add(struct famfs_conn *conn,
			      struct famfs_partial *partial)
{
	struct famfs_partial *old;

	scoped_guard(mutex, &conn->partial_lock) {
		old = famfs_partial_lookup(conn, partial->nodeid,
					   partial->kind);
		if (old)
			list_del_init(&old->list);
		list_add(&partial->list, &conn->partials);
	}
	famfs_partial_put(old);
}

static struct famfs_partial *famfs_staged_get(struct famfs_conn *conn,
					      u64 nodeid)
{
	struct famfs_partial *staged;

	guard(mutex)(&conn->partial_lock);
	staged = famfs_partial_lookup(conn, nodeid, FAMFS_PARTIAL_STAGED);
	if (staged)
		refcount_inc(&staged->count);
	return staged;
}

/* If the server has staged another fmap, that one stays. */
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
 * famfs_staged_drop() - free the staged fmap of a file
 * @inode: the file, whose request for an fmap failed
 */
void famfs_staged_drop(struct inode *inode)
{
	famfs_partial_put(famfs_partial_remove(get_fuse_conn(inode)->famfs,
					       get_node_id(inode),
					       FAMFS_PARTIAL_STAGED));
}

/**
 * famfs_install_reply() - install the fmap in a reply
 * @inode: a regular file
 * @msg: the fmap, or the header of the staged fmap
 * @size: its length in bytes, 0 if the file has no fmap
 * @snap: from before the request
 *
 * In any case nothing is staged for the file afterwards.  The staged fmap stays
 * listed until it is installed, so that another reply with its header is stale
 * instead of malformed.
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

static struct famfs_partial *famfs_partial_alloc(u64 nodeid, size_t size,
						 enum famfs_partial_kind kind)
{
	struct famfs_partial *partial;

	partial = kvmalloc_flex(*partial, msg, size, GFP_KERNEL_ACCOUNT);
	if (!partial)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&partial->list);
	refcount_set(&partial->count, 1);
	partial->kind = kind;
	partial->nodeid = nodeid;
	partial->size = size;
	partial->filled = 0;
	return partial;
}

static bool famfs_inode_exists(struct fuse_conn *fc, u64 nodeid)
{
	struct inode *inode;

	guard(rwsem_read)(&fc->killsb);
	inode = fuse_ilookup(fc, nodeid, NULL);
	iput(inode);
	return inode;
}

static enum famfs_partial_kind
famfs_partial_kind_of(const struct fuse_notify_fmap_out *out)
{
	return out->flags & FUSE_NOTIFY_FMAP_STAGE ? FAMFS_PARTIAL_STAGING :
						     FAMFS_PARTIAL_PUSH;
}

/* A part at offset 0 discards an incomplete message. */
static struct famfs_partial *
famfs_partial_continue(struct fuse_conn *fc,
		       const struct fuse_notify_fmap_out *out)
{
	enum famfs_partial_kind kind = famfs_partial_kind_of(out);
	struct famfs_partial *partial;

	partial = famfs_partial_remove(fc->famfs, out->nodeid, kind);
	if (!out->offset) {
		famfs_partial_put(partial);
		/* A message about an unknown inode would never be completed. */
		if (!famfs_inode_exists(fc, out->nodeid))
			return ERR_PTR(-ENOENT);
		return famfs_partial_alloc(out->nodeid, out->size, kind);
	}
	if (partial && partial->size == out->size &&
	    partial->filled == out->offset)
		return partial;
	famfs_partial_put(partial);
	pr_debug("fmap of node %llu: part at %llu is not the next one\n",
		 out->nodeid, out->offset);
	return ERR_PTR(-EINVAL);
}

static bool famfs_notify_valid(const struct fuse_notify_fmap_out *out,
			       unsigned int size)
{
	u64 flags = out->flags;
	bool part = (flags & ~(u64)FUSE_NOTIFY_FMAP_STAGE) ==
		    FUSE_NOTIFY_FMAP_PART;

	if (out->reserved)
		return false;
	if (part && size)
		return out->offset < out->size &&
		       size <= out->size - out->offset;
	if (out->size || out->offset)
		return false;
	if (flags == FUSE_NOTIFY_FMAP_REVOKE)
		return !size;
	return part || (!flags && size);
}

static int famfs_notify_inode(struct fuse_conn *fc, u64 nodeid, const void *msg,
			      size_t size)
{
	struct inode *inode;
	int err = -EINVAL;

	lockdep_assert_held(&fc->killsb);
	inode = fuse_ilookup(fc, nodeid, NULL);
	if (!inode)
		return -ENOENT;
	if (S_ISREG(inode->i_mode) && nodeid != FUSE_ROOT_ID)
		err = msg ? famfs_install_msg(inode, msg, size, NULL) :
			    famfs_revoke(inode);
	iput(inode);
	return err;
}

static int famfs_notify_nodeid(struct fuse_conn *fc, u64 nodeid,
			       const void *msg, size_t size)
{
	guard(rwsem_read)(&fc->killsb);
	return famfs_notify_inode(fc, nodeid, msg, size);
}

static int famfs_notify_complete(struct fuse_conn *fc,
				 struct famfs_partial *partial,
				 struct fuse_copy_state *cs)
{
	int err;

	fuse_copy_finish(cs);
	err = famfs_notify_nodeid(fc, partial->nodeid, partial->msg,
				  partial->size);
	famfs_partial_put(partial);
	return err;
}

/* A part without bytes discards incomplete and staged messages. */
static int famfs_partial_abort(struct famfs_conn *conn,
			       const struct fuse_notify_fmap_out *out)
{
	enum famfs_partial_kind kind = famfs_partial_kind_of(out);

	famfs_partial_put(famfs_partial_remove(conn, out->nodeid, kind));
	if (kind == FAMFS_PARTIAL_STAGING)
		famfs_partial_put(famfs_partial_remove(conn, out->nodeid,
						       FAMFS_PARTIAL_STAGED));
	return 0;
}

/* Keep the partial message until it is complete. */
static int famfs_notify_part(struct fuse_conn *fc,
			     const struct fuse_notify_fmap_out *out,
			     unsigned int size, struct fuse_copy_state *cs)
{
	struct famfs_partial *partial;
	int err;

	if (!size)
		return famfs_partial_abort(fc->famfs, out);
	if (out->size > FAMFS_PUSH_MAX)
		return -E2BIG;
	partial = famfs_partial_continue(fc, out);
	if (IS_ERR(partial))
		return PTR_ERR(partial);
	err = fuse_copy_one(cs, partial->msg + partial->filled, size);
	if (err) {
		famfs_partial_put(partial);
		return err;
	}
	partial->filled += size;
	if (partial->filled == partial->size) {
		if (partial->kind == FAMFS_PARTIAL_PUSH)
			return famfs_notify_complete(fc, partial, cs);
		partial->kind = FAMFS_PARTIAL_STAGED;
	}
	famfs_partial_add(fc->famfs, partial);
	return 0;
}

static int famfs_notify_whole(struct fuse_conn *fc, u64 nodeid,
			      unsigned int size, struct fuse_copy_state *cs)
{
	void *msg;
	int err;

	if (size > FAMFS_PUSH_MAX)
		return -E2BIG;
	msg = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	if (!msg)
		return -ENOMEM;
	err = fuse_copy_one(cs, msg, size);
	fuse_copy_finish(cs);
	if (!err)
		err = famfs_notify_nodeid(fc, nodeid, msg, size);
	kvfree(msg);
	return err;
}

/**
 * famfs_notify_fmap() - FUSE_NOTIFY_FMAP
 * @fc: the connection
 * @size: length of the notification
 * @cs: where to read it from
 *
 * Context: Waits for nothing that the server may hold.
 * Return: 0, -ENOENT for an unknown inode, -EINVAL for a malformed message,
 * -E2BIG for an fmap that is too large, -EOPNOTSUPP without FUSE_DAX_FMAP, or
 * an error of famfs_daxdevs_resolve() or famfs_install().
 */
int famfs_notify_fmap(struct fuse_conn *fc, unsigned int size,
		      struct fuse_copy_state *cs)
{
	struct fuse_notify_fmap_out out;
	int err;

	if (!famfs_conn_of(fc) || !fc->dax_fmap)
		return -EOPNOTSUPP;
	if (size < sizeof(out))
		return -EINVAL;
	err = fuse_copy_one(cs, &out, sizeof(out));
	if (err)
		return err;
	size -= sizeof(out);
	if (!famfs_notify_valid(&out, size))
		return -EINVAL;

	if (out.flags & FUSE_NOTIFY_FMAP_PART)
		return famfs_notify_part(fc, &out, size, cs);
	if (out.flags & FUSE_NOTIFY_FMAP_REVOKE) {
		fuse_copy_finish(cs);
		return famfs_notify_nodeid(fc, out.nodeid, NULL, 0);
	}
	return famfs_notify_whole(fc, out.nodeid, size, cs);
}
