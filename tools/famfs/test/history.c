// SPDX-License-Identifier: GPL-2.0
/*
 * Random histories: an owner that makes changes and dies at any access, also
 * while it comes back, and a member that reads at any of them.
 *
 * Whatever is seen must be a prefix of what was acknowledged, or have the one
 * operation in flight besides, and must have all that had returned.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "checks.h"
#include "double.h"
#include "layout.h"
#include "mutant.h"
#include "ref.h"

#define HISTORY_OPS	24
#define HISTORY_AREA	(16u << 10)
/* mkfs begins the data at a multiple of 2 MiB behind the areas. */
#define DATA_START	(4u << 20)
#define DATA_END	(CHECK_SIZE - 4096)

struct history {
	struct ref states[HISTORY_OPS + 2];
	unsigned int acked;	/* states[acked] has all that has returned */
	bool flying;		/* states[acked + 1] may be there */
	bool making;		/* and has one inode number more */
	struct volume *volume;
	uint64_t next_ino;
	int64_t now;
	const char *wrong;
	bool trace;
};

uint64_t history_steps, history_crashes, history_readers, history_ops;
static struct double_memory history_memory;
static uint8_t *history_image;

static uint32_t history_random(uint32_t below)
{
	return double_random(&history_memory, below);
}

static void history_prepare(void)
{
	struct volume_format format;
	struct media *media;

	check_format(&format);
	format.area = HISTORY_AREA;
	double_init(&history_memory, CHECK_SIZE);
	history_image = calloc(1, CHECK_SIZE);
	media = media_of_memory(history_image, CHECK_SIZE);
	if (!history_image || !media ||
	    volume_format(media, &format, NULL))
		abort();
	media_close(media);
}

void check_history_free(void)
{
	if (!history_image)
		return;
	double_free(&history_memory);
	free(history_image);
	history_image = NULL;
}

/* Is what the volume has one of the states that it may have? */
static void history_compare(struct history *history, struct volume *volume,
			    unsigned int floor, const char *who)
{
	unsigned int last = history->acked + history->flying;
	const char *wrong = NULL;

	for (unsigned int i = last + 1; i-- > floor; ) {
		wrong = ref_compare(&history->states[i], volume);
		if (!wrong)
			break;
	}
	if (!wrong)
		wrong = ref_check_space(volume, DATA_START, DATA_END);
	if (wrong && !history->wrong)
		history->wrong = check_say("%s after %u operations: %s", who,
					   history->acked, wrong);
}

/* Another host reads all of it. */
static void history_read(void *context)
{
	struct history *history = context;
	struct fault fault = { 0 };
	struct volume *volume;
	unsigned int floor;
	int err;

	history_readers++;
	double_settle(&history_memory);
	floor = history->acked;
	err = check_open(&volume, &history_memory.hosts[1].media, VOLUME_READ,
			 &fault);
	if (err) {
		history->wrong = check_say("a reader after %u operations: %d %s",
					   history->acked, err, fault.text);
		return;
	}
	history_compare(history, volume, floor, "a reader");
	volume_close(volume);
}

static void history_plan_call(struct history *history)
{
	history_memory.call = history_read;
	history_memory.context = history;
	history_memory.call_at = history_memory.steps + 1 +
				 history_random(40);
}

/* The owner comes back, if it can. */
static void history_mount(struct history *history)
{
	struct double_host *host = &history_memory.hosts[0];
	struct fault fault = { 0 };
	int tries = 0, err;

	do {
		host->dead = false;
		history_memory.crash_at = 0;
		history_memory.crash_keeps = history_random(2);
		if (++tries < 4 && !history_random(3))
			history_memory.crash_at = history_memory.steps + 1 +
						  history_random(60 * 16);
		if (!history_random(4))
			history_plan_call(history);
		memset(&fault, 0, sizeof(fault));
		err = check_open(&history->volume, &host->media, VOLUME_OWN,
				 &fault);
		/* It may have died behind the last access that matters. */
		if (!err && host->dead) {
			volume_close(history->volume);
			err = -EIO;
		}
	} while (err && host->dead && !history->wrong);
	history_memory.crash_at = 0;
	history_memory.call_at = 0;
	if (err) {
		history->volume = NULL;
		if (!history->wrong)
			history->wrong = check_say("mount after %u operations: %d %s",
						   history->acked, err, fault.text);
		return;
	}
	history_compare(history, history->volume, history->acked, "mount");
	if (history->flying && !ref_compare(&history->states[history->acked + 1],
					    history->volume)) {
		history->acked++;
		history->next_ino += history->making;
	}
	history->flying = false;
	history->making = false;
}

static void history_plan(struct history *history, struct ref_op *op)
{
	static const uint8_t kinds[] = {
		REF_CREATE, REF_CREATE, REF_CREATE, REF_MKDIR, REF_RENAME,
		REF_RENAME, REF_UNLINK, REF_UNLINK, REF_TRUNCATE, REF_TRUNCATE,
		REF_MAP, REF_TELL, REF_TRIM, REF_GONE, REF_GONE, REF_LET_GO,
		REF_LINK, REF_RMDIR, REF_CHMOD, REF_SETXATTR, REF_REMOVEXATTR,
		REF_SYMLINK, REF_TMPFILE, REF_COMPACT,
	};

	op->kind = kinds[history_random(sizeof(kinds))];
	op->node = (uint8_t)history_random(history_random(2) ? REF_NODES : 6);
	op->parent = (uint8_t)history_random(history_random(2) ? 1 : 5);
	op->parent2 = (uint8_t)history_random(4);
	op->text = (uint8_t)history_random(history_random(2) ? 4 : REF_TEXTS);
	op->text2 = (uint8_t)history_random(5);
	op->flags = (uint8_t)history_random(3);
	if (op->kind == REF_MAP)
		op->flags &= 1;
	op->number = history_random(6) * 4096 + history_random(3);
	op->made = history->next_ino;
}

/* Is there room in the reference for what the operation makes? */
static bool history_has_room(const struct ref *ref)
{
	int nodes = 0, names = 0;

	for (int i = 0; i < REF_NODES; i++)
		nodes += ref->nodes[i].ino != 0;
	for (int i = 0; i < REF_NAMES; i++)
		names += ref->names[i].used;
	return nodes < REF_NODES - 1 && names < REF_NAMES - 2;
}

static void history_judge(struct history *history, const struct ref_op *op,
			  int expected, int err)
{
	bool makes = op->kind <= REF_TMPFILE;
	bool dead = history_memory.hosts[0].dead;

	/* It did not return, and may be there. */
	if (err && dead)
		return;
	history->flying = false;
	if (err == -ENOSPC)
		return;
	if (err != expected && !history->wrong)
		history->wrong = check_say("operation %d of %u: %d, not %d",
					   op->kind, history->acked, err,
					   expected);
	if (err)
		return;
	history->acked++;
	if (makes && op->made != history->next_ino++ && !history->wrong)
		history->wrong = "an inode number was skipped or given twice";
}

static void history_operate(struct history *history)
{
	struct ref *now = &history->states[history->acked];
	struct ref_op op = { 0 };
	int expected, err;

	history_plan(history, &op);
	expected = ref_expect(now, &op);
	now[1] = *now;
	if (op.kind == REF_TELL && !expected) {
		struct volume_attr attr;

		if (!volume_getattr(history->volume, now->nodes[op.node].ino,
				    &attr) && op.number > attr.mapped)
			op.number = (uint32_t)attr.mapped;
	}
	if (!expected)
		ref_do(&now[1], &op);
	history->flying = !expected;
	history->making = !expected && op.kind <= REF_TMPFILE;
	history_ops++;
	err = ref_do_volume(now, &op, history->volume, history->now += 1000);
	if (history->trace)
		printf("%2u: kind %d node %d %d/%d %d/%d flags %d number %u: %d%s\n",
		       history->acked, op.kind, op.node, op.parent, op.text,
		       op.parent2, op.text2, op.flags, op.number, err,
		       history_memory.hosts[0].dead ? ", dead" : "");
	history_judge(history, &op, expected, err);
}

static void history_write_under(void *context)
{
	struct history *history = context;
	unsigned int many = 1 + history_random(3);

	while (many-- && !history->wrong && !history_memory.hosts[0].dead && history->acked < HISTORY_OPS &&
	       history_has_room(&history->states[history->acked]))
		history_operate(history);
	/* Often enough for the area that is being read to be used anew. */
	many = history_random(3) ? 0 : 1 + history_random(4);
	while (many-- && !history->wrong && !history_memory.hosts[0].dead)
		volume_compact(history->volume, history->now);
}

/* A member reads, and meanwhile the owner works. */
static void history_read_under(struct history *history)
{
	history_memory.call = history_write_under;
	history_memory.context = history;
	history_memory.call_at = history_memory.steps + 1 +
				 history_random(200);
	history_read(history);
	history_memory.call_at = 0;
}

static void history_turn(struct history *history)
{
	struct double_host *host = &history_memory.hosts[0];

	switch (history_random(16)) {
	case 0:
		history_memory.crash_at = history_memory.steps + 1 +
					  history_random(24);
		break;
	case 1:
		history_plan_call(history);
		break;
	case 2:
		history_read_under(history);
		break;
	case 3:
		volume_beat(history->volume, 0);
		break;
	case 4:		/* the server ends, and its host does not */
		if (history_random(2))
			volume_leave(history->volume);
		volume_close(history->volume);
		history_mount(history);
		return;
	}
	if (!host->dead && history->acked < HISTORY_OPS)
		history_operate(history);
	if (host->dead) {
		history_crashes++;
		volume_close(history->volume);
		history_mount(history);
	}
}

const char *check_history(uint64_t seed, bool trace)
{
	static struct history history;

	if (!history_image)
		history_prepare();
	memset(&history, 0, sizeof(history));
	history.trace = trace;
	history.next_ino = 2;
	history.now = 3000000000;
	ref_init(&history.states[0]);
	double_reset(&history_memory, history_image, seed);
	history_mount(&history);
	while (!history.wrong && history.acked < HISTORY_OPS &&
	       history_memory.steps < 40000 &&
	       history_has_room(&history.states[history.acked]))
		history_turn(&history);
	if (!history.wrong) {
		history_memory.crash_at = 0;
		history_memory.call_at = 0;
		history_read(&history);
		double_crash(&history_memory, 0);
		volume_close(history.volume);
		history.volume = NULL;
		history_mount(&history);
	}
	volume_close(history.volume);
	history_steps += history_memory.steps;
	return history.wrong;
}
