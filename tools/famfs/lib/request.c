// SPDX-License-Identifier: GPL-2.0
/*
 * Lines in which hosts ask for a slot. Two hosts may write the same one: what
 * is lost, or spoilt, is asked again in another line.
 */

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "lines.h"
#include "lines_seal.h"

#define REQUEST_NAME_BYTES	20u

int request_read(struct request *request, struct media *media,
		 const uint8_t uuid[16], unsigned int at)
{
	uint8_t line[LINE_SIZE];
	int err;

	err = media_read(media, REQUEST_OFFSET + at * LINE_SIZE, line,
			 LINE_SIZE, REQUEST_DROP);
	if (err)
		return err;
	if (WRONG(REQUEST_SUM, !line_sealed(line, uuid)))
		return -EAGAIN;
	memcpy(request->name, line + REQUEST_NAME, REQUEST_NAME_BYTES);
	request->name[REQUEST_NAME_BYTES] = '\0';
	request->nonce = get_le64(line + REQUEST_NONCE);
	memcpy(request->uuid, line + REQUEST_UUID, 16);
	memcpy(request->boot, line + REQUEST_BOOT, 16);
	return 0;
}

int request_write(const struct request *request, struct media *media,
		  const uint8_t uuid[16], unsigned int at)
{
	uint8_t line[LINE_SIZE] = { 0 };

	memcpy(line + REQUEST_NAME, request->name,
	       strnlen(request->name, REQUEST_NAME_BYTES));
	put_le64(line + REQUEST_NONCE, request->nonce);
	memcpy(line + REQUEST_UUID, request->uuid, 16);
	memcpy(line + REQUEST_BOOT, request->boot, 16);
	line_seal(line, uuid);
	return media_write(media, REQUEST_OFFSET + at * LINE_SIZE, line,
			   LINE_SIZE, REQUEST_WRITE);
}
