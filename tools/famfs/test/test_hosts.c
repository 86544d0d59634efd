// SPDX-License-Identifier: GPL-2.0
/*
 * Several hosts: every order of their steps, and FAMFS_HISTORIES random
 * histories from FAMFS_SEED on. With FAMFS_TRACE what happens is printed.
 */

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
	const char *wrong = check_turns();
	uint64_t seed;

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
