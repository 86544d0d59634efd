// SPDX-License-Identifier: GPL-2.0
/*
 * Decoding of items. Lengths are checked here, meanings where items are
 * applied.
 */

#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "item.h"
#include "mutant.h"

static void inode_decode(struct attr *attr, const uint8_t *from)
{
	attr->mode = get_le32(from + INODE_MODE);
	attr->uid = get_le32(from + INODE_UID);
	attr->gid = get_le32(from + INODE_GID);
	attr->rdev = get_le32(from + INODE_RDEV);
	attr->size = get_le64(from + INODE_SIZE);
	attr->atime = (int64_t)get_le64(from + INODE_ATIME);
	attr->mtime = (int64_t)get_le64(from + INODE_MTIME);
	attr->ctime = (int64_t)get_le64(from + INODE_CTIME);
}

/* Does a text of @bytes at @at lie in the item, and is its length allowed? */
static bool text_decode(struct text *text, const uint8_t *from, size_t at,
			uint32_t bytes, uint32_t most, size_t length)
{
	if (WRONG(ITEM_TEXT_LENGTH, bytes > most || at + bytes > length))
		return false;
	text->at = from + at;
	text->bytes = bytes;
	return true;
}

static bool name_decode(struct item *item, const uint8_t *from, size_t length)
{
	item->name.parent = get_le64(from + NAME_PARENT);
	item->ino = get_le64(from + NAME_INO);
	item->name.cookie = get_le64(from + NAME_COOKIE);
	return text_decode(&item->name.text, from, NAME_TEXT,
			   get_le32(from + NAME_BYTES), NAME_MOST, length);
}

static bool xattr_decode(struct item *item, const uint8_t *from, size_t length)
{
	uint32_t bytes = get_le16(from + XATTR_NAME_BYTES);

	item->xattr.flags = get_le16(from + XATTR_FLAGS);
	return text_decode(&item->xattr.name, from, XATTR_TEXT, bytes,
			   XATTR_NAME_MOST, length) &&
	       text_decode(&item->xattr.value, from, XATTR_TEXT + bytes,
			   get_le32(from + XATTR_VALUE_BYTES),
			   XATTR_VALUE_MOST, length);
}

static bool host_decode(struct item *item, const uint8_t *from, size_t length)
{
	item->ino = 0;
	item->host.slot = get_le16(from + HOST_SLOT);
	item->host.state = from[HOST_STATE];
	memcpy(item->host.uuid, from + HOST_UUID, 16);
	item->host.nonce = get_le64(from + HOST_NONCE);
	return text_decode(&item->host.name, from, HOST_TEXT,
			   from[HOST_NAME_BYTES], HOST_NAME_MOST, length);
}

static void wait_decode(struct item *item, const uint8_t *from)
{
	item->wait.seq = get_le64(from + WAIT_SEQ);
	item->wait.device = get_le32(from + WAIT_DEVICE);
	item->wait.flags = get_le32(from + WAIT_FLAGS);
	item->wait.offset = get_le64(from + WAIT_OFFSET);
	item->wait.bytes = get_le64(from + WAIT_BYTES);
}

static void end_decode(struct item *item, const uint8_t *from)
{
	item->end.inodes = get_le64(from + END_INODES);
	item->end.names = get_le64(from + END_NAMES);
	item->end.extents = get_le64(from + END_EXTENTS);
	item->end.waits = get_le64(from + END_WAITS);
	item->end.next_ino = get_le64(from + END_NEXT_INO);
	item->end.next_cookie = get_le64(from + END_NEXT_COOKIE);
}

static bool item_fill(struct item *item, const uint8_t *from, size_t length)
{
	switch (item->type) {
	case ITEM_INODE_TYPE:
		inode_decode(&item->inode, from);
		return true;
	case ITEM_NAME_TYPE:
		return name_decode(item, from, length);
	case ITEM_UNNAME_TYPE:
		item->unname.parent = get_le64(from + UNNAME_PARENT);
		item->unname.cookie = get_le64(from + UNNAME_COOKIE);
		return true;
	case ITEM_EXTENT_TYPE:
		item->extent.device = get_le32(from + EXTENT_DEVICE);
		item->extent.offset = get_le64(from + EXTENT_OFFSET);
		item->extent.bytes = get_le64(from + EXTENT_BYTES);
		return true;
	case ITEM_CUT_TYPE:
		item->cut.mapped = get_le64(from + CUT_MAPPED);
		return true;
	case ITEM_SIZE_TYPE:
		item->size.bytes = get_le64(from + SIZE_BYTES);
		item->size.mtime = (int64_t)get_le64(from + SIZE_MTIME);
		item->size.ctime = (int64_t)get_le64(from + SIZE_CTIME);
		return true;
	case ITEM_XATTR_TYPE:
		return xattr_decode(item, from, length);
	case ITEM_TARGET_TYPE:
		return text_decode(&item->target.text, from, TARGET_TEXT,
				   get_le32(from + TARGET_BYTES), TARGET_MOST,
				   length);
	case ITEM_GONE_TYPE:
		return true;
	case ITEM_HOST_TYPE:
		return host_decode(item, from, length);
	case ITEM_WAIT_TYPE:
		wait_decode(item, from);
		return true;
	case ITEM_END_TYPE:
		end_decode(item, from);
		return true;
	}
	return false;
}

static size_t item_least(uint16_t type)
{
	switch (type) {
#define ITEM_LEAST_CASE(type, number, bytes) \
	case number: return bytes;
	ITEM_TYPES(ITEM_LEAST_CASE)
	}
	return 0;
}

size_t item_decode(struct item *item, const uint8_t *from, size_t room)
{
	uint32_t length;
	size_t least;

	if (room < 8)
		return 0;
	least = item_least(get_le16(from + ITEM_TYPE));
	length = get_le32(from + ITEM_LENGTH);
	if (!least || length < least || length > room || length % 8)
		return 0;
	item->type = get_le16(from + ITEM_TYPE);
	item->ino = get_le64(from + INODE_INO);
	if (!item_fill(item, from, length))
		return 0;
	/* One encoding each, so that a dump of what was read is the same. */
	return item_size(item) == length ? length : 0;
}
