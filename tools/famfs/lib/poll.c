// SPDX-License-Identifier: GPL-2.0
/*
 * Reading on: what the owner has logged since the last time.
 *
 * Records are read to memory of this host's own, and count only when the call,
 * read a settle later, is none of a later epoch: whoever called finds them too,
 * then. All that one poll has read is applied under the volume's lock.
 */

#include "poll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mutant.h"

/* How often the medium may change while it is read. */
#define POLL_TRIES	16

void poll_begin(struct poll *poll)
{
	log_end(&poll->log);
	poll->log = poll->volume->log;
	poll->log.window = NULL;
	poll->log.window_room = 0;
	log_forget(&poll->log);
	poll->used = 0;
}

static int poll_keep(struct poll *poll, const struct record_header *header,
		     const uint8_t *bytes)
{
	size_t size = (size_t)header->lines * LINE_SIZE;
	size_t room = poll->room ? poll->room : 4096;
	uint8_t *more;

	while (room < poll->used + size)
		room *= 2;
	if (room != poll->room) {
		more = realloc(poll->bytes, room);
		if (!more)
			return -ENOMEM;
		poll->bytes = more;
		poll->room = room;
	}
	memcpy(poll->bytes + poll->used, bytes, size);
	poll->used += size;
	return 0;
}

int poll_read(struct poll *poll, uint64_t last, size_t most)
{
	struct record_header header;
	const uint8_t *bytes;

	while (poll->used < most && poll->log.place.seq < last) {
		int found = log_next(&poll->log, &header, &bytes);

		if (found <= 0)
			return found;
		found = poll_keep(poll, &header, bytes);
		if (found)
			return found;
	}
	return 1;
}

/* What the record that has just been applied has released is held. */
static int poll_hold(struct poll *poll, size_t from, uint64_t seq)
{
	struct volume *volume = poll->volume;
	struct inode *inode;
	int err = 0;

	for (size_t i = from; !err && i < poll->changes.count; i++) {
		struct volume_change *change = &poll->changes.list[i];

		inode = inode_find(&volume->model, change->ino);
		if (inode && !inode->links && inode->released == seq)
			change->what |= CHANGE_REMOVED;
		if (change->what & (CHANGE_CUT | CHANGE_REMOVED))
			err = holds_add(&volume->holds, change->ino, seq, seq);
	}
	return err;
}

static int poll_apply_one(struct poll *poll,
			  const struct record_header *header,
			  const uint8_t *bytes)
{
	struct model *model = &poll->volume->model;
	size_t from = poll->changes.count;
	int err;

	err = changes_of_record(&poll->changes, model, header, bytes);
	if (!err)
		err = log_apply(&poll->log, model, poll->fault, header, bytes);
	return err ? err : poll_hold(poll, from, header->seq);
}

int poll_apply(struct poll *poll)
{
	struct volume *volume = poll->volume;
	struct record_header header;
	int err = 0;

	pthread_rwlock_wrlock(&volume->lock);
	for (size_t at = 0; !err && at < poll->used;
	     at += (size_t)header.lines * LINE_SIZE) {
		record_header_decode(&header, poll->bytes + at);
		err = poll_apply_one(poll, &header, poll->bytes + at);
	}
	log_end(&volume->log);
	volume->log = poll->log;
	volume->log.window = NULL;
	volume->log.window_room = 0;
	log_forget(&volume->log);
	volume->root = poll->root;
	/* The model may be half changed. */
	if (err)
		volume_stop(volume, err);
	pthread_rwlock_unlock(&volume->lock);
	poll->used = 0;
	return err;
}

static bool root_is_same(const struct root *a, const struct root *b)
{
	return a->epoch == b->epoch && a->generation == b->generation;
}

int poll_check_root(struct poll *poll)
{
	struct volume *volume = poll->volume;
	struct root now;
	int err = root_read(&now, volume->media, volume->super.uuid);

	if (err)
		return err == -ENOENT ? -EAGAIN : err;
	return WRONG(POLL_ROOT_AGAIN, !root_is_same(&now, &poll->root)) ?
	       -EAGAIN : 0;
}

int poll_check_call(struct poll *poll)
{
	struct volume *volume = poll->volume;
	int err = call_check(volume->media, volume->super.uuid,
			     poll->root.epoch);

	/* Newer, or being written: whoever writes it may not have seen this. */
	if (err == -EROFS || err == -EIO)
		return WRONG(POLL_IS_CALLED, 1) ? -EAGAIN : 0;
	return err;
}

/* The log goes at least so far, as its owner said before it was read. */
static int poll_least(struct poll *poll, uint64_t *seq)
{
	struct volume *volume = poll->volume;
	struct beat beat;
	int err = beat_read(&beat, volume->media, volume->super.uuid,
			    poll->root.owner);

	*seq = 0;
	if (err)
		return err == -EAGAIN ? 0 : err;
	if (beat.epoch == poll->root.epoch)
		*seq = beat.tail_seq;
	return 0;
}

/*
 * Nothing follows on, and the owner has said that something does. Lines of what
 * was fenced arrive in any order until a settle is over, which it is.
 */
static int poll_look_again(struct poll *poll, uint64_t least)
{
	int more;

	log_forget(&poll->log);
	more = WRONG(POLL_READ_AGAIN, 1) ?
	       poll_read(poll, UINT64_MAX, POLL_BATCH) : 0;
	if (more < 0 || poll->used)
		return more < 0 ? more : 1;
	return fault_set(poll->fault, -EUCLEAN, FAULT_LOG,
			 poll->log.area.offset + poll->log.tail * LINE_SIZE,
			 "the log ends behind record %llu, and its owner has written record %llu",
			 (unsigned long long)poll->log.place.seq,
			 (unsigned long long)least);
}

/* Return: 1: there may be more; 0: the end; -EAGAIN; or an error. */
static int poll_records(struct poll *poll)
{
	uint64_t least;
	bool early;
	int more, err;

	poll_begin(poll);
	err = poll_least(poll, &least);
	if (err)
		return err;
	more = poll_read(poll, UINT64_MAX, POLL_BATCH);
	if (more < 0)
		return more;
	early = !more && WRONG(POLL_REACHES_BEAT,
			       poll->log.place.seq < least);
	if (!poll->used && !early)
		return 0;
	media_settle(poll->volume->media, POLL_CALL_SETTLE);
	err = poll_check_root(poll);
	if (!err && !poll->used)
		return poll_look_again(poll, least);
	if (!err)
		err = poll_check_call(poll);
	if (!err)
		err = poll_apply(poll);
	return err ? err : early || more;
}

static int poll_read_root(struct poll *poll)
{
	struct volume *volume = poll->volume;
	const uint8_t *uuid = volume->super.uuid;
	struct super super;
	int err = root_read(&poll->root, volume->media, uuid);

	if (err != -ENOENT)
		return err;
	/* Both lines spoilt: by a mkfs, which makes another file system. */
	err = super_read(&super, volume->media, NULL);
	if (err == -EMEDIUMTYPE || err == -EPROTONOSUPPORT ||
	    (!err && WRONG(POLL_SAME_SUPER, memcmp(super.uuid, uuid, 16))))
		return -ESTALE;
	return -EAGAIN;
}

static int poll_step(struct poll *poll)
{
	int err = poll_read_root(poll);

	if (err)
		return err;
	if (root_is_same(&poll->root, &poll->volume->root))
		return poll_records(poll);
	/* A root can be seen before the snapshot that was fenced before it. */
	media_settle(poll->volume->media, POLL_ROOT_SETTLE);
	err = poll_follow(poll);
	return err ? err : 1;
}

static void poll_tell(struct poll *poll,
		      void (*each)(void *context,
				   const struct volume_change *change),
		      void *context)
{
	changes_merge(&poll->changes);
	for (size_t i = 0; each && i < poll->changes.count; i++)
		each(context, &poll->changes.list[i]);
}

int poll_run(struct volume *volume,
	     void (*each)(void *context, const struct volume_change *change),
	     void *context, struct fault *fault)
{
	struct poll poll = { .volume = volume, .fault = fault };
	int more = 1;

	for (int tries = 0; tries < POLL_TRIES && (more == 1 || more == -EAGAIN);
	     tries++) {
		more = poll_step(&poll);
		/* As long as there are records it is no retry. */
		if (more == 1)
			tries = 0;
	}
	poll_tell(&poll, each, context);
	changes_free(&poll.changes);
	log_end(&poll.log);
	free(poll.bytes);
	return more;
}
