// SPDX-License-Identifier: GPL-2.0
/*
 * Random histories, FAMFS_HISTORIES of them from FAMFS_SEED on. With
 * FAMFS_TRACE what happens is printed, as it is of one that fails.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "checks.h"

static uint64_t number(const char *name, uint64_t usual)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : usual;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(void)
{
	uint64_t first = number("FAMFS_SEED", 1);
	uint64_t many = number("FAMFS_HISTORIES", 2000);
	double start = seconds();
	const char *wrong = NULL;
	uint64_t seed;

	for (seed = first; seed < first + many && !wrong; seed++)
		wrong = check_history(seed, getenv("FAMFS_TRACE"));
	if (wrong)
		printf("FAMFS_SEED=%llu: %s\n", (unsigned long long)seed - 1,
		       check_history(seed - 1, true));
	printf("%llu histories, %.0f a second; each %.0f accesses of lines, "
	       "%.1f operations, %.1f crashes, %.1f readers\n",
	       (unsigned long long)(seed - first),
	       (double)(seed - first) / (seconds() - start),
	       (double)history_steps / (double)(seed - first),
	       (double)history_ops / (double)(seed - first),
	       (double)history_crashes / (double)(seed - first),
	       (double)history_readers / (double)(seed - first));
	check_history_free();
	return wrong != NULL;
}
