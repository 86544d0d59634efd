// SPDX-License-Identifier: GPL-2.0
/*
 * Many files: how long it takes to make and to mount them, and what memory they
 * take. FAMFS_FILES says how many. Fails where a file takes more than 300 bytes
 * besides its name and its extents, or a million more than 6 seconds of the processor to mount,
 * where the search for space goes over all of an aged device each time, and where
 * a name of many is not removed as fast as that of another inode.
 */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "checks.h"
#include "layout.h"
#include "space.h"

#define PER_DIRECTORY	1000u
#define NAME_BYTES	16u
/* An allocation of one extent, with what malloc() keeps of it. */
#define EXTENT_BYTES	32u

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t memory_used(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static int fill(struct volume *volume, unsigned int files)
{
	struct volume_node directory = { .mode = S_IFDIR | 0755 };
	struct volume_node file = { .mode = S_IFREG | 0644, .map = 4096 };
	struct volume_attr in = { .ino = ROOT_INO };
	struct op op = { .now = 3000000000 };
	char name[NAME_BYTES + 1];
	int err = 0;

	for (unsigned int i = 0; i < files && !err; i++) {
		snprintf(name, sizeof(name), "name-%011u", i);
		op.now++;
		if (i % PER_DIRECTORY == 0)
			err = volume_create(volume, &op, ROOT_INO, name,
					    &directory, &in);
		if (!err)
			err = volume_create(volume, &op, in.ino, name, &file,
					    NULL);
	}
	return err;
}

static int make(struct media *media, unsigned int files)
{
	struct volume_format format;
	struct volume *volume;
	int err;

	check_format(&format);
	format.area = 512 << 20;
	err = volume_format(media, &format, NULL);
	if (!err)
		err = check_open(&volume, media, VOLUME_OWN, NULL);
	if (err)
		return err;
	err = fill(volume, files);
	if (!err)
		err = volume_leave(volume);
	volume_close(volume);
	return err;
}

static int measure(struct media *media, unsigned int files)
{
	size_t before = memory_used(), bytes;
	double start = seconds(), took;
	struct volume_stat stat;
	struct volume *volume;
	int err = check_open(&volume, media, VOLUME_OWN, NULL);

	took = seconds() - start;
	if (err)
		return err;
	volume_statfs(volume, &stat);
	/* The bits of the space are the device's, not the files'. */
	bytes = (memory_used() - before - stat.total / 4096 / 8 -
		 stat.total / HUGE_SIZE * 2) / files;
	printf("mounted %llu names in %.2f s, snapshot of %llu bytes included\n",
	       (unsigned long long)stat.names, took,
	       (unsigned long long)stat.log_used);
	printf("%zu bytes a file, of which %u are its name and %u its extent\n",
	       bytes, NAME_BYTES, EXTENT_BYTES);
	volume_close(volume);
	if (stat.names != files + (files + PER_DIRECTORY - 1) / PER_DIRECTORY)
		return 1;
	return bytes - NAME_BYTES - EXTENT_BYTES > 300 || took > 1 + files / 200000.0;
}

/*
 * A device of 1 TiB of which each 2 MiB has a file: one large file more asks for
 * space as often as there are pieces, and nobody is served meanwhile.
 */
static int aged(void)
{
	uint64_t end = 1ull << 40;
	struct space space;
	double start;

	if (space_init(&space, 0, end, 4096))
		return 1;
	for (uint64_t at = 0; at < end; at += HUGE_SIZE)
		space_take(&space, at, 4096);
	start = seconds();
	for (unsigned int i = 0; i < 2000; i++) {
		struct run run = space_find_units(&space, HUGE_SIZE);

		space_take(&space, run.offset, run.bytes);
	}
	start = seconds() - start;
	space_free(&space);
	printf("found 2000 pieces of an aged device in %.3f s\n", start);
	return start > 0.2;
}

#define LINKS	20000u

/* Names of one inode, or of as many, removed in the order they were made in. */
static int remove_names(struct volume *volume, bool links, double *took)
{
	struct volume_node node = { .mode = S_IFREG | 0644 };
	struct op op = { .now = 4000000000 };
	struct volume_attr attr;
	char name[32];
	int err = 0;

	for (unsigned int i = 0; i < LINKS && !err; i++) {
		snprintf(name, sizeof(name), "link-%u", i);
		err = links && i ?
		      volume_link(volume, &op, attr.ino, ROOT_INO, name, &attr) :
		      volume_create(volume, &op, ROOT_INO, name, &node, &attr);
	}
	*took = seconds();
	for (unsigned int i = 0; i < LINKS && !err; i++) {
		snprintf(name, sizeof(name), "link-%u", i);
		err = volume_unlink(volume, &op, ROOT_INO, name, NULL);
	}
	*took = seconds() - *took;
	return err;
}

static int links(struct media *media)
{
	struct volume *volume;
	double files, names;
	int err = check_open(&volume, media, VOLUME_OWN, NULL);

	if (err)
		return err;
	err = remove_names(volume, false, &files);
	if (!err)
		err = remove_names(volume, true, &names);
	volume_close(volume);
	if (!err)
		printf("removed %u files in %.3f s, as many names of one in %.3f s\n",
		       LINKS, files, names);
	return err ? err : names > 3 * files + 0.05;
}

int main(void)
{
	const char *text = getenv("FAMFS_FILES");
	unsigned int files = text ? (unsigned int)atoi(text) : 100000;
	uint64_t size = (2ull << 30) + files * 8192ull;
	double start = seconds();
	struct media *media;
	void *bytes;
	int err;

	bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	media = bytes == MAP_FAILED ? NULL : media_of_memory(bytes, size);
	if (!media)
		return 1;
	err = make(media, files);
	printf("made %u files in %.2f s\n", files, seconds() - start);
	if (!err)
		err = measure(media, files);
	if (!err)
		err = links(media);
	media_close(media);
	if (!err)
		err = aged();
	if (err)
		printf("failed: %d\n", err);
	return err != 0;
}
