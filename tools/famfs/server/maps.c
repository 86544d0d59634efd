// SPDX-License-Identifier: GPL-2.0
/*
 * All that is said to the kernel about maps: the one file that knows how.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "cmd.h"
#include "layout.h"
#include "server.h"

void maps_init(struct server *server, struct fuse_conn_info *conn)
{
	if (fuse_set_feature_flag(conn, FUSE_CAP_DAX_FMAP))
		return;
	if (conn->proto_major == 7 && conn->proto_minor < 47)
		server->refused = "the kernel is too old: it speaks a FUSE protocol before 7.47";
	else
		server->refused = "the kernel was built without CONFIG_FUSE_FAMFS_DAX, or this mount may not have maps";
	fuse_session_exit(server->session);
}

/*
 * Files grow on the owner alone. Elsewhere their size is fixed, until the owner
 * changes it, and what is mapped ahead of it is of no use.
 */
static struct fuse_fmap *maps_make(struct server *server,
				   const struct volume_attr *attr,
				   const struct volume_extent *list,
				   uint32_t count)
{
	unsigned int flags = FUSE_LL_FMAP_BACKING_IDS;
	uint64_t left = attr->mapped;
	struct fuse_fmap *fmap;

	if (server->member)
		left = round_up64(attr->attr.size, server->unit);
	else
		flags |= FUSE_LL_FMAP_GROW;
	if (server->drop)
		flags |= FUSE_LL_FMAP_DROP;

	fmap = fuse_fmap_create(attr->attr.size, flags);
	for (uint32_t i = 0; i < count && left; i++) {
		uint64_t bytes = list[i].bytes < left ? list[i].bytes : left;

		fuse_fmap_add_extent(fmap, server->backing_id, list[i].offset,
				     bytes);
		left -= bytes;
	}
	return fmap;
}

/* NULL: the inode is gone, or no file; the error is in @err. */
static struct fuse_fmap *maps_compose(struct server *server, uint64_t ino,
				      int *err)
{
	struct volume_extent *list = NULL, *more;
	uint32_t room = 0, count = 0;
	struct volume_attr attr;
	struct fuse_fmap *fmap;

	/* Within the inode's own lock nothing changes in between. */
	*err = server->cut ? -EIO :
	       volume_getattr(server->volume, ino, &attr);
	if (!*err)
		*err = volume_extents(server->volume, ino, NULL, 0, &count);
	while (!*err && count > room) {
		more = realloc(list, count * sizeof(*list));
		if (!more) {
			*err = -ENOMEM;
			break;
		}
		list = more;
		room = count;
		*err = volume_extents(server->volume, ino, list, room, &count);
	}
	if (*err) {
		free(list);
		return NULL;
	}
	fmap = maps_make(server, &attr, list, count);
	free(list);
	return fmap;
}

static void maps_get_fmap(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct server *server = server_of(req);
	struct fuse_fmap *fmap;
	int err;

	(void)size;
	server_lock(server, ino);
	fmap = maps_compose(server, ino, &err);
	if (fmap)
		fuse_reply_fmap(req, fmap);
	else
		server_reply_err(req, err);
	server_unlock(server, ino);
	fuse_fmap_destroy(fmap);
}

int maps_reply_create(fuse_req_t req, const struct volume_attr *attr,
		      const struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	struct fuse_entry_param entry;
	struct fuse_fmap *fmap;
	int err;

	server_entry(server, &entry, attr);
	server_lock(server, attr->ino);
	fmap = maps_compose(server, attr->ino, &err);
	if (fmap)
		err = fuse_reply_create_fmap(req, &entry, fi, fmap);
	else
		server_reply_err(req, err);
	server_unlock(server, attr->ino);
	fuse_fmap_destroy(fmap);
	return err;
}

int maps_push(struct server *server, uint64_t ino)
{
	int err;
	struct fuse_fmap *fmap = maps_compose(server, ino, &err);

	if (fmap)
		err = fuse_lowlevel_notify_fmap(server->session, ino, fmap);
	fuse_fmap_destroy(fmap);
	if (err == -EEXIST)
		fuse_log(FUSE_LOG_ERR, "famfs: %s: inode %llu has space that another one has; Next: famfs umount %s, then fsck.famfs %s\n",
			 server->device, (unsigned long long)ino,
			 server->mountpoint, server->device);
	return err;
}

int maps_revoke(struct server *server, uint64_t ino)
{
	return fuse_lowlevel_notify_fmap_revoke(server->session, ino);
}

int maps_is_known(struct server *server, uint64_t ino)
{
	int err = fuse_lowlevel_notify_inval_inode(server->session, ino, -1, 0);

	if (err == -ENOENT)
		return 0;
	return err ? err : 1;
}

void maps_prune(struct server *server, const uint64_t *inos, uint32_t count)
{
	/* Where the kernel does not know it, inodes stay until they go. */
	if (count)
		fuse_lowlevel_notify_prune(server->session, inos, count);
}

/* A kernel that does not know the question cannot either. */
static int maps_hold(struct server *server, int fd)
{
	int id = -EOPNOTSUPP;
	struct volume_stat stat;

	volume_statfs(server->volume, &stat);
	if (stat.coherence == COHERENCE_SOFTWARE)
		id = fuse_session_backing_open(server->session, fd,
					       FUSE_BACKING_DAX |
					       FUSE_LL_BACKING_DAX_DROP);
	server->drop = id > 0;
	if (id != -EOPNOTSUPP && id != -EINVAL)
		return id;
	if (stat.coherence == COHERENCE_SOFTWARE && hosts_are_others(server))
		return -EOPNOTSUPP;
	return fuse_session_backing_open(server->session, fd,
					 FUSE_BACKING_DAX);
}

static void maps_fail_register(struct server *server, int err)
{
	if (err == -EPERM)
		cmd_fail(server->device, "run it with CAP_SYS_RAWIO",
			 "this process may not give devices to the kernel");
	else if (err == -EBUSY)
		cmd_fail(server->device, "umount what is mounted of it",
			 "somebody else has just taken it");
	else if (err == -EOPNOTSUPP)
		cmd_fail(server->device, "mount it with a kernel that has FUSE_FMAP_DROP, on x86-64 or arm64",
			 "its coherence is software, other hosts have it, and this kernel drops no stale cache lines");
	else
		cmd_fail_errno(server->device, err);
}

int maps_register(struct server *server)
{
	int fd = open(server->device, O_RDWR | O_CLOEXEC);
	int id = fd < 0 ? -errno : maps_hold(server, fd);

	if (fd >= 0)
		close(fd);
	if (id < 0) {
		maps_fail_register(server, id);
		return id;
	}
	server->backing_id = id;
	return 0;
}

void maps_operations(struct fuse_lowlevel_ops *ops)
{
	ops->get_fmap = maps_get_fmap;
}
