// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of several hosts: who has a slot, who is in, and who is cut off.
 */

#include <errno.h>
#include <string.h>

#include "layout.h"
#include "lines.h"
#include "rules.h"

/* A slot is asked for, given once, and left. */
static const char *rule_slots(void)
{
	struct party *member = &rule_member;
	uint64_t ino;

	/* The owner has read the empty lines; nobody has asked. */
	CHECK(volume_admit(rule_owner.volume, 0) == 0);
	CHECK(party_join(member, 0) == -EAGAIN);
	rule_settle();
	CHECK(volume_admit(rule_owner.volume, 0) == 1);
	CHECK(volume_admit(rule_owner.volume, 0) == 0);
	CHECK(volume_look(rule_owner.volume) == 0);
	CHECK(rule_hosts(rule_owner.volume) == 102);
	rule_settle();
	CHECK(party_join(member, 0) == 0);
	rule_settle();
	CHECK(volume_look(rule_owner.volume) == 0);
	CHECK(rule_hosts(rule_owner.volume) == 202);
	/* It writes nothing but its slot. */
	CHECK(volume_compact(member->volume, 0) == -EROFS);
	CHECK(volume_beat(member->volume, 0) == -EROFS);
	CHECK(volume_admit(member->volume, 0) == -EROFS);
	CHECK(rule_create("a", 4096, &ino) == 0);
	rule_settle();
	CHECK(party_poll(member) == 0);
	CHECK(volume_gone(member->volume, &(struct op){ 0 }, ino) == -EROFS);
	CHECK(volume_leave(member->volume) == 0);
	CHECK(volume_poll(member->volume, NULL, NULL) == -EROFS);
	rule_settle();
	/* Who has left keeps nothing waiting. */
	CHECK(rule_unlink("a") == 0);
	CHECK(volume_look(rule_owner.volume) == 0);
	CHECK(rule_hosts(rule_owner.volume) == 102);
	CHECK(rule_gone(ino) == 0);
	/* Its next mount needs no owner. */
	party_close(member);
	party_renew(member, false);
	CHECK(party_join(member, 0) == 0);
	return NULL;
}

/* A request that another one has written over is repeated elsewhere. */
static const char *rule_requests(void)
{
	struct request other = { .nonce = 5, .uuid = { 9 }, .name = "other" };
	struct volume *volume = rule_owner.volume;
	unsigned int line;

	CHECK(party_join(&rule_member, 0) == -EAGAIN);
	line = rule_member.volume->joining.line;
	rule_settle();
	CHECK(request_write(&other, rule_owner.media, volume->super.uuid,
			    line) == 0);
	rule_settle();
	CHECK(party_join(&rule_member, 0) == -EAGAIN);
	CHECK(rule_member.volume->joining.line != line);
	rule_settle();
	CHECK(volume_admit(volume, 0) == 2);
	/* What is spoilt is no request. */
	rule_memory.bytes[REQUEST_OFFSET + line * LINE_SIZE + REQUEST_UUID]++;
	CHECK(volume_admit(volume, 0) == 0);
	rule_settle();
	CHECK(party_join(&rule_member, 0) == 0);
	return NULL;
}

/* Two hosts of one id. */
static const char *rule_clones(void)
{
	struct party *member = &rule_member;
	const uint8_t *uuid = rule_owner.volume->super.uuid;
	struct identity identity;
	struct beat beat;

	CHECK(rule_join() == 0);
	/* It is in, and another one of its id, which was booted, comes. */
	party_close(member);
	party_renew(member, true);
	CHECK(party_join(member, 0) == -EAGAIN);
	CHECK(beat_read(&beat, rule_owner.media, uuid, 1) == 0);
	beat.counter++;
	CHECK(beat_write(&beat, rule_owner.media, uuid, 1) == 0);
	rule_settle();
	CHECK(party_join(member, HOSTS_POLL_MS) == -EBUSY);
	/* One that stands is dead. */
	party_close(member);
	CHECK(party_join(member, 0) == -EAGAIN);
	CHECK(party_join(member, HOSTS_WATCH_MS - 1) == -EAGAIN);
	CHECK(party_join(member, HOSTS_WATCH_MS) == 0);
	/* Whoever finds its slot written by another one stops. */
	CHECK(party_poll(member) == 0);
	rule_settle();
	CHECK(identity_read(&identity, rule_owner.media, uuid, 1) == 0);
	identity.nonce++;
	CHECK(identity_write(&identity, rule_owner.media, uuid, 1) == 0);
	rule_settle();
	CHECK(party_poll(member) == -ESTALE);
	CHECK(volume_tell_held(member->volume) == -ESTALE);
	return NULL;
}

/* A host that was copied while it ran, or put back to what it was before. */
static const char *rule_copies(void)
{
	struct volume *member, *owner = rule_owner.volume;
	struct beat beat;

	CHECK(rule_join() == 0);
	member = rule_member.volume;
	CHECK(party_poll(&rule_member) == 0);
	/* The other one has the same nonce, and beats. */
	beat = member->beat;
	beat.counter++;
	CHECK(beat_write(&beat, rule_owner.media, member->super.uuid, 1) == 0);
	rule_settle();
	CHECK(volume_leave(member) == -ESTALE);
	CHECK(party_poll(&rule_member) == -ESTALE);
	CHECK(volume_tell_held(member) == -ESTALE);
	/* A copy of the same boot is watched, too. */
	party_close(&rule_member);
	party_renew(&rule_member, false);
	CHECK(party_join(&rule_member, 0) == -EAGAIN);
	beat.counter++;
	CHECK(beat_write(&beat, rule_owner.media, owner->super.uuid, 1) == 0);
	rule_settle();
	CHECK(party_join(&rule_member, HOSTS_POLL_MS) == -EBUSY);
	/* The owner does not write a log that another one writes. */
	CHECK(volume_look(owner) == 0);
	beat = owner->beat;
	beat.counter += 5;
	CHECK(beat_write(&beat, rule_member.media, owner->super.uuid, 0) == 0);
	rule_settle();
	CHECK(volume_look(owner) == -ESTALE);
	CHECK(rule_unlink("a") == -ESTALE);
	return NULL;
}

static int rule_blocks(void *context, unsigned int slot,
		       const struct volume_waiting *waiting)
{
	uint64_t *blocks = context;

	blocks[slot] += waiting->bytes;
	return 0;
}

/* What waits is told with the host that it waits for. */
static const char *rule_blocked(void)
{
	uint64_t blocks[SLOT_COUNT] = { 0 };
	uint64_t ino;

	CHECK(rule_create("a", 4096, &ino) == 0);
	CHECK(rule_join() == 0);
	CHECK(party_give(&rule_member, ino));
	CHECK(rule_unlink("a") == 0);
	/* Before a look nobody is known to have let go. */
	volume_each_blocked(rule_owner.volume, rule_blocks, blocks);
	CHECK(blocks[0] == 0 && blocks[1] == 4096);
	rule_settle();
	CHECK(party_poll(&rule_member) == 0);
	CHECK(party_let_go(&rule_member) == 0);
	rule_settle();
	CHECK(volume_look(rule_owner.volume) == 0);
	volume_each_blocked(rule_owner.volume, rule_blocks, blocks);
	CHECK(blocks[0] == 0 && blocks[1] == 8192);
	/* Then this host alone, which may have it itself. */
	party_forget(&rule_member, ino);
	CHECK(party_let_go(&rule_member) == 0);
	rule_settle();
	CHECK(volume_look(rule_owner.volume) == 0);
	volume_each_blocked(rule_owner.volume, rule_blocks, blocks);
	CHECK(blocks[0] == 4096 && blocks[1] == 8192);
	/* A member knows nothing of it. */
	volume_each_blocked(rule_member.volume, rule_blocks, blocks);
	CHECK(blocks[0] == 4096 && blocks[1] == 8192);
	return NULL;
}

/* A lookup that was answered late leads to no map of what was let go of. */
static const char *rule_late_lookup(void)
{
	struct volume_attr attr;
	uint32_t count;
	uint64_t ino;

	CHECK(rule_create("a", 4096, &ino) == 0);
	CHECK(rule_join() == 0);
	CHECK(volume_lookup(rule_member.volume, ROOT_INO, "a", &attr) == 0);
	CHECK(rule_unlink("a") == 0);
	rule_settle();
	CHECK(party_poll(&rule_member) == 0);
	/* As long as the kernel may have it, it is served. */
	CHECK(volume_extents(rule_member.volume, ino, NULL, 0, &count) == 0);
	CHECK(count == 1);
	CHECK(party_let_go(&rule_member) == 0);
	CHECK(volume_extents(rule_member.volume, ino, NULL, 0,
			     &count) == -ENOENT);
	rule_settle();
	CHECK(volume_look(rule_owner.volume) == 0);
	CHECK(rule_gone(ino) == 0);
	return NULL;
}

/* Is the member's slot still of that mount? */
static bool rule_identity_is(const struct identity *wanted)
{
	struct identity now;

	rule_settle();
	return !identity_read(&now, rule_owner.media,
			      rule_owner.volume->super.uuid, 1) &&
	       now.nonce == wanted->nonce && now.state == wanted->state;
}

/* Who gives up while it joins is out, and nothing waits for it. */
static const char *rule_gives_up(void)
{
	struct identity identity;

	CHECK(rule_join() == 0);
	CHECK(volume_leave(rule_member.volume) == 0);
	party_close(&rule_member);
	party_renew(&rule_member, false);
	CHECK(party_open(&rule_member, NULL) == 0);
	/* Somebody begins to take over, and does not go on. */
	CHECK(call_write(&(struct call){ .epoch = 99 }, rule_owner.media,
			 rule_owner.volume->super.uuid) == 0);
	rule_settle();
	CHECK(party_join(&rule_member, 0) == -EAGAIN);
	CHECK(identity_read(&identity, rule_owner.media,
			    rule_owner.volume->super.uuid, 1) == 0);
	CHECK(identity.state == IDENTITY_STATE_IN);
	CHECK(volume_leave(rule_member.volume) == 0);
	rule_settle();
	/* Of what has become another one's it says nothing. */
	party_close(&rule_member);
	party_renew(&rule_member, false);
	CHECK(party_join(&rule_member, 0) == -EAGAIN);
	identity.nonce += 5;
	CHECK(identity_write(&identity, rule_owner.media,
			     rule_owner.volume->super.uuid, 1) == 0);
	rule_settle();
	CHECK(volume_leave(rule_member.volume) == -ESTALE);
	CHECK(rule_identity_is(&identity));
	party_close(&rule_member);
	identity.state = IDENTITY_STATE_LEFT;
	CHECK(identity_write(&identity, rule_owner.media,
			     rule_owner.volume->super.uuid, 1) == 0);
	rule_settle();
	CHECK(party_join(&rule_member, 0) == -EAGAIN);
	identity.state = IDENTITY_STATE_IN;
	CHECK(identity_write(&identity, rule_owner.media,
			     rule_owner.volume->super.uuid, 1) == 0);
	rule_settle();
	CHECK(party_join(&rule_member, 0) == -EBUSY);
	CHECK(rule_identity_is(&identity));
	identity.state = IDENTITY_STATE_LEFT;
	CHECK(identity_write(&identity, rule_owner.media,
			     rule_owner.volume->super.uuid, 1) == 0);
	rule_settle();
	CHECK(volume_look(rule_owner.volume) == 0);
	CHECK(rule_hosts(rule_owner.volume) == 102);
	return NULL;
}

/* The log takes the slot away. */
static const char *rule_expelled(void)
{
	struct item item = { .type = ITEM_HOST_TYPE };
	struct volume *volume = rule_owner.volume;
	struct op op = { .now = 1 };

	CHECK(rule_join() == 0);
	item.host.slot = 1;
	item.host.state = HOST_STATE_EXPELLED;
	CHECK(volume_begin(volume) == 0);
	record_add(&volume->record, &item);
	CHECK(volume_finish(volume, volume_commit(volume, &op, false)) == 0);
	rule_settle();
	CHECK(party_poll(&rule_member) == -ESTALE);
	return NULL;
}

/* Another file system is made where the member reads. */
static const char *rule_mkfs(void)
{
	struct volume_format format;

	check_format(&format);
	/* A member finds its slot empty, who joins another superblock. */
	for (unsigned int i = 0; i < 2; i++) {
		CHECK(i ? party_open(&rule_member, NULL) == 0 :
			  rule_join() == 0);
		format.uuid[0]++;
		CHECK(volume_format(rule_owner.media, &format, NULL) == 0);
		rule_settle();
		CHECK((i ? party_join(&rule_member, 0) :
			   party_poll(&rule_member)) == -ESTALE);
		party_close(&rule_member);
	}
	return NULL;
}

const char *check_members(void)
{
	static const char *(*const rules[])(void) = {
		rule_slots, rule_requests, rule_clones, rule_copies,
		rule_blocked, rule_late_lookup, rule_gives_up, rule_expelled, rule_mkfs,
	};

	return rules_run(rules, sizeof(rules) / sizeof(*rules));
}
