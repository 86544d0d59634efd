// SPDX-License-Identifier: GPL-2.0
/*
 * Jobs in threads of their own, memory accesses that may bring SIGBUS, and
 * rights that are given up.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "famfs_task.h"

static void *run_job(void *arg)
{
	struct famfs_job *job = arg;

	job->result = job->run(job);
	__atomic_store_n(&job->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

int famfs_job_start(struct famfs_job *job)
{
	return pthread_create(&job->thread, NULL, run_job, job);
}

/* Is it through before ms have passed? */
bool famfs_job_done(struct famfs_job *job, int ms)
{
	while (!__atomic_load_n(&job->done, __ATOMIC_SEQ_CST) && ms--)
		usleep(1000);
	if (ms < 0)
		return false;
	pthread_join(job->thread, NULL);
	return true;
}

long famfs_job_open(struct famfs_job *job)
{
	return famfs_open(job->env, job->name, job->flags);
}

long famfs_job_read(struct famfs_job *job)
{
	ssize_t n = preadv(job->fd, job->iov, job->iovs, job->pos);

	return n < 0 ? -errno : n;
}

long famfs_job_write(struct famfs_job *job)
{
	ssize_t n = pwritev(job->fd, job->iov, job->iovs, job->pos);

	return n < 0 ? -errno : n;
}

static _Thread_local sigjmp_buf jump;
static _Thread_local volatile sig_atomic_t jumping;

static void on_sigbus(int sig)
{
	if (jumping)
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
		jumping = 1;
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
	jumping = 0;
	return sig;
}

/* Reads a byte. */
int famfs_probe(const char *p)
{
	char c;

	return access_word(p, &c, 1);
}

/* Writes a byte. */
int famfs_poke(char *p, char c)
{
	return access_word(&c, p, 1);
}

int famfs_load(const __u64 *p, __u64 *word)
{
	return access_word(p, word, 8);
}

int famfs_store(__u64 *p, __u64 word)
{
	return access_word(&word, p, 8);
}

int famfs_drop_cap(int cap)
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
