// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes of the model: their numbers, their extents, the end of them.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "model.h"

static int inode_compare(struct inode *a, struct inode *b)
{
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

TREE_GENERATE(inode_tree, inode, by_ino, inode_compare)

bool inode_is_directory(const struct inode *inode)
{
	return S_ISDIR(inode->attr.mode);
}

bool inode_is_regular(const struct inode *inode)
{
	return S_ISREG(inode->attr.mode);
}

struct inode *inode_look(const struct model *model, uint64_t ino)
{
	struct inode *node = RB_ROOT(&model->inodes);

	while (node && node->ino != ino)
		node = ino < node->ino ? RB_LEFT(node, by_ino) :
					 RB_RIGHT(node, by_ino);
	return node;
}

/* A directory and what is in it, or one file after the other. */
struct inode *inode_find(struct model *model, uint64_t ino)
{
	struct inode *found = model->recent[0];

	if (found && found->ino == ino)
		return found;
	found = model->recent[1];
	if (!found || found->ino != ino) {
		if (found && ino == found->ino + 1)
			found = RB_NEXT(inode_tree, &model->inodes, found);
		if (!found || found->ino != ino)
			found = inode_look(model, ino);
	}
	if (found) {
		model->recent[1] = model->recent[0];
		model->recent[0] = found;
	}
	return found;
}

struct inode *inode_first(struct model *model)
{
	return RB_MIN(inode_tree, &model->inodes);
}

struct inode *inode_next(struct inode *inode)
{
	return RB_NEXT(inode_tree, NULL, inode);
}

static struct directory *directory_make(void)
{
	struct directory *directory = calloc(1, sizeof(*directory));

	if (directory) {
		RB_INIT(&directory->by_text);
		RB_INIT(&directory->by_cookie);
	}
	return directory;
}

struct inode *inode_make(struct model *model, uint64_t ino,
			 const struct attr *attr)
{
	struct inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	inode->ino = ino;
	inode->attr = *attr;
	if (inode_is_directory(inode)) {
		inode->directory = directory_make();
		if (!inode->directory) {
			free(inode);
			return NULL;
		}
	}
	RB_INSERT(inode_tree, &model->inodes, inode);
	model->inode_count++;
	model->snapshot_bytes += ITEM_INODE_FIXED + ITEM_WAIT_FIXED;
	if (ino != ROOT_INO)
		TAILQ_INSERT_TAIL(&model->removed, inode, removed);
	return inode;
}

/* Gives back its memory, not its space. */
static void inode_discard(struct model *model, struct inode *inode)
{
	struct xattr *xattr;

	while ((xattr = RB_ROOT(&inode->xattrs)))
		xattr_remove(model, inode, xattr);
	/* Whatever the union has is one piece of memory. */
	free(inode->extents);
	free(inode);
}

void inode_destroy(struct model *model, struct inode *inode)
{
	if (inode_is_regular(inode)) {
		for (uint32_t i = 0; i < inode->extent_count; i++)
			space_give(&model->space, inode->extents[i].offset,
				   inode->extents[i].bytes);
		model->extent_count -= inode->extent_count;
		model->snapshot_bytes -= (uint64_t)inode->extent_count *
					 (ITEM_EXTENT_FIXED + SNAPSHOT_MAPPED);
	}
	if (S_ISLNK(inode->attr.mode) && inode->target)
		model->snapshot_bytes -=
			target_snapshot_bytes(inode->attr.size);
	model->snapshot_bytes -= ITEM_INODE_FIXED + ITEM_WAIT_FIXED;
	model->removed_bytes -= inode_is_regular(inode) ? inode->mapped : 0;
	model->recent[0] = NULL;
	model->recent[1] = NULL;
	TAILQ_REMOVE(&model->removed, inode, removed);
	RB_REMOVE(inode_tree, &model->inodes, inode);
	model->inode_count--;
	inode_discard(model, inode);
}

uint32_t inode_links(const struct inode *inode)
{
	if (!inode_is_directory(inode))
		return inode->links;
	if (!inode->links && inode->ino != ROOT_INO)
		return 0;
	return 2 + inode->directory->subdirectories;
}

/* Room for one extent more. */
static int inode_reserve(struct inode *inode)
{
	uint32_t count = inode->extent_count;
	size_t room = count ? 2 * (size_t)count : 1;
	struct extent *more;

	if (count & (count - 1))
		return 0;
	more = realloc(inode->extents, room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	inode->extents = more;
	return 0;
}

static void inode_add_mapped(struct model *model, struct inode *inode,
			     int64_t bytes)
{
	inode->mapped += (uint64_t)bytes;
	if (!inode->links)
		model->removed_bytes += (uint64_t)bytes;
}

int inode_extend(struct model *model, struct inode *inode, uint64_t offset,
		 uint64_t bytes)
{
	struct extent *last;
	int err;

	if (inode->extent_count) {
		last = &inode->extents[inode->extent_count - 1];
		if (last->offset + last->bytes == offset) {
			last->bytes += bytes;
			inode_add_mapped(model, inode, (int64_t)bytes);
			return 0;
		}
	}
	err = inode_reserve(inode);
	if (err)
		return err;
	last = &inode->extents[inode->extent_count++];
	last->offset = offset;
	last->bytes = bytes;
	inode_add_mapped(model, inode, (int64_t)bytes);
	model->extent_count++;
	model->snapshot_bytes += ITEM_EXTENT_FIXED + SNAPSHOT_MAPPED;
	return 0;
}

int inode_cut(struct model *model, struct inode *inode, uint64_t mapped,
	      uint64_t seq)
{
	while (inode->mapped > mapped) {
		struct extent *last =
			&inode->extents[inode->extent_count - 1];
		uint64_t much = inode->mapped - mapped;
		int err;

		if (much > last->bytes)
			much = last->bytes;
		err = space_wait(&model->space,
				 last->offset + last->bytes - much, much,
				 inode->ino, seq);
		if (err)
			return err;
		last->bytes -= much;
		inode_add_mapped(model, inode, -(int64_t)much);
		if (!last->bytes) {
			inode->extent_count--;
			model->extent_count--;
			model->snapshot_bytes -= ITEM_EXTENT_FIXED +
						 SNAPSHOT_MAPPED;
		}
	}
	return 0;
}

int model_settle(struct model *model)
{
	struct inode *inode;

	while ((inode = TAILQ_FIRST(&model->removed)))
		inode_destroy(model, inode);
	for (inode = inode_first(model); inode; inode = inode_next(inode)) {
		int err = inode_is_regular(inode) ?
			  inode_cut(model, inode,
				    round_up64(inode->attr.size,
					       model->space.unit), 0) : 0;

		if (err)
			return err;
	}
	space_settle(&model->space);
	return 0;
}

int model_init(struct model *model, uint64_t data, uint64_t end, uint32_t unit)
{
	memset(model, 0, sizeof(*model));
	RB_INIT(&model->inodes);
	TAILQ_INIT(&model->removed);
	model->next_ino = ROOT_INO;
	model->next_cookie = 1;
	return space_init(&model->space, data, end, unit);
}

/* Names first: they lie in the trees of their directories. */
void model_free(struct model *model)
{
	struct inode *inode, *next;

	for (inode = inode_first(model); inode; inode = inode_next(inode)) {
		struct name *name;

		while ((name = LIST_FIRST(&inode->names))) {
			LIST_REMOVE(name, of_inode);
			free(name);
		}
	}
	for (inode = inode_first(model); inode; inode = next) {
		next = inode_next(inode);
		RB_REMOVE(inode_tree, &model->inodes, inode);
		inode_discard(model, inode);
	}
	space_free(&model->space);
}
