/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a path leads to, where whoever serves that may have stopped.
 */
#ifndef FAMFS_PLACE_H
#define FAMFS_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "table.h"

/**
 * struct place - what a path leads to
 * @path: without symbolic links
 * @number: of the superblock
 */
struct place {
	char path[PATH_MAX], number[TABLE_NUMBER];
	mode_t mode;
};

/**
 * place_find - follows a path
 * @ask: whoever serves the file system there is to answer: else what its root
 *	 leads to can be known without
 *
 * Return: 0; -ETIMEDOUT: somebody does not answer for five seconds; -ENOTCONN:
 * nobody serves it; other -errno.
 */
int place_find(const char *name, bool ask, struct place *place);

/* For commands that name a file or directory. False: said that it does not answer. */
bool place_answers(const char *name);

#endif
