/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A medium on which a process dies at any access: before it, in the middle of a
 * write, and after it.
 */
#ifndef FAMFS_SERVING_STEPS_H
#define FAMFS_SERVING_STEPS_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "media.h"

/* The exit status of who has died. */
#define STEPS_DIED	9

/* So many steps until death; 0: none. In memory that processes share. */
extern _Atomic int *steps_left;

/* Return: the exit status of a process, -1 if it has none. */
int steps_wait(pid_t pid);

/* One step more. */
void steps_go(void);

/* @media: made from memory that processes share. */
void steps_media(struct media *media, uint8_t *memory, uint64_t size);

#endif
