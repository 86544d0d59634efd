// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a mount: its superblock is gone for certain, so all that waits is
 * let go of here, and nothing is mapped ahead. The next mount does without it too,
 * see VOLUME_UNUSED.
 */

#include <errno.h>
#include <stdlib.h>

#include "server.h"

/* Inodes that are collected under the volume's lock, and changed without it. */
struct settling {
	struct volume_waiting *list;
	size_t count, room;
};

static int settling_add(struct settling *settling,
			const struct volume_waiting *waiting)
{
	size_t room = settling->room ? settling->room * 2 : 64;
	struct volume_waiting *more;

	if (settling->count == settling->room) {
		more = realloc(settling->list, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		settling->list = more;
		settling->room = room;
	}
	settling->list[settling->count++] = *waiting;
	return 0;
}

static int settling_add_waiting(void *context,
				const struct volume_waiting *waiting)
{
	return settling_add(context, waiting);
}

static int settling_add_ahead(void *context, const struct volume_attr *attr)
{
	struct volume_waiting waiting = { .ino = attr->ino };

	return settling_add(context, &waiting);
}

static int settle_one(struct volume *volume,
		      const struct volume_waiting *waiting)
{
	struct op op = server_op();
	int err;

	if (waiting->removed)
		err = volume_gone(volume, &op, waiting->ino);
	else
		err = volume_let_go(volume, waiting->ino, waiting->seq);
	/* What it was cut off went with it; or another host has not let go. */
	return err == -ENOENT || err == -EAGAIN ? 0 : err;
}

static int settle_ahead(struct volume *volume, struct settling *settling)
{
	struct op op = server_op();
	struct volume_attr attr;
	int err = volume_each_ahead(volume, settling_add_ahead, settling);

	for (size_t i = 0; !err && i < settling->count; i++)
		err = volume_trim(volume, &op, settling->list[i].ino, &attr);
	settling->count = 0;
	return err;
}

int queue_settle(struct volume *volume)
{
	struct settling settling = { 0 };
	int err = settle_ahead(volume, &settling);

	if (!err)
		err = volume_each_waiting(volume, settling_add_waiting,
					  &settling);
	for (size_t i = 0; !err && i < settling.count; i++)
		err = settle_one(volume, &settling.list[i]);
	free(settling.list);
	return err;
}
