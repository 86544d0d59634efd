// SPDX-License-Identifier: GPL-2.0
/*
 * What an ordinary FUSE mount costs: operations on files that have no map, each
 * between two marks that a QEMU plugin sees.
 *
 * Usage: cached DIR TIMES
 *
 * Prints the names of the operations in the order of the marks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "mark.h"

#define PAGE	4096
/* Inodes that a walk over all of them meets. */
#define FILES	256
/* What a readdir finds. */
#define ENTRIES	16

static int fd;
static char page[PAGE];

static void die(const char *what)
{
	fprintf(stderr, "cached: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int op_open(void)
{
	int file = open("f", O_RDONLY);

	return file < 0 ? -1 : close(file);
}

/* Attributes by a request each time. */
static int op_stat(void)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
		     STATX_BASIC_STATS, &st);
}

static int op_stat_cached(void)
{
	struct stat st;

	return stat("f", &st);
}

/* By requests each time: an open drops what is known of a directory. */
static int op_readdir(void)
{
	int dir = open("few", O_RDONLY | O_DIRECTORY);
	char buf[8192];
	long n;

	if (dir < 0)
		return -1;
	do {
		n = syscall(SYS_getdents64, dir, buf, sizeof(buf));
	} while (n > 0);
	return close(dir) || n ? -1 : 0;
}

static int op_read(void)
{
	return pread(fd, page, PAGE, 0) == PAGE ? 0 : -1;
}

static int op_write(void)
{
	return pwrite(fd, page, PAGE, 0) == PAGE ? 0 : -1;
}

static int op_sync(void)
{
	return syncfs(fd);
}

static const struct {
	const char *name;
	int (*run)(void);
} ops[] = {
	{ "open", op_open },
	{ "stat", op_stat },
	{ "stat-cached", op_stat_cached },
	{ "readdir", op_readdir },
	{ "read", op_read },
	{ "write", op_write },
	{ "sync", op_sync },
};

static void make_files(const char *in, int n)
{
	char name[64];
	int i, file;

	if (mkdir(in, 0755) && errno != EEXIST)
		die(in);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/%d", in, i);
		file = open(name, O_CREAT | O_WRONLY, 0644);
		if (file < 0 || close(file))
			die(name);
	}
}

int main(int argc, char **argv)
{
	int times, i;
	size_t op;

	if (argc != 3 || chdir(argv[1])) {
		fprintf(stderr, "usage: cached DIR TIMES\n");
		return 2;
	}
	times = atoi(argv[2]);
	make_files("many", FILES);
	make_files("few", ENTRIES);
	fd = open("f", O_CREAT | O_RDWR, 0644);
	if (fd < 0 || op_write())
		die("f");
	for (op = 0; op < sizeof(ops) / sizeof(ops[0]); op++) {
		/* What only the first ones bring is not counted. */
		for (i = 0; i < 8; i++)
			if (ops[op].run())
				die(ops[op].name);
		mark();
		for (i = 0; i < times; i++)
			if (ops[op].run())
				die(ops[op].name);
		mark();
		printf("op %s\n", ops[op].name);
	}
	return 0;
}
