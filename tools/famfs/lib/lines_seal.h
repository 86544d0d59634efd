/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The crc of a line: its first four bytes, over the other sixty.
 */
#ifndef FAMFS_LINES_SEAL_H
#define FAMFS_LINES_SEAL_H

#include <stdbool.h>

#include "bytes.h"
#include "crc.h"
#include "layout.h"

static inline uint32_t line_sum(const uint8_t line[LINE_SIZE],
				const uint8_t uuid[16])
{
	return crc_seeded(uuid, line + 4, LINE_SIZE - 4);
}

static inline void line_seal(uint8_t line[LINE_SIZE], const uint8_t uuid[16])
{
	put_le32(line, line_sum(line, uuid));
}

static inline bool line_sealed(const uint8_t line[LINE_SIZE],
			       const uint8_t uuid[16])
{
	return get_le32(line) == line_sum(line, uuid);
}

#endif
