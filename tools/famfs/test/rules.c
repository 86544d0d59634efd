// SPDX-License-Identifier: GPL-2.0
/*
 * What checks of one rule each share.
 */

#include "rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "layout.h"

struct double_memory rule_memory;
static uint8_t *rule_image;
struct party rule_owner, rule_member;

void rule_settle(void)
{
	double_settle(&rule_memory);
}

int rule_create(const char *name, uint64_t map, uint64_t *ino)
{
	struct volume_node node = { .mode = S_IFREG | 0644, .map = map };
	struct op op = { .now = rule_owner.now += 1000 };
	struct volume_attr attr;
	int err = volume_create(rule_owner.volume, &op, ROOT_INO, name, &node,
				&attr);

	*ino = attr.ino;
	return err;
}

int rule_unlink(const char *name)
{
	struct op op = { .now = rule_owner.now += 1000 };

	return volume_unlink(rule_owner.volume, &op, ROOT_INO, name, NULL);
}

int rule_gone(uint64_t ino)
{
	struct op op = { .now = rule_owner.now += 1000 };

	return volume_gone(rule_owner.volume, &op, ino);
}

int rule_truncate(uint64_t ino, uint64_t size)
{
	struct op op = { .now = rule_owner.now += 1000 };
	struct volume_attr attr;

	return volume_truncate(rule_owner.volume, &op, ino, size, &attr);
}

int rule_join(void)
{
	int err = party_join(&rule_member, 0);

	for (unsigned int i = 1; i < 3 && err == -EAGAIN; i++) {
		rule_settle();
		if (volume_admit(rule_owner.volume, 0) < 0)
			return -EIO;
		rule_settle();
		err = party_join(&rule_member, 10000 * i);
	}
	rule_settle();
	return err;
}

static void rule_begin(void)
{
	double_reset(&rule_memory, rule_image, 1);
	rule_memory.chaos = 0;
	party_init(&rule_owner, &rule_memory.hosts[0].media, 0);
	party_init(&rule_member, &rule_memory.hosts[1].media, 1);
	party_open(&rule_owner, NULL);
	rule_settle();
}

static void rule_end(void)
{
	party_close(&rule_member);
	party_close(&rule_owner);
}

static int rule_is(void *context, const struct volume_hold *hold)
{
	return hold->ino == *(uint64_t *)context;
}

int rule_holds(uint64_t ino)
{
	return volume_each_hold(rule_member.volume, rule_is, &ino);
}

static int rule_count(void *context, const struct volume_host *host)
{
	int *count = context;

	*count += 1 + 100 * (host->presence == HOST_IN);
	return 0;
}

int rule_hosts(struct volume *volume)
{
	int count = 0;

	volume_each_host(volume, rule_count, &count);
	return count;
}

const char *rules_run(const char *(*const rules[])(void), unsigned int count)
{
	struct media *media;
	const char *wrong;

	rule_image = calloc(1, CHECK_SIZE);
	media = media_of_memory(rule_image, CHECK_SIZE);
	wrong = media && !check_mkfs(media) ? NULL : "mkfs fails";
	media_close(media);
	double_init(&rule_memory, CHECK_SIZE);
	for (unsigned int i = 0; i < count && !wrong; i++) {
		rule_begin();
		wrong = rules[i]();
		rule_end();
	}
	double_free(&rule_memory);
	free(rule_image);
	return wrong;
}
