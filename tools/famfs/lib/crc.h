/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FAMFS_CRC_H
#define FAMFS_CRC_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32C (Castagnoli, reflected) without a final inversion, so that calls
 * chain: crc_update(crc_update(~0, a), b) covers a and then b.
 */
uint32_t crc_update(uint32_t crc, const void *data, size_t len);

/*
 * The sum of every structure of a medium: CRC-32C of @seed and then of @data,
 * inverted. The seed is the uuid, or the secret where the bytes are users' too.
 */
uint32_t crc_seeded(const uint8_t seed[16], const void *data, size_t len);

#endif
