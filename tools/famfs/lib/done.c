// SPDX-License-Identifier: GPL-2.0
/*
 * Marks of requests that are being done.
 */

#include "done.h"

#include <stddef.h>


/* How many have to be looked at. */
static uint32_t done_used(struct done *done)
{
	uint32_t used = atomic_load(&done->used);

	return used < DONE_MARKS ? used : DONE_MARKS;
}

struct done_mark *done_begin(struct done *done, uint64_t unique)
{
	for (uint32_t i = 0; i < DONE_MARKS; i++) {
		struct done_mark *mark = &done->marks[i];
		uint32_t used = atomic_load(&done->used), state = DONE_FREE;

		while (used <= i && !atomic_compare_exchange_weak(&done->used,
								  &used, i + 1))
			;
		if (!atomic_compare_exchange_strong(&mark->state, &state,
						    DONE_BEGUN))
			continue;
		atomic_store(&mark->ino, 0);
		atomic_store(&mark->unique, unique);
		return mark;
	}
	return NULL;
}

/* What makes an inode says so first. */
static uint64_t done_ino(const uint8_t *record)
{
	struct record_header header;
	struct item item;
	size_t size;

	record_header_decode(&header, record);
	size = (size_t)header.lines * LINE_SIZE - RECORD_HEADER;
	if (!item_decode(&item, record + RECORD_HEADER, size) ||
	    item.type != ITEM_INODE_TYPE)
		return 0;
	return item.ino;
}

void done_log(struct done_mark *mark, const uint8_t *record)
{
	if (!mark)
		return;
	atomic_store(&mark->ino, done_ino(record));
	atomic_store(&mark->state, DONE_LOGGED);
}

void done_end(struct done_mark *mark)
{
	if (!mark)
		return;
	/* Whoever begins with it next may end before it has a number. */
	atomic_store(&mark->unique, 0);
	atomic_store(&mark->state, DONE_FREE);
}

void done_replay(struct done *done, const struct record_header *header,
		 const uint8_t *record)
{
	if (!done || !header->unique)
		return;
	for (uint32_t i = 0; i < done_used(done); i++) {
		struct done_mark *mark = &done->marks[i];

		if (atomic_load(&mark->state) == DONE_BEGUN &&
		    atomic_load(&mark->unique) == header->unique)
			done_log(mark, record);
	}
}

void done_drop_begun(struct done *done)
{
	for (uint32_t i = 0; i < done_used(done); i++) {
		if (atomic_load(&done->marks[i].state) == DONE_BEGUN)
			done_end(&done->marks[i]);
	}
}

void done_drop_all(struct done *done)
{
	for (uint32_t i = 0; i < done_used(done); i++)
		done_end(&done->marks[i]);
}

struct done_mark *done_find(struct done *done, uint64_t unique)
{
	for (uint32_t i = 0; unique && i < done_used(done); i++) {
		struct done_mark *mark = &done->marks[i];

		if (atomic_load(&mark->state) == DONE_LOGGED &&
		    atomic_load(&mark->unique) == unique)
			return mark;
	}
	return NULL;
}
