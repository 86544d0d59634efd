// SPDX-License-Identifier: GPL-2.0
/*
 * Looking at a volume. Everything is copied out under the lock.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "volume_internal.h"

/* Takes the lock for reading, and finds an inode. */
static int view_begin(struct volume *volume, uint64_t ino,
		      struct inode **inode)
{
	pthread_rwlock_rdlock(&volume->lock);
	*inode = inode_look(&volume->model, ino);
	return *inode ? 0 : -ENOENT;
}

static int view_finish(struct volume *volume, int err)
{
	pthread_rwlock_unlock(&volume->lock);
	return err;
}

int volume_lookup(struct volume *volume, uint64_t parent, const char *name,
		  struct volume_attr *attr)
{
	struct inode *directory;
	struct name *found;
	struct text text;
	int err;

	pthread_rwlock_rdlock(&volume->lock);
	err = volume_name(volume, parent, name, &directory, &text);
	if (!err) {
		found = name_find(directory, &text);
		if (found)
			volume_fill(volume, found->inode, attr);
		else
			err = -ENOENT;
	}
	return view_finish(volume, err);
}

int volume_getattr(struct volume *volume, uint64_t ino,
		   struct volume_attr *attr)
{
	struct inode *inode;
	int err = view_begin(volume, ino, &inode);

	if (!err)
		volume_fill(volume, inode, attr);
	return view_finish(volume, err);
}

int volume_readlink(struct volume *volume, uint64_t ino, char *buf)
{
	struct inode *inode;
	int err = view_begin(volume, ino, &inode);

	if (!err && (!S_ISLNK(inode->attr.mode) || !inode->target))
		err = -EINVAL;
	if (!err) {
		memcpy(buf, inode->target, inode->attr.size);
		buf[inode->attr.size] = '\0';
	}
	return view_finish(volume, err);
}

uint64_t volume_last_cookie(struct volume *volume)
{
	uint64_t last;

	pthread_rwlock_rdlock(&volume->lock);
	last = volume->model.next_cookie - 1;
	pthread_rwlock_unlock(&volume->lock);
	return last;
}

int volume_readdir(struct volume *volume, uint64_t ino, uint64_t cookie,
		   uint64_t last, uint64_t *parent,
		   int (*each)(void *context, const struct volume_entry *entry),
		   void *context)
{
	char text[NAME_MOST + 1];
	struct volume_entry entry = { .name = text };
	struct inode *inode;
	struct name *name;
	int err = view_begin(volume, ino, &inode);

	if (!err && !inode_is_directory(inode))
		err = -ENOTDIR;
	if (err)
		return view_finish(volume, err);
	name = LIST_FIRST(&inode->names);
	if (parent)
		*parent = name ? name->parent->ino : ino;
	while ((name = name_after(inode, cookie)) && name->cookie <= last) {
		memcpy(text, name->text, name->bytes);
		text[name->bytes] = '\0';
		entry.cookie = name->cookie;
		volume_fill(volume, name->inode, &entry.attr);
		if (each(context, &entry))
			break;
		cookie = name->cookie;
	}
	return view_finish(volume, 0);
}

int volume_extents(struct volume *volume, uint64_t ino,
		   struct volume_extent *list, uint32_t room, uint32_t *count)
{
	struct inode *inode;
	int err = view_begin(volume, ino, &inode);

	if (!err && !inode_is_regular(inode))
		err = inode_is_directory(inode) ? -EISDIR : -EINVAL;
	/* A lookup that was answered before it was let go of leads here. */
	if (!err && volume->member && !inode->links &&
	    WRONG(REMOVED_IS_HELD, !holds_find(&volume->holds, ino)))
		err = -ENOENT;
	if (err)
		return view_finish(volume, err);
	*count = inode->extent_count;
	for (uint32_t i = 0; i < inode->extent_count && i < room; i++) {
		list[i].device = 0;
		list[i].offset = inode->extents[i].offset;
		list[i].bytes = inode->extents[i].bytes;
	}
	return view_finish(volume, 0);
}

int volume_getxattr(struct volume *volume, uint64_t ino, const char *name,
		    void *value, size_t room)
{
	struct text text = { name, 0 };
	struct xattr *xattr = NULL;
	struct inode *inode;
	int err = view_begin(volume, ino, &inode);

	text.bytes = (uint32_t)strnlen(name, XATTR_NAME_MOST + 1);
	if (!err) {
		xattr = xattr_find(inode, &text);
		err = xattr ? (int)xattr->value_bytes : -ENODATA;
	}
	if (err > 0 && room) {
		if ((size_t)err > room)
			err = -ERANGE;
		else
			memcpy(value, xattr->text + xattr->name_bytes,
			       xattr->value_bytes);
	}
	return view_finish(volume, err);
}

int volume_listxattr(struct volume *volume, uint64_t ino, char *list,
		     size_t room)
{
	struct inode *inode;
	struct xattr *xattr;
	size_t used = 0;
	int err = view_begin(volume, ino, &inode);

	if (err)
		return view_finish(volume, err);
	for (xattr = xattr_first(inode); xattr; xattr = xattr_next(xattr)) {
		size_t bytes = (size_t)xattr->name_bytes + 1;

		if (room && used + bytes > room)
			return view_finish(volume, -ERANGE);
		if (room) {
			memcpy(list + used, xattr->text, xattr->name_bytes);
			list[used + bytes - 1] = '\0';
		}
		used += bytes;
	}
	return view_finish(volume, (int)used);
}

/* Writes the path from its end, and moves it to the front. */
static int path_make(const struct inode *inode, char *buf, size_t room)
{
	size_t at = room - 1;

	buf[at] = '\0';
	if (inode->ino == ROOT_INO) {
		if (room < 2)
			return -ERANGE;
		buf[--at] = '/';
	}
	while (inode->ino != ROOT_INO) {
		struct name *name = LIST_FIRST(&inode->names);

		if (!name)
			return -ENOENT;
		if (at < (size_t)name->bytes + 1)
			return -ERANGE;
		at -= name->bytes;
		memcpy(buf + at, name->text, name->bytes);
		buf[--at] = '/';
		inode = name->parent;
	}
	memmove(buf, buf + at, room - at);
	return 0;
}

int volume_path(struct volume *volume, uint64_t ino, char *buf, size_t room)
{
	struct inode *inode;
	int err = view_begin(volume, ino, &inode);

	if (!err)
		err = room ? path_make(inode, buf, room) : -ERANGE;
	return view_finish(volume, err);
}

static uint64_t inode_bytes(const struct inode *inode)
{
	return inode_is_regular(inode) ? inode->mapped : 0;
}

int volume_all_waiting(struct volume *volume,
		       int (*each)(void *context,
				   const struct volume_waiting *waiting),
		       void *context)
{
	struct volume_waiting waiting = { .removed = true };
	struct inode *inode;
	int stop = 0;

	TAILQ_FOREACH(inode, &volume->model.removed, removed) {
		waiting.ino = inode->ino;
		waiting.seq = inode->released;
		waiting.bytes = inode_bytes(inode);
		stop = each(context, &waiting);
		if (stop)
			break;
	}
	waiting.removed = false;
	for (struct wait *wait = space_wait_first(&volume->model.space);
	     wait && !stop; wait = space_wait_next(wait)) {
		waiting.ino = wait->ino;
		waiting.seq = wait->seq;
		waiting.bytes = wait->bytes;
		stop = each(context, &waiting);
	}
	return stop;
}

int volume_each_waiting(struct volume *volume,
			int (*each)(void *context,
				    const struct volume_waiting *waiting),
			void *context)
{
	int stop;

	pthread_rwlock_rdlock(&volume->lock);
	stop = volume_all_waiting(volume, each, context);
	return view_finish(volume, stop);
}

bool volume_is_ahead(const struct volume *volume,
		     const struct volume_attr *attr)
{
	return S_ISREG(attr->attr.mode) &&
	       attr->mapped > round_up64(attr->attr.size, volume->super.unit);
}

int volume_each_ahead(struct volume *volume,
		      int (*each)(void *context,
				  const struct volume_attr *attr),
		      void *context)
{
	struct volume_attr attr;
	struct inode *inode;
	int stop = 0;

	pthread_rwlock_rdlock(&volume->lock);
	for (inode = inode_first(&volume->model); inode && !stop;
	     inode = inode_next(inode)) {
		volume_fill(volume, inode, &attr);
		if (inode_is_regular(inode) && volume_is_ahead(volume, &attr))
			stop = each(context, &attr);
	}
	return view_finish(volume, stop);
}

void volume_statfs(struct volume *volume, struct volume_stat *stat)
{
	const struct model *model = &volume->model;

	pthread_rwlock_rdlock(&volume->lock);
	memset(stat, 0, sizeof(*stat));
	memcpy(stat->uuid, volume->super.uuid, 16);
	memcpy(stat->label, volume->super.label, LABEL_SIZE);
	stat->unit = volume->super.unit;
	stat->coherence = volume->super.coherence;
	stat->total = model->space.end - model->space.start;
	stat->free = model->space.free;
	stat->waiting = model->space.waiting + model->removed_bytes;
	stat->inodes = model->inode_count;
	stat->names = model->name_count;
	stat->extents = model->extent_count;
	stat->log_bytes = volume->log.area.length;
	stat->log_used = volume->log.tail * LINE_SIZE;
	stat->log_least = snapshot_bytes(model);
	stat->log_most = volume_snapshot_most(volume);
	stat->generation = volume->root.generation;
	stat->seq = volume->log.place.seq;
	stat->epoch = volume->root.epoch;
	stat->slot = volume->root.owner;
	stat->owned = volume->root.state == ROOT_STATE_OWNED;
	memcpy(stat->owner, model->hosts[volume->root.owner].name,
	       HOST_NAME_MOST);
	pthread_rwlock_unlock(&volume->lock);
}
