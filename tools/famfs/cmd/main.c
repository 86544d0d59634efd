// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: one binary, which looks at its own name and at its first argument.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "parent.h"

static const struct command {
	const char *name, *alias, *about;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "mkfs", "mkfs.famfs", "make a file system", cmd_mkfs },
	{ "fsck", "fsck.famfs", "check a file system, and mend it", cmd_fsck },
	{ "mount", "mount.famfs", "mount a file system", cmd_mount },
	{ "umount", "umount.fuse.famfs", "unmount it, and wait for the end",
	  cmd_umount },
	{ "restart", NULL, "start another server for a mounted one",
	  cmd_restart },
	{ "status", NULL, "show what is mounted, and how it is", cmd_status },
	{ "hosts", NULL, "show who shares it, and what waits for whom", cmd_hosts },
	{ "map", NULL, "show where a file lies", cmd_map },
	{ "flush", NULL, "drop what caches have of a file", cmd_flush },
	{ "dump", NULL, "list names and where files lie", cmd_dump },
	{ "compact", NULL, "begin the log anew", cmd_compact },
	{ "bind", NULL, "give a device to fsdev_dax", cmd_bind },
	{ "unbind", NULL, "give it back to device_dax", cmd_unbind },
};

#define COMMANDS	(sizeof(commands) / sizeof(*commands))

static int usage(FILE *to, int status)
{
	fprintf(to, "Usage: famfs COMMAND [OPTION...] ARGUMENT...\n\n");
	for (unsigned int i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-8s %s\n", commands[i].name,
			commands[i].about);
	fprintf(to, "\nfamfs COMMAND --help tells more.\n");
	return status;
}

/*
 * Who starts a program may have closed these: the next file that is opened, a
 * device at that, would get what is said.
 */
static void open_standard(void)
{
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			exit(2);
	}
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];

	open_standard();
	for (unsigned int i = 0; i < COMMANDS; i++) {
		if (commands[i].alias && !strcmp(name, commands[i].alias))
			return commands[i].run(argc, argv);
	}
	if (argc < 2)
		return usage(stderr, 2);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return usage(stdout, 0);
	for (unsigned int i = 0; i < COMMANDS; i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	}
	if (!strcmp(argv[1], PARENT_RESUME))
		return cmd_resume(argc - 1, argv + 1);
	cmd_fail(argv[1], "famfs --help", "there is no such command");
	return 2;
}
