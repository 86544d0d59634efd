/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Talking to the servers that are running on this host.
 */
#ifndef FAMFS_ASK_H
#define FAMFS_ASK_H

#include <stdbool.h>
#include <stddef.h>

/* What a server says, lines of a word and a value. */
struct answer {
	char uuid[64];
	char text[65536];
};

/**
 * ask_uuid - sends a word to the server of a file system
 *
 * Return: 0; -ENOENT where none is running; -ETIMEDOUT where it does not answer
 * for five seconds; other -errno.
 */
int ask_uuid(const char *uuid, const char *word, struct answer *answer);

/**
 * ask_status - asks all servers, or one
 * @wanted: a mount point, device, source, uuid or label; NULL for all
 * @each: called for each that fits
 *
 * Return: how many there were.
 */
int ask_status(const char *wanted,
	       void (*each)(void *context, const struct answer *answer),
	       void *context);

/**
 * ask_next - waits for another process to serve, for a minute
 * @before: which one served before, as status says
 *
 * Return: 0 with its status in @answer; -ESRCH: no server goes on.
 */
int ask_next(const char *uuid, const char *before, struct answer *answer);

/* The value of a word; "" where it was not said. In one of a few buffers. */
const char *ask_value(const struct answer *answer, const char *word);

#endif
