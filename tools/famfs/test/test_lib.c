// SPDX-License-Identifier: GPL-2.0
/*
 * The checks of the library, one cmocka test each.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "checks.h"

static void run(void **state)
{
	const struct check *check = *state;
	const char *wrong = check->run();

	if (wrong)
		fail_msg("%s", wrong);
}

int main(void)
{
	struct CMUnitTest *tests = calloc(check_count, sizeof(*tests));
	int failed;

	for (unsigned int i = 0; tests && i < check_count; i++) {
		tests[i].name = checks[i].name;
		tests[i].test_func = run;
		tests[i].initial_state = (void *)&checks[i];
	}
	failed = _cmocka_run_group_tests("library", tests, check_count, NULL,
					 NULL);
	free(tests);
	return failed;
}
