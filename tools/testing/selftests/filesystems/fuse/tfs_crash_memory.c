// SPDX-License-Identifier: GPL-2.0
/*
 * The memory that files grow into, seen from outside: what nobody has, or has
 * been given to the heir, holds the pattern of its place.  So who writes where
 * it must not is found out, and who sees what was there before.
 *
 * This needs a mapping that the kernel's part of the test knows nothing of:
 * /dev/mem.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "tfs_crash.h"

/* The server's copy of what the test knows. */
static struct crash *watching;

/* Keeps the first thing that is wrong. */
void crash_wrong(struct crash *c, const char *format, ...)
{
	va_list args;

	if (c->sh->wrong[0])
		return;
	va_start(args, format);
	vsnprintf(c->sh->wrong, sizeof(c->sh->wrong), format, args);
	va_end(args);
}

/* No more than the pool: each task that is made gets a copy of page tables. */
static int map_pool(struct crash *c)
{
	const struct tfs_pool *pool = &c->st->pool;
	size_t len = pool->base + pool->units * pool->unit;

	if (len == c->mem_len)
		return 0;
	if (c->mem_len)
		munmap(c->mem, c->mem_len);
	c->mem_len = len;
	c->mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, c->mem_fd,
		      c->start);
	if (c->mem != MAP_FAILED)
		return 0;
	c->mem_len = 0;
	return -errno;
}

char *crash_memory_unit(struct crash *c, __u32 unit)
{
	const struct tfs_pool *pool = &c->st->pool;

	return c->mem + pool->base + unit * pool->unit;
}

static __u64 unit_place(const struct tfs_pool *pool, __u32 unit)
{
	return pool->base + unit * pool->unit;
}

/* Large units have the pattern in each eighth word only, for speed. */
static __u64 pattern_step(const struct crash *c)
{
	return c->st->pool.unit > CRASH_CHUNK ? 64 : 8;
}

static void poison(struct crash *c, __u64 place, __u64 len)
{
	__u64 step = pattern_step(c), at;

	for (at = place; at < place + len; at += step)
		*(__u64 *)(c->mem + at) = pattern_word(c->st->pool.dev, at);
}

/* The first word that is not the pattern, or is: an offset, or ~0. */
static __u64 find_word(struct crash *c, __u64 place, __u64 len, bool pattern)
{
	__u64 step = pattern_step(c), at;

	at = (place + step - 1) / step * step;
	for (; at + 8 <= place + len; at += step)
		if ((*(__u64 *)(c->mem + at) ==
		     pattern_word(c->st->pool.dev, at)) == pattern)
			return at - place;
	return ~0ULL;
}

static bool unit_intact(struct crash *c, __u32 unit, const char *whose)
{
	const struct tfs_pool *pool = &c->st->pool;
	__u64 at = find_word(c, unit_place(pool, unit), pool->unit, false);

	if (at == ~0ULL)
		return true;
	crash_wrong(c, "unit %u, %s, was written at %llu", unit, whose, at);
	return false;
}

static bool *used_by(struct crash *c, __u64 place)
{
	return &c->sh->used[(place - c->st->pool.base) / CRASH_CHUNK];
}

/* A unit of the pool will no longer be as it was laid out. */
void crash_unit_use(struct crash *c, __u32 unit)
{
	const struct tfs_pool *pool = &c->st->pool;
	__u64 at;

	for (at = 0; at < pool->unit; at += CRASH_CHUNK)
		*used_by(c, unit_place(pool, unit) + at) = true;
}

/* Is this, read from a file, the pattern of a place? */
bool crash_is_pattern(struct crash *c, __u64 place, const void *buf, size_t len)
{
	__u64 step = pattern_step(c), at, word;

	for (at = 0; at < len; at += step) {
		word = pattern_word(c->st->pool.dev, place + at);
		if (memcmp(buf + at, &word, 8))
			return false;
	}
	return true;
}

/* Nobody has anything of the pool. */
int crash_memory_reset(struct crash *c)
{
	struct tfs_pool *pool = &c->st->pool;
	__u64 at, end = pool->base + pool->units * pool->unit;
	int err = map_pool(c);

	if (err)
		return err;
	memset(pool->owner, 0, sizeof(pool->owner));
	memset(c->sh->owner, 0, sizeof(c->sh->owner));
	for (at = pool->base; at < end; at += CRASH_CHUNK) {
		if (!*used_by(c, at))
			continue;
		poison(c, at, CRASH_CHUNK);
		*used_by(c, at) = false;
	}
	/* What has the pattern in part only is no good for small units. */
	if (pool->unit > CRASH_CHUNK)
		memset(c->sh->used, true, sizeof(c->sh->used));
	return 0;
}

static void inherit(struct crash *c, __u32 unit)
{
	struct tfs_file *heir = &c->st->files[CRASH_HEIR];
	struct tfs_pool *pool = &c->st->pool;

	poison(c, unit_place(pool, unit), pool->unit);
	if (!c->sh->heir)
		return;
	pool->owner[unit] = CRASH_HEIR + 1;
	heir->unit[heir->units++] = unit;
	heir->size = heir->units * pool->unit;
}

/*
 * What has been given back since the last time gets the pattern at once, and
 * the heir; what has been taken must have it still.
 */
void crash_memory_settle(struct crash *c)
{
	struct tfs_pool *pool = &c->st->pool;
	__u32 i;

	for (i = 0; i < pool->units; i++) {
		__u8 had = c->sh->owner[i];

		if (had == pool->owner[i])
			continue;
		crash_unit_use(c, i);
		if (pool->owner[i])
			unit_intact(c, i, "which was free");
		else if (had != CRASH_HEIR + 1)
			inherit(c, i);
		c->sh->owner[i] = pool->owner[i];
	}
}

/* A free unit, or -1; settled, but not any file's yet. */
int crash_unit_take(struct crash *c)
{
	struct tfs_pool *pool = &c->st->pool;
	__u32 i;

	for (i = pool->units; i-- > 0;)
		if (!pool->owner[i])
			return unit_intact(c, i, "which was free") ? (int)i :
								     -1;
	return -1;
}

/* Has everybody left alone what is nobody's, and what is the heir's? */
bool crash_memory_idle(struct crash *c)
{
	const struct tfs_pool *pool = &c->st->pool;
	__u32 i;

	for (i = 0; i < pool->units; i++) {
		if (pool->owner[i] && pool->owner[i] != CRASH_HEIR + 1)
			continue;
		if (!*used_by(c, unit_place(pool, i)))
			continue;
		if (!unit_intact(c, i, pool->owner[i] ? "the heir's" :
							"which is free"))
			return false;
	}
	return true;
}

/* No memory below this size holds what it held before the file had it. */
static bool fresh(struct crash *c, int file, __u64 start, __u64 end)
{
	struct tfs_file *f = &c->st->files[file];
	__u64 unit = c->st->pool.unit;

	while (start < end) {
		__u64 n = unit - start % unit, at;

		if (n > end - start)
			n = end - start;
		at = find_word(c, tfs_place(&c->env->srv, f, start), n, true);
		if (at != ~0ULL) {
			crash_wrong(c, "%s is said to have %llu bytes when byte %llu is old",
				    f->name, end, start + at);
			return false;
		}
		start += n;
	}
	return true;
}

/* May the server be told this size now? */
bool crash_told(struct crash *c, int file, __u64 size)
{
	struct tfs_file *f = &c->st->files[file];
	const struct tfs_model *m = &c->sh->model[file];
	__u64 most = m->most > m->size ? m->most : m->size;

	if (size > f->units * c->st->pool.unit) {
		crash_wrong(c, "%s is said to have %llu bytes and has memory for %llu",
			    f->name, size, f->units * c->st->pool.unit);
		return false;
	}
	if (size > most) {
		crash_wrong(c, "%s is said to have %llu bytes instead of %llu",
			    f->name, size, most);
		return false;
	}
	return fresh(c, file, f->size & ~7ULL, size & ~7ULL);
}

/* Compares the file, as far as the server knows of it, without the kernel. */
void crash_memory_check(struct crash *c, int file)
{
	struct tfs_file *f = &c->st->files[file];
	__u64 unit = c->st->pool.unit, pos, right, n;

	if (f->size > f->units * unit) {
		crash_wrong(c, "%s has %llu bytes and %u units", f->name,
			    f->size, f->units);
		return;
	}
	for (pos = 0; pos < f->size; pos += unit) {
		n = f->size - pos < unit ? f->size - pos : unit;
		right = model_match(&c->sh->model[file], pos, c->mem +
				    tfs_place(&c->env->srv, f, pos), n);
		if (right == n)
			continue;
		crash_wrong(c, "memory of %s is not right at %llu of %llu",
			    f->name, pos + right, f->size);
		return;
	}
}

/* Has this byte been zeroed, where the file has memory for it? */
bool crash_memory_zeroed(struct crash *c, int file, __u64 pos)
{
	struct tfs_file *f = &c->st->files[file];
	__u64 place = tfs_place(&c->env->srv, f, pos & ~7ULL);

	return place != ~0ULL &&
	       !__atomic_load_n((__u64 *)(c->mem + place), __ATOMIC_RELAXED);
}

/* Requests that come in an order of their own are not counted. */
static bool counted(const struct tfs_req *req)
{
	switch (req->ih->opcode) {
	case FUSE_INIT:
	case FUSE_DESTROY:
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
	case FUSE_RELEASE:
	case FUSE_GET_DAXDEV:
		return false;
	}
	return true;
}

/* Before anybody can use what has been taken. */
static bool settle_first(const struct tfs_req *req)
{
	struct crash_shared *sh = watching->sh;

	/* The test may be at it while these come. */
	if (!counted(req))
		return true;
	crash_memory_settle(watching);
	return sh->how != HOW_DONE || sh->seen != sh->at;
}

/* For the test to see why the server is no more, or has stopped. */
static void pause_here(int sig)
{
	crash_bell_ring(watching->sh);
	raise(sig);
}

/* Goes wrong as it is told to; returns true if it has answered. */
static bool go_wrong(const struct tfs_req *req)
{
	struct crash_shared *sh = watching->sh;

	switch (sh->how) {
	case HOW_FAIL:
		tfs_reply(req, sh->error, NULL, 0);
		return true;
	case HOW_READ:
	case HOW_ABORT:
	case HOW_MEANWHILE:
		pause_here(SIGSTOP);
		return false;
	case HOW_DONE:
	case HOW_ANSWERED:
		tfs_handle(req);
		pause_here(SIGKILL);
		return true;
	case HOW_BEFORE:
		pause_here(SIGKILL);
		return true;
	default:
		return false;
	}
}

/* A size that no task waits for may be overtaken by what comes after it. */
static bool is_late(const struct tfs_req *req)
{
	const struct fuse_setattr_in *in = req->in;
	const struct crash_shared *sh = watching->sh;

	return sh->late && req->ih->opcode == FUSE_SETATTR &&
	       (in->valid & FATTR_SIZE) &&
	       (pid_t)req->ih->pid != sh->task.pid &&
	       (pid_t)req->ih->pid != sh->pinner.pid;
}

/* Times count, also beside a size of memory that the file has no more. */
static bool drop_size(const struct tfs_req *req)
{
	struct fuse_setattr_in in = *(const struct fuse_setattr_in *)req->in;
	struct tfs_req times = *req;

	in.valid &= ~FATTR_SIZE;
	times.in = &in;
	tfs_handle(&times);
	return true;
}

static bool see_to(const struct tfs_req *req)
{
	const struct fuse_setattr_in *in = req->in;
	struct crash_shared *sh = watching->sh;
	__u64 file = req->ih->nodeid - TFS_INO(0);

	if (is_late(req))
		return false;
	sh->seen++;
	if (req->ih->opcode == FUSE_SETATTR && file < CRASH_FILES &&
	    (in->valid & FATTR_SIZE)) {
		if (sh->void_from[file] && in->size >= sh->void_from[file])
			return drop_size(req);
		crash_told(watching, file, in->size);
	}
	if (sh->how != HOW_QUEUED && sh->seen == sh->at && go_wrong(req))
		return true;
	tfs_handle(req);
	if (sh->how == HOW_QUEUED && sh->seen + 1 == sh->at)
		pause_here(SIGSTOP);
	return true;
}

/* What the server does first, and mostly instead, with each request. */
static bool watch(const struct tfs_req *req)
{
	bool done;

	if (!counted(req))
		return false;
	__atomic_store_n(&watching->sh->busy, true, __ATOMIC_SEQ_CST);
	done = see_to(req);
	__atomic_store_n(&watching->sh->busy, false, __ATOMIC_SEQ_CST);
	return done;
}

/*
 * Finds the first device's first range, which is not mapped before there is a
 * pool.  Returns why it cannot be, or NULL.
 */
const char *crash_memory_init(struct crash *c)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/dax/devices/%.32s/resource",
		 c->env->devs[0].name);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%llx", &c->start) != 1)
		c->start = 0;
	if (f)
		fclose(f);
	c->mem_fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	if (!c->start || c->mem_fd < 0)
		return "need /dev/mem, and to know where the device is";
	memset(c->sh->used, true, sizeof(c->sh->used));
	c->env->srv.watch = watch;
	c->env->srv.answers = settle_first;
	watching = c;
	return NULL;
}
