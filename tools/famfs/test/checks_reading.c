// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of several hosts: what a member reads, and what it has let go of.
 */

#include <errno.h>
#include <string.h>

#include "layout.h"
#include "lines.h"
#include "rules.h"

/* Only beats of this mount and epoch, with the list they name, say anything. */
static const char *rule_answers(void)
{
	const uint8_t *uuid = rule_owner.volume->super.uuid;
	struct media *media = rule_member.media;
	struct beat beat, other;
	uint64_t ino, last;

	CHECK(rule_join() == 0);
	CHECK(rule_create("a", 4096, &ino) == 0);
	CHECK(rule_unlink("a") == 0);
	rule_settle();
	CHECK(volume_look(rule_owner.volume) == 0);
	CHECK(rule_gone(ino) == -EAGAIN);
	CHECK(party_poll(&rule_member) == 0);
	CHECK(rule_holds(ino));
	CHECK(volume_tell_held(rule_member.volume) == 0);
	rule_settle();
	CHECK(volume_look(rule_owner.volume) == 0);
	CHECK(rule_gone(ino) == -EAGAIN);
	CHECK(party_let_go(&rule_member) == 0);
	CHECK(!rule_holds(ino));
	rule_settle();
	CHECK(beat_read(&beat, media, uuid, 1) == 0);
	for (unsigned int i = 0; i < 3; i++) {
		other = beat;
		other.nonce += i == 0;
		other.epoch += i == 1;
		other.list_crc += i == 2;
		CHECK(beat_write(&other, media, uuid, 1) == 0);
		rule_settle();
		CHECK(volume_look(rule_owner.volume) == 0);
		CHECK(rule_gone(ino) == -EAGAIN);
	}
	CHECK(beat_write(&beat, media, uuid, 1) == 0);
	rule_settle();
	CHECK(volume_look(rule_owner.volume) == 0);
	CHECK(rule_gone(ino) == 0);
	/* A look says nothing of what was released after it. */
	CHECK(volume_leave(rule_member.volume) == 0);
	rule_settle();
	CHECK(volume_look(rule_owner.volume) == 0);
	CHECK(rule_create("b", 4096, &last) == 0 && rule_unlink("b") == 0);
	CHECK(rule_gone(last) == -EAGAIN);
	CHECK(volume_look(rule_owner.volume) == 0);
	CHECK(rule_gone(last) == 0);
	return NULL;
}

/* What was given back after this host was seen out, it knows when it is in. */
static const char *rule_settled(void)
{
	uint64_t ino;

	CHECK(rule_create("a", 8192, &ino) == 0);
	CHECK(rule_join() == 0);
	CHECK(volume_leave(rule_member.volume) == 0);
	rule_settle();
	party_close(&rule_member);
	party_renew(&rule_member, false);
	CHECK(party_open(&rule_member, NULL) == 0);
	CHECK(rule_truncate(ino, 0) == 0);
	CHECK(volume_look(rule_owner.volume) == 0);
	CHECK(volume_let_go(rule_owner.volume, ino,
			    volume_seq(rule_owner.volume)) == 0);
	CHECK(party_join(&rule_member, 0) == 0);
	CHECK(party_digest(rule_member.volume) ==
	      party_digest(rule_owner.volume));
	return NULL;
}

/* A member that missed all of an area finds out what has changed. */
static const char *rule_missed(void)
{
	struct volume *volume = rule_owner.volume;
	uint64_t kept, cut, gone, more;

	CHECK(rule_create("kept", 8192, &kept) == 0);
	CHECK(rule_create("cut", 8192, &cut) == 0);
	CHECK(rule_create("gone", 8192, &gone) == 0);
	CHECK(rule_truncate(cut, 8192) == 0);
	CHECK(rule_join() == 0);
	CHECK(rule_truncate(cut, 10) == 0);
	CHECK(rule_unlink("gone") == 0);
	for (unsigned int i = 0; i < 4; i++) {
		char name[] = { (char)('0' + i), 0 };

		CHECK(rule_create(name, 0, &more) == 0);
		CHECK(volume_compact(volume, 1) == 0);
	}
	rule_settle();
	CHECK(party_poll(&rule_member) == 0);
	CHECK(party_digest(rule_member.volume) == party_digest(volume));
	CHECK(rule_holds(cut) && rule_holds(gone) && !rule_holds(kept));
	/* And whoever has read to its beginning goes on in another one. */
	CHECK(rule_create("z", 0, &more) == 0);
	CHECK(volume_compact(volume, 1) == 0);
	CHECK(rule_truncate(kept, 0) == 0);
	rule_settle();
	CHECK(party_poll(&rule_member) == 0);
	CHECK(party_digest(rule_member.volume) == party_digest(volume));
	return NULL;
}

/* Lines of what was fenced arrive in any order until a settle is over. */
static const char *rule_late(void)
{
	struct volume *volume = rule_owner.volume;
	uint32_t before;
	uint64_t ino;

	CHECK(rule_join() == 0);
	CHECK(rule_create("a", 0, &ino) == 0);
	before = rule_memory.flight_count;
	CHECK(volume_beat(volume, 0) == 0);
	double_land_from(&rule_memory, before);
	CHECK(party_poll(&rule_member) == 0);
	CHECK(party_digest(rule_member.volume) == party_digest(volume));
	/* The root before its snapshot. */
	rule_settle();
	for (unsigned int i = 0; i < 4; i++) {
		CHECK(volume_compact(volume, 1) == 0);
		CHECK(rule_create((char[]){ (char)('b' + i), 0 }, 0, &ino) == 0);
	}
	rule_settle();
	CHECK(volume_compact(volume, 1) == 0);
	double_land_from(&rule_memory, rule_memory.flight_count - 2);
	CHECK(party_poll(&rule_member) == 0);
	CHECK(party_digest(rule_member.volume) == party_digest(volume));
	return NULL;
}

/* The owner says that there is a record, and there is none. */
static const char *rule_damage(void)
{
	struct volume *volume = rule_owner.volume;
	uint64_t ino, at;

	CHECK(rule_join() == 0);
	at = volume->log.area.offset + volume->log.tail * LINE_SIZE;
	CHECK(rule_create("a", 0, &ino) == 0);
	CHECK(volume_beat(volume, 0) == 0);
	rule_settle();
	rule_memory.bytes[at + RECORD_TIME]++;
	CHECK(party_poll(&rule_member) == -EUCLEAN);
	return NULL;
}

/* The owner mounts anew: what others may have waits, and else nothing does. */
static const char *rule_mounted_again(void)
{
	struct party *owner = &rule_owner;
	struct volume_attr attr;
	uint64_t ino;

	owner->unused = true;
	CHECK(rule_create("a", 40960, &ino) == 0);
	CHECK(party_join(&rule_member, 0) == -EAGAIN);
	CHECK(rule_unlink("a") == 0);
	rule_settle();
	CHECK(party_join(&rule_member, 0) == -EAGAIN);
	party_close(owner);
	CHECK(party_open(owner, NULL) == 0);
	CHECK(volume_getattr(owner->volume, ino, &attr) == -ENOENT);
	CHECK(rule_create("b", 40960, &ino) == 0);
	/* Who has read on meanwhile takes no harm. */
	CHECK(rule_join() == 0);
	CHECK(party_digest(rule_member.volume) == party_digest(owner->volume));
	CHECK(rule_unlink("b") == 0);
	party_close(owner);
	CHECK(party_open(owner, NULL) == 0);
	CHECK(volume_getattr(owner->volume, ino, &attr) == 0);
	rule_settle();
	CHECK(party_poll(&rule_member) == 0);
	CHECK(rule_holds(ino));
	CHECK(party_digest(rule_member.volume) == party_digest(owner->volume));
	return NULL;
}

/* Who is about to own it may not have seen what this host reads now. */
static const char *rule_called(void)
{
	struct call call = { .epoch = rule_owner.volume->root.epoch + 1 };
	uint64_t ino, seq;

	CHECK(rule_join() == 0);
	seq = volume_seq(rule_member.volume);
	CHECK(rule_create("a", 0, &ino) == 0);
	CHECK(call_write(&call, &rule_memory.hosts[2].media,
			 rule_owner.volume->super.uuid) == 0);
	rule_settle();
	CHECK(party_poll(&rule_member) == -EAGAIN);
	CHECK(volume_seq(rule_member.volume) == seq);
	CHECK(volume_tell_held(rule_member.volume) == 0);
	return NULL;
}

/* A list that is full holds back what the beat says, and nothing else. */
static const char *rule_full(void)
{
	uint64_t inodes[LIST_MOST], passed;
	struct holds holds;

	holds_init(&holds);
	for (uint64_t i = 0; i < LIST_MOST + 77; i++)
		CHECK(holds_add(&holds, 5000 - i, 10 + i, 10 + i) == 0);
	CHECK(holds_list(&holds, inodes, 9000, &passed) == LIST_MOST);
	CHECK(passed == 10 + LIST_MOST - 1);
	CHECK(inodes[0] == 5000 && inodes[LIST_MOST - 1] == 5001 - LIST_MOST);
	/* Released once more: letting go of the first time is not enough. */
	CHECK(holds_add(&holds, 5000, 9001, 9001) == 0);
	holds_let_go(&holds, 5000, 9000);
	CHECK(holds.count == LIST_MOST + 77);
	holds_let_go(&holds, 5000, 9001);
	for (uint64_t i = 1; i < 77; i++)
		holds_let_go(&holds, 5000 - i, 9001);
	CHECK(holds_list(&holds, inodes, 9001, &passed) == LIST_MOST);
	CHECK(passed == 9001);
	holds_free(&holds);
	return NULL;
}

const char *check_reading(void)
{
	static const char *(*const rules[])(void) = {
		rule_answers, rule_settled, rule_missed, rule_late, rule_damage,
		rule_called, rule_mounted_again, rule_full,
	};

	return rules_run(rules, sizeof(rules) / sizeof(*rules));
}
