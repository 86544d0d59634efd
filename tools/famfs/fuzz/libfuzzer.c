// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzing the code that reads maps of files: messages from libFuzzer.
 */

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_result result;

	fuzz_one(data, size, &result);
	if (result.wrong) {
		fprintf(stderr, "%s\n", result.wrong);
		abort();
	}
	return 0;
}
