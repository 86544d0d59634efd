// SPDX-License-Identifier: GPL-2.0
/*
 * Steps between two hosts, in every order: one goes on before any access of the
 * other, up to twice there and back.
 *
 * The owner gives space to others, and a member whose kernel has a map joins,
 * reads on, lets go. At no access may a kernel use what another file has.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checks.h"
#include "layout.h"
#include "lines.h"
#include "party.h"
#include "turns.h"
#include "volume_internal.h"

#define OWNER	0
#define MEMBER	1
/* Two files take the whole device: a third one needs what one of them had. */
#define FIRST	(100 * 4096)
#define REST	(155 * 4096)
#define STATES	16

static struct double_memory turns_memory;
static uint8_t *turns_image;

static struct scene {
	struct party parties[TURNS_HOSTS];
	uint64_t file;
	uint64_t states[STATES], read[STATES];
	unsigned int state_count, read_count;
	int names, result;
	const char *wrong;
} scene;

static void scene_fail(const char *wrong)
{
	if (wrong && !scene.wrong)
		scene.wrong = wrong;
}

/* What the owner has, and what the member has read of it. */
static void scene_state(void)
{
	if (scene.state_count < STATES)
		scene.states[scene.state_count++] =
			party_digest(scene.parties[OWNER].volume);
}

static void scene_read(void)
{
	if (scene.read_count < STATES)
		scene.read[scene.read_count++] =
			party_digest(scene.parties[MEMBER].volume);
}

static void scene_check(void *context)
{
	(void)context;
	scene_fail(party_check(&scene.parties[MEMBER],
			       scene.parties[OWNER].volume));
}

static void owner_make(const char *name, uint64_t map, uint64_t *ino)
{
	struct volume_node node = { .mode = S_IFREG | 0644, .map = map };
	struct party *owner = &scene.parties[OWNER];
	struct op op = { .now = owner->now += 1000 };
	struct volume_attr attr = { 0 };
	int err = volume_create(owner->volume, &op, ROOT_INO, name, &node,
				&attr);

	if (err && err != -ENOSPC && err != -EEXIST)
		scene_fail(check_say("creating fails: %d", err));
	if (ino)
		*ino = attr.ino;
	scene_state();
}

/* The space of the file that the member may have is given to others. */
static void owner_give_to_others(void)
{
	for (unsigned int i = 0; i < 4; i++) {
		if (party_own(&scene.parties[OWNER]))
			scene_fail("the owner's poll fails");
		if (i)
			owner_make("others", FIRST / 2, NULL);
		if (scene.parties[OWNER].volume->model.space.free < FIRST / 4)
			break;
	}
}

static void owner_truncates(void *context)
{
	struct party *owner = &scene.parties[OWNER];
	struct op op = { .now = owner->now += 1000 };
	struct volume_attr attr;

	(void)context;
	if (volume_truncate(owner->volume, &op, scene.file, 0, &attr))
		scene_fail("truncating fails");
	scene_state();
	owner_give_to_others();
}

static void owner_removes(void *context)
{
	struct party *owner = &scene.parties[OWNER];
	struct op op = { .now = owner->now += 1000 };

	(void)context;
	if (volume_unlink(owner->volume, &op, ROOT_INO, "file", NULL))
		scene_fail("removing fails");
	scene_state();
	owner_give_to_others();
}

static void owner_compacts(void *context)
{
	struct party *owner = &scene.parties[OWNER];

	(void)context;
	for (unsigned int i = 0; i < 2; i++) {
		char name[] = { (char)('p' + i), 0 };

		owner_make(name, 0, NULL);
		if (volume_compact(owner->volume, owner->now += 1000))
			scene_fail("compacting fails");
	}
	owner_make("z", 0, NULL);
}

static void member_polls(unsigned int many)
{
	struct party *member = &scene.parties[MEMBER];

	for (unsigned int i = 0; i < many; i++) {
		int err = party_poll(member);

		if (err && err != -EAGAIN)
			scene_fail(check_say("a poll fails: %d", err));
		scene_read();
	}
}

static void member_joins(void *context)
{
	struct party *member = &scene.parties[MEMBER];
	int err = -EAGAIN;

	(void)context;
	for (unsigned int i = 0; i < 4 && err == -EAGAIN; i++)
		err = party_join(member, 10000 * i);
	if (err && err != -EAGAIN)
		scene_fail(check_say("joining fails: %d", err));
	if (err)
		return;
	party_give(member, scene.file);
	member_polls(1);
}

/* A push takes away what was cut off. */
static void member_pushes(void *context)
{
	(void)context;
	for (unsigned int i = 0; i < 2; i++) {
		member_polls(1);
		if (party_let_go(&scene.parties[MEMBER]))
			scene_fail("a beat fails");
	}
}

/* The file is in use for a while. */
static void member_forgets(void *context)
{
	struct party *member = &scene.parties[MEMBER];

	(void)context;
	member_polls(1);
	if (party_let_go(member))
		scene_fail("a beat fails");
	party_forget(member, scene.file);
	if (party_let_go(member))
		scene_fail("a beat fails");
}

static void member_reads(void *context)
{
	(void)context;
	member_polls(3);
}

static void scene_join(void)
{
	struct party *member = &scene.parties[MEMBER];
	int err = -EAGAIN;

	for (unsigned int i = 0; i < 8 && err == -EAGAIN; i++) {
		err = party_join(member, 10000 * i);
		double_settle(&turns_memory);
		if (party_own(&scene.parties[OWNER]))
			scene_fail("the owner's poll fails");
		double_settle(&turns_memory);
	}
	if (err)
		scene_fail(check_say("nobody joins: %d", err));
}

static void scene_begin(void)
{
	double_reset(&turns_memory, turns_image, 1);
	turns_memory.chaos = 0;
	memset(&scene, 0, sizeof(scene));
	for (unsigned int i = 0; i < TURNS_HOSTS; i++)
		party_init(&scene.parties[i], turns_media(i), i);
	if (party_open(&scene.parties[OWNER], NULL))
		scene_fail("mounting fails");
	if (scene.wrong)
		return;
	owner_make("file", FIRST, &scene.file);
	owner_make("rest", REST, NULL);
	double_settle(&turns_memory);
}

/* With all alive everything comes back, and both have the same. */
static void scene_end(void)
{
	struct party *owner = &scene.parties[OWNER];
	struct party *member = &scene.parties[MEMBER];

	scene_check(NULL);
	if (!member->joined)
		scene_join();
	for (unsigned int i = 0; i < 3 && !scene.wrong; i++) {
		double_settle(&turns_memory);
		if (party_poll(member) || party_let_go(member))
			scene_fail("a poll at the end fails");
		double_settle(&turns_memory);
		party_forget(member, scene.file);
		if (party_own(owner))
			scene_fail("the owner's poll at the end fails");
		scene_check(NULL);
	}
	double_settle(&turns_memory);
	if (!scene.wrong && party_poll(member))
		scene_fail("the last poll fails");
	scene_state();
	scene_read();
	if (!scene.wrong && (owner->volume->model.space.waiting ||
			     !TAILQ_EMPTY(&owner->volume->model.removed)))
		scene_fail("space does not come back");
	for (unsigned int i = 0; i < scene.read_count; i++) {
		unsigned int at = 0;

		while (at < scene.state_count &&
		       scene.states[at] != scene.read[i])
			at++;
		/* What the owner gave back, and hosts, are states between. */
		if (at == scene.state_count && i + 1 == scene.read_count)
			scene_fail("a member has what the owner never had");
	}
}

/* What each scene is made of. */
struct turns_scene {
	const char *name;
	bool joined, left, given;
	void (*run[TURNS_HOSTS])(void *context);
};

static const struct turns_scene turns_scenes[] = {
	{ "a host that never was in joins", false, false, false,
	  { owner_truncates, member_joins } },
	{ "a host that has left joins", true, true, false,
	  { owner_truncates, member_joins } },
	{ "a map is cut", true, false, true,
	  { owner_truncates, member_pushes } },
	{ "a file is removed", true, false, true,
	  { owner_removes, member_forgets } },
	{ "another area is begun", true, false, false,
	  { owner_compacts, member_reads } },
};

static uint32_t scene_run(const struct turns_scene *plan, unsigned int first,
			  const uint32_t switches[TURNS_SWITCHES],
			  enum turns_landing landing)
{
	struct party *member = &scene.parties[MEMBER];
	uint32_t accesses = 0;

	scene_begin();
	if (plan->joined && !scene.wrong)
		scene_join();
	if (plan->given && !scene.wrong)
		party_give(member, scene.file);
	if (plan->left && !scene.wrong) {
		if (volume_leave(member->volume))
			scene_fail("leaving fails");
		party_close(member);
		party_renew(member, false);
	}
	double_settle(&turns_memory);
	if (!scene.wrong)
		accesses = turns_run(plan->run, NULL, first, switches, landing,
				     scene_check);
	if (!scene.wrong)
		scene_end();
	party_close(member);
	party_close(&scene.parties[OWNER]);
	if (scene.wrong)
		scene.wrong = check_say("%s, %u first, switches %u %u %u, landing %u: %s",
					plan->name, first, switches[0],
					switches[1], switches[2], landing,
					scene.wrong);
	return accesses;
}

static const char *scene_explore(const struct turns_scene *plan,
				 unsigned int first, enum turns_landing landing)
{
	uint32_t switches[TURNS_SWITCHES] = { 0 }, all;

	all = scene_run(plan, first, switches, landing);
	for (uint32_t one = 1; one <= all && !scene.wrong; one++) {
		switches[0] = one;
		switches[1] = 0;
		scene_run(plan, first, switches, landing);
		for (uint32_t two = one + 1; two <= all && !scene.wrong; two++) {
			switches[1] = two;
			scene_run(plan, first, switches, landing);
		}
	}
	return scene.wrong;
}

static int turns_prepare(void)
{
	struct volume_format format;
	struct media *media;
	int err;

	turns_image = calloc(1, CHECK_SIZE);
	media = media_of_memory(turns_image, CHECK_SIZE);
	check_format(&format);
	format.area = AREA_LEAST;
	err = media ? volume_format(media, &format, NULL) : -ENOMEM;
	media_close(media);
	double_init(&turns_memory, CHECK_SIZE);
	turns_begin(&turns_memory);
	return err;
}

static void turns_finish(void)
{
	turns_end();
	double_free(&turns_memory);
	free(turns_image);
}

const char *check_turns(void)
{
	const char *wrong = turns_prepare() ? "mkfs fails" : NULL;

	for (unsigned int i = 0; i < sizeof(turns_scenes) /
	     sizeof(*turns_scenes) && !wrong; i++) {
		for (unsigned int first = 0; first < 2 && !wrong; first++) {
			for (unsigned int landing = 0;
			     landing < TURNS_LANDINGS && !wrong; landing++)
				wrong = scene_explore(&turns_scenes[i], first,
						      landing);
		}
	}
	turns_finish();
	return wrong;
}
