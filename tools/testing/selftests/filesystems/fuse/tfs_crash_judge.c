// SPDX-License-Identifier: GPL-2.0
/*
 * What may come of an operation that went well, failed, or that nobody has seen
 * the end of; and that the kernel and the server agree with it.
 */
#include <errno.h>

#include "tfs_crash.h"

static bool cuts(enum crash_kind kind)
{
	return kind == OP_CUT || kind == OP_CUT_NAME || kind == OP_PRIVATE ||
	       kind == OP_OPEN_TRUNC;
}

static bool writes(enum crash_kind kind)
{
	return kind == OP_WRITE || kind == OP_APPEND || kind == OP_STORE;
}

/* The size that it is about. */
static __u64 target_of(const struct crash_op *op)
{
	switch (op->kind) {
	case OP_CUT:
	case OP_CUT_NAME:
		return op->pos;
	case OP_PRIVATE:
		return op->len;
	case OP_OPEN_TRUNC:
		return 0;
	case OP_WRITE:
	case OP_APPEND:
	case OP_FALLOC:
		return op->pos + op->len;
	default:
		return ~0ULL;
	}
}

/* Does all of the file stay where it is, whatever is done with the rest? */
static bool only_resizes(const struct crash *c, const struct crash_op *op)
{
	__u64 size = c->sh->model[op->file].size;

	return (op->kind == OP_CUT || op->kind == OP_CUT_NAME) &&
	       op->pos >= size && c->st->files[op->file].size == size;
}

/* What is pinned from there on stays the file's until it is let go. */
bool crash_pinned(const struct crash *c, int file, __u64 pos)
{
	return c->pin_file == file && c->pin_pos >= pos;
}

/* Does the file lose what the server has not been told, with a new map? */
bool crash_loses(const struct crash *c, int file)
{
	const struct tfs_model *m = &c->sh->model[file];

	return file < CRASH_FILES && m->revoked &&
	       c->st->files[file].size < m->size;
}

/*
 * Bytes that the server has not been told go with the memory they are in, and
 * a size that is on its way to the server goes with them.
 */
void crash_lose(struct crash *c, int file, __u64 size)
{
	struct tfs_model *m = &c->sh->model[file];

	if (size >= m->size)
		return;
	m->loose = true;
	m->lossy = true;
	m->stale = true;
	c->sh->void_from[file] = size + 1;
	model_may(m, size, m->size, 0);
}

/* Could bytes be lost that are not told, or are being written? */
bool crash_may_lose(const struct crash *c, const struct crash_op *op)
{
	if (crash_loses(c, op->file))
		return true;
	switch (op->meanwhile) {
	case OP_TRADE:
		return !only_resizes(c, op);
	case OP_MOVE:
	case OP_REVOKE:
		/* What it pushes then has the size that it knows. */
		return c->st->files[op->file].pushes;
	default:
		return false;
	}
}

/* As large as the file may be said to be meanwhile. */
void crash_allow(struct crash *c, const struct crash_op *op)
{
	struct tfs_model *m = &c->sh->model[op->file];
	__u64 to = target_of(op);

	if (!c->dead)
		m->most = m->size;
	if (to != ~0ULL && to > m->most)
		m->most = to;
}

/* A success that is none. */
static void deny(struct crash *c, const struct crash_op *op, const char *why)
{
	const struct tfs_model *m = &c->sh->model[op->file];
	const struct tfs_file *f = &c->st->files[op->file];

	crash_wrong(c, "%s: the server has %llu bytes and %u units, the file %llu",
		    why, f->size, f->units, m->size);
}

static void judge_success(struct crash *c, const struct crash_op *op)
{
	struct tfs_model *m = &c->sh->model[op->file];
	struct tfs_file *f = &c->st->files[op->file];
	__u64 to = target_of(op), memory = f->units * c->st->pool.unit;

	if (cuts(op->kind)) {
		/* To the size that it has is nothing that must be told. */
		if (to == m->size)
			return;
		if (f->size != to)
			deny(c, op, "truncate is not in effect");
		if (crash_pinned(c, op->file, to))
			deny(c, op, "truncate takes a page that is pinned");
		model_resize(m, to);
		m->promised = to;
		m->stale = false;
		return;
	}
	if (op->kind == OP_SYNC || op->kind == OP_CLOSE) {
		if (f->size < m->size)
			deny(c, op, "what is synced is not told");
		m->promised = m->size;
		return;
	}
	if ((op->kind == OP_FALLOC || op->kind == OP_KEEP) &&
	    memory < op->pos + op->len)
		deny(c, op, "fallocate is not in effect");
	if (op->kind == OP_FALLOC && to > m->size) {
		m->size = to;
		m->stale = false;
	}
}

/* An error that nobody has caused. */
static void blame(struct crash *c, const struct crash_op *op)
{
	const struct tfs_model *m = &c->sh->model[op->file];
	long result = c->sh->task.result;
	bool tells = cuts(op->kind) || op->kind == OP_SYNC ||
		     op->kind == OP_CLOSE;

	if (op->how != HOW_WELL && op->how != HOW_MEANWHILE)
		return;
	if (c->dead || (tells && m->lossy))
		return;
	/* Behind an end that has come down there is nothing to store to. */
	if (m->loose && op->kind == OP_STORE && result == -EFAULT &&
	    op->pos + op->len > (__u64)c->sh->task.size)
		return;
	if (result < 0)
		crash_wrong(c, "it fails with %ld", result);
	else if (writes(op->kind) && (__u64)result < op->len)
		crash_wrong(c, "%ld bytes of %llu are written", result,
			    op->len);
}

/*
 * Takes note of what has come, or may have come, of an operation.  Returns the
 * smallest size that the file can have then; the largest is m->most.
 */
__u64 crash_judge(struct crash *c, const struct crash_op *op, bool done)
{
	struct tfs_model *m = &c->sh->model[op->file];
	long result = done ? c->sh->task.result : -EINTR;
	__u64 to = target_of(op), n = 0, least;

	if (done)
		blame(c, op);
	if (result > 0 && writes(op->kind) && op->how == HOW_WELL)
		m->revoked = false;
	if (writes(op->kind)) {
		n = result > 0 ? result : 0;
		model_set(m, op->pos, op->pos + n, c->id);
		model_may(m, op->pos + n, op->pos + op->len, c->id);
		if (n && op->pos + n > m->size) {
			m->size = op->pos + n;
			m->stale = false;
		}
		if (n < op->len)
			m->stale = true;
		if (n == op->len && !c->dead)
			m->most = m->size;
		return m->size;
	}
	if (!result) {
		judge_success(c, op);
		if (!c->dead)
			m->most = m->size;
		return m->size;
	}
	least = m->size;
	m->stale = true;
	if (cuts(op->kind) && to < least) {
		least = to;
		if (m->promised > to)
			m->promised = to;
	}
	return least;
}

/* The size that the kernel shows is one that the file may have. */
void crash_adopt(struct crash *c, const struct crash_op *op, __u64 least,
		 __u64 size)
{
	struct tfs_model *m = &c->sh->model[op->file];
	const struct tfs_file *f = &c->st->files[op->file];

	if (m->loose && least > f->size)
		least = f->size;
	m->loose = false;
	if (size < least || size > m->most)
		crash_wrong(c, "%s shows %llu bytes, not %llu to %llu", f->name,
			    size, least, m->most);
	if (!c->dead && f->size > size)
		crash_wrong(c, "%s shows %llu bytes, and the server believes in %llu",
			    f->name, size, f->size);
	/*
	 * What died with the connection may have been done by the server, or
	 * not: it may still have the bytes that are not seen here any more.
	 */
	if (c->dead)
		model_hide(m, size);
	else
		model_resize(m, size);
}
