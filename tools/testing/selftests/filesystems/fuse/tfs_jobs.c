// SPDX-License-Identifier: GPL-2.0
/*
 * Jobs in threads of their own, requests of each kind, memory accesses that may
 * bring SIGBUS, pages that are pinned, rights that are given up, and tasks that
 * are killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <linux/io_uring.h>

#include "tfs_jobs.h"

static void *run_job(void *arg)
{
	struct tfs_job *job = arg;

	job->result = job->run(job);
	__atomic_store_n(&job->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

int tfs_job_start(struct tfs_job *job)
{
	return pthread_create(&job->thread, NULL, run_job, job);
}

/* Is it through before ms have passed? */
bool tfs_job_done(struct tfs_job *job, int ms)
{
	while (!__atomic_load_n(&job->done, __ATOMIC_SEQ_CST) && ms--)
		usleep(1000);
	if (ms < 0)
		return false;
	pthread_join(job->thread, NULL);
	return true;
}

long tfs_job_open(struct tfs_job *job)
{
	return tfs_open(job->env, job->name, job->flags);
}

long tfs_job_read(struct tfs_job *job)
{
	ssize_t n = preadv(job->fd, job->iov, job->iovs, job->pos);

	return n < 0 ? -errno : n;
}

long tfs_job_write(struct tfs_job *job)
{
	ssize_t n = pwritev(job->fd, job->iov, job->iovs, job->pos);

	return n < 0 ? -errno : n;
}

/* Starts what has to ask the server, which keeps the request. */
int tfs_job_hold(struct tfs_job *job, struct tfs_server *srv,
		 __u32 opcode)
{
	rule_hold(srv, opcode, TFS_ANY);
	if (tfs_job_start(job))
		return -EAGAIN;
	return tfs_wait_held(srv, 1);
}

/* What came of it, when nothing keeps it any more. */
long tfs_job_result(struct tfs_job *job)
{
	return tfs_job_done(job, TFS_SOON) ? job->result : -ETIMEDOUT;
}

long tfs_job_fsync(struct tfs_job *job)
{
	return fsync(job->fd) ? -errno : 0;
}

long tfs_job_truncate(struct tfs_job *job)
{
	return ftruncate(job->fd, job->pos) ? -errno : 0;
}

/* Memory, and no other size. */
long tfs_job_fallocate(struct tfs_job *job)
{
	return fallocate(job->fd, FALLOC_FL_KEEP_SIZE, 0, job->pos) ?
	       -errno : 0;
}

/*
 * Starts many opens of a file while the server keeps the first request for its
 * map.
 */
int tfs_start_opens(struct tfs_env *env, const char *name,
		    struct tfs_job *open, int n)
{
	int i, err;

	rule_hold(&env->srv, FUSE_GET_FMAP, TFS_ANY);
	for (i = 0; i < n; i++) {
		open[i] = (struct tfs_job){
			.run = tfs_job_open, .env = env, .name = name,
			.flags = O_RDONLY,
		};
		if (tfs_job_start(&open[i]))
			return -EAGAIN;
	}
	err = tfs_wait_held(&env->srv, 1);
	/* Time for a request too many to show. */
	usleep(100000);
	return err;
}

/* Returns how many of them have opened it. */
int tfs_join_opens(struct tfs_job *open, int n)
{
	int i, opened = 0;

	for (i = 0; i < n; i++) {
		if (!tfs_job_done(&open[i], TFS_SOON))
			return -ETIMEDOUT;
		if (open[i].result < 0)
			continue;
		opened++;
		close(open[i].result);
	}
	return opened;
}

static int by_open(struct tfs_env *env, int fd)
{
	(void)fd;
	return tfs_try_open(env, "f", O_RDWR);
}

static int by_chmod(struct tfs_env *env, int fd)
{
	(void)env;
	return fchmod(fd, 0640);
}

static int by_chown(struct tfs_env *env, int fd)
{
	(void)env;
	return fchown(fd, 1, 1);
}

static int by_setxattr(struct tfs_env *env, int fd)
{
	static const char acl[] = "x";

	(void)env;
	/* The server knows of none; that it was asked is enough. */
	return fsetxattr(fd, "user.x", acl, 1, 0) && errno == EOPNOTSUPP ?
	       0 : -1;
}

static int by_fsync(struct tfs_env *env, int fd)
{
	(void)env;
	return pwrite(fd, "", 0, 0) || fsync(fd);
}

static int by_stat(struct tfs_env *env, int fd)
{
	struct stat st;

	(void)env;
	env->srv.st->valid = 0;
	return fchmod(fd, 0600) || fstat(fd, &st);
}

static int by_close(struct tfs_env *env, int fd)
{
	(void)env;
	fd = dup(fd);
	return close(fd);
}

/* Requests in whose middle a server may find that a map has to change. */
const struct tfs_request tfs_requests[] = {
	{ "open", FUSE_OPEN, by_open },
	{ "chmod", FUSE_SETATTR, by_chmod },
	{ "chown", FUSE_SETATTR, by_chown },
	{ "setxattr", FUSE_SETXATTR, by_setxattr },
	{ "fsync", FUSE_FSYNC, by_fsync },
	{ "stat", FUSE_GETATTR, by_stat },
	{ "flush", FUSE_FLUSH, by_close },
	{},
};

static __thread sigjmp_buf jump;
static __thread int jumping;

static void on_sigbus(int sig)
{
	if (__atomic_load_n(&jumping, __ATOMIC_SEQ_CST))
		siglongjmp(jump, sig);
	/* Not one that was expected: die of it. */
	signal(sig, SIG_DFL);
}

/* Returns the signal that the access brings, or 0. */
static int access_word(const void *from, void *to, size_t len)
{
	int sig;

	signal(SIGBUS, on_sigbus);
	sig = sigsetjmp(jump, 1);
	if (!sig) {
		__atomic_store_n(&jumping, 1, __ATOMIC_SEQ_CST);
		if (len == 1)
			__atomic_store_n((char *)to,
					 __atomic_load_n((const char *)from,
							 __ATOMIC_SEQ_CST),
					 __ATOMIC_SEQ_CST);
		else
			__atomic_store_n((__u64 *)to,
					 __atomic_load_n((const __u64 *)from,
							 __ATOMIC_SEQ_CST),
					 __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&jumping, 0, __ATOMIC_SEQ_CST);
	return sig;
}

/* Reads a byte. */
int load_byte(const char *p)
{
	char c;

	return access_word(p, &c, 1);
}

/* Writes a byte. */
int store_byte(char *p, char c)
{
	return access_word(&c, p, 1);
}

int load_u64(const __u64 *p, __u64 *word)
{
	return access_word(p, word, 8);
}

int store_u64(__u64 *p, __u64 word)
{
	return access_word(&word, p, 8);
}

/* Pins a page of a mapping in a pipe. */
int tfs_pin(int *pipes, char *page)
{
	struct iovec iov = { page, 4096 };

	if (pipe(pipes))
		return -errno;
	return vmsplice(pipes[1], &iov, 1, 0) == 4096 ? 0 : -errno;
}

void tfs_unpin(int *pipes)
{
	close(pipes[0]);
	close(pipes[1]);
}

/* Pins memory for as long as a ring has it as a buffer; 0 or -errno. */
int tfs_ring_pin(int ring, char *p, size_t len)
{
	struct iovec iov = { p, len };

	return syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS,
		       &iov, 1) ? -errno : 0;
}

int tfs_ring_unpin(int ring)
{
	return syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS,
		       NULL, 0) ? -errno : 0;
}

int tfs_drop_cap(int cap)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return -errno;
	d[cap / 32].effective &= ~(1U << cap % 32);
	d[cap / 32].permitted &= ~(1U << cap % 32);
	return syscall(SYS_capset, &h, d) ? -errno : 0;
}

/*
 * A child writes to "f" at @pos, and ends the file by @end while the server is
 * stopped; it is killed before the server has read the request.
 */
int tfs_write_and_die(struct tfs_env *env, off_t pos, int (*end)(int fd))
{
	int status, fd, ready[2];
	pid_t pid;
	char c;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		fd = tfs_open(env, "f", O_WRONLY);
		if (pwrite(fd, "later", 5, pos) == 5)
			(void)!write(ready[1], "w", 1);
		usleep(200000);
		end(fd);
		_exit(0);
	}
	if (read(ready[0], &c, 1) != 1 ||
	    tfs_server_signal(&env->srv, SIGSTOP))
		return -2;
	usleep(500000);
	kill(pid, SIGKILL);
	usleep(100000);
	/* Its exit closes what it has not closed, and waits for that. */
	if (tfs_server_signal(&env->srv, SIGCONT) ||
	    waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		return -3;
	close(ready[0]);
	close(ready[1]);
	return 0;
}
