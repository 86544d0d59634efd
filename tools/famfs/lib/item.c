// SPDX-License-Identifier: GPL-2.0
/*
 * Encoding of items.
 */

#include "item.h"

#include <string.h>

#include "bytes.h"

static size_t item_fixed(enum item_type type)
{
	switch (type) {
#define ITEM_FIXED_CASE(type, number, bytes) \
	case ITEM_##type##_TYPE: return bytes;
	ITEM_TYPES(ITEM_FIXED_CASE)
	}
	return 0;
}

static size_t item_varying(const struct item *item)
{
	switch (item->type) {
	case ITEM_NAME_TYPE:
		return item->name.text.bytes;
	case ITEM_XATTR_TYPE:
		return (size_t)item->xattr.name.bytes +
		       item->xattr.value.bytes;
	case ITEM_TARGET_TYPE:
		return item->target.text.bytes;
	case ITEM_HOST_TYPE:
		return item->host.name.bytes;
	default:
		return 0;
	}
}

size_t item_size(const struct item *item)
{
	return round_up64(item_fixed(item->type) + item_varying(item), 8);
}

static uint8_t *text_encode(const struct text *text, uint8_t *to)
{
	if (text->bytes)
		memcpy(to, text->at, text->bytes);
	return to + text->bytes;
}

static void inode_encode(const struct attr *attr, uint8_t *to)
{
	put_le32(to + INODE_MODE, attr->mode);
	put_le32(to + INODE_UID, attr->uid);
	put_le32(to + INODE_GID, attr->gid);
	put_le32(to + INODE_RDEV, attr->rdev);
	put_le64(to + INODE_SIZE, attr->size);
	put_le64(to + INODE_ATIME, (uint64_t)attr->atime);
	put_le64(to + INODE_MTIME, (uint64_t)attr->mtime);
	put_le64(to + INODE_CTIME, (uint64_t)attr->ctime);
}

static void host_encode(const struct item *item, uint8_t *to)
{
	put_le16(to + HOST_SLOT, item->host.slot);
	to[HOST_STATE] = item->host.state;
	to[HOST_NAME_BYTES] = (uint8_t)item->host.name.bytes;
	memcpy(to + HOST_UUID, item->host.uuid, 16);
	put_le64(to + HOST_NONCE, item->host.nonce);
	text_encode(&item->host.name, to + HOST_TEXT);
}

static void wait_encode(const struct item *item, uint8_t *to)
{
	put_le64(to + WAIT_SEQ, item->wait.seq);
	put_le32(to + WAIT_DEVICE, item->wait.device);
	put_le32(to + WAIT_FLAGS, item->wait.flags);
	put_le64(to + WAIT_OFFSET, item->wait.offset);
	put_le64(to + WAIT_BYTES, item->wait.bytes);
}

static void end_encode(const struct item *item, uint8_t *to)
{
	put_le64(to + END_INODES, item->end.inodes);
	put_le64(to + END_NAMES, item->end.names);
	put_le64(to + END_EXTENTS, item->end.extents);
	put_le64(to + END_WAITS, item->end.waits);
	put_le64(to + END_NEXT_INO, item->end.next_ino);
	put_le64(to + END_NEXT_COOKIE, item->end.next_cookie);
}

static void xattr_encode(const struct item *item, uint8_t *to)
{
	put_le16(to + XATTR_NAME_BYTES, (uint16_t)item->xattr.name.bytes);
	put_le16(to + XATTR_FLAGS, item->xattr.flags);
	put_le32(to + XATTR_VALUE_BYTES, item->xattr.value.bytes);
	text_encode(&item->xattr.value,
		    text_encode(&item->xattr.name, to + XATTR_TEXT));
}

void item_encode(const struct item *item, uint8_t *to)
{
	size_t size = item_size(item);

	memset(to, 0, size);
	put_le16(to + ITEM_TYPE, (uint16_t)item->type);
	put_le32(to + ITEM_LENGTH, (uint32_t)size);
	if (item->type != ITEM_HOST_TYPE)
		put_le64(to + INODE_INO, item->ino);
	switch (item->type) {
	case ITEM_INODE_TYPE:
		inode_encode(&item->inode, to);
		break;
	case ITEM_NAME_TYPE:
		put_le64(to + NAME_PARENT, item->name.parent);
		put_le64(to + NAME_INO, item->ino);
		put_le64(to + NAME_COOKIE, item->name.cookie);
		put_le32(to + NAME_BYTES, item->name.text.bytes);
		text_encode(&item->name.text, to + NAME_TEXT);
		break;
	case ITEM_UNNAME_TYPE:
		put_le64(to + UNNAME_PARENT, item->unname.parent);
		put_le64(to + UNNAME_COOKIE, item->unname.cookie);
		break;
	case ITEM_EXTENT_TYPE:
		put_le32(to + EXTENT_DEVICE, item->extent.device);
		put_le64(to + EXTENT_OFFSET, item->extent.offset);
		put_le64(to + EXTENT_BYTES, item->extent.bytes);
		break;
	case ITEM_CUT_TYPE:
		put_le64(to + CUT_MAPPED, item->cut.mapped);
		break;
	case ITEM_SIZE_TYPE:
		put_le64(to + SIZE_BYTES, item->size.bytes);
		put_le64(to + SIZE_MTIME, (uint64_t)item->size.mtime);
		put_le64(to + SIZE_CTIME, (uint64_t)item->size.ctime);
		break;
	case ITEM_XATTR_TYPE:
		xattr_encode(item, to);
		break;
	case ITEM_TARGET_TYPE:
		put_le32(to + TARGET_BYTES, item->target.text.bytes);
		text_encode(&item->target.text, to + TARGET_TEXT);
		break;
	case ITEM_GONE_TYPE:
		break;
	case ITEM_HOST_TYPE:
		host_encode(item, to);
		break;
	case ITEM_WAIT_TYPE:
		wait_encode(item, to);
		break;
	case ITEM_END_TYPE:
		end_encode(item, to);
		break;
	}
}
