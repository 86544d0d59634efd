// SPDX-License-Identifier: GPL-2.0
/*
 * For how long each host has been as it is seen: whoever polls looks at all
 * slots, and a beat that stands for ten seconds is that of a silent host.
 */

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "cmd.h"
#include "hosts.h"
#include "layout.h"
#include "server.h"

#define PRESENCE_SILENT_MS	10000u

/* What is said of one host at most, by name. */
#define PRESENCE_PATHS		8u

/**
 * struct presence - a slot as it was seen
 * @state: what it is called
 * @since: milliseconds, when that began
 * @beat: when its counter moved last
 */
struct presence {
	const char *state;
	uint64_t since, beat, counter;
	bool answers;
};

/* One mount a process. @lock is taken before those of the volume. */
static struct {
	pthread_mutex_t lock;
	struct presence slots[SLOT_COUNT];
} presences = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

static const char *presence_state(const struct volume_host *host,
				  const struct presence *seen, uint64_t now)
{
	if (host->presence == HOST_NEVER_IN)
		return "new";
	if (host->presence == HOST_LEFT)
		return "left";
	if (host->self)
		return "in";
	if (host->presence == HOST_UNCLEAR)
		return "unclear";
	if (now - seen->beat >= PRESENCE_SILENT_MS)
		return "silent";
	return host->answers ? "in" : "joining";
}

static int presence_see(void *context, const struct volume_host *host)
{
	struct presence *seen = &presences.slots[host->slot];
	uint64_t now = *(uint64_t *)context;
	const char *state;

	if (!seen->state || seen->answers != host->answers ||
	    (host->answers && seen->counter != host->counter))
		seen->beat = now;
	seen->answers = host->answers;
	seen->counter = host->counter;
	state = presence_state(host, seen, now);
	if (!seen->state || strcmp(seen->state, state)) {
		seen->state = state;
		/* Since its last beat, not since somebody took it for that. */
		seen->since = strcmp(state, "silent") ? now : seen->beat;
	}
	return 0;
}

void presence_update(struct server *server)
{
	uint64_t now = clock_ms();

	pthread_mutex_lock(&presences.lock);
	volume_each_host(server->volume, presence_see, &now);
	pthread_mutex_unlock(&presences.lock);
}

/* What waits for whom, taken down without calls of the volume. */
struct presence_blocked {
	uint64_t bytes[SLOT_COUNT], files[SLOT_COUNT];
	struct {
		uint64_t ino, bytes;
		bool removed;
	} some[SLOT_COUNT][PRESENCE_PATHS];
};

static int presence_block(void *context, unsigned int slot,
			  const struct volume_waiting *waiting)
{
	struct presence_blocked *blocked = context;
	uint64_t nth = blocked->files[slot]++;

	blocked->bytes[slot] += waiting->bytes;
	if (nth < PRESENCE_PATHS) {
		blocked->some[slot][nth].ino = waiting->ino;
		blocked->some[slot][nth].bytes = waiting->bytes;
		blocked->some[slot][nth].removed = waiting->removed;
	}
	return 0;
}

struct presence_telling {
	FILE *to;
	const struct presence_blocked *blocked;
	uint64_t now;
};

static int presence_tell_host(void *context, const struct volume_host *host)
{
	const struct presence_telling *telling = context;
	const struct presence *seen = &presences.slots[host->slot];

	/* Given a slot since the last look. */
	fprintf(telling->to, "host %u %s %s %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n",
		host->slot, host->owner ? "owner" : "member",
		host->self ? "self" : "other",
		seen->state ? seen->state : "new",
		seen->state ? (telling->now - seen->since) / 1000 : 0,
		telling->blocked->bytes[host->slot],
		telling->blocked->files[host->slot], cmd_text(host->name));
	return 0;
}

static void presence_tell_files(struct server *server,
				const struct presence_blocked *blocked,
				unsigned int slot, FILE *to)
{
	char path[PATH_MAX];

	for (uint64_t i = 0; i < blocked->files[slot] &&
	     i < PRESENCE_PATHS; i++) {
		uint64_t ino = blocked->some[slot][i].ino;

		/* What is removed has a number alone. */
		if (blocked->some[slot][i].removed ||
		    volume_path(server->volume, ino, path, sizeof(path)))
			*path = '\0';
		fprintf(to, "waits %u %" PRIu64 " %" PRIu64 " %s\n", slot,
			blocked->some[slot][i].bytes, ino, cmd_text(path));
	}
}

void presence_tell(struct server *server, FILE *to)
{
	static struct presence_blocked blocked;
	struct presence_telling telling = { to, &blocked, clock_ms() };

	memset(&blocked, 0, sizeof(blocked));
	volume_each_blocked(server->volume, presence_block, &blocked);
	pthread_mutex_lock(&presences.lock);
	volume_each_host(server->volume, presence_tell_host, &telling);
	pthread_mutex_unlock(&presences.lock);
	for (unsigned int slot = 0; slot < SLOT_COUNT; slot++)
		presence_tell_files(server, &blocked, slot, to);
}
