// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on attributes, sizes and extended attributes.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "server.h"

#define NANOSECONDS	1000000000ll

static void attrs_get(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct volume_attr attr;

	(void)fi;
	server_reply_attr(req, &attr, volume_getattr(server_of(req)->volume,
						     ino, &attr));
}

static int64_t attrs_time(const struct timespec *time)
{
	/* Years 1678 to 2261; what lies outside is cut to that. */
	if (time->tv_sec > INT64_MAX / NANOSECONDS - 1)
		return INT64_MAX;
	if (time->tv_sec < INT64_MIN / NANOSECONDS + 1)
		return INT64_MIN;
	return time->tv_sec * NANOSECONDS + time->tv_nsec;
}

/* What is asked for. A size that is only told never takes anything away. */
static unsigned int attrs_mask(const struct stat *st, int to_set, int64_t now,
			       struct attr *to)
{
	unsigned int mask = 0;

	if (to_set & FUSE_SET_ATTR_MODE)
		mask |= VOLUME_MODE;
	if (to_set & FUSE_SET_ATTR_UID)
		mask |= VOLUME_UID;
	if (to_set & FUSE_SET_ATTR_GID)
		mask |= VOLUME_GID;
	if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW))
		mask |= VOLUME_ATIME;
	if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW))
		mask |= VOLUME_MTIME;
	if (to_set & FUSE_SET_ATTR_CTIME)
		mask |= VOLUME_CTIME;
	if (to_set & FUSE_SET_ATTR_TRUNCATE)
		mask |= VOLUME_SIZE;
	else if (to_set & FUSE_SET_ATTR_SIZE)
		mask |= VOLUME_TOLD;
	to->size = (uint64_t)st->st_size;
	to->mode = st->st_mode;
	to->uid = st->st_uid;
	to->gid = st->st_gid;
	to->atime = to_set & FUSE_SET_ATTR_ATIME_NOW ?
		    now : attrs_time(&st->st_atim);
	to->mtime = to_set & FUSE_SET_ATTR_MTIME_NOW ?
		    now : attrs_time(&st->st_mtim);
	to->ctime = attrs_time(&st->st_ctim);
	return mask;
}

static int attrs_set_locked(struct server *server, uint64_t ino,
			    const struct stat *st, int to_set,
			    struct volume_attr *attr)
{
	struct op op = request_op();
	unsigned int mask;
	struct attr to;

	mask = attrs_mask(st, to_set, op.now, &to);
	if (!mask || request_is_done(NULL))
		return volume_getattr(server->volume, ino, attr);
	return volume_setattr(server->volume, &op, ino, mask, &to, attr);
}

/*
 * A member changes nothing. Its kernel tells times after writes in place: an
 * error would fail close(), so they are taken and dropped, as is a size that the
 * file has anyway.
 */
static int attrs_set_member(struct server *server, uint64_t ino,
			    const struct stat *st, int to_set,
			    struct volume_attr *attr)
{
	const int dropped = FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_CTIME |
			    FUSE_SET_ATTR_SIZE;
	int err = volume_getattr(server->volume, ino, attr);

	if (err)
		return err;
	if (to_set & FUSE_SET_ATTR_TRUNCATE)
		return -EPERM;
	if (to_set & ~dropped || (to_set & FUSE_SET_ATTR_SIZE &&
				  (uint64_t)st->st_size > attr->attr.size))
		return -EROFS;
	return 0;
}

/*
 * What truncate() takes away waits until the kernel has a map without it: it
 * asks for one, and the queue pushes one, to know when.
 */
static void attrs_set(fuse_req_t req, fuse_ino_t ino, struct stat *st,
		      int to_set, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	struct volume_attr attr;
	int err;

	(void)fi;
	server_lock(server, ino);
	if (server->member)
		err = attrs_set_member(server, ino, st, to_set, &attr);
	else
		err = attrs_set_locked(server, ino, st, to_set, &attr);
	server_reply_attr(req, &attr, err);
	server_unlock(server, ino);
	if (!err && to_set & FUSE_SET_ATTR_TRUNCATE)
		queue_add(server, ino, false);
}

/* Access control lists would have to be enforced: there are none. */
static bool xattrs_allowed(const char *name)
{
	return !strncmp(name, "user.", 5) || !strncmp(name, "trusted.", 8) ||
	       !strncmp(name, "security.", 9);
}

static bool xattrs_are_done(fuse_req_t req)
{
	if (!request_is_done(NULL))
		return false;
	server_reply_err(req, 0);
	return true;
}

static void attrs_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			   const char *value, size_t size, int flags)
{
	unsigned int how = 0;
	struct op op;

	if (!xattrs_allowed(name)) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	if (xattrs_are_done(req))
		return;
	op = request_op();
	if (flags & XATTR_CREATE)
		how |= VOLUME_XATTR_CREATE;
	if (flags & XATTR_REPLACE)
		how |= VOLUME_XATTR_REPLACE;
	server_reply_err(req, volume_setxattr(server_of(req)->volume, &op, ino,
					      name, value, size, how));
}

static void xattrs_reply(fuse_req_t req, int bytes, const char *buf,
			 size_t size)
{
	if (bytes < 0)
		server_reply_err(req, bytes);
	else if (!size)
		fuse_reply_xattr(req, (size_t)bytes);
	else
		fuse_reply_buf(req, buf, (size_t)bytes);
}

static void attrs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			   size_t size)
{
	char *buf = size ? malloc(size) : NULL;
	int bytes = -ENOMEM;

	if (!xattrs_allowed(name))
		bytes = -EOPNOTSUPP;
	else if (buf || !size)
		bytes = volume_getxattr(server_of(req)->volume, ino, name, buf,
					size);
	xattrs_reply(req, bytes, buf, size);
	free(buf);
}

/* In place. Return: bytes of the names that are for users. */
static size_t xattrs_hide(char *list, size_t bytes)
{
	size_t used = 0, step;

	for (size_t at = 0; at < bytes; at += step) {
		step = strlen(list + at) + 1;
		if (!strncmp(list + at, "trusted.", 8))
			continue;
		memmove(list + used, list + at, step);
		used += step;
	}
	return used;
}

/*
 * That there is something of trusted.* is the administrator's business: the
 * kernel refuses it to whoever lacks CAP_SYS_ADMIN, but leaves lists as they are.
 * A request says no capabilities, so user 0 stands for them.
 */
static void attrs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	bool all = !fuse_req_ctx(req)->uid;
	size_t room = all ? size : XATTR_NAMES_MOST;
	char *buf = room ? malloc(room) : NULL;
	int bytes = -ENOMEM;

	if (buf || !room)
		bytes = volume_listxattr(server_of(req)->volume, ino, buf,
					 room);
	if (bytes > 0 && !all)
		bytes = (int)xattrs_hide(buf, (size_t)bytes);
	if (size && bytes > (int)size)
		bytes = -ERANGE;
	xattrs_reply(req, bytes, buf, size);
	free(buf);
}

static void attrs_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct op op;

	if (!xattrs_allowed(name)) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	if (xattrs_are_done(req))
		return;
	op = request_op();
	server_reply_err(req, volume_removexattr(server_of(req)->volume, &op,
						 ino, name));
}

void attrs_operations(struct fuse_lowlevel_ops *ops)
{
	ops->getattr = attrs_get;
	ops->setattr = attrs_set;
	ops->setxattr = attrs_setxattr;
	ops->getxattr = attrs_getxattr;
	ops->listxattr = attrs_listxattr;
	ops->removexattr = attrs_removexattr;
}
