// SPDX-License-Identifier: GPL-2.0
/*
 * What the owner sees of other hosts, and what it may give back.
 *
 * A host that a look finds out, begun after a release was fenced, will read that
 * release before it gives a map: it writes that it is in, settles, and only then
 * reads. One that is in has to say that it has let go.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "mutant.h"
#include "volume_internal.h"

static int ino_compare(const void *a, const void *b)
{
	const uint64_t *one = a, *two = b;

	return *one < *two ? -1 : *one > *two;
}

/* Identity first: a beat that is newer than it says more, never less. */
static int look_at(const struct volume *volume, unsigned int slot,
		   struct host_seen *seen)
{
	const uint8_t *uuid = volume->super.uuid;
	struct media *media = volume->media;
	struct identity identity;
	struct beat *beat = &seen->beat;
	int err;

	seen->presence = HOST_UNCLEAR;
	err = identity_read(&identity, media, uuid, slot);
	if (err == -ENOENT)
		seen->presence = HOST_NEVER_IN;
	if (err)
		return err == -EAGAIN || err == -ENOENT ? 0 : err;
	seen->presence = WRONG(LOOK_IS_IN, identity.state != IDENTITY_STATE_IN) ?
			 HOST_LEFT : HOST_IN;
	err = beat_read(beat, media, uuid, slot);
	if (err)
		return err == -EAGAIN ? 0 : err;
	if (WRONG(LOOK_SAME_MOUNT, beat->nonce != identity.nonce) ||
	    WRONG(LOOK_SAME_EPOCH, beat->epoch != volume->root.epoch))
		return 0;
	err = list_read(seen->inodes, beat, media, volume->root.secret, slot);
	if (err)
		return err == -EAGAIN ? 0 : err;
	qsort(seen->inodes, beat->list_count, sizeof(*seen->inodes),
	      ino_compare);
	seen->answers = true;
	return 0;
}

/* Does the slot's host count, other than this one? */
static bool host_counts(const struct volume *volume, unsigned int slot)
{
	return slot != volume->slot &&
	       volume->model.hosts[slot].state == HOST_STATE_GIVEN;
}

/* Slots are read without the lock: the volume goes on meanwhile. */
static int hosts_read(struct volume *volume, struct hosts *hosts)
{
	bool counts[SLOT_COUNT];
	int err = 0;

	pthread_rwlock_rdlock(&volume->lock);
	hosts->seq = volume->log.place.seq;
	for (unsigned int slot = 0; slot < SLOT_COUNT; slot++) {
		counts[slot] = host_counts(volume, slot);
		hosts->seen[slot].presence = HOST_UNCLEAR;
		hosts->seen[slot].answers = false;
	}
	pthread_rwlock_unlock(&volume->lock);
	for (unsigned int slot = 0; slot < SLOT_COUNT && !err; slot++) {
		if (counts[slot])
			err = look_at(volume, slot, &hosts->seen[slot]);
	}
	return err;
}

int volume_look(struct volume *volume)
{
	struct hosts *hosts = volume->spare;
	int err = volume->owner ? slot_check_own(volume) : 0;

	if (err)
		return err == -ESTALE ? volume_cut_off(volume, err) : err;
	if (!hosts)
		hosts = calloc(1, sizeof(*hosts));
	if (!hosts)
		return -ENOMEM;
	volume->spare = hosts;
	err = hosts_read(volume, hosts);
	if (err)
		return err;
	pthread_rwlock_wrlock(&volume->lock);
	volume->spare = volume->hosts;
	volume->hosts = hosts;
	pthread_rwlock_unlock(&volume->lock);
	return 0;
}

/* Up to which seq has the host let go of @ino? */
static uint64_t host_limit(const struct hosts *hosts, unsigned int slot,
			   uint64_t ino)
{
	const struct host_seen *seen = &hosts->seen[slot];

	if (seen->presence == HOST_NEVER_IN || seen->presence == HOST_LEFT)
		return UINT64_MAX;
	if (WRONG(HOST_ANSWERS, !seen->answers))
		return 0;
	if (WRONG(HOST_HAS_LISTED,
		  bsearch(&ino, seen->inodes, seen->beat.list_count,
			  sizeof(ino), ino_compare)))
		return 0;
	return seen->beat.passed;
}

/* As far as was seen last. */
static uint64_t host_passed(const struct volume *volume, unsigned int slot,
			    uint64_t ino)
{
	uint64_t passed;

	if (!volume->hosts)
		return 0;
	passed = host_limit(volume->hosts, slot, ino);
	/* A look says nothing of what was released after it. */
	return WRONG(LOOK_IS_LATER, passed > volume->hosts->seq) ?
	       volume->hosts->seq : passed;
}

uint64_t hosts_limit(const struct volume *volume, uint64_t ino)
{
	uint64_t limit = UINT64_MAX;

	for (unsigned int slot = 0; slot < SLOT_COUNT; slot++) {
		uint64_t passed;

		if (!host_counts(volume, slot))
			continue;
		passed = host_passed(volume, slot, ino);
		if (passed < limit)
			limit = passed;
	}
	return limit;
}

/* Does anything wait that @ino has released up to @seq? */
static bool hosts_wait(struct volume *volume, uint64_t ino, uint64_t seq)
{
	struct wait *wait = space_wait_first(&volume->model.space);

	while (wait && (wait->ino != ino || wait->seq > seq))
		wait = space_wait_next(wait);
	return wait;
}

int hosts_let_go(struct volume *volume, uint64_t ino, uint64_t seq)
{
	uint64_t limit = hosts_limit(volume, ino);

	model_let_go(&volume->model, ino, seq < limit ? seq : limit);
	return limit < seq && hosts_wait(volume, ino, seq) ? -EAGAIN : 0;
}

bool hosts_alone(const struct volume *volume)
{
	unsigned int slot = 0;

	while (slot < SLOT_COUNT &&
	       (slot == volume->root.owner ||
		volume->model.hosts[slot].state != HOST_STATE_GIVEN))
		slot++;
	return !WRONG(OWNER_HAS_OTHERS, slot < SLOT_COUNT);
}

unsigned int hosts_find(const struct model *model, const uint8_t uuid[16])
{
	unsigned int slot = 0;

	while (slot < SLOT_COUNT &&
	       (model->hosts[slot].state != HOST_STATE_GIVEN ||
		memcmp(model->hosts[slot].uuid, uuid, 16)))
		slot++;
	return slot;
}

static int admit_add(struct volume *volume, const struct request *request)
{
	struct item item = { .type = ITEM_HOST_TYPE };
	unsigned int slot = 0;

	while (slot < SLOT_COUNT && volume->model.hosts[slot].state)
		slot++;
	if (slot == SLOT_COUNT)
		return -ENOSPC;
	item.host.slot = (uint16_t)slot;
	item.host.state = HOST_STATE_GIVEN;
	memcpy(item.host.uuid, request->uuid, 16);
	item.host.nonce = request->nonce;
	item.host.name.at = request->name;
	item.host.name.bytes = (uint32_t)strlen(request->name);
	record_add(&volume->record, &item);
	return 0;
}

/* Return: 1: it has a slot now; 0: it had one, or none is left; or an error. */
static int admit_one(struct volume *volume, const struct request *request,
		     int64_t now)
{
	struct op op = { .now = now };
	int err = volume_begin(volume);

	if (err)
		return volume_finish(volume, err);
	if (hosts_find(&volume->model, request->uuid) < SLOT_COUNT ||
	    admit_add(volume, request))
		return volume_finish(volume, 0);
	err = volume_commit(volume, &op, false);
	return volume_finish(volume, err ? err : 1);
}

int volume_admit(struct volume *volume, int64_t now)
{
	struct request request;
	int admitted = 0;

	for (unsigned int at = 0; at < REQUEST_COUNT; at++) {
		int err = request_read(&request, volume->media,
				       volume->super.uuid, at);

		if (err == -EAGAIN)
			continue;
		if (!err)
			err = admit_one(volume, &request, now);
		if (err < 0)
			return err;
		admitted += err;
	}
	return admitted;
}

static void host_tell(const struct volume *volume, unsigned int slot,
		      struct volume_host *told)
{
	const struct host *host = &volume->model.hosts[slot];

	memset(told, 0, sizeof(*told));
	told->slot = slot;
	memcpy(told->name, host->name, sizeof(told->name));
	memcpy(told->uuid, host->uuid, 16);
	told->owner = slot == volume->root.owner;
	told->self = slot == volume->slot && (volume->owner || volume->member);
	if (told->self) {
		told->presence = HOST_IN;
		told->answers = true;
		told->counter = volume->beat.counter;
		told->passed = volume->beat.passed;
		told->listed = volume->beat.list_count;
	} else if (volume->hosts) {
		const struct host_seen *seen = &volume->hosts->seen[slot];

		told->presence = seen->presence;
		told->answers = seen->answers;
		if (!told->answers)
			return;
		told->counter = seen->beat.counter;
		told->passed = seen->beat.passed;
		told->listed = seen->beat.list_count;
	}
}

int volume_each_host(struct volume *volume,
		     int (*each)(void *context, const struct volume_host *host),
		     void *context)
{
	struct volume_host told;
	int stop = 0;

	pthread_rwlock_rdlock(&volume->lock);
	for (unsigned int slot = 0; slot < SLOT_COUNT && !stop; slot++) {
		if (volume->model.hosts[slot].state != HOST_STATE_GIVEN)
			continue;
		host_tell(volume, slot, &told);
		stop = each(context, &told);
	}
	pthread_rwlock_unlock(&volume->lock);
	return stop;
}

struct blocked {
	struct volume *volume;
	int (*each)(void *context, unsigned int slot,
		    const struct volume_waiting *waiting);
	void *context;
};

static int blocked_one(void *context, const struct volume_waiting *waiting)
{
	struct blocked *blocked = context;
	struct volume *volume = blocked->volume;
	bool others = false;
	int stop = 0;

	for (unsigned int slot = 0; slot < SLOT_COUNT && !stop; slot++) {
		if (!host_counts(volume, slot) ||
		    host_passed(volume, slot, waiting->ino) >= waiting->seq)
			continue;
		others = true;
		stop = blocked->each(blocked->context, slot, waiting);
	}
	return others ? stop : blocked->each(blocked->context, volume->slot,
					     waiting);
}

int volume_each_blocked(struct volume *volume,
			int (*each)(void *context, unsigned int slot,
				    const struct volume_waiting *waiting),
			void *context)
{
	struct blocked blocked = { volume, each, context };
	int stop = 0;

	pthread_rwlock_rdlock(&volume->lock);
	/* What a member's model has waiting, the owner may have given. */
	if (volume->owner)
		stop = volume_all_waiting(volume, blocked_one, &blocked);
	pthread_rwlock_unlock(&volume->lock);
	return stop;
}
