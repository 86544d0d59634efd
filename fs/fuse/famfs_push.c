// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: maps that the server sends unasked.
 *
 * FUSE_NOTIFY_FMAP installs a map, replaces it or takes it away.  A map that is
 * larger than the server wants to send at once comes in parts, which are put
 * together here and read when they are complete; or staged, for a reply.
 */

#include "dev.h"
#include "famfs.h"

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>

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

/* A new first part replaces what has come before. */
static struct famfs_partial *
famfs_partial_continue(struct fuse_conn *fc, const struct fuse_notify_fmap_out *out)
{
	enum famfs_partial_kind kind = famfs_partial_kind_of(out);
	struct famfs_partial *partial;

	partial = famfs_partial_remove(fc->famfs, out->nodeid, kind);
	if (!out->offset) {
		famfs_partial_put(partial);
		/* Nobody would ever complete that. */
		if (!famfs_inode_exists(fc, out->nodeid))
			return ERR_PTR(-ENOENT);
		return famfs_partial_alloc(out->nodeid, out->size, kind);
	}
	if (partial && partial->size == out->size && partial->filled == out->offset)
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
	bool part = (flags & ~(u64)FUSE_NOTIFY_FMAP_STAGE) == FUSE_NOTIFY_FMAP_PART;

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

/* The caller holds fuse_conn.killsb for reading. */
static int famfs_notify_inode(struct fuse_conn *fc, u64 nodeid, const void *msg,
			    size_t size)
{
	struct inode *inode;
	int err = -EINVAL;

	inode = fuse_ilookup(fc, nodeid, NULL);
	if (!inode)
		return -ENOENT;
	if (S_ISREG(inode->i_mode) && nodeid != FUSE_ROOT_ID)
		err = msg ? famfs_install_msg(inode, msg, size, NULL) :
			    famfs_revoke(inode);
	iput(inode);
	return err;
}

static int famfs_notify_nodeid(struct fuse_conn *fc, u64 nodeid, const void *msg,
		      size_t size)
{
	guard(rwsem_read)(&fc->killsb);
	return famfs_notify_inode(fc, nodeid, msg, size);
}

static int famfs_notify_complete(struct fuse_conn *fc, struct famfs_partial *partial,
			       struct fuse_copy_state *cs)
{
	int err;

	fuse_copy_finish(cs);
	err = famfs_notify_nodeid(fc, partial->nodeid, partial->msg, partial->size);
	famfs_partial_put(partial);
	return err;
}

/* The server cannot send the rest, or does not want what it has staged. */
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

/* What has arrived is kept until the rest is there. */
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
	if (partial->filled == partial->size && partial->kind == FAMFS_PARTIAL_STAGING)
		partial->kind = FAMFS_PARTIAL_STAGED;
	else if (partial->filled == partial->size)
		return famfs_notify_complete(fc, partial, cs);
	famfs_partial_add(fc->famfs, partial);
	return 0;
}

static int famfs_notify_whole(struct fuse_conn *fc, u64 nodeid, unsigned int size,
			    struct fuse_copy_state *cs)
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
 * Context: Waits for nothing that the server could be keeping.
 * Return: 0 or what the server's write() is to fail with: -ENOENT for a file
 * that the kernel does not know, -EINVAL for a malformed message, -E2BIG for a
 * map that is too large, -EOPNOTSUPP where there are no maps, or an error of
 * famfs_daxdevs_resolve() or famfs_install().
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
