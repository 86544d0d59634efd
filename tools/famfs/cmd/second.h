/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mounting what is mounted already, or is just being mounted.
 */
#ifndef FAMFS_SECOND_H
#define FAMFS_SECOND_H

#include "serve.h"

/* As mount(8) knows it. */
enum { SECOND_FAILED = 32 };

/**
 * turn_wait - waits until nobody else has the turn of that name
 * @object: for messages: what it is wanted for
 *
 * Two minutes at most, and not without a word.
 *
 * Return: what ends it when it is closed, or -1: what was wrong has been said.
 */
int turn_wait(const char *name, const char *object);

/* Likewise, without waiting. -1: somebody has it, or it cannot be had. */
int turn_try(const char *name);

/**
 * turn_take - waits until no other mount of the same file system is under way
 * @wanted: gets the uuid, and what is to be closed when it is mounted
 *
 * Return: false: what was wrong has been said.
 */
bool turn_take(struct serve *wanted);

/**
 * second_mount_point - makes one, if a server of this host has the device
 *
 * Context: in its turn, so that a server that begins is seen.
 *
 * Return: 0; an exit status, and what was wrong has been said; -1: none has it.
 */
int second_mount_point(const struct serve *wanted);

/* Changes the options of what is mounted. Return: an exit status. */
int mount_again(const struct serve *wanted);

#endif
