// SPDX-License-Identifier: GPL-2.0
/*
 * The files of the test server: the table, and the bytes of ordinary ones.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tfs_server.h"

/* A copy of data with room for more behind it; aborts when there is none. */
__u64 tfs_arena_add(struct tfs_server *srv, const void *data, size_t len,
		    size_t room)
{
	struct tfs_state *st = srv->st;
	__u64 at = st->arena_used;

	if (at + room > 200UL << 20)
		abort();
	st->arena_used = (at + room + 63) & ~63UL;
	if (len)
		memcpy(st->arena + at, data, len);
	return at;
}

int tfs_new_file(struct tfs_state *st, const char *name)
{
	struct tfs_file *f = st->files;
	int i;

	for (i = 0; i < TFS_MAX_FILES; i++, f++) {
		if (f->name[0])
			continue;
		snprintf(f->name, sizeof(f->name), "%s", name);
		f->mode = S_IFREG | 0644;
		f->mtime.tv_sec = 1000000000;
		f->atime = f->mtime;
		f->ctime = f->mtime;
		return i;
	}
	abort();
}

/* A file without map or bytes; the caller may add either. */
int tfs_add_file(struct tfs_server *srv, const char *name, __u64 size)
{
	int i = tfs_new_file(srv->st, name);

	srv->st->files[i].exists = true;
	srv->st->files[i].size = size;
	return i;
}

/* A file with bytes in the server's memory. */
int tfs_add_data(struct tfs_server *srv, const char *name,
		 const void *data, size_t len)
{
	int i = tfs_add_file(srv, name, len);

	srv->st->files[i].data = tfs_arena_add(srv, data, len,
					       TFS_DATA_SIZE);
	return i;
}

void tfs_set_map(struct tfs_server *srv, int file, const void *map,
		 size_t len)
{
	struct tfs_file *f = &srv->st->files[file];

	if (f->map && len <= f->map_len)
		memcpy(srv->st->arena + f->map, map, len);
	else
		f->map = tfs_arena_add(srv, map, len, len);
	f->map_len = len;
}

struct tfs_file *tfs_file_of(const struct tfs_req *req)
{
	__u64 i = req->ih->nodeid - TFS_INO(0);

	return i < TFS_MAX_FILES ? &req->srv->st->files[i] : NULL;
}

int tfs_find_name(struct tfs_state *st, const char *name, bool exists)
{
	int i;

	for (i = 0; i < TFS_MAX_FILES; i++) {
		struct tfs_file *f = &st->files[i];

		if (f->exists == exists && !f->unlinked && f->name[0] &&
		    !strcmp(f->name, name))
			return i;
	}
	return -1;
}

void tfs_op_read(const struct tfs_req *req)
{
	const struct fuse_read_in *in = req->in;
	struct tfs_file *f = tfs_file_of(req);
	__u64 len;

	if (!f || !f->data) {
		tfs_reply(req, -EIO, NULL, 0);
		return;
	}
	len = in->offset < f->size ? f->size - in->offset : 0;
	if (len > in->size)
		len = in->size;
	tfs_reply(req, 0, req->srv->st->arena + f->data + in->offset, len);
}

void tfs_op_write(const struct tfs_req *req)
{
	const struct fuse_write_in *in = req->in;
	struct fuse_write_out out = { .size = in->size };
	struct tfs_file *f = tfs_file_of(req);
	__u64 end = in->offset + in->size;

	if (!f || !f->data || end > TFS_DATA_SIZE) {
		tfs_reply(req, -EIO, NULL, 0);
		return;
	}
	memcpy(req->srv->st->arena + f->data + in->offset, in + 1, in->size);
	if (end > f->size)
		f->size = end;
	if (in->write_flags & FUSE_WRITE_KILL_SUIDGID)
		f->mode &= ~(S_ISUID | S_ISGID);
	tfs_reply(req, 0, &out, sizeof(out));
}
