// SPDX-License-Identifier: GPL-2.0
/*
 * Names of the model: the tree of directories.
 */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

static int name_compare_text(struct name *a, struct name *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? -1 : 1;
	return memcmp(a->text, b->text, a->bytes);
}

static int name_compare_cookie(struct name *a, struct name *b)
{
	return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}

TREE_GENERATE(name_text_tree, name, by_text, name_compare_text)
TREE_GENERATE(name_cookie_tree, name, by_cookie, name_compare_cookie)

/* FNV-1a: texts are short. */
uint32_t name_hash(const void *text, size_t bytes)
{
	const uint8_t *p = text;
	uint32_t hash = 2166136261u;

	while (bytes--)
		hash = (hash ^ *p++) * 16777619u;
	return hash;
}

static int name_compare_to(const struct name *name, uint32_t hash,
			   const struct text *text)
{
	if (hash != name->hash)
		return hash < name->hash ? -1 : 1;
	if (text->bytes != name->bytes)
		return text->bytes < name->bytes ? -1 : 1;
	return memcmp(text->at, name->text, text->bytes);
}

struct name *name_find(const struct inode *directory, const struct text *text)
{
	struct name *node = RB_ROOT(&directory->directory->by_text);
	uint32_t hash = name_hash(text->at, text->bytes);

	while (node) {
		int order = name_compare_to(node, hash, text);

		if (!order)
			break;
		node = order < 0 ? RB_LEFT(node, by_text) :
				   RB_RIGHT(node, by_text);
	}
	return node;
}

struct name *name_find_cookie(const struct inode *directory, uint64_t cookie)
{
	struct name *node = RB_ROOT(&directory->directory->by_cookie);

	while (node && node->cookie != cookie)
		node = cookie < node->cookie ? RB_LEFT(node, by_cookie) :
					       RB_RIGHT(node, by_cookie);
	return node;
}

struct name *name_after(const struct inode *directory, uint64_t cookie)
{
	struct name *node = RB_ROOT(&directory->directory->by_cookie);
	struct name *found = NULL;

	while (node) {
		if (node->cookie > cookie) {
			found = node;
			node = RB_LEFT(node, by_cookie);
		} else {
			node = RB_RIGHT(node, by_cookie);
		}
	}
	return found;
}

static uint64_t name_snapshot_bytes(uint32_t bytes)
{
	return (ITEM_NAME_FIXED + (uint64_t)bytes + 7) & ~7ull;
}

struct name *name_make(struct model *model, struct inode *parent,
		       struct inode *inode, const struct text *text,
		       uint64_t cookie)
{
	struct name *name = calloc(1, offsetof(struct name, text) +
				   text->bytes);

	if (!name)
		return NULL;
	name->parent = parent;
	name->inode = inode;
	name->cookie = cookie;
	name->bytes = (uint8_t)text->bytes;
	name->hash = name_hash(text->at, text->bytes);
	memcpy(name->text, text->at, text->bytes);
	RB_INSERT(name_text_tree, &parent->directory->by_text, name);
	RB_INSERT(name_cookie_tree, &parent->directory->by_cookie, name);
	LIST_INSERT_HEAD(&inode->names, name, of_inode);
	parent->directory->count++;
	if (inode_is_directory(inode))
		parent->directory->subdirectories++;
	if (!inode->links++) {
		TAILQ_REMOVE(&model->removed, inode, removed);
		model->snapshot_bytes -= ITEM_WAIT_FIXED - SNAPSHOT_NAMED;
		model->removed_bytes -= inode->mapped;
	}
	inode->released = 0;
	model->name_count++;
	model->snapshot_bytes += name_snapshot_bytes(text->bytes);
	return name;
}

void name_destroy(struct model *model, struct name *name, uint64_t seq)
{
	struct inode *inode = name->inode;
	struct directory *directory = name->parent->directory;

	RB_REMOVE(name_text_tree, &directory->by_text, name);
	RB_REMOVE(name_cookie_tree, &directory->by_cookie, name);
	LIST_REMOVE(name, of_inode);
	directory->count--;
	if (inode_is_directory(inode))
		directory->subdirectories--;
	if (!--inode->links) {
		inode->released = seq;
		TAILQ_INSERT_TAIL(&model->removed, inode, removed);
		model->snapshot_bytes += ITEM_WAIT_FIXED - SNAPSHOT_NAMED;
		model->removed_bytes += inode->mapped;
	}
	model->name_count--;
	model->snapshot_bytes -= name_snapshot_bytes(name->bytes);
	free(name);
}

/*
 * A directory comes before what is in it, so that who replays finds every
 * directory below the root. No recursion: trees can be deep.
 */
struct name *name_walk(struct model *model, struct name *name)
{
	struct inode *inode = name ? name->inode :
			      inode_look(model, ROOT_INO);
	struct name *next;

	if (!inode)
		return NULL;
	if (inode_is_directory(inode)) {
		next = RB_MIN(name_cookie_tree, &inode->directory->by_cookie);
		if (next || !name)
			return next;
	}
	while (!(next = RB_NEXT(name_cookie_tree, NULL, name))) {
		if (name->parent->ino == ROOT_INO)
			return NULL;
		name = LIST_FIRST(&name->parent->names);
	}
	return next;
}
