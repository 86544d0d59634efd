// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on sizes and maps.
 *
 * Past 2 MiB of a file, device offset and file offset are congruent modulo
 * 2 MiB while there are whole aligned 2 MiB, so that huge pages can map them.
 */

#include <errno.h>
#include <stdlib.h>

#include "bytes.h"
#include "volume_internal.h"

/* Steps of files that grow do not get larger than that. */
#define MAP_STEP_MOST	(64ull << 20)

uint64_t volume_map_goal(const struct volume *volume, uint64_t mapped,
			 uint64_t reach, bool ahead)
{
	uint64_t step = mapped < MAP_STEP_MOST ? mapped : MAP_STEP_MOST;
	uint64_t goal;

	if (reach > volume->super.size)
		return volume->super.size;
	goal = round_up64(reach, volume->super.unit);
	if (goal > HUGE_SIZE)
		goal = round_up64(goal, HUGE_SIZE);
	if (!ahead || mapped + step <= goal)
		return goal;
	if (mapped < HUGE_SIZE && mapped + step > HUGE_SIZE)
		return goal > HUGE_SIZE ? goal : HUGE_SIZE;
	goal = mapped + step;
	return goal > HUGE_SIZE ? round_up64(goal, HUGE_SIZE) : goal;
}

struct map_plan {
	struct space *space;
	struct run *runs;
	uint32_t count, room;
	uint32_t most;		/* runs that there is room for in the log */
	uint64_t behind;	/* where the file ends in the device */
};

/* As much of @most as is free right behind what the file has. */
static struct run map_find_behind(const struct map_plan *plan, uint64_t most)
{
	struct run run = { plan->behind, 0 };

	if (plan->behind)
		run.bytes = space_free_run(plan->space, run.offset, most);
	return run;
}

static struct run map_find(struct map_plan *plan, uint64_t at, uint64_t want)
{
	uint64_t left = HUGE_SIZE - at % HUGE_SIZE;
	struct run run = { 0, 0 };

	if (left == HUGE_SIZE && want >= HUGE_SIZE) {
		uint64_t whole = round_down64(want, HUGE_SIZE);

		/* In one piece with what the file has, if that is aligned. */
		if (plan->behind % HUGE_SIZE == 0)
			run = map_find_behind(plan, whole);
		run.bytes = round_down64(run.bytes, HUGE_SIZE);
		if (!run.bytes)
			run = space_find_slots(plan->space, whole);
	} else {
		run = map_find_behind(plan, want < left ? want : left);
	}
	if (!run.bytes)
		run = space_find_units(plan->space, want < left ? want : left);
	return run;
}

static int map_note(struct map_plan *plan, const struct run *run)
{
	struct run *more;
	int err;

	if (plan->count == plan->room) {
		plan->room = plan->room ? plan->room * 2 : 8;
		more = realloc(plan->runs, plan->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		plan->runs = more;
	}
	/* So that the next search does not find it. */
	err = space_take(plan->space, run->offset, run->bytes);
	if (err)
		return err;
	plan->runs[plan->count++] = *run;
	plan->behind = run->offset + run->bytes;
	return 0;
}

static int map_fill(struct map_plan *plan, uint64_t at, uint64_t goal)
{
	while (at < goal) {
		struct run run = map_find(plan, at, goal - at);
		int err;

		if (!run.bytes || plan->count == plan->most)
			return -ENOSPC;
		err = map_note(plan, &run);
		if (err)
			return err;
		at += run.bytes;
	}
	return 0;
}

static void map_add(struct volume *volume, const struct map_plan *plan,
		    uint64_t ino)
{
	struct item item = { .type = ITEM_EXTENT_TYPE, .ino = ino };

	for (uint32_t i = 0; i < plan->count; i++) {
		item.extent.offset = plan->runs[i].offset;
		item.extent.bytes = plan->runs[i].bytes;
		record_add(&volume->record, &item);
	}
}

int volume_add_map(struct volume *volume, const struct inode *inode,
		   uint64_t ino, uint64_t goal)
{
	struct map_plan plan = { .space = &volume->model.space };
	uint64_t mapped = inode ? inode->mapped : 0;
	int err;

	if (goal <= mapped)
		return 0;
	if (goal - mapped > plan.space->free)
		return -ENOSPC;
	plan.most = volume_extents_most(volume);
	if (inode && inode->extent_count) {
		const struct extent *last =
			&inode->extents[inode->extent_count - 1];

		plan.behind = last->offset + last->bytes;
	}
	err = map_fill(&plan, mapped, goal);
	/* Applying the record takes them. */
	for (uint32_t i = 0; i < plan.count; i++)
		space_give(plan.space, plan.runs[i].offset,
			   plan.runs[i].bytes);
	if (!err)
		map_add(volume, &plan, ino);
	free(plan.runs);
	return err;
}

/* Where the extent ends that has the byte before @mapped. */
static uint64_t extent_end(const struct inode *inode, uint64_t mapped)
{
	uint64_t end = inode->mapped;

	for (uint32_t i = inode->extent_count; i--; ) {
		if (end - inode->extents[i].bytes < mapped)
			return end;
		end -= inode->extents[i].bytes;
	}
	return end;
}

/*
 * Cuts off what lies behind the unit in which @size ends. A piece of an extent
 * would take room in the log: without it the whole extent stays, mapped ahead.
 */
static bool cut_add(struct volume *volume, const struct inode *inode,
		    uint64_t size)
{
	struct item item = { .type = ITEM_CUT_TYPE, .ino = inode->ino };

	item.cut.mapped = round_up64(size, volume->super.unit);
	if (item.cut.mapped < inode->mapped &&
	    !volume_has_room(volume, ITEM_WAIT_FIXED))
		item.cut.mapped = extent_end(inode, item.cut.mapped);
	if (item.cut.mapped >= inode->mapped)
		return false;
	record_add(&volume->record, &item);
	return true;
}

/* Does @size need more than @inode has mapped? Then as much is added. */
static int map_reach(struct volume *volume, const struct inode *inode,
		     uint64_t size, bool ahead)
{
	uint64_t goal;
	int err;

	if (size > volume->super.size)
		return -ENOSPC;
	goal = volume_map_goal(volume, inode->mapped, size, ahead);
	err = volume_add_map(volume, inode, inode->ino, goal);
	if (err != -ENOSPC)
		return err;
	/* Not a byte more than must be. */
	return volume_add_map(volume, inode, inode->ino,
			      round_up64(size, volume->super.unit));
}

int volume_add_size(struct volume *volume, const struct inode *inode,
		    const struct attr *after, bool told, bool *grows)
{
	struct item item = { .type = ITEM_SIZE_TYPE, .ino = inode->ino };
	int err = 0;

	*grows = after->size > inode->mapped;
	if (*grows)
		err = told ? -EINVAL :
		      map_reach(volume, inode, after->size, false);
	if (err)
		return err;
	if (after->size < inode->attr.size)
		cut_add(volume, inode, after->size);
	item.size.bytes = after->size;
	item.size.mtime = after->mtime;
	item.size.ctime = after->ctime;
	record_add(&volume->record, &item);
	return 0;
}

int volume_map(struct volume *volume, const struct op *op, uint64_t ino,
	       uint64_t reach, bool ahead, struct volume_attr *attr)
{
	struct inode *inode;
	int err = volume_begin(volume);

	if (!err)
		err = volume_file(volume, ino, &inode);
	if (!err)
		err = map_reach(volume, inode, reach, ahead);
	if (err)
		return volume_finish(volume, err);
	if (volume->record.used > RECORD_HEADER)
		err = volume_commit(volume, op, true);
	if (!err)
		volume_fill(volume, inode, attr);
	return volume_finish(volume, err);
}

int volume_trim(struct volume *volume, const struct op *op, uint64_t ino,
		struct volume_attr *attr)
{
	struct inode *inode;
	int err = volume_begin(volume);

	if (!err)
		err = volume_file(volume, ino, &inode);
	if (!err && cut_add(volume, inode, inode->attr.size))
		err = volume_commit(volume, op, false);
	if (!err)
		volume_fill(volume, inode, attr);
	return volume_finish(volume, err);
}
