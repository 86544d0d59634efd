/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fuzzing the code that reads maps of files: what the parts share.
 */

#ifndef FAMFS_FUZZ_H
#define FAMFS_FUZZ_H

#include "../../../fs/fuse/tests/famfs_test.h"

/**
 * struct fuzz_result - what became of a message
 * @wrong: what the code under test did wrong, or NULL
 * @why: why it refused the message, NULL if it did not
 * @pos: where the message was found to be wrong
 */
struct fuzz_result {
	const char *wrong;
	const char *why;
	size_t pos;
};

void fuzz_one(const void *data, size_t size, struct fuzz_result *result);
void fuzz_mutate(struct famfs_msg *msg, struct rnd_state *rnd);

#endif
