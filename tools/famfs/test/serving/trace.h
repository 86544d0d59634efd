/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes that are killed before one of their system calls.
 */
#ifndef FAMFS_SERVING_TRACE_H
#define FAMFS_SERVING_TRACE_H

#include <stdbool.h>
#include <sys/types.h>

/* Half a minute without an end is none: a machine may be busy. */
#define TRACE_S		30

/**
 * struct trace - a process and its descendants
 * @calls: of each system call, before it is made: is it the one to be killed at?
 *	   Killed is the process of thread @tid.
 * @often: called all the time
 * @killed: the last process that was killed, or 0
 */
struct trace {
	bool (*calls)(struct trace *trace, pid_t tid);
	void (*often)(struct trace *trace);
	pid_t killed;
};

/*
 * Starts a process that is traced, with its descendants: 0 in it, as fork().
 * Descendants whose parent has died become this process's.
 */
pid_t trace_fork(void);

/* Until none of them is left: true; false: some are, after TRACE_S. */
bool trace_run(struct trace *trace, pid_t first, int *status);

#endif
