// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on names: they make inodes, find them, move them and take their
 * names away.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kept.h"
#include "server.h"

static void names_reply(fuse_req_t req, const struct volume_attr *attr, int err)
{
	struct fuse_entry_param entry;

	if (err) {
		server_reply_err(req, err);
		return;
	}
	server_entry(server_of(req), &entry, attr);
	fuse_reply_entry(req, &entry);
}

static void names_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct volume_attr attr;

	names_reply(req, &attr,
		    volume_lookup(server_of(req)->volume, parent, name, &attr));
}

/*
 * Owner and permissions of a new inode. A directory with the set-group-ID bit
 * passes on its group, and to directories the bit.
 */
static int names_owner(fuse_req_t req, fuse_ino_t parent,
		       struct volume_node *node)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct volume_attr above;
	int err = volume_getattr(server_of(req)->volume, parent, &above);

	node->uid = ctx->uid;
	node->gid = ctx->gid;
	if (!err && above.attr.mode & S_ISGID) {
		node->gid = above.attr.gid;
		if (S_ISDIR(node->mode))
			node->mode |= S_ISGID;
	}
	return err;
}

static int names_create(fuse_req_t req, fuse_ino_t parent, const char *name,
			struct volume_node *node, struct volume_attr *attr)
{
	struct volume *volume = server_of(req)->volume;
	uint64_t ino;
	struct op op;
	int err;

	if (request_is_done(&ino))
		return volume_getattr(volume, ino, attr);
	op = request_op();
	err = names_owner(req, parent, node);
	return err ? err : volume_create(volume, &op, parent, name, node, attr);
}

static void names_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode, dev_t rdev)
{
	struct volume_node node = { .mode = mode, .rdev = (uint32_t)rdev };
	struct volume_attr attr;

	names_reply(req, &attr, names_create(req, parent, name, &node, &attr));
}

static void names_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode)
{
	struct volume_node node = { .mode = S_IFDIR | (mode & 07777) };
	struct volume_attr attr;

	names_reply(req, &attr, names_create(req, parent, name, &node, &attr));
}

static void names_symlink(fuse_req_t req, const char *target,
			  fuse_ino_t parent, const char *name)
{
	struct volume_node node = { .mode = S_IFLNK | 0777, .target = target };
	struct volume_attr attr;

	names_reply(req, &attr, names_create(req, parent, name, &node, &attr));
}

/*
 * Lookups are not counted: whether the kernel has an inode is asked of the
 * kernel. That it has forgotten one is the time to ask.
 */
static void names_forgotten(struct server *server, fuse_ino_t ino)
{
	struct volume_attr attr;

	if (server->kept)
		told_drop(&server->kept->told, ino);
	if (volume_getattr(server->volume, ino, &attr))
		return;
	if (!attr.links || volume_is_ahead(server->volume, &attr))
		queue_add(server, ino, true);
}

/* A file that exists by now is opened, as another host's would be. */
static void names_create_file(fuse_req_t req, fuse_ino_t parent,
			      const char *name, mode_t mode,
			      struct fuse_file_info *fi)
{
	struct volume_node node = { .mode = S_IFREG | (mode & 07777) };
	struct server *server = server_of(req);
	struct volume_attr attr;
	int err = names_create(req, parent, name, &node, &attr);

	if (err) {
		server_reply_err(req, err);
		return;
	}
	if (!name && server->kept)
		told_add(&server->kept->told, attr.ino);
	if (maps_reply_create(req, &attr, fi))
		names_forgotten(server, attr.ino);
}

/*
 * A file without a name is released from the beginning, but the queue learns of
 * it only when the kernel has forgotten it: until the kernel has taken the
 * reply in, it does not know the inode either.
 */
static void names_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode,
			  struct fuse_file_info *fi)
{
	names_create_file(req, parent, NULL, mode, fi);
}

static void names_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
		       const char *name)
{
	struct volume *volume = server_of(req)->volume;
	struct volume_attr attr;
	struct op op;
	int err;

	if (request_is_done(NULL)) {
		err = volume_getattr(volume, ino, &attr);
	} else {
		op = request_op();
		err = volume_link(volume, &op, ino, parent, name, &attr);
	}
	names_reply(req, &attr, err);
}

static void names_removed(fuse_req_t req, const struct volume_removed *removed,
			  int err)
{
	if (!err && removed->ino)
		queue_add(server_of(req), removed->ino, false);
	server_reply_err(req, err);
}

/* What it took the last name of is in the queue since this server began. */
static bool names_are_removed(fuse_req_t req)
{
	if (!request_is_done(NULL))
		return false;
	server_reply_err(req, 0);
	return true;
}

static void names_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct volume_removed removed = { 0 };
	struct op op;

	if (names_are_removed(req))
		return;
	op = request_op();
	names_removed(req, &removed,
		      volume_unlink(server_of(req)->volume, &op, parent, name,
				    &removed));
}

static void names_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct volume_removed removed = { 0 };
	struct op op;

	if (names_are_removed(req))
		return;
	op = request_op();
	names_removed(req, &removed,
		      volume_rmdir(server_of(req)->volume, &op, parent, name,
				   &removed));
}

static void names_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
			 fuse_ino_t new_parent, const char *new_name,
			 unsigned int flags)
{
	struct volume_removed removed = { 0 };
	struct op op;

	if (names_are_removed(req))
		return;
	op = request_op();
	names_removed(req, &removed,
		      volume_rename(server_of(req)->volume, &op, parent, name,
				    new_parent, new_name, flags, &removed));
}

static void names_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char *target = malloc(TARGET_MOST + 1);
	int err = target ? volume_readlink(server_of(req)->volume, ino, target)
			 : -ENOMEM;

	if (err)
		server_reply_err(req, err);
	else
		fuse_reply_readlink(req, target);
	free(target);
}

static void names_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	(void)nlookup;
	names_forgotten(server_of(req), ino);
	fuse_reply_none(req);
}

static void names_forget_multi(fuse_req_t req, size_t count,
			       struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		names_forgotten(server_of(req), forgets[i].ino);
	fuse_reply_none(req);
}

void names_operations(struct fuse_lowlevel_ops *ops)
{
	ops->lookup = names_lookup;
	ops->forget = names_forget;
	ops->forget_multi = names_forget_multi;
	ops->mknod = names_mknod;
	ops->mkdir = names_mkdir;
	ops->symlink = names_symlink;
	ops->create = names_create_file;
	ops->tmpfile = names_tmpfile;
	ops->link = names_link;
	ops->unlink = names_unlink;
	ops->rmdir = names_rmdir;
	ops->rename = names_rename;
	ops->readlink = names_readlink;
}
