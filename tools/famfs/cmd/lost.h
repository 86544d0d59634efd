/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mount points that have lost their servers, and those who start other ones.
 */
#ifndef FAMFS_LOST_H
#define FAMFS_LOST_H

#include <stdbool.h>

#include "table.h"

/* Is @err what a mount point without a server says? */
bool lost_is(int err);

/**
 * lost_each - looks for mount points that nobody serves any more
 * @name: a mount point, or a source; NULL for all
 * @call: called, with @context, for each
 *
 * One that answers, or whose server hangs, is none.
 *
 * Return: how many there are.
 */
unsigned int lost_each(const char *name,
		       void (*call)(void *context,
				    const struct table_mount *mount),
		       void *context);

#endif
