// SPDX-License-Identifier: GPL-2.0
/*
 * The reference: what operations do.
 */

#include "ref.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

void ref_init(struct ref *ref)
{
	memset(ref, 0, sizeof(*ref));
	ref->nodes[0].ino = 1;
	ref->nodes[0].mode = S_IFDIR | 0755;
	ref->nodes[0].links = 1;
}

const char *ref_text(uint8_t text)
{
	static const char *const texts[REF_TEXTS] = {
		"a", "b", "c", "a-longer-name-of-a-file-that-takes-two-lines-of-the-log.txt",
		"e", "f", "ff", "\xc3\xa4", " ", "data.0001", "x", "y",
	};

	return texts[text % REF_TEXTS];
}

static int ref_find(const struct ref *ref, uint8_t parent, uint8_t text)
{
	for (int i = 0; i < REF_NAMES; i++) {
		const struct ref_name *name = &ref->names[i];

		if (name->used && name->parent == parent && name->text == text)
			return i;
	}
	return -1;
}

static bool ref_is_directory(const struct ref *ref, uint8_t node)
{
	return S_ISDIR(ref->nodes[node].mode);
}

static bool ref_has_entries(const struct ref *ref, uint8_t node)
{
	for (int i = 0; i < REF_NAMES; i++) {
		if (ref->names[i].used && ref->names[i].parent == node)
			return true;
	}
	return false;
}

/* Is @node @above, or below it? */
static bool ref_is_below(const struct ref *ref, uint8_t node, uint8_t above)
{
	while (node != above) {
		int i = 0;

		if (!node)
			return false;
		while (i < REF_NAMES &&
		       !(ref->names[i].used && ref->names[i].node == node))
			i++;
		if (i == REF_NAMES)
			return false;
		node = ref->names[i].parent;
	}
	return true;
}

static int ref_check_parent(const struct ref *ref, uint8_t parent)
{
	if (!ref->nodes[parent].ino)
		return -ENOENT;
	return ref_is_directory(ref, parent) ? 0 : -ENOTDIR;
}

/* May a new name come there? */
static int ref_check_new(const struct ref *ref, uint8_t parent, uint8_t text)
{
	int err = ref_check_parent(ref, parent);

	if (err)
		return err;
	if (!ref->nodes[parent].links)
		return -ENOENT;
	return ref_find(ref, parent, text) >= 0 ? -EEXIST : 0;
}

static int ref_expect_remove(const struct ref *ref, const struct ref_op *op)
{
	int err = ref_check_parent(ref, op->parent);
	int name = ref_find(ref, op->parent, op->text);

	if (err)
		return err;
	if (name < 0)
		return -ENOENT;
	if (op->kind == REF_UNLINK)
		return ref_is_directory(ref, ref->names[name].node) ?
		       -EISDIR : 0;
	if (!ref_is_directory(ref, ref->names[name].node))
		return -ENOTDIR;
	return ref_has_entries(ref, ref->names[name].node) ? -ENOTEMPTY : 0;
}

static int ref_expect_over(const struct ref *ref, uint8_t from, uint8_t over)
{
	if (ref_is_directory(ref, over)) {
		if (!ref_is_directory(ref, from))
			return -EISDIR;
		return ref_has_entries(ref, over) ? -ENOTEMPTY : 0;
	}
	return ref_is_directory(ref, from) ? -ENOTDIR : 0;
}

static int ref_expect_rename(const struct ref *ref, const struct ref_op *op)
{
	int from = ref_find(ref, op->parent, op->text);
	int over = ref_find(ref, op->parent2, op->text2);
	int err = ref_check_parent(ref, op->parent);

	if (!err && from < 0)
		err = -ENOENT;
	if (!err)
		err = ref_check_parent(ref, op->parent2);
	if (!err && !ref->nodes[op->parent2].links)
		err = -ENOENT;
	if (err)
		return err;
	if (over >= 0 && op->flags == VOLUME_NOREPLACE)
		return -EEXIST;
	if (over < 0 && op->flags == VOLUME_EXCHANGE)
		return -ENOENT;
	if (ref_is_below(ref, op->parent2, ref->names[from].node))
		return -EINVAL;
	if (over < 0 || ref->names[over].node == ref->names[from].node)
		return 0;
	if (op->flags == VOLUME_EXCHANGE)
		return ref_is_below(ref, op->parent, ref->names[over].node) ?
		       -EINVAL : 0;
	return ref_expect_over(ref, ref->names[from].node,
			       ref->names[over].node);
}

static int ref_expect_file(const struct ref *ref, const struct ref_op *op)
{
	const struct ref_node *node = &ref->nodes[op->node];

	if (!node->ino)
		return -ENOENT;
	if (S_ISDIR(node->mode))
		return -EISDIR;
	return S_ISREG(node->mode) ? 0 : -EINVAL;
}

int ref_expect(const struct ref *ref, const struct ref_op *op)
{
	const struct ref_node *node = &ref->nodes[op->node];

	switch (op->kind) {
	case REF_CREATE: case REF_MKDIR: case REF_SYMLINK:
		return ref_check_new(ref, op->parent, op->text);
	case REF_TMPFILE: case REF_LET_GO: case REF_COMPACT:
		return 0;
	case REF_LINK:
		if (!node->ino)
			return -ENOENT;
		return S_ISDIR(node->mode) ? -EPERM :
		       ref_check_new(ref, op->parent, op->text);
	case REF_UNLINK: case REF_RMDIR:
		return ref_expect_remove(ref, op);
	case REF_RENAME:
		return ref_expect_rename(ref, op);
	case REF_CHMOD:
		return node->ino ? 0 : -ENOENT;
	case REF_TRUNCATE: case REF_MAP: case REF_TRIM: case REF_TELL:
		return ref_expect_file(ref, op);
	case REF_SETXATTR:
		return node->ino ? 0 : -ENOENT;
	case REF_REMOVEXATTR:
		if (!node->ino)
			return -ENOENT;
		return node->xattr ? 0 : -ENODATA;
	case REF_GONE:
		if (!node->ino)
			return -ENOENT;
		return node->links ? -EBUSY : 0;
	case REF_KINDS:
		break;
	}
	return 0;
}

static void ref_add_name(struct ref *ref, uint8_t parent, uint8_t text,
			 uint8_t node)
{
	for (int i = 0; i < REF_NAMES; i++) {
		struct ref_name *name = &ref->names[i];

		if (name->used)
			continue;
		*name = (struct ref_name){ true, parent, node, text };
		ref->nodes[node].links++;
		return;
	}
}

static void ref_remove_name(struct ref *ref, int name)
{
	ref->names[name].used = false;
	ref->nodes[ref->names[name].node].links--;
}

static void ref_make(struct ref *ref, const struct ref_op *op)
{
	static const uint32_t modes[] = {
		[REF_CREATE] = S_IFREG | 0644, [REF_MKDIR] = S_IFDIR | 0755,
		[REF_SYMLINK] = S_IFLNK | 0777, [REF_TMPFILE] = S_IFREG | 0644,
	};
	uint8_t at = 1;

	while (ref->nodes[at].ino)
		at++;
	memset(&ref->nodes[at], 0, sizeof(ref->nodes[at]));
	ref->nodes[at].ino = op->made;
	ref->nodes[at].mode = modes[op->kind];
	if (op->kind == REF_SYMLINK)
		ref->nodes[at].size = strlen(ref_text(op->text2));
	if (op->kind != REF_TMPFILE)
		ref_add_name(ref, op->parent, op->text, at);
}

static void ref_rename(struct ref *ref, const struct ref_op *op)
{
	int from = ref_find(ref, op->parent, op->text);
	int over = ref_find(ref, op->parent2, op->text2);
	uint8_t node = ref->names[from].node;

	if (over >= 0 && ref->names[over].node == node)
		return;
	if (over >= 0 && op->flags == VOLUME_EXCHANGE) {
		ref->names[from].node = ref->names[over].node;
		ref->names[over].node = node;
		return;
	}
	if (over >= 0)
		ref_remove_name(ref, over);
	ref_remove_name(ref, from);
	ref_add_name(ref, op->parent2, op->text2, node);
}

void ref_do(struct ref *ref, const struct ref_op *op)
{
	struct ref_node *node = &ref->nodes[op->node];

	switch (op->kind) {
	case REF_CREATE: case REF_MKDIR: case REF_SYMLINK: case REF_TMPFILE:
		ref_make(ref, op);
		break;
	case REF_LINK:
		ref_add_name(ref, op->parent, op->text, op->node);
		break;
	case REF_UNLINK: case REF_RMDIR:
		ref_remove_name(ref, ref_find(ref, op->parent, op->text));
		break;
	case REF_RENAME:
		ref_rename(ref, op);
		break;
	case REF_CHMOD:
		node->mode = (node->mode & S_IFMT) | (op->number & 07777);
		node->uid = op->number;
		break;
	case REF_TRUNCATE:
		node->size = op->number;
		break;
	case REF_TELL:
		if (op->number > node->size)
			node->size = op->number;
		break;
	case REF_SETXATTR:
		node->xattr = op->number | 1;
		break;
	case REF_REMOVEXATTR:
		node->xattr = 0;
		break;
	case REF_GONE:
		memset(node, 0, sizeof(*node));
		break;
	default:
		break;
	}
}
