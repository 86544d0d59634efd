// SPDX-License-Identifier: GPL-2.0
/*
 * What hosts do in scenes.
 */

#include "scene.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checks.h"
#include "layout.h"
#include "volume_internal.h"

/* Two files take the whole device: a third one needs what one of them had. */
#define FIRST	(100 * 4096)
#define REST	(155 * 4096)

struct double_memory scene_memory;
static uint8_t *scene_image;
struct scene scene;

void scene_fail(const char *wrong)
{
	if (wrong && !scene.wrong)
		scene.wrong = wrong;
}

/* What the owner has. */
static void scene_state(void)
{
	if (scene.state_count < SCENE_STATES)
		scene.states[scene.state_count++] =
			party_digest(scene.parties[OWNER].volume);
}

void scene_check(void)
{
	for (unsigned int i = 0; i < TURNS_HOSTS; i++) {
		if (scene.parties[i].volume)
			scene_fail(party_check(&scene.parties[i],
					       scene.parties[OWNER].volume));
	}
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

void owner_truncates(unsigned int host)
{
	struct party *owner = &scene.parties[OWNER];
	struct op op = { .now = owner->now += 1000 };
	struct volume_attr attr;

	(void)host;
	if (volume_truncate(owner->volume, &op, scene.file, 0, &attr))
		scene_fail("truncating fails");
	scene_state();
	owner_give_to_others();
}

void owner_removes(unsigned int host)
{
	struct party *owner = &scene.parties[OWNER];
	struct op op = { .now = owner->now += 1000 };

	(void)host;
	if (volume_unlink(owner->volume, &op, ROOT_INO, "file", NULL))
		scene_fail("removing fails");
	scene_state();
	owner_give_to_others();
}

void owner_compacts(unsigned int host)
{
	struct party *owner = &scene.parties[OWNER];

	(void)host;
	for (unsigned int i = 0; i < 2; i++) {
		char name[] = { (char)('p' + i), 0 };

		owner_make(name, 0, NULL);
		if (volume_compact(owner->volume, owner->now += 1000))
			scene_fail("compacting fails");
	}
	owner_make("z", 0, NULL);
}

static void member_polls(unsigned int host, unsigned int many)
{
	for (unsigned int i = 0; i < many; i++) {
		int err = party_poll(&scene.parties[host]);

		if (err && err != -EAGAIN)
			scene_fail(check_say("a poll fails: %d", err));
	}
}

static void member_tells(unsigned int host)
{
	if (party_let_go(&scene.parties[host]))
		scene_fail("a beat fails");
}

void member_joins(unsigned int host)
{
	struct party *member = &scene.parties[host];
	int err = -EAGAIN;

	for (unsigned int i = 0; i < 4 && err == -EAGAIN; i++)
		err = party_join(member, 10000 * i);
	if (err && err != -EAGAIN)
		scene_fail(check_say("joining fails: %d", err));
	if (err)
		return;
	party_give(member, scene.file);
	member_polls(host, 1);
}

/* A push takes away what was cut off. */
void member_pushes(unsigned int host)
{
	for (unsigned int i = 0; i < 2; i++) {
		member_polls(host, 1);
		member_tells(host);
	}
}

/* The file is in use for a while. */
void member_forgets(unsigned int host)
{
	member_polls(host, 1);
	member_tells(host);
	party_forget(&scene.parties[host], scene.file);
	member_tells(host);
}

/* Its kernel has looked the name up, and asks for the map when it is late. */
void member_is_late(unsigned int host)
{
	struct party *member = &scene.parties[host];
	uint64_t ino = scene.file;

	member_polls(host, 1);
	member_tells(host);
	party_give_late(member, ino);
	member_polls(host, 1);
	party_forget(member, ino);
	member_tells(host);
}

/* Its superblock goes, and then its slot says so; it may come again. */
void member_leaves(unsigned int host)
{
	struct party *member = &scene.parties[host];

	member_polls(host, 1);
	memset(member->maps, 0, sizeof(member->maps));
	if (volume_leave(member->volume))
		scene_fail("leaving fails");
	party_close(member);
	party_renew(member, false);
}

void member_reads(unsigned int host)
{
	member_polls(host, 3);
}

void scene_join(unsigned int host)
{
	int err = -EAGAIN;

	for (unsigned int i = 0; i < 8 && err == -EAGAIN; i++) {
		err = party_join(&scene.parties[host], 10000 * i);
		double_settle(&scene_memory);
		if (party_own(&scene.parties[OWNER]))
			scene_fail("the owner's poll fails");
		double_settle(&scene_memory);
	}
	if (err)
		scene_fail(check_say("nobody joins: %d", err));
}

void scene_begin(void)
{
	double_reset(&scene_memory, scene_image, 1);
	scene_memory.chaos = 0;
	memset(&scene, 0, sizeof(scene));
	for (unsigned int i = 0; i < TURNS_HOSTS; i++)
		party_init(&scene.parties[i], turns_media(i), i);
	if (party_open(&scene.parties[OWNER], NULL))
		scene_fail("mounting fails");
	if (scene.wrong)
		return;
	owner_make("file", FIRST, &scene.file);
	owner_make("rest", REST, NULL);
	double_settle(&scene_memory);
}

/* A member's turn at the end, when nothing is in use any more. */
static void scene_last_turn(unsigned int host)
{
	struct party *member = &scene.parties[host];

	if (party_poll(member) || party_let_go(member))
		scene_fail("a poll at the end fails");
	double_settle(&scene_memory);
	party_forget(member, scene.file);
}

static void scene_last_read(unsigned int host)
{
	uint64_t digest;
	unsigned int at = 0;

	if (party_poll(&scene.parties[host])) {
		scene_fail("the last poll fails");
		return;
	}
	digest = party_digest(scene.parties[host].volume);
	while (at < scene.state_count && scene.states[at] != digest)
		at++;
	if (at == scene.state_count)
		scene_fail("a member has what the owner never had");
}

void scene_end(unsigned int hosts)
{
	struct party *owner = &scene.parties[OWNER];

	scene_check();
	for (unsigned int i = MEMBER; i < hosts && !scene.wrong; i++) {
		if (!scene.parties[i].joined)
			scene_join(i);
	}
	for (unsigned int turn = 0; turn < 3 && !scene.wrong; turn++) {
		double_settle(&scene_memory);
		for (unsigned int i = MEMBER; i < hosts; i++)
			scene_last_turn(i);
		if (party_own(owner))
			scene_fail("the owner's poll at the end fails");
		scene_check();
	}
	double_settle(&scene_memory);
	scene_state();
	for (unsigned int i = MEMBER; i < hosts && !scene.wrong; i++)
		scene_last_read(i);
	if (!scene.wrong && (owner->volume->model.space.waiting ||
			     !TAILQ_EMPTY(&owner->volume->model.removed)))
		scene_fail("space does not come back");
}

int scenes_prepare(void)
{
	struct volume_format format;
	struct media *media;
	int err;

	scene_image = calloc(1, CHECK_SIZE);
	media = media_of_memory(scene_image, CHECK_SIZE);
	check_format(&format);
	format.area = AREA_LEAST;
	err = media ? volume_format(media, &format, NULL) : -ENOMEM;
	media_close(media);
	double_init(&scene_memory, CHECK_SIZE);
	turns_begin(&scene_memory);
	return err;
}

void scenes_finish(void)
{
	turns_end();
	double_free(&scene_memory);
	free(scene_image);
}
