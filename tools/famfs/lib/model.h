/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The model: what the log says, in memory. Inodes by number, names by directory
 * and text and by directory and cookie, extents, and space.
 *
 * One model for all versions of the format. It is changed by items alone
 * (model_apply()), so a host that replays and the owner that has just logged
 * have the same. No locking here: struct volume has a lock.
 */
#ifndef FAMFS_MODEL_H
#define FAMFS_MODEL_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "fault.h"
#include "item.h"
#include "space.h"
#include "tree.h"

struct inode;

struct extent {
	uint64_t offset, bytes;
};

struct xattr {
	RB_ENTRY(xattr) by_name;
	uint32_t name_bytes, value_bytes;
	uint8_t text[];		/* the name, then the value */
};

RB_HEAD(xattr_tree, xattr);

struct name {
	RB_ENTRY(name) by_text;		/* by hash, and then by text */
	RB_ENTRY(name) by_cookie;
	LIST_ENTRY(name) of_inode;	/* all the names of an inode */
	struct inode *parent, *inode;
	uint64_t cookie;
	uint32_t hash;
	uint8_t bytes;
	char text[];			/* not ended by a NUL */
};

RB_HEAD(name_text_tree, name);
RB_HEAD(name_cookie_tree, name);

struct directory {
	struct name_text_tree by_text;
	struct name_cookie_tree by_cookie;
	uint64_t count;
	uint32_t subdirectories;
};

struct inode {
	RB_ENTRY(inode) by_ino;
	TAILQ_ENTRY(inode) removed;	/* while it has no name */
	LIST_HEAD(, name) names;
	struct xattr_tree xattrs;
	uint64_t ino;
	uint64_t released;		/* seq at which the last name went */
	uint64_t mapped;		/* bytes of the extents */
	struct attr attr;
	uint32_t links;			/* names; a directory has one at most */
	uint32_t extent_count;
	union {
		/* Regular files; room for the next power of two of them. */
		struct extent *extents;
		struct directory *directory;
		char *target;			/* links; attr.size bytes */
	};
};

RB_HEAD(inode_tree, inode);
TAILQ_HEAD(inode_list, inode);

struct host {
	uint8_t state;			/* HOST_STATE_*, or 0: free slot */
	uint8_t uuid[16];
	uint64_t nonce;
	char name[HOST_NAME_MOST + 1];
};

struct model {
	struct inode_tree inodes;
	struct inode_list removed;
	struct space space;
	struct host hosts[SLOT_COUNT];
	uint64_t inode_count, name_count, extent_count;
	uint64_t next_ino, next_cookie;
	uint64_t removed_bytes;		/* that inodes without names have */
	/*
	 * Of inodes, names and extents in a snapshot. Those that have a name
	 * count so much that the loss of it, or of the space, adds nothing.
	 */
	uint64_t snapshot_bytes;
	bool ended;			/* the snapshot's END was there */
	struct inode *recent[2];	/* found last: the next is often near */
};

/**
 * struct application - of which record the items are
 * @seq: its number
 * @time: its time
 * @snapshot: it is part of a snapshot
 * @where: its offset, for findings
 */
struct application {
	uint64_t seq;
	int64_t time;
	bool snapshot;
	uint64_t where;
	struct fault *fault;
};

int model_init(struct model *model, uint64_t data, uint64_t end,
	       uint32_t unit);
void model_free(struct model *model);

/**
 * model_apply - applies one item, which may come from anywhere
 *
 * Return: 0; -ENOMEM; -EUCLEAN with a finding where the item says what cannot
 * be. The model may be half changed then, and is fit for nothing but looking.
 */
int model_apply(struct model *model, const struct application *application,
		const struct item *item);

/* What only holds between records: an unnamed directory is empty. */
int model_check(struct model *model, const struct application *application);

/* A snapshot has been applied whole: what holds of all of it. */
int model_check_snapshot(struct model *model,
			 const struct application *application,
			 const struct item *end);

/*
 * What a WAIT takes more than the shortest name, or than an extent: what can be
 * removed must not need room to be removed.
 */
enum {
	SNAPSHOT_NAMED = ITEM_WAIT_FIXED - ((ITEM_NAME_FIXED + 1 + 7) & ~7),
	SNAPSHOT_MAPPED = ITEM_WAIT_FIXED - ITEM_EXTENT_FIXED,
};

/* What a target takes in a snapshot. */
static inline uint64_t target_snapshot_bytes(uint64_t bytes)
{
	return (ITEM_TARGET_FIXED + bytes + 7) & ~7ull;
}

/**
 * model_settle - nobody has anything of the file system
 *
 * Inodes without names end; what waits, and what is mapped ahead of sizes, is
 * free.
 *
 * Return: 0 or -ENOMEM.
 */
int model_settle(struct model *model);

/* Space that was cut off waits no more. Returns the bytes. */
uint64_t model_let_go(struct model *model, uint64_t ino, uint64_t seq);

/* Locking: as changing the model does; inode_look() as looking at it. */
struct inode *inode_find(struct model *model, uint64_t ino);
struct inode *inode_look(const struct model *model, uint64_t ino);
struct inode *inode_first(struct model *model);
struct inode *inode_next(struct inode *inode);
/* Return: NULL without memory. The number is new. */
struct inode *inode_make(struct model *model, uint64_t ino,
			 const struct attr *attr);
/* Frees it and gives all its space back. It has no names. */
void inode_destroy(struct model *model, struct inode *inode);
uint32_t inode_links(const struct inode *inode);
bool inode_is_directory(const struct inode *inode);
bool inode_is_regular(const struct inode *inode);
/* Adds space behind what the inode has. Return: 0 or -ENOMEM. */
int inode_extend(struct model *model, struct inode *inode, uint64_t offset,
		 uint64_t bytes);
/* Space behind @mapped waits from @seq on. Return: 0 or -ENOMEM. */
int inode_cut(struct model *model, struct inode *inode, uint64_t mapped,
	      uint64_t seq);
struct xattr *xattr_find(const struct inode *inode, const struct text *name);
/* In any order; NULL after the last. */
struct xattr *xattr_first(const struct inode *inode);
struct xattr *xattr_next(struct xattr *xattr);
/* Return: 0 or -ENOMEM. */
int xattr_put(struct model *model, struct inode *inode,
	      const struct text *name, const struct text *value);
void xattr_remove(struct model *model, struct inode *inode,
		  struct xattr *xattr);

uint32_t name_hash(const void *text, size_t bytes);
struct name *name_find(const struct inode *directory, const struct text *text);
struct name *name_find_cookie(const struct inode *directory, uint64_t cookie);
/* The first name with a cookie above @cookie. */
struct name *name_after(const struct inode *directory, uint64_t cookie);
/* Return: NULL without memory. Text and cookie are new in the directory. */
struct name *name_make(struct model *model, struct inode *parent,
		       struct inode *inode, const struct text *text,
		       uint64_t cookie);
/* @seq: from when on the inode waits if this was its last name. */
void name_destroy(struct model *model, struct name *name, uint64_t seq);

/* The next name of the whole tree in the order of a snapshot, or NULL. */
struct name *name_walk(struct model *model, struct name *name);

#endif
