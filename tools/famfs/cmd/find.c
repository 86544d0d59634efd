// SPDX-License-Identifier: GPL-2.0
/*
 * Which of the servers of this host is meant, by what they say of themselves.
 */

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "ask.h"
#include "clock.h"
#include "cmd.h"
#include "place.h"
#include "serve.h"

/*
 * That of one that ends is of another mount already, if its superblock has gone:
 * numbers are given again.
 */
bool ask_is_superblock(const struct answer *answer, const void *number)
{
	return !strcmp(ask_value(answer, "superblock"), number) &&
	       strcmp(ask_value(answer, "state"), "ending");
}

/* @name: as it was given; @place: what it leads to, if it does. */
struct find_wanted {
	const char *name;
	struct place place;
};

static bool find_is(const struct answer *answer, const void *context)
{
	static const char *const words[] = { "mountpoint", "device", "source",
					     "uuid", "label" };
	const struct find_wanted *wanted = context;

	if (!wanted->name)
		return true;
	/* A file of it, or any mount point. */
	if (strchr(wanted->name, '/') && wanted->place.number[0] &&
	    ask_is_superblock(answer, wanted->place.number))
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		const char *value = ask_value(answer, words[i]);

		if (*value && (!strcmp(value, wanted->name) ||
			       !strcmp(value, wanted->place.path)))
			return true;
	}
	return false;
}

static void find_begin(struct find_wanted *wanted, const char *name)
{
	memset(wanted, 0, sizeof(*wanted));
	wanted->name = name;
	if (name)
		place_find(name, false, &wanted->place);
}

/**
 * struct find_round - all servers are asked once
 * @silent: what is called for those that do not answer
 * @count: how many fit
 * @missed: how many do not answer
 */
struct find_round {
	bool (*fits)(const struct answer *answer, const void *of);
	const void *of;
	void (*each)(void *context, const struct answer *answer);
	void *context;
	void (*silent)(const char *uuid);
	unsigned int count, missed;
};

static void find_ask(struct find_round *round)
{
	DIR *folder = opendir(CONTROL_FOLDER);
	struct dirent *entry;
	struct answer answer;
	int err;

	round->count = round->missed = 0;
	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		err = ask_uuid(entry->d_name, "status", &answer);
		if (err == -ETIMEDOUT) {
			round->missed++;
			if (round->silent)
				round->silent(entry->d_name);
		}
		if (err || !round->fits(&answer, round->of))
			continue;
		round->count++;
		round->each(round->context, &answer);
	}
	if (folder)
		closedir(folder);
}

static void find_silent(const char *uuid)
{
	cmd_fail(cmd_text(uuid),
		 "wait, if it reads a long log; findmnt -t fuse.famfs   shows what is mounted",
		 "the server of this file system does not answer");
}

int ask_status(const char *name,
	       void (*each)(void *context, const struct answer *answer),
	       void *context)
{
	struct find_wanted wanted;
	struct find_round round = {
		.fits = find_is, .of = &wanted, .each = each,
		.context = context, .silent = find_silent,
	};

	find_begin(&wanted, name);
	find_ask(&round);
	return (int)round.count;
}

/* One that ends only where there is no other. */
static void find_note(void *context, const struct answer *answer)
{
	struct answer *found = context;

	if (!found->uuid[0] || strcmp(ask_value(answer, "state"), "ending"))
		*found = *answer;
}

int ask_find(bool (*fits)(const struct answer *answer, const void *of),
	     const void *of, const char *object, unsigned int ms,
	     struct answer *answer)
{
	struct find_round round = {
		.fits = fits, .of = of, .each = find_note, .context = answer,
	};
	uint64_t begin = clock_ms();
	bool told = false;

	answer->uuid[0] = '\0';
	for (;;) {
		find_ask(&round);
		if (answer->uuid[0])
			return 0;
		if (!round.missed)
			return -ENOENT;
		if (clock_ms() - begin >= ms)
			return -ETIMEDOUT;
		if (!told)
			ask_tell(object);
		told = true;
	}
}

int ask_find_name(const char *name, struct answer *answer)
{
	struct find_wanted wanted;
	int err;

	find_begin(&wanted, name);
	err = ask_find(find_is, &wanted, name, ASK_LIMIT_MS, answer);
	if (err == -ETIMEDOUT)
		cmd_fail(cmd_text(name),
			 "famfs status   shows which one; findmnt -t fuse.famfs   what is mounted",
			 "a server, which may be its, has not answered for a minute");
	return err;
}
