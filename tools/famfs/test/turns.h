/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two hosts that take turns: each runs on a stack of its own, and stops before
 * any access to the medium that a schedule names, so that the other goes on.
 */
#ifndef FAMFS_TEST_TURNS_H
#define FAMFS_TEST_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "double.h"

#define TURNS_HOSTS	2u
#define TURNS_SWITCHES	3u

/* How what was fenced reaches the other host. */
enum turns_landing { TURNS_AT_ONCE, TURNS_LATE, TURNS_CHANCE, TURNS_LANDINGS };

/* A host's medium, by way of which it takes turns. */
struct media *turns_media(unsigned int host);

/* Before the runs, and after them. */
void turns_begin(struct double_memory *memory);
void turns_end(void);

/**
 * turns_run - runs both to their ends
 * @run: one for each host
 * @first: which one begins
 * @switches: numbers of accesses before which the other goes on, ascending; 0
 *            ends them
 * @check: called at each switch, and before each access; may be NULL
 *
 * Return: accesses in all.
 */
uint32_t turns_run(void (*const run[TURNS_HOSTS])(void *context),
		   void *context, unsigned int first,
		   const uint32_t switches[TURNS_SWITCHES],
		   enum turns_landing landing, void (*check)(void *context));

#endif
