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

/* Bytes of the character that @text begins with; 0: it is none. */
static unsigned int utf8_character(const char *text)
{
	unsigned char first = (unsigned char)*text;
	unsigned int bytes = utf8_bytes(first);

	if (!bytes || utf8_is_none(first, (unsigned char)text[1]))
		return 0;
	for (unsigned int i = 1; i < bytes; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 0;
	}
	return bytes;
}

/* U+0080 to U+009F, which terminals obey as they do the first 32. */
static bool utf8_is_control(const char *text)
{
	return (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0;
}

/* How much of @text, a character at most, can be shown as it is. */
static unsigned int text_shown(const char *text, bool ascii)
{
	unsigned char c = (unsigned char)*text;

	if (c < 0x80)
		return c >= ' ' && c != '\\' && c != 0x7f;
	return ascii || utf8_is_control(text) ? 0 : utf8_character(text);
}

bool text_is_plain(const char *text)
{
	while (*text) {
		unsigned int bytes = utf8_character(text);
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == 0x7f || (!bytes && c < 0xa0) ||
		    utf8_is_control(text))
			return false;
		text += bytes ? bytes : 1;
	}
	return true;
}

static const char *text_escape(const char *text, char *to, size_t room,
			       bool ascii)
{
	size_t used = 0;

	while (*text && used + 5 <= room) {
		unsigned int bytes = text_shown(text, ascii);

		memcpy(to + used, text, bytes);
		used += bytes;
		text += bytes;
		if (!bytes)
			used += (size_t)sprintf(to + used, "\\x%02x",
						(unsigned char)*text++);
	}
	to[used] = '\0';
	return to;
}

const char *text_safe(const char *text, char *to, size_t room)
{
	return text_escape(text, to, room, false);
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

static bool text_is_utf8(const char *text)
{
	while (*text) {
		unsigned int bytes = utf8_character(text);

		if (!bytes)
			return false;
		text += bytes;
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
	object = json_object_new_string(text_escape(text, safe, room, true));
	free(safe);
	return object;
}

/* What terminals obey stands in strings alone, where it has another form. */
void cmd_json_print(struct json_object *object, int flags)
{
	const char *text = json_object_to_json_string_ext(object, flags |
			   JSON_C_TO_STRING_NOSLASHESCAPE);

	for (; *text; text++) {
		if (utf8_is_control(text))
			printf("\\u%04x", (unsigned char)*++text);
		else if (*text == 0x7f)
			fputs("\\u007f", stdout);
		else
			putchar(*text);
	}
}
