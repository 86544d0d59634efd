// SPDX-License-Identifier: GPL-2.0
/*
 * Opens, closes and syncs, the server's instructions included.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure.h"

#define TIMES	256

static unsigned long open_close(const char *path)
{
	unsigned long start = count();
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("cannot open", path);
	close(fd);
	return count() - start;
}

void measure_warm_open(const char *path)
{
	unsigned long sum = 0;
	int i;

	open_close(path);
	for (i = 0; i < TIMES; i++)
		sum += open_close(path);
	result("open", (double)sum / TIMES);
}

static int compare(const void *a, const void *b)
{
	const unsigned long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Others' work that comes between some of them is not in the median. */
static void result_median(const char *op, unsigned long *counts, int n)
{
	qsort(counts, n, sizeof(*counts), compare);
	result(op, counts[n / 2]);
}

/* What one more handle of a file takes, and syncs with nothing to do. */
void measure_turn(struct window *w)
{
	unsigned long opens[TIMES], closes[TIMES], fsyncs[TIMES], syncs[TIMES];
	unsigned long at;
	int i, fd;

	open_close(w->path);
	for (i = 0; i < TIMES; i++) {
		at = count();
		fd = open(w->path, O_RDONLY | O_CLOEXEC);
		opens[i] = count() - at;
		if (fd < 0)
			die("cannot open", w->path);
		at = count();
		close(fd);
		closes[i] = count() - at;
		at = count();
		if (fsync(w->fd))
			die("cannot sync", w->path);
		fsyncs[i] = count() - at;
		at = count();
		if (syncfs(w->fd))
			die("cannot sync the file system of", w->path);
		syncs[i] = count() - at;
	}
	result_median("open", opens, TIMES);
	result_median("close", closes, TIMES);
	result_median("fsync", fsyncs, TIMES);
	result_median("syncfs", syncs, TIMES);
}

/* Names and attributes are known before: only what an open brings is counted. */
void measure_cold_open(char **paths, int n)
{
	unsigned long opens[TIMES];
	struct stat st;
	int i;

	if (n > TIMES)
		n = TIMES;
	for (i = 0; i < n; i++) {
		if (stat(paths[i], &st))
			die("cannot find", paths[i]);
		opens[i] = open_close(paths[i]);
	}
	result_median("cold-open", opens, n);
}
