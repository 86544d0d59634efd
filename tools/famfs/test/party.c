// SPDX-License-Identifier: GPL-2.0
/*
 * Hosts in tests.
 */

#include "party.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checks.h"
#include "volume_internal.h"

void party_init(struct party *party, struct media *media, unsigned int number)
{
	memset(party, 0, sizeof(*party));
	party->media = media;
	party->owner = !number;
	check_self(&party->options.self);
	party->options.self.uuid[0] = (uint8_t)(0x11 + number);
	party->options.self.name[0] = (char)('h' + number);
	party->options.nonce = 77 + 1000 * number;
	party->now = 2000000000;
}

void party_renew(struct party *party, bool boot)
{
	party->options.nonce++;
	party->options.self.boot[0] += boot;
}

int party_open(struct party *party, struct fault *fault)
{
	party->options.how = party->owner ? VOLUME_OWN : VOLUME_READ;
	if (party->owner && party->unused)
		party->options.how |= VOLUME_UNUSED;
	party->options.now = party->now;
	return volume_open(&party->volume, party->media, &party->options,
			   fault);
}

void party_close(struct party *party)
{
	volume_close(party->volume);
	party->volume = NULL;
	party->joined = false;
	memset(party->maps, 0, sizeof(party->maps));
	memset(party->found, 0, sizeof(party->found));
}

int party_join(struct party *party, uint64_t ms)
{
	struct fault fault = { 0 };
	int err = party->volume ? 0 : party_open(party, &fault);

	if (!err)
		err = volume_join(party->volume, &party->options, ms, &fault);
	party->joined = !err;
	return err;
}

struct party_map *party_find(struct party *party, uint64_t ino)
{
	for (unsigned int i = 0; i < PARTY_MAPS; i++) {
		if (party->maps[i].ino == ino)
			return &party->maps[i];
	}
	return NULL;
}

static void party_fill(struct party *party, struct party_map *map)
{
	if (volume_extents(party->volume, map->ino, map->extents,
			   PARTY_EXTENTS, &map->count))
		map->count = 0;
	if (map->count > PARTY_EXTENTS)
		map->count = PARTY_EXTENTS;
}

bool party_give_late(struct party *party, uint64_t ino)
{
	struct party_map *map = party_find(party, ino);

	if (map)
		return true;
	map = party_find(party, 0);
	if (!map)
		return false;
	map->ino = ino;
	party_fill(party, map);
	return true;
}

bool party_give(struct party *party, uint64_t ino)
{
	struct volume_attr attr;

	/* Only names lead to inodes. */
	if (!party_find(party, ino) &&
	    (volume_getattr(party->volume, ino, &attr) || !attr.links))
		return false;
	return party_give_late(party, ino);
}

void party_forget(struct party *party, uint64_t ino)
{
	struct party_map *map = party_find(party, ino);

	if (map && !map->pinned)
		memset(map, 0, sizeof(*map));
}

/* As a server does it: a push, or the proof that the kernel has nothing. */
static void party_release(struct party *party, uint64_t ino)
{
	struct party_map *map = party_find(party, ino);
	struct volume_attr attr;
	int err = volume_getattr(party->volume, ino, &attr);

	if (map && (map->pinned || err || !attr.links))
		return;
	if (map)
		party_fill(party, map);
	volume_let_go(party->volume, ino,
		      err ? volume_seq(party->volume) : attr.seq);
}

static void party_changed(void *context, const struct volume_change *change)
{
	struct party *party = context;
	struct party_map *map = party_find(party, change->ino);

	/* A push of a removed file would do no good. */
	if (map && !map->pinned && change->what & CHANGE_MAP &&
	    !(change->what & CHANGE_REMOVED))
		party_release(party, change->ino);
}

int party_poll(struct party *party)
{
	return volume_poll(party->volume, party_changed, party);
}

struct party_holds {
	uint64_t inos[64];
	unsigned int count;
};

static int party_note(void *context, const struct volume_hold *hold)
{
	struct party_holds *holds = context;

	holds->inos[holds->count++] = hold->ino;
	return holds->count == 64;
}

int party_let_go(struct party *party)
{
	struct party_holds holds = { .count = 0 };

	volume_each_hold(party->volume, party_note, &holds);
	for (unsigned int i = 0; i < holds.count; i++)
		party_release(party, holds.inos[i]);
	return volume_tell_held(party->volume);
}

struct party_waits {
	struct volume_waiting list[64];
	unsigned int count;
};

static int party_wait(void *context, const struct volume_waiting *waiting)
{
	struct party_waits *waits = context;

	waits->list[waits->count++] = *waiting;
	return waits->count == 64;
}

static int party_give_back(struct party *party,
			   const struct volume_waiting *waiting)
{
	struct party_map *map = party_find(party, waiting->ino);
	struct op op = { .now = party->now += 1000 };

	if (map && (map->pinned || waiting->removed))
		return 0;
	if (waiting->removed)
		return volume_gone(party->volume, &op, waiting->ino);
	if (map)
		party_fill(party, map);
	return volume_let_go(party->volume, waiting->ino, waiting->seq);
}

int party_own(struct party *party)
{
	struct party_waits waits = { .count = 0 };
	int err = volume_admit(party->volume, party->now += 1000);

	if (err >= 0)
		err = volume_look(party->volume);
	if (err < 0)
		return err;
	volume_each_waiting(party->volume, party_wait, &waits);
	for (unsigned int i = 0; i < waits.count; i++) {
		err = party_give_back(party, &waits.list[i]);
		if (err && err != -EAGAIN && err != -ENOENT && err != -ENOSPC)
			return err;
	}
	return volume_beat(party->volume, 0);
}

/* Whose is the unit at @offset, as the owner sees it? 0: nobody's. */
static uint64_t party_whose(struct volume *owner, uint64_t offset)
{
	struct model *model = &owner->model;
	struct inode *inode;
	struct wait *wait;

	for (inode = inode_first(model); inode; inode = inode_next(inode)) {
		for (uint32_t i = 0; S_ISREG(inode->attr.mode) &&
		     i < inode->extent_count; i++) {
			if (offset - inode->extents[i].offset <
			    inode->extents[i].bytes)
				return inode->ino;
		}
	}
	for (wait = space_wait_first(&model->space); wait;
	     wait = space_wait_next(wait)) {
		if (offset - wait->offset < wait->bytes)
			return wait->ino;
	}
	return 0;
}

const char *party_check(struct party *party, struct volume *owner)
{
	for (unsigned int i = 0; i < PARTY_MAPS; i++) {
		const struct party_map *map = &party->maps[i];

		for (uint32_t at = 0; map->ino && at < map->count; at++) {
			const struct volume_extent *extent = &map->extents[at];
			uint64_t whose = 0, byte = 0;

			for (; byte < extent->bytes; byte += 4096) {
				whose = party_whose(owner,
						    extent->offset + byte);
				if (whose != map->ino)
					return check_say("%s uses space of inode %llu, and it is of %llu",
							 party->options.self.name,
							 (unsigned long long)map->ino,
							 (unsigned long long)whose);
			}
		}
	}
	return NULL;
}

#define DIGEST_START	0xcbf29ce484222325ull

static void digest_add(uint64_t *digest, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;

	while (count--)
		*digest = (*digest ^ *at++) * 0x100000001b3ull;
}

static int digest_each(void *context, const struct volume_seen *seen)
{
	uint64_t *sum = context, digest = DIGEST_START;

	if (seen->path)
		digest_add(&digest, seen->path, strlen(seen->path));
	digest_add(&digest, &seen->attr.ino, sizeof(seen->attr.ino));
	digest_add(&digest, &seen->attr.attr, sizeof(seen->attr.attr));
	digest_add(&digest, &seen->attr.links, sizeof(seen->attr.links));
	digest_add(&digest, &seen->released, sizeof(seen->released));
	for (uint32_t i = 0; i < seen->extent_count; i++) {
		digest_add(&digest, &seen->extents[i].offset, 8);
		digest_add(&digest, &seen->extents[i].bytes, 8);
	}
	/* Inodes without names have no order. */
	*sum += digest;
	return 0;
}

uint64_t party_digest(struct volume *volume)
{
	uint64_t digest = DIGEST_START;

	volume_walk(volume, digest_each, &digest);
	for (unsigned int slot = 0; slot < SLOT_COUNT; slot++)
		digest_add(&digest, &volume->model.hosts[slot].state, 1);
	return digest;
}
