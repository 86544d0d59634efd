// SPDX-License-Identifier: GPL-2.0
/*
 * Random histories of an owner and two members: files come, grow, shrink and
 * go, kernels are given maps and have pages pinned, hosts join, leave, die and
 * come back, and at any access another host goes on for a while.
 *
 * No kernel uses what is not its file's; what a member has read is what the
 * owner had at that record; and with all alive, everything comes back.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checks.h"
#include "layout.h"
#include "party.h"
#include "volume_internal.h"

#define PARTIES		DOUBLE_HOSTS
#define TURNS		160u
#define NAMES		6u
#define STATES		512u

static struct double_memory many_memory;
static uint8_t *many_image;

static struct many {
	struct party parties[PARTIES];
	bool busy[PARTIES];		/* in the middle of something */
	uint64_t states[STATES];	/* by seq: what the owner had then */
	uint64_t ms;
	const char *wrong;
	bool trace;
} many;

static uint32_t many_random(uint32_t below)
{
	return double_random(&many_memory, below);
}

static void many_fail(const char *wrong)
{
	if (wrong && !many.wrong)
		many.wrong = wrong;
}

static bool many_is_dead(unsigned int number)
{
	return many_memory.hosts[number].dead;
}

static void many_note(void)
{
	struct volume *owner = many.parties[0].volume;
	uint64_t seq = volume_seq(owner);

	if (seq < STATES)
		many.states[seq] = party_digest(owner);
}

static void owner_change(struct party *owner)
{
	struct volume_node node = { .mode = S_IFREG | 0644 };
	char name[] = { (char)('a' + many_random(NAMES)), 0 };
	char other[] = { (char)('a' + many_random(NAMES)), 0 };
	struct op op = { .now = owner->now += 1000 };
	uint64_t size = 4096 * many_random(120);
	struct volume *volume = owner->volume;
	struct volume_attr attr;
	int err = volume_lookup(volume, ROOT_INO, name, &attr);

	node.map = size;
	if (err)
		err = volume_create(volume, &op, ROOT_INO, name, &node, &attr);
	else
		switch (many_random(6)) {
		case 0:
			err = volume_unlink(volume, &op, ROOT_INO, name, NULL);
			break;
		case 1:
			err = volume_rename(volume, &op, ROOT_INO, name,
					    ROOT_INO, other, 0, NULL);
			break;
		case 2:
			err = volume_map(volume, &op, attr.ino, size, false,
					 &attr);
			break;
		case 3:
			err = volume_trim(volume, &op, attr.ino, &attr);
			break;
		default:
			err = volume_truncate(volume, &op, attr.ino, size,
					      &attr);
		}
	if (err && err != -ENOSPC && !many_is_dead(0))
		many_fail(check_say("a change fails: %d", err));
	if (!err)
		many_note();
}

/* The owner's kernel learns of what was cut off; it does not wait for it. */
static void owner_turn(struct party *owner)
{
	int err = 0;

	switch (many_random(8)) {
	case 0:
		err = volume_compact(owner->volume, owner->now += 1000);
		if (err == -ENOSPC)
			err = 0;
		break;
	case 1:
	case 2:
	case 3:
		err = party_own(owner);
		if (!err)
			many_note();
		break;
	default:
		owner_change(owner);
	}
	if (err && !many_is_dead(0))
		many_fail(check_say("the owner fails: %d", err));
}

/*
 * A lookup is answered, and what comes of it later. On the owner a directory
 * stays locked until its kernel has taken the answer in.
 */
static void lookup_turn(struct party *party, uint64_t ino)
{
	uint64_t *found = &party->found[many_random(PARTY_FOUND)];

	if (party->owner)
		party_give(party, ino);
	else if (many_random(2))
		*found = ino;
	else if (*found)
		party_give_late(party, *found);
}

/* A kernel is given a map, forgets one, or has pages pinned. */
static void kernel_turn(struct party *party)
{
	char name[] = { (char)('a' + many_random(NAMES)), 0 };
	struct party_map *map = &party->maps[many_random(PARTY_MAPS)];
	struct volume_attr attr;

	switch (many_random(5)) {
	case 0:
		if (map->ino)
			map->pinned = !map->pinned;
		break;
	case 1:
		party_forget(party, map->ino);
		break;
	case 2:
		if (!volume_lookup(party->volume, ROOT_INO, name, &attr))
			lookup_turn(party, attr.ino);
		break;
	default:
		if (!volume_lookup(party->volume, ROOT_INO, name, &attr))
			party_give(party, attr.ino);
	}
}

static void member_compare(struct party *party)
{
	uint64_t seq = volume_seq(party->volume);

	if (seq < STATES && many.states[seq] &&
	    many.states[seq] != party_digest(party->volume))
		many_fail(check_say("%s has another state at record %llu",
				    party->options.self.name,
				    (unsigned long long)seq));
}

static void member_turn(struct party *party, unsigned int number)
{
	int err = 0;

	if (!party->joined) {
		err = party_join(party, many.ms += 1000);
		if (err == -EAGAIN)
			err = 0;
	} else if (!many_random(30)) {
		/* All pins are gone, and so is the superblock. */
		err = volume_leave(party->volume);
		party_close(party);
		party_renew(party, false);
	} else if (many_random(3)) {
		err = party_poll(party);
		if (!err || err == -EAGAIN)
			err = volume_tell_held(party->volume);
		if (!err)
			member_compare(party);
	} else {
		err = party_let_go(party);
	}
	if (err && !many_is_dead(number))
		many_fail(check_say("%s fails: %d", party->options.self.name,
				    err));
}

/* A host that died comes back; the owner's log may have one record more. */
static void many_revive(unsigned int number)
{
	struct party *party = &many.parties[number];
	struct fault fault = { 0 };
	int err;

	party_close(party);
	many_memory.hosts[number].dead = false;
	party_renew(party, true);
	if (number)
		return;
	party->unused = many_random(2);
	err = party_open(party, &fault);
	if (err)
		many_fail(check_say("the owner cannot mount: %d %s", err,
				    fault.text));
	else
		many_note();
}

static void many_turn(unsigned int number)
{
	struct party *party = &many.parties[number];

	if (many.busy[number] || many_is_dead(number) || many.wrong)
		return;
	many.busy[number] = true;
	if (many.trace)
		printf("%s at access %llu\n", party->options.self.name,
		       (unsigned long long)many_memory.steps);
	if (party->volume && !many_random(3) && (party->joined || !number))
		kernel_turn(party);
	else if (!number)
		owner_turn(party);
	else
		member_turn(party, number);
	many.busy[number] = false;
}

static void many_interrupt(void *context)
{
	(void)context;
	for (unsigned int i = 1 + many_random(3); i--; )
		many_turn(many_random(PARTIES));
}

static void many_check(void)
{
	for (unsigned int i = 0; i < PARTIES && !many.wrong; i++) {
		if (many.parties[i].volume && !many_is_dead(i))
			many_fail(party_check(&many.parties[i],
					      many.parties[0].volume));
	}
}

static void many_plan(unsigned int number)
{
	many_memory.call = many_interrupt;
	many_memory.call_at = many_random(2) ?
			      many_memory.steps + 1 + many_random(150) : 0;
	many_memory.crash_host = number;
	many_memory.crash_at = many_random(25) ? 0 :
			       many_memory.steps + 1 + many_random(100);
}

static void many_calm(void)
{
	many_memory.crash_at = 0;
	many_memory.call_at = 0;
}

static void many_step(void)
{
	unsigned int number = many_random(PARTIES);

	many_plan(number);
	many_turn(number);
	many_calm();
	for (unsigned int i = 0; i < PARTIES && !many.wrong; i++) {
		if (many_is_dead(i))
			many_revive(i);
	}
	many_check();
}

static bool many_waits(void)
{
	struct model *model = &many.parties[0].volume->model;

	return model->space.waiting || !TAILQ_EMPTY(&model->removed);
}

/* A round in which all are there, and nobody uses anything. */
static void many_round(void)
{
	for (unsigned int i = 0; i < PARTIES && !many.wrong; i++) {
		struct party *party = &many.parties[i];
		int err = 0;

		memset(party->maps, 0, sizeof(party->maps));
		if (i && !party->joined)
			err = party_join(party, many.ms += 1000);
		if (i && party->joined)
			err = party_poll(party);
		if (i && !err && party->joined)
			err = party_let_go(party);
		if (!i)
			err = party_own(party);
		if (err && err != -EAGAIN)
			many_fail(check_say("%s fails at the end: %d",
					    party->options.self.name, err));
		double_settle(&many_memory);
	}
}

static void many_end(void)
{
	for (unsigned int i = 0; i < 12 && !many.wrong; i++)
		many_round();
	if (!many.wrong && many_waits())
		many_fail("space does not come back");
	many_note();
	for (unsigned int i = 1; i < PARTIES && !many.wrong; i++) {
		struct party *party = &many.parties[i];

		if (!party->joined || party_poll(party))
			many_fail("a member is not in at the end");
		else if (party_digest(party->volume) !=
			 party_digest(many.parties[0].volume))
			many_fail("a member has not what the owner has");
	}
}

static void many_prepare(void)
{
	struct volume_format format;
	struct media *media;

	check_format(&format);
	format.area = AREA_LEAST;
	double_init(&many_memory, CHECK_SIZE);
	many_image = calloc(1, CHECK_SIZE);
	media = media_of_memory(many_image, CHECK_SIZE);
	if (!many_image || !media || volume_format(media, &format, NULL))
		abort();
	media_close(media);
}

void check_hosts_free(void)
{
	if (!many_image)
		return;
	double_free(&many_memory);
	free(many_image);
	many_image = NULL;
}

const char *check_hosts(uint64_t seed, bool trace)
{
	if (!many_image)
		many_prepare();
	memset(&many, 0, sizeof(many));
	many.trace = trace;
	double_reset(&many_memory, many_image, seed);
	for (unsigned int i = 0; i < PARTIES; i++)
		party_init(&many.parties[i], &many_memory.hosts[i].media, i);
	if (party_open(&many.parties[0], NULL))
		many_fail("the owner cannot mount");
	for (unsigned int i = 0; i < TURNS && !many.wrong; i++)
		many_step();
	many_memory.chaos = 0;
	if (!many.wrong)
		many_end();
	for (unsigned int i = 0; i < PARTIES; i++)
		party_close(&many.parties[i]);
	return many.wrong;
}
