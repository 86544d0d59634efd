/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where everything lies on a medium of version 300 (format 3). FORMAT says the
 * same in words; a test compares the two.
 *
 * Each structure is a list of X(structure, field, offset, bytes). The enums
 * made of the lists are what code uses: SUPER_UNIT is the offset of the unit.
 */
#ifndef FAMFS_LAYOUT_H
#define FAMFS_LAYOUT_H

#include <stdint.h>

#define LINE_SIZE		64u
#define HUGE_SIZE		(2u << 20)

/* Offsets in device 0. */
#define SUPER_OFFSET		0u
#define ROOT_OFFSET_ONE		(64u << 10)
#define ROOT_OFFSET_TWO		(128u << 10)
#define CALL_OFFSET		(192u << 10)
#define REQUEST_OFFSET		(256u << 10)
#define REQUEST_COUNT		16u
#define SLOTS_OFFSET		(1u << 20)
#define SLOT_COUNT		32u
#define SLOT_SIZE		(32u << 10)
#define AREAS_OFFSET		(2u << 20)

/* Offsets in a slot. */
#define SLOT_IDENTITY		0u
#define SLOT_BEAT		64u
#define SLOT_CLAIM		128u
#define SLOT_NAME		192u
#define SLOT_LIST_EVEN		(8u << 10)
#define SLOT_LIST_ODD		(16u << 10)

#define SUPER_SIZE		4096u
#define SUPER_MAGIC_VALUE	0x87b282ffull
#define SUPER_VERSION_VALUE	300u
#define ROOT_MAGIC_VALUE	0x746f6f72u
#define DEVICE_COUNT		32u
#define AREA_COUNT		3u
#define LABEL_SIZE		32u
#define LIST_MOST		1023u
#define UNIT_LEAST		4096u
#define UNIT_MOST		HUGE_SIZE
/* Below 16 MiB only tests go. */
#define AREA_LEAST		(16u << 10)
#define AREA_LEAST_USUAL	(16u << 20)
#define AREA_MOST		(1u << 30)
#define RECORD_LINES_MOST	65535u
#define ROOT_INO		1u
#define NAME_MOST		255u
#define HOST_NAME_MOST		60u
#define TARGET_MOST		65535u
#define XATTR_NAME_MOST		255u
#define XATTR_VALUE_MOST	65536u
/* Of an inode, with a NUL each: as many as listxattr() can return. */
#define XATTR_NAMES_MOST	65536u

enum { COHERENCE_SOFTWARE = 0, COHERENCE_HARDWARE = 1 };
enum { ROOT_STATE_OWNED = 1, ROOT_STATE_LEFT = 2 };
enum { IDENTITY_STATE_IN = 1, IDENTITY_STATE_LEFT = 2 };
enum { HOST_STATE_GIVEN = 1, HOST_STATE_EXPELLED = 2 };
enum { RECORD_SNAPSHOT = 1 };
enum { WAIT_HAS_EXTENT = 1 };
enum { XATTR_REMOVED = 1 };
#define ROOT_NO_PREDECESSOR	255u

#define SUPER_FIELDS(X)		\
	X(SUPER, MAGIC, 0, 8)		\
	X(SUPER, VERSION, 8, 8)		\
	X(SUPER, UUID, 16, 16)		\
	X(SUPER, LABEL, 32, 32)		\
	X(SUPER, COMPAT, 64, 8)		\
	X(SUPER, RO_COMPAT, 72, 8)	\
	X(SUPER, INCOMPAT, 80, 8)	\
	X(SUPER, UNIT, 88, 4)		\
	X(SUPER, COHERENCE, 92, 4)	\
	X(SUPER, AREAS, 96, 48)		\
	X(SUPER, DATA, 144, 8)		\
	X(SUPER, DEVICES, 256, 1024)	\
	X(SUPER, INDEX, 4088, 4)	\
	X(SUPER, CRC, 4092, 4)

#define DEVICE_FIELDS(X)	\
	X(DEVICE, UUID, 0, 16)		\
	X(DEVICE, SIZE, 16, 8)		\
	X(DEVICE, START, 24, 8)

#define ROOT_FIELDS(X)		\
	X(ROOT, CRC, 0, 4)		\
	X(ROOT, MAGIC, 4, 4)		\
	X(ROOT, EPOCH, 8, 4)		\
	X(ROOT, STATE, 12, 1)		\
	X(ROOT, PREDECESSOR, 13, 1)	\
	X(ROOT, OWNER, 14, 2)		\
	X(ROOT, GENERATION, 16, 8)	\
	X(ROOT, BASE_SEQ, 24, 8)	\
	X(ROOT, BASE_CHAIN, 32, 4)	\
	X(ROOT, LINES, 36, 4)		\
	X(ROOT, SECRET, 40, 16)		\
	X(ROOT, NONCE, 56, 8)

#define CALL_FIELDS(X)		\
	X(CALL, CRC, 0, 4)		\
	X(CALL, EPOCH, 4, 4)		\
	X(CALL, SLOT, 8, 2)

#define REQUEST_FIELDS(X)	\
	X(REQUEST, CRC, 0, 4)		\
	X(REQUEST, NAME, 4, 20)		\
	X(REQUEST, NONCE, 24, 8)	\
	X(REQUEST, UUID, 32, 16)	\
	X(REQUEST, BOOT, 48, 16)

#define IDENTITY_FIELDS(X)	\
	X(IDENTITY, CRC, 0, 4)		\
	X(IDENTITY, STATE, 4, 4)	\
	X(IDENTITY, NONCE, 8, 8)	\
	X(IDENTITY, UUID, 16, 16)	\
	X(IDENTITY, BOOT, 32, 16)	\
	X(IDENTITY, PAGE, 48, 4)	\
	X(IDENTITY, FEATURES, 56, 8)

#define BEAT_FIELDS(X)		\
	X(BEAT, CRC, 0, 4)		\
	X(BEAT, EPOCH, 4, 4)		\
	X(BEAT, COUNTER, 8, 8)		\
	X(BEAT, NONCE, 16, 8)		\
	X(BEAT, PASSED, 24, 8)		\
	X(BEAT, LIST_VERSION, 32, 4)	\
	X(BEAT, LIST_COUNT, 36, 4)	\
	X(BEAT, LIST_CRC, 40, 4)	\
	X(BEAT, TAIL, 44, 4)		\
	X(BEAT, TAIL_SEQ, 48, 8)

#define CLAIM_FIELDS(X)		\
	X(CLAIM, CRC, 0, 4)		\
	X(CLAIM, CHOOSING, 4, 4)	\
	X(CLAIM, TICKET, 8, 8)

#define HOSTNAME_FIELDS(X)	\
	X(HOSTNAME, CRC, 0, 4)		\
	X(HOSTNAME, TEXT, 4, 60)

#define LIST_FIELDS(X)		\
	X(LIST, VERSION, 0, 4)		\
	X(LIST, COUNT, 4, 4)		\
	X(LIST, INODES, 8, 8184)

#define RECORD_FIELDS(X)	\
	X(RECORD, CRC, 0, 4)		\
	X(RECORD, CHAIN, 4, 4)		\
	X(RECORD, SEQ, 8, 8)		\
	X(RECORD, MARK, 16, 8)		\
	X(RECORD, EPOCH, 24, 4)		\
	X(RECORD, LINES, 28, 2)		\
	X(RECORD, FLAGS, 30, 2)		\
	X(RECORD, UNIQUE, 32, 8)	\
	X(RECORD, TIME, 40, 8)

#define ITEM_FIELDS(X)		\
	X(ITEM, TYPE, 0, 2)		\
	X(ITEM, LENGTH, 4, 4)

#define INODE_FIELDS(X)		\
	X(INODE, INO, 8, 8)		\
	X(INODE, MODE, 16, 4)		\
	X(INODE, UID, 20, 4)		\
	X(INODE, GID, 24, 4)		\
	X(INODE, RDEV, 28, 4)		\
	X(INODE, SIZE, 32, 8)		\
	X(INODE, ATIME, 40, 8)		\
	X(INODE, MTIME, 48, 8)		\
	X(INODE, CTIME, 56, 8)

#define NAME_FIELDS(X)		\
	X(NAME, PARENT, 8, 8)		\
	X(NAME, INO, 16, 8)		\
	X(NAME, COOKIE, 24, 8)		\
	X(NAME, BYTES, 32, 4)		\
	X(NAME, TEXT, 36, 0)

#define UNNAME_FIELDS(X)	\
	X(UNNAME, PARENT, 8, 8)		\
	X(UNNAME, COOKIE, 16, 8)

#define EXTENT_FIELDS(X)	\
	X(EXTENT, INO, 8, 8)		\
	X(EXTENT, DEVICE, 16, 4)	\
	X(EXTENT, OFFSET, 24, 8)	\
	X(EXTENT, BYTES, 32, 8)

#define CUT_FIELDS(X)		\
	X(CUT, INO, 8, 8)		\
	X(CUT, MAPPED, 16, 8)

#define SIZE_FIELDS(X)		\
	X(SIZE, INO, 8, 8)		\
	X(SIZE, BYTES, 16, 8)		\
	X(SIZE, MTIME, 24, 8)		\
	X(SIZE, CTIME, 32, 8)

#define XATTR_FIELDS(X)		\
	X(XATTR, INO, 8, 8)		\
	X(XATTR, NAME_BYTES, 16, 2)	\
	X(XATTR, FLAGS, 18, 2)		\
	X(XATTR, VALUE_BYTES, 20, 4)	\
	X(XATTR, TEXT, 24, 0)

#define TARGET_FIELDS(X)	\
	X(TARGET, INO, 8, 8)		\
	X(TARGET, BYTES, 16, 4)		\
	X(TARGET, TEXT, 20, 0)

#define GONE_FIELDS(X)		\
	X(GONE, INO, 8, 8)

#define HOST_FIELDS(X)		\
	X(HOST, SLOT, 8, 2)		\
	X(HOST, STATE, 10, 1)		\
	X(HOST, NAME_BYTES, 11, 1)	\
	X(HOST, UUID, 16, 16)		\
	X(HOST, NONCE, 32, 8)		\
	X(HOST, TEXT, 40, 0)

#define WAIT_FIELDS(X)		\
	X(WAIT, INO, 8, 8)		\
	X(WAIT, SEQ, 16, 8)		\
	X(WAIT, DEVICE, 24, 4)		\
	X(WAIT, FLAGS, 28, 4)		\
	X(WAIT, OFFSET, 32, 8)		\
	X(WAIT, BYTES, 40, 8)

#define END_FIELDS(X)		\
	X(END, INODES, 8, 8)		\
	X(END, NAMES, 16, 8)		\
	X(END, EXTENTS, 24, 8)		\
	X(END, WAITS, 32, 8)		\
	X(END, NEXT_INO, 40, 8)		\
	X(END, NEXT_COOKIE, 48, 8)

#define LAYOUT_FIELDS(X)	\
	SUPER_FIELDS(X) DEVICE_FIELDS(X) ROOT_FIELDS(X) CALL_FIELDS(X)	\
	REQUEST_FIELDS(X) IDENTITY_FIELDS(X) BEAT_FIELDS(X)		\
	CLAIM_FIELDS(X) HOSTNAME_FIELDS(X) LIST_FIELDS(X)		\
	RECORD_FIELDS(X) ITEM_FIELDS(X) INODE_FIELDS(X) NAME_FIELDS(X)	\
	UNNAME_FIELDS(X) EXTENT_FIELDS(X) CUT_FIELDS(X) SIZE_FIELDS(X)	\
	XATTR_FIELDS(X) TARGET_FIELDS(X) GONE_FIELDS(X) HOST_FIELDS(X)	\
	WAIT_FIELDS(X) END_FIELDS(X)

#define LAYOUT_ENUM(structure, field, offset, bytes) \
	structure##_##field = offset,
enum layout_offset { LAYOUT_FIELDS(LAYOUT_ENUM) };

/* X(type, number, bytes before what varies). */
#define ITEM_TYPES(X)		\
	X(INODE, 1, 64)			\
	X(NAME, 2, 36)			\
	X(UNNAME, 3, 24)		\
	X(EXTENT, 4, 40)		\
	X(CUT, 5, 24)			\
	X(SIZE, 6, 40)			\
	X(XATTR, 7, 24)			\
	X(TARGET, 8, 20)		\
	X(GONE, 9, 16)			\
	X(HOST, 10, 40)			\
	X(WAIT, 11, 48)			\
	X(END, 12, 56)

#define ITEM_TYPE_ENUM(type, number, bytes) ITEM_##type##_TYPE = number,
#define ITEM_FIXED_ENUM(type, number, bytes) ITEM_##type##_FIXED = bytes,
enum item_type { ITEM_TYPES(ITEM_TYPE_ENUM) };
enum item_fixed { ITEM_TYPES(ITEM_FIXED_ENUM) };

#define RECORD_HEADER		48u
/* END stands alone in the last record of a snapshot, of so many lines. */
#define END_LINES		2u

#endif
