// SPDX-License-Identifier: GPL-2.0
/*
 * Reading on where the owner has begun another area.
 *
 * Its snapshot says what the records before it have said: who has read these to
 * the last goes on behind it. Anybody else, and everybody where the owner has
 * changed, or was mounted again, reads it whole and compares it with what there
 * was: an owner may have begun with less than it found (VOLUME_UNUSED).
 */

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "mutant.h"
#include "poll.h"

/* More than that is not kept in memory: reading the snapshot takes less. */
#define FOLLOW_MOST	(64u << 20)

/* Reads the old area to where the new one begins. 1: it has come there. */
static int follow_reach(struct poll *poll)
{
	const struct root *root = &poll->root;
	int more;

	poll_begin(poll);
	more = poll_read(poll, root->base_seq, FOLLOW_MOST);
	if (more < 0)
		return more;
	return !WRONG(FOLLOW_CHAIN, poll->log.place.seq != root->base_seq ||
		      poll->log.place.chain != root->base_chain);
}

/* Stands behind the snapshot; its last record has a known place. 1: done. */
static int follow_skip(struct poll *poll, struct log *log)
{
	struct volume *volume = poll->volume;
	struct record_header header;
	uint8_t line[LINE_SIZE];
	const uint8_t *bytes;
	int err;

	log_begin(log, volume->media, &volume->super, &poll->root);
	if (log->snapshot < END_LINES ||
	    log->snapshot > log->area.length / LINE_SIZE)
		return 0;
	log->tail = log->snapshot - END_LINES;
	err = media_read(volume->media,
			 log->area.offset + log->tail * LINE_SIZE, line,
			 LINE_SIZE, FOLLOW_END_DROP);
	if (err)
		return err;
	/* What it follows on from is not read, and has nothing new. */
	record_header_decode(&header, line);
	log->place.chain = header.chain;
	err = log_next(log, &header, &bytes);
	return err > 0 ? log->tail == log->snapshot : err;
}

static int follow_behind(struct poll *poll)
{
	struct log log;
	int found = follow_skip(poll, &log), err;

	if (found <= 0) {
		log_end(&log);
		return found;
	}
	log_end(&poll->log);
	poll->log = log;
	err = poll_apply(poll);
	return err ? err : 1;
}

/* What the snapshot has released since is held. */
static int follow_compare(struct poll *poll, struct model *now, uint64_t seq)
{
	struct volume *volume = poll->volume;
	uint64_t from = volume->log.place.seq + 1;
	size_t first = poll->changes.count;
	int err;

	/* Records that were lost behind damage: their numbers come again. */
	if (from > seq)
		from = seq;
	err = changes_of_models(&poll->changes, &volume->model, now, seq);
	for (size_t i = first; !err && i < poll->changes.count; i++) {
		const struct volume_change *change = &poll->changes.list[i];

		if (change->what & (CHANGE_CUT | CHANGE_REMOVED))
			err = holds_add(&volume->holds, change->ino, from,
					seq);
	}
	return err;
}

static void model_move(struct model *to, struct model *from)
{
	*to = *from;
	TAILQ_INIT(&to->removed);
	TAILQ_CONCAT(&to->removed, &from->removed, removed);
}

static int follow_take(struct poll *poll, struct log *log, struct model *model)
{
	struct volume *volume = poll->volume;
	int err;

	pthread_rwlock_wrlock(&volume->lock);
	err = follow_compare(poll, model, log->place.seq);
	if (err) {
		volume_stop(volume, err);
		model_free(model);
		log_end(log);
	} else {
		model_free(&volume->model);
		model_move(&volume->model, model);
		log_end(&volume->log);
		volume->log = *log;
		volume->root = poll->root;
	}
	pthread_rwlock_unlock(&volume->lock);
	return err;
}

static int follow_whole(struct poll *poll)
{
	struct volume *volume = poll->volume;
	struct super *super = &volume->super;
	struct fault found = { 0 };
	struct model model;
	struct log log;
	int result, err;

	err = model_init(&model, super->data, super->end, super->unit);
	if (err)
		return err;
	log_begin(&log, volume->media, super, &poll->root);
	result = log_replay(&log, &model, &found, NULL, NULL);
	media_settle(volume->media, FOLLOW_CALL_SETTLE);
	/* What was read of an area that is used anew does not count. */
	err = poll_check_root(poll);
	if (!err)
		err = result;
	if (!err)
		err = poll_check_call(poll);
	if (!err)
		return follow_take(poll, &log, &model);
	if (err == result && poll->fault && poll->fault->kind == FAULT_NONE)
		*poll->fault = found;
	model_free(&model);
	log_end(&log);
	return err;
}

int poll_follow(struct poll *poll)
{
	int found = 0;

	if (!WRONG(FOLLOW_SAME_OWNER,
		   poll->root.epoch != poll->volume->root.epoch))
		found = follow_reach(poll);
	if (found > 0)
		found = follow_behind(poll);
	if (found)
		return found > 0 ? 0 : found;
	return follow_whole(poll);
}
