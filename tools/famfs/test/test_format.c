// SPDX-License-Identifier: GPL-2.0
/*
 * Does FORMAT say what the code does? Compares its tables with layout.h, and
 * the bytes of a small medium with what FORMAT says of them.
 *
 * Usage: test_format FORMAT [FIXTURES]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "checks.h"
#include "layout.h"
#include "super.h"

struct field {
	const char *structure, *name;
	unsigned int offset, bytes;
	int seen;
};

static struct field fields[] = {
#define FORMAT_FIELD(structure, field, offset, bytes) \
	{ #structure, #field, offset, bytes, 0 },
	LAYOUT_FIELDS(FORMAT_FIELD)
};

static struct field types[] = {
#define FORMAT_TYPE(type, number, bytes) { "types", #type, number, bytes, 0 },
	ITEM_TYPES(FORMAT_TYPE)
};

static struct field places[] = {
	{ "places", "superblock", SUPER_OFFSET, SUPER_SIZE, 0 },
	{ "places", "root one", ROOT_OFFSET_ONE, LINE_SIZE, 0 },
	{ "places", "root two", ROOT_OFFSET_TWO, LINE_SIZE, 0 },
	{ "places", "call", CALL_OFFSET, LINE_SIZE, 0 },
	{ "places", "requests", REQUEST_OFFSET, REQUEST_COUNT * LINE_SIZE, 0 },
	{ "places", "slots", SLOTS_OFFSET, SLOT_COUNT * SLOT_SIZE, 0 },
	{ "slot", "identity", SLOT_IDENTITY, LINE_SIZE, 0 },
	{ "slot", "beat", SLOT_BEAT, LINE_SIZE, 0 },
	{ "slot", "claim", SLOT_CLAIM, LINE_SIZE, 0 },
	{ "slot", "hostname", SLOT_NAME, LINE_SIZE, 0 },
	{ "slot", "list, even", SLOT_LIST_EVEN, 8192, 0 },
	{ "slot", "list, odd", SLOT_LIST_ODD, 8192, 0 },
};

static int failures;

static void lower(char *text)
{
	for (; *text; text++)
		*text = *text >= 'A' && *text <= 'Z' ? *text + 32 :
			*text == '_' ? ' ' : *text;
}

static int same(const char *code, const char *document)
{
	char text[64];

	snprintf(text, sizeof(text), "%s", code);
	lower(text);
	return !strcmp(text, document);
}

static int match(struct field *list, unsigned int count, const char *table,
		 unsigned int offset, unsigned int bytes, const char *name)
{
	for (unsigned int i = 0; i < count; i++) {
		if (list[i].offset == offset && list[i].bytes == bytes &&
		    same(list[i].structure, table) && same(list[i].name, name)) {
			list[i].seen++;
			return 1;
		}
	}
	return 0;
}

#define COUNT(list)	((unsigned int)(sizeof(list) / sizeof(*(list))))

/* A row: | offset | bytes | name | ... below a heading "Table: name". */
static void read_document(FILE *file)
{
	char line[500], table[64] = "", name[64];
	unsigned int offset, bytes;

	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Table: %63[^\n]", table) == 1)
			continue;
		if (sscanf(line, "| %u | %u | %63[^|]|", &offset, &bytes,
			   name) != 3)
			continue;
		while (name[0] && name[strlen(name) - 1] == ' ')
			name[strlen(name) - 1] = '\0';
		if (match(fields, COUNT(fields), table, offset, bytes, name) ||
		    match(types, COUNT(types), table, offset, bytes, name) ||
		    match(places, COUNT(places), table, offset, bytes, name))
			continue;
		printf("FORMAT says of %s: %u bytes at %u are %s; the code does not\n",
		       table, bytes, offset, name);
		failures++;
	}
}

static void all_seen(const struct field *list, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (list[i].seen == 1)
			continue;
		printf("FORMAT says %d times what %s %s is\n", list[i].seen,
		       list[i].structure, list[i].name);
		failures++;
	}
}

/* Fields of a structure lie one behind the other, at their natural alignment. */
static void no_overlap(void)
{
	for (unsigned int i = 1; i < COUNT(fields); i++) {
		const struct field *last = &fields[i - 1], *field = &fields[i];

		if (strcmp(last->structure, field->structure))
			continue;
		if (last->offset + last->bytes > field->offset ||
		    (field->bytes && field->bytes <= 8 &&
		     field->offset % field->bytes)) {
			printf("%s %s overlaps or is not aligned\n",
			       field->structure, field->name);
			failures++;
		}
	}
}

/* Media of version 48 are refused by number. */
static void refuse_48(const char *folder)
{
	uint8_t block[SUPER_SIZE];
	struct fault fault = { 0 };
	struct super super;
	char path[1000];
	FILE *file;

	snprintf(path, sizeof(path), "%s/superblock.head4k", folder);
	file = fopen(path, "re");
	if (!file) {
		printf("SKIP version 48: there is no %s\n", path);
		return;
	}
	if (fread(block, 1, SUPER_SIZE, file) != SUPER_SIZE ||
	    super_decode(&super, block, 1 << 30, &fault) != -93 ||
	    fault.kind != FAULT_VERSION || fault.number != 48) {
		printf("version 48 is not refused by number: %s\n", fault.text);
		failures++;
	}
	fclose(file);
}

int main(int argc, char **argv)
{
	FILE *file = argc > 1 ? fopen(argv[1], "re") : NULL;

	if (!file) {
		printf("Usage: test_format FORMAT [FIXTURES]\n");
		return 2;
	}
	read_document(file);
	fclose(file);
	all_seen(fields, COUNT(fields));
	all_seen(types, COUNT(types));
	all_seen(places, COUNT(places));
	no_overlap();
	if (argc > 2)
		refuse_48(argv[2]);
	printf("%u fields, %u types, %u places: %d differences\n",
	       COUNT(fields), COUNT(types), COUNT(places), failures);
	return failures != 0;
}
