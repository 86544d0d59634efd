// SPDX-License-Identifier: GPL-2.0
/*
 * The end at each access, one after the other: of a mount, of operations, of a
 * compaction, of leaving. The host dies, or the server alone, and comes back.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checks.h"
#include "double.h"
#include "layout.h"

#define NAMES	6

static struct double_memory crash_memory;
static uint8_t *crash_image;

/* Returns how many names have been made for certain. */
static unsigned int crash_scenario(struct media *media)
{
	struct volume_node file = { .mode = S_IFREG | 0644, .map = 4096 };
	struct op op = { .now = 2500000000 };
	struct volume *volume;
	char name[] = "a";
	unsigned int made = 0;

	if (check_open(&volume, media, VOLUME_OWN, NULL))
		return 0;
	for (unsigned int i = 0; i < NAMES; i++, name[0]++) {
		op.unique++;
		if (volume_create(volume, &op, 1, name, &file, NULL))
			break;
		made++;
		if (i % 2)
			volume_compact(volume, op.now);
		volume_beat(volume, 0);
	}
	if (made == NAMES)
		volume_leave(volume);
	volume_close(volume);
	return made;
}

static const char *crash_look(unsigned int made, unsigned int how)
{
	struct double_host *host = &crash_memory.hosts[how == VOLUME_OWN ? 0 : 1];
	struct fault fault = { 0 };
	struct volume_stat stat;
	struct volume *volume;
	int err = check_open(&volume, &host->media, how, &fault);

	if (err)
		return check_say("%d: %s", err, fault.text);
	volume_statfs(volume, &stat);
	volume_close(volume);
	if (stat.names == made || stat.names == made + 1)
		return NULL;
	return check_say("%u names, not %u", (unsigned int)stat.names, made);
}

/* False in @more: the scenario ends before the access. */
static const char *crash_at(uint64_t step, bool server, uint64_t seed,
			    bool *more)
{
	struct double_host *host = &crash_memory.hosts[0];
	const char *wrong;
	unsigned int made;

	double_reset(&crash_memory, crash_image, seed);
	crash_memory.chaos = 16;
	crash_memory.crash_at = step;
	crash_memory.crash_keeps = server;
	made = crash_scenario(&host->media);
	*more = host->dead;
	crash_memory.crash_at = 0;
	host->dead = false;
	/* What a member sees meanwhile, and what the owner comes back to. */
	double_settle(&crash_memory);
	wrong = crash_look(made, VOLUME_READ);
	if (!wrong)
		wrong = crash_look(made, VOLUME_OWN);
	if (!wrong)
		wrong = crash_look(made, VOLUME_READ);
	return wrong ? check_say("end at access %llu: %s",
				 (unsigned long long)step, wrong) : NULL;
}

const char *check_crash(void)
{
	const char *wrong = NULL;
	struct volume_format format;
	struct media *media;
	bool more = true;

	crash_image = calloc(1, CHECK_SIZE);
	media = media_of_memory(crash_image, CHECK_SIZE);
	check_format(&format);
	format.area = AREA_LEAST;
	if (!media || volume_format(media, &format, NULL))
		return "mkfs fails";
	media_close(media);
	double_init(&crash_memory, CHECK_SIZE);
	for (uint64_t step = 1; more && !wrong; step++) {
		wrong = crash_at(step, true, step, &more);
		if (!wrong)
			wrong = crash_at(step, false, step + 1000000, &more);
	}
	double_free(&crash_memory);
	free(crash_image);
	return wrong;
}
