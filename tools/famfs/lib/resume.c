// SPDX-License-Identifier: GPL-2.0
/*
 * Going on where a server of this host has died: nobody else has written to its
 * slot, nor, where it owns the file system, to the log.
 *
 * No epoch, snapshot or identity is written: for other hosts nothing has
 * happened but that some beats did not come. What was told of space let go of
 * stays true; what has not been told is let go of anew.
 */

#include <errno.h>
#include <string.h>

#include "volume_internal.h"

/* The slot's identity, as the process before has written it. */
static int resume_identity(struct volume *volume,
			   const struct volume_options *options)
{
	struct identity *identity = &volume->identity;
	int err;

	err = identity_read(identity, volume->media, volume->super.uuid,
			    volume->slot);
	if (err)
		return err == -ENOENT || err == -EAGAIN ? -ESTALE : err;
	return identity->nonce != options->nonce ||
	       memcmp(identity->uuid, options->self.uuid, 16) ||
	       memcmp(identity->boot, options->self.boot, 16) ? -ESTALE : 0;
}

/* And its beat. */
static int resume_beat(struct volume *volume,
		       const struct volume_options *options)
{
	int err;

	if (volume->identity.state != IDENTITY_STATE_IN)
		return -ESTALE;
	err = beat_read(&volume->beat, volume->media, volume->super.uuid,
			volume->slot);
	if (err)
		return err == -EAGAIN ? -ESTALE : err;
	return volume->beat.nonce == options->nonce ? 0 : -ESTALE;
}

/*
 * The kernel had nothing of this host any more when the process before began to
 * leave. The owner's root says so first: its second line and the slot may lack.
 */
static int resume_leaving(struct volume *volume)
{
	int err = 0;

	if (volume->identity.state == IDENTITY_STATE_IN) {
		err = root_write(&volume->root, volume->media,
				 volume->super.uuid);
		volume->identity.state = IDENTITY_STATE_LEFT;
		if (!err)
			err = identity_write(&volume->identity, volume->media,
					     volume->super.uuid, volume->slot);
	}
	volume_stop(volume, err ? err : -EROFS);
	return err ? err : 1;
}

static int resume_owner(struct volume *volume,
			const struct volume_options *options)
{
	int err;

	volume->slot = volume->root.owner;
	if (volume->root.nonce != options->nonce)
		return -ESTALE;
	err = resume_identity(volume, options);
	if (!err && volume->root.state == ROOT_STATE_LEFT)
		return resume_leaving(volume);
	if (!err)
		err = resume_beat(volume, options);
	if (!err)
		volume->owner = true;
	return err;
}

static int resume_hold(void *context, const struct volume_waiting *waiting)
{
	struct volume *volume = context;
	struct hold *hold = holds_find(&volume->holds, waiting->ino);

	if (!hold)
		return holds_add(&volume->holds, waiting->ino, waiting->seq,
				 waiting->seq);
	if (waiting->seq < hold->first)
		hold->first = waiting->seq;
	if (waiting->seq > hold->last)
		hold->last = waiting->seq;
	return 0;
}

/*
 * Its kernel may have all that waits: what this host has told that it let go of
 * is among it, and is let go of once more.
 */
static int resume_member(struct volume *volume,
			 const struct volume_options *options)
{
	int err;

	volume->slot = hosts_find(&volume->model, options->self.uuid);
	if (volume->slot == SLOT_COUNT || volume->slot == volume->root.owner)
		return -ESTALE;
	err = resume_identity(volume, options);
	if (!err && volume->identity.state == IDENTITY_STATE_LEFT)
		return resume_leaving(volume);
	if (!err)
		err = resume_beat(volume, options);
	if (!err)
		err = volume_all_waiting(volume, resume_hold, volume);
	if (!err)
		volume->member = true;
	return err;
}

int volume_resume(struct volume *volume, const struct volume_options *options,
		  bool member)
{
	int err;

	pthread_rwlock_wrlock(&volume->lock);
	err = member ? resume_member(volume, options) :
		       resume_owner(volume, options);
	if (!err && options->done)
		done_drop_begun(options->done);
	pthread_rwlock_unlock(&volume->lock);
	return err;
}
