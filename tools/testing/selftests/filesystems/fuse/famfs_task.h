/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tests do that may bring a signal, and what may have to wait for others.
 */
#ifndef FAMFS_TASK_H
#define FAMFS_TASK_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/uio.h>
#include <linux/capability.h>

#include "famfs_env.h"

/* Long enough for what does not wait for anybody. */
#define FAMFS_SOON	15000

/* Something that may wait for others, in a thread of its own. */
struct famfs_job {
	struct famfs_env *env;
	long (*run)(struct famfs_job *job);
	const char *name;
	int flags;
	int fd;
	const struct iovec *iov;
	int iovs;
	off_t pos;
	pthread_t thread;
	long result;
	bool done;
};

int famfs_job_start(struct famfs_job *job);
bool famfs_job_done(struct famfs_job *job, int ms);
long famfs_job_open(struct famfs_job *job);
long famfs_job_read(struct famfs_job *job);
long famfs_job_write(struct famfs_job *job);
long famfs_job_fsync(struct famfs_job *job);
long famfs_job_truncate(struct famfs_job *job);
long famfs_job_fallocate(struct famfs_job *job);
int famfs_job_hold(struct famfs_job *job, struct famfs_server *srv,
		   __u32 opcode);
long famfs_job_result(struct famfs_job *job);
int famfs_start_opens(struct famfs_env *env, const char *name,
		      struct famfs_job *open, int n);
int famfs_join_opens(struct famfs_job *open, int n);

/* Has the kernel send a request of this kind for "f", which is open. */
struct famfs_request {
	const char *what;		/* NULL after the last one */
	__u32 opcode;
	int (*run)(struct famfs_env *env, int fd);
};

extern const struct famfs_request famfs_requests[];

int famfs_pin(int *pipes, char *page);
void famfs_unpin(int *pipes);
int famfs_drop_cap(int cap);
int famfs_probe(const char *p);
int famfs_poke(char *p, char c);
int famfs_load(const __u64 *p, __u64 *word);
int famfs_store(__u64 *p, __u64 word);

#endif /* FAMFS_TASK_H */
