// SPDX-License-Identifier: GPL-2.0
/*
 * A member: its own slot, its polls, its list and beat, and its end.
 */

#include <errno.h>
#include <string.h>

#include "mutant.h"
#include "poll.h"

int slot_check_identity(struct volume *volume)
{
	const struct identity *mine = &volume->identity;
	struct identity now;
	int err = identity_read(&now, volume->media, volume->super.uuid,
				volume->slot);

	if (err == -EAGAIN || err == -ENOENT)
		return -ESTALE;
	if (err)
		return err;
	return WRONG(SLOT_IDENTITY_WRITTEN, now.nonce != mine->nonce ||
		     now.state != mine->state ||
		     memcmp(now.uuid, mine->uuid, 16) ||
		     memcmp(now.boot, mine->boot, 16)) ? -ESTALE : 0;
}

/* Who was copied while it ran has the same identity, and beats besides. */
static int slot_check_beat(struct volume *volume)
{
	struct beat now = { 0 };
	int err = beat_read(&now, volume->media, volume->super.uuid,
			    volume->slot);

	if (err && err != -EAGAIN)
		return err;
	return WRONG(SLOT_BEAT_WRITTEN, err ||
		     now.nonce != volume->beat.nonce ||
		     now.counter != volume->beat.counter) ? -ESTALE : 0;
}

int slot_check_own(struct volume *volume)
{
	int err;

	/* Nobody beats meanwhile. */
	pthread_rwlock_rdlock(&volume->lock);
	err = slot_check_identity(volume);
	if (!err)
		err = slot_check_beat(volume);
	pthread_rwlock_unlock(&volume->lock);
	return err;
}

/* Does the log still give the slot to this host? */
static int member_check_given(struct volume *volume)
{
	const struct host *host = &volume->model.hosts[volume->slot];

	return WRONG(MEMBER_SLOT_GIVEN, host->state != HOST_STATE_GIVEN ||
		     memcmp(host->uuid, volume->identity.uuid, 16)) ?
	       -ESTALE : 0;
}

/* Nothing is served, and nothing is told, by a host that is cut off. */
int volume_cut_off(struct volume *volume, int err)
{
	pthread_rwlock_wrlock(&volume->lock);
	volume_stop(volume, err);
	pthread_rwlock_unlock(&volume->lock);
	return err;
}

int volume_poll(struct volume *volume,
		void (*each)(void *context, const struct volume_change *change),
		void *context)
{
	int err = volume_health(volume);

	if (!err && volume->member)
		err = slot_check_own(volume);
	if (!err)
		err = poll_run(volume, each, context, NULL);
	if (!err && volume->member)
		err = member_check_given(volume);
	return err && err != -EAGAIN ? volume_cut_off(volume, err) : err;
}

/* Writes the list, if it is another one, where the beat does not point yet. */
static int member_write_list(struct volume *volume, const uint64_t *inodes,
			     uint32_t count)
{
	struct beat *beat = &volume->beat;

	if (volume->listed && count == beat->list_count &&
	    !memcmp(inodes, volume->list, count * sizeof(*inodes)))
		return 0;
	beat->list_version++;
	beat->list_count = count;
	volume->listed = true;
	memcpy(volume->list, inodes, count * sizeof(*inodes));
	return list_write(inodes, count, beat->list_version, volume->media,
			  volume->root.secret, volume->slot, &beat->list_crc);
}

static int member_beat(struct volume *volume)
{
	struct beat *beat = &volume->beat;
	uint64_t inodes[LIST_MOST];
	int count, err;

	count = holds_list(&volume->holds, inodes, volume->log.place.seq,
			   &beat->passed);
	if (count < 0)
		return count;
	err = member_write_list(volume, inodes, (uint32_t)count);
	if (err)
		return err;
	beat->epoch = volume->root.epoch;
	beat->counter++;
	beat->nonce = volume->identity.nonce;
	beat->tail = (uint32_t)volume->log.tail;
	beat->tail_seq = volume->log.place.seq;
	return beat_write(beat, volume->media, volume->super.uuid,
			  volume->slot);
}

int volume_tell_held(struct volume *volume)
{
	int err;

	pthread_rwlock_wrlock(&volume->lock);
	err = volume->stopped;
	if (!err && !volume->member)
		err = -EINVAL;
	if (!err) {
		err = member_beat(volume);
		if (err && err != -ENOMEM)
			volume_stop(volume, err);
	}
	pthread_rwlock_unlock(&volume->lock);
	return err;
}

int member_let_go(struct volume *volume, uint64_t ino, uint64_t seq)
{
	if (volume->stopped)
		return volume->stopped;
	holds_let_go(&volume->holds, ino, seq);
	return 0;
}

int volume_each_hold(struct volume *volume,
		     int (*each)(void *context, const struct volume_hold *hold),
		     void *context)
{
	struct hold *hold;
	int stop = 0;

	pthread_rwlock_rdlock(&volume->lock);
	for (hold = holds_first(&volume->holds); hold && !stop;
	     hold = holds_next(hold)) {
		struct volume_hold told = { hold->ino, hold->last };

		stop = each(context, &told);
	}
	pthread_rwlock_unlock(&volume->lock);
	return stop;
}

int member_leave(struct volume *volume)
{
	int err = volume_health(volume);

	/* Another one of this id is in: that this one leaves says nothing. */
	if (!err)
		err = volume->member ? slot_check_own(volume) :
				       slot_check_identity(volume);
	if (err)
		return err == -ESTALE ? volume_cut_off(volume, err) : err;
	pthread_rwlock_wrlock(&volume->lock);
	err = volume->stopped;
	if (!err) {
		volume->identity.state = IDENTITY_STATE_LEFT;
		err = identity_write(&volume->identity, volume->media,
				     volume->super.uuid, volume->slot);
		volume_stop(volume, err ? err : -EROFS);
	}
	pthread_rwlock_unlock(&volume->lock);
	return err;
}
