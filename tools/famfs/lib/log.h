/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The log: records one behind the other in an area.
 */
#ifndef FAMFS_LOG_H
#define FAMFS_LOG_H

#include "fault.h"
#include "lines.h"
#include "media.h"
#include "model.h"
#include "record.h"
#include "super.h"

/**
 * struct log - a place in the log
 * @secret: what its records are summed with
 * @generation: as in the root
 * @place: the last record that counts
 * @tail: lines of the area up to its end
 * @snapshot: lines of the snapshot at the area's beginning
 * @window: private copy of some lines: @window_lines at @window_at
 * @window_want: lines to fetch next; it grows while reading goes on
 * @progress: told after each MiB how much has been replayed; may be NULL
 */
struct log {
	struct media *media;
	uint8_t secret[16];
	struct area area;
	uint64_t generation;
	struct record_place place;
	uint64_t tail, snapshot;
	uint8_t *window;
	size_t window_room;
	uint64_t window_at, window_lines, window_want;
	void (*progress)(uint64_t bytes);
};

/* Stands before the snapshot that @root names. */
void log_begin(struct log *log, struct media *media,
	       const struct super *super, const struct root *root);
void log_end(struct log *log);

/**
 * log_next - reads the record that follows on
 * @bytes: the whole record, until the next call
 *
 * Return: 1; 0 at the end; -ENOMEM or the error of the medium.
 */
int log_next(struct log *log, struct record_header *header,
	     const uint8_t **bytes);

/* Applies the record that ends at the tail. As model_apply(). */
int log_apply(const struct log *log, struct model *model, struct fault *fault,
	      const struct record_header *header, const uint8_t *bytes);

/* Forgets what was fetched: the end is looked for anew. */
void log_forget(struct log *log);

/**
 * log_replay - applies what follows on, up to the end
 * @done: told of each record that is no part of a snapshot; may be NULL
 *
 * Return: 0, -ENOMEM, an error of the medium, or -EUCLEAN with a finding.
 */
int log_replay(struct log *log, struct model *model, struct fault *fault,
	       void (*done)(void *context, const struct record_header *header,
			    const uint8_t *bytes),
	       void *context);

/**
 * log_is_damaged - is there a record behind the end that was acknowledged?
 *
 * Each record is fenced before the next is begun, so one is torn at most.
 *
 * Return: 1 and its offset, 0, or an error.
 */
int log_is_damaged(struct log *log, uint64_t *where);

/* Lines that are left in the area. */
uint64_t log_room(const struct log *log);

/**
 * log_append - writes a record, written back and fenced
 *
 * Return: 0; -ENOSPC where it does not fit, and nothing has been written; an
 * error of the medium: nobody knows what is there, so nothing may be appended.
 */
int log_append(struct log *log, struct record *record, uint16_t flags,
	       uint64_t unique, int64_t time);

/**
 * snapshot_write - writes a snapshot of @model at the beginning of an area
 * @log: stands at its beginning; behind the snapshot afterwards
 *
 * Return: 0, -ENOSPC, -ENOMEM or an error of the medium. The area says nothing
 * until a root names it.
 */
int snapshot_write(struct log *log, struct model *model, int64_t time);

/* What a snapshot of @model takes at most, also when things are removed. */
uint64_t snapshot_bytes(const struct model *model);

#endif
