// SPDX-License-Identifier: GPL-2.0
/*
 * What histories consist of.  Each step of one depends on the seed, its number
 * and the files' sizes alone, so that steps can be left out to see whether the
 * rest fails as well.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tfs_crash_history.h"
#include "kselftest.h"

#define PAGE		4096UL
#define SMALL_UNIT	(64 * 1024UL)
#define LARGE_UNIT	(256 * 1024UL)

/* Enough for the largest files, what is mapped ahead, and a few more. */
#define SMALL_UNITS	96
#define LARGE_UNITS	300

static const char *const kinds[] = {
	[OP_OPEN] = "open", [OP_OPEN_TRUNC] = "open O_TRUNC",
	[OP_CLOSE] = "close", [OP_DUP] = "dup", [OP_WRITE] = "write",
	[OP_APPEND] = "append", [OP_STORE] = "store", [OP_PRIVATE] = "private",
	[OP_CUT] = "ftruncate", [OP_CUT_NAME] = "truncate",
	[OP_FALLOC] = "fallocate", [OP_KEEP] = "fallocate KEEP_SIZE",
	[OP_SYNC] = "fsync", [OP_CHECK] = "check", [OP_STAT] = "stat",
	[OP_HEIR] = "read the heir", [OP_PROBE] = "probe", [OP_PUSH] = "push",
	[OP_AHEAD] = "push more", [OP_MOVE] = "move", [OP_REVOKE] = "revoke",
	[OP_TRADE] = "push other memory", [OP_PIN] = "pin",
	[OP_UNPIN] = "unpin", [OP_EVICT] = "evict", [OP_REMOUNT] = "host gone",
	[OP_KILL] = "kill",
};

static const char *const hows[] = {
	[HOW_WELL] = "", [HOW_FAIL] = "error",
	[HOW_QUEUED] = "task killed, not read",
	[HOW_READ] = "task killed, read", [HOW_BEFORE] = "server dies before",
	[HOW_DONE] = "server dies, done", [HOW_ANSWERED] =
	"server dies, answered", [HOW_ABORT] = "abort",
	[HOW_STEP] = "task killed in step", [HOW_MEANWHILE] = "meanwhile",
};

/* In words; valid until the next call. */
const char *crash_op_text(const struct crash_op *op)
{
	static char text[160];
	int n;

	n = snprintf(text, sizeof(text), "%c.%d %s %llu +%llu",
		     "fghp"[op->file], op->slot, kinds[op->kind], op->pos,
		     op->len);
	if (op->how)
		snprintf(text + n, sizeof(text) - n, " [%s at %u, %s]",
			 hows[op->how], op->at,
			 op->how == HOW_MEANWHILE ? kinds[op->meanwhile] :
			 op->how == HOW_FAIL ? strerror(-op->error) : "-");
	return text;
}

static __u64 random_of(__u64 *state)
{
	__u64 w = *state += 0x9e3779b97f4a7c15ULL;

	w = (w ^ w >> 30) * 0xbf58476d1ce4e5b9ULL;
	w = (w ^ w >> 27) * 0x94d049bb133111ebULL;
	return w ^ w >> 31;
}

/* Places near something are the interesting ones. */
static __u64 random_pos(__u64 *r, __u64 size, __u64 most, __u64 unit)
{
	__u64 pos;

	switch (random_of(r) % 6) {
	case 0:
		pos = size + random_of(r) % 100;
		break;
	case 1:
		pos = size > PAGE ? size - random_of(r) % PAGE : size;
		break;
	case 2:
		pos = random_of(r) % (most / unit) * unit;
		break;
	case 3:
		pos = random_of(r) % (most / PAGE) * PAGE;
		break;
	case 4:
		pos = random_of(r) % (size + 1);
		break;
	default:
		pos = random_of(r) % most;
		break;
	}
	if (random_of(r) % 4 == 0 && pos)
		pos--;
	return pos < most ? pos : most - 1;
}

static const unsigned char weight[OP_KINDS] = {
	[OP_WRITE] = 20, [OP_APPEND] = 10, [OP_STORE] = 8, [OP_PRIVATE] = 3,
	[OP_CUT] = 12, [OP_CUT_NAME] = 8, [OP_OPEN_TRUNC] = 3, [OP_DUP] = 2,
	[OP_FALLOC] = 5, [OP_KEEP] = 5, [OP_SYNC] = 9, [OP_CLOSE] = 9,
	[OP_CHECK] = 4, [OP_HEIR] = 2, [OP_PUSH] = 2, [OP_AHEAD] = 3,
	[OP_MOVE] = 4, [OP_REVOKE] = 4, [OP_TRADE] = 3, [OP_PIN] = 7,
	[OP_UNPIN] = 1, [OP_EVICT] = 3, [OP_REMOUNT] = 2, [OP_KILL] = 2,
};

static enum crash_kind random_kind(__u64 *r)
{
	int sum = 0, i;

	for (i = 0; i < OP_KINDS; i++)
		sum += weight[i];
	sum = random_of(r) % sum;
	for (i = 0; sum >= weight[i]; i++)
		sum -= weight[i];
	return i;
}

/* How it goes wrong, in one of three. */
static void random_plan(__u64 *r, struct crash_op *op)
{
	static const int errors[] = { EIO, ENOSPC, EROFS, EINTR, ENOMEM,
				      EACCES };
	static const enum crash_kind server[] = { OP_PUSH, OP_AHEAD, OP_MOVE,
						  OP_REVOKE, OP_TRADE };

	if (op->kind > OP_SYNC || random_of(r) % 3)
		return;
	op->how = 1 + random_of(r) % (HOW_HOWS - 1);
	/* These take no more than two or three requests. */
	op->at = 1 + random_of(r) % (op->kind == OP_SYNC ||
				     op->kind == OP_CLOSE ? 2 : 4);
	op->error = -errors[random_of(r) % 6];
	op->meanwhile = server[random_of(r) % 5];
	if (op->how == HOW_STEP)
		op->at = random_of(r) % 5;
}

static void random_range(__u64 *r, struct crash_op *op, __u64 size, __u64 most,
			 __u64 unit)
{
	op->pos = random_pos(r, size, most, unit);
	op->len = 1 + random_of(r) % (random_of(r) % 8 ? 9000 : 200000);
	if (op->kind == OP_APPEND)
		op->pos = size;
	if (op->kind == OP_PRIVATE) {
		op->pos = size ? op->pos % size : 0;
		op->len = op->pos ? random_of(r) % op->pos : 0;
	}
	if (op->kind == OP_STORE) {
		op->pos = size ? op->pos % size : 0;
		if (op->len > size - op->pos)
			op->len = size - op->pos;
	}
}

/* Returns false for what would be nothing. */
static bool random_op(struct crash *c, __u64 *r, bool large,
		      struct crash_op *op)
{
	const struct tfs_model *m;
	__u64 unit = c->st->pool.unit, most = 20 * unit, size;

	memset(op, 0, sizeof(*op));
	op->kind = random_kind(r);
	op->file = random_of(r) % 4 == 0;
	op->slot = random_of(r) % CRASH_SLOTS;
	m = &c->sh->model[op->file];
	size = m->size;
	if (large && !op->file)
		most = 44 * MiB;
	random_range(r, op, size, most, unit);
	if (op->kind == OP_HEIR)
		op->file = CRASH_HEIR;
	else
		random_plan(r, op);
	if (op->kind == OP_AHEAD)
		return c->st->files[op->file].units < 28;
	if (op->kind == OP_STORE || op->kind == OP_PRIVATE)
		return op->len;
	return true;
}

bool history_run(struct crash *c, const struct history *h)
{
	__u64 r = h->seed * 0x2545f4914f6cdd1dULL;
	bool large = random_of(&r) % 12 == 0, right = true;
	bool heir = random_of(&r) % 4;
	struct crash_op op;
	int i, file;

	if (crash_begin(c, large ? LARGE_UNIT : SMALL_UNIT,
			large ? LARGE_UNITS : SMALL_UNITS, heir))
		crash_wrong(c, "no mount");
	for (file = 0; file < CRASH_FILES; file++) {
		c->st->files[file].pushes = random_of(&r) % 2;
		c->st->files[file].ahead = random_of(&r) % 2 * 3;
	}
	for (i = 0; i < h->steps && right; i++) {
		r = h->seed ^ (i + 1) * 0xff51afd7ed558ccdULL;
		if (random_op(c, &r, large, &op) && !h->skip[i])
			right = crash_do(c, &op);
	}
	return crash_end(c);
}

/* Leaves out what the failure does not need. */
void history_shrink(struct crash *c, struct history *h, int seconds)
{
	time_t end = time(NULL) + seconds;
	FILE *log = c->log;
	int i;

	c->log = NULL;
	for (i = h->steps - 1; i >= 0 && time(NULL) < end && !c->stuck; i--) {
		h->skip[i] = true;
		h->skip[i] = !history_run(c, h);
	}
	c->log = log;
}

#define U SMALL_UNIT

#define DO(what, from, n) { .kind = what, .pos = from, .len = n }

const struct script scripts[] = {
	{ "truncate up by name", false,
	  { DO(OP_WRITE, 0, 5000), DO(OP_CLOSE, 0, 0) },
	  DO(OP_CUT_NAME, 9 * U + 10, 0) },
	{ "truncate up over steps", true,
	  { DO(OP_WRITE, 0, 5000), DO(OP_SYNC, 0, 0) },
	  DO(OP_CUT, 40 * MiB, 0) },
	{ "truncate up by name over steps", true,
	  { DO(OP_WRITE, 0, 5000), DO(OP_CLOSE, 0, 0) },
	  DO(OP_CUT_NAME, 40 * MiB, 0) },
	{ "append", false,
	  { DO(OP_WRITE, 0, 5000), DO(OP_SYNC, 0, 0) },
	  DO(OP_APPEND, 5000, 3 * U) },
	{ "write behind a gap over steps", true,
	  { DO(OP_WRITE, 0, 5000), DO(OP_SYNC, 0, 0) },
	  DO(OP_WRITE, 40 * MiB, 5000) },
	{ "fsync of what is not told", false,
	  { DO(OP_WRITE, 0, 5000), DO(OP_SYNC, 0, 0),
	    DO(OP_WRITE, 3 * U, 5000) },
	  DO(OP_SYNC, 0, 0) },
	{ "close of what is not told", false,
	  { DO(OP_WRITE, 0, 5000), DO(OP_SYNC, 0, 0),
	    DO(OP_WRITE, 3 * U, 5000) },
	  DO(OP_CLOSE, 0, 0) },
	{ "close, then evicted", false,
	  { DO(OP_WRITE, 0, 5000), DO(OP_SYNC, 0, 0),
	    DO(OP_WRITE, 3 * U, 5000) },
	  DO(OP_CLOSE, 0, 1) },
	{ "close, then truncate down", false,
	  { DO(OP_WRITE, 0, 5000), DO(OP_SYNC, 0, 0),
	    DO(OP_WRITE, 3 * U, 5000) },
	  DO(OP_CLOSE, 0, 0), DO(OP_CUT, 100, 0) },
	{ "truncate down", false,
	  { DO(OP_WRITE, 0, 9 * U), DO(OP_SYNC, 0, 0) },
	  DO(OP_CUT, 2 * U + 100, 0) },
	{ "truncate down by name", false,
	  { DO(OP_WRITE, 0, 9 * U), DO(OP_CLOSE, 0, 0) },
	  DO(OP_CUT_NAME, 2 * U + 100, 0) },
	{ "truncate down of what is not told", false,
	  { DO(OP_WRITE, 0, 5000), DO(OP_SYNC, 0, 0),
	    DO(OP_WRITE, 7 * U, 5000) },
	  DO(OP_CUT, 100, 0) },
	{ "fallocate", false,
	  { DO(OP_WRITE, 0, 5000), DO(OP_SYNC, 0, 0) },
	  DO(OP_FALLOC, 3000, 5 * U) },
	{ "fallocate over steps", true,
	  { DO(OP_WRITE, 0, 5000), DO(OP_SYNC, 0, 0) },
	  DO(OP_FALLOC, 0, 40 * MiB) },
	{ "fallocate KEEP_SIZE", false,
	  { DO(OP_WRITE, 0, 5000), DO(OP_SYNC, 0, 0) },
	  DO(OP_KEEP, 3000, 5 * U) },
	{ "open with O_TRUNC", false,
	  { DO(OP_WRITE, 0, 9 * U), DO(OP_CLOSE, 0, 0) },
	  DO(OP_OPEN_TRUNC, 0, 0) },
};

const int script_count = ARRAY_SIZE(scripts);

/* What shows that nothing has been left behind: the file grows once more. */
static bool grow_again(struct crash *c)
{
	struct crash_op op = { OP_WRITE, .pos = 12 * U + 77, .len = 100 };

	return crash_do(c, &op) && (op.kind = OP_CHECK, crash_do(c, &op)) &&
	       (op.kind = OP_SYNC, crash_do(c, &op));
}

/*
 * Runs a script with its operation as the plan says, and tells how many
 * requests that took.
 */
bool script_run(struct crash *c, const struct script *s,
		const struct crash_op *plan, __u32 *requests)
{
	struct crash_op op = s->op;
	bool right = true;
	int i;

	op.how = plan->how;
	op.at = plan->at;
	op.error = plan->error;
	op.meanwhile = plan->meanwhile;
	if (crash_begin(c, s->large ? LARGE_UNIT : SMALL_UNIT,
			s->large ? LARGE_UNITS : SMALL_UNITS, true))
		crash_wrong(c, "no mount");
	for (i = 0; i < 4 && s->before[i].kind != OP_OPEN && right; i++)
		right = crash_do(c, &s->before[i]);
	if (right)
		right = crash_do(c, &op);
	*requests = c->requests;
	if (right && s->after.kind != OP_OPEN)
		right = crash_do(c, &s->after);
	if (right)
		grow_again(c);
	return crash_end(c);
}
