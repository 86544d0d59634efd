// SPDX-License-Identifier: GPL-2.0
/*
 * What a server does by itself in histories with crashes, and the ends of it:
 * of tasks, of the connection, of the server and of the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "tfs_crash.h"

static struct tfs_file *file_of(struct crash *c, int file)
{
	return &c->st->files[file];
}

/*
 * To the kernel the test and the server are one, and what one of them does the
 * other has to know: a map that says a size from before one that has been
 * replied to makes the file smaller.  So the test acts while the server has
 * stopped between requests.  Returns false if there is none any more.
 */
bool crash_server_hold(struct crash *c)
{
	struct tfs_server *srv = &c->env->srv;
	int status;

	while (!c->dead && !kill(srv->pid, SIGSTOP) &&
	       waitpid(srv->pid, &status, WUNTRACED) == srv->pid) {
		if (!WIFSTOPPED(status)) {
			srv->pid = 0;
			crash_server_lost(c);
			break;
		}
		if (!c->sh->busy)
			return true;
		crash_server_go(c);
		usleep(100);
	}
	return false;
}

void crash_server_go(struct crash *c)
{
	if (c->env->srv.pid)
		kill(c->env->srv.pid, SIGCONT);
}

static long read_ctl(struct crash *c, const char *name, const char *format)
{
	char path[128];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%u/%s", c->ctl, c->minor, name);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fscanf(f, format, &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

/* Has the server see to what was on its way when a file lost memory. */
void crash_server_drain(struct crash *c, int file)
{
	int i;

	for (i = 0; i < 2000 && read_ctl(c, "waiting", "%ld") > 0; i++)
		usleep(1000);
	c->sh->void_from[file] = 0;
}

/* Pages that are pinned are a good reason, and so is a file nobody knows. */
static bool pushed(struct crash *c, int file, int err)
{
	if (err == -EBUSY && (c->pin_file == file || c->locked))
		return false;
	if (err && err != -ENOENT)
		crash_wrong(c, "a map of file %d is refused: %d", file, err);
	return !err || err == -ENOENT;
}

static bool push(struct crash *c, int file)
{
	struct tfs_file *f = file_of(c, file);
	int err = tfs_push_file(&c->env->srv, c->dev, f);

	if (!err && file < CRASH_FILES) {
		if (crash_loses(c, file))
			crash_lose(c, file, f->size);
		c->sh->model[file].revoked = false;
	}
	return pushed(c, file, err);
}

static bool revoke_map(struct crash *c, int file)
{
	int err = tfs_revoke(c->dev, file);

	if (!err && file < CRASH_FILES)
		c->sh->model[file].revoked = true;
	if (!err && crash_pinned(c, file, 0))
		crash_wrong(c, "a map is revoked while a page is pinned");
	return pushed(c, file, err);
}

static void change_owner(struct crash *c, __u32 unit, int file)
{
	c->st->pool.owner[unit] = file + 1;
	c->sh->owner[unit] = file + 1;
	crash_unit_use(c, unit);
}

static void swap_unit(struct crash *c, int file, __u32 i, int to)
{
	struct tfs_file *f = file_of(c, file);

	memcpy(crash_memory_unit(c, to), crash_memory_unit(c, f->unit[i]),
	       c->st->pool.unit);
	change_owner(c, to, file);
	f->unit[i] = to;
}

/* Moves a unit's bytes while nobody uses the file, all of which is told. */
static void move_told(struct crash *c, int file, __u32 i)
{
	struct tfs_file *f = file_of(c, file);
	__u32 old = f->unit[i];
	int to = crash_unit_take(c);

	if (to < 0)
		return;
	swap_unit(c, file, i, to);
	if (push(c, file)) {
		if (crash_pinned(c, file, i * c->st->pool.unit))
			crash_wrong(c, "a page has moved that is pinned");
	} else {
		f->unit[i] = old;
		old = to;
	}
	c->st->pool.owner[old] = 0;
	crash_memory_settle(c);
}

/* Moves a unit's bytes while nobody on this host reaches them. */
static void move_unit(struct crash *c, int file, __u64 pos)
{
	struct tfs_file *f = file_of(c, file);
	__u32 i = pos / c->st->pool.unit % f->units, old = f->unit[i];
	int to = crash_unit_take(c);

	if (to < 0 || !revoke_map(c, file))
		return;
	swap_unit(c, file, i, to);
	c->st->pool.owner[old] = 0;
	crash_memory_settle(c);
	/* A push now would say that there is nothing behind the size we know. */
}

/* Other memory, of whatever content, for what the server knows nothing of. */
static void trade_units(struct crash *c, int file)
{
	struct tfs_file *f = file_of(c, file);
	__u64 unit = c->st->pool.unit;
	__u32 from = f->size ? (f->size + unit - 1) / unit : 1, i;
	struct tfs_file old = *f;

	for (i = from; i < f->units; i++) {
		int to = crash_unit_take(c);

		if (to < 0)
			break;
		change_owner(c, to, file);
		f->unit[i] = to;
	}
	if (push(c, file)) {
		for (i = from; i < f->units; i++)
			if (f->unit[i] != old.unit[i])
				c->st->pool.owner[old.unit[i]] = 0;
		if (i > from && crash_pinned(c, file, from * unit))
			crash_wrong(c, "a page has moved that is pinned");
		crash_lose(c, file, f->size > from * unit ? f->size : from * unit);
	} else {
		for (i = from; i < f->units; i++)
			if (f->unit[i] != old.unit[i])
				change_owner(c, f->unit[i], -1);
		*f = old;
	}
	crash_memory_settle(c);
}

/* What a server may do at any time, while it has stopped; pos has it vary. */
void crash_serve(struct crash *c, enum crash_kind kind, int file, __u64 pos)
{
	struct tfs_file *f = file_of(c, file);

	switch (kind) {
	case OP_PUSH:
		push(c, file);
		return;
	case OP_AHEAD:
		tfs_grow(&c->env->srv, f, (f->units + 1 + pos % 3) *
			 c->st->pool.unit);
		crash_memory_settle(c);
		push(c, file);
		return;
	case OP_MOVE:
		if (c->sh->how == HOW_WELL && !c->sh->late &&
		    f->size == c->sh->model[file].size && pos % 4)
			move_told(c, file, pos / c->st->pool.unit % f->units);
		else
			move_unit(c, file, pos);
		return;
	case OP_REVOKE:
		revoke_map(c, file);
		return;
	case OP_TRADE:
		trade_units(c, file);
		return;
	default:
		return;
	}
}

/* Waits until this mount has the device. */
static int wait_device(struct crash *c)
{
	struct crash_op op = { .kind = OP_PROBE, .file = CRASH_PROBE };
	struct crash_task *t = &c->sh->task;
	int i;

	crash_task_post(c, t, &op);
	for (i = 0; i < 100000; i++) {
		if (__atomic_load_n(&t->state, __ATOMIC_SEQ_CST) == TASK_DONE)
			return t->result;
		usleep(100);
	}
	return -ETIMEDOUT;
}

/*
 * A new connection and a task.  It can use the device when the last one's
 * inodes are gone.
 */
int crash_mount(struct crash *c)
{
	struct tfs_server *srv = &c->env->srv;
	struct stat st;
	int err;

	if (srv->fd < 0)
		srv->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	c->dev = fcntl(srv->fd, F_DUPFD_CLOEXEC, 3);
	c->st->held = 0;
	c->sh->busy = false;
	c->sh->how = HOW_WELL;
	c->dead = false;
	err = tfs_mount_fork(c->env);
	if (err || stat(c->env->dir, &st))
		return err ? err : -errno;
	c->minor = minor(st.st_dev);
	err = crash_task_start(c, &c->sh->task);
	return err ? err : wait_device(c);
}

/* The server has died, and with its last descriptor dies the connection. */
void crash_server_lost(struct crash *c)
{
	struct tfs_server *srv = &c->env->srv;

	if (srv->pid) {
		kill(srv->pid, SIGKILL);
		waitpid(srv->pid, NULL, 0);
	}
	srv->pid = 0;
	if (c->dev >= 0)
		close(c->dev);
	c->dev = -1;
	c->dead = true;
}

void crash_abort(struct crash *c)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%u/abort", c->ctl, c->minor);
	tfs_write_text(path, "1");
	c->dead = true;
}

/* Is it gone before so many ms have passed? */
static bool gone(struct crash *c, pid_t pid, int ms, bool served)
{
	while (waitpid(pid, NULL, WNOHANG) != pid) {
		if (!ms--)
			return false;
		/* It may be about to stop because of what was before. */
		if (served && c->env->srv.pid)
			kill(c->env->srv.pid, SIGCONT);
		usleep(1000);
	}
	return true;
}

/*
 * What only the server can end is given the time for it, where it has been
 * stopped.
 */
bool crash_task_kill(struct crash *c, struct crash_task *t)
{
	bool died;

	if (!t->pid)
		return true;
	kill(t->pid, SIGKILL);
	died = gone(c, t->pid, 50, false);
	if (c->env->srv.pid)
		kill(c->env->srv.pid, SIGCONT);
	if (!died)
		died = gone(c, t->pid, 10000, true);
	if (!died) {
		crash_wrong(c, "a task that was killed does not end");
		crash_abort(c);
		died = gone(c, t->pid, 3000, true);
	}
	c->stuck |= !died;
	t->pid = 0;
	return died;
}

void crash_unpin(struct crash *c)
{
	crash_task_kill(c, &c->sh->pinner);
	c->pin_file = -1;
}

int crash_pin(struct crash *c, int file, __u64 pos)
{
	struct crash_op op = { .kind = OP_PIN, .file = file, .pos = pos };
	struct crash_task *t = &c->sh->pinner;
	int i, err;

	crash_unpin(c);
	err = crash_task_start(c, t);
	if (err)
		return err;
	c->pin_file = file;
	c->pin_pos = pos & ~4095ULL;
	crash_task_post(c, t, &op);
	for (i = 0; i < 5000; i++) {
		if (__atomic_load_n(&t->state, __ATOMIC_SEQ_CST) == TASK_DONE)
			break;
		usleep(500);
	}
	err = i < 5000 ? t->result : -ETIMEDOUT;
	if (err)
		crash_unpin(c);
	return err;
}

/* Nothing is left of what the kernel knew. */
static void forget(struct tfs_model *m, __u64 size)
{
	if (size != m->size)
		m->stale = true;
	model_resize(m, size);
	m->promised = size;
	m->lossy = false;
	m->revoked = false;
	m->loose = false;
}

/* The file as the next host finds it, and has the server make it. */
static void recover(struct crash *c, int file)
{
	struct tfs_model *m = &c->sh->model[file];
	struct tfs_file *f = file_of(c, file);

	if (f->size < m->promised)
		crash_wrong(c, "%s has %llu bytes, and was promised to have %llu",
			    f->name, f->size, m->promised);
	if (f->size > m->most)
		crash_wrong(c, "%s has %llu bytes, and had never more than %llu",
			    f->name, f->size, m->most);
	crash_memory_check(c, file);
	forget(m, f->size);
	tfs_shrink(&c->env->srv, f, f->size);
	crash_memory_settle(c);
}

/* Nothing is left of this host; another goes on with what the server has. */
bool crash_host_gone(struct crash *c)
{
	int file, err;

	c->crashes++;
	crash_unpin(c);
	crash_task_kill(c, &c->sh->task);
	crash_server_lost(c);
	if (c->stuck)
		return false;
	umount2(c->env->dir, MNT_DETACH);
	c->env->mounted = false;
	err = crash_mount(c);
	if (err)
		crash_wrong(c, "no mount after a crash: %d", err);
	for (file = 0; file < CRASH_FILES; file++)
		recover(c, file);
	crash_memory_idle(c);
	return !c->sh->wrong[0];
}

/* Has the kernel forget all files, which nobody has open. */
bool crash_evict(struct crash *c)
{
	int i, file;

	crash_unpin(c);
	for (i = 0; i < 500 && read_ctl(c, "dax", "maps %ld") > 0; i++) {
		tfs_write_text("/proc/sys/vm/drop_caches", "2");
		usleep(i < 20 ? 500 : 10000);
	}
	if (read_ctl(c, "dax", "maps %ld") > 0)
		crash_wrong(c, "files that nobody has open stay");
	for (file = 0; file < CRASH_FILES; file++) {
		struct tfs_model *m = &c->sh->model[file];
		struct tfs_file *f = file_of(c, file);

		if (f->size < (m->lossy ? m->promised : m->size))
			crash_wrong(c, "%s is forgotten with %llu bytes of %llu",
				    f->name, f->size, m->size);
		forget(m, f->size);
	}
	return !c->sh->wrong[0];
}
