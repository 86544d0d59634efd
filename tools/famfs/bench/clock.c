// SPDX-License-Identifier: GPL-2.0
/*
 * The clock that counts instructions, and results.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

void die(const char *what, const char *name)
{
	fprintf(stderr, "%s: %s %s: %s\n", program_invocation_short_name, what,
		name, strerror(errno));
	exit(1);
}

void result(const char *op, double value)
{
	printf("%s %.1f\n", op, value);
}

/* A loop of two instructions tells whether the clock counts instructions. */
static unsigned long loop(unsigned long n)
{
	unsigned long start = count();

	asm volatile("1: dec %0\n\tjnz 1b" : "+r" (n));
	return count() - start;
}

/* An interrupt may come between, but not always. */
void check_clock(void)
{
	int i;

	for (i = 0; i < 100; i++) {
		long over = loop(50000) - 100000;

		if (over >= 0 && over < 100)
			return;
	}
	errno = ENOTSUP;
	die("cannot count instructions with", "the time stamp counter");
}
