/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The double: one memory, and a cache of its own for each host, which does all
 * that the format has to bear.
 *
 * A line of a cache is absent, clean with any past content, or dirty. At any
 * access lines are fetched, evicted and written back at will, also of hosts
 * that stand still; a dirty one reaches memory whole in any state that it has
 * had, or in pieces of 8 bytes of any of these. What was fenced arrives for
 * other hosts at some time before a settle. With a host each of its dirty lines
 * is lost, or not.
 */
#ifndef FAMFS_TEST_DOUBLE_H
#define FAMFS_TEST_DOUBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "media.h"

#define DOUBLE_HOSTS	3u

struct double_memory;

/* A host's view, as a medium. */
struct double_host {
	struct media media;
	struct double_memory *memory;
	int32_t *where;		/* of each line in @lines, or -1 */
	struct double_line *lines;
	uint32_t count, room;
	uint64_t backed[256];	/* lines that wait for a fence */
	uint32_t backed_count;
	bool dead;		/* every access fails, and does nothing */
};

struct double_memory {
	uint8_t *bytes;
	uint64_t size;
	struct double_host hosts[DOUBLE_HOSTS];
	struct double_flight *flights;
	uint32_t flight_count;
	uint64_t *touched;	/* lines that are not as in the image */
	uint32_t touched_count;
	uint8_t *touched_is;
	const uint8_t *image;
	uint64_t random;
	uint64_t steps;		/* accesses of lines so far */
	uint64_t crash_at;	/* the step at which @crash_host dies, or 0 */
	uint32_t crash_host;
	bool crash_keeps;	/* only the server dies: the cache stays */
	uint64_t call_at;	/* the step at which @call is called, or 0 */
	void (*call)(void *context);
	void *context;
	uint32_t chaos;		/* of 256: how often something happens */
};

void double_init(struct double_memory *memory, uint64_t size);
void double_free(struct double_memory *memory);

/* Everything empty, and @image in the memory. */
void double_reset(struct double_memory *memory, const uint8_t *image,
		  uint64_t seed);

/* A host goes, with what its cache has not written. It can come again. */
void double_crash(struct double_memory *memory, uint32_t host);

/* What was fenced is seen by all. */
void double_settle(struct double_memory *memory);

/* Only what was fenced as the @nth and later is seen: lines take any order. */
void double_land_from(struct double_memory *memory, uint32_t nth);

uint32_t double_random(struct double_memory *memory, uint32_t below);

#endif
