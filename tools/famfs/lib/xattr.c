// SPDX-License-Identifier: GPL-2.0
/*
 * Extended attributes of the model: a tree an inode.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

static int xattr_compare_to(const struct xattr *xattr, const void *name,
			    uint32_t bytes)
{
	if (bytes != xattr->name_bytes)
		return bytes < xattr->name_bytes ? -1 : 1;
	return memcmp(name, xattr->text, bytes);
}

static int xattr_compare(struct xattr *a, struct xattr *b)
{
	return xattr_compare_to(b, a->text, a->name_bytes);
}

TREE_GENERATE(xattr_tree, xattr, by_name, xattr_compare)

static uint64_t xattr_snapshot_bytes(uint32_t name_bytes, uint32_t value_bytes)
{
	return (ITEM_XATTR_FIXED + (uint64_t)name_bytes + value_bytes + 7) &
	       ~7ull;
}

struct xattr *xattr_find(const struct inode *inode, const struct text *name)
{
	struct xattr *node = RB_ROOT(&inode->xattrs);

	while (node) {
		int order = xattr_compare_to(node, name->at, name->bytes);

		if (!order)
			break;
		node = order < 0 ? RB_LEFT(node, by_name) :
				   RB_RIGHT(node, by_name);
	}
	return node;
}

struct xattr *xattr_first(const struct inode *inode)
{
	struct xattr *node = RB_ROOT(&inode->xattrs);

	while (node && RB_LEFT(node, by_name))
		node = RB_LEFT(node, by_name);
	return node;
}

struct xattr *xattr_next(struct xattr *xattr)
{
	return RB_NEXT(xattr_tree, NULL, xattr);
}

void xattr_remove(struct model *model, struct inode *inode,
		  struct xattr *xattr)
{
	model->snapshot_bytes -= xattr_snapshot_bytes(xattr->name_bytes,
						      xattr->value_bytes);
	RB_REMOVE(xattr_tree, &inode->xattrs, xattr);
	free(xattr);
}

int xattr_put(struct model *model, struct inode *inode,
	      const struct text *name, const struct text *value)
{
	struct xattr *old = xattr_find(inode, name), *xattr;

	xattr = malloc(sizeof(*xattr) + name->bytes + value->bytes);
	if (!xattr)
		return -ENOMEM;
	xattr->name_bytes = name->bytes;
	xattr->value_bytes = value->bytes;
	memcpy(xattr->text, name->at, name->bytes);
	if (value->bytes)
		memcpy(xattr->text + name->bytes, value->at, value->bytes);
	if (old)
		xattr_remove(model, inode, old);
	RB_INSERT(xattr_tree, &inode->xattrs, xattr);
	model->snapshot_bytes += xattr_snapshot_bytes(name->bytes,
						      value->bytes);
	return 0;
}
