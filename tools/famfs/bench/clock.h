/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counting instructions, and saying how many there were.
 *
 * To be used on the one CPU of a guest under QEMU -icount shift=0, where a
 * nanosecond is an instruction.  One that repeats itself, as rep movsb, counts
 * once for each time.
 */
#ifndef FAMFS_BENCH_CLOCK_H
#define FAMFS_BENCH_CLOCK_H

#include <x86intrin.h>

/* The time stamp counts instructions there. */
static inline unsigned long count(void)
{
	return __rdtsc();
}

void check_clock(void);
void die(const char *what, const char *name) __attribute__((noreturn));
void result(const char *op, double value);

#endif /* FAMFS_BENCH_CLOCK_H */
