// SPDX-License-Identifier: GPL-2.0
/*
 * CRC-32C, eight bytes a step with eight tables.
 */

#include "crc.h"

#include <pthread.h>

#include "bytes.h"

#define CRC_POLYNOMIAL	0x82f63b78u

static uint32_t crc_table[8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_prepare(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t v = i;

		for (int bit = 0; bit < 8; bit++)
			v = (v >> 1) ^ (v & 1 ? CRC_POLYNOMIAL : 0);
		crc_table[0][i] = v;
	}
	for (int t = 1; t < 8; t++) {
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t v = crc_table[t - 1][i];

			crc_table[t][i] = (v >> 8) ^ crc_table[0][v & 255];
		}
	}
}

uint32_t crc_update(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	pthread_once(&crc_once, crc_prepare);
	for (; len >= 8; p += 8, len -= 8) {
		uint32_t low = crc ^ get_le32(p);
		uint32_t high = get_le32(p + 4);

		crc = crc_table[7][low & 255] ^
		      crc_table[6][low >> 8 & 255] ^
		      crc_table[5][low >> 16 & 255] ^
		      crc_table[4][low >> 24] ^
		      crc_table[3][high & 255] ^
		      crc_table[2][high >> 8 & 255] ^
		      crc_table[1][high >> 16 & 255] ^
		      crc_table[0][high >> 24];
	}
	for (; len; p++, len--)
		crc = (crc >> 8) ^ crc_table[0][(crc ^ *p) & 255];
	return crc;
}

uint32_t crc_seeded(const uint8_t seed[16], const void *data, size_t len)
{
	return ~crc_update(crc_update(~0u, seed, 16), data, len);
}
