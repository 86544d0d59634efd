// SPDX-License-Identifier: GPL-2.0
/*
 * Opening a volume: reading it whole, and taking it over.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "volume_internal.h"

/* How often a medium may change while it is read. */
#define VOLUME_TRIES	16

static void volume_clear(struct volume *volume)
{
	model_free(&volume->model);
	memset(&volume->model, 0, sizeof(volume->model));
	RB_INIT(&volume->model.inodes);
	TAILQ_INIT(&volume->model.removed);
	log_end(&volume->log);
}

/* The owner's beat says how far the log goes at least. 0: unknown. */
static int volume_tail_seq(struct volume *volume, uint64_t *seq)
{
	struct beat beat;
	int err;

	*seq = 0;
	err = beat_read(&beat, volume->media, volume->super.uuid,
			volume->root.owner);
	if (err == -EAGAIN)
		return 0;
	if (!err && !WRONG(BEAT_OF_EPOCH, beat.epoch != volume->root.epoch))
		*seq = beat.tail_seq;
	if (!err)
		volume->beat = beat;
	return err;
}

/* Does the log end where its owner was, or later? 1: it ends before. */
static int volume_ends_early(struct volume *volume, uint64_t least,
			     uint64_t *where)
{
	*where = volume->log.area.offset + volume->log.tail * LINE_SIZE;
	if (WRONG(LOG_REACHES_BEAT, volume->log.place.seq < least))
		return 1;
	return log_is_damaged(&volume->log, where);
}

/*
 * While this host reads, the owner goes on, and lines of what it has fenced
 * arrive in any order until a settle is over. It is damage only if the log does
 * not go on after that.
 */
static int volume_check_end(struct volume *volume, uint64_t least,
			    struct fault *fault)
{
	uint64_t where, seq;
	int early, err;

	do {
		early = volume_ends_early(volume, least, &where);
		if (early <= 0)
			return early;
		media_settle(volume->media, END_SETTLE);
		seq = volume->log.place.seq;
		log_forget(&volume->log);
		err = log_replay(&volume->log, &volume->model, fault,
				 volume_note, volume);
		if (err)
			return err;
	} while (WRONG(LOG_READ_AGAIN, volume->log.place.seq != seq));
	return fault_set(fault, -EUCLEAN, FAULT_LOG, where,
			 "the log is damaged behind record %llu",
			 (unsigned long long)volume->log.place.seq);
}

/* One pass over root and log. */
static int volume_pass(struct volume *volume, struct fault *fault)
{
	struct super *super = &volume->super;
	uint64_t least;
	int err;

	err = model_init(&volume->model, super->data, super->end,
			 super->unit);
	if (err)
		return err;
	log_begin(&volume->log, volume->media, super, &volume->root);
	volume->log.progress = volume->progress;
	/* Before the log: meanwhile it may grow. */
	err = volume_tail_seq(volume, &least);
	if (!err)
		err = log_replay(&volume->log, &volume->model, fault,
				 volume_note, volume);
	if (!err)
		err = volume_check_end(volume, least, fault);
	return err;
}

static int volume_read_root(struct volume *volume, struct root *root,
			    struct fault *fault)
{
	int err = root_read(root, volume->media, volume->super.uuid);

	if (err == -ENOENT)
		return fault_set(fault, -EUCLEAN, FAULT_UNFINISHED,
				 ROOT_OFFSET_ONE,
				 "there is no valid root: an unfinished mkfs");
	if (err)
		return fault_set(fault, err, FAULT_ACCESS, ROOT_OFFSET_ONE,
				 "the root cannot be read");
	/* One after the other, nobody gets there. */
	if (WRONG(ROOT_NUMBERS, root->generation > INT64_MAX ||
		  root->base_seq > INT64_MAX))
		return fault_set(fault, -EUCLEAN, FAULT_ROOT, ROOT_OFFSET_ONE,
				 "the root's numbers are used up");
	return 0;
}

/* Has another root come meanwhile? Then @volume->root is that one. */
static int volume_root_moved(struct volume *volume, bool *moved,
			     struct fault *fault)
{
	struct root now;
	int err = volume_read_root(volume, &now, fault);

	if (err)
		return err;
	*moved = WRONG(ROOT_READ_AGAIN,
		       now.generation != volume->root.generation ||
		       now.epoch != volume->root.epoch);
	volume->root = now;
	return 0;
}

/*
 * What was read of an area that has been used anew does not count. Nor does a
 * failure before a settle is over: a root can be seen before the snapshot that
 * was fenced before it, and an area that is used anew before the root which
 * says so. That records are missing has been looked at after a settle.
 */
static int volume_replay(struct volume *volume, struct fault *fault)
{
	bool moved = true, settled = false;
	int result = -ESTALE, err;

	err = volume_read_root(volume, &volume->root, fault);
	for (int tries = 0; !err && tries < VOLUME_TRIES; tries++) {
		struct fault found = { 0 };

		result = volume_pass(volume, &found);
		if (result)
			media_settle(volume->media, ROOT_SETTLE);
		err = volume_root_moved(volume, &moved, fault);
		if (!err && !moved && (!result || settled ||
				       found.kind == FAULT_LOG)) {
			if (result && fault && fault->kind == FAULT_NONE)
				*fault = found;
			return result;
		}
		settled = result && !moved;
		volume_clear(volume);
	}
	return err ? err : -ESTALE;
}

/* The slot of the owner must be this host's. */
static int volume_check_owner(struct volume *volume,
			      const struct host_self *self,
			      struct fault *fault)
{
	const struct host *host = &volume->model.hosts[volume->root.owner];

	if (!WRONG(OWNER_IS_SELF, host->state != HOST_STATE_GIVEN ||
		   memcmp(host->uuid, self->uuid, 16)))
		return 0;
	fault_set(fault, 0, FAULT_OWNER, 0, "%s owns it, in slot %u",
		  host->state ? host->name : "nobody", volume->root.owner);
	if (fault)
		fault->number = volume->root.owner;
	return -EROFS;
}

static int volume_call(struct volume *volume)
{
	struct call call = { 0 };
	int err;

	/* A torn call has no root: whoever tore it has not gone on. */
	err = call_read(&call, volume->media, volume->super.uuid);
	if (err && err != -EAGAIN)
		return err;
	if (call.epoch < volume->root.epoch)
		call.epoch = volume->root.epoch;
	if (call.epoch == UINT32_MAX)
		return -EOVERFLOW;
	call.epoch++;
	call.slot = volume->root.owner;
	err = call_write(&call, volume->media, volume->super.uuid);
	if (err)
		return err;
	media_settle(volume->media, CALL_SETTLE);
	volume->root.epoch = call.epoch;
	return 0;
}

int volume_identify(struct volume *volume, const struct volume_options *options)
{
	struct identity *identity = &volume->identity;
	const uint8_t *uuid = volume->super.uuid;
	int err;

	identity->state = IDENTITY_STATE_IN;
	identity->nonce = options->nonce;
	memcpy(identity->uuid, options->self.uuid, 16);
	memcpy(identity->boot, options->self.boot, 16);
	identity->page = options->self.page;
	err = hostname_write(options->self.name, volume->media, uuid,
			     volume->slot);
	if (!err)
		err = identity_write(identity, volume->media, uuid,
				     volume->slot);
	return err;
}

/* With an empty list. */
static int volume_first_beat(struct volume *volume, uint64_t nonce)
{
	struct beat *beat = &volume->beat;
	int err;

	beat->nonce = nonce;
	beat->list_version = 0;
	beat->list_count = 0;
	err = list_write(NULL, 0, 0, volume->media, volume->root.secret,
			 volume->slot, &beat->list_crc);
	return err ? err : volume_beat(volume, 0);
}

/*
 * Steps T3 to T6 of a change of owner, from this host to itself: what it wrote
 * before its last end may lie in its old area and in the next one, so the
 * snapshot goes into the one after that.
 */
static int volume_own(struct volume *volume,
		      const struct volume_options *options,
		      struct fault *fault)
{
	struct root root;
	int err;

	err = volume_check_owner(volume, &options->self, fault);
	/* The snapshot may not fit with it: let-gos were not logged. */
	if (!err && options->how & VOLUME_UNUSED && hosts_alone(volume))
		err = model_settle(&volume->model);
	if (err)
		return err;
	volume->slot = volume->root.owner;
	err = volume_identify(volume, options);
	if (!err)
		err = volume_call(volume);
	if (err)
		return err;
	root = volume->root;
	root.generation += 2;
	root.state = ROOT_STATE_OWNED;
	root.predecessor = (uint8_t)volume->root.owner;
	root.nonce = options->nonce;
	err = volume_advance(volume, &root, options->now);
	if (err)
		return err;
	volume->owner = true;
	return volume_first_beat(volume, options->nonce);
}

static int volume_start(struct volume *volume,
			const struct volume_options *options,
			struct fault *fault)
{
	unsigned int mend = VOLUME_OWN | VOLUME_MEND;
	struct fault found = { 0 };
	int err;

	err = super_read(&volume->super, volume->media, fault);
	if (err)
		return err;
	volume->media->coherent =
		volume->super.coherence == COHERENCE_HARDWARE;
	err = volume_replay(volume, &found);
	/* What replayed before the damage is a whole model. */
	if (err && found.kind == FAULT_LOG && (options->how & mend) == mend)
		err = 0;
	if (err) {
		if (fault && fault->kind == FAULT_NONE)
			*fault = found;
		return err;
	}
	return options->how & VOLUME_OWN ?
	       volume_own(volume, options, fault) : 0;
}

/*
 * Readers that follow one another would keep writers out for good otherwise. No
 * reader takes the lock twice.
 */
static void volume_lock_init(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr,
			PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

int volume_open(struct volume **out, struct media *media,
		const struct volume_options *options, struct fault *fault)
{
	struct volume *volume = calloc(1, sizeof(*volume));
	int err;

	if (!volume)
		return -ENOMEM;
	volume->media = media;
	volume->progress = options->progress;
	volume->done = options->done;
	volume->slot = SLOT_COUNT;
	RB_INIT(&volume->model.inodes);
	TAILQ_INIT(&volume->model.removed);
	holds_init(&volume->holds);
	volume_lock_init(&volume->lock);
	err = volume_start(volume, options, fault);
	if (err) {
		volume_close(volume);
		return err;
	}
	*out = volume;
	return 0;
}

void volume_close(struct volume *volume)
{
	if (!volume)
		return;
	volume_clear(volume);
	record_free(&volume->record);
	holds_free(&volume->holds);
	free(volume->hosts);
	free(volume->spare);
	pthread_rwlock_destroy(&volume->lock);
	free(volume);
}
