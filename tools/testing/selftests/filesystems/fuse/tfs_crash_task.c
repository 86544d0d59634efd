// SPDX-License-Identifier: GPL-2.0
/*
 * A task that uses the files: it does one operation after the other, as it is
 * told, until it is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tfs_crash.h"
#include "tfs_jobs.h"

#define PAGE	4096UL

static int fds[CRASH_FILES][CRASH_SLOTS];
static char *buf;

static long futex(__u32 *word, int op, __u32 value, long us)
{
	const struct timespec ts = {
		.tv_sec = us / 1000000,
		.tv_nsec = us % 1000000 * 1000,
	};

	return syscall(SYS_futex, word, op, value, &ts, NULL, 0);
}

void crash_bell_ring(struct crash_shared *sh)
{
	__atomic_add_fetch(&sh->bell, 1, __ATOMIC_SEQ_CST);
	futex(&sh->bell, FUTEX_WAKE, 8, 0);
}

void crash_bell_wait(struct crash_shared *sh, __u32 seen, long us)
{
	futex(&sh->bell, FUTEX_WAIT, seen, us);
}

static const char *name_of(int file)
{
	static const char *const names[] = { "f", "g", "heir", "probe" };

	return names[file];
}

static int open_slot(struct crash *c, const struct crash_op *op, int flags)
{
	int *fd = &fds[op->file][op->slot];

	if (*fd < 0)
		*fd = tfs_open(c->env, name_of(op->file), O_RDWR | flags);
	return *fd;
}

static long result_of(long n)
{
	return n < 0 ? -errno : n;
}

static long do_write(int fd, struct crash_task *t, bool append)
{
	struct iovec iov = { buf, t->op.len };

	model_fill(t->id, t->op.pos, buf, t->op.len);
	return result_of(pwritev2(fd, &iov, 1, t->op.pos,
				  append ? RWF_APPEND : 0));
}

static sigjmp_buf bus;

static void on_bus(int sig)
{
	siglongjmp(bus, sig);
}

/* Stores through a mapping; the bytes are those of do_write(). */
static long do_store(int fd, struct crash_task *t, int how)
{
	__u64 from = t->op.pos & ~(PAGE - 1);
	size_t len = t->op.pos + t->op.len - from;
	char *map = mmap(NULL, len, PROT_READ | PROT_WRITE, how, fd, from);
	long result = t->op.len;

	if (map == MAP_FAILED)
		return -errno;
	signal(SIGBUS, on_bus);
	model_fill(t->id, t->op.pos, buf, t->op.len);
	if (sigsetjmp(bus, 1))
		result = -EFAULT;
	else
		memcpy(map + (t->op.pos - from), buf, t->op.len);
	signal(SIGBUS, SIG_DFL);
	munmap(map, len);
	return result;
}

/* What a private mapping has behind the end goes with a truncate. */
static long do_private(struct crash *c, int fd, struct crash_task *t)
{
	char *map = mmap(NULL, t->op.pos + PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE, fd, 0);
	char *page = map + (t->op.pos & ~(PAGE - 1));
	long result;

	if (map == MAP_FAILED)
		return -errno;
	result = store_byte(page, 'p') ? -EFAULT :
		 result_of(ftruncate(fd, t->op.len));
	if (!result && PAGE <= t->op.pos - t->op.len &&
	    load_byte(page) != SIGBUS)
		crash_wrong(c, "a private page at %llu is there behind the end at %llu",
			    t->op.pos, t->op.len);
	munmap(map, t->op.pos + PAGE);
	return result;
}

static long cut_name(struct crash *c, const struct crash_op *op)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", c->env->dir, name_of(op->file));
	return result_of(truncate(path, op->pos));
}

static bool copy_page(char *to, int fd, __u64 pos)
{
	char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, pos);
	bool copied = false;

	if (map == MAP_FAILED)
		return false;
	signal(SIGBUS, on_bus);
	if (!sigsetjmp(bus, 1)) {
		memcpy(to, map, PAGE);
		copied = true;
	}
	signal(SIGBUS, SIG_DFL);
	munmap(map, PAGE);
	return copied;
}

static bool is_zero(const char *p, size_t len)
{
	while (len && !*p)
		p++, len--;
	return !len;
}

/*
 * A mapping shows the rest of the last page: zeros, or what the file had there
 * when something went wrong, but not what was there before.
 */
static void check_rest(struct crash *c, int fd, int file, __u64 size)
{
	const struct tfs_file *f = &c->st->files[file];
	__u64 at = (size + 63) / 64 * 64, page = size & ~(PAGE - 1);

	if (size % PAGE == 0 || !copy_page(buf, fd, page))
		return;
	if (!c->sh->model[file].stale &&
	    !is_zero(buf + size % PAGE, PAGE - size % PAGE))
		crash_wrong(c, "%s has %llu bytes, and more behind them",
			    name_of(file), size);
	for (; at < page + PAGE; at += 64) {
		__u64 place = tfs_place(&c->env->srv, f, at);

		if (place == ~0ULL ||
		    !crash_is_pattern(c, place, buf + at - page, 8))
			continue;
		crash_wrong(c, "%s has %llu bytes, and shows old ones at %llu",
			    name_of(file), size, at);
		return;
	}
}

/* Compares the whole file by read(), and what is behind it by a mapping. */
static long check(struct crash *c, int fd, const struct crash_op *op)
{
	const struct tfs_model *m = &c->sh->model[op->file];
	__u64 pos = 0;
	size_t right;
	ssize_t n;

	while ((n = pread(fd, buf, MiB, pos)) > 0) {
		right = model_match(m, pos, buf, n);
		pos += right;
		if (right < (size_t)n) {
			const struct model_span *s = model_at(m, pos);

			crash_wrong(c, "%s is %02x at %llu of %llu, not of write %u (of %u)",
				    name_of(op->file),
				    (unsigned char)buf[right], pos, m->size,
				    s->id[0], s->n);
			return -EBADMSG;
		}
	}
	if (n < 0)
		return -errno;
	check_rest(c, fd, op->file, pos);
	return 0;
}

/* The heir's bytes are those of the places that it has. */
static long check_heir(struct crash *c)
{
	struct tfs_file *heir = &c->st->files[CRASH_HEIR];
	int fd = tfs_open(c->env, name_of(CRASH_HEIR), O_RDONLY);
	__u64 pos;

	if (fd < 0) {
		crash_wrong(c, "the heir cannot be opened: %d", fd);
		return fd;
	}
	for (pos = 0; pos < heir->size; pos += CRASH_CHUNK)
		if (pread(fd, buf, CRASH_CHUNK, pos) != CRASH_CHUNK ||
		    !crash_is_pattern(c, tfs_place(&c->env->srv, heir, pos),
				      buf, CRASH_CHUNK))
			crash_wrong(c, "the heir's bytes have changed at %llu",
				    pos);
	close(fd);
	return 0;
}

/* The device is free for this mount when the last one is gone. */
static long probe(struct crash *c)
{
	int i, err = 0;

	for (i = 0; i < 5000; i++) {
		err = tfs_try_open(c->env, name_of(CRASH_PROBE), O_RDONLY);
		if (err != -EBUSY)
			break;
		usleep(1000);
	}
	return err;
}

static long close_slot(const struct crash_op *op)
{
	int *fd = &fds[op->file][op->slot], old = *fd;

	if (old < 0)
		return 1;
	*fd = -1;
	return result_of(close(old));
}

static long dup_slot(const struct crash_op *op)
{
	int *to = &fds[op->file][(op->slot + 1) % CRASH_SLOTS];

	if (*to < 0)
		*to = dup(fds[op->file][op->slot]);
	return 0;
}

static long pin(struct crash *c, const struct crash_op *op)
{
	int fd = tfs_open(c->env, name_of(op->file), O_RDWR), pipes[2];
	char *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd,
			  op->pos & ~(PAGE - 1));
	long err = page == MAP_FAILED ? -errno : tfs_pin(pipes, page);

	if (page != MAP_FAILED)
		munmap(page, PAGE);
	close(fd);
	return err;
}

static long with_slot(struct crash *c, struct crash_task *t)
{
	const struct crash_op *op = &t->op;
	int fd = open_slot(c, op, op->kind == OP_OPEN_TRUNC ? O_TRUNC : 0);

	if (fd < 0)
		return fd;
	switch (op->kind) {
	case OP_DUP:
		return dup_slot(op);
	case OP_WRITE:
		return do_write(fd, t, false);
	case OP_APPEND:
		return do_write(fd, t, true);
	case OP_STORE:
		return do_store(fd, t, MAP_SHARED);
	case OP_PRIVATE:
		return do_private(c, fd, t);
	case OP_CUT:
		return result_of(ftruncate(fd, op->pos));
	case OP_FALLOC:
		return result_of(fallocate(fd, 0, op->pos, op->len));
	case OP_KEEP:
		return result_of(fallocate(fd, FALLOC_FL_KEEP_SIZE, op->pos,
					   op->len));
	case OP_SYNC:
		return result_of(fsync(fd));
	case OP_CHECK:
		return check(c, fd, op);
	default:
		return 0;
	}
}

static long run(struct crash *c, struct crash_task *t)
{
	switch (t->op.kind) {
	case OP_CLOSE:
		return close_slot(&t->op);
	case OP_OPEN_TRUNC:
		close_slot(&t->op);
		return with_slot(c, t);
	case OP_CUT_NAME:
		return cut_name(c, &t->op);
	case OP_HEIR:
		return check_heir(c);
	case OP_PROBE:
		return probe(c);
	case OP_PIN:
		return pin(c, &t->op);
	default:
		return with_slot(c, t);
	}
}

/* The size as this kernel knows it, without a question to the server. */
static __s64 size_now(const struct crash_op *op)
{
	struct statx stx;
	int i;

	for (i = 0; op->file < CRASH_FILES && i < CRASH_SLOTS; i++)
		if (fds[op->file][i] >= 0 &&
		    !statx(fds[op->file][i], "", AT_EMPTY_PATH |
			   AT_STATX_DONT_SYNC, STATX_SIZE, &stx))
			return stx.stx_size;
	return -1;
}

static void loop(struct crash *c, struct crash_task *t)
{
	memset(fds, -1, sizeof(fds));
	buf = malloc(MiB);
	if (!buf)
		_exit(1);
	for (;;) {
		__u32 state;

		while ((state = __atomic_load_n(&t->state, __ATOMIC_SEQ_CST)) !=
		       TASK_POSTED)
			futex(&t->state, FUTEX_WAIT, state, 100000);
		t->result = run(c, t);
		t->size = size_now(&t->op);
		__atomic_store_n(&t->state, TASK_DONE, __ATOMIC_SEQ_CST);
		crash_bell_ring(c->sh);
	}
}

int crash_task_start(struct crash *c, struct crash_task *t)
{
	pid_t test = getpid(), pid;

	memset(t, 0, sizeof(*t));
	/* What the child has of this is the same memory. */
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The connection is not to live on because of this task. */
		syscall(SYS_close_range, 3, ~0U, 0);
		if (getppid() == test)
			loop(c, t);
		_exit(1);
	}
	t->pid = pid;
	return 0;
}

void crash_task_post(struct crash *c, struct crash_task *t,
		     const struct crash_op *op)
{
	t->op = *op;
	t->id = c->id;
	__atomic_store_n(&t->state, TASK_POSTED, __ATOMIC_SEQ_CST);
	futex(&t->state, FUTEX_WAKE, 8, 0);
}

/* Has the server keep, or not any more, what a killed task has left. */
void crash_set_late(struct crash *c, bool late)
{
	struct tfs_server *srv = &c->env->srv;

	if (c->sh->late == late)
		return;
	c->sh->late = late;
	if (late)
		rule_hold(srv, FUSE_SETATTR, TFS_ANY);
	else
		rules_release_op(srv, FUSE_SETATTR);
}
