// SPDX-License-Identifier: GPL-2.0
/*
 * Opens, the server's instructions included.
 */
#include <fcntl.h>
#include <stdio.h>
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

/* Names and attributes are known before: only what an open brings is counted. */
void measure_cold_open(char **paths, int n)
{
	unsigned long sum = 0;
	struct stat st;
	int i;

	for (i = 0; i < n; i++) {
		if (stat(paths[i], &st))
			die("cannot find", paths[i]);
		sum += open_close(paths[i]);
	}
	result("cold-open", (double)sum / n);
}
