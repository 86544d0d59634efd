/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the files of struct volume.
 */
#ifndef FAMFS_VOLUME_INTERNAL_H
#define FAMFS_VOLUME_INTERNAL_H

#include <pthread.h>

#include "log.h"
#include "volume.h"

/* More requests than that are not in flight at a server's end. */
#define VOLUME_DONE	1024u

/**
 * struct volume - an open file system
 * @lock: over everything below
 * @stopped: the error that has ended writing, or 0
 * @record: the one that the present operation makes
 * @root: the present one
 * @beat: as this host wrote it last
 * @done: uniques of the last operations, a ring
 */
struct volume {
	pthread_rwlock_t lock;
	struct media *media;
	void (*progress)(uint64_t bytes);
	struct super super;
	struct root root;
	struct model model;
	struct log log;
	struct record record;
	int stopped;
	bool owner;
	unsigned int slot;
	struct identity identity;
	struct beat beat;
	uint64_t done[VOLUME_DONE];
	unsigned int done_at;
};

/* What a snapshot may take: no more can be made where it would be larger. */
uint64_t volume_snapshot_most(const struct volume *volume);
/* Is there room in snapshots for @bytes more? */
bool volume_has_room(const struct volume *volume, uint64_t bytes);
/* How many extents more can the present record and snapshots have? */
uint32_t volume_extents_most(const struct volume *volume);
/* Takes the lock and begins a record. Return: 0, or what ended writing. */
int volume_begin(struct volume *volume);
/* Gives the lock back, and returns @err. */
int volume_finish(struct volume *volume, int err);

/**
 * volume_commit - logs the record, fences, reads the call, applies the record
 * @grows: it needs more memory than it frees: fails while there is room left
 *         to remove things
 *
 * Locking: within volume_begin() and volume_finish().
 */
int volume_commit(struct volume *volume, const struct op *op, bool grows);

/* Writing ends with @err, which is returned. */
int volume_stop(struct volume *volume, int err);

/* Remembers a unique. For log_replay() too. */
void volume_note(void *context, const struct record_header *header);

/**
 * volume_advance - snapshot into the area of a later generation, then the root
 * @root: what will be the root; generation, epoch and owner are set
 */
int volume_advance(struct volume *volume, struct root *root, int64_t now);

/* Checks a name for the directory @parent. */
int volume_name(struct volume *volume, uint64_t parent, const char *name,
		struct inode **directory, struct text *text);

/* The inode, if it can be changed: -ENOENT. */
int volume_inode(struct volume *volume, uint64_t ino, struct inode **inode);
/* As above, and a regular file: -EISDIR, -EINVAL. */
int volume_file(struct volume *volume, uint64_t ino, struct inode **inode);

void volume_fill(const struct volume *volume, const struct inode *inode,
		 struct volume_attr *attr);

/**
 * volume_add_map - adds the extents that map a file from @from to @goal
 * @inode: the file, or NULL for a new one
 *
 * Return: 0; -ENOSPC, and the record is as it was.
 */
int volume_add_map(struct volume *volume, const struct inode *inode,
		   uint64_t ino, uint64_t goal);

/* How far to map so that @reach is mapped. */
uint64_t volume_map_goal(const struct volume *volume, uint64_t mapped,
			 uint64_t reach, bool ahead);

#endif
