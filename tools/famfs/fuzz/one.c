// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzing the code that reads maps of files: one message.
 *
 * Every buffer has exactly the size that it needs, so that AddressSanitizer
 * sees a read of the first byte too many.
 */

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <linux/err.h>
#include <linux/slab.h>

/* Of the map itself, on top of what its extents take */
#define MAP_BYTES	160

static int fuzz_allocated;
static size_t fuzz_bytes;
static bool fuzz_no_memory;

void *kmalloc(size_t size, int flags)
{
	void *ptr;

	(void)flags;
	if (fuzz_no_memory)
		return NULL;
	ptr = malloc(size);
	if (ptr) {
		/* What is not set later is not zero by chance either. */
		memset(ptr, 0xa5, size);
		fuzz_allocated++;
		fuzz_bytes = size;
	}
	return ptr;
}

void kvfree(const void *ptr)
{
	if (!ptr)
		return;
	free((void *)ptr);
	fuzz_allocated--;
}

/* Any choice for a message is always the same one. */
static u64 fuzz_hash(const u8 *data, size_t size)
{
	u64 hash = 0xcbf29ce484222325ULL;

	while (size--)
		hash = (hash ^ *data++) * 0x100000001b3ULL;
	return hash;
}

static void *fuzz_copy(const void *data, size_t size)
{
	void *copy = malloc(size);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	return copy;
}

static const char *fuzz_parse(const void *data, size_t size,
			      struct rnd_state *rnd, struct famfs_parse_error *fault)
{
	void *msg = fuzz_copy(data, size);
	struct famfs_map *map = famfs_map_parse(msg, size, fault);
	const char *wrong;

	/* A map lives without its message. */
	free(msg);
	wrong = famfs_check_parse(data, size, map, fault);
	if (IS_ERR(map))
		return wrong;
	if (!wrong)
		wrong = famfs_check_map(data, size, map, rnd);
	if (!wrong && fuzz_bytes > size + 8 * map->nr_stripes + MAP_BYTES)
		wrong = "more memory than 24 bytes an extent and 32 a stripe";
	famfs_map_free(map);
	return wrong;
}

static const char *fuzz_parse_starved(const void *data, size_t size)
{
	struct famfs_parse_error fault = {};
	struct famfs_map *map;

	fuzz_no_memory = true;
	map = famfs_map_parse(data, size, &fault);
	fuzz_no_memory = false;
	if (PTR_ERR(map) == (fault.why ? -EINVAL : -ENOMEM))
		return NULL;
	return "no memory, and another error than ENOMEM";
}

/**
 * fuzz_one() - have a message read, and compare with the reference
 * @data: anything
 * @size: its length
 * @result: filled in
 */
void fuzz_one(const void *data, size_t size, struct fuzz_result *result)
{
	u64 hash = fuzz_hash(data, size);
	struct famfs_parse_error fault = {};
	struct rnd_state rnd;
	void *copy = fuzz_copy(data, size);

	prandom_seed_state(&rnd, hash);
	result->wrong = fuzz_parse(copy, size, &rnd, &fault);
	if (!result->wrong && hash % 16 == 0)
		result->wrong = fuzz_parse_starved(copy, size);
	if (!result->wrong && memcmp(copy, data, size))
		result->wrong = "the message was written to";
	if (!result->wrong && fuzz_allocated)
		result->wrong = "memory was not freed, or freed twice";
	result->why = fault.why;
	result->pos = fault.pos;
	free(copy);
}
