// SPDX-License-Identifier: GPL-2.0
/*
 * Files of the test server that grow and shrink: they take units of a pool on
 * one device, and give them back.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>

#include "tfs_server.h"

void tfs_pool_init(struct tfs_server *srv, __u32 dev, __u64 base,
		   __u64 unit, __u32 units)
{
	struct tfs_pool *pool = &srv->st->pool;

	memset(pool, 0, sizeof(*pool));
	pool->dev = dev;
	pool->base = base;
	pool->unit = unit;
	pool->units = units < TFS_MAX_UNITS ? units : TFS_MAX_UNITS;
}

/* At least one, unless empty files are to take nothing. */
static __u64 units_of(const struct tfs_server *srv, __u64 bytes)
{
	const struct tfs_pool *pool = &srv->st->pool;

	return bytes ? (bytes + pool->unit - 1) / pool->unit : !pool->empty;
}

/* The first free unit: what was given back is soon somebody else's. */
static bool take_unit(struct tfs_server *srv, struct tfs_file *f)
{
	struct tfs_pool *pool = &srv->st->pool;
	__u32 i;

	for (i = 0; i < pool->units; i++) {
		if (pool->owner[i])
			continue;
		pool->owner[i] = f - srv->st->files + 1;
		f->unit[f->units++] = i;
		return true;
	}
	return false;
}

static void give_back(struct tfs_server *srv, struct tfs_file *f,
		      __u32 units)
{
	while (f->units > units)
		srv->st->pool.owner[f->unit[--f->units]] = 0;
}

/* Has the file own what holds its bytes before end, and perhaps more. */
int tfs_grow(struct tfs_server *srv, struct tfs_file *f, __u64 end)
{
	__u64 need = units_of(srv, end);
	__u32 had = f->units;

	if (need <= had)
		return 0;
	while (f->units < need && take_unit(srv, f))
		;
	if (f->units < need) {
		if (!f->partly)
			give_back(srv, f, had);
		return -ENOSPC;
	}
	while (f->units < need + f->ahead && take_unit(srv, f))
		;
	return 0;
}

/* Gives back what the file does not need for its size. */
void tfs_shrink(struct tfs_server *srv, struct tfs_file *f, __u64 size)
{
	give_back(srv, f, units_of(srv, size));
}

/* An empty file that may grow; it has its first units already. */
int tfs_add_growing(struct tfs_server *srv, const char *name,
		    __u32 units)
{
	int i = tfs_add_file(srv, name, 0);
	struct tfs_file *f = &srv->st->files[i];

	f->grows = true;
	tfs_grow(srv, f, units * srv->st->pool.unit);
	return i;
}

/* Where on the device a byte of the file lies, or ~0. */
__u64 tfs_place(struct tfs_server *srv, const struct tfs_file *f,
		__u64 pos)
{
	const struct tfs_pool *pool = &srv->st->pool;

	if (pos / pool->unit >= f->units)
		return ~0ULL;
	return pool->base + f->unit[pos / pool->unit] * pool->unit +
	       pos % pool->unit;
}

static size_t make_map(struct tfs_server *srv, struct tfs_file *f,
		       struct fuse_fmap_header *h)
{
	struct fuse_fmap_extent *e = (void *)(h + 1);
	const struct tfs_pool *pool = &srv->st->pool;
	__u32 i;

	*h = (struct fuse_fmap_header){
		.file_type = FUSE_FMAP_FILE_REG,
		.flags = FUSE_FMAP_GROW,
		.version = FUSE_FMAP_VERSION,
		.ext_type = FUSE_FMAP_EXT_SIMPLE,
		.file_size = f->size,
	};
	for (i = 0; i < f->units; i++) {
		if (i && f->unit[i] == f->unit[i - 1] + 1) {
			e[-1].len += pool->unit;
			continue;
		}
		*e++ = (struct fuse_fmap_extent){
			.devindex = pool->dev,
			.offset = pool->base + f->unit[i] * pool->unit,
			.len = pool->unit,
		};
		h->nextents++;
	}
	return (char *)e - (char *)h;
}

/*
 * Has another file own all but some units of the pool; returns that file, or
 * -1.
 */
int tfs_leave_units(struct tfs_server *srv, __u32 units)
{
	const struct tfs_pool *p = &srv->st->pool;
	int hog = tfs_add_growing(srv, "hog", 1);
	__u32 i, unused = 0;

	for (i = 0; i < p->units; i++)
		unused += !p->owner[i];
	return tfs_grow(srv, &srv->st->files[hog],
			(unused - units + 1) * p->unit) ? -1 : hog;
}

/* The reply to GET_FMAP; valid until the next call in this task. */
const void *tfs_map_of(struct tfs_server *srv, struct tfs_file *f,
		       size_t *len)
{
	static __thread struct {
		struct fuse_fmap_header h;
		struct fuse_fmap_extent e[TFS_MAX_UNITS];
	} map;

	if (!f->grows) {
		*len = f->map_len;
		return srv->st->arena + f->map;
	}
	*len = make_map(srv, f, &map.h);
	return &map;
}

/* By any descriptor of the connection's device. */
int tfs_push_file(struct tfs_server *srv, int fd, struct tfs_file *f)
{
	size_t len;
	const void *map = tfs_map_of(srv, f, &len);

	return tfs_push_to(fd, TFS_INO(f - srv->st->files), 0, 0, 0, map,
			   len);
}

/* The next GET_FMAP is replied to with what there is to say now. */
int rule_freeze_map(struct tfs_server *srv, struct tfs_file *f)
{
	size_t len;
	const void *map = tfs_map_of(srv, f, &len);

	return rule_raw(srv, FUSE_GET_FMAP, TFS_ANY, map, len, 1);
}

/* What the kernel asks for is space; it tells the size later. */
static void give_space(const struct tfs_req *req, struct tfs_file *f)
{
	const struct fuse_fallocate_in *in = req->in;
	struct tfs_state *st = req->srv->st;
	__u32 had = f->units;
	int err;

	if (in->mode != FALLOC_FL_KEEP_SIZE) {
		tfs_reply(req, -EOPNOTSUPP, NULL, 0);
		return;
	}
	err = tfs_grow(req->srv, f, in->offset + in->length);
	if (f->units > had && (f->pushes || err))
		st->notify_errno = -tfs_push_file(req->srv, req->srv->fd, f);
	tfs_reply(req, err, NULL, 0);
}

void tfs_op_fallocate(const struct tfs_req *req)
{
	const struct fuse_fallocate_in *in = req->in;
	struct tfs_file *f = tfs_file_of(req);
	__u64 end = in->offset + in->length;

	if (f && f->grows) {
		give_space(req, f);
		return;
	}
	if (!f || !f->data || in->mode || end > TFS_DATA_SIZE) {
		tfs_reply(req, -EOPNOTSUPP, NULL, 0);
		return;
	}
	if (end > f->size)
		f->size = end;
	tfs_reply(req, 0, NULL, 0);
}

/*
 * A file that grows has space for its size, and after truncate() no more.  A
 * size that the kernel only tells never takes anything back.
 */
int tfs_set_size(const struct tfs_req *req, struct tfs_file *f,
		 __u64 size, bool truncates)
{
	struct tfs_server *srv = req->srv;
	__u32 had = f->units;
	int err = 0;

	srv->st->setattr_size = size;
	if (size < f->size && !truncates)
		return 0;
	if (f->grows && truncates && size <= f->size)
		tfs_shrink(srv, f, size);
	else if (f->grows)
		err = tfs_grow(srv, f, size);
	if (err)
		return err;
	f->size = size;
	if (f->grows && f->pushes && f->units != had)
		srv->st->notify_errno = -tfs_push_file(srv, srv->fd, f);
	return 0;
}
