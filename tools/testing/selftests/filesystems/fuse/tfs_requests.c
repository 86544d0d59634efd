// SPDX-License-Identifier: GPL-2.0
/*
 * What the test server answers: names, attributes, maps and devices.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>

#include "tfs_server.h"

static void fill_attr(const struct tfs_req *req, __u64 ino,
		      struct fuse_attr *a)
{
	const struct tfs_file *f;

	a->ino = ino;
	a->nlink = 1;
	a->blksize = 4096;
	if (ino == FUSE_ROOT_ID) {
		a->mode = req->srv->root_mode;
		return;
	}
	f = &req->srv->st->files[ino - TFS_INO(0)];
	a->mode = f->mode;
	a->uid = f->uid;
	a->gid = f->gid;
	a->size = f->size;
	a->blocks = (f->size + 511) / 512;
	a->atime = f->atime.tv_sec;
	a->atimensec = f->atime.tv_nsec;
	a->mtime = f->mtime.tv_sec;
	a->mtimensec = f->mtime.tv_nsec;
	a->ctime = f->ctime.tv_sec;
	a->ctimensec = f->ctime.tv_nsec;
}

static void fill_entry(const struct tfs_req *req, __u64 ino,
		       struct fuse_entry_out *out)
{
	out->nodeid = ino;
	out->attr_valid = req->srv->st->valid;
	out->entry_valid = req->srv->st->valid;
	fill_attr(req, ino, &out->attr);
}

static void op_init(const struct tfs_req *req)
{
	const struct fuse_init_in *in = req->in;
	struct tfs_state *st = req->srv->st;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead,
		.max_background = 16,
		.congestion_threshold = 12,
		.max_write = TFS_MAX_WRITE,
		.max_pages = TFS_MAX_WRITE / 4096,
		.time_gran = 1,
	};
	__u64 flags;

	st->offered = in->flags;
	if (in->flags & FUSE_INIT_EXT)
		st->offered |= (__u64)in->flags2 << 32;
	flags = st->force ? st->want : st->want & st->offered;
	/* Nobody would tell a server without opens to truncate. */
	if (st->open_mode == TFS_NOOPEN)
		flags &= ~FUSE_ATOMIC_O_TRUNC;
	flags |= FUSE_INIT_EXT;
	out.flags = flags;
	out.flags2 = flags >> 32;
	if (flags & FUSE_PASSTHROUGH)
		out.max_stack_depth = 1;
	tfs_reply(req, 0, &out, sizeof(out));
}

static void op_lookup(const struct tfs_req *req)
{
	struct fuse_entry_out out = {};
	int i = tfs_find_name(req->srv->st, req->in, true);

	if (i < 0) {
		tfs_reply(req, -ENOENT, NULL, 0);
		return;
	}
	fill_entry(req, TFS_INO(i), &out);
	tfs_reply(req, 0, &out, sizeof(out));
}

static void reply_attr(const struct tfs_req *req)
{
	struct fuse_attr_out out = { .attr_valid = req->srv->st->valid };

	fill_attr(req, req->ih->nodeid, &out.attr);
	tfs_reply(req, 0, &out, sizeof(out));
}

static void set_time(struct timespec *to, __u64 sec, __u32 nsec,
		     bool now)
{
	if (now)
		clock_gettime(CLOCK_REALTIME, to);
	else
		*to = (struct timespec){ .tv_sec = sec, .tv_nsec = nsec };
}

static void op_setattr(const struct tfs_req *req)
{
	const struct fuse_setattr_in *in = req->in;
	struct tfs_file *f = tfs_file_of(req);
	int err = 0;

	req->srv->st->setattr_valid |= in->valid;
	if (!f) {
		reply_attr(req);
		return;
	}
	if (in->valid & FATTR_SIZE)
		err = tfs_set_size(req, f, in->size,
				   in->valid & FATTR_LOCKOWNER);
	if (err) {
		tfs_reply(req, err, NULL, 0);
		return;
	}
	if (in->valid & FATTR_MODE)
		f->mode = (f->mode & S_IFMT) | (in->mode & ~S_IFMT);
	if (in->valid & FATTR_UID)
		f->uid = in->uid;
	if (in->valid & FATTR_GID)
		f->gid = in->gid;
	if (in->valid & FATTR_KILL_SUIDGID)
		f->mode &= ~(S_ISUID | S_ISGID);
	if (in->valid & FATTR_ATIME)
		set_time(&f->atime, in->atime, in->atimensec,
			 in->valid & FATTR_ATIME_NOW);
	if (in->valid & FATTR_MTIME)
		set_time(&f->mtime, in->mtime, in->mtimensec,
			 in->valid & FATTR_MTIME_NOW);
	if (in->valid & FATTR_CTIME)
		set_time(&f->ctime, in->ctime, in->ctimensec, false);
	reply_attr(req);
}

/* Each open has a handle of its own. */
static void fill_open(const struct tfs_req *req, const struct tfs_file *f,
		      struct fuse_open_out *out)
{
	struct tfs_state *st = req->srv->st;

	out->fh = __atomic_add_fetch(&st->opened, 1, __ATOMIC_SEQ_CST);
	if (f) {
		out->open_flags = f->open_flags;
		out->backing_id = f->backing_id;
	}
}

/* The reply to an open that asks for the map, with the map behind it. */
static void reply_map(const struct tfs_req *req, const void *head,
		      size_t head_len, const void *map, size_t len)
{
	char *buf = malloc(head_len + len);

	if (!buf)
		abort();
	memcpy(buf, head, head_len);
	memcpy(buf + head_len, map, len);
	tfs_reply(req, 0, buf, head_len + len);
	free(buf);
}

static void truncate_opened(const struct tfs_req *req, struct tfs_file *f,
			    __u32 flags)
{
	if (!f || !(flags & O_TRUNC))
		return;
	if (f->data)
		f->size = 0;
	else if (f->grows)
		tfs_set_size(req, f, 0, true);
}

static void op_open(const struct tfs_req *req, const void *map, size_t len)
{
	const struct fuse_open_in *in = req->in;
	struct tfs_file *f = tfs_file_of(req);
	struct fuse_open_out out = {};

	if (req->srv->st->open_mode == TFS_NOOPEN) {
		tfs_reply(req, -ENOSYS, NULL, 0);
		return;
	}
	fill_open(req, f, &out);
	truncate_opened(req, f, in->flags);
	if (!map && f && tfs_sends_map(req))
		map = tfs_map_of(req->srv, f, &len);
	if (!map) {
		tfs_reply(req, 0, &out, sizeof(out));
		return;
	}
	out.open_flags |= FOPEN_FMAP;
	reply_map(req, &out, sizeof(out), map, len);
}

/* A file that the test has not prepared grows, or is an ordinary one. */
static int make_file(struct tfs_server *srv, const char *name)
{
	struct tfs_state *st = srv->st;
	int i;

	if (st->new_grow) {
		i = tfs_add_growing(srv, name, 1);
		st->files[i].pushes = st->new_push;
		return i;
	}
	i = tfs_new_file(st, name);
	st->files[i].data = tfs_arena_add(srv, NULL, 0, TFS_DATA_SIZE);
	return i;
}

static struct tfs_file *bring_up(const struct tfs_req *req,
				 const char *name, __u32 mode)
{
	struct tfs_state *st = req->srv->st;
	struct tfs_file *f;
	int i = tfs_find_name(st, name, false);

	if (i < 0)
		i = make_file(req->srv, name);
	f = &st->files[i];
	f->exists = true;
	f->mode = mode;
	f->unlinked = req->ih->opcode == FUSE_TMPFILE;
	return f;
}

static void op_mknod(const struct tfs_req *req)
{
	const struct fuse_mknod_in *in = req->in;
	struct tfs_file *f = bring_up(req, (const char *)(in + 1), in->mode);
	struct fuse_entry_out out = {};

	fill_entry(req, TFS_INO(f - req->srv->st->files), &out);
	tfs_reply(req, 0, &out, sizeof(out));
}

static void op_create(const struct tfs_req *req, const void *map, size_t len)
{
	const struct fuse_create_in *in = req->in;
	bool tmp = req->ih->opcode == FUSE_TMPFILE;
	struct tfs_file *f = bring_up(req, tmp ? "#tmp" :
				      (const char *)(in + 1), in->mode);
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = {};

	truncate_opened(req, f, in->flags);
	fill_entry(req, TFS_INO(f - req->srv->st->files), &out.entry);
	fill_open(req, f, &out.open);
	if (!map && tfs_sends_map(req))
		map = tfs_map_of(req->srv, f, &len);
	if (!map) {
		tfs_reply(req, 0, &out, sizeof(out));
		return;
	}
	out.open.open_flags |= FOPEN_FMAP;
	reply_map(req, &out, sizeof(out), map, len);
}

/* With this map, not with the file's. */
void tfs_handle_open(const struct tfs_req *req, const void *map,
		     size_t len)
{
	if (req->ih->opcode == FUSE_OPEN)
		op_open(req, map, len);
	else
		op_create(req, map, len);
}

static void op_unlink(const struct tfs_req *req)
{
	int i = tfs_find_name(req->srv->st, req->in, true);

	if (i >= 0)
		req->srv->st->files[i].unlinked = true;
	tfs_reply(req, i < 0 ? -ENOENT : 0, NULL, 0);
}

static void op_readdir(const struct tfs_req *req, bool plus)
{
	const struct fuse_read_in *in = req->in;
	struct tfs_state *st = req->srv->st;
	static char buf[TFS_MAX_WRITE];
	size_t room = in->size < sizeof(buf) ? in->size : sizeof(buf);
	size_t used = 0;
	__u64 i;

	memset(buf, 0, sizeof(buf));
	for (i = in->offset; i < TFS_MAX_FILES; i++) {
		const struct tfs_file *f = &st->files[i];
		size_t head = plus ? FUSE_NAME_OFFSET_DIRENTPLUS :
				     FUSE_NAME_OFFSET;
		size_t len = FUSE_REC_ALIGN(head + strlen(f->name));
		struct fuse_dirent *d;

		if (!f->exists || f->unlinked)
			continue;
		if (used + len > room)
			break;
		d = (void *)(buf + used + head - FUSE_NAME_OFFSET);
		d->ino = TFS_INO(i);
		d->off = i + 1;
		d->type = DT_REG;
		d->namelen = strlen(f->name);
		memcpy(d->name, f->name, d->namelen);
		if (plus)
			fill_entry(req, TFS_INO(i), (void *)(buf + used));
		used += len;
	}
	tfs_reply(req, 0, buf, used);
}

static void op_get_fmap(const struct tfs_req *req)
{
	struct tfs_file *f = tfs_file_of(req);
	const void *map = NULL;
	size_t len = 0;

	if (f)
		map = tfs_map_of(req->srv, f, &len);
	tfs_reply(req, f ? 0 : -ENOENT, map, len);
}

static void op_get_daxdev(const struct tfs_req *req)
{
	const struct fuse_get_daxdev_in *in = req->in;
	__u32 index = in->index;
	struct fuse_daxdev_out out = { .index = index };

	if (index >= TFS_MAX_DEVS || !req->srv->st->devs[index][0]) {
		tfs_reply(req, -ENOENT, NULL, 0);
		return;
	}
	memcpy(out.name, req->srv->st->devs[index], sizeof(out.name));
	tfs_reply(req, 0, &out, sizeof(out));
}

static void op_statfs(const struct tfs_req *req)
{
	struct fuse_statfs_out out = {
		.st = { .bsize = 4096, .frsize = 4096, .namelen = 255 },
	};

	tfs_reply(req, 0, &out, sizeof(out));
}

static void op_notify_reply(const struct tfs_req *req)
{
	req->srv->st->retrieved = req->in_len -
				  sizeof(struct fuse_notify_retrieve_in);
}

static void op_opendir(const struct tfs_req *req)
{
	struct fuse_open_out out = {};

	tfs_reply(req, 0, &out, sizeof(out));
}

void tfs_handle(const struct tfs_req *req)
{
	switch (req->ih->opcode) {
	case FUSE_INIT:
		return op_init(req);
	case FUSE_LOOKUP:
		return op_lookup(req);
	case FUSE_GETATTR:
		return reply_attr(req);
	case FUSE_SETATTR:
		return op_setattr(req);
	case FUSE_OPEN:
		return op_open(req, NULL, 0);
	case FUSE_OPENDIR:
		return op_opendir(req);
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		return op_create(req, NULL, 0);
	case FUSE_MKNOD:
		return op_mknod(req);
	case FUSE_UNLINK:
		return op_unlink(req);
	case FUSE_READDIR:
		return op_readdir(req, false);
	case FUSE_READDIRPLUS:
		return op_readdir(req, true);
	case FUSE_READ:
		return tfs_op_read(req);
	case FUSE_WRITE:
		return tfs_op_write(req);
	case FUSE_FALLOCATE:
		return tfs_op_fallocate(req);
	case FUSE_GET_FMAP:
		return op_get_fmap(req);
	case FUSE_GET_DAXDEV:
		return op_get_daxdev(req);
	case FUSE_STATFS:
		return op_statfs(req);
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
		tfs_reply(req, req->srv->st->xattrs ? -ENODATA : -ENOSYS,
			  NULL, 0);
		return;
	case FUSE_FLUSH:
	case FUSE_FSYNC:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_ACCESS:
	case FUSE_DESTROY:
		tfs_reply(req, 0, NULL, 0);
		return;
	case FUSE_NOTIFY_REPLY:
		return op_notify_reply(req);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;		/* no reply */
	default:
		tfs_reply(req, -ENOSYS, NULL, 0);
		return;
	}
}
