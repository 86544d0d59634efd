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

static struct famfs_parts *famfs_parts_alloc(u64 nodeid, size_t size,
					     enum famfs_parts_kind kind)
{
	struct famfs_parts *parts;

	parts = kvmalloc_flex(*parts, msg, size, GFP_KERNEL_ACCOUNT);
	if (!parts)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&parts->list);
	refcount_set(&parts->count, 1);
	parts->kind = kind;
	parts->nodeid = nodeid;
	parts->size = size;
	parts->filled = 0;
	return parts;
}

static bool famfs_node_known(struct fuse_conn *fc, u64 nodeid)
{
	struct inode *inode;

	guard(rwsem_read)(&fc->killsb);
	inode = fuse_ilookup(fc, nodeid, NULL);
	iput(inode);
	return inode;
}

static enum famfs_parts_kind
famfs_part_kind(const struct fuse_notify_fmap_out *out)
{
	return out->flags & FUSE_NOTIFY_FMAP_STAGE ? FAMFS_PARTS_STAGING :
						     FAMFS_PARTS_PUSH;
}

/* A new first part replaces what has come before. */
static struct famfs_parts *
famfs_parts_find(struct fuse_conn *fc, const struct fuse_notify_fmap_out *out)
{
	enum famfs_parts_kind kind = famfs_part_kind(out);
	struct famfs_parts *parts;

	parts = famfs_parts_take(fc->famfs, out->nodeid, kind);
	if (!out->offset) {
		famfs_parts_put(parts);
		/* Nobody would ever complete that. */
		if (!famfs_node_known(fc, out->nodeid))
			return ERR_PTR(-ENOENT);
		return famfs_parts_alloc(out->nodeid, out->size, kind);
	}
	if (parts && parts->size == out->size && parts->filled == out->offset)
		return parts;
	famfs_parts_put(parts);
	pr_debug("fmap of node %llu: part at %llu is not the next one\n",
		 out->nodeid, out->offset);
	return ERR_PTR(-EINVAL);
}

static bool famfs_push_valid(const struct fuse_notify_fmap_out *out,
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
static int famfs_push_inode(struct fuse_conn *fc, u64 nodeid, const void *msg,
			    size_t size)
{
	struct inode *inode;
	int err = -EINVAL;

	inode = fuse_ilookup(fc, nodeid, NULL);
	if (!inode)
		return -ENOENT;
	if (S_ISREG(inode->i_mode) && nodeid != FUSE_ROOT_ID)
		err = msg ? famfs_take(inode, msg, size, NULL) :
			    famfs_revoke(inode);
	iput(inode);
	return err;
}

static int famfs_push(struct fuse_conn *fc, u64 nodeid, const void *msg,
		      size_t size)
{
	guard(rwsem_read)(&fc->killsb);
	return famfs_push_inode(fc, nodeid, msg, size);
}

static int famfs_push_complete(struct fuse_conn *fc, struct famfs_parts *parts,
			       struct fuse_copy_state *cs)
{
	int err;

	fuse_copy_finish(cs);
	err = famfs_push(fc, parts->nodeid, parts->msg, parts->size);
	famfs_parts_put(parts);
	return err;
}

/* The server cannot send the rest, or does not want what it has staged. */
static int famfs_parts_abort(struct famfs_conn *conn,
			     const struct fuse_notify_fmap_out *out)
{
	enum famfs_parts_kind kind = famfs_part_kind(out);

	famfs_parts_put(famfs_parts_take(conn, out->nodeid, kind));
	if (kind == FAMFS_PARTS_STAGING)
		famfs_parts_put(famfs_parts_take(conn, out->nodeid,
						 FAMFS_PARTS_STAGED));
	return 0;
}

/* What has arrived is kept until the rest is there. */
static int famfs_push_part(struct fuse_conn *fc,
			   const struct fuse_notify_fmap_out *out,
			   unsigned int size, struct fuse_copy_state *cs)
{
	struct famfs_parts *parts;
	int err;

	if (!size)
		return famfs_parts_abort(fc->famfs, out);
	if (out->size > FAMFS_PUSH_MAX)
		return -E2BIG;
	parts = famfs_parts_find(fc, out);
	if (IS_ERR(parts))
		return PTR_ERR(parts);
	err = fuse_copy_one(cs, parts->msg + parts->filled, size);
	if (err) {
		famfs_parts_put(parts);
		return err;
	}
	parts->filled += size;
	if (parts->filled == parts->size && parts->kind == FAMFS_PARTS_STAGING)
		parts->kind = FAMFS_PARTS_STAGED;
	else if (parts->filled == parts->size)
		return famfs_push_complete(fc, parts, cs);
	famfs_parts_keep(fc->famfs, parts);
	return 0;
}

static int famfs_push_whole(struct fuse_conn *fc, u64 nodeid, unsigned int size,
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
		err = famfs_push(fc, nodeid, msg, size);
	kvfree(msg);
	return err;
}

/**
 * famfs_notify() - FUSE_NOTIFY_FMAP
 * @fc: the connection
 * @size: length of the notification
 * @cs: where to read it from
 *
 * Context: Waits for nothing that the server could be keeping.
 * Return: 0 or what the server's write() is to fail with: -ENOENT for a file
 * that the kernel does not know, -EINVAL for a malformed message, -E2BIG for a
 * map that is too large, -EOPNOTSUPP where there are no maps, or an error of
 * famfs_map_use_devs() or famfs_install().
 */
int famfs_notify(struct fuse_conn *fc, unsigned int size,
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
	if (!famfs_push_valid(&out, size))
		return -EINVAL;

	if (out.flags & FUSE_NOTIFY_FMAP_PART)
		return famfs_push_part(fc, &out, size, cs);
	if (out.flags & FUSE_NOTIFY_FMAP_REVOKE) {
		fuse_copy_finish(cs);
		return famfs_push(fc, out.nodeid, NULL, 0);
	}
	return famfs_push_whole(fc, out.nodeid, size, cs);
}
