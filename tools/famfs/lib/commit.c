// SPDX-License-Identifier: GPL-2.0
/*
 * What every operation of a volume ends with: logging, and room in the log.
 */

#include <errno.h>
#include <string.h>

#include "mutant.h"
#include "volume_internal.h"

int volume_stop(struct volume *volume, int err)
{
	if (!volume->stopped)
		volume->stopped = err;
	return err;
}

int volume_begin(struct volume *volume)
{
	pthread_rwlock_wrlock(&volume->lock);
	record_begin(&volume->record);
	if (volume->stopped)
		return volume->stopped;
	return volume->owner ? 0 : -EROFS;
}

int volume_finish(struct volume *volume, int err)
{
	pthread_rwlock_unlock(&volume->lock);
	return err;
}

void volume_note(void *context, const struct record_header *header,
		 const uint8_t *bytes)
{
	struct volume *volume = context;

	done_replay(volume->done, header, bytes);
}

int volume_advance(struct volume *volume, struct root *root, int64_t now)
{
	struct log next;
	int err;

	root->base_seq = volume->log.place.seq;
	root->base_chain = volume->log.place.chain;
	root->lines = 0;
	log_begin(&next, volume->media, &volume->super, root);
	err = snapshot_write(&next, &volume->model, now);
	if (err) {
		/* The old area still counts. */
		log_end(&next);
		return err == -ENOSPC || err == -ENOMEM ?
		       err : volume_stop(volume, err);
	}
	root->lines = (uint32_t)next.snapshot;
	/* Nobody may find a root that names what is not there. */
	err = root_write(root, volume->media, volume->super.uuid);
	if (err)
		return volume_stop(volume, err);
	log_end(&volume->log);
	volume->log = next;
	volume->root = *root;
	return 0;
}

static int volume_compact_locked(struct volume *volume, int64_t now)
{
	struct root root = volume->root;

	root.generation++;
	return volume_advance(volume, &root, now);
}

int volume_compact(struct volume *volume, int64_t now)
{
	int err = volume_begin(volume);

	if (!err)
		err = volume_compact_locked(volume, now);
	return volume_finish(volume, err);
}

uint64_t volume_snapshot_most(const struct volume *volume)
{
	uint64_t least = volume->super.areas[0].length;

	for (unsigned int i = 1; i < AREA_COUNT; i++) {
		if (volume->super.areas[i].length < least)
			least = volume->super.areas[i].length;
	}
	return least / 4 * 3;
}

bool volume_has_room(const struct volume *volume, uint64_t bytes)
{
	return !WRONG(SNAPSHOT_FITS, snapshot_bytes(&volume->model) + bytes >
		      volume_snapshot_most(volume));
}

uint32_t volume_extents_most(const struct volume *volume)
{
	uint64_t used = volume->record.used, most, left;

	most = (RECORD_LINES_MOST * LINE_SIZE - used) / ITEM_EXTENT_FIXED;
	left = volume_snapshot_most(volume);
	used += snapshot_bytes(&volume->model);
	left = used < left ? (left - used) / ITEM_WAIT_FIXED : 0;
	return (uint32_t)(left < most ? left : most);
}

/*
 * An area is compacted at 3/4. What a snapshot would take stays below that, so
 * that things can still be removed when no more can be made: nothing that does
 * not grow adds to it, see struct model.
 */
static int volume_make_room(struct volume *volume, int64_t now, bool grows)
{
	const struct log *log = &volume->log;
	uint64_t all = log->area.length / LINE_SIZE;
	uint64_t need = volume->record.used / LINE_SIZE + 1;

	/* In a snapshot an extent, the shortest item, counts 1/5 more. */
	if (grows && !volume_has_room(volume, volume->record.used / 4 * 5))
		return -ENOSPC;
	if (need > log_room(log) ||
	    (log->tail >= all / 4 * 3 && log->tail - log->snapshot >= all / 8))
		return volume_compact_locked(volume, now);
	return 0;
}

int volume_commit(struct volume *volume, const struct op *op, bool grows)
{
	struct record *record = &volume->record;
	struct record_header header;
	int err;

	if (record->err)
		return record->err == -EFBIG ? -ENOSPC : record->err;
	err = volume_make_room(volume, op->now, grows);
	if (err)
		return err;
	err = log_append(&volume->log, record, 0, op->unique, op->now);
	if (err)
		return err == -ENOSPC ? err : volume_stop(volume, err);
	err = call_check(volume->media, volume->super.uuid,
			 volume->root.epoch);
	if (err)
		return volume_stop(volume, err);
	record_header_decode(&header, record->bytes);
	/* It was checked before: that it fails means that memory is short. */
	err = log_apply(&volume->log, &volume->model, NULL, &header,
			record->bytes);
	if (err)
		return volume_stop(volume, -EIO);
	/* Before a snapshot drops the record: nobody else logs meanwhile. */
	done_log(op->mark, record->bytes);
	return 0;
}

int volume_beat(struct volume *volume, uint64_t passed)
{
	struct beat *beat = &volume->beat;
	int err = volume_begin(volume);

	if (!err) {
		beat->epoch = volume->root.epoch;
		beat->counter++;
		beat->passed = passed;
		beat->tail = (uint32_t)volume->log.tail;
		beat->tail_seq = volume->log.place.seq;
		err = beat_write(beat, volume->media, volume->super.uuid,
				 volume->slot);
		if (err)
			volume_stop(volume, err);
	}
	return volume_finish(volume, err);
}

int volume_leave(struct volume *volume)
{
	struct root root;
	int err;

	if (volume->member || volume->joining.entered)
		return member_leave(volume);
	err = volume->owner ? slot_check_own(volume) : 0;
	if (err)
		return err == -ESTALE ? volume_cut_off(volume, err) : err;
	err = volume_beat(volume, volume_seq(volume));
	if (err)
		return err;
	err = volume_begin(volume);
	if (err)
		return volume_finish(volume, err);
	root = volume->root;
	root.state = ROOT_STATE_LEFT;
	err = root_write(&root, volume->media, volume->super.uuid);
	if (!err) {
		volume->root = root;
		volume->identity.state = IDENTITY_STATE_LEFT;
		err = identity_write(&volume->identity, volume->media,
				     volume->super.uuid, volume->slot);
	}
	/* It is over either way. */
	volume_stop(volume, err ? err : -EROFS);
	return volume_finish(volume, err);
}

void volume_halt(struct volume *volume)
{
	pthread_rwlock_wrlock(&volume->lock);
	volume_stop(volume, -EROFS);
	pthread_rwlock_unlock(&volume->lock);
}

int volume_health(struct volume *volume)
{
	int err;

	pthread_rwlock_rdlock(&volume->lock);
	err = volume->stopped;
	pthread_rwlock_unlock(&volume->lock);
	return err;
}

uint64_t volume_written(const struct volume *volume)
{
	return volume->media->written;
}

uint64_t volume_seq(struct volume *volume)
{
	uint64_t seq;

	pthread_rwlock_rdlock(&volume->lock);
	seq = volume->log.place.seq;
	pthread_rwlock_unlock(&volume->lock);
	return seq;
}
