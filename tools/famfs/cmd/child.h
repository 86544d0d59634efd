/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls that may never return, as they ask a server that hangs, or has stopped: a
 * child makes them, and who waits for it can stop waiting.
 */
#ifndef FAMFS_CHILD_H
#define FAMFS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* So long a call may take that should take no time, in milliseconds. */
#define CHILD_MS	5000u

/**
 * struct child - one call
 * @end: a descriptor of the process
 */
struct child {
	pid_t pid;
	int end;
};

/* Memory, all 0, that a child and its parent share. NULL: said why not. */
void *child_memory(size_t bytes);
void child_forget(void *memory, size_t bytes);

/**
 * child_start - has a child make a call
 * @call: must not print: the child has none of this process's descriptors, so that
 *	  nobody waits for them either if it never ends
 * @stays: neither signals of a terminal nor the end of this process end it
 *
 * Return: 0 or -errno.
 */
int child_start(struct child *child, bool stays,
		void (*call)(void *context), void *context);

/* Waits for so many milliseconds at most. Has it ended? */
bool child_ended(struct child *child, unsigned int ms);

/* It is not waited for any more. */
void child_leave(struct child *child);

/* Likewise, and it is to end as soon as it can. */
void child_kill(struct child *child);

#endif
