// SPDX-License-Identifier: GPL-2.0
/*
 * One operation of a history: it is begun, goes well or wrong, and is then
 * compared with what the contract lets come of it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "tfs_crash.h"

#define PAGE		4096UL
#define ROUND_UP(n)	(((n) + PAGE - 1) & ~(PAGE - 1))
#define STEP		(16 * MiB)

/* Longer than anything that waits for nobody. */
#define HANG_MS		20000

/* How long an operation may wait for a pinned page before that is let go. */
#define PIN_MS		30

/* How long it may wait for the size that has been left to a work item. */
#define LATE_MS		100

static __u64 now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

static bool is_done(const struct crash_task *t)
{
	return __atomic_load_n(&t->state, __ATOMIC_SEQ_CST) == TASK_DONE;
}

/* The server has stopped at the request.  Returns false if the task is gone. */
static bool stopped(struct crash *c, const struct crash_op *op)
{
	struct crash_task *t = &c->sh->task;

	switch (op->how) {
	case HOW_QUEUED:
		/* Time for the request to be there. */
		usleep(3000);
		if (is_done(t))
			break;
		return !crash_task_kill(c, t);
	case HOW_READ:
		return !crash_task_kill(c, t);
	case HOW_ABORT:
		crash_abort(c);
		break;
	case HOW_MEANWHILE:
		/* Where bytes would be lost nobody could say which ones. */
		if (crash_may_lose(c, op))
			break;
		/* It asks for the map with the ordinary inode locked. */
		c->locked = op->kind == OP_CUT_NAME;
		crash_serve(c, op->meanwhile, op->file, op->pos + op->at);
		c->locked = false;
		break;
	default:
		break;
	}
	crash_server_go(c);
	return true;
}

/* Returns false if the task is gone. */
static bool look_at_server(struct crash *c, const struct crash_op *op)
{
	struct tfs_server *srv = &c->env->srv;
	int status;

	if (!srv->pid || waitpid(srv->pid, &status, WNOHANG | WUNTRACED) <= 0)
		return true;
	if (WIFSTOPPED(status))
		return stopped(c, op);
	srv->pid = 0;
	crash_server_lost(c);
	return true;
}

/* A server that is to die does so, also where the task was quicker. */
static void wait_death(struct crash *c, const struct crash_op *op)
{
	int i;

	if (op->how != HOW_BEFORE && op->how != HOW_DONE &&
	    op->how != HOW_ANSWERED)
		return;
	for (i = 0; i < 1000 && c->env->srv.pid &&
	     __atomic_load_n(&c->sh->seen, __ATOMIC_SEQ_CST) >= op->at; i++) {
		look_at_server(c, op);
		usleep(c->env->srv.pid ? 1000 : 0);
	}
}

/* Is the moment there at which the task is to be killed by itself? */
static bool step_is_reached(struct crash *c, const struct crash_op *op,
			    __u64 size)
{
	return op->how == HOW_STEP &&
	       crash_memory_zeroed(c, op->file, ROUND_UP(size) +
				   op->at * STEP);
}

/* Waits for an operation; returns false if the task is gone. */
static bool wait_op(struct crash *c, const struct crash_op *op)
{
	__u64 begun = now_us(), size = c->sh->model[op->file].size;
	struct crash_task *t = &c->sh->task;
	__u64 ms;

	for (;;) {
		__u32 bell = __atomic_load_n(&c->sh->bell, __ATOMIC_SEQ_CST);

		if (is_done(t))
			return true;
		if (!look_at_server(c, op))
			return false;
		if (step_is_reached(c, op, size))
			return !crash_task_kill(c, t);
		ms = (now_us() - begun) / 1000;
		if (c->pin_file >= 0 && ms > PIN_MS)
			crash_unpin(c);
		if (ms > LATE_MS)
			crash_set_late(c, false);
		if (ms > HANG_MS) {
			crash_wrong(c, "it does not end");
			return !crash_task_kill(c, t);
		}
		crash_bell_wait(c->sh, bell,
				op->how == HOW_STEP ? 50 : 2000);
	}
}

static void arm(struct crash *c, const struct crash_op *op)
{
	struct crash_shared *sh = c->sh;

	sh->error = op->error;
	sh->seen = 0;
	sh->at = op->at;
	sh->how = op->how;
	if (op->how == HOW_QUEUED && op->at == 1 && !c->dead)
		kill(c->env->srv.pid, SIGSTOP);
}

static bool run_op(struct crash *c, const struct crash_op *op);

static void start_again(struct crash *c, const struct crash_op *op,
			__u64 least)
{
	struct crash_op stat = { .kind = OP_STAT, .file = op->file };
	struct crash_task *t = &c->sh->task;

	if (crash_task_start(c, t)) {
		crash_wrong(c, "no task");
		return;
	}
	/* Nobody has the file open: what it has to tell is not forgotten. */
	if ((op->kind == OP_CLOSE || op->kind == OP_SYNC) && op->len % 2) {
		crash_set_late(c, false);
		crash_evict(c);
		return;
	}
	arm(c, &stat);
	crash_task_post(c, t, &stat);
	if (!wait_op(c, &stat) || c->sh->task.size < 0)
		crash_wrong(c, "after a kill the file cannot be opened: %ld",
			    t->result);
	else
		crash_adopt(c, op, least, t->size);
}

/* Files that are open are of use without a server. */
static bool after_death(struct crash *c, const struct crash_op *op)
{
	struct crash_task *t = &c->sh->task;
	struct tfs_model *m = &c->sh->model[op->file];
	struct crash_op again = { .file = op->file, .slot = op->slot };

	if (t->pid && t->size >= 8 && op->file < CRASH_FILES) {
		again.kind = OP_CHECK;
		run_op(c, &again);
		again.kind = OP_WRITE;
		again.pos = m->size - 8;
		again.len = 8;
		run_op(c, &again);
		again.kind = OP_SYNC;
		run_op(c, &again);
	}
	return crash_host_gone(c);
}

/* Returns false if something is wrong. */
static bool run_op(struct crash *c, const struct crash_op *given)
{
	struct crash_op well = *given;
	const struct crash_op *op = &well;
	struct crash_task *t = &c->sh->task;
	__u64 least = 0;
	bool done;

	/* A size that is refused when the map is gone is lost. */
	if (well.how == HOW_FAIL && crash_loses(c, well.file))
		well.how = HOW_WELL;
	c->id++;
	if (op->file < CRASH_FILES) {
		crash_allow(c, op);
		if (op->how == HOW_FAIL)
			c->sh->model[op->file].lossy = true;
	}
	arm(c, op);
	crash_task_post(c, t, op);
	done = wait_op(c, op);
	__atomic_store_n(&c->sh->how, HOW_WELL, __ATOMIC_SEQ_CST);
	c->requests = __atomic_load_n(&c->sh->seen, __ATOMIC_SEQ_CST);
	wait_death(c, op);
	crash_server_go(c);
	if (op->kind != OP_STAT)
		crash_set_late(c, !done && op->how == HOW_QUEUED && !c->dead);
	if (c->log)
		fprintf(c->log, "   %s %ld, size %lld, %u requests%s\n",
			done ? "result" : "killed", done ? t->result : 0,
			done ? t->size : 0, c->requests,
			c->dead ? ", no server" : "");
	if (op->file >= CRASH_FILES)
		return !c->sh->wrong[0];
	least = crash_judge(c, op, done);
	if (done && t->size >= 0)
		crash_adopt(c, op, least, t->size);
	else if (!done && !c->dead)
		start_again(c, op, least);
	return !c->sh->wrong[0];
}

static void free_heir(struct crash *c)
{
	struct tfs_file *heir = &c->st->files[CRASH_HEIR];

	crash_serve(c, OP_REVOKE, CRASH_HEIR, 0);
	while (heir->units > 1)
		c->st->pool.owner[heir->unit[--heir->units]] = 0;
	heir->size = heir->units * c->st->pool.unit;
	crash_memory_settle(c);
}

/* The heir gives up what it has when there is little left. */
static void make_room(struct crash *c)
{
	struct tfs_file *heir = &c->st->files[CRASH_HEIR];
	struct tfs_pool *pool = &c->st->pool;
	__u32 i, unused = 0;

	for (i = 0; i < pool->units; i++)
		unused += !pool->owner[i];
	if (unused > pool->units * 5 / 8 || heir->units < 2 ||
	    !crash_server_hold(c))
		return;
	free_heir(c);
	crash_server_go(c);
}

static bool close_all(struct crash *c)
{
	struct crash_op op = { .kind = OP_CLOSE };

	crash_set_late(c, false);
	for (op.file = 0; op.file < CRASH_FILES; op.file++)
		for (op.slot = 0; op.slot < CRASH_SLOTS; op.slot++)
			if (!run_op(c, &op))
				return false;
	return true;
}

static bool kill_idle(struct crash *c, const struct crash_op *op)
{
	crash_task_kill(c, &c->sh->task);
	start_again(c, op, c->sh->model[op->file].size);
	return !c->sh->wrong[0];
}

/* As the server, which does not see to anything meanwhile. */
static void act(struct crash *c, enum crash_kind kind, int file, __u64 pos)
{
	if (!crash_server_hold(c))
		return;
	crash_serve(c, kind, file, pos);
	crash_server_go(c);
}

/* What the file has lost by that is known at once. */
static bool serve(struct crash *c, const struct crash_op *op)
{
	const struct crash_op stat = { .kind = OP_STAT, .file = op->file,
				       .slot = op->slot };

	act(c, op->kind, op->file, op->pos);
	if (c->dead || !c->sh->model[op->file].loose)
		return !c->sh->wrong[0];
	crash_server_drain(c, op->file);
	return !c->sh->wrong[0] && run_op(c, &stat);
}

static bool run_any(struct crash *c, const struct crash_op *op)
{
	switch (op->kind) {
	case OP_PIN:
		/* A page behind the end cannot be. */
		if (op->pos < c->sh->model[op->file].size)
			crash_pin(c, op->file, op->pos);
		return true;
	case OP_UNPIN:
		crash_unpin(c);
		return true;
	case OP_EVICT:
		return close_all(c) && crash_evict(c);
	case OP_REMOUNT:
		return crash_host_gone(c);
	case OP_KILL:
		return kill_idle(c, op);
	case OP_HEIR:
		act(c, OP_REVOKE, CRASH_HEIR, 0);
		return run_op(c, op);
	default:
		break;
	}
	if (op->kind > OP_LAST_TASK)
		return serve(c, op);
	return run_op(c, op);
}

/* Does an operation, and what has to follow; false if something is wrong. */
bool crash_do(struct crash *c, const struct crash_op *op)
{
	c->ops++;
	if (c->log) {
		fprintf(c->log, "%s\n", crash_op_text(op));
		fflush(c->log);
	}
	make_room(c);
	if (!run_any(c, op))
		return false;
	return c->dead ? after_death(c, op) : true;
}

static void add_files(struct crash *c)
{
	struct tfs_server *srv = &c->env->srv;

	memset(c->st->files, 0, sizeof(c->st->files));
	c->st->arena_used = 64;
	tfs_add_growing(srv, "f", 1);
	tfs_add_growing(srv, "g", 1);
	tfs_add_growing(srv, "heir", 1);
	c->st->files[CRASH_HEIR].size = c->st->pool.unit;
	tfs_add_simple(c->env, "probe", PAGE, 0, 0);
}

/* Two empty files, a pool, and a mount. */
int crash_begin(struct crash *c, __u64 unit, __u32 units, bool heir)
{
	int file, err;

	rules_clear(&c->env->srv);
	tfs_pool_init(&c->env->srv, 0, 4 * MiB, unit, units);
	err = crash_memory_reset(c);
	if (err)
		return err;
	memset(&c->sh->bell, 0, sizeof(*c->sh) -
	       offsetof(struct crash_shared, bell));
	c->sh->heir = heir;
	c->id = 0;
	c->pin_file = -1;
	add_files(c);
	crash_memory_settle(c);
	for (file = 0; file < CRASH_FILES; file++)
		model_init(&c->sh->model[file]);
	return crash_mount(c);
}

static bool compare(struct crash *c)
{
	struct crash_op op = { .kind = OP_CHECK };

	for (op.file = 0; op.file < CRASH_FILES; op.file++)
		if (!run_op(c, &op))
			return false;
	op.file = CRASH_HEIR;
	op.kind = OP_HEIR;
	return run_any(c, &op);
}

/* Compares everything as it is when it is opened anew. */
bool crash_end(struct crash *c)
{
	bool right = !c->sh->wrong[0];

	if (right)
		right = close_all(c) && crash_evict(c) && compare(c) &&
			crash_memory_idle(c);
	crash_unpin(c);
	crash_task_kill(c, &c->sh->task);
	crash_server_lost(c);
	/* It may have died in the middle of something. */
	crash_memory_settle(c);
	umount2(c->env->dir, MNT_DETACH);
	c->env->mounted = false;
	return right;
}

/* Returns why histories cannot be, or NULL. */
const char *crash_init(struct crash *c, struct tfs_env *env)
{
	memset(c, 0, sizeof(*c));
	c->env = env;
	c->st = env->srv.st;
	c->dev = -1;
	c->pin_file = -1;
	c->sh = mmap(NULL, sizeof(*c->sh), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c->sh == MAP_FAILED)
		return "need memory";
	snprintf(c->ctl, sizeof(c->ctl), "/tmp/famfs_ctl_XXXXXX");
	if (!mkdtemp(c->ctl) || mount("fusectl", c->ctl, "fusectl", 0, NULL))
		return "need fusectl";
	return crash_memory_init(c);
}

void crash_exit(struct crash *c)
{
	if (c->ctl[0]) {
		umount2(c->ctl, MNT_DETACH);
		rmdir(c->ctl);
	}
}
