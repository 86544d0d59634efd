/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The queue of inodes that the kernel may have to let go of.
 */
#ifndef FAMFS_QUEUE_H
#define FAMFS_QUEUE_H

#include "server.h"
#include "tree.h"

/**
 * struct waiter - an inode in the queue
 * @due: when it is tried, in milliseconds
 * @delay: until it is tried once more
 * @again: it was added while it was being tried
 */
struct waiter {
	RB_ENTRY(waiter) by_ino, by_due;
	uint64_t ino, due;
	unsigned int delay;
	bool again;
};

RB_HEAD(waiter_inos, waiter);
RB_HEAD(waiter_dues, waiter);

/**
 * struct queue - all of them
 * @wake: something was added, or there was progress
 * @progress: how often something was let go of
 * @held: nothing is tried yet
 * @doubt: what the kernel was told of by a server before, and does not know, may be
 *	   on its way until then, in milliseconds of clock_ms()
 */
struct queue {
	struct server *server;
	pthread_mutex_t lock;
	pthread_cond_t wake, end;
	struct waiter_inos inos;
	struct waiter_dues dues;
	uint64_t length, progress, doubt;
	pthread_t thread, beat;
	int started;
	bool held, ended;
};

#endif
