// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of single lines on the double: what one host has written and fenced,
 * another one reads, whatever its cache has had, and after the writer's end.
 */

#include <errno.h>
#include <string.h>

#include "checks.h"
#include "double.h"
#include "layout.h"
#include "lines.h"
#include "super.h"

static uint8_t cache_image[CHECK_SIZE];
static struct double_memory cache_memory;
static const uint8_t cache_uuid[16] = "cache";

/* Writes a line that says @value. */
static int cache_write(unsigned int kind, struct media *media, uint32_t value)
{
	struct root root = { .epoch = 1, .state = ROOT_STATE_OWNED,
			     .generation = value };
	struct call call = { .epoch = value };
	struct identity identity = { .nonce = value };
	struct beat beat = { .counter = value };
	struct claim claim = { .ticket = value };
	char name[2] = { (char)('a' + value), 0 };

	switch (kind) {
	case 0:
		return root_write(&root, media, cache_uuid);
	case 1:
		return call_write(&call, media, cache_uuid);
	case 2:
		return identity_write(&identity, media, cache_uuid, 1);
	case 3:
		return beat_write(&beat, media, cache_uuid, 1);
	case 4:
		return hostname_write(name, media, cache_uuid, 1);
	}
	return claim_write(&claim, media, cache_uuid, 1);
}

/* What the line says; -1: nothing. */
static int cache_read(unsigned int kind, struct media *media)
{
	struct root root;
	struct call call;
	struct identity identity;
	struct beat beat;
	char name[HOST_NAME_MOST + 1];

	switch (kind) {
	case 0:
		return root_read(&root, media, cache_uuid) ?
		       -1 : (int)root.generation;
	case 1:
		return call_read(&call, media, cache_uuid) ?
		       -1 : (int)call.epoch;
	case 2:
		return identity_read(&identity, media, cache_uuid, 1) ?
		       -1 : (int)identity.nonce;
	case 3:
		return beat_read(&beat, media, cache_uuid, 1) ?
		       -1 : (int)beat.counter;
	case 4:
		return hostname_read(name, media, cache_uuid, 1) ?
		       -1 : name[0] - 'a';
	}
	return (int)cache_memory.bytes[slot_offset(1) + SLOT_CLAIM +
				       CLAIM_TICKET];
}

static const char *cache_line(unsigned int kind, uint64_t seed)
{
	struct double_host *hosts = cache_memory.hosts;
	struct call call = { .epoch = 1 };
	int got;

	double_reset(&cache_memory, cache_image, seed);
	cache_memory.chaos = 0;
	if (call_write(&call, &hosts[2].media, cache_uuid) ||
	    cache_write(kind, &hosts[0].media, 1))
		return "writing fails";
	double_settle(&cache_memory);
	if (cache_read(kind, &hosts[1].media) != 1)
		return "nothing is read";
	if (kind == 0 && root_count(&hosts[1].media, cache_uuid) != 2)
		return "a root line is wrong";
	if (cache_write(kind, &hosts[0].media, 2))
		return "writing fails";
	double_crash(&cache_memory, 0);
	if (kind == 0 && root_count(&hosts[1].media, cache_uuid) != 2)
		return "a root line is wrong";
	/* The line that was written first is spoilt: the other one is needed. */
	if (kind == 0)
		memset(cache_memory.bytes + ROOT_OFFSET_ONE, 0, LINE_SIZE);
	got = cache_read(kind, &hosts[1].media);
	return got == 2 ? NULL : check_say("line %u says %d", kind, got);
}

/* Two roots one after the other, and the end at any access. */
static const char *cache_root_crash(uint64_t seed)
{
	struct double_host *hosts = cache_memory.hosts;
	struct call call = { .epoch = 1 };
	int done = 1, got;

	double_reset(&cache_memory, cache_image, seed);
	cache_memory.chaos = 0;
	if (call_write(&call, &hosts[2].media, cache_uuid) ||
	    cache_write(0, &hosts[2].media, 1))
		return "writing fails";
	double_settle(&cache_memory);
	cache_memory.crash_at = cache_memory.steps + 1 +
				double_random(&cache_memory, 12);
	while (done < 3 && !cache_write(0, &hosts[0].media,
					(uint32_t)done + 1))
		done++;
	double_crash(&cache_memory, 0);
	got = cache_read(0, &hosts[1].media);
	return got == done || got == done + 1 ? NULL :
	       check_say("root %d after %d were written", got, done);
}

/* A medium that is made anew is not taken for the old one. */
static const char *cache_super(uint64_t seed)
{
	struct double_host *hosts = cache_memory.hosts;
	struct volume_format format;
	struct super super;

	double_reset(&cache_memory, cache_image, seed);
	cache_memory.chaos = 0;
	check_format(&format);
	for (unsigned int i = 0; i < 2; i++) {
		format.uuid[0] = (uint8_t)i;
		if (volume_format(&hosts[0].media, &format, NULL))
			return "mkfs fails";
		double_settle(&cache_memory);
		if (super_read(&super, &hosts[1].media, NULL) ||
		    super.uuid[0] != i)
			return "an old superblock is read";
		if (super_read_copy(&super, &hosts[1].media) ||
		    super.uuid[0] != i)
			return "an old copy of the superblock is read";
	}
	return NULL;
}

/* The list that a beat names, and no other. */
static const char *cache_list(uint64_t seed)
{
	struct double_host *hosts = cache_memory.hosts;
	static uint64_t inodes[LIST_MOST], got[LIST_MOST];
	struct beat beat = { .list_count = 20 };

	double_reset(&cache_memory, cache_image, seed);
	cache_memory.chaos = 0;
	for (uint32_t i = 0; i < LIST_MOST; i++)
		inodes[i] = i + seed;
	if (list_write(inodes, 20, 1, &hosts[0].media, cache_uuid, 1,
		       &beat.list_crc))
		return "a list is not written";
	beat.list_version = 1;
	double_settle(&cache_memory);
	if (list_read(got, &beat, &hosts[1].media, cache_uuid, 1))
		return "a list is not read";
	if (list_write(inodes + 1, 20, 3, &hosts[0].media, cache_uuid, 1,
		       &beat.list_crc) ||
	    list_write(inodes, LIST_MOST, 4, &hosts[0].media, cache_uuid, 1,
		       &beat.tail))
		return "a list is not written";
	beat.list_version = 3;
	double_crash(&cache_memory, 0);
	if (list_read(got, &beat, &hosts[1].media, cache_uuid, 1) ||
	    memcmp(got, inodes + 1, 160))
		return "another list is read";
	beat.list_version = 4;
	if (list_read(got, &beat, &hosts[1].media, cache_uuid, 1) != -EAGAIN)
		return "a list counts that the beat does not name";
	/* So much that it would not fit on a stack. */
	beat.list_count = 1 << 19;
	return list_read(got, &beat, &hosts[1].media, cache_uuid, 1) ==
	       -EAGAIN ? NULL : "a list is too long";
}

/* Of two records the second is seen first: that is no damage. */
static const char *cache_order(void)
{
	struct double_host *hosts = cache_memory.hosts;
	struct volume_node node = { .mode = 0100644 };
	struct op op = { .now = 1 };
	struct volume *owner, *reader;
	struct volume_stat stat;
	uint32_t first;

	double_reset(&cache_memory, cache_image, 1);
	cache_memory.chaos = 0;
	if (check_mkfs(&hosts[0].media) ||
	    check_open(&owner, &hosts[0].media, VOLUME_OWN, NULL))
		return "making it fails";
	double_settle(&cache_memory);
	if (volume_create(owner, &op, 1, "a", &node, NULL))
		return "creating fails";
	first = cache_memory.flight_count;
	if (volume_create(owner, &op, 1, "b", &node, NULL))
		return "creating fails";
	volume_close(owner);
	double_land_from(&cache_memory, first);
	if (check_open(&reader, &hosts[1].media, VOLUME_READ, NULL))
		return "a record that is late is taken for damage";
	volume_statfs(reader, &stat);
	volume_close(reader);
	return stat.names == 2 ? NULL : "a record that is late is not read";
}

const char *check_cache(void)
{
	const char *wrong = NULL;

	double_init(&cache_memory, CHECK_SIZE);
	for (uint64_t seed = 1; seed < 20 && !wrong; seed++) {
		for (unsigned int kind = 0; kind < 6 && !wrong; kind++)
			wrong = cache_line(kind, seed);
	}
	for (uint64_t seed = 1; seed < 2000 && !wrong; seed++)
		wrong = cache_root_crash(seed);
	if (!wrong)
		wrong = cache_super(1);
	for (uint64_t seed = 1; seed < 20 && !wrong; seed++)
		wrong = cache_list(seed);
	if (!wrong)
		wrong = cache_order();
	double_free(&cache_memory);
	return wrong;
}
