// SPDX-License-Identifier: GPL-2.0
/*
 * The demo's FUSE server: a directory of files that lie one after the other on
 * a dax device.
 *
 * Usage: serve MOUNTPOINT DEVICE NAME:SIZE...
 *
 * Mounts itself and reads commands from standard input, one a line:
 *   counts	prints the requests seen so far, "OPCODE COUNT" a line, then "."
 *   place	prints where the files are, "NAME OFFSET SIZE" a line, then "."
 * The end of standard input unmounts and ends it.
 *
 * It is the server that the kselftests use, so it serves just so many files as
 * these need, and their names are short.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "famfs_env.h"

/* Where the files begin, and what their places are multiples of: a PMD. */
#define PLACE	PMD

struct place {
	const char *name;
	__u64 off, size;
};

static struct famfs_env env;
static struct place places[FAMFS_MAX_FILES];
static int nplaces;

static const struct {
	__u32 opcode;
	const char *name;
} opcodes[] = {
	{ FUSE_LOOKUP, "LOOKUP" },
	{ FUSE_OPEN, "OPEN" },
	{ FUSE_GET_FMAP, "GET_FMAP" },
	{ FUSE_GET_DAXDEV, "GET_DAXDEV" },
	{ FUSE_READ, "READ" },
	{ FUSE_WRITE, "WRITE" },
	{ FUSE_FSYNC, "FSYNC" },
	{ FUSE_FLUSH, "FLUSH" },
	{ FUSE_RELEASE, "RELEASE" },
};

static int fail(const char *what, const char *name, int err)
{
	fprintf(stderr, "serve: %s %s: %s\n", what, name, strerror(err));
	return 1;
}

static int add_file(char *arg)
{
	struct place *p = &places[nplaces];
	char *size = strrchr(arg, ':');

	if (!size || nplaces == FAMFS_MAX_FILES)
		return fail("need NAME:SIZE, and not too many, not", arg, EINVAL);
	*size++ = '\0';
	p->name = arg;
	p->size = strtoull(size, NULL, 0);
	if (!p->size || strlen(arg) >= FAMFS_NAME_LEN)
		return fail("no size, or too long a name:", arg, EINVAL);
	p->off = nplaces ? p[-1].off + p[-1].size : PLACE;
	p->off = (p->off + PLACE - 1) / PLACE * PLACE;
	famfs_add_simple(&env, p->name, p->size, 0, p->off);
	nplaces++;
	return 0;
}

static void print_counts(void)
{
	size_t i;

	for (i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++)
		printf("%s %llu\n", opcodes[i].name,
		       (unsigned long long)famfs_count(&env.srv,
						       opcodes[i].opcode));
	puts(".");
}

static void print_places(void)
{
	int i;

	for (i = 0; i < nplaces; i++)
		printf("%s %llu %llu\n", places[i].name,
		       (unsigned long long)places[i].off,
		       (unsigned long long)places[i].size);
	puts(".");
}

static void obey(void)
{
	char line[64];

	puts("ready");
	while (fflush(stdout) == 0 && fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "counts\n"))
			print_counts();
		else if (!strcmp(line, "place\n"))
			print_places();
	}
}

int main(int argc, char **argv)
{
	int err, i;

	if (argc < 4)
		return fail("usage:", "serve MOUNTPOINT DEVICE NAME:SIZE...",
			    EINVAL);
	err = famfs_server_init(&env.srv);
	if (err)
		return fail("cannot open", "/dev/fuse", -err);
	snprintf(env.dir, sizeof(env.dir), "%s", argv[1]);
	snprintf(env.srv.st->devs[0], FUSE_DAXDEV_NAME_MAX, "%s", argv[2]);
	for (i = 3; i < argc; i++)
		if (add_file(argv[i]))
			return 1;

	err = famfs_mount_thread(&env);
	if (err)
		return fail("cannot mount at", env.dir, -err);
	if (!(env.srv.st->offered & FUSE_DAX_FMAP))
		return fail("no FUSE_DAX_FMAP: is CONFIG_FUSE_FAMFS_DAX on, and",
			    "CAP_SYS_RAWIO there?", EOPNOTSUPP);
	obey();
	err = famfs_umount(&env);
	if (err)
		return fail("cannot unmount", env.dir, -err);
	return 0;
}
