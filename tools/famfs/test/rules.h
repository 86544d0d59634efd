/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What checks of one rule each share: an owner and a member, between whom
 * nothing happens by chance. What was fenced arrives when it is said.
 */
#ifndef FAMFS_TEST_RULES_H
#define FAMFS_TEST_RULES_H

#include "checks.h"
#include "party.h"
#include "volume_internal.h"

#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			return check_say("line %d: not %s", __LINE__, #cond); \
	} while (0)

extern struct double_memory rule_memory;
extern struct party rule_owner, rule_member;

void rule_settle(void);
int rule_create(const char *name, uint64_t map, uint64_t *ino);
int rule_unlink(const char *name);
int rule_gone(uint64_t ino);
int rule_truncate(uint64_t ino, uint64_t size);

/* Each step arrives before the next: it takes three calls at most. */
int rule_join(void);

/* Has the member not let go of @ino? */
int rule_holds(uint64_t ino);

/* How many hosts have slots; and 100 for each that is in. */
int rule_hosts(struct volume *volume);

/* Each from a new file system on. NULL, or what is wrong. */
const char *rules_run(const char *(*const rules[])(void), unsigned int count);

#endif
