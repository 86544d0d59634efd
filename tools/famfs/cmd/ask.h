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

/* So long it is waited for an answer that is needed, in milliseconds. */
#define ASK_LIMIT_MS	60000u

/**
 * ask_again - likewise, for a minute
 * @object: for messages: what it is that waits
 *
 * One that goes on for another, and reads a long log, takes its time to answer.
 */
int ask_again(const char *uuid, const char *word, const char *object,
	      struct answer *answer);

/**
 * ask_work - likewise, for what takes as long as it takes
 *
 * It is waited for until its server has written nothing for a minute, and said
 * every ten seconds.
 *
 * Return: as ask_uuid(); -ENOENT also where the server has died at it.
 */
int ask_work(const char *uuid, const char *word, const char *object,
	     struct answer *answer);

/* Says that @object waits for a server that does not answer. */
void ask_tell(const char *object);

/**
 * ask_status - asks all servers, or one
 * @name: a mount point, device, source, uuid or label; NULL for all
 * @each: called for each that fits
 *
 * Those that do not answer are said.
 *
 * Return: how many there were.
 */
int ask_status(const char *name,
	       void (*each)(void *context, const struct answer *answer),
	       void *context);

/**
 * ask_find - looks for the server that fits
 * @ms: so long it is tried where it may be one that does not answer
 * @answer: of one that does not end, if there are several
 *
 * Return: 0; -ENOENT: there is none; -ETIMEDOUT: it may be one that does not
 * answer.
 */
int ask_find(bool (*fits)(const struct answer *answer, const void *of),
	     const void *of, const char *object, unsigned int ms,
	     struct answer *answer);

/* By what ask_status() takes, for a minute. -ETIMEDOUT has been said. */
int ask_find_name(const char *name, struct answer *answer);

/* For ask_find(): has it that superblock, whose number is @number? */
bool ask_is_superblock(const struct answer *answer, const void *number);

/**
 * ask_next - waits for another process to serve, for a minute
 * @before: which one served before, as status says
 * @object: for messages
 *
 * Return: 0 with its status in @answer; -ESRCH: no server goes on; -ETIMEDOUT:
 * the next one does not answer.
 */
int ask_next(const char *uuid, const char *before, const char *object,
	     struct answer *answer);

/* The value of a word; "" where it was not said. In one of a few buffers. */
const char *ask_value(const struct answer *answer, const char *word);

#endif
