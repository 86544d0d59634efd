/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the files of struct volume.
 */
#ifndef FAMFS_VOLUME_INTERNAL_H
#define FAMFS_VOLUME_INTERNAL_H

#include <pthread.h>

#include "change.h"
#include "done.h"
#include "log.h"
#include "volume.h"

/**
 * struct host_seen - another host's slot
 * @answers: @beat is of its present mount and of this epoch, and has @inodes
 * @inodes: its list, in ascending order
 */
struct host_seen {
	enum host_presence presence;
	bool answers;
	struct beat beat;
	uint64_t inodes[LIST_MOST];
};

/* All of them. @seq: of the last record when the look was begun. */
struct hosts {
	uint64_t seq;
	struct host_seen seen[SLOT_COUNT];
};

/**
 * struct joining - a host on its way to be a member
 * @asked: a request of @line and @nonce was written
 * @watching: until @until, whether the beat leaves @counter
 * @entered: it has written that it is in
 */
struct joining {
	bool asked, watching, entered;
	unsigned int line;
	uint64_t until, counter;
};

/**
 * struct volume - an open file system
 * @lock: over everything below
 * @stopped: the error that has ended writing, or 0
 * @record: the one that the present operation makes
 * @root: the present one
 * @slot: this host's, or SLOT_COUNT
 * @beat: as this host wrote it last
 * @done: where replay notes which requests were done, or NULL
 * @hosts: what the owner has seen of others last, or NULL
 * @spare: for its next look
 * @holds: what a member has not let go of
 * @list: what its beat names, where @listed
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
	bool owner, member;
	unsigned int slot;
	struct identity identity;
	struct beat beat;
	struct done *done;
	struct hosts *hosts, *spare;
	struct joining joining;
	struct holds holds;
	bool listed;
	uint64_t list[LIST_MOST];
};

/* Up to which seq all other hosts have let go of @ino, as was seen last. */
uint64_t hosts_limit(const struct volume *volume, uint64_t ino);
/* What @ino has released up to @seq is free, or -EAGAIN: a host has it. */
int hosts_let_go(struct volume *volume, uint64_t ino, uint64_t seq);
/* Has no other host a slot than the owner? */
bool hosts_alone(const struct volume *volume);
/* The slot of a host of that uuid, or SLOT_COUNT. */
unsigned int hosts_find(const struct model *model, const uint8_t uuid[16]);

/**
 * slot_check_own - is this host's slot as it wrote it last?
 *
 * A clone of this host writes it too, and so did this host before it was
 * restored from a snapshot of itself. Takes the lock.
 *
 * Return: 0, -ESTALE: it is not; or an error of the medium.
 */
int slot_check_own(struct volume *volume);
/* The same of its identity alone, before it has beaten. Without the lock. */
int slot_check_identity(struct volume *volume);
/* Says on the medium that this host has the slot. */
int volume_identify(struct volume *volume,
		    const struct volume_options *options);
/* Nothing is served, and nothing is told, by a host that is cut off. Locks. */
int volume_cut_off(struct volume *volume, int err);

/* A member's own: within the lock. */
int member_let_go(struct volume *volume, uint64_t ino, uint64_t seq);
/* Takes the lock. */
int member_leave(struct volume *volume);

/* volume_each_waiting() within the lock. */
int volume_all_waiting(struct volume *volume,
		       int (*each)(void *context,
				   const struct volume_waiting *waiting),
		       void *context);

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

/* Notes which request a record is of, for log_replay(). */
void volume_note(void *context, const struct record_header *header,
		 const uint8_t *bytes);

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

/**
 * volume_add_size - adds what a size takes: a map, or a cut, and the size
 * @after: what the file will have, with its times
 * @told: it grew within its map; -EINVAL beyond that
 * @grows: for volume_commit()
 */
int volume_add_size(struct volume *volume, const struct inode *inode,
		    const struct attr *after, bool told, bool *grows);

/* How far to map so that @reach is mapped. */
uint64_t volume_map_goal(const struct volume *volume, uint64_t mapped,
			 uint64_t reach, bool ahead);

#endif
