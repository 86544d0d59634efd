/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What hosts do in scenes: an owner gives space to others, and members whose
 * kernels have maps join, read on, let go and leave.
 */
#ifndef FAMFS_TEST_SCENE_H
#define FAMFS_TEST_SCENE_H

#include "party.h"
#include "turns.h"

enum { OWNER, MEMBER, OTHER };

#define SCENE_STATES	32u

/**
 * struct scene - what hosts have, from scene_begin() on
 * @file: the inode that members may have
 * @states: what the owner has had
 * @wrong: what was found first
 */
struct scene {
	struct party parties[TURNS_HOSTS];
	uint64_t file;
	uint64_t states[SCENE_STATES];
	unsigned int state_count;
	const char *wrong;
};

extern struct scene scene;
extern struct double_memory scene_memory;

/* Before all scenes, and after them. 0 or -errno. */
int scenes_prepare(void);
void scenes_finish(void);

void scene_fail(const char *wrong);
/* No kernel uses what another file has. */
void scene_check(void);

/* A new file system, the owner, "file", and a file that takes all the rest. */
void scene_begin(void);
/* A host becomes a member, at once. */
void scene_join(unsigned int host);
/* With all alive everything comes back, and all have the same. */
void scene_end(unsigned int hosts);

/* What a host does in its turns. */
void owner_truncates(unsigned int host);
void owner_removes(unsigned int host);
void owner_compacts(unsigned int host);
void member_joins(unsigned int host);
void member_pushes(unsigned int host);
void member_forgets(unsigned int host);
void member_is_late(unsigned int host);
void member_leaves(unsigned int host);
void member_reads(unsigned int host);

#endif
