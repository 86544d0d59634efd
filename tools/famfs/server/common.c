// SPDX-License-Identifier: GPL-2.0
/*
 * What operations share: times, locks, attributes and plain replies.
 */

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "server.h"

#define NANOSECONDS	1000000000ll

struct op server_op(void)
{
	struct op op = { 0 };
	struct timespec now;

	/* The kernel's clock of files: a finer one would be ahead of it. */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	op.now = now.tv_sec * NANOSECONDS + now.tv_nsec;
	return op;
}

void server_lock(struct server *server, uint64_t ino)
{
	pthread_mutex_lock(server_lock_of(server, ino));
}

void server_unlock(struct server *server, uint64_t ino)
{
	pthread_mutex_unlock(server_lock_of(server, ino));
}

static struct timespec stat_time(int64_t ns)
{
	struct timespec time;

	time.tv_sec = ns / NANOSECONDS;
	time.tv_nsec = ns % NANOSECONDS;
	if (time.tv_nsec < 0) {
		time.tv_sec--;
		time.tv_nsec += NANOSECONDS;
	}
	return time;
}

void server_stat(struct stat *st, const struct volume_attr *attr)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = attr->ino;
	st->st_mode = attr->attr.mode;
	st->st_nlink = attr->links;
	st->st_uid = attr->attr.uid;
	st->st_gid = attr->attr.gid;
	st->st_rdev = attr->attr.rdev;
	st->st_size = (off_t)attr->attr.size;
	st->st_blksize = 4096;
	st->st_blocks = S_ISREG(attr->attr.mode) ?
			(blkcnt_t)(attr->mapped / 512) : 0;
	st->st_atim = stat_time(attr->attr.atime);
	st->st_mtim = stat_time(attr->attr.mtime);
	st->st_ctim = stat_time(attr->attr.ctime);
}

static double server_timeout(const struct server *server)
{
	return server->member ? SERVER_TIMEOUT_MEMBER : SERVER_TIMEOUT;
}

void server_entry(struct server *server, struct fuse_entry_param *entry,
		  const struct volume_attr *attr)
{
	memset(entry, 0, sizeof(*entry));
	entry->ino = attr->ino;
	entry->generation = server->generation;
	entry->attr_timeout = server_timeout(server);
	entry->entry_timeout = server_timeout(server);
	server_stat(&entry->attr, attr);
}

void server_reply_attr(fuse_req_t req, const struct volume_attr *attr, int err)
{
	struct stat st;

	if (err) {
		server_reply_err(req, err);
		return;
	}
	server_stat(&st, attr);
	fuse_reply_attr(req, &st, server_timeout(server_of(req)));
}

void server_reply_err(fuse_req_t req, int err)
{
	if (err == -EROFS && server_of(req)->member)
		hosts_say_owner(server_of(req));
	/* What the volume says of a medium means nothing to programs. */
	if (err == -EUCLEAN || err == -ESTALE)
		err = -EIO;
	fuse_reply_err(req, -err);
}
