// SPDX-License-Identifier: GPL-2.0
/*
 * What records change: found in their items, or by comparing two models where
 * the records cannot be had any more.
 */

#include "change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mutant.h"

int changes_note(struct changes *changes, uint64_t ino, unsigned int what,
		 uint64_t seq)
{
	size_t room = changes->room ? 2 * changes->room : 64;
	struct volume_change *more;

	if (changes->count == changes->room) {
		more = realloc(changes->list, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		changes->list = more;
		changes->room = room;
	}
	more = &changes->list[changes->count++];
	more->ino = ino;
	more->what = what;
	more->seq = seq;
	return 0;
}

void changes_free(struct changes *changes)
{
	free(changes->list);
	memset(changes, 0, sizeof(*changes));
}

static int change_compare(const void *a, const void *b)
{
	const struct volume_change *one = a, *two = b;

	return one->ino < two->ino ? -1 : one->ino > two->ino;
}

void changes_merge(struct changes *changes)
{
	struct volume_change *list = changes->list;
	size_t kept = 0;

	if (!changes->count)
		return;
	qsort(list, changes->count, sizeof(*list), change_compare);
	for (size_t i = 1; i < changes->count; i++) {
		if (list[i].ino == list[kept].ino) {
			list[kept].what |= list[i].what;
			if (list[i].seq > list[kept].seq)
				list[kept].seq = list[i].seq;
		} else {
			list[++kept] = list[i];
		}
	}
	changes->count = kept + 1;
}

/* The name that an UNNAME takes away is in the model alone. */
static int changes_of_unname(struct changes *changes, struct model *model,
			     const struct item *item, uint64_t seq)
{
	struct inode *parent = inode_find(model, item->unname.parent);
	struct name *name = NULL;
	int err;

	if (parent && inode_is_directory(parent))
		name = name_find_cookie(parent, item->unname.cookie);
	/* Applying it will say what is wrong. */
	if (!name)
		return 0;
	err = changes_note(changes, item->unname.parent, CHANGE_ATTR, seq);
	return err ? err : changes_note(changes, name->inode->ino, CHANGE_ATTR,
					seq);
}

static int changes_of_item(struct changes *changes, struct model *model,
			   const struct item *item, uint64_t seq)
{
	int err;

	switch (item->type) {
	case ITEM_INODE_TYPE:
	case ITEM_SIZE_TYPE:
	case ITEM_XATTR_TYPE:
	case ITEM_TARGET_TYPE:
		return changes_note(changes, item->ino, CHANGE_ATTR, seq);
	case ITEM_EXTENT_TYPE:
		return changes_note(changes, item->ino, CHANGE_MAP, seq);
	case ITEM_CUT_TYPE:
		return changes_note(changes, item->ino,
				    CHANGE_MAP | CHANGE_CUT, seq);
	case ITEM_NAME_TYPE:
		err = changes_note(changes, item->name.parent, CHANGE_ATTR,
				   seq);
		return err ? err : changes_note(changes, item->ino,
						CHANGE_ATTR, seq);
	case ITEM_UNNAME_TYPE:
		return changes_of_unname(changes, model, item, seq);
	case ITEM_GONE_TYPE:
		return changes_note(changes, item->ino, CHANGE_GONE, seq);
	default:
		return 0;
	}
}

int changes_of_record(struct changes *changes, struct model *model,
		      const struct record_header *header, const uint8_t *bytes)
{
	size_t size = (size_t)header->lines * LINE_SIZE, at = RECORD_HEADER;
	struct item item;

	while (size - at >= 8 && (bytes[at] || bytes[at + 1])) {
		size_t step = item_decode(&item, bytes + at, size - at);
		int err;

		if (!step)
			return 0;
		err = changes_of_item(changes, model, &item, header->seq);
		if (err)
			return err;
		at += step;
	}
	return 0;
}

/* Does @now map all that @old does, at the same places? */
static bool map_goes_on(const struct inode *old, const struct inode *now)
{
	uint32_t last = old->extent_count;

	if (now->extent_count < last || now->mapped < old->mapped)
		return false;
	for (uint32_t i = 0; i < last; i++) {
		const struct extent *a = &old->extents[i];
		const struct extent *b = &now->extents[i];

		if (a->offset != b->offset || a->bytes > b->bytes)
			return false;
		/* Only the last one can have grown. */
		if (a->bytes < b->bytes && i + 1 < last)
			return false;
	}
	return true;
}

static unsigned int inode_changes(const struct inode *old,
				  const struct inode *now)
{
	unsigned int what = 0;

	if (memcmp(&old->attr, &now->attr, sizeof(old->attr)) ||
	    old->links != now->links)
		what |= CHANGE_ATTR;
	if (old->released != now->released && !now->links)
		what |= CHANGE_REMOVED;
	if (!inode_is_regular(old))
		return what;
	if (WRONG(COMPARE_MAPS, !map_goes_on(old, now)))
		what |= CHANGE_MAP | CHANGE_CUT;
	else if (old->mapped != now->mapped)
		what |= CHANGE_MAP;
	return what;
}

int changes_of_models(struct changes *changes, struct model *old,
		      struct model *now, uint64_t seq)
{
	for (struct inode *was = inode_first(old); was; was = inode_next(was)) {
		struct inode *is = inode_look(now, was->ino);
		unsigned int what = is ? inode_changes(was, is) : CHANGE_GONE;
		int err = what ? changes_note(changes, was->ino, what, seq) : 0;

		if (err)
			return err;
	}
	return 0;
}
