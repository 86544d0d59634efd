/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hosts in tests: each has a volume on the double, and a kernel that has maps.
 *
 * What a kernel has been given it uses, until a push or its own forgetting takes
 * it away, whatever the server of that host has read since.
 */
#ifndef FAMFS_TEST_PARTY_H
#define FAMFS_TEST_PARTY_H

#include <stdbool.h>
#include <stdint.h>

#include "double.h"
#include "hosts.h"

#define PARTY_MAPS	8u
#define PARTY_EXTENTS	8u
#define PARTY_FOUND	4u

/* A map as a kernel has it. */
struct party_map {
	uint64_t ino;		/* 0: none */
	struct volume_extent extents[PARTY_EXTENTS];
	uint32_t count;
	bool pinned;		/* pushes fail, and it is not forgotten */
};

struct party {
	struct volume *volume;
	struct media *media;
	struct volume_options options;
	struct party_map maps[PARTY_MAPS];
	uint64_t found[PARTY_FOUND];
	bool owner, joined;
	bool unused;		/* it mounts as a server does */
	int64_t now;
};

/* @number tells the hosts' ids apart; host 0 is the one that ran mkfs. */
void party_init(struct party *party, struct media *media, unsigned int number);

/* It mounts anew: another nonce, and after @boot another boot. */
void party_renew(struct party *party, bool boot);

/* Opens its volume, as the owner or for reading. 0 or -errno. */
int party_open(struct party *party, struct fault *fault);

/* Ends it, without a word to others. */
void party_close(struct party *party);

/* Opens it, if need be, and goes one step on towards being a member. */
int party_join(struct party *party, uint64_t ms);

/* The kernel asks for the map of a file. Returns false where it has no room. */
bool party_give(struct party *party, uint64_t ino);
/* It asks when it has got the answer to a lookup, however long ago that was. */
bool party_give_late(struct party *party, uint64_t ino);
/* The kernel forgets an inode, but for a pinned one. */
void party_forget(struct party *party, uint64_t ino);
struct party_map *party_find(struct party *party, uint64_t ino);

/* A member's poll, with pushes of what has changed. */
int party_poll(struct party *party);
/* A member lets go of what its kernel has no more. */
int party_let_go(struct party *party);
/* The owner's: slots, a look, and what has been let go of. */
int party_own(struct party *party);

/* Does a kernel use what is not its file's? NULL, or what. */
const char *party_check(struct party *party, struct volume *owner);

/* A number that is the same for the same content. */
uint64_t party_digest(struct volume *volume);

#endif
