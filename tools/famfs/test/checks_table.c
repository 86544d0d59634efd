// SPDX-License-Identifier: GPL-2.0
/*
 * What is durable and visible when, row by row, as far as records and maps say
 * it: what a member has after one poll, and what is there after the owner's end.
 * What caches do with data is the kernel's, and for guests to show.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "layout.h"
#include "rules.h"

static struct op table_op(void)
{
	struct op op = { .now = rule_owner.now += 1000 };

	return op;
}

/* The owner's host dies, and comes back with what memory has. */
static int table_crash(void)
{
	double_crash(&rule_memory, 0);
	rule_memory.hosts[0].dead = false;
	party_close(&rule_owner);
	party_renew(&rule_owner, true);
	return party_open(&rule_owner, NULL);
}

/* mkdir, create, rm, rename, chmod: at once; after a poll; there. */
static const char *table_names(void)
{
	struct volume_node node = { .mode = S_IFDIR | 0755 };
	struct volume *volume = rule_owner.volume;
	struct attr mode = { .mode = S_IFREG | 0600 };
	struct attr all = { .mode = 0640, .size = 100, .mtime = 7, .uid = 9 };
	struct volume_attr made, attr;
	struct op op = table_op();
	uint64_t ino, digest, seq;

	CHECK(rule_join() == 0);
	CHECK(volume_create(volume, &op, ROOT_INO, "d", &node, &made) == 0);
	CHECK(rule_create("a", 4096, &ino) == 0);
	CHECK(rule_create("b", 0, &digest) == 0);
	CHECK(rule_unlink("b") == 0);
	CHECK(volume_rename(volume, &op, ROOT_INO, "a", made.ino, "c", 0,
			    NULL) == 0);
	CHECK(volume_setattr(volume, &op, ino, VOLUME_MODE, &mode,
			     &attr) == 0);
	/* A size and what else is set with it are one record. */
	seq = attr.seq;
	CHECK(volume_setattr(volume, &op, ino, VOLUME_SIZE | VOLUME_MODE |
			     VOLUME_MTIME | VOLUME_UID, &all, &attr) == 0);
	CHECK(attr.seq == seq + 1 && attr.attr.size == 100 &&
	      attr.attr.mode == (S_IFREG | 0640) && attr.attr.mtime == 7);
	digest = party_digest(volume);
	/* It has only been fenced: the host dies with what else it has. */
	CHECK(table_crash() == 0);
	CHECK(party_digest(rule_owner.volume) == digest);
	rule_settle();
	CHECK(party_poll(&rule_member) == 0);
	CHECK(volume_lookup(rule_member.volume, made.ino, "c", &attr) == 0);
	CHECK(attr.ino == ino && attr.attr.mode == (S_IFREG | 0640) &&
	      attr.attr.size == 100 && attr.attr.uid == 9);
	CHECK(volume_lookup(rule_member.volume, ROOT_INO, "a",
			    &attr) == -ENOENT);
	CHECK(party_digest(rule_member.volume) == digest);
	return NULL;
}

/* Stores in place: both hosts map the same bytes, and nothing is logged. */
static const char *table_stores(void)
{
	struct party_map *here, *there;
	uint64_t ino, seq;

	CHECK(rule_create("a", 16384, &ino) == 0);
	CHECK(rule_truncate(ino, 16384) == 0);
	CHECK(rule_join() == 0);
	seq = volume_seq(rule_owner.volume);
	CHECK(party_give(&rule_owner, ino) && party_give(&rule_member, ino));
	here = party_find(&rule_owner, ino);
	there = party_find(&rule_member, ino);
	CHECK(here->count == 1 && there->count == 1);
	CHECK(here->extents[0].offset == there->extents[0].offset);
	CHECK(volume_seq(rule_owner.volume) == seq);
	return NULL;
}

/* Growth: size and map after a poll, in maps that are in use too. */
static const char *table_growth(void)
{
	struct volume *volume = rule_owner.volume;
	struct volume_attr attr;
	struct op op = table_op();
	struct party_map *map;
	uint64_t ino;

	CHECK(rule_create("a", 4096, &ino) == 0);
	CHECK(rule_join() == 0);
	CHECK(party_give(&rule_member, ino));
	map = party_find(&rule_member, ino);
	CHECK(map->extents[0].bytes == 4096);
	/* The kernel writes, and tells the size with fsync or close. */
	CHECK(volume_map(volume, &op, ino, 20000, false, &attr) == 0);
	CHECK(volume_tell(volume, &op, ino, 20000, &attr) == 0);
	CHECK(table_crash() == 0);
	volume = rule_owner.volume;
	CHECK(volume_getattr(volume, ino, &attr) == 0);
	CHECK(attr.attr.size == 20000);
	/* Without it the size last told counts. */
	CHECK(volume_map(volume, &op, ino, 40000, false, &attr) == 0);
	CHECK(table_crash() == 0);
	CHECK(volume_getattr(rule_owner.volume, ino, &attr) == 0);
	CHECK(attr.attr.size == 20000);
	rule_settle();
	CHECK(party_poll(&rule_member) == 0);
	CHECK(volume_getattr(rule_member.volume, ino, &attr) == 0);
	CHECK(attr.attr.size == 20000);
	CHECK(map->extents[0].bytes >= 20000);
	return NULL;
}

/* truncate of what is open elsewhere: after a poll nothing behind the end. */
static const char *table_truncate(void)
{
	struct party_map *map;
	uint64_t ino;

	CHECK(rule_create("a", 40960, &ino) == 0);
	CHECK(rule_truncate(ino, 40960) == 0);
	CHECK(rule_join() == 0);
	CHECK(party_give(&rule_member, ino));
	map = party_find(&rule_member, ino);
	CHECK(rule_truncate(ino, 8192) == 0);
	CHECK(table_crash() == 0);
	rule_settle();
	CHECK(party_poll(&rule_member) == 0);
	CHECK(map->count == 1 && map->extents[0].bytes == 8192);
	CHECK(party_let_go(&rule_member) == 0);
	rule_settle();
	CHECK(party_own(&rule_owner) == 0);
	CHECK(rule_owner.volume->model.space.waiting == 0);
	/* Pages that are pinned keep what they have, and it waits. */
	map->pinned = true;
	CHECK(rule_truncate(ino, 0) == 0);
	rule_settle();
	CHECK(party_poll(&rule_member) == 0);
	CHECK(party_let_go(&rule_member) == 0);
	rule_settle();
	CHECK(party_own(&rule_owner) == 0);
	CHECK(rule_owner.volume->model.space.waiting == 8192);
	map->pinned = false;
	CHECK(party_let_go(&rule_member) == 0);
	rule_settle();
	CHECK(party_own(&rule_owner) == 0);
	CHECK(rule_owner.volume->model.space.waiting == 0);
	CHECK(map->count == 0);
	return NULL;
}

/* rm of what is open elsewhere: usable until its last close, and then reused. */
static const char *table_remove(void)
{
	struct volume_attr attr;
	uint64_t ino;

	CHECK(rule_create("a", 40960, &ino) == 0);
	CHECK(rule_join() == 0);
	CHECK(party_give(&rule_member, ino));
	CHECK(rule_unlink("a") == 0);
	CHECK(table_crash() == 0);
	for (unsigned int i = 0; i < 3; i++) {
		rule_settle();
		CHECK(party_poll(&rule_member) == 0);
		CHECK(party_let_go(&rule_member) == 0);
		rule_settle();
		CHECK(party_own(&rule_owner) == 0);
		CHECK(!party_check(&rule_member, rule_owner.volume));
	}
	/* Without a name, and served all the same. */
	CHECK(volume_lookup(rule_member.volume, ROOT_INO, "a",
			    &attr) == -ENOENT);
	CHECK(volume_getattr(rule_member.volume, ino, &attr) == 0);
	CHECK(party_find(&rule_member, ino)->extents[0].bytes == 40960);
	party_forget(&rule_member, ino);
	CHECK(party_let_go(&rule_member) == 0);
	rule_settle();
	CHECK(party_own(&rule_owner) == 0);
	CHECK(volume_getattr(rule_owner.volume, ino, &attr) == -ENOENT);
	CHECK(TAILQ_EMPTY(&rule_owner.volume->model.removed));
	return NULL;
}

/* A member that died keeps it waiting until it is in again. */
static const char *table_member_dies(void)
{
	uint64_t ino;

	CHECK(rule_create("a", 40960, &ino) == 0);
	CHECK(rule_join() == 0);
	CHECK(party_give(&rule_member, ino));
	double_crash(&rule_memory, 1);
	rule_memory.hosts[1].dead = false;
	CHECK(rule_unlink("a") == 0);
	for (unsigned int i = 0; i < 3; i++) {
		rule_settle();
		CHECK(party_own(&rule_owner) == 0);
	}
	CHECK(!TAILQ_EMPTY(&rule_owner.volume->model.removed));
	party_close(&rule_member);
	party_renew(&rule_member, true);
	CHECK(party_join(&rule_member, 0) == -EAGAIN);
	CHECK(party_join(&rule_member, HOSTS_WATCH_MS) == 0);
	rule_settle();
	CHECK(party_own(&rule_owner) == 0);
	CHECK(TAILQ_EMPTY(&rule_owner.volume->model.removed));
	return NULL;
}

const char *check_table(void)
{
	static const char *(*const rows[])(void) = {
		table_names, table_stores, table_growth, table_truncate,
		table_remove, table_member_dies,
	};

	return rules_run(rows, sizeof(rows) / sizeof(*rows));
}
