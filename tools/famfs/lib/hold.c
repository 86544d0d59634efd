// SPDX-License-Identifier: GPL-2.0
/*
 * What a host has not let go of, and the list that says so.
 */

#include <errno.h>
#include <stdlib.h>

#include "change.h"
#include "mutant.h"

static int hold_compare(struct hold *a, struct hold *b)
{
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

TREE_GENERATE(hold_tree, hold, by_ino, hold_compare)

void holds_init(struct holds *holds)
{
	RB_INIT(&holds->tree);
	holds->count = 0;
}

struct hold *holds_find(struct holds *holds, uint64_t ino)
{
	struct hold key = { .ino = ino };

	return RB_FIND(hold_tree, &holds->tree, &key);
}

static void holds_remove(struct holds *holds, struct hold *hold)
{
	RB_REMOVE(hold_tree, &holds->tree, hold);
	holds->count--;
	free(hold);
}

void holds_free(struct holds *holds)
{
	struct hold *hold;

	while ((hold = RB_ROOT(&holds->tree)))
		holds_remove(holds, hold);
}

int holds_add(struct holds *holds, uint64_t ino, uint64_t first, uint64_t last)
{
	struct hold *hold = holds_find(holds, ino);

	if (hold) {
		hold->last = last;
		return 0;
	}
	hold = calloc(1, sizeof(*hold));
	if (!hold)
		return -ENOMEM;
	hold->ino = ino;
	hold->first = first;
	hold->last = last;
	RB_INSERT(hold_tree, &holds->tree, hold);
	holds->count++;
	return 0;
}

void holds_let_go(struct holds *holds, uint64_t ino, uint64_t seq)
{
	struct hold *hold = holds_find(holds, ino);

	/* Of what was released later nothing has been said. */
	if (hold && !WRONG(HOLD_IS_OLDER, hold->last > seq))
		holds_remove(holds, hold);
}

struct hold *holds_first(struct holds *holds)
{
	return RB_MIN(hold_tree, &holds->tree);
}

struct hold *holds_next(struct hold *hold)
{
	return RB_NEXT(hold_tree, NULL, hold);
}

static int hold_by_first(const void *a, const void *b)
{
	const struct hold *one = *(struct hold *const *)a;
	const struct hold *two = *(struct hold *const *)b;

	return one->first < two->first ? -1 : one->first > two->first;
}

int holds_list(struct holds *holds, uint64_t *inodes, uint64_t seq,
	       uint64_t *passed)
{
	struct hold **all = calloc(holds->count + 1, sizeof(*all));
	uint64_t count = 0;

	if (!all)
		return -ENOMEM;
	for (struct hold *hold = holds_first(holds); hold;
	     hold = holds_next(hold))
		all[count++] = hold;
	*passed = seq;
	if (count > LIST_MOST) {
		qsort(all, count, sizeof(*all), hold_by_first);
		if (WRONG(HOLD_FITS, all[LIST_MOST]->first <= seq))
			*passed = all[LIST_MOST]->first - 1;
		count = LIST_MOST;
	}
	for (uint64_t i = 0; i < count; i++)
		inodes[i] = all[i]->ino;
	free(all);
	return (int)count;
}
