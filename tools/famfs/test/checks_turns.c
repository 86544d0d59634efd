// SPDX-License-Identifier: GPL-2.0
/*
 * Steps between two and three hosts, in every order: before any access of one
 * another goes on, as often as is asked for. At no access may a kernel use what
 * another file has.
 */

#include <stdio.h>
#include <string.h>

#include "checks.h"
#include "scene.h"

static struct {
	uint64_t schedules, accesses;
} explored;

/* How a member is when a scene begins. */
enum scene_before { NEVER_IN, IS_IN, HAS_LEFT, HAS_MAP };

/* What each scene is made of: two hosts, or three. */
struct turns_scene {
	const char *name;
	enum scene_before before[TURNS_HOSTS];
	void (*run[TURNS_HOSTS])(unsigned int host);
};

static const struct turns_scene turns_scenes[] = {
	{ "a host that never was in joins", { 0, NEVER_IN },
	  { owner_truncates, member_joins } },
	{ "a host that has left joins", { 0, HAS_LEFT },
	  { owner_truncates, member_joins } },
	{ "a map is cut", { 0, HAS_MAP },
	  { owner_truncates, member_pushes } },
	{ "a file is removed", { 0, HAS_MAP },
	  { owner_removes, member_forgets } },
	{ "a lookup comes late", { 0, IS_IN },
	  { owner_removes, member_is_late } },
	{ "a host leaves", { 0, HAS_MAP },
	  { owner_removes, member_leaves } },
	{ "another area is begun", { 0, IS_IN },
	  { owner_compacts, member_reads } },
	{ "a map is cut at two", { 0, HAS_MAP, HAS_MAP },
	  { owner_truncates, member_pushes, member_pushes } },
	{ "one lets go, another comes", { 0, HAS_MAP, HAS_LEFT },
	  { owner_removes, member_forgets, member_joins } },
	{ "one leaves, another comes for the first time",
	  { 0, HAS_MAP, NEVER_IN },
	  { owner_truncates, member_leaves, member_joins } },
	{ "two come for the first time", { 0, NEVER_IN, NEVER_IN },
	  { owner_truncates, member_joins, member_joins } },
};

static unsigned int scene_hosts(const struct turns_scene *plan)
{
	return plan->run[OTHER] ? 3 : 2;
}

static void scene_prepare(const struct turns_scene *plan)
{
	for (unsigned int i = MEMBER; i < scene_hosts(plan) && !scene.wrong;
	     i++) {
		struct party *member = &scene.parties[i];
		enum scene_before before = plan->before[i];

		if (before != NEVER_IN)
			scene_join(i);
		if (before == HAS_MAP && !scene.wrong)
			party_give(member, scene.file);
		if (before != HAS_LEFT || scene.wrong)
			continue;
		if (volume_leave(member->volume))
			scene_fail("leaving fails");
		party_close(member);
		party_renew(member, false);
	}
	double_settle(&scene_memory);
}

static uint32_t scene_run(const struct turns_scene *plan, unsigned int first,
			  const struct turns_switch switches[TURNS_SWITCHES],
			  enum turns_landing landing)
{
	uint32_t accesses = 0;

	scene_begin();
	scene_prepare(plan);
	if (!scene.wrong)
		accesses = turns_run(plan->run, first, switches, landing,
				     scene_check);
	if (!scene.wrong)
		scene_end(scene_hosts(plan));
	for (unsigned int i = 0; i < TURNS_HOSTS; i++)
		party_close(&scene.parties[i]);
	explored.schedules++;
	explored.accesses += accesses;
	if (scene.wrong)
		scene.wrong = check_say("%s, %u first, switches %u/%u %u/%u %u/%u, landing %u: %s",
					plan->name, first, switches[0].at,
					switches[0].by, switches[1].at,
					switches[1].by, switches[2].at,
					switches[2].by, landing, scene.wrong);
	return accesses;
}

/* All schedules with the switches before @depth as they are, and more. */
static void scene_explore(const struct turns_scene *plan, unsigned int first,
			  enum turns_landing landing,
			  struct turns_switch switches[TURNS_SWITCHES],
			  unsigned int depth, unsigned int most)
{
	uint32_t from = depth ? switches[depth - 1].at : 0, all;

	all = scene_run(plan, first, switches, landing);
	if (depth == most)
		return;
	for (uint32_t at = from + 1; at <= all && !scene.wrong; at++) {
		for (unsigned int by = 1; by < scene_hosts(plan) &&
		     !scene.wrong; by++) {
			switches[depth].at = at;
			switches[depth].by = by;
			scene_explore(plan, first, landing, switches,
				      depth + 1, most);
		}
	}
	switches[depth].at = 0;
}

static void scene_explore_all(const struct turns_scene *plan, unsigned int two,
			      unsigned int three)
{
	unsigned int hosts = scene_hosts(plan);
	unsigned int most = hosts == 2 ? two : three;

	for (unsigned int first = 0; first < hosts; first++) {
		for (unsigned int landing = 0; landing < TURNS_LANDINGS &&
		     !scene.wrong; landing++) {
			struct turns_switch switches[TURNS_SWITCHES] = { 0 };

			scene_explore(plan, first, landing, switches, 0, most);
		}
	}
}

const char *check_turns(unsigned int two, unsigned int three, bool tell)
{
	const char *wrong = scenes_prepare() ? "mkfs fails" : NULL;

	for (unsigned int i = 0; i < sizeof(turns_scenes) /
	     sizeof(*turns_scenes) && !wrong; i++) {
		memset(&explored, 0, sizeof(explored));
		scene_explore_all(&turns_scenes[i], two, three);
		wrong = scene.wrong;
		if (tell)
			printf("%-46s %8llu schedules %10llu accesses\n",
			       turns_scenes[i].name,
			       (unsigned long long)explored.schedules,
			       (unsigned long long)explored.accesses);
	}
	scenes_finish();
	return wrong;
}
