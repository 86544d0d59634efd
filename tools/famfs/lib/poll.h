/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the files that read on.
 */
#ifndef FAMFS_POLL_H
#define FAMFS_POLL_H

#include "change.h"
#include "volume_internal.h"

/**
 * struct poll - one reading on
 * @root: as it was read
 * @log: where reading stands, with a window of its own
 * @bytes: records that have been read and not been applied
 * @changes: of those that have been applied
 */
struct poll {
	struct volume *volume;
	struct root root;
	struct log log;
	uint8_t *bytes;
	size_t used, room;
	struct changes changes;
	struct fault *fault;
};

/* Begins where the volume stands. */
void poll_begin(struct poll *poll);

/**
 * poll_apply - applies what was read, as one change to those who look
 *
 * Return: 0, or the error that has cut this host off.
 */
int poll_apply(struct poll *poll);

/* Has another root come? Return: 0, -EAGAIN: it has; or an error. */
int poll_check_root(struct poll *poll);

/* Nobody else has called: what was read counts. 0 or as call_check(). */
int poll_check_call(struct poll *poll);

/**
 * poll_follow - goes on behind a snapshot, or reads it whole
 *
 * @poll->root is another one than the volume's.
 *
 * Return: 0; -EAGAIN: from the root on, again; or an error.
 */
int poll_follow(struct poll *poll);

/* So much is read before it is applied. */
#define POLL_BATCH	(1u << 20)

/**
 * poll_read - reads records to memory
 * @last: not beyond this seq
 * @most: not many more bytes than that
 *
 * Return: 1: more may follow; 0: the log ends there; or an error.
 */
int poll_read(struct poll *poll, uint64_t last, size_t most);

/* Reading on for a host that has no slot yet, too. As volume_poll(). */
int poll_run(struct volume *volume,
	     void (*each)(void *context, const struct volume_change *change),
	     void *context, struct fault *fault);

#endif
