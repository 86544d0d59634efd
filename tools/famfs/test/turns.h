/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hosts that take turns: each runs on a stack of its own, and stops before any
 * access to the medium that a schedule names, so that another goes on.
 */
#ifndef FAMFS_TEST_TURNS_H
#define FAMFS_TEST_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "double.h"

#define TURNS_HOSTS	3u
#define TURNS_SWITCHES	3u

/* Before access @at the host that comes @by after this one goes on; 0: never. */
struct turns_switch {
	uint32_t at, by;
};

/* How what was fenced reaches the others. */
enum turns_landing { TURNS_AT_ONCE, TURNS_LATE, TURNS_CHANCE, TURNS_LANDINGS };

/* A host's medium, by way of which it takes turns. */
struct media *turns_media(unsigned int host);

/* Before the runs, and after them. */
void turns_begin(struct double_memory *memory);
void turns_end(void);

/**
 * turns_run - runs all to their ends
 * @run: one for each host, which is told its number; NULL: it does nothing
 * @first: which one begins
 * @switches: by ascending accesses
 * @check: called before each access; may be NULL
 *
 * Return: accesses in all.
 */
uint32_t turns_run(void (*const run[TURNS_HOSTS])(unsigned int host),
		   unsigned int first,
		   const struct turns_switch switches[TURNS_SWITCHES],
		   enum turns_landing landing, void (*check)(void));

#endif
