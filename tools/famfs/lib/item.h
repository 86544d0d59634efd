/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Items: what records of the log are made of. The codec of format 3.
 */
#ifndef FAMFS_ITEM_H
#define FAMFS_ITEM_H

#include <stddef.h>
#include <stdint.h>

#include "layout.h"

/* Times are in nanoseconds since 1970. */
struct attr {
	uint32_t mode, uid, gid, rdev;
	uint64_t size;
	int64_t atime, mtime, ctime;
};

/* Bytes that are not ended by a NUL. */
struct text {
	const void *at;
	uint32_t bytes;
};

/**
 * struct item - one item, of any type
 * @ino: the inode that it is about, but for UNNAME, HOST and END
 */
struct item {
	enum item_type type;
	uint64_t ino;
	union {
		struct attr inode;
		struct {
			uint64_t parent, cookie;
			struct text text;
		} name;
		struct {
			uint64_t parent, cookie;
		} unname;
		struct {
			uint32_t device;
			uint64_t offset, bytes;
		} extent;
		struct {
			uint64_t mapped;
		} cut;
		struct {
			uint64_t bytes;
			int64_t mtime, ctime;
		} size;
		struct {
			uint16_t flags;
			struct text name, value;
		} xattr;
		struct {
			struct text text;
		} target;
		struct {
			uint16_t slot;
			uint8_t state;
			uint8_t uuid[16];
			uint64_t nonce;
			struct text name;
		} host;
		struct {
			uint64_t seq;
			uint32_t device, flags;
			uint64_t offset, bytes;
		} wait;
		struct {
			uint64_t inodes, names, extents, waits;
			uint64_t next_ino, next_cookie;
		} end;
	};
};

/* Bytes of the encoded item: a multiple of eight. */
size_t item_size(const struct item *item);

/* Encodes to @to, which has item_size() bytes. */
void item_encode(const struct item *item, uint8_t *to);

/**
 * item_decode - reads an item that comes from anywhere
 * @from: bytes that do not change meanwhile
 * @room: how many there are
 *
 * Texts point into @from.
 *
 * Return: the item's bytes; 0 where there is no item that makes sense.
 */
size_t item_decode(struct item *item, const uint8_t *from, size_t room);

#endif
