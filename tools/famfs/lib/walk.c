// SPDX-License-Identifier: GPL-2.0
/*
 * Walking over all of a volume, for dumps.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "volume_internal.h"

struct walk {
	const struct volume *volume;
	int (*each)(void *context, const struct volume_seen *seen);
	void *context;
	struct volume_seen seen;
	struct volume_extent *extents;
	uint32_t extent_room;
	char *path;
	size_t path_room;
	char target[TARGET_MOST + 1];
};

static int walk_extents(struct walk *walk, const struct inode *inode)
{
	walk->seen.extent_count = inode->extent_count;
	if (inode->extent_count > walk->extent_room) {
		free(walk->extents);
		walk->extent_room = inode->extent_count;
		walk->extents = calloc(walk->extent_room,
				       sizeof(*walk->extents));
	}
	if (inode->extent_count && !walk->extents)
		return -ENOMEM;
	for (uint32_t i = 0; i < inode->extent_count; i++) {
		walk->extents[i].device = 0;
		walk->extents[i].offset = inode->extents[i].offset;
		walk->extents[i].bytes = inode->extents[i].bytes;
	}
	walk->seen.extents = walk->extents;
	return 0;
}

static int walk_tell(struct walk *walk, const struct inode *inode,
		     const char *path)
{
	int err = 0;

	volume_fill(walk->volume, inode, &walk->seen.attr);
	walk->seen.path = path;
	walk->seen.target = NULL;
	walk->seen.extents = NULL;
	walk->seen.extent_count = 0;
	walk->seen.released = inode->released;
	if (inode_is_regular(inode)) {
		err = walk_extents(walk, inode);
	} else if (S_ISLNK(inode->attr.mode) && inode->target) {
		memcpy(walk->target, inode->target, inode->attr.size);
		walk->target[inode->attr.size] = '\0';
		walk->seen.target = walk->target;
	}
	return err ? err : walk->each(walk->context, &walk->seen);
}

static size_t walk_length(const struct name *name)
{
	size_t length = 0;

	while (name) {
		length += (size_t)name->bytes + 1;
		name = LIST_FIRST(&name->parent->names);
	}
	return length;
}

static int walk_path(struct walk *walk, const struct name *name)
{
	size_t length = walk_length(name);
	char *at;

	if (length + 1 > walk->path_room) {
		free(walk->path);
		walk->path_room = 2 * length + 256;
		walk->path = malloc(walk->path_room);
		if (!walk->path)
			return -ENOMEM;
	}
	at = walk->path + length;
	*at = '\0';
	while (name) {
		at -= name->bytes;
		memcpy(at, name->text, name->bytes);
		*--at = '/';
		name = LIST_FIRST(&name->parent->names);
	}
	return 0;
}

static int walk_run(struct walk *walk, struct model *model)
{
	struct inode *inode = inode_look(model, ROOT_INO);
	struct name *name = NULL;
	int err = walk_tell(walk, inode, "/");

	while (!err && (name = name_walk(model, name))) {
		err = walk_path(walk, name);
		if (!err)
			err = walk_tell(walk, name->inode, walk->path);
	}
	TAILQ_FOREACH(inode, &model->removed, removed) {
		if (err)
			break;
		err = walk_tell(walk, inode, NULL);
	}
	return err;
}

int volume_walk(struct volume *volume,
		int (*each)(void *context, const struct volume_seen *seen),
		void *context)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	int err;

	if (!walk)
		return -ENOMEM;
	walk->volume = volume;
	walk->each = each;
	walk->context = context;
	pthread_rwlock_rdlock(&volume->lock);
	err = walk_run(walk, &volume->model);
	pthread_rwlock_unlock(&volume->lock);
	free(walk->extents);
	free(walk->path);
	free(walk);
	return err;
}
