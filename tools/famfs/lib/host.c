// SPDX-License-Identifier: GPL-2.0
/*
 * Who this host is.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "volume.h"

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads 32 hexadecimal digits, with or without hyphens. */
static int host_read_id(const char *path, uint8_t id[16])
{
	FILE *file = fopen(path, "re");
	unsigned int digits = 0;
	int c;

	if (!file)
		return -errno;
	memset(id, 0, 16);
	while (digits < 32 && (c = fgetc(file)) != EOF) {
		int digit = hex_digit(c);

		if (digit < 0)
			continue;
		id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | digit);
		digits++;
	}
	fclose(file);
	return digits == 32 ? 0 : -EINVAL;
}

int host_self_read(struct host_self *self)
{
	struct utsname system;
	uuid_t machine;
	int err;

	memset(self, 0, sizeof(*self));
	err = host_read_id("/etc/machine-id", self->uuid);
	if (!err)
		err = host_read_id("/proc/sys/kernel/random/boot_id",
				   self->boot);
	if (err)
		return err;
	/* The id itself is confidential (machine-id(5)): media get a hash. */
	memcpy(machine, self->uuid, sizeof(machine));
	uuid_generate_sha1(self->uuid, machine, "famfs", 5);
	/* A kernel's may be longer than a medium's: its beginning counts. */
	if (uname(&system))
		return -errno;
	memcpy(self->name, system.nodename,
	       strnlen(system.nodename, HOST_NAME_MOST));
	self->page = (uint32_t)sysconf(_SC_PAGESIZE);
	return 0;
}
