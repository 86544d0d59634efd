/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the measuring program share.
 */
#ifndef FAMFS_BENCH_MEASURE_H
#define FAMFS_BENCH_MEASURE_H

#include <sys/types.h>

#include "clock.h"

#define PAGE	4096UL
#define MiB	(1UL << 20)
#define PMD	(2 * MiB)
#define PUD	(1024 * MiB)
#define WINDOW	(64 * MiB)

/* The part of a file that is measured. */
struct window {
	const char *path;
	off_t off;
	int fd;
	char *map;
};

typedef void (*step_fn)(struct window *w, unsigned long pos);

double per_step(struct window *w, step_fn step, unsigned long size);
void measure_io(struct window *w, unsigned long size, const char *name);
void measure_small_faults(struct window *read, struct window *write);
void measure_apart(struct window *w);
void measure_whole(struct window *w, unsigned long size);
void measure_huge_faults(struct window *w);
void measure_largest(struct window *w);
void measure_again(const char *path);
void measure_raw(const char *path);

void measure_turn(struct window *w);
void measure_warm_open(const char *path);
void measure_cold_open(char **paths, int n);

#endif /* FAMFS_BENCH_MEASURE_H */
