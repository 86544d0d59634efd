// SPDX-License-Identifier: GPL-2.0
/*
 * Reads, writes and faults over a window of a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "measure.h"

static char *buffer;

static void nothing(struct window *w, unsigned long pos)
{
	(void)w;
	(void)pos;
	asm volatile("");
}

static unsigned long run(struct window *w, step_fn step, unsigned long size)
{
	unsigned long start = count(), pos;

	for (pos = 0; pos < WINDOW; pos += size)
		step(w, pos);
	return count() - start;
}

/* In an order in which none follows on the one before it. */
static unsigned long run_apart(struct window *w, step_fn step,
			       unsigned long size)
{
	unsigned long n = WINDOW / size, start, i;
	unsigned long turn = size == PMD ? n - 1 : 421;

	start = count();
	for (i = 0; i < n; i++)
		step(w, (i * turn & (n - 1)) * size);
	return count() - start;
}

/* Instructions of a step, those of the loop taken off. */
double per_step(struct window *w, step_fn step, unsigned long size)
{
	double all = run(w, step, size);

	return (all - run(w, nothing, size)) / (WINDOW / size);
}

/* Bytes of a read or write. */
static unsigned long chunk;

static void read_chunk(struct window *w, unsigned long pos)
{
	if (pread(w->fd, buffer, chunk, w->off + pos) != (ssize_t)chunk)
		die("cannot read", w->path);
}

static void write_chunk(struct window *w, unsigned long pos)
{
	if (pwrite(w->fd, buffer, chunk, w->off + pos) != (ssize_t)chunk)
		die("cannot write", w->path);
}

void measure_io(struct window *w, unsigned long size, const char *name)
{
	char op[32];

	chunk = size;
	buffer = aligned_alloc(PMD, PMD);
	if (!buffer || mlock(buffer, size))
		die("no memory for", w->path);
	memset(buffer, 1, size);
	/* Where there is a page cache, it has the file from here on. */
	run(w, read_chunk, size);
	write_chunk(w, 0);
	snprintf(op, sizeof(op), "read-%s", name);
	result(op, per_step(w, read_chunk, size));
	snprintf(op, sizeof(op), "write-%s", name);
	result(op, per_step(w, write_chunk, size));
}

/* Maps @size bytes @skip bytes behind a multiple of @align. */
static void map_aligned(struct window *w, unsigned long size,
			unsigned long align, unsigned long skip)
{
	char *room = mmap(NULL, size + skip + align, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		die("no room for", w->path);
	room = (char *)(((unsigned long)room + align - 1) & -align) + skip;
	w->map = mmap(room, size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, w->fd, w->off);
	if (w->map == MAP_FAILED)
		die("cannot map", w->path);
}

/* Maps the window where 2 MiB pages fit, whether they may be used or not. */
static void map_window(struct window *w)
{
	map_aligned(w, WINDOW, PMD, 0);
}

static void load(struct window *w, unsigned long pos)
{
	*(volatile char *)(w->map + pos);
}

static void store(struct window *w, unsigned long pos)
{
	*(volatile char *)(w->map + pos) = 1;
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* Each step must fault, and once. */
static void check_faults(const char *op, struct window *w, long before,
			 unsigned long size)
{
	long seen = faults() - before;

	if (seen != (long)(WINDOW / size)) {
		fprintf(stderr, "measure: %s on %s: %ld faults, not %ld\n", op,
			w->path, seen, (long)(WINDOW / size));
		exit(1);
	}
}

static void measure_faults(const char *op, struct window *w, step_fn step,
			   unsigned long size)
{
	long before = faults();
	double value = per_step(w, step, size);

	check_faults(op, w, before, size);
	result(op, value);
}

static void measure_faults_apart(const char *op, struct window *w,
				 unsigned long size)
{
	long before = faults();
	double all = run_apart(w, load, size);

	check_faults(op, w, before, size);
	result(op, (all - run_apart(w, nothing, size)) / (WINDOW / size));
}

/* One page in each 64 KiB. */
void measure_apart(struct window *w)
{
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		die("cannot turn off", "huge pages");
	map_window(w);
	measure_faults_apart("read-fault-4k", w, 16 * PAGE);
}

void measure_small_faults(struct window *read, struct window *write)
{
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		die("cannot turn off", "huge pages");
	map_window(read);
	map_window(write);
	result("read-touch-4k", per_step(read, load, PAGE));
	measure_faults("later-write-4k", read, store, PAGE);
	measure_faults("write-fault-4k", write, store, PAGE);
}

/* All of the window must be there after one fault for 2 MiB. */
static void check_huge(struct window *w)
{
	long before = faults();

	run(w, load, PAGE);
	if (faults() != before) {
		fprintf(stderr, "measure: no 2 MiB pages in %s\n", w->path);
		exit(1);
	}
}

void measure_huge_faults(struct window *w)
{
	map_window(w);
	measure_faults_apart("read-fault-2m", w, PMD);
	check_huge(w);
	measure_faults("later-write-2m", w, store, PMD);
}

/* Instructions of evicting what is not open; @w may be touched before. */
static long drop(struct window *w, bool touch)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	unsigned long start;

	w->fd = open(w->path, O_RDWR | O_CLOEXEC);
	if (w->fd < 0)
		die("cannot open", w->path);
	if (touch) {
		map_window(w);
		run(w, load, PMD);
		munmap(w->map, WINDOW);
	}
	close(w->fd);
	start = count();
	if (write(fd, "2", 1) != 1)
		die("cannot evict", w->path);
	start = count() - start;
	close(fd);
	return start;
}

#define DROPS	5

/* Other caches may have something to drop as well. */
static long drop_least(struct window *w, bool touch)
{
	long least = LONG_MAX;

	for (int i = 0; i < DROPS; i++) {
		long now = drop(w, touch);

		if (now < least)
			least = now;
	}
	return least;
}

/* What the entries of huge pages add to eviction, and a fault after that. */
void measure_again(const char *path)
{
	struct window w = { .path = path };
	double least, all;

	drop(&w, false);
	least = drop_least(&w, false);
	all = drop_least(&w, true);
	result("remove-2m", (all - least) / (WINDOW / PMD));
	w.fd = open(w.path, O_RDWR | O_CLOEXEC);
	map_window(&w);
	measure_faults_apart("again-fault-2m", &w, PMD);
	check_huge(&w);
}

/*
 * All of a large file, mapped by huge pages before: by one access to each, and
 * by one call.
 */
void measure_whole(struct window *w, unsigned long size)
{
	unsigned long start, i, n = size / PMD;
	int round;

	/* Where no page of 1 GiB fits. */
	map_aligned(w, size, PUD, PMD);
	for (round = 0; round < 3; round++) {
		if (madvise(w->map, size, MADV_DONTNEED))
			die("cannot unmap", w->path);
		start = count();
		if (round == 2 && madvise(w->map, size, MADV_POPULATE_READ))
			die("cannot populate", w->path);
		for (i = 0; round < 2 && i < n; i++)
			load(w, i * PMD);
		if (round)
			result(round == 1 ? "touch-2m" : "populate-2m",
			       (double)(count() - start) / n);
	}
}

static long fault_one(struct window *w)
{
	unsigned long start, i;
	long before;

	map_aligned(w, PUD, PUD, 0);
	start = count();
	load(w, 0);
	start = count() - start;
	before = faults();
	for (i = 0; i < PUD; i += PMD)
		load(w, i);
	if (faults() != before) {
		fprintf(stderr, "measure: no 1 GiB page in %s\n", w->path);
		exit(1);
	}
	munmap(w->map, PUD);
	return start;
}

/* A page of 1 GiB, and again after the file was evicted. */
void measure_largest(struct window *w)
{
	result("read-fault-1g", fault_one(w));
	close(w->fd);
	drop(w, false);
	w->fd = open(w->path, O_RDWR | O_CLOEXEC);
	result("again-fault-1g", fault_one(w));
	close(w->fd);
	drop(w, false);
}

void measure_raw(const char *path)
{
	struct window w = {
		.path = path,
		.fd = open(path, O_RDWR | O_CLOEXEC),
	};

	if (w.fd < 0)
		die("cannot open", path);
	map_window(&w);
	measure_faults_apart("read-fault-2m", &w, PMD);
	check_huge(&w);
	munmap(w.map, WINDOW);
	measure_whole(&w, 4 * WINDOW);
}
