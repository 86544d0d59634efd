/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What records change, for those who have told a kernel of it, and what a host
 * has not let go of.
 */
#ifndef FAMFS_CHANGE_H
#define FAMFS_CHANGE_H

#include "hosts.h"
#include "model.h"
#include "record.h"

/* A list that grows. */
struct changes {
	struct volume_change *list;
	size_t count, room;
};

/* Return: 0 or -ENOMEM. */
int changes_note(struct changes *changes, uint64_t ino, unsigned int what,
		 uint64_t seq);
void changes_free(struct changes *changes);

/* By inode, each once, with all that happened to it. */
void changes_merge(struct changes *changes);

/* What a record says, before it is applied to @model. 0 or -ENOMEM. */
int changes_of_record(struct changes *changes, struct model *model,
		      const struct record_header *header,
		      const uint8_t *bytes);

/*
 * What lies between two models of one file system, as if the records between
 * them had been seen. @seq: of the last of these. 0 or -ENOMEM.
 */
int changes_of_models(struct changes *changes, struct model *old,
		      struct model *now, uint64_t seq);

/**
 * struct hold - an inode that this host has not let go of
 * @first: seq of the first release that it has not let go of
 * @last: of the last one
 */
struct hold {
	RB_ENTRY(hold) by_ino;
	uint64_t ino, first, last;
};

RB_HEAD(hold_tree, hold);

struct holds {
	struct hold_tree tree;
	uint64_t count;
};

void holds_init(struct holds *holds);
void holds_free(struct holds *holds);
/* Return: 0 or -ENOMEM. */
int holds_add(struct holds *holds, uint64_t ino, uint64_t first,
	      uint64_t last);
/* All that @ino has released up to @seq is let go of here. */
void holds_let_go(struct holds *holds, uint64_t ino, uint64_t seq);
struct hold *holds_find(struct holds *holds, uint64_t ino);
struct hold *holds_first(struct holds *holds);
struct hold *holds_next(struct hold *hold);

/**
 * holds_list - fills a list
 * @inodes: room for LIST_MOST
 * @seq: this host has seen the log up to it
 * @passed: what the beat says
 *
 * Where not all fit, the oldest are taken: the others hold @passed back.
 *
 * Return: their count, or -ENOMEM.
 */
int holds_list(struct holds *holds, uint64_t *inodes, uint64_t seq,
	       uint64_t *passed);

#endif
