/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tests do that may bring a signal, and what may have to wait for others.
 */
#ifndef TFS_JOBS_H
#define TFS_JOBS_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/uio.h>
#include <linux/capability.h>

#include "tfs_env.h"

/* Long enough for what does not wait for anybody. */
#define TFS_SOON	15000

/* Something that may wait for others, in a thread of its own. */
struct tfs_job {
	struct tfs_env *env;
	long (*run)(struct tfs_job *job);
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

int tfs_job_start(struct tfs_job *job);
bool tfs_job_done(struct tfs_job *job, int ms);
long tfs_job_open(struct tfs_job *job);
long tfs_job_read(struct tfs_job *job);
long tfs_job_write(struct tfs_job *job);
long tfs_job_fsync(struct tfs_job *job);
long tfs_job_truncate(struct tfs_job *job);
long tfs_job_fallocate(struct tfs_job *job);
int tfs_job_hold(struct tfs_job *job, struct tfs_server *srv,
		 __u32 opcode);
long tfs_job_result(struct tfs_job *job);
int tfs_start_opens(struct tfs_env *env, const char *name,
		    struct tfs_job *open, int n);
int tfs_join_opens(struct tfs_job *open, int n);

/* Has the kernel send a request of this kind for "f", which is open. */
struct tfs_request {
	const char *what;		/* NULL after the last one */
	__u32 opcode;
	int (*run)(struct tfs_env *env, int fd);
};

extern const struct tfs_request tfs_requests[];

int tfs_pin(int *pipes, char *page);
void tfs_unpin(int *pipes);
int tfs_ring_pin(int ring, char *p, size_t len);
int tfs_ring_unpin(int ring);
int tfs_drop_cap(int cap);
int tfs_write_and_die(struct tfs_env *env, off_t pos, int (*end)(int fd));
int load_byte(const char *p);
int store_byte(char *p, char c);
int load_u64(const __u64 *p, __u64 *word);
int store_u64(__u64 *p, __u64 word);

#endif /* TFS_JOBS_H */
