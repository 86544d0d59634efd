// SPDX-License-Identifier: GPL-2.0
/*
 * Whoever drops the last reference to a file does not wait for the server.
 *
 * What was wrong here: the last close() of a file that had been written to
 * through a mapping told the server the times, and waited.  A kernel thread
 * that closes files for everybody stood still with the server; a server that
 * was sent a file through a socket, and dropped it, waited for itself; what a
 * killed task left undone was lost, or made an inode dirty that was evicted.
 */
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>

#include "tfs_growing.h"
#include "tfs_jobs.h"

#define PAGE	4096UL
#define UNITS	96
#define LEN	(3 * UNIT)

/* In the server: a socket, and what it does at its next request. */
static int inbox = -1;
static struct {
	bool reads_inbox;	/* STATFS */
	bool stops;		/* UNLINK, when it has been answered */
} *ctl;

static struct sockaddr_un inbox_name(void)
{
	/* Abstract, so that the file system is not needed. */
	return (struct sockaddr_un) { .sun_family = AF_UNIX,
				      .sun_path = "\0famfs_close" };
}

static int open_inbox(void)
{
	struct sockaddr_un name = inbox_name();

	inbox = socket(AF_UNIX, SOCK_DGRAM, 0);
	return bind(inbox, (void *)&name, sizeof(name));
}

static bool watch(const struct tfs_req *req)
{
	char c;

	/* There is no place for files, so these are closed. */
	if (ctl->reads_inbox && req->ih->opcode == FUSE_STATFS)
		(void)!read(inbox, &c, 1);
	if (!ctl->stops || req->ih->opcode != FUSE_UNLINK)
		return false;
	ctl->stops = false;
	tfs_handle(req);
	raise(SIGSTOP);
	return true;
}

/* A message with @nr open files in it. */
static int send_files(int sock, struct sockaddr_un *name, const int *fds,
		      int nr)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} u = {};
	char c = 0;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_name = name, .msg_namelen = name ? sizeof(*name) : 0,
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &u, .msg_controllen = CMSG_SPACE(nr * sizeof(int)),
	};

	u.head.cmsg_level = SOL_SOCKET;
	u.head.cmsg_type = SCM_RIGHTS;
	u.head.cmsg_len = CMSG_LEN(nr * sizeof(int));
	memcpy(CMSG_DATA(&u.head), fds, nr * sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

FIXTURE(close)
{
	struct tfs_env env;
	struct tfs_file *file;
	char *map;
	int fd;
};

FIXTURE_SETUP(close)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_server *srv = &self->env.srv;

	if (why)
		SKIP(return, "%s", why);
	ctl = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)ctl);
	srv->watch = watch;
	srv->prepare = open_inbox;
	GROWING_INIT(UNITS);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = ASSERT_OPEN("f", O_RDWR);
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, LEN - 1));
	ASSERT_EQ(0, fsync(self->fd));
	self->map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	tfs_counts_reset(srv);
}

FIXTURE_TEARDOWN(close)
{
	close(self->fd);
	/* The device is busy for as long as an inode is kept. */
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_EQ(0, tfs_umount(&self->env));
	TFS_TEARDOWN();
}

/* From now on the file is open only where it has been sent to, and dirty. */
static void leave_dirty(FIXTURE_DATA(close) * self)
{
	close(self->fd);
	self->fd = -1;
	/* The times of the write are later than those that are told. */
	usleep(20000);
	tfs_dirty(self->map);
	munmap(self->map, PAGE);
}

/* Files in a socket that nobody can read are closed by a kernel thread. */
static int discard(int fd, int *sv)
{
	int fds[2] = { fd };

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, sv))
		return -errno;
	fds[1] = sv[1];
	return send_files(sv[0], NULL, fds, 2);
}

static void discard_now(const int *sv)
{
	close(sv[1]);
	close(sv[0]);
}

/* Does the kernel thread close what is discarded? */
static bool discards(void)
{
	struct pollfd p = { .events = POLLIN };
	int pipes[2], sv[2];
	bool closed;

	if (pipe(pipes) || discard(pipes[1], sv))
		return false;
	close(pipes[1]);
	discard_now(sv);
	p.fd = pipes[0];
	closed = poll(&p, 1, 5000) == 1;
	close(pipes[0]);
	return closed;
}

TEST_F(close, X5_stopped_server_keeps_no_kernel_thread_from_closing)
{
	struct tfs_server *srv = &self->env.srv;
	int sv[2];

	ASSERT_EQ(0, discard(self->fd, sv));
	leave_dirty(self);
	ASSERT_TRUE(discards());
	tfs_counts_reset(srv);
	ASSERT_EQ(0, tfs_server_signal(srv, SIGSTOP));
	discard_now(sv);
	usleep(500000);
	EXPECT_TRUE(discards());
	ASSERT_EQ(0, tfs_server_signal(srv, SIGCONT));
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	/* The times have been told before. */
	EXPECT_COUNT(1, FUSE_SETATTR);
	EXPECT_TRUE(discards());
}

static long do_statfs(struct tfs_job *job)
{
	struct statvfs st;

	return statvfs(job->env->dir, &st) ? -errno : 0;
}

TEST_F(close, X5_server_drops_the_last_reference)
{
	struct tfs_job job = { .run = do_statfs, .env = &self->env };
	struct sockaddr_un name = inbox_name();
	int sock = socket(AF_UNIX, SOCK_DGRAM, 0);

	ASSERT_EQ(0, send_files(sock, &name, &self->fd, 1));
	close(sock);
	leave_dirty(self);
	tfs_counts_reset(&self->env.srv);
	ctl->reads_inbox = true;
	ASSERT_EQ(0, tfs_job_start(&job));
	EXPECT_TRUE(tfs_job_done(&job, 5000)) {
		tfs_server_signal(&self->env.srv, SIGKILL);
		tfs_job_result(&job);
	}
	EXPECT_EQ(0, job.result);
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_COUNT(1, FUSE_SETATTR);
}

static void unlink_and_exit(struct tfs_env *env)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/f", env->dir);
	_exit(unlink(path));
}

/* Nobody has the file open, and the task that changed its times is gone. */
TEST_F(close, G3_times_of_a_closed_file_are_told_after_a_kill)
{
	struct tfs_server *srv = &self->env.srv;
	int status, i;
	pid_t pid;

	munmap(self->map, PAGE);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, tfs_wait_handles(srv, 0));
	tfs_counts_reset(srv);
	ctl->stops = true;
	pid = fork();
	if (!pid)
		unlink_and_exit(&self->env);
	for (i = 0; i < TFS_SOON && ctl->stops; i++)
		usleep(1000);
	EXPECT_FALSE(ctl->stops);
	usleep(500000);
	EXPECT_COUNT(0, FUSE_SETATTR);
	kill(pid, SIGKILL);
	usleep(500000);
	tfs_drop_caches();
	/* The answer is for the inode. */
	EXPECT_EQ(1, tfs_maps(&self->env));
	ASSERT_EQ(0, tfs_server_signal(srv, SIGCONT));
	/* Over io_uring the server had the request, and it was waited for. */
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_COUNT(1, FUSE_SETATTR);
}

/* Lazy times are told by whoever evicts an inode, and FUSE has no such. */
TEST_F(close, I2_lazy_times_are_told)
{
	struct tfs_server *srv = &self->env.srv;

	ASSERT_EQ(0, mount(NULL, self->env.dir, NULL,
			   MS_REMOUNT | MS_LAZYTIME, NULL));
	leave_dirty(self);
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_EQ(FATTR_MTIME, srv->st->setattr_valid & FATTR_MTIME);
}

/* The request of a close tells the server to drop locks; it has no other. */
TEST_F(close, I4_error_does_not_keep_locks)
{
	struct tfs_server *srv = &self->env.srv;
	int i;

	munmap(self->map, PAGE);
	rule_fail(srv, FUSE_SETATTR, TFS_ANY, -ENOSPC, 1);
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, LEN));
	tfs_counts_reset(srv);
	for (i = 1; i <= 3; i++) {
		EXPECT_EQ(-1, close(dup(self->fd)));
		EXPECT_EQ(ENOSPC, errno);
		EXPECT_EQ(i, tfs_count(srv, FUSE_FLUSH));
	}
	EXPECT_EQ(-1, fsync(self->fd));
	EXPECT_EQ(0, close(dup(self->fd)));
	EXPECT_EQ(4, tfs_count(srv, FUSE_FLUSH));
	rules_clear(srv);
}

TEST_HARNESS_MAIN
