// SPDX-License-Identifier: GPL-2.0
/*
 * Several hosts: every order of their steps, and FAMFS_HISTORIES random
 * histories from FAMFS_SEED on. With FAMFS_TRACE what happens is printed.
 * FAMFS_TWO and FAMFS_THREE say how often two and three hosts take turns.
 */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "checks.h"

static uint64_t number(const char *name, uint64_t usual)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : usual;
}

int main(void)
{
	uint64_t first = number("FAMFS_SEED", 1);
	uint64_t many = number("FAMFS_HISTORIES", 500);
	uint64_t two = number("FAMFS_TWO", 2), three = number("FAMFS_THREE", 1);
	const char *wrong;
	uint64_t seed;

	/* What is freed is soon had again: its pages need not come and go. */
	mallopt(M_MMAP_THRESHOLD, 1 << 25);
	mallopt(M_TRIM_THRESHOLD, 1 << 28);
	wrong = check_turns((unsigned int)two, (unsigned int)three, true);
	if (wrong)
		printf("in turns: %s\n", wrong);
	for (seed = first; seed < first + many && !wrong; seed++) {
		wrong = check_hosts(seed, getenv("FAMFS_TRACE"));
		if (wrong)
			printf("FAMFS_SEED=%llu: %s\n",
			       (unsigned long long)seed, wrong);
	}
	printf("%llu histories of several hosts\n",
	       (unsigned long long)(seed - first));
	check_hosts_free();
	return wrong != NULL;
}
