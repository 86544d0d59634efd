// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files and io_uring.
 *
 * What was wrong here: writes that wait for nobody went to a worker, because
 * the file operations did not say that they can be done at once; a buffer that
 * was not present made io_uring poll the file, which asked the server; writes
 * of files without a map waited for the server where they were submitted.
 */
#include <dirent.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(256 * 1024UL)

FIXTURE(io_uring)
{
	struct tfs_env env;
	char *want;			/* what "f" holds */
	char *got;
	int fd;				/* of "f" */
};

FIXTURE_SETUP(io_uring)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	tfs_add_data(&self->env.srv, "cached", "server", 6);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_LE(0, self->fd);
	self->want = malloc(SIZE);
	self->got = malloc(SIZE);
	pattern_fill(0, 0, self->want, SIZE);
	ASSERT_EQ(SIZE, pwrite(self->fd, self->want, SIZE, 0));
	tfs_counts_reset(&self->env.srv);
}

FIXTURE_TEARDOWN(io_uring)
{
	free(self->want);
	free(self->got);
	close(self->fd);
	TFS_TEARDOWN();
}

/* One ring with one request at a time, from the raw system calls. */
struct ring {
	int fd;
	struct io_uring_params p;
	struct io_uring_sqe *sqes;
	char *rings;
};

static int ring_init(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, 1, &r->p);
	if (r->fd < 0)
		return -errno;
	if (!(r->p.features & IORING_FEAT_SINGLE_MMAP))
		return -EOPNOTSUPP;
	r->rings = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
			IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	return r->rings == MAP_FAILED || r->sqes == MAP_FAILED ? -ENOMEM : 0;
}

/* Returns 1 or an error. */
static int ring_submit(struct ring *r, int op, int fd, void *buf, __u32 len,
		       __u64 pos)
{
	__u32 *tail = (__u32 *)(r->rings + r->p.sq_off.tail);
	__u32 *array = (__u32 *)(r->rings + r->p.sq_off.array);

	memset(r->sqes, 0, sizeof(*r->sqes));
	r->sqes->opcode = op;
	r->sqes->fd = fd;
	r->sqes->addr = (unsigned long)buf;
	r->sqes->len = len;
	r->sqes->off = pos;
	array[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, r->fd, 1, 0, 0, NULL, 0) == 1 ?
		1 : -errno;
}

static int ring_result(struct ring *r)
{
	__u32 *tail = (__u32 *)(r->rings + r->p.cq_off.tail);
	__u32 *head = (__u32 *)(r->rings + r->p.cq_off.head);
	struct io_uring_cqe *cqe;

	while (__atomic_load_n(tail, __ATOMIC_ACQUIRE) == *head)
		if (syscall(SYS_io_uring_enter, r->fd, 0, 1,
			    IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			return -errno;
	cqe = (void *)(r->rings + r->p.cq_off.cqes);
	cqe += *head & (r->p.cq_entries - 1);
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return cqe->res;
}

static int ring_io(struct ring *r, int op, int fd, void *buf, __u32 len,
		   __u64 pos)
{
	int err = ring_submit(r, op, fd, buf, len, pos);

	return err < 0 ? err : ring_result(r);
}

TEST_F(io_uring, I4_io_uring)
{
	struct ring r;

	if (ring_init(&r))
		SKIP(return, "need io_uring");
	EXPECT_EQ(SIZE, ring_io(&r, IORING_OP_READ, self->fd, self->got, SIZE,
				0));
	EXPECT_EQ(0, memcmp(self->want, self->got, SIZE));
	memset(self->want, 'u', PAGE + 1);
	EXPECT_EQ(PAGE + 1, ring_io(&r, IORING_OP_WRITE, self->fd, self->want,
				    PAGE + 1, 0));
	EXPECT_EQ(0, tfs_check_data(self->fd, self->want, SIZE));
	EXPECT_EQ(0, ring_io(&r, IORING_OP_READ, self->fd, self->got, 1, SIZE));
	EXPECT_EQ(-EFBIG, ring_io(&r, IORING_OP_WRITE, self->fd, self->want, 1,
				  SIZE));
	close(r.fd);
	EXPECT_COUNT(0, FUSE_READ);
	EXPECT_COUNT(0, FUSE_WRITE);
}

/* Has io_uring handed anything to a worker of this process? */
static bool has_worker(void)
{
	DIR *dir = opendir("/proc/self/task");
	bool found = false;
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		char path[300], name[32] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 d->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, name, sizeof(name) - 1) > 0)
			found |= !strncmp(name, "iou-wrk", 7);
		close(fd);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* In a child: 0 if a write was done where it was submitted. */
static int write_inline(int fd, char *buf)
{
	struct ring r;

	if (ring_init(&r))
		return 2;
	/* The times have just moved, so there is nothing to wait for. */
	if (pwrite(fd, buf, PAGE, 0) != (ssize_t)PAGE ||
	    ring_io(&r, IORING_OP_WRITE, fd, buf, PAGE, 0) != (int)PAGE)
		return 3;
	return has_worker();
}

TEST_F(io_uring, I4_io_uring_writes_need_no_worker)
{
	struct ring r;
	int i, status = -1;

	if (ring_init(&r))
		SKIP(return, "need io_uring");
	close(r.fd);
	for (i = 0; i < 50 && status; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(write_inline(self->fd, self->want));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
	}
	EXPECT_EQ(0, status);
}

/*
 * The file operations are those of all files of a mount.  Where submitting waits
 * for the server, this hangs.
 */
TEST_F(io_uring, N2_cached_files_are_written_by_workers)
{
	struct tfs_server *srv = &self->env.srv;
	struct pollfd p = { .events = POLLIN };
	struct ring r;
	char c = 'w';

	if (ring_init(&r))
		SKIP(return, "need io_uring");
	p.fd = ASSERT_OPEN("cached", O_RDWR);
	/* The server knows no FUSE_POLL, so the file is always ready. */
	EXPECT_EQ(1, poll(&p, 1, 0));
	rule_hold(srv, FUSE_WRITE, TFS_ANY);
	ASSERT_EQ(1, ring_submit(&r, IORING_OP_WRITE, p.fd, &c, 1, 0));
	EXPECT_EQ(0, tfs_wait_held(srv, 1));
	rules_clear(srv);
	rules_release(srv);
	EXPECT_EQ(1, ring_result(&r));
	close(r.fd);
	close(p.fd);
}

TEST_F(io_uring, N2_files_that_were_polled_are_forgotten)
{
	struct tfs_server *srv = &self->env.srv;
	struct fuse_notify_poll_wakeup_out wakeup = {};
	struct pollfd p = { .events = POLLPRI };
	struct fuse_poll_out nothing = {};
	int i;

	rule_raw(srv, FUSE_POLL, TFS_ANY, &nothing, sizeof(nothing), -1);
	for (i = 0; i < 64; i++) {
		p.fd = ASSERT_OPEN("cached", O_RDWR);
		EXPECT_EQ(0, poll(&p, 1, 1));
		close(p.fd);
	}
	EXPECT_LE(64, tfs_count(srv, FUSE_POLL));
	/* Handles are numbered, from 1. */
	for (wakeup.kh = 1; wakeup.kh < 256; wakeup.kh++)
		EXPECT_EQ(0, tfs_notify(srv, FUSE_NOTIFY_POLL, &wakeup,
					sizeof(wakeup), NULL, 0));
}

/* Returns 0 if reads into pages that are not present wait for nobody. */
static long read_fresh(struct tfs_job *job)
{
	struct iovec iov = { .iov_len = PAGE };
	struct ring r;
	char *buf;

	buf = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED || ring_init(&r))
		return 2;
	if (ring_io(&r, IORING_OP_READ, job->fd, buf, PAGE, 0) != (int)PAGE)
		return 3;
	iov.iov_base = buf + PAGE;
	return preadv2(job->fd, &iov, 1, 0, RWF_NOWAIT) != (ssize_t)PAGE;
}

TEST_F(io_uring, I1_fresh_buffers_while_the_server_is_stopped)
{
	struct tfs_job job = { .run = read_fresh, .fd = self->fd };
	struct tfs_server *srv = &self->env.srv;
	struct ring r;

	if (ring_init(&r))
		SKIP(return, "need io_uring");
	close(r.fd);
	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(0, tfs_server_signal(srv, SIGSTOP));
	ASSERT_EQ(0, tfs_job_start(&job));
	EXPECT_TRUE(tfs_job_done(&job, TFS_SOON));
	ASSERT_EQ(0, tfs_server_signal(srv, SIGCONT));
	EXPECT_EQ(0, tfs_job_result(&job));
	EXPECT_COUNT(0, FUSE_POLL);
}

TEST_F(io_uring, I1_poll_asks_nobody)
{
	struct pollfd p = { .fd = self->fd, .events = POLLIN | POLLOUT };
	struct fuse_poll_out nothing = {};

	rule_raw(&self->env.srv, FUSE_POLL, TFS_ANY, &nothing,
		 sizeof(nothing), -1);
	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT, p.revents);
	EXPECT_COUNT(0, FUSE_POLL);
}

/*
 * As for any regular file.  What can be polled and is always ready, io_uring
 * polls and tries again 128 times before it leaves it to a worker.
 */
TEST_F(io_uring, I4_mapped_files_cannot_be_polled)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);

	ASSERT_LE(0, ep);
	EXPECT_EQ(-1, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &ev));
	EXPECT_EQ(EPERM, errno);
	close(ep);
}

TEST_HARNESS_MAIN
