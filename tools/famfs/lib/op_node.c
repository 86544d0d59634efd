// SPDX-License-Identifier: GPL-2.0
/*
 * Operations that make and name inodes, and those that take names away.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "volume_internal.h"

/* Of an inode: names are looked for one by one when one is removed. */
#define LINKS_MOST	65000u

int volume_inode(struct volume *volume, uint64_t ino, struct inode **inode)
{
	*inode = inode_look(&volume->model, ino);
	return *inode ? 0 : -ENOENT;
}

int volume_file(struct volume *volume, uint64_t ino, struct inode **inode)
{
	int err = volume_inode(volume, ino, inode);

	if (err)
		return err;
	if (inode_is_directory(*inode))
		return -EISDIR;
	return inode_is_regular(*inode) ? 0 : -EINVAL;
}

int volume_name(struct volume *volume, uint64_t parent, const char *name,
		struct inode **directory, struct text *text)
{
	size_t bytes = strnlen(name, NAME_MOST + 1);
	int err = volume_inode(volume, parent, directory);

	if (err)
		return err;
	if (!inode_is_directory(*directory))
		return -ENOTDIR;
	if (!bytes)
		return -ENOENT;
	if (bytes > NAME_MOST)
		return -ENAMETOOLONG;
	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	text->at = name;
	text->bytes = (uint32_t)bytes;
	return 0;
}

void volume_fill(const struct volume *volume, const struct inode *inode,
		 struct volume_attr *attr)
{
	if (!attr)
		return;
	attr->ino = inode->ino;
	attr->attr = inode->attr;
	attr->mapped = inode->mapped;
	attr->links = inode_links(inode);
	attr->seq = volume->log.place.seq;
}

static void node_add_name(struct volume *volume, uint64_t parent,
			  const struct text *text, uint64_t ino,
			  unsigned int nth)
{
	struct item item = { .type = ITEM_NAME_TYPE, .ino = ino };

	item.name.parent = parent;
	item.name.cookie = volume->model.next_cookie + nth;
	item.name.text = *text;
	record_add(&volume->record, &item);
}

static void node_add_unname(struct volume *volume, const struct name *name)
{
	struct item item = { .type = ITEM_UNNAME_TYPE };

	item.unname.parent = name->parent->ino;
	item.unname.cookie = name->cookie;
	record_add(&volume->record, &item);
}

static int node_add_inode(struct volume *volume, const struct op *op,
			  const struct volume_node *node, uint64_t ino)
{
	struct item item = { .type = ITEM_INODE_TYPE, .ino = ino };
	struct item target = { .type = ITEM_TARGET_TYPE, .ino = ino };

	item.inode.mode = node->mode;
	item.inode.uid = node->uid;
	item.inode.gid = node->gid;
	item.inode.rdev = node->rdev;
	item.inode.atime = op->now;
	item.inode.mtime = op->now;
	item.inode.ctime = op->now;
	record_add(&volume->record, &item);
	if (S_ISLNK(node->mode)) {
		size_t bytes = node->target ?
			       strnlen(node->target, TARGET_MOST + 1) : 0;

		if (bytes > TARGET_MOST)
			return -ENAMETOOLONG;
		if (!bytes)
			return -ENOENT;
		target.target.text.at = node->target;
		target.target.text.bytes = (uint32_t)bytes;
		record_add(&volume->record, &target);
	}
	if (!S_ISREG(node->mode) || !node->map)
		return 0;
	return volume_add_map(volume, NULL, ino,
			      volume_map_goal(volume, 0, node->map, false));
}

/* Are there numbers for an inode and two names more? */
static bool node_has_numbers(const struct model *model)
{
	return model->next_ino < UINT64_MAX &&
	       model->next_cookie < INT64_MAX - 1;
}

/* Is there room for one name more in a directory that is still there? */
static int node_check_new(const struct inode *directory,
			  const struct text *text)
{
	if (directory->ino != ROOT_INO && !directory->links)
		return -ENOENT;
	return name_find(directory, text) ? -EEXIST : 0;
}

static bool node_mode_is_known(uint32_t mode)
{
	uint32_t type = mode & S_IFMT;

	return !(mode & ~(S_IFMT | 07777u)) &&
	       (type == S_IFREG || type == S_IFDIR || type == S_IFLNK ||
		type == S_IFCHR || type == S_IFBLK || type == S_IFIFO ||
		type == S_IFSOCK);
}

int volume_create(struct volume *volume, const struct op *op, uint64_t parent,
		  const char *name, const struct volume_node *node,
		  struct volume_attr *attr)
{
	struct inode *directory;
	struct text text;
	uint64_t ino;
	int err = volume_begin(volume);

	if (!err && !node_mode_is_known(node->mode))
		err = -EINVAL;
	if (!err && !node_has_numbers(&volume->model))
		err = -ENOSPC;
	if (!err && name)
		err = volume_name(volume, parent, name, &directory, &text);
	if (!err && name)
		err = node_check_new(directory, &text);
	if (err)
		return volume_finish(volume, err);
	ino = volume->model.next_ino;
	err = node_add_inode(volume, op, node, ino);
	if (!err && name)
		node_add_name(volume, parent, &text, ino, 0);
	if (!err)
		err = volume_commit(volume, op, true);
	if (!err)
		volume_fill(volume, inode_look(&volume->model, ino), attr);
	return volume_finish(volume, err);
}

int volume_link(struct volume *volume, const struct op *op, uint64_t ino,
		uint64_t parent, const char *name, struct volume_attr *attr)
{
	struct inode *directory, *inode;
	struct text text;
	int err = volume_begin(volume);

	if (!err)
		err = volume_inode(volume, ino, &inode);
	if (!err && inode_is_directory(inode))
		err = -EPERM;
	if (!err)
		err = volume_name(volume, parent, name, &directory, &text);
	if (!err)
		err = node_check_new(directory, &text);
	if (!err && inode->links >= LINKS_MOST)
		err = -EMLINK;
	if (!err && !node_has_numbers(&volume->model))
		err = -ENOSPC;
	if (err)
		return volume_finish(volume, err);
	node_add_name(volume, parent, &text, ino, 0);
	err = volume_commit(volume, op, true);
	if (!err)
		volume_fill(volume, inode, attr);
	return volume_finish(volume, err);
}

/* Finds a name that is there. */
static int node_find(struct volume *volume, uint64_t parent, const char *text,
		     struct name **name)
{
	struct inode *directory;
	struct text key;
	int err = volume_name(volume, parent, text, &directory, &key);

	if (err)
		return err;
	*name = name_find(directory, &key);
	return *name ? 0 : -ENOENT;
}

/* What the record that has just been applied has taken the last name of. */
static void node_fill_removed(const struct volume *volume, uint64_t ino,
			      struct volume_removed *removed)
{
	if (!removed)
		return;
	removed->ino = ino;
	removed->seq = volume->log.place.seq;
}

/* The inode, if it has one name alone. */
static uint64_t node_last(const struct inode *inode)
{
	return inode->links == 1 ? inode->ino : 0;
}

static int node_remove(struct volume *volume, const struct op *op,
		       struct name *name, struct volume_removed *removed)
{
	uint64_t last = node_last(name->inode);
	int err;

	node_add_unname(volume, name);
	err = volume_commit(volume, op, false);
	if (!err)
		node_fill_removed(volume, last, removed);
	return err;
}

int volume_unlink(struct volume *volume, const struct op *op, uint64_t parent,
		  const char *text, struct volume_removed *removed)
{
	struct name *name;
	int err = volume_begin(volume);

	if (!err)
		err = node_find(volume, parent, text, &name);
	if (!err && inode_is_directory(name->inode))
		err = -EISDIR;
	if (!err)
		err = node_remove(volume, op, name, removed);
	return volume_finish(volume, err);
}

int volume_rmdir(struct volume *volume, const struct op *op, uint64_t parent,
		 const char *text, struct volume_removed *removed)
{
	struct name *name;
	int err = volume_begin(volume);

	if (!err)
		err = node_find(volume, parent, text, &name);
	if (!err && !inode_is_directory(name->inode))
		err = -ENOTDIR;
	if (!err && name->inode->directory->count)
		err = -ENOTEMPTY;
	if (!err)
		err = node_remove(volume, op, name, removed);
	return volume_finish(volume, err);
}

/* Is @inode @above, or somewhere below it? */
static bool node_is_below(const struct inode *inode, const struct inode *above)
{
	/* Nothing is below a file, or what is empty. */
	if (!inode_is_directory(above) || !above->directory->count)
		return inode == above;
	while (inode != above) {
		struct name *name = LIST_FIRST(&inode->names);

		if (!name)
			return false;
		inode = name->parent;
	}
	return true;
}

static int rename_check_replace(const struct inode *from,
				const struct inode *over)
{
	if (inode_is_directory(over)) {
		if (!inode_is_directory(from))
			return -EISDIR;
		return over->directory->count ? -ENOTEMPTY : 0;
	}
	return inode_is_directory(from) ? -ENOTDIR : 0;
}

static int rename_exchange(struct volume *volume, const struct op *op,
			   struct name *one, struct name *two)
{
	struct text first = { one->text, one->bytes };
	struct text second = { two->text, two->bytes };

	if (node_is_below(one->parent, two->inode))
		return -EINVAL;
	node_add_unname(volume, one);
	node_add_unname(volume, two);
	node_add_name(volume, two->parent->ino, &second, one->inode->ino, 0);
	node_add_name(volume, one->parent->ino, &first, two->inode->ino, 1);
	return volume_commit(volume, op, false);
}

static int rename_move(struct volume *volume, const struct op *op,
		       struct name *from, uint64_t parent,
		       const struct text *text, struct name *over,
		       struct volume_removed *removed)
{
	uint64_t last = 0;
	int err;

	if (over) {
		err = rename_check_replace(from->inode, over->inode);
		if (err)
			return err;
		last = node_last(over->inode);
		node_add_unname(volume, over);
	}
	node_add_unname(volume, from);
	node_add_name(volume, parent, text, from->inode->ino, 0);
	/* A longer name may take a few bytes more: there is room for that. */
	err = volume_commit(volume, op, !over);
	if (!err)
		node_fill_removed(volume, last, removed);
	return err;
}

int volume_rename(struct volume *volume, const struct op *op, uint64_t parent,
		  const char *name, uint64_t new_parent, const char *new_name,
		  unsigned int flags, struct volume_removed *removed)
{
	struct name *from, *over = NULL;
	struct inode *directory;
	struct text text;
	int err = volume_begin(volume);

	if (removed)
		removed->ino = 0;
	if (!err && (flags & ~3u || flags == 3))
		err = -EINVAL;
	if (!err && !node_has_numbers(&volume->model))
		err = -ENOSPC;
	if (!err)
		err = node_find(volume, parent, name, &from);
	if (!err)
		err = volume_name(volume, new_parent, new_name, &directory,
				  &text);
	if (!err && directory->ino != ROOT_INO && !directory->links)
		err = -ENOENT;
	if (!err)
		over = name_find(directory, &text);
	if (!err && over && flags & VOLUME_NOREPLACE)
		err = -EEXIST;
	if (!err && !over && flags & VOLUME_EXCHANGE)
		err = -ENOENT;
	if (!err && node_is_below(directory, from->inode))
		err = -EINVAL;
	/* Two names of one inode: nothing is to be done. */
	if (err || (over && over->inode == from->inode))
		return volume_finish(volume, err);
	if (flags & VOLUME_EXCHANGE)
		err = rename_exchange(volume, op, from, over);
	else
		err = rename_move(volume, op, from, new_parent, &text, over,
				  removed);
	return volume_finish(volume, err);
}
