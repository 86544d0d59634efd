// SPDX-License-Identifier: GPL-2.0
/*
 * Files of the test server that grow and shrink: they take units of a pool on
 * one device, and give them back.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>

#include "famfs_server.h"

void famfs_pool_init(struct famfs_server *srv, __u32 dev, __u64 base,
		     __u64 unit, __u32 units)
{
	struct famfs_pool *pool = &srv->st->pool;

	memset(pool, 0, sizeof(*pool));
	pool->dev = dev;
	pool->base = base;
	pool->unit = unit;
	pool->units = units < FAMFS_MAX_UNITS ? units : FAMFS_MAX_UNITS;
}

/* At least one, unless empty files are to take nothing. */
static __u64 units_of(const struct famfs_server *srv, __u64 bytes)
{
	const struct famfs_pool *pool = &srv->st->pool;

	return bytes ? (bytes + pool->unit - 1) / pool->unit : !pool->empty;
}

/* The first free unit: what was given back is soon somebody else's. */
static bool take_unit(struct famfs_server *srv, struct famfs_file *f)
{
	struct famfs_pool *pool = &srv->st->pool;
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

static void give_back(struct famfs_server *srv, struct famfs_file *f,
		      __u32 units)
{
	while (f->units > units)
		srv->st->pool.owner[f->unit[--f->units]] = 0;
}

/* Has the file own what holds its bytes before end, and perhaps more. */
int famfs_grow(struct famfs_server *srv, struct famfs_file *f, __u64 end)
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
void famfs_shrink(struct famfs_server *srv, struct famfs_file *f, __u64 size)
{
	give_back(srv, f, units_of(srv, size));
}

/* An empty file that may grow; it has its first units already. */
int famfs_add_growing(struct famfs_server *srv, const char *name,
		      __u32 units)
{
	int i = famfs_add_file(srv, name, 0);
	struct famfs_file *f = &srv->st->files[i];

	f->grows = true;
	famfs_grow(srv, f, units * srv->st->pool.unit);
	return i;
}

/* Where on the device a byte of the file lies, or ~0. */
__u64 famfs_place(struct famfs_server *srv, const struct famfs_file *f,
		  __u64 pos)
{
	const struct famfs_pool *pool = &srv->st->pool;

	if (pos / pool->unit >= f->units)
		return ~0ULL;
	return pool->base + f->unit[pos / pool->unit] * pool->unit +
	       pos % pool->unit;
}

static size_t make_map(struct famfs_server *srv, struct famfs_file *f,
		       struct fuse_fmap_header *h)
{
	struct fuse_fmap_extent *e = (void *)(h + 1);
	const struct famfs_pool *pool = &srv->st->pool;
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
int famfs_leave_units(struct famfs_server *srv, __u32 units)
{
	const struct famfs_pool *p = &srv->st->pool;
	int hog = famfs_add_growing(srv, "hog", 1);
	__u32 i, unused = 0;

	for (i = 0; i < p->units; i++)
		unused += !p->owner[i];
	return famfs_grow(srv, &srv->st->files[hog],
			  (unused - units + 1) * p->unit) ? -1 : hog;
}

/* The reply to GET_FMAP; valid until the next call in this task. */
const void *famfs_map_of(struct famfs_server *srv, struct famfs_file *f,
			 size_t *len)
{
	static __thread struct {
		struct fuse_fmap_header h;
		struct fuse_fmap_extent e[FAMFS_MAX_UNITS];
	} map;

	if (!f->grows) {
		*len = f->map_len;
		return srv->st->arena + f->map;
	}
	*len = make_map(srv, f, &map.h);
	return &map;
}

/* By any descriptor of the connection's device. */
int famfs_push_file(struct famfs_server *srv, int fd, struct famfs_file *f)
{
	size_t len;
	const void *map = famfs_map_of(srv, f, &len);

	return famfs_push_to(fd, FAMFS_INO(f - srv->st->files), 0, 0, 0, map,
			     len);
}

/* The next GET_FMAP is replied to with what there is to say now. */
int famfs_answer_now(struct famfs_server *srv, struct famfs_file *f)
{
	size_t len;
	const void *map = famfs_map_of(srv, f, &len);

	return famfs_raw(srv, FUSE_GET_FMAP, FAMFS_ANY, map, len, 1);
}

/* What the kernel asks for is space; it tells the size later. */
static void give_space(const struct famfs_req *req, struct famfs_file *f)
{
	const struct fuse_fallocate_in *in = req->in;
	struct famfs_state *st = req->srv->st;
	__u32 had = f->units;
	int err;

	if (in->mode != FALLOC_FL_KEEP_SIZE) {
		famfs_reply(req, -EOPNOTSUPP, NULL, 0);
		return;
	}
	err = famfs_grow(req->srv, f, in->offset + in->length);
	if (f->units > had && (f->pushes || err))
		st->pushed_errno = -famfs_push_file(req->srv, req->srv->fd, f);
	famfs_reply(req, err, NULL, 0);
}

void famfs_op_fallocate(const struct famfs_req *req)
{
	const struct fuse_fallocate_in *in = req->in;
	struct famfs_file *f = famfs_file_of(req);
	__u64 end = in->offset + in->length;

	if (f && f->grows) {
		give_space(req, f);
		return;
	}
	if (!f || !f->data || in->mode || end > FAMFS_DATA_SIZE) {
		famfs_reply(req, -EOPNOTSUPP, NULL, 0);
		return;
	}
	if (end > f->size)
		f->size = end;
	famfs_reply(req, 0, NULL, 0);
}

/*
 * A file that grows has space for its size, and after truncate() no more.  A
 * size that the kernel only tells never takes anything back.
 */
int famfs_set_size(const struct famfs_req *req, struct famfs_file *f,
		   __u64 size, bool truncates)
{
	struct famfs_server *srv = req->srv;
	__u32 had = f->units;
	int err = 0;

	srv->st->told_size = size;
	if (size < f->size && !truncates)
		return 0;
	if (f->grows && truncates && size <= f->size)
		famfs_shrink(srv, f, size);
	else if (f->grows)
		err = famfs_grow(srv, f, size);
	if (err)
		return err;
	f->size = size;
	if (f->grows && f->pushes && f->units != had)
		srv->st->pushed_errno = -famfs_push_file(srv, srv->fd, f);
	return 0;
}
