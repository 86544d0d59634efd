// SPDX-License-Identifier: GPL-2.0
/*
 * Mount points that have lost their servers, and those who start other ones: all
 * were killed, and no socket of them answers. The kernel does, for them.
 */

#include "lost.h"

#include <errno.h>
#include <string.h>

#include "ask.h"
#include "place.h"

#define LOST_TYPE	"fuse.famfs"

/* Lost before it had begun to serve, and while the request was on its way. */
bool lost_is(int err)
{
	return err == -ENOTCONN || err == -ECONNREFUSED || err == -ECONNABORTED;
}

struct lost_search {
	const char *name;
	struct place place;
	void (*call)(void *context, const struct table_mount *mount);
	void *context;
	unsigned int count;
};

static bool lost_fits(const struct lost_search *search,
		      const struct table_mount *mount)
{
	const char *name = search->name;

	return !name || !strcmp(name, mount->where) ||
	       !strcmp(name, mount->source) ||
	       (strchr(name, '/') &&
		!strcmp(search->place.number, mount->number));
}

static void lost_look(void *context, const struct table_mount *mount)
{
	struct lost_search *search = context;
	struct answer answer;
	struct place place;

	/* What a server has is not asked: that could take five seconds. */
	if (!lost_fits(search, mount) ||
	    ask_find(ask_is_superblock, mount->number, mount->where, 0,
		     &answer) == 0 ||
	    !lost_is(place_find(mount->where, true, &place)))
		return;
	search->count++;
	search->call(search->context, mount);
}

unsigned int lost_each(const char *name,
		       void (*call)(void *context,
				    const struct table_mount *mount),
		       void *context)
{
	struct lost_search search = {
		.name = name, .call = call, .context = context,
	};

	if (name)
		place_find(name, false, &search.place);
	table_each(LOST_TYPE, lost_look, &search);
	return search.count;
}
