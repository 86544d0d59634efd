// SPDX-License-Identifier: GPL-2.0
/*
 * The log: reading up to its end, and appending.
 */

#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mutant.h"

#define WINDOW_LEAST	64u
#define WINDOW_MOST	65536u
/* Lines replayed between two reports of progress: 1 MiB. */
#define PROGRESS_LINES	16384u

void log_begin(struct log *log, struct media *media,
	       const struct super *super, const struct root *root)
{
	memset(log, 0, sizeof(*log));
	log->media = media;
	memcpy(log->secret, root->secret, 16);
	log->generation = root->generation;
	log->area = super->areas[root->generation % AREA_COUNT];
	log->place.seq = root->base_seq;
	log->place.chain = root->base_chain;
	log->place.mark = record_mark(root->secret, root->generation);
	log->place.epoch = root->epoch;
	log->snapshot = root->lines;
	log->window_want = WINDOW_LEAST;
}

void log_end(struct log *log)
{
	free(log->window);
	log->window = NULL;
}

void log_forget(struct log *log)
{
	log->window_lines = 0;
	log->window_want = WINDOW_LEAST;
}

uint64_t log_room(const struct log *log)
{
	return log->area.length / LINE_SIZE - log->tail;
}

/* Fetches at least @lines at @at, which are in the area, to private memory. */
static int log_fetch(struct log *log, uint64_t at, uint64_t lines)
{
	uint64_t want = log->window_want > lines ? log->window_want : lines;
	uint64_t left = log->area.length / LINE_SIZE - at;
	uint8_t *more;
	int err;

	if (want > left)
		want = left;
	if (want * LINE_SIZE > log->window_room) {
		more = realloc(log->window, want * LINE_SIZE);
		if (!more)
			return -ENOMEM;
		log->window = more;
		log->window_room = want * LINE_SIZE;
	}
	log->window_lines = 0;
	err = media_read(log->media, log->area.offset + at * LINE_SIZE,
			 log->window, want * LINE_SIZE, LOG_DROP);
	if (err)
		return err;
	log->window_at = at;
	log->window_lines = want;
	if (log->window_want < WINDOW_MOST)
		log->window_want *= 4;
	return 0;
}

/* Return: 1 with the lines, 0 where the area ends before, or an error. */
static int log_lines(struct log *log, uint64_t at, uint64_t lines,
		     const uint8_t **bytes)
{
	uint64_t all = log->area.length / LINE_SIZE;
	int err;

	if (at >= all || lines > all - at)
		return 0;
	if (at < log->window_at ||
	    at + lines > log->window_at + log->window_lines) {
		err = log_fetch(log, at, lines);
		if (err)
			return err;
	}
	*bytes = log->window + (at - log->window_at) * LINE_SIZE;
	return 1;
}

int log_next(struct log *log, struct record_header *header,
	     const uint8_t **bytes)
{
	bool snapshot = log->tail < log->snapshot;
	int found;

	found = log_lines(log, log->tail, 1, bytes);
	if (found <= 0)
		return found;
	record_header_decode(header, *bytes);
	if (!record_follows(header, &log->place, snapshot))
		return 0;
	found = log_lines(log, log->tail, header->lines, bytes);
	if (found <= 0)
		return found;
	/* Lines of a record may have been fetched anew: it may be another. */
	record_header_decode(header, *bytes);
	if (!record_follows(header, &log->place, snapshot) ||
	    log->tail + header->lines > log->window_at + log->window_lines ||
	    !record_whole(header, *bytes, log->secret))
		return 0;
	log->tail += header->lines;
	log->place.seq = header->seq;
	log->place.chain = header->crc;
	return 1;
}

static int record_apply(struct model *model,
			const struct application *application,
			const struct record_header *header,
			const uint8_t *bytes)
{
	size_t size = (size_t)header->lines * LINE_SIZE, at = RECORD_HEADER;
	struct item item;
	int err;

	/* Less than eight bytes, or a type of 0: padding up to the line. */
	while (size - at >= 8 && (bytes[at] || bytes[at + 1])) {
		size_t step = item_decode(&item, bytes + at, size - at);

		if (!step)
			return fault_set(application->fault, -EUCLEAN,
					 FAULT_CONTENT, application->where + at,
					 "record %llu has an item that makes no sense",
					 (unsigned long long)header->seq);
		err = model_apply(model, application, &item);
		if (err)
			return err;
		at += step;
	}
	return application->snapshot ? 0 : model_check(model, application);
}

int log_apply(const struct log *log, struct model *model, struct fault *fault,
	      const struct record_header *header, const uint8_t *bytes)
{
	struct application application = {
		.seq = header->seq,
		.time = header->time,
		.snapshot = header->flags & RECORD_SNAPSHOT,
		.where = log->area.offset +
			 (log->tail - header->lines) * LINE_SIZE,
		.fault = fault,
	};

	return record_apply(model, &application, header, bytes);
}

int log_replay(struct log *log, struct model *model, struct fault *fault,
	       void (*done)(void *context, const struct record_header *header,
			    const uint8_t *bytes),
	       void *context)
{
	struct record_header header;
	uint64_t told = log->tail / PROGRESS_LINES;
	const uint8_t *bytes;
	int found, err;

	while ((found = log_next(log, &header, &bytes)) > 0) {
		err = log_apply(log, model, fault, &header, bytes);
		if (err)
			return err;
		if (done && !(header.flags & RECORD_SNAPSHOT))
			done(context, &header, bytes);
		if (log->progress && log->tail / PROGRESS_LINES > told) {
			told = log->tail / PROGRESS_LINES;
			log->progress(log->tail * LINE_SIZE);
		}
	}
	if (found < 0)
		return found == -ENOMEM ? found :
		       fault_set(fault, found, FAULT_ACCESS, log->media->fault,
				 "the log cannot be read");
	if (WRONG(SNAPSHOT_WHOLE, log->tail < log->snapshot || !model->ended))
		return fault_set(fault, -EUCLEAN, FAULT_SNAPSHOT,
				 log->area.offset + log->tail * LINE_SIZE,
				 "the snapshot of generation %llu ends too early",
				 (unsigned long long)log->generation);
	return 0;
}

/* Could a record of this generation begin in this line, behind a torn one? */
static bool log_line_is_later(const struct log *log, const uint8_t *line,
			      struct record_header *header)
{
	record_header_decode(header, line);
	return header->mark == log->place.mark &&
	       header->epoch == log->place.epoch && header->lines &&
	       header->flags == 0 && header->seq > log->place.seq + 1;
}

int log_is_damaged(struct log *log, uint64_t *where)
{
	uint64_t all = log->area.length / LINE_SIZE;
	uint64_t last = log->tail + RECORD_LINES_MOST;
	struct record_header header;
	const uint8_t *bytes;
	int found = 0;

	log_forget(log);
	if (last > all)
		last = all;
	for (uint64_t at = log->tail + 1; at < last; at++) {
		found = log_lines(log, at, 1, &bytes);
		if (found <= 0)
			break;
		if (!log_line_is_later(log, bytes, &header))
			continue;
		found = log_lines(log, at, header.lines, &bytes);
		if (found < 0)
			break;
		if (!found || !record_whole(&header, bytes, log->secret))
			continue;
		*where = log->area.offset + at * LINE_SIZE;
		return WRONG(LOG_GOES_ON, 1);
	}
	log_forget(log);
	return found < 0 ? found : 0;
}

int log_append(struct log *log, struct record *record, uint16_t flags,
	       uint64_t unique, int64_t time)
{
	struct record_place place = log->place;
	size_t bytes;
	int err;

	if (record->err)
		return record->err == -EFBIG ? -ENOSPC : record->err;
	if (!(flags & RECORD_SNAPSHOT))
		place.seq++;
	bytes = record_seal(record, log->secret, &place, flags, unique, time);
	if (bytes / LINE_SIZE > log_room(log))
		return -ENOSPC;
	err = media_write(log->media, log->area.offset + log->tail * LINE_SIZE,
			  record->bytes, bytes, LOG_WRITE);
	if (err)
		return err == -ENOSPC ? -EIO : err;
	log->tail += bytes / LINE_SIZE;
	log->place.seq = place.seq;
	log->place.chain = record_crc(record);
	return 0;
}
