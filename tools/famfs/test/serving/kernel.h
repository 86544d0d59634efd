/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kernel that is made up, in place of server/maps.c: it has maps, some of files
 * that are open, and does what it is told.
 */
#ifndef FAMFS_SERVING_KERNEL_H
#define FAMFS_SERVING_KERNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

/* The owner and so many members at most, and what each has open. */
#define KERNELS	17u
#define MAPS	4u

struct kernel_map {
	_Atomic uint64_t ino, bytes, size;
	_Atomic bool open, pinned;
};

/*
 * What both processes see. @want is a step of the member's, @done the last; an
 * unmount has @hidden all inodes of the member's kernel.
 */
extern struct shared {
	_Atomic int want, done, failed, late, hidden;
	_Atomic uint64_t ino;
	struct kernel_map maps[KERNELS][MAPS];
} *shared;

extern struct server server;
extern unsigned int self;

/* What a command has said last, and what it would have the user do. */
extern char kernel_said[512], kernel_next[512];

/* A thread that does @answer, with the socket of a file system named "test". */
void kernel_listen(void *(*answer)(void *socket));
/* For clock_gettime(): the clock that limits go by is so much @faster. */
int kernel_clock(clockid_t clock, struct timespec *now, long long faster);

/* What a host's kernel has of @ino, or NULL; 0: one that it does not use. */
struct kernel_map *kernel_find(unsigned int host, uint64_t ino);
/* This host's kernel gets the present map. */
void kernel_fill(struct kernel_map *map, uint64_t ino);

/* Waits for half a minute at most: a machine may be busy. */
#define UNTIL(cond)							\
	do {								\
		for (int tries = 0; !(cond) && tries < 3000 &&		\
		     !shared->failed; tries++)				\
			usleep(10000);					\
		CHECK(cond);						\
	} while (0)

#define CHECK(cond)							\
	do {								\
		if (!(cond) && !shared->failed) {			\
			printf("%s, line %d: not %s\n",			\
			       self ? "member" : "owner", __LINE__, #cond); \
			fflush(stdout);					\
			shared->failed = 1;				\
		}							\
	} while (0)

#endif
