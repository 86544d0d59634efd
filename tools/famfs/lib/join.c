// SPDX-License-Identifier: GPL-2.0
/*
 * Becoming a member.
 *
 * Order: that this host is in, a settle, and only then what it goes by: so who
 * has seen this host out has logged before that what it gave back after it.
 */

#include <errno.h>
#include <string.h>

#include "mutant.h"
#include "poll.h"

/* Whoever asked has a slot, or nobody asks there: the line can be taken. */
static int join_line_is_free(struct volume *volume, unsigned int line)
{
	struct request request;
	int err = request_read(&request, volume->media, volume->super.uuid,
			       line);

	if (err)
		return err == -EAGAIN ? 1 : err;
	return hosts_find(&volume->model, request.uuid) < SLOT_COUNT;
}

/* Is the request where it was written? A lost one is repeated elsewhere. */
static int join_is_asked(struct volume *volume, uint64_t nonce)
{
	const struct joining *joining = &volume->joining;
	struct request request;
	int err;

	if (!joining->asked)
		return 0;
	err = request_read(&request, volume->media, volume->super.uuid,
			   joining->line);
	if (err)
		return err == -EAGAIN ? 0 : err;
	return !WRONG(JOIN_IS_ASKED, request.nonce != nonce);
}

/* Return: -EAGAIN, or an error. */
static int join_ask(struct volume *volume,
		    const struct volume_options *options)
{
	struct joining *joining = &volume->joining;
	struct request request = { .nonce = options->nonce };
	int found = join_is_asked(volume, options->nonce);
	unsigned int line = joining->asked ? joining->line + 1 :
			    (unsigned int)options->nonce;

	if (found)
		return found < 0 ? found : -EAGAIN;
	memcpy(request.name, options->self.name, sizeof(request.name) - 1);
	memcpy(request.uuid, options->self.uuid, 16);
	memcpy(request.boot, options->self.boot, 16);
	for (unsigned int i = 0; i < REQUEST_COUNT && !found; i++, line++)
		found = join_line_is_free(volume, line % REQUEST_COUNT);
	/* Lines of others are answered, and free then. */
	if (found <= 0)
		return found < 0 ? found : -EAGAIN;
	joining->line = (line - 1) % REQUEST_COUNT;
	joining->asked = true;
	found = request_write(&request, volume->media, volume->super.uuid,
			      joining->line);
	return found ? found : -EAGAIN;
}

/*
 * Two hosts of one id would write the same slot. Whoever was in and has ended
 * does not beat any more. Its boot says nothing: that of a copy of a running
 * machine is the same.
 */
static int join_watch(struct volume *volume, uint64_t ms)
{
	struct joining *joining = &volume->joining;
	const uint8_t *uuid = volume->super.uuid;
	struct beat beat = { 0 };
	struct identity identity;
	int err = identity_read(&identity, volume->media, uuid, volume->slot);

	if (err)
		return err == -ENOENT || err == -EAGAIN ? 0 : err;
	if (identity.state != IDENTITY_STATE_IN)
		return 0;
	err = beat_read(&beat, volume->media, uuid, volume->slot);
	if (err && err != -EAGAIN)
		return err;
	if (!joining->watching) {
		joining->watching = true;
		joining->until = ms + HOSTS_WATCH_MS;
		joining->counter = beat.counter;
	}
	if (WRONG(JOIN_NO_CLONE, beat.counter != joining->counter))
		return -EBUSY;
	return ms < joining->until ? -EAGAIN : 0;
}

/* What the slot's lists and beats go on from. */
static int join_identify(struct volume *volume,
			 const struct volume_options *options)
{
	struct beat beat = { 0 };
	int err = beat_read(&beat, volume->media, volume->super.uuid,
			    volume->slot);

	if (err && err != -EAGAIN)
		return err;
	volume->beat = beat;
	err = volume_identify(volume, options);
	volume->joining.entered = !err;
	return err;
}

/* Nothing was given to a kernel yet, so this host can be out at once. */
static int join_retreat(struct volume *volume, int err)
{
	volume->identity.state = IDENTITY_STATE_LEFT;
	identity_write(&volume->identity, volume->media, volume->super.uuid,
		       volume->slot);
	volume->joining.entered = false;
	return err;
}

static int join_enter(struct volume *volume,
		      const struct volume_options *options,
		      struct fault *fault)
{
	int err = volume->joining.entered ? 0 : join_identify(volume, options);

	if (err)
		return err;
	media_settle(volume->media, JOIN_SETTLE);
	/* Another one of this id has joined meanwhile: the slot is its. */
	if (slot_check_identity(volume) == -ESTALE) {
		volume->joining.entered = false;
		return -EBUSY;
	}
	err = poll_run(volume, NULL, NULL, fault);
	if (!err)
		err = call_check(volume->media, volume->super.uuid,
				 volume->root.epoch);
	if (err == -EROFS || err == -EAGAIN)
		return -EAGAIN;
	if (!err && hosts_find(&volume->model, options->self.uuid) !=
	    volume->slot)
		err = -EAGAIN;
	if (err)
		return join_retreat(volume, err);
	/* What was released so far, this mount has never had. */
	holds_free(&volume->holds);
	volume->member = true;
	return volume_tell_held(volume);
}

int volume_join(struct volume *volume, const struct volume_options *options,
		uint64_t ms, struct fault *fault)
{
	int err = volume->joining.entered ? 0 :
		  poll_run(volume, NULL, NULL, fault);

	if (err)
		return err;
	volume->slot = hosts_find(&volume->model, options->self.uuid);
	if (volume->slot == SLOT_COUNT)
		return join_ask(volume, options);
	if (volume->slot == volume->root.owner)
		return -EEXIST;
	if (!volume->joining.entered)
		err = join_watch(volume, ms);
	return err ? err : join_enter(volume, options, fault);
}
