// SPDX-License-Identifier: GPL-2.0
/*
 * The loop of the test server: requests, rules, counts, and notifications; and
 * the thread or process that it runs in.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tfs_server.h"

/* Address space for maps and file data; memory is used as it is touched. */
#define STATE_SIZE	(256UL << 20)

#define WAIT_MS		10000

/* Bytes in the wake pipe. */
#define WAKE_RELEASE	'r'
#define WAKE_NOTIFY	'n'
#define WAKE_STOP	's'

int tfs_server_init(struct tfs_server *srv)
{
	memset(srv, 0, sizeof(*srv));
	srv->fd = -1;
	memset(srv->clones, -1, sizeof(srv->clones));
	if (tfs_transport_choose(srv))
		return -EINVAL;
	srv->st = mmap(NULL, STATE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (srv->st == MAP_FAILED) {
		srv->st = NULL;
		return -errno;
	}
	/* Offset 0 in the arena means "nothing". */
	srv->st->arena_used = 64;
	srv->st->want = FUSE_DAX_FMAP | FUSE_ATOMIC_O_TRUNC | FUSE_MAX_PAGES |
			FUSE_BIG_WRITES;
	if (srv->transport == TFS_URING)
		srv->st->want |= FUSE_OVER_IO_URING;
	srv->st->valid = 3600;
	srv->st->open_mode = tfs_open_mode();
	srv->root_mode = S_IFDIR | 0777;
	if (pipe2(srv->wake, O_CLOEXEC) < 0)
		return -errno;
	srv->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	return srv->fd < 0 ? -errno : 0;
}

static void count_add(__u64 *count, __s64 n)
{
	__atomic_add_fetch(count, n, __ATOMIC_SEQ_CST);
}

static void send_notice(struct tfs_server *srv)
{
	struct tfs_state *st = srv->st;

	st->notice_errno = 0;
	if (write(srv->fd, st->notice, st->notice_len) < 0)
		st->notice_errno = errno;
	__atomic_store_n(&st->notice_len, 0, __ATOMIC_SEQ_CST);
}

static void wake(struct tfs_server *srv, char c)
{
	if (write(srv->wake[1], &c, 1) != 1)
		abort();
}

static int wait_zero(size_t *n)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	int i;

	for (i = 0; i < WAIT_MS; i++) {
		if (!__atomic_load_n(n, __ATOMIC_SEQ_CST))
			return 0;
		nanosleep(&ms, NULL);
	}
	return -ETIMEDOUT;
}

/* Sends a notification; returns what the kernel says to it. */
int tfs_notify(struct tfs_server *srv, int code, const void *out,
	       size_t len, const void *data, size_t data_len)
{
	struct tfs_state *st = srv->st;
	struct fuse_out_header oh = {
		.len = sizeof(oh) + len + data_len,
		.error = code,
	};

	if (oh.len > sizeof(st->notice))
		return -EMSGSIZE;
	memcpy(st->notice, &oh, sizeof(oh));
	memcpy(st->notice + sizeof(oh), out, len);
	if (data_len)
		memcpy(st->notice + sizeof(oh) + len, data, data_len);
	st->notice_len = oh.len;
	if (srv->pid)
		wake(srv, WAKE_NOTIFY);
	else
		send_notice(srv);
	return wait_zero(&st->notice_len) ?: -st->notice_errno;
}

/* Serves a request; returns true if it is to be held instead. */
static bool dispatch(const struct tfs_req *req)
{
	struct tfs_state *st = req->srv->st;
	struct tfs_rule *r = rule_for(req);

	if (!r) {
		tfs_handle(req);
		return false;
	}
	switch (r->action) {
	case TFS_FAIL:
		tfs_reply(req, r->error, NULL, 0);
		break;
	case TFS_RAW:
		if (r->opcode == req->ih->opcode)
			tfs_reply(req, 0, st->arena + r->raw, r->raw_len);
		else
			tfs_handle_open(req, st->arena + r->raw, r->raw_len);
		break;
	case TFS_HOLD:
		return true;
	case TFS_NOTIFY:
		st->notify_errno = 0;
		if (write(req->srv->fd, st->arena + r->raw, r->raw_len) < 0)
			st->notify_errno = errno;
		/* The last time, what other rules say comes after it. */
		if (!r->times)
			return dispatch(req);
		tfs_handle(req);
		break;
	}
	return false;
}

static void request(const struct tfs_req *req, struct tfs_req *held)
{
	int i;

	if ((req->srv->watch && req->srv->watch(req)) || !dispatch(req)) {
		tfs_uring_done(req);
		return;
	}
	for (i = 0; i < TFS_MAX_HELD; i++) {
		void *copy;

		if (held[i].ih)
			continue;
		copy = malloc(req->ih->len);
		if (!copy)
			abort();
		held[i] = *req;
		held[i].ih = memcpy(copy, req->ih, req->ih->len);
		held[i].in = copy + sizeof(*req->ih);
		count_add(&req->srv->st->held, 1);
		return;
	}
	tfs_reply(req, -EIO, NULL, 0);
}

static void serve_held(struct tfs_server *srv, struct tfs_req *held)
{
	struct tfs_req again[TFS_MAX_HELD];
	int i;

	memcpy(again, held, sizeof(again));
	memset(held, 0, sizeof(again));
	for (i = 0; i < TFS_MAX_HELD; i++) {
		if (!again[i].ih)
			continue;
		count_add(&srv->st->held, -1);
		request(&again[i], held);
		free((void *)again[i].ih);
	}
}

/* A request that is new. */
static void serve_new(struct tfs_server *srv, const void *buf, size_t len,
		      int fd, int entry, struct tfs_req *held)
{
	struct tfs_req req = {
		.srv = srv,
		.ih = buf,
		.in = buf + sizeof(struct fuse_in_header),
		.in_len = len - sizeof(struct fuse_in_header),
		.fd = fd,
		.entry = entry,
	};

	tfs_count_request(&req);
	request(&req, held);
}

static void serve_ring(struct tfs_server *srv, void *buf,
		       struct tfs_req *held)
{
	size_t len;
	int entry;

	while ((len = tfs_uring_next(srv, buf, &entry))) {
		count_add(&srv->st->ring_requests, 1);
		serve_new(srv, buf, len, -1, entry, held);
	}
}

/* Returns false when there is nothing more to serve. */
static bool serve_device(struct tfs_server *srv, int fd, void *buf,
			 struct tfs_req *held)
{
	ssize_t n = read(fd, buf, TFS_REQ_SIZE);
	int i;

	if (n < 0) {
		if (errno == EINTR || errno == EAGAIN || errno == ENOENT)
			return true;
		srv->st->last_errno = errno;
		return false;	/* the mount is gone */
	}
	if (n < (ssize_t)sizeof(struct fuse_in_header))
		return true;
	for (i = 0; i < TFS_CLONES; i++)
		if (fd == srv->clones[i])
			count_add(&srv->st->clone_requests[i], 1);
	serve_new(srv, buf, n, fd, -1, held);
	return true;
}

static bool serve_wake(struct tfs_server *srv, struct tfs_req *held)
{
	char c;

	if (read(srv->wake[0], &c, 1) != 1 || c == WAKE_STOP)
		return false;
	if (c == WAKE_RELEASE)
		serve_held(srv, held);
	else
		send_notice(srv);
	return true;
}

/* Returns false when there is nothing more to serve. */
static bool serve_next(struct tfs_server *srv, void *buf,
		       struct tfs_req *held)
{
	struct pollfd fds[TFS_POLL_FDS];
	int i;

	tfs_transport_fds(srv, fds);
	if (poll(fds, TFS_POLL_FDS, -1) < 0)
		return errno == EINTR;
	if (fds[TFS_POLL_RING].revents)
		serve_ring(srv, buf, held);
	for (i = TFS_POLL_DEVS; i < TFS_POLL_FDS; i++)
		if (fds[i].revents &&
		    !serve_device(srv, fds[i].fd, buf, held))
			return false;
	return !fds[TFS_POLL_WAKE].revents || serve_wake(srv, held);
}

static void *loop(void *arg)
{
	struct tfs_req held[TFS_MAX_HELD] = {};
	struct tfs_server *srv = arg;
	void *buf = malloc(TFS_REQ_SIZE);
	int i;

	while (buf && serve_next(srv, buf, held))
		;
	for (i = 0; i < TFS_MAX_HELD; i++)
		free((void *)held[i].ih);
	free(buf);
	tfs_transport_close(srv);
	return NULL;
}

/*
 * Serves in a thread of the test, which so keeps the device.  A test that is
 * killed while it waits for the server then stays: use this only where a
 * process of its own does not do.  The mount must exist.
 */
int tfs_server_thread(struct tfs_server *srv)
{
	int err = tfs_transport_open(srv);

	if (!err)
		err = -pthread_create(&srv->thread, NULL, loop, srv);
	srv->threaded = !err;
	if (err)
		tfs_transport_close(srv);
	return err;
}

/*
 * Whatever a test starts ends with it, and the test with the harness.  A test
 * that is killed, or fails an assertion, so leaves nobody behind who uses a
 * device.
 */
static void end_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void __attribute__((constructor)) end_forks_with_parent(void)
{
	pthread_atfork(NULL, NULL, end_with_parent);
}

/* Files of the test that were open at the fork are not the server's. */
static void close_others(const struct tfs_server *srv)
{
	long fd, max = sysconf(_SC_OPEN_MAX);

	for (fd = 3; fd < max && fd < 1024; fd++)
		if (fd != srv->fd && fd != srv->wake[0])
			close(fd);
}

/*
 * Serves in a process of its own.  The test's copy of the device is closed:
 * when the process dies, so does the connection.
 */
int tfs_server_fork(struct tfs_server *srv)
{
	pid_t test = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		close_others(srv);
		if (getppid() != test || tfs_transport_open(srv) ||
		    (srv->prepare && srv->prepare()))
			_exit(1);
		loop(srv);
		_exit(0);
	}
	srv->pid = pid;
	close(srv->fd);
	srv->fd = -1;
	return 0;
}

int tfs_server_signal(struct tfs_server *srv, int sig)
{
	siginfo_t info;

	if (!srv->pid || kill(srv->pid, sig) < 0)
		return -errno;
	/* Return only when the server has stopped, gone on or died. */
	if (waitid(P_PID, srv->pid, &info, WSTOPPED | WCONTINUED | WEXITED))
		return -errno;
	if (info.si_code == CLD_KILLED || info.si_code == CLD_EXITED)
		srv->pid = 0;
	return 0;
}

/* Drops the rules that hold such requests, and has them served. */
void rules_release_op(struct tfs_server *srv, __u32 opcode)
{
	int i;

	for (i = 0; i < TFS_MAX_RULES; i++)
		if (srv->st->rules[i].action == TFS_HOLD &&
		    (!opcode || srv->st->rules[i].opcode == opcode))
			srv->st->rules[i].action = 0;
	wake(srv, WAKE_RELEASE);
}

/* The same for all requests. */
void rules_release(struct tfs_server *srv)
{
	rules_release_op(srv, 0);
}

/* Ends the server, and with its device the connection. */
void tfs_server_stop(struct tfs_server *srv)
{
	if (srv->threaded) {
		wake(srv, WAKE_STOP);
		pthread_join(srv->thread, NULL);
		srv->threaded = false;
	}
	if (srv->pid) {
		kill(srv->pid, SIGKILL);
		waitpid(srv->pid, NULL, 0);
		srv->pid = 0;
	}
	if (srv->fd >= 0)
		close(srv->fd);
	srv->fd = -1;
}

void tfs_server_exit(struct tfs_server *srv)
{
	if (!srv->st)
		return;
	tfs_server_stop(srv);
	close(srv->wake[0]);
	close(srv->wake[1]);
	munmap(srv->st, STATE_SIZE);
	srv->st = NULL;
}
