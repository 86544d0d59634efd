/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Space of a device: a bit a unit, and how many units of each aligned 2 MiB are
 * free. What waits to be let go of by hosts counts as taken, and is kept by
 * offset.
 *
 * Everything is in bytes of the device, at multiples of the unit. No locking:
 * the model's owner does that.
 */
#ifndef FAMFS_SPACE_H
#define FAMFS_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "tree.h"

/* A run of space that was released by @ino at @seq, and waits. */
struct wait {
	RB_ENTRY(wait) by_offset, by_ino;
	uint64_t offset, bytes;
	uint64_t ino, seq;
};

RB_HEAD(wait_tree, wait);
RB_HEAD(wait_ino_tree, wait);

struct space {
	uint64_t start, end;
	uint32_t unit;
	uint64_t free;		/* bytes that can be given at once */
	uint64_t waiting;	/* bytes */
	uint64_t wait_count;
	uint64_t *bits;		/* a set one is taken */
	uint16_t *slots;	/* free units of each aligned 2 MiB */
	uint64_t slot_count;
	uint64_t whole;		/* slots of which every unit is free */
	uint64_t slot_cursor;	/* where the search for whole slots goes on */
	uint64_t unit_cursor;	/* the slot in which small files were put */
	struct wait_tree waits;
	struct wait_ino_tree waits_of;
};

struct run {
	uint64_t offset, bytes;
};

/* @start is a multiple of 2 MiB. Return: 0 or -ENOMEM. */
int space_init(struct space *space, uint64_t start, uint64_t end,
	       uint32_t unit);
void space_free(struct space *space);

/* Is this a run of whole units of this device? */
bool space_has(const struct space *space, uint64_t offset, uint64_t bytes);

/**
 * space_take - gives a run to a file
 *
 * What waits in it waits no more: the owner has seen it let go.
 *
 * Return: 0; -EEXIST where a file has some of it (nothing is changed); -ENOMEM.
 */
int space_take(struct space *space, uint64_t offset, uint64_t bytes);

/* A file's run, or a part of it, is free. */
void space_give(struct space *space, uint64_t offset, uint64_t bytes);

/* A file's run waits. Return: 0 or -ENOMEM. */
int space_wait(struct space *space, uint64_t offset, uint64_t bytes,
	       uint64_t ino, uint64_t seq);

/* As space_wait(), of space that no file has had. -EEXIST where one has. */
int space_wait_new(struct space *space, uint64_t offset, uint64_t bytes,
		   uint64_t ino, uint64_t seq);

/* What @ino released up to @seq is free. Returns the bytes. */
uint64_t space_let_go(struct space *space, uint64_t ino, uint64_t seq);

/* Nothing waits any more. */
void space_settle(struct space *space);

/* The waiting runs, by offset; NULL after the last. */
struct wait *space_wait_first(struct space *space);
struct wait *space_wait_next(struct wait *wait);

/*
 * The searches change nothing but where the next one begins. They find at most
 * what was asked for, in one run; the run's bytes are 0 where there is nothing.
 */

/* Whole aligned 2 MiB, as many as there are together. */
struct run space_find_slots(struct space *space, uint64_t bytes);

/* Exactly there? */
bool space_is_free(const struct space *space, uint64_t offset, uint64_t bytes);

/* How many of @bytes from @offset on are free, up to the first that is not. */
uint64_t space_free_run(const struct space *space, uint64_t offset,
			uint64_t bytes);

/* The first free unit from @offset on, or @end. */
uint64_t space_next_free(const struct space *space, uint64_t offset,
			 uint64_t end);

/* Units anywhere, slots that are in use already first. */
struct run space_find_units(struct space *space, uint64_t bytes);

#endif
