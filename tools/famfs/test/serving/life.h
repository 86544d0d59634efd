/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A mount's whole life, from the parent of its servers to the end, on a kernel that
 * is made up and a medium that is a plain file.
 */
#ifndef FAMFS_SERVING_LIFE_H
#define FAMFS_SERVING_LIFE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "kernel.h"
#include "kept.h"
#include "volume.h"

#define LIFE_LOG	65536u

/**
 * struct life - what all processes see
 * @mounted: the kernel has it, until somebody unmounts it
 * @begun: it has been mounted once
 * @idle: its server serves, and nobody asks for anything
 * @server: the process that serves
 * @servers: how many there have been
 * @log: what has been said
 */
struct life {
	struct shared shared;
	_Atomic bool mounted, begun, idle;
	_Atomic pid_t server;
	_Atomic unsigned int servers, used;
	char device[64], log[LIFE_LOG];
};

extern struct life *life;

/* The nonce of the mount whose life it is. */
#define LIFE_NONCE	77u

/* In memory that goes along; or what the process before has made. */
bool life_begin(void);
bool life_attach(void);

/* Who owns the medium, as the mount @nonce. */
void life_options(struct volume_options *options, uint64_t nonce);

/* The parent's life. Return: as parent_run(). */
int life_parent(struct kept *kept, int memory, int ready);
/* That of a server after the first. Return: an exit status. */
int life_again(char **numbers);

#endif
