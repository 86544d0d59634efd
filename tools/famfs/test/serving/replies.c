// SPDX-License-Identifier: GPL-2.0
/*
 * Replies that a made-up kernel takes, in place of libfuse.
 */

#include "replies.h"

#include <stddef.h>

#include "kernel.h"

static void reply_nothing(void)
{
}

void (*reply_step)(void) = reply_nothing;
struct reply *reply;

static int reply_take(int err, uint64_t ino, uint64_t size)
{
	reply_step();
	if (reply) {
		reply->err = err;
		reply->ino = ino;
		reply->size = size;
		reply->count++;
	}
	reply_step();
	return 0;
}

int fuse_reply_err(fuse_req_t req, int err)
{
	(void)req;
	return reply_take(err, 0, 0);
}

void fuse_reply_none(fuse_req_t req)
{
	(void)req;
}

int fuse_reply_entry(fuse_req_t req, const struct fuse_entry_param *entry)
{
	(void)req;
	return reply_take(0, entry->ino, (uint64_t)entry->attr.st_size);
}

int fuse_reply_attr(fuse_req_t req, const struct stat *attr, double timeout)
{
	(void)req;
	(void)timeout;
	return reply_take(0, attr->st_ino, (uint64_t)attr->st_size);
}

int fuse_reply_readlink(fuse_req_t req, const char *target)
{
	(void)req;
	(void)target;
	return reply_take(0, 0, 0);
}

int fuse_reply_buf(fuse_req_t req, const char *buf, size_t size)
{
	(void)req;
	(void)buf;
	return reply_take(0, 0, size);
}

int fuse_reply_xattr(fuse_req_t req, size_t size)
{
	(void)req;
	return reply_take(0, 0, size);
}

int maps_reply_create(fuse_req_t req, const struct volume_attr *attr,
		      const struct fuse_file_info *fi)
{
	struct volume_attr now;
	int err = volume_getattr(server.volume, attr->ino, &now);

	(void)req;
	(void)fi;
	return reply_take(-err, attr->ino, attr->attr.size);
}

void *fuse_req_userdata(fuse_req_t req)
{
	(void)req;
	return &server;
}

const struct fuse_ctx *fuse_req_ctx(fuse_req_t req)
{
	static const struct fuse_ctx ctx = { .uid = 1, .gid = 2, .pid = 3 };

	(void)req;
	return &ctx;
}
