/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Limits go by the clock: what is counted can take any time.
 */
#ifndef FAMFS_CLOCK_H
#define FAMFS_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds that only grow. */
static inline uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#endif
