/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests that are being done, in memory that outlives the process: so that
 * none is done again when the kernel sends it once more.
 *
 * A request is marked before it is done, and once more when its record is in the
 * log, before anything else can be logged: a snapshot, which drops the record,
 * comes after that. Between record and mark the log itself tells. The mark stays
 * until the reply has been written.
 *
 * Locking: none; each mark belongs to one request.
 */
#ifndef FAMFS_DONE_H
#define FAMFS_DONE_H

#include <stdatomic.h>
#include <stdint.h>

#include "record.h"

/* Each process that ends leaves as many behind as it has threads, at most. */
#define DONE_MARKS	1024u

enum done_state { DONE_FREE, DONE_BEGUN, DONE_LOGGED };

/**
 * struct done_mark - a request
 * @unique: the kernel's number for it
 * @ino: the inode that its record makes, or 0
 */
struct done_mark {
	_Atomic uint32_t state;
	_Atomic uint64_t unique, ino;
};

/* All of them; zeros at first. @used: no mark from there on was ever used. */
struct done {
	_Atomic uint32_t used;
	struct done_mark marks[DONE_MARKS];
};

/* Return: NULL where all marks are in use. */
struct done_mark *done_begin(struct done *done, uint64_t unique);
/* The record is in the log. */
void done_log(struct done_mark *mark, const uint8_t *record);
/* The reply has been written. */
void done_end(struct done_mark *mark);

/* A request that was begun and is found in the log, was logged. */
void done_replay(struct done *done, const struct record_header *header,
		 const uint8_t *record);
/* After that: what was begun alone was not done. */
void done_drop_begun(struct done *done);
/* All requests that were sent again are answered. */
void done_drop_all(struct done *done);

/* The mark of a request that was logged, or NULL. */
struct done_mark *done_find(struct done *done, uint64_t unique);

#endif
