/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Histories of growing files with crashes in them.
 *
 * Three parties: the test, which decides, keeps the model and does what a
 * server does by itself; the server, which looks at the memory before it does
 * what it is asked to; and tasks, which use the files and can be killed.  What
 * they share lies in struct crash_shared.
 */
#ifndef TFS_CRASH_H
#define TFS_CRASH_H

#include <stdio.h>

#include "tfs_crash_model.h"
#include "kselftest.h"
#include "tfs_env.h"

#define CRASH_FILES	2		/* "f" and "g"; the third is "heir" */
#define CRASH_HEIR	CRASH_FILES
#define CRASH_PROBE	(CRASH_FILES + 1)

/* What the pool consists of, whatever its units are. */
#define CRASH_CHUNK	(64 * 1024UL)
#define CRASH_CHUNKS	(TFS_MAX_UNITS * 4)

#define CRASH_SLOTS	3		/* descriptors of each file */

/* In the file's place: what the operation or the server has to do with. */
enum crash_kind {
	/* What a task does. */
	OP_OPEN, OP_OPEN_TRUNC, OP_CLOSE, OP_DUP, OP_WRITE, OP_APPEND,
	OP_STORE, OP_PRIVATE, OP_CUT, OP_CUT_NAME, OP_FALLOC, OP_KEEP, OP_SYNC,
	OP_CHECK, OP_STAT, OP_HEIR, OP_PROBE,
	OP_LAST_TASK = OP_PROBE,
	/* What the server does by itself. */
	OP_PUSH, OP_AHEAD, OP_MOVE, OP_REVOKE, OP_TRADE,
	/* What happens. */
	OP_PIN, OP_UNPIN, OP_EVICT, OP_REMOUNT, OP_KILL,
	OP_KINDS,
};

/* How it goes wrong, at a request by number. */
enum crash_how {
	HOW_WELL,
	HOW_FAIL,		/* the server answers with an error */
	HOW_QUEUED,		/* the task is killed, the request not read */
	HOW_READ,		/* the task is killed, the request read */
	HOW_BEFORE,		/* the server dies, and has not done it */
	HOW_DONE,		/* ... and has, but not answered */
	HOW_ANSWERED,		/* ... and has answered */
	HOW_ABORT,		/* the connection ends, the request read */
	HOW_STEP,		/* the task is killed when it zeroes step at */
	HOW_MEANWHILE,		/* the server does something else first */
	HOW_HOWS,
};

struct crash_op {
	enum crash_kind kind;
	int file, slot;
	__u64 pos, len;
	enum crash_how how;
	__u32 at;			/* from 1 on; steps from 0 on */
	int error;
	enum crash_kind meanwhile;
};

struct crash_task {
	__u32 state;
	pid_t pid;
	struct crash_op op;
	__u32 id;			/* of what it writes */
	long result;			/* or -errno */
	__s64 size;			/* afterwards, or -1 */
};

struct crash_shared {
	bool used[CRASH_CHUNKS];	/* is to get the pattern again */
	/* The rest is new in each history. */
	__u32 bell;			/* rung for the test to look again */
	struct crash_task task, pinner;
	struct tfs_model model[CRASH_FILES];
	enum crash_how how;		/* what the server is to do ... */
	__u32 at, seen;			/* ... at which request */
	int error;
	bool late;			/* sizes that nobody waits for wait */
	__u8 owner[TFS_MAX_UNITS];	/* as far as the memory is settled */
	bool heir;			/* takes what others give back */
	bool busy;			/* the server is, with a request */
	__u64 void_from[CRASH_FILES];	/* told sizes that say nothing, or 0 */
	char wrong[512];		/* the first thing that was */
};

struct crash {
	struct tfs_env *env;
	struct tfs_state *st;
	struct crash_shared *sh;
	char *mem;			/* of the pool */
	size_t mem_len;
	int mem_fd;
	unsigned long long start;	/* of the device, in physical memory */
	int dev;			/* for notifications, or -1 */
	char ctl[64];			/* where fusectl is mounted */
	unsigned int minor;		/* of the mount */
	bool dead;			/* the connection is */
	bool locked;			/* a file that may have no map yet */
	bool stuck;			/* a task that SIGKILL does not end */
	int pin_file;			/* of which a page is pinned, or -1 */
	__u64 pin_pos;
	__u32 id;			/* of the last write */
	__u32 requests;			/* of the last operation */
	__u64 ops, crashes;
	FILE *log;			/* or NULL */
};

/* tfs_crash_memory.c: what is in the pool. */
const char *crash_memory_init(struct crash *c);
int crash_memory_reset(struct crash *c);
bool crash_is_pattern(struct crash *c, __u64 place, const void *buf,
		      size_t len);
void crash_unit_use(struct crash *c, __u32 unit);
void crash_memory_settle(struct crash *c);
bool crash_memory_idle(struct crash *c);
bool crash_told(struct crash *c, int file, __u64 size);
void crash_memory_check(struct crash *c, int file);
bool crash_memory_zeroed(struct crash *c, int file, __u64 pos);
char *crash_memory_unit(struct crash *c, __u32 unit);
int crash_unit_take(struct crash *c);
void crash_wrong(struct crash *c, const char *format, ...)
	__printf(2, 3);

/* tfs_crash_task.c: what uses the files. */
enum { TASK_IDLE, TASK_POSTED, TASK_DONE };

int crash_task_start(struct crash *c, struct crash_task *t);
void crash_task_post(struct crash *c, struct crash_task *t,
		     const struct crash_op *op);
void crash_set_late(struct crash *c, bool late);
void crash_bell_ring(struct crash_shared *sh);
void crash_bell_wait(struct crash_shared *sh, __u32 seen, long us);

/* tfs_crash_run.c: operations, and what becomes of them. */
const char *crash_init(struct crash *c, struct tfs_env *env);
void crash_exit(struct crash *c);
int crash_begin(struct crash *c, __u64 unit, __u32 units, bool heir);
bool crash_do(struct crash *c, const struct crash_op *op);
bool crash_end(struct crash *c);
const char *crash_op_text(const struct crash_op *op);

/* tfs_crash_judge.c: what the contract says to it. */
bool crash_pinned(const struct crash *c, int file, __u64 pos);
bool crash_loses(const struct crash *c, int file);
void crash_lose(struct crash *c, int file, __u64 size);
bool crash_may_lose(const struct crash *c, const struct crash_op *op);
void crash_allow(struct crash *c, const struct crash_op *op);
__u64 crash_judge(struct crash *c, const struct crash_op *op, bool done);
void crash_adopt(struct crash *c, const struct crash_op *op, __u64 least,
		 __u64 size);

/* tfs_crash_server.c: what a server does by itself, and its end. */
bool crash_server_hold(struct crash *c);
void crash_server_go(struct crash *c);
void crash_server_drain(struct crash *c, int file);
void crash_serve(struct crash *c, enum crash_kind kind, int file, __u64 pos);
int crash_pin(struct crash *c, int file, __u64 pos);
void crash_unpin(struct crash *c);
int crash_mount(struct crash *c);
void crash_server_lost(struct crash *c);
void crash_abort(struct crash *c);
bool crash_task_kill(struct crash *c, struct crash_task *t);
bool crash_host_gone(struct crash *c);
bool crash_evict(struct crash *c);

#endif /* TFS_CRASH_H */
