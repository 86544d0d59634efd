// SPDX-License-Identifier: GPL-2.0
/*
 * Lists: inodes that a host has not let go of. There are two in a slot; the
 * beat says which one counts, and what its crc is, so the order in which a list
 * and its beat are seen does not matter.
 */

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "crc.h"
#include "lines.h"

#define LIST_BYTES	(LIST_INODES + 8 * LIST_MOST)

static uint64_t list_offset(unsigned int slot, uint32_t version)
{
	return slot_offset(slot) +
	       (version % 2 ? SLOT_LIST_ODD : SLOT_LIST_EVEN);
}

int list_write(const uint64_t *inodes, uint32_t count, uint32_t version,
	       struct media *media, const uint8_t secret[16],
	       unsigned int slot, uint32_t *crc)
{
	uint8_t list[LIST_BYTES] = { 0 };
	size_t bytes = LIST_INODES + 8 * (size_t)count;

	if (count > LIST_MOST)
		return -EINVAL;
	put_le32(list + LIST_VERSION, version);
	put_le32(list + LIST_COUNT, count);
	for (uint32_t i = 0; i < count; i++)
		put_le64(list + LIST_INODES + 8 * i, inodes[i]);
	*crc = crc_seeded(secret, list, bytes);
	return media_write(media, list_offset(slot, version), list,
			   round_up64(bytes, LINE_SIZE), LIST_WRITE);
}

int list_read(uint64_t *inodes, const struct beat *beat, struct media *media,
	      const uint8_t secret[16], unsigned int slot)
{
	size_t bytes = LIST_INODES + 8 * (size_t)beat->list_count;
	uint8_t list[LIST_BYTES];
	int err;

	if (WRONG(LIST_FITS, beat->list_count > LIST_MOST))
		return -EAGAIN;
	err = media_read(media, list_offset(slot, beat->list_version), list,
			 bytes, LIST_DROP);
	if (err)
		return err;
	/* The sum covers version and count. */
	if (WRONG(LIST_SUM, beat->list_crc != crc_seeded(secret, list, bytes)))
		return -EAGAIN;
	for (uint32_t i = 0; i < beat->list_count; i++)
		inodes[i] = get_le64(list + LIST_INODES + 8 * i);
	return 0;
}
