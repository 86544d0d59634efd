// SPDX-License-Identifier: GPL-2.0
/*
 * Root and call.
 *
 * In every line the crc comes first and covers the rest of it.
 */

#include "lines.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "lines_seal.h"

static void root_encode(const struct root *root, const uint8_t uuid[16],
			uint8_t line[LINE_SIZE])
{
	memset(line, 0, LINE_SIZE);
	put_le32(line + ROOT_MAGIC, ROOT_MAGIC_VALUE);
	put_le32(line + ROOT_EPOCH, root->epoch);
	line[ROOT_STATE] = root->state;
	line[ROOT_PREDECESSOR] = root->predecessor;
	put_le16(line + ROOT_OWNER, root->owner);
	put_le64(line + ROOT_GENERATION, root->generation);
	put_le64(line + ROOT_BASE_SEQ, root->base_seq);
	put_le32(line + ROOT_BASE_CHAIN, root->base_chain);
	put_le32(line + ROOT_LINES, root->lines);
	memcpy(line + ROOT_SECRET, root->secret, 16);
	put_le64(line + ROOT_NONCE, root->nonce);
	line_seal(line, uuid);
}

static bool root_decode(struct root *root, const uint8_t uuid[16],
			const uint8_t line[LINE_SIZE])
{
	if (WRONG(ROOT_SUM, !line_sealed(line, uuid)))
		return false;
	if (WRONG(ROOT_IS_ROOT,
		  get_le32(line + ROOT_MAGIC) != ROOT_MAGIC_VALUE))
		return false;
	root->epoch = get_le32(line + ROOT_EPOCH);
	root->state = line[ROOT_STATE];
	root->predecessor = line[ROOT_PREDECESSOR];
	root->owner = get_le16(line + ROOT_OWNER);
	root->generation = get_le64(line + ROOT_GENERATION);
	root->base_seq = get_le64(line + ROOT_BASE_SEQ);
	root->base_chain = get_le32(line + ROOT_BASE_CHAIN);
	root->lines = get_le32(line + ROOT_LINES);
	root->nonce = get_le64(line + ROOT_NONCE);
	memcpy(root->secret, line + ROOT_SECRET, 16);
	if (WRONG(ROOT_OWNER_SLOT, root->owner >= SLOT_COUNT))
		return false;
	return !WRONG(ROOT_STATE_KNOWN, root->state != ROOT_STATE_OWNED &&
		      root->state != ROOT_STATE_LEFT);
}

/* Does @a count rather than @b? */
static bool root_newer(const struct root *a, const struct root *b)
{
	if (a->epoch != b->epoch)
		return a->epoch > b->epoch;
	return a->generation > b->generation;
}

int root_read(struct root *root, struct media *media, const uint8_t uuid[16])
{
	uint8_t one[LINE_SIZE], two[LINE_SIZE];
	struct root first, second;
	bool has_first, has_second;
	int err;

	err = media_read(media, ROOT_OFFSET_ONE, one, LINE_SIZE,
			 ROOT_ONE_DROP);
	if (err)
		return err;
	err = media_read(media, ROOT_OFFSET_TWO, two, LINE_SIZE,
			 ROOT_TWO_DROP);
	if (err)
		return err;
	has_first = root_decode(&first, uuid, one);
	has_second = root_decode(&second, uuid, two);
	if (!has_first && !has_second)
		return -ENOENT;
	if (!has_first)
		*root = second;
	else if (!has_second)
		*root = first;
	else
		*root = WRONG(ROOT_HIGHER, root_newer(&second, &first)) ?
			second : first;
	return 0;
}

int root_count(struct media *media, const uint8_t uuid[16])
{
	static const uint64_t offsets[] = { ROOT_OFFSET_ONE, ROOT_OFFSET_TWO };
	uint8_t line[LINE_SIZE], wanted[LINE_SIZE];
	struct root root;
	int count = 0;

	if (root_read(&root, media, uuid))
		return 0;
	root_encode(&root, uuid, wanted);
	for (unsigned int i = 0; i < 2; i++)
		count += !media_read(media, offsets[i], line, LINE_SIZE,
				     ROOT_COUNT_DROP) &&
			 !memcmp(line, wanted, LINE_SIZE);
	return count;
}

int root_write(const struct root *root, struct media *media,
	       const uint8_t uuid[16])
{
	uint8_t line[LINE_SIZE];
	int err;

	root_encode(root, uuid, line);
	err = media_write(media, ROOT_OFFSET_ONE, line, LINE_SIZE,
			  ROOT_ONE_WRITE);
	if (err)
		return err;
	err = call_check(media, uuid, root->epoch);
	if (err)
		return err;
	return media_write(media, ROOT_OFFSET_TWO, line, LINE_SIZE,
			   ROOT_TWO_WRITE);
}

int call_read(struct call *call, struct media *media, const uint8_t uuid[16])
{
	uint8_t line[LINE_SIZE];
	int err;

	err = media_read(media, CALL_OFFSET, line, LINE_SIZE, CALL_DROP);
	if (err)
		return err;
	if (WRONG(CALL_SUM, !line_sealed(line, uuid)))
		return -EAGAIN;
	call->epoch = get_le32(line + CALL_EPOCH);
	call->slot = get_le16(line + CALL_SLOT);
	return 0;
}

int call_write(const struct call *call, struct media *media,
	       const uint8_t uuid[16])
{
	uint8_t line[LINE_SIZE] = { 0 };

	put_le32(line + CALL_EPOCH, call->epoch);
	put_le16(line + CALL_SLOT, call->slot);
	line_seal(line, uuid);
	return media_write(media, CALL_OFFSET, line, LINE_SIZE, CALL_WRITE);
}

int call_check(struct media *media, const uint8_t uuid[16], uint32_t epoch)
{
	struct call call;
	int err = -EAGAIN;

	for (int tries = 0; err == -EAGAIN && tries < 1000; tries++) {
		if (tries)
			media_settle(media, CHECK_SETTLE);
		err = call_read(&call, media, uuid);
	}
	if (err)
		return err == -EAGAIN ? -EIO : err;
	return WRONG(CALL_NEWER, call.epoch > epoch) ? -EROFS : 0;
}
