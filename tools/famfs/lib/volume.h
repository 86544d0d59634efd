/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file system on a medium: what a server is built on.
 *
 * Every operation is checked against the model, logged as one record, fenced,
 * compared with the call, and only then applied: when it has returned 0 it is
 * there after any crash, and what has not returned is there whole or not at
 * all. One that returns an error has changed nothing.
 *
 * Threads: a volume has one lock of its own, which every function here takes:
 * for reading where it only looks, for writing elsewhere. Callbacks are called
 * with the lock held for reading and must not call back. volume_open(),
 * volume_format() and volume_close() are for one thread. Nothing that is
 * returned points into the volume.
 *
 * Errors: 0 or -errno. Besides what each function says: -EROFS where the volume
 * was opened for reading, or its owner is deposed; -EIO after an error of the
 * medium has ended writing; -ENOSPC where log or device are full; -ENOMEM.
 *
 * Units: bytes, and nanoseconds since 1970. Inode numbers are never used again;
 * 1 is the root.
 */
#ifndef FAMFS_VOLUME_H
#define FAMFS_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"
#include "item.h"
#include "media.h"

struct done;
struct done_mark;
struct volume;

/* Who this host is. */
struct host_self {
	uint8_t uuid[16];
	uint8_t boot[16];
	char name[HOST_NAME_MOST + 1];
	uint32_t page;
};

/* From the machine's id, the kernel's boot id and its name. 0 or -errno. */
int host_self_read(struct host_self *self);

/* Mount it, seize it, or only look. */
enum volume_how {
	VOLUME_READ = 0,
	VOLUME_OWN = 1,		/* this host owns it, or -EROFS */
	VOLUME_MEND = 2,	/* with OWN: a damaged log ends at the damage */
	/*
	 * With OWN: this host has nothing of it. Where no other one has a
	 * slot, what waits, what has no name and what is mapped ahead of a
	 * size is free at once, and takes no room in the log.
	 */
	VOLUME_UNUSED = 4,
};

struct volume_options {
	unsigned int how;
	struct host_self self;	/* with OWN */
	int64_t now;
	uint64_t nonce;		/* random, with OWN */
	/* Requests that are looked for in the log while it is replayed. */
	struct done *done;
	/* Told after each MiB how many bytes have been replayed; may be NULL. */
	void (*progress)(uint64_t bytes);
};

/**
 * volume_open - replays a medium and, with VOLUME_OWN, takes it over
 * @media: stays the caller's
 * @fault: what is wrong, where an error is returned
 *
 * Return: 0; -EMEDIUMTYPE, -EPROTONOSUPPORT or -EUCLEAN with a finding; -EROFS:
 * another host owns it; -ESTALE: it changed too often while it was read.
 */
int volume_open(struct volume **out, struct media *media,
		const struct volume_options *options, struct fault *fault);

/**
 * volume_resume - goes on where a server of this host and mount has died
 * @volume: opened with VOLUME_READ
 * @options: with the nonce of the mount
 * @member: it was a member, else the owner
 *
 * Slot, list, beat and log go on. What waits has been let go of by nobody.
 *
 * Return: 0; 1: that server had left, which is complete now, and nothing goes on;
 * -ESTALE: slot or file system are another one by now; or an error of the medium.
 */
int volume_resume(struct volume *volume, const struct volume_options *options,
		  bool member);

/* Frees it. Nothing is written. */
void volume_close(struct volume *volume);

/* Says for good that this host is out. Its superblock is gone for certain. */
int volume_leave(struct volume *volume);

/**
 * volume_beat - tells other hosts how far this one is
 * @passed: all that was released up to it is let go of here
 *
 * At least once a second.
 */
int volume_beat(struct volume *volume, uint64_t passed);

/* Nothing is written any more: the medium can be closed before the volume. */
void volume_halt(struct volume *volume);

/* Bytes that were written since it was opened; nobody is waited for. */
uint64_t volume_written(const struct volume *volume);

/* 0, or the error that has ended writing. */
int volume_health(struct volume *volume);

/*
 * What mkfs wants. @secret is random and kept from users of the file system:
 * who knew it could write into files what looks like its log.
 */
struct volume_format {
	uint8_t uuid[16], secret[16];
	char label[LABEL_SIZE + 1];
	uint32_t unit;
	uint32_t coherence;
	uint64_t area;		/* bytes of a log area, 0: as usual */
	struct host_self self;	/* its owner */
	int64_t now;
	uint32_t mode, uid, gid;	/* of the root; mode 0: 0755 */
};

/**
 * volume_format - makes a file system
 *
 * Both roots are spoilt first and written last: in between the medium is an
 * unfinished mkfs, whatever it was.
 */
int volume_format(struct media *media, const struct volume_format *format,
		  struct fault *fault);

/* Who asks, and when. */
struct op {
	uint64_t unique;	/* of the FUSE request, or 0 */
	int64_t now;
	struct done_mark *mark;	/* of that request, or NULL */
};

/* An inode as others see it. */
struct volume_attr {
	uint64_t ino;
	struct attr attr;
	uint64_t mapped;	/* bytes of its extents */
	uint32_t links;
	uint64_t seq;		/* of the last record when it was so */
};

/* What an operation has taken the last name of; ino 0: nothing. */
struct volume_removed {
	uint64_t ino, seq;
};

/* A new inode. */
struct volume_node {
	uint32_t mode, uid, gid, rdev;	/* mode has the type */
	const char *target;		/* of a symbolic link */
	uint64_t map;			/* of a file: map so much at once */
};

/**
 * volume_create - create, mkdir, mknod, symlink; O_TMPFILE without a name
 * @name: NULL: the inode has no name, until volume_link() gives it one
 *
 * Return: -EEXIST, -ENOENT (no such parent), -ENOTDIR, -ENAMETOOLONG, -EINVAL.
 */
int volume_create(struct volume *volume, const struct op *op, uint64_t parent,
		  const char *name, const struct volume_node *node,
		  struct volume_attr *attr);
int volume_link(struct volume *volume, const struct op *op, uint64_t ino,
		uint64_t parent, const char *name, struct volume_attr *attr);
/* -EISDIR for directories. @removed may be NULL. */
int volume_unlink(struct volume *volume, const struct op *op, uint64_t parent,
		  const char *name, struct volume_removed *removed);
int volume_rmdir(struct volume *volume, const struct op *op, uint64_t parent,
		 const char *name, struct volume_removed *removed);

enum { VOLUME_NOREPLACE = 1, VOLUME_EXCHANGE = 2 };	/* as RENAME_* */
/* @removed: what it replaces, if that was the last name. */
int volume_rename(struct volume *volume, const struct op *op, uint64_t parent,
		  const char *name, uint64_t new_parent, const char *new_name,
		  unsigned int flags, struct volume_removed *removed);

enum {
	VOLUME_MODE = 1, VOLUME_UID = 2, VOLUME_GID = 4, VOLUME_ATIME = 8,
	VOLUME_MTIME = 16, VOLUME_CTIME = 32,
	VOLUME_SIZE = 64,		/* see volume_truncate() */
	VOLUME_TOLD = 128,		/* see volume_tell() */
};

/* Sets what @mask names, in one record: after a crash all of it or nothing. */
int volume_setattr(struct volume *volume, const struct op *op, uint64_t ino,
		   unsigned int mask, const struct attr *to,
		   struct volume_attr *attr);

/**
 * volume_truncate - sets a size, in one record with the map
 *
 * Smaller: what lies behind is cut off and waits. Larger: as much is mapped;
 * the kernel zeroes what comes into the file.
 */
int volume_truncate(struct volume *volume, const struct op *op, uint64_t ino,
		    uint64_t size, struct volume_attr *attr);

/**
 * volume_tell - the kernel tells a size that a file has grown to
 *
 * The larger one of old and told counts. -EINVAL beyond the map.
 */
int volume_tell(struct volume *volume, const struct op *op, uint64_t ino,
		uint64_t size, struct volume_attr *attr);

/**
 * volume_map - maps a file as far as @reach, or farther
 * @ahead: steps double up to 64 MiB; else not more than rounding takes
 *
 * Past 2 MiB, space is given in whole aligned 2 MiB while there is any. The
 * size does not change.
 */
int volume_map(struct volume *volume, const struct op *op, uint64_t ino,
	       uint64_t reach, bool ahead, struct volume_attr *attr);

/* Cuts off what is mapped behind the size; it waits. */
int volume_trim(struct volume *volume, const struct op *op, uint64_t ino,
		struct volume_attr *attr);

enum { VOLUME_XATTR_CREATE = 1, VOLUME_XATTR_REPLACE = 2 };	/* as XATTR_* */
int volume_setxattr(struct volume *volume, const struct op *op, uint64_t ino,
		    const char *name, const void *value, size_t bytes,
		    unsigned int flags);
int volume_removexattr(struct volume *volume, const struct op *op,
		       uint64_t ino, const char *name);

/**
 * volume_gone - this host has let go of an inode without names
 *
 * Its space, and what it was cut off, can be given to others. -EBUSY: it has a
 * name; -EAGAIN: another host has not let go of it, see volume_look().
 */
int volume_gone(struct volume *volume, const struct op *op, uint64_t ino);

/**
 * volume_let_go - this host has let go of what @ino was cut off up to @seq
 *
 * Of a member: also of the inode itself, if it had no name by then. Nothing is
 * logged: that the space is given again says it. -EAGAIN: another host has not
 * let go of all of it.
 */
int volume_let_go(struct volume *volume, uint64_t ino, uint64_t seq);

/* Something that was released, and waits. */
struct volume_waiting {
	uint64_t ino, seq;
	uint64_t bytes;
	bool removed;		/* for volume_gone(); else volume_let_go() */
};

/* Calls @each for all that waits, until it returns other than 0. */
int volume_each_waiting(struct volume *volume,
			int (*each)(void *context,
				    const struct volume_waiting *waiting),
			void *context);

/* Is more mapped than the file's size needs? */
bool volume_is_ahead(const struct volume *volume,
		     const struct volume_attr *attr);

/* Calls @each for all files of which that is so, until it returns other than 0. */
int volume_each_ahead(struct volume *volume,
		      int (*each)(void *context,
				  const struct volume_attr *attr),
		      void *context);

/* The seq of the last record. */
uint64_t volume_seq(struct volume *volume);

/* A new snapshot in the next area. Happens by itself where the log is full. */
int volume_compact(struct volume *volume, int64_t now);

int volume_lookup(struct volume *volume, uint64_t parent, const char *name,
		  struct volume_attr *attr);
int volume_getattr(struct volume *volume, uint64_t ino,
		   struct volume_attr *attr);
/* @buf has TARGET_MOST + 1 bytes. */
int volume_readlink(struct volume *volume, uint64_t ino, char *buf);

/* A directory's entry. @name is ended by a NUL. */
struct volume_entry {
	const char *name;
	uint64_t cookie;	/* pass it to go on behind this entry */
	struct volume_attr attr;
};

/* The highest cookie that has been given. */
uint64_t volume_last_cookie(struct volume *volume);

/*
 * Calls @each for the entries behind @cookie (0: all) and up to @last, until it
 * returns other than 0. Cookies are never used again, also after a restart, and
 * a name that is given anew gets a new one: who always read to the end of all
 * would never come to it beside others that rename. @parent: the directory's
 * own parent, for "..".
 */
int volume_readdir(struct volume *volume, uint64_t ino, uint64_t cookie,
		   uint64_t last, uint64_t *parent,
		   int (*each)(void *context, const struct volume_entry *entry),
		   void *context);

struct volume_extent {
	uint32_t device;
	uint64_t offset, bytes;
};

/**
 * volume_extents - copies a file's map
 * @list: room for @room
 * @count: how many there are, which may be more than @room
 */
int volume_extents(struct volume *volume, uint64_t ino,
		   struct volume_extent *list, uint32_t room, uint32_t *count);

/* Return: bytes of the value, also where @room is 0; -ENODATA, -ERANGE. */
int volume_getxattr(struct volume *volume, uint64_t ino, const char *name,
		    void *value, size_t room);
/* The names, each ended by a NUL. Return: bytes of them; -ERANGE. */
int volume_listxattr(struct volume *volume, uint64_t ino, char *list,
		     size_t room);

/* A path of the inode from the root, "/" for the root. -ENOENT: no name. */
int volume_path(struct volume *volume, uint64_t ino, char *buf, size_t room);

/* Something that has a name, or had one: @path is NULL then. */
struct volume_seen {
	const char *path;
	struct volume_attr attr;
	const char *target;		/* of a symbolic link; ended by a NUL */
	const struct volume_extent *extents;
	uint32_t extent_count;
	uint64_t released;		/* without a name: since this seq */
};

/*
 * Calls @each for the root, for every name from the root downwards, and for the
 * inodes without names, until it returns other than 0, which is returned.
 */
int volume_walk(struct volume *volume,
		int (*each)(void *context, const struct volume_seen *seen),
		void *context);

struct volume_stat {
	uint8_t uuid[16];
	char label[LABEL_SIZE + 1];
	uint32_t unit, coherence;
	uint64_t total, free, waiting;	/* bytes of data space */
	uint64_t inodes, names, extents;
	uint64_t log_bytes, log_used;	/* of the present area */
	uint64_t log_least, log_most;	/* a snapshot has, and may have */
	uint64_t generation, seq;
	uint32_t epoch;
	unsigned int slot;		/* of the owner */
	bool owned;			/* state of the root: a host is in */
	char owner[HOST_NAME_MOST + 1];
};

void volume_statfs(struct volume *volume, struct volume_stat *stat);

#endif
