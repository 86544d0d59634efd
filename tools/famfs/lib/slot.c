// SPDX-License-Identifier: GPL-2.0
/*
 * The lines of a slot. Each is written by the slot's host alone.
 */

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "lines.h"
#include "lines_seal.h"

int identity_read(struct identity *identity, struct media *media,
		  const uint8_t uuid[16], unsigned int slot)
{
	uint8_t line[LINE_SIZE];
	int err;

	err = media_read(media, slot_offset(slot) + SLOT_IDENTITY, line,
			 LINE_SIZE, IDENTITY_DROP);
	if (err)
		return err;
	if (bytes_are_zero(line, LINE_SIZE))
		return -ENOENT;
	if (WRONG(IDENTITY_SUM, !line_sealed(line, uuid)))
		return -EAGAIN;
	identity->state = get_le32(line + IDENTITY_STATE);
	identity->nonce = get_le64(line + IDENTITY_NONCE);
	memcpy(identity->uuid, line + IDENTITY_UUID, 16);
	memcpy(identity->boot, line + IDENTITY_BOOT, 16);
	identity->page = get_le32(line + IDENTITY_PAGE);
	identity->features = get_le64(line + IDENTITY_FEATURES);
	return 0;
}

int identity_write(const struct identity *identity, struct media *media,
		   const uint8_t uuid[16], unsigned int slot)
{
	uint8_t line[LINE_SIZE] = { 0 };

	put_le32(line + IDENTITY_STATE, identity->state);
	put_le64(line + IDENTITY_NONCE, identity->nonce);
	memcpy(line + IDENTITY_UUID, identity->uuid, 16);
	memcpy(line + IDENTITY_BOOT, identity->boot, 16);
	put_le32(line + IDENTITY_PAGE, identity->page);
	put_le64(line + IDENTITY_FEATURES, identity->features);
	line_seal(line, uuid);
	return media_write(media, slot_offset(slot) + SLOT_IDENTITY, line,
			   LINE_SIZE, IDENTITY_WRITE);
}

int beat_read(struct beat *beat, struct media *media, const uint8_t uuid[16],
	      unsigned int slot)
{
	uint8_t line[LINE_SIZE];
	int err;

	err = media_read(media, slot_offset(slot) + SLOT_BEAT, line,
			 LINE_SIZE, BEAT_DROP);
	if (err)
		return err;
	if (WRONG(BEAT_SUM, !line_sealed(line, uuid)))
		return -EAGAIN;
	beat->epoch = get_le32(line + BEAT_EPOCH);
	beat->counter = get_le64(line + BEAT_COUNTER);
	beat->nonce = get_le64(line + BEAT_NONCE);
	beat->passed = get_le64(line + BEAT_PASSED);
	beat->list_version = get_le32(line + BEAT_LIST_VERSION);
	beat->list_count = get_le32(line + BEAT_LIST_COUNT);
	beat->list_crc = get_le32(line + BEAT_LIST_CRC);
	beat->tail = get_le32(line + BEAT_TAIL);
	beat->tail_seq = get_le64(line + BEAT_TAIL_SEQ);
	return 0;
}

int beat_write(const struct beat *beat, struct media *media,
	       const uint8_t uuid[16], unsigned int slot)
{
	uint8_t line[LINE_SIZE] = { 0 };

	put_le32(line + BEAT_EPOCH, beat->epoch);
	put_le64(line + BEAT_COUNTER, beat->counter);
	put_le64(line + BEAT_NONCE, beat->nonce);
	put_le64(line + BEAT_PASSED, beat->passed);
	put_le32(line + BEAT_LIST_VERSION, beat->list_version);
	put_le32(line + BEAT_LIST_COUNT, beat->list_count);
	put_le32(line + BEAT_LIST_CRC, beat->list_crc);
	put_le32(line + BEAT_TAIL, beat->tail);
	put_le64(line + BEAT_TAIL_SEQ, beat->tail_seq);
	line_seal(line, uuid);
	return media_write(media, slot_offset(slot) + SLOT_BEAT, line,
			   LINE_SIZE, BEAT_WRITE);
}

int claim_write(const struct claim *claim, struct media *media,
		const uint8_t uuid[16], unsigned int slot)
{
	uint8_t line[LINE_SIZE] = { 0 };

	put_le32(line + CLAIM_CHOOSING, claim->choosing);
	put_le64(line + CLAIM_TICKET, claim->ticket);
	line_seal(line, uuid);
	return media_write(media, slot_offset(slot) + SLOT_CLAIM, line,
			   LINE_SIZE, CLAIM_WRITE);
}

int hostname_read(char name[HOST_NAME_MOST + 1], struct media *media,
		  const uint8_t uuid[16], unsigned int slot)
{
	uint8_t line[LINE_SIZE];
	int err;

	err = media_read(media, slot_offset(slot) + SLOT_NAME, line, LINE_SIZE,
			 HOSTNAME_DROP);
	if (err)
		return err;
	if (WRONG(HOSTNAME_SUM, !line_sealed(line, uuid)))
		return -EAGAIN;
	memcpy(name, line + HOSTNAME_TEXT, HOST_NAME_MOST);
	name[HOST_NAME_MOST] = '\0';
	return 0;
}

int hostname_write(const char *name, struct media *media,
		   const uint8_t uuid[16], unsigned int slot)
{
	uint8_t line[LINE_SIZE] = { 0 };

	memcpy(line + HOSTNAME_TEXT, name, strnlen(name, HOST_NAME_MOST));
	line_seal(line, uuid);
	return media_write(media, slot_offset(slot) + SLOT_NAME, line,
			   LINE_SIZE, HOSTNAME_WRITE);
}
