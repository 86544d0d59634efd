// SPDX-License-Identifier: GPL-2.0
/*
 * What commands say, and how they open a device.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "device.h"

bool cmd_quiet;
unsigned int cmd_verbose;

static void report_say(const char *format, va_list args)
{
	if (cmd_quiet)
		return;
	vprintf(format, args);
	putchar('\n');
}

void cmd_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_say(format, args);
	va_end(args);
}

void cmd_tell(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_say(format, args);
	va_end(args);
	fflush(stdout);
}

void cmd_fail(const char *object, const char *next, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "famfs: %s: ", object);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	if (next)
		fprintf(stderr, "       Next: %s\n", next);
}

void cmd_fail_errno(const char *object, int err)
{
	const char *next = NULL;

	if (err == -EACCES || err == -EPERM)
		next = "run it as root";
	else if (err == -EBUSY)
		next = "umount what is mounted of it";
	else if (err == -ENOENT)
		next = "daxctl list   shows which devices there are";
	if (err == -ENOTBLK)
		cmd_fail(object, "name a dax device or a plain file",
			 "it is neither of the two");
	else
		cmd_fail(object, next, "%s", strerror(-err));
}

static const char *fault_next(const struct fault *fault)
{
	switch (fault->kind) {
	case FAULT_FOREIGN:
		return "mkfs.famfs DEVICE   makes a file system on it";
	case FAULT_VERSION:
		return fault->number == 48 ?
		       "use the tools that made it; this version cannot read it yet" :
		       "use a newer version of this program";
	case FAULT_FEATURES:
		return "use a newer version of this program";
	case FAULT_SUPER:
		return "fsck.famfs -y DEVICE   takes the superblock from its copy";
	case FAULT_UNFINISHED:
		return "mkfs.famfs -f DEVICE   makes it anew";
	case FAULT_LOG:
		return "fsck.famfs -y DEVICE   ends the log before the damage";
	case FAULT_OWNER:
		return "run it on the host that owns the file system";
	default:
		return NULL;
	}
}

void cmd_fail_fault(const char *device, int err, const struct fault *fault)
{
	if (fault->kind == FAULT_NONE)
		cmd_fail_errno(device, err);
	else
		cmd_fail(device, fault_next(fault), "%s (at offset %" PRIu64 ")",
			 cmd_text(fault->text), fault->where);
}

struct media *cmd_open(const char *source, int flags)
{
	char device[PATH_MAX];
	struct media *media;
	int err;

	if (!device_find(source, device, sizeof(device)) ||
	    !device_check(device))
		return NULL;
	err = media_open(device, flags, &media);
	if (!err)
		return media;
	cmd_fail_errno(device, err);
	return NULL;
}

bool cmd_ask(const char *question)
{
	char answer[8];

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return false;
	printf("%s [y/N] ", question);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

bool cmd_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;

	errno = 0;
	*bytes = strtoull(text, &end, 0);
	if (errno || end == text || *text == '-')
		return false;
	if (!*end)
		return true;
	unit = strchr(units, *end & ~0x20);
	if (!unit || !*unit || (end[1] && strcmp(end + 1, "iB")))
		return false;
	for (; unit >= units; unit--) {
		if (*bytes > UINT64_MAX / 1024)
			return false;
		*bytes *= 1024;
	}
	return true;
}

const char *cmd_bytes(uint64_t bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB",
					     "TiB" };
	static char texts[8][32];
	static unsigned int next;
	unsigned int unit = 0;
	char *text = texts[next++ % 8];

	while (unit < 4 && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, sizeof(texts[0]), "%" PRIu64 " %s", bytes, units[unit]);
	return text;
}
