// SPDX-License-Identifier: GPL-2.0
/*
 * A FUSE server with one kind of map, for measuring.
 *
 * Usage: layouts MOUNTPOINT DEVICE LAYOUT
 *
 *   one		files f0 to f23 of 64 MiB, each one extent
 *   stripe		the same files, each one stripe of four strips in chunks
 *			of 2 MiB
 *   one-big		f0 of 4 GiB and 64 MiB, one extent
 *   uniform		f0 of 4 GiB, 2^20 extents of 4 KiB
 *   mixed		f0 of 4 GiB and 64 MiB, 2^20 extents of 4 KiB and between
 *			the halves of them, at 2 GiB, 32 of 2 MiB
 *
 * No two extents that follow one another in a file do so on the device.
 * Prints "ready" when it has mounted; the end of standard input ends it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "serve.h"

#define PAGE		4096UL
#define FILES		24
#define FILE_SIZE	(64 * MiB)
#define MILLION		(1UL << 20)
#define HUGE_EXTENTS	32

static struct tfs_env env;

/* Extents of one length from a place on the device, neighbours swapped. */
static void extents(struct tfs_msg *m, __u64 at, __u64 len, unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		tfs_msg_extent(m, 0, at + (i ^ 1) * len, len);
}

static int add(const char *name, struct tfs_msg *m)
{
	int file = tfs_add_mapped(&env, name, m);

	tfs_msg_exit(m);
	return file < 0 ? file : 0;
}

static int add_one(void)
{
	struct tfs_msg m;
	char name[16];
	int err = 0, i;

	for (i = 0; i < FILES && !err; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		tfs_msg_simple(&m, FILE_SIZE, 0, i * FILE_SIZE, FILE_SIZE);
		err = add(name, &m);
	}
	return err;
}

static int add_stripe(void)
{
	struct tfs_msg m;
	char name[16];
	int err = 0, i, j;

	for (i = 0; i < FILES && !err; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		tfs_msg_init(&m, FILE_SIZE, FUSE_FMAP_EXT_STRIPED);
		tfs_msg_stripe(&m, FILE_SIZE, PMD, 4);
		for (j = 0; j < 4; j++)
			tfs_msg_strip(&m, 0,
				      (i * 4 + j) * (FILE_SIZE / 4),
				      FILE_SIZE / 4);
		err = add(name, &m);
	}
	return err;
}

static int add_one_big(void)
{
	__u64 size = MILLION * PAGE + HUGE_EXTENTS * PMD;
	struct tfs_msg m;

	tfs_msg_simple(&m, size, 0, 0, size);
	return add("f0", &m);
}

static int add_uniform(void)
{
	struct tfs_msg m;

	tfs_msg_init(&m, MILLION * PAGE, FUSE_FMAP_EXT_SIMPLE);
	extents(&m, 0, PAGE, MILLION);
	return add("f0", &m);
}

static int add_mixed(void)
{
	__u64 half = MILLION / 2 * PAGE;
	struct tfs_msg m;

	tfs_msg_init(&m, 2 * half + HUGE_EXTENTS * PMD, FUSE_FMAP_EXT_SIMPLE);
	extents(&m, 0, PAGE, MILLION / 2);
	extents(&m, half, PMD, HUGE_EXTENTS);
	extents(&m, half + HUGE_EXTENTS * PMD, PAGE, MILLION / 2);
	return add("f0", &m);
}

static const struct {
	const char *name;
	int (*add)(void);
} kinds[] = {
	{ "one",	add_one },
	{ "stripe",	add_stripe },
	{ "one-big",	add_one_big },
	{ "uniform",	add_uniform },
	{ "mixed",	add_mixed },
};

static int fail(const char *what, const char *name, int err)
{
	fprintf(stderr, "layouts: %s %s: %s\n", what, name, strerror(err));
	return 1;
}

static int add_kind(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			return kinds[i].add();
	return -EINVAL;
}

int main(int argc, char **argv)
{
	int err;

	if (argc != 4)
		return fail("usage:", "layouts MOUNTPOINT DEVICE LAYOUT",
			    EINVAL);
	err = serve_init(&env, argv[1], argv[2]);
	if (err)
		return fail("cannot open", "/dev/fuse", -err);
	err = add_kind(argv[3]);
	if (err)
		return fail("cannot lay out", argv[3], -err);

	err = serve_mount(&env);
	if (err)
		return fail("cannot mount at", env.dir, -err);
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	err = tfs_umount(&env);
	return err ? fail("cannot unmount", env.dir, -err) : 0;
}
