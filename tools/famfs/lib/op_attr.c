// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on attributes and extended attributes, and the end of inodes.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "mutant.h"
#include "volume_internal.h"

/* What has a size, and what has that and times. */
#define ATTR_SIZES	(VOLUME_SIZE | VOLUME_TOLD)
#define ATTR_SIZE_ITEM	(ATTR_SIZES | VOLUME_MTIME | VOLUME_CTIME)

static void attr_change(struct attr *attr, unsigned int mask,
			const struct attr *to, int64_t now)
{
	attr->ctime = mask & VOLUME_CTIME ? to->ctime : now;
	if (mask & ATTR_SIZES)
		attr->mtime = now;
	if (mask & VOLUME_SIZE || (mask & VOLUME_TOLD && to->size > attr->size))
		attr->size = to->size;
	if (mask & VOLUME_MODE)
		attr->mode = (attr->mode & S_IFMT) | (to->mode & 07777);
	if (mask & VOLUME_UID)
		attr->uid = to->uid;
	if (mask & VOLUME_GID)
		attr->gid = to->gid;
	if (mask & VOLUME_ATIME)
		attr->atime = to->atime;
	if (mask & VOLUME_MTIME)
		attr->mtime = to->mtime;
}

int volume_setattr(struct volume *volume, const struct op *op, uint64_t ino,
		   unsigned int mask, const struct attr *to,
		   struct volume_attr *attr)
{
	struct item item = { .type = ITEM_INODE_TYPE, .ino = ino };
	bool sizes = mask & ATTR_SIZES, grows = false;
	struct inode *inode;
	int err = volume_begin(volume);

	if (!err)
		err = sizes ? volume_file(volume, ino, &inode) :
			      volume_inode(volume, ino, &inode);
	if (err)
		return volume_finish(volume, err);
	item.inode = inode->attr;
	attr_change(&item.inode, mask, to, op->now);
	if (sizes)
		err = volume_add_size(volume, inode, &item.inode,
				      mask & VOLUME_TOLD, &grows);
	if (!sizes || mask & ~ATTR_SIZE_ITEM)
		record_add(&volume->record, &item);
	if (!err)
		err = volume_commit(volume, op, grows);
	if (!err)
		volume_fill(volume, inode, attr);
	return volume_finish(volume, err);
}

int volume_truncate(struct volume *volume, const struct op *op, uint64_t ino,
		    uint64_t size, struct volume_attr *attr)
{
	const struct attr to = { .size = size };

	return volume_setattr(volume, op, ino, VOLUME_SIZE, &to, attr);
}

int volume_tell(struct volume *volume, const struct op *op, uint64_t ino,
		uint64_t size, struct volume_attr *attr)
{
	const struct attr to = { .size = size };

	return volume_setattr(volume, op, ino, VOLUME_TOLD, &to, attr);
}

static int xattr_name_check(const char *name, struct text *text)
{
	size_t bytes = strnlen(name, XATTR_NAME_MOST + 1);

	if (!bytes || bytes > XATTR_NAME_MOST)
		return -ERANGE;
	text->at = name;
	text->bytes = (uint32_t)bytes;
	return 0;
}

/* More names could not be listed. */
static bool xattr_has_room(const struct inode *inode, const struct text *name)
{
	size_t bytes = name->bytes + 1;

	for (struct xattr *xattr = xattr_first(inode); xattr;
	     xattr = xattr_next(xattr))
		bytes += xattr->name_bytes + 1;
	return bytes <= XATTR_NAMES_MOST;
}

static int xattr_check(struct volume *volume, uint64_t ino,
		       const struct text *text, unsigned int flags)
{
	struct inode *inode;
	int err = volume_inode(volume, ino, &inode);

	if (err)
		return err;
	if (xattr_find(inode, text))
		return flags & VOLUME_XATTR_CREATE ? -EEXIST : 0;
	if (flags & VOLUME_XATTR_REPLACE)
		return -ENODATA;
	return xattr_has_room(inode, text) ? 0 : -ENOSPC;
}

int volume_setxattr(struct volume *volume, const struct op *op, uint64_t ino,
		    const char *name, const void *value, size_t bytes,
		    unsigned int flags)
{
	struct item item = { .type = ITEM_XATTR_TYPE, .ino = ino };
	int err = volume_begin(volume);

	if (!err)
		err = xattr_name_check(name, &item.xattr.name);
	if (!err && bytes > XATTR_VALUE_MOST)
		err = -E2BIG;
	if (!err)
		err = xattr_check(volume, ino, &item.xattr.name, flags);
	if (err)
		return volume_finish(volume, err);
	item.xattr.value.at = value;
	item.xattr.value.bytes = (uint32_t)bytes;
	record_add(&volume->record, &item);
	return volume_finish(volume, volume_commit(volume, op, true));
}

int volume_removexattr(struct volume *volume, const struct op *op,
		       uint64_t ino, const char *name)
{
	struct item item = { .type = ITEM_XATTR_TYPE, .ino = ino };
	int err = volume_begin(volume);

	if (!err)
		err = xattr_name_check(name, &item.xattr.name);
	if (!err)
		err = xattr_check(volume, ino, &item.xattr.name,
				  VOLUME_XATTR_REPLACE);
	if (err)
		return volume_finish(volume, err);
	item.xattr.flags = XATTR_REMOVED;
	record_add(&volume->record, &item);
	return volume_finish(volume, volume_commit(volume, op, false));
}

int volume_gone(struct volume *volume, const struct op *op, uint64_t ino)
{
	struct item item = { .type = ITEM_GONE_TYPE, .ino = ino };
	struct inode *inode;
	int err = volume_begin(volume);

	if (!err)
		err = volume_inode(volume, ino, &inode);
	if (!err && (inode->links || ino == ROOT_INO))
		err = -EBUSY;
	if (!err && WRONG(GONE_FOR_ALL,
			  inode->released > hosts_limit(volume, ino)))
		err = -EAGAIN;
	if (err)
		return volume_finish(volume, err);
	record_add(&volume->record, &item);
	return volume_finish(volume, volume_commit(volume, op, false));
}

int volume_let_go(struct volume *volume, uint64_t ino, uint64_t seq)
{
	int err = volume_begin(volume);

	if (volume->member)
		err = member_let_go(volume, ino, seq);
	else if (!err)
		err = hosts_let_go(volume, ino, seq);
	return volume_finish(volume, err);
}
