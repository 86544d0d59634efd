// SPDX-License-Identifier: GPL-2.0
/*
 * Many threads on one volume: each works in a directory of its own and looks
 * into those of others. Built with ThreadSanitizer too.
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checks.h"
#include "layout.h"

#define THREADS	4u
#define ROUNDS	300u
#define NAMES	2000u
#define SIZE	(16u << 20)

static struct volume *volume;
static uint64_t directories[THREADS];
static int failures[THREADS];

static int count_entry(void *context, const struct volume_entry *entry)
{
	unsigned int *count = context;

	*count += entry->attr.ino != 0;
	return 0;
}

/* One file from its making to its end. */
static int work_once(unsigned int me, unsigned int round)
{
	struct volume_node file = { .mode = S_IFREG | 0644, .map = 4096 };
	struct op op = { .now = 3000000000 + round };
	uint64_t mine = directories[me];
	struct volume_removed gone;
	struct volume_extent extents[4];
	struct volume_attr attr;
	char name[20];
	uint32_t count;
	int err = 0;

	snprintf(name, sizeof(name), "%u", round % 7);
	err |= volume_create(volume, &op, mine, name, &file, &attr);
	err |= volume_map(volume, &op, attr.ino, 20000, true, &attr);
	err |= volume_tell(volume, &op, attr.ino, 20000, &attr);
	err |= volume_extents(volume, attr.ino, extents, 4, &count);
	err |= volume_setxattr(volume, &op, attr.ino, "user.a", "b", 1, 0);
	err |= volume_truncate(volume, &op, attr.ino, 5, &attr);
	err |= volume_let_go(volume, attr.ino, attr.seq);
	err |= volume_rename(volume, &op, mine, name, mine, "renamed", 0, NULL);
	err |= volume_unlink(volume, &op, mine, "renamed", &gone);
	err |= volume_gone(volume, &op, gone.ino);
	return err;
}

static void *work(void *context)
{
	unsigned int me = (unsigned int)(uintptr_t)context;
	struct volume_stat stat;
	struct volume_attr attr;
	unsigned int count = 0;
	char path[100];

	for (unsigned int round = 0; round < ROUNDS; round++) {
		uint64_t other = directories[(me + round) % THREADS];

		if (work_once(me, round))
			failures[me]++;
		volume_readdir(volume, other, 0, UINT64_MAX, NULL, count_entry,
			       &count);
		volume_lookup(volume, other, "3", &attr);
		volume_path(volume, other, path, sizeof(path));
		volume_statfs(volume, &stat);
		volume_beat(volume, 0);
	}
	return NULL;
}

static bool read_on = true;

static void *read_always(void *context)
{
	unsigned int count = 0;

	while (__atomic_load_n(&read_on, __ATOMIC_SEQ_CST))
		volume_readdir(volume, directories[0], 0, UINT64_MAX, NULL,
			       count_entry, &count);
	return context;
}

/* Readers that follow one another do not keep writers out: else this hangs. */
static int write_beside_readers(void)
{
	struct volume_node file = { .mode = S_IFREG | 0644 };
	struct op op = { .now = 2500000000 };
	pthread_t readers[3 * THREADS];
	struct volume_removed gone;
	struct volume_attr attr;
	char name[20];
	int err = 0;

	/* Long enough to read that one reader is always at it. */
	for (unsigned int i = 0; i < NAMES && !err; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		err = volume_create(volume, &op, directories[0], name, &file,
				    &attr);
	}
	alarm(120);
	for (unsigned int i = 0; i < 3 * THREADS; i++)
		err |= pthread_create(&readers[i], NULL, read_always, NULL);
	for (unsigned int i = 0; i < ROUNDS; i++)
		err |= volume_beat(volume, 0);
	__atomic_store_n(&read_on, false, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < 3 * THREADS; i++)
		pthread_join(readers[i], NULL);
	for (unsigned int i = 0; i < NAMES && !err; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		err = volume_unlink(volume, &op, directories[0], name, &gone);
		if (!err)
			err = volume_gone(volume, &op, gone.ino);
	}
	return err;
}

static int run(void)
{
	struct volume_node directory = { .mode = S_IFDIR | 0755 };
	struct op op = { .now = 2500000000 };
	pthread_t threads[THREADS];
	struct volume_attr attr;
	struct volume_stat stat;
	char name[2] = "a";
	int err = 0;

	for (unsigned int i = 0; i < THREADS && !err; i++, name[0]++) {
		err = volume_create(volume, &op, 1, name, &directory, &attr);
		directories[i] = attr.ino;
	}
	for (unsigned int i = 0; i < THREADS; i++)
		err |= pthread_create(&threads[i], NULL, work,
				      (void *)(uintptr_t)i);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		err |= failures[i];
	}
	err |= write_beside_readers();
	volume_statfs(volume, &stat);
	printf("%u threads, %llu records, generation %llu: %s\n", THREADS,
	       (unsigned long long)stat.seq,
	       (unsigned long long)stat.generation, err ? "failed" : "good");
	return err || stat.inodes != THREADS + 1 || stat.free != stat.total;
}

int main(void)
{
	uint8_t *bytes = calloc(1, SIZE);
	struct media *media = media_of_memory(bytes, SIZE);
	struct volume_format format;
	int err;

	check_format(&format);
	format.area = 1 << 20;
	err = volume_format(media, &format, NULL);
	if (!err)
		err = check_open(&volume, media, VOLUME_OWN, NULL);
	if (!err)
		err = run();
	volume_close(volume);
	media_close(media);
	free(bytes);
	return err != 0;
}
