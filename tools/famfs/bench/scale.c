// SPDX-License-Identifier: GPL-2.0
/*
 * A FUSE server with one file whose map has many extents, or is one stripe over
 * many devices; and what it takes to bring that map and to let go of it.
 *
 * Usage: scale MOUNTPOINT extents N DEVICE
 *        scale MOUNTPOINT stripe DEVICE...
 *
 * The map of the file f0, of 256 MiB at least:
 *
 *   extents	N extents, a power of two, of 4 KiB at least. One in 128 is a page
 *		longer than the others, so that none is found by dividing. They
 *		lie scattered over the device: each makes a claim of its own, and
 *		claims arrive in no order
 *   stripe	chunks of 64 KiB, in turn on each of the devices
 *
 * Prints "OPERATION INSTRUCTIONS" lines, then "ready", and serves until the end
 * of standard input:
 *
 *   install	the write() by which the server pushes the map
 *   evict	the write() by which it makes the kernel forget the file. The
 *		map's claims are taken back; its memory is freed after that
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "serve.h"

#define PAGE		4096UL
#define FILE_SIZE	(256 * MiB)
#define CHUNK		(64 << 10)
#define DEVICES_MOST	256

/* Extents that are scattered among themselves, and then as a whole. */
#define BLOCK		128UL

/* Coprime to every power of two. */
#define STRIDE		618033UL
#define BLOCK_STRIDE	37UL

/* Small maps are brought several times, of all of them the mean counts. */
#define SMALL		4096UL
#define TIMES		8

/* Its file is number 0. */
static struct tfs_env env;
static int ids[DEVICES_MOST];

static void add_extents(struct tfs_msg *m, unsigned long n)
{
	__u64 len = FILE_SIZE / n < PAGE ? PAGE : FILE_SIZE / n;
	unsigned long block = n < BLOCK ? n : BLOCK, i;
	__u64 block_len = block * len + PAGE;

	tfs_msg_init(m, n / block * block_len, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < n; i++) {
		unsigned long nth = i / block * STRIDE % (n / block);
		unsigned long slot = i % block * BLOCK_STRIDE % block;
		__u64 at = nth * block_len + slot * len;

		if (slot)
			tfs_msg_extent(m, ids[0], at + PAGE, len);
		else
			tfs_msg_extent(m, ids[0], at, len + PAGE);
	}
}

static void add_stripe(struct tfs_msg *m, int devices)
{
	int i;

	tfs_msg_init(m, FILE_SIZE, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_stripe(m, FILE_SIZE, CHUNK, devices);
	for (i = 0; i < devices; i++)
		tfs_msg_strip(m, ids[i], 0, FILE_SIZE / devices);
}

static void find_file(void)
{
	__u64 size;

	errno = -tfs_stat_size(&env, "f0", &size);
	if (errno)
		die("cannot find", "f0");
}

static void must_have(long maps, const char *after)
{
	if (tfs_maps(&env) == maps)
		return;
	errno = EPROTO;
	die("the kernel has other maps after", after);
}

static unsigned long install(const struct tfs_msg *m)
{
	unsigned long start;
	int err;

	find_file();
	start = count();
	err = tfs_push_map(env.srv.fd, 0, m);
	start = count() - start;
	errno = -err;
	if (err)
		die("cannot push a map of", "f0");
	must_have(1, "a push");
	return start;
}

/* With its last name goes the last reference. */
static unsigned long evict(void)
{
	struct fuse_notify_inval_entry_out out = {
		.parent = FUSE_ROOT_ID, .namelen = 2,
	};
	unsigned long start = count();
	int err = tfs_notify(&env.srv, FUSE_NOTIFY_INVAL_ENTRY, &out,
			     sizeof(out), "f0", 3);

	start = count() - start;
	errno = -err;
	if (err)
		die("no eviction of", "f0");
	must_have(0, "an eviction");
	return start;
}

/* In the end the map is there. */
static void measure(const struct tfs_msg *m, int times)
{
	unsigned long installs = 0, evictions = 0;
	int i;

	for (i = 0; i < times; i++) {
		installs += install(m);
		evictions += evict();
	}
	result("install", (double)installs / times);
	result("evict", (double)evictions / times);
	install(m);
}

static void open_devices(char **paths, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		ids[i] = tfs_dax_open_path(env.srv.fd, paths[i], O_RDWR);
		errno = -ids[i];
		if (ids[i] < 0)
			die("cannot use", paths[i]);
	}
}

static void serve(const char *dir, const char *dev)
{
	errno = -serve_init(&env, dir, dev);
	if (errno)
		die("no server at", dir);
	tfs_add_file(&env.srv, "f0", FILE_SIZE);
	errno = -serve_mount(&env);
	if (errno)
		die("cannot mount at", dir);
	if (mlockall(MCL_CURRENT))
		die("cannot lock", "memory");
	check_clock();
}

int main(int argc, char **argv)
{
	bool striped = argc > 3 && !strcmp(argv[2], "stripe");
	bool extents = argc == 5 && !strcmp(argv[2], "extents");
	unsigned long n = extents ? strtoul(argv[3], NULL, 0) :
				    (unsigned long)argc - 3;
	struct tfs_msg m;

	errno = EINVAL;
	if (!striped && !extents)
		die("usage:", "scale MOUNTPOINT extents N DEVICE | stripe DEVICE...");
	if (!n || n & (n - 1) || (striped && n > DEVICES_MOST))
		die("no power of two, or too many:", argv[2]);
	serve(argv[1], argv[argc - 1]);
	open_devices(argv + (striped ? 3 : 4), striped ? n : 1);
	if (striped)
		add_stripe(&m, n);
	else
		add_extents(&m, n);
	tfs_msg_header(&m)->flags = FUSE_FMAP_BACKING_IDS;
	env.srv.st->files[0].size = tfs_msg_header(&m)->file_size;
	measure(&m, striped || n <= SMALL ? TIMES : 1);
	tfs_msg_exit(&m);

	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	errno = -tfs_umount(&env);
	if (errno)
		die("cannot unmount", argv[1]);
	return 0;
}
