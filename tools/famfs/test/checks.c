// SPDX-License-Identifier: GPL-2.0
/*
 * What checks share, and their list.
 */

#include "checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "layout.h"

const struct check checks[] = {
	{ "crc", check_crc },
	{ "items", check_items },
	{ "super", check_super },
	{ "lines", check_lines },
	{ "records", check_records },
	{ "damage", check_damage },
	{ "bad_items", check_bad_items },
	{ "bad_snapshots", check_bad_snapshots },
	{ "cache", check_cache },
	{ "names", check_names },
	{ "space", check_space },
	{ "growth", check_growth },
	{ "log_full", check_log_full },
	{ "deposed", check_deposed },
	{ "readdir", check_readdir },
	{ "dead_media", check_dead_media },
	{ "owner", check_owner },
	{ "mkfs_crash", check_mkfs_crash },
	{ "members", check_members },
	{ "reading", check_reading },
	{ "table", check_table },
	{ "crash", check_crash },
	{ "flips", check_flips },
	{ "forged", check_forged },
	{ "forged_long", check_forged_long },
	{ "mkfs_again", check_mkfs_again },
	{ "full", check_full },
	{ "numbers", check_numbers },
};

const unsigned int check_count = sizeof(checks) / sizeof(*checks);

void check_self(struct host_self *self)
{
	memset(self, 0, sizeof(*self));
	memset(self->uuid, 0x11, 16);
	memset(self->boot, 0x22, 16);
	strcpy(self->name, "here");
	self->page = 4096;
}

void check_format(struct volume_format *format)
{
	memset(format, 0, sizeof(*format));
	memset(format->uuid, 0x5a, 16);
	memset(format->secret, 0xc3, 16);
	strcpy(format->label, "checks");
	format->unit = 4096;
	format->area = CHECK_AREA;
	check_self(&format->self);
	format->now = 1000000000;
}

int check_mkfs(struct media *media)
{
	struct volume_format format;

	check_format(&format);
	return volume_format(media, &format, NULL);
}

int check_open(struct volume **volume, struct media *media, unsigned int how,
	       struct fault *fault)
{
	struct volume_options options = { .how = how, .now = 2000000000,
					  .nonce = 77 };

	check_self(&options.self);
	return volume_open(volume, media, &options, fault);
}

const char *check_say(const char *format, ...)
{
	static char text[300];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return text;
}
