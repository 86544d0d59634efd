// SPDX-License-Identifier: GPL-2.0
/*
 * Disables each numbered write-back, fence, drop and comparison in turn: the
 * checks, or random histories, must notice.
 *
 * FAMFS_MUTANT runs one of them, FAMFS_HISTORIES says how many histories may
 * pass before one counts as not found.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checks.h"
#include "mutant.h"

/*
 * Those that cannot be noticed while no other host takes over, or at all; why
 * is said beside each. The names, and nothing else, are compared.
 */
static const char *const equivalent[] = {
#include "equivalent.inc"
};

static const char *how_found(uint64_t histories)
{
	static char text[400];
	const char *wrong;

	for (unsigned int i = 0; i < check_count; i++) {
		wrong = checks[i].run();
		if (wrong) {
			snprintf(text, sizeof(text), "%s: %s", checks[i].name,
				 wrong);
			return text;
		}
	}
	for (uint64_t seed = 1; seed <= histories; seed++) {
		wrong = check_history(seed, false);
		if (!wrong)
			wrong = check_hosts(seed, false);
		if (wrong) {
			snprintf(text, sizeof(text), "history %llu: %s",
				 (unsigned long long)seed, wrong);
			return text;
		}
	}
	return NULL;
}

/* In a process of its own: a mutant may do anything. */
static bool is_found(unsigned int number, uint64_t histories)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* Of its own time: a busy machine is no find. */
		struct rlimit limit = { 120, 120 };
		const char *found;

		mutant_disabled = number;
		setrlimit(RLIMIT_CPU, &limit);
		found = how_found(histories);
		printf("%3u %-28s %s\n", number, mutant_name(number),
		       found ? found : "NOT FOUND");
		fflush(stdout);
		_exit(found != NULL);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return false;
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	printf("%3u %-28s ends with signal %d\n", number, mutant_name(number),
	       WTERMSIG(status));
	return true;
}

static bool is_equivalent(unsigned int number)
{
	for (unsigned int i = 0; i < sizeof(equivalent) / sizeof(*equivalent);
	     i++) {
		if (!strcmp(equivalent[i], mutant_name(number)))
			return true;
	}
	return false;
}

int main(void)
{
	const char *many = getenv("FAMFS_HISTORIES");
	const char *one = getenv("FAMFS_MUTANT");
	unsigned int found = 0, known = 0, missed = 0;
	uint64_t histories = many ? strtoull(many, NULL, 0) : 5000;

	for (unsigned int i = 1; i < MUTANT_END; i++) {
		if (one && strtoul(one, NULL, 0) != i)
			continue;
		if (is_equivalent(i) && !one)
			known++;
		else if (is_found(i, histories))
			found++;
		else
			missed++;
	}
	printf("%u mutants found, %u equivalent, %u missed\n", found, known,
	       missed);
	return missed != 0;
}
