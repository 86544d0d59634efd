// SPDX-License-Identifier: GPL-2.0
/*
 * Texts that come from media and users: of any bytes, on one line.
 */

#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static const char *text_escape(const char *text, char *to, size_t room,
			       unsigned char most)
{
	size_t used = 0;

	for (; *text && used + 5 <= room; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\\' || c < ' ' || c >= most || c == 0x7f)
			used += (size_t)sprintf(to + used, "\\x%02x", c);
		else
			to[used++] = (char)c;
	}
	to[used] = '\0';
	return to;
}

const char *text_safe(const char *text, char *to, size_t room)
{
	return text_escape(text, to, room, UCHAR_MAX);
}

static void text_unescape(char *text, bool octal)
{
	char *to = text;
	unsigned int c;
	int bytes;

	while (*text) {
		/* What was cut off may end in the middle of an escape. */
		if (*text == '\\' &&
		    (octal ? sscanf(text, "\\%3o%n", &c, &bytes) :
			     sscanf(text, "\\x%2x%n", &c, &bytes)) == 1) {
			*to++ = (char)c;
			text += bytes;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

void text_plain(char *text)
{
	text_unescape(text, false);
}

void text_plain_table(char *text)
{
	text_unescape(text, true);
}

static char *text_buffer(void)
{
	static char texts[8][TEXT_SAFE(PATH_MAX)];
	static unsigned int next;

	return texts[next++ % 8];
}

const char *cmd_text(const char *text)
{
	return text_safe(text, text_buffer(), TEXT_SAFE(PATH_MAX));
}

/* Bytes of the character that begins with @c; 0: none does. */
static unsigned int utf8_bytes(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c < 0xe0)
		return 2;
	if (c >= 0xe0 && c < 0xf0)
		return 3;
	return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

/* Overlong forms, halves of pairs, and what lies behind the last character. */
static bool utf8_is_none(unsigned char first, unsigned char second)
{
	return (first == 0xe0 && second < 0xa0) ||
	       (first == 0xed && second > 0x9f) ||
	       (first == 0xf0 && second < 0x90) ||
	       (first == 0xf4 && second > 0x8f);
}

static bool text_is_utf8(const char *text)
{
	while (*text) {
		unsigned char first = (unsigned char)*text++;
		unsigned int bytes = utf8_bytes(first);

		if (!bytes || utf8_is_none(first, (unsigned char)*text))
			return false;
		while (--bytes) {
			if (((unsigned char)*text++ & 0xc0) != 0x80)
				return false;
		}
	}
	return true;
}

struct json_object *cmd_json_text(const char *text)
{
	size_t room = TEXT_SAFE(strlen(text));
	struct json_object *object;
	char *safe;

	if (text_is_utf8(text))
		return json_object_new_string(text);
	safe = malloc(room);
	if (!safe)
		return NULL;
	object = json_object_new_string(text_escape(text, safe, room, 0x80));
	free(safe);
	return object;
}
