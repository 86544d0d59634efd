/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a mount keeps when its server dies: memory of a descriptor that parent
 * and child share, and other descriptors that the parent has too.
 */
#ifndef FAMFS_KEPT_H
#define FAMFS_KEPT_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "done.h"
#include "layout.h"
#include "told.h"

/* Rises with each change of struct kept: another version cannot go on. */
#define KEPT_VERSION	5u

/* An INIT request has about a hundred bytes. */
#define KEPT_INIT_MOST	512u

/**
 * struct kept - a mount, for its servers one after the other
 * @serving: the process that serves, or served last; 0: none yet
 * @parent: the process that starts another one
 * @deaths: how often a server has died
 * @own: the parent's own program serves, or is to, as the one that is installed
 *	 did not come to serve
 * @init: the INIT request, for the library of the next one
 * @ends: somebody has asked for an unmount, and no server has tried it yet
 * @left: no server has anything to do any more: this host has left, as far as it
 *	  could, and the next mount may have begun
 * @want: what the reply to it has wanted
 * @max_write: likewise
 * @backing_id: what maps call the device
 * @drop: as in struct server
 * @mount_id: of the first mount point, or 0
 * @under_id: of what that lies on, or 0: nothing was mounted yet
 * @nonce: of this host's slot
 * @major, @minor: number of the superblock, as tables of mounts show it
 * @binds: the socket that commands connect to is being made, or was
 * @socket_dev, @socket_ino: which it is; 0: not known yet
 * @done: requests that are being done
 * @told: files without a name that the kernel has been told of
 */
struct kept {
	uint32_t version, bytes;
	_Atomic pid_t serving;
	pid_t parent;
	_Atomic uint32_t deaths;
	_Atomic bool own, ends, left, binds;
	uint32_t init_bytes;
	uint8_t init[KEPT_INIT_MOST];
	uint64_t want;
	uint32_t max_write;
	int32_t backing_id;
	uint64_t mount_id, under_id, nonce;
	uint32_t major, minor;
	dev_t socket_dev;
	_Atomic ino_t socket_ino;
	uint8_t uuid[16];
	bool member, drop, debug, foreground;
	char label[LABEL_SIZE + 1], owner[HOST_NAME_MOST + 1];
	char device[PATH_MAX], source[PATH_MAX], mountpoint[PATH_MAX];
	struct done done;
	struct told told;
};

/**
 * struct kept_files - descriptors that every server of a mount has
 * @memory: of struct kept
 * @fuse: the connection
 * @media: the device, with this host's lock on it
 * @control: the socket that commands connect to
 */
struct kept_files {
	int memory, fuse, media, control;
};

/* Makes it. NULL: said why not. */
struct kept *kept_make(int *memory);

/* Of a descriptor. NULL: it is none, or of another version. */
struct kept *kept_open(int memory);

/* The INIT request, for later servers. False: it is larger than any can be. */
bool kept_keep_init(struct kept *kept, const void *init, size_t bytes);

/*
 * What a server that goes on is told of: numbers, in the order of struct
 * kept_files. What it has is for no other program.
 */
void kept_take(char *const numbers[4], struct kept_files *files);

/*
 * The server tells its parent, by @channel, what to keep. 0: the parent has it;
 * -errno: it never will.
 */
int kept_send(int channel, const struct kept_files *files);

/*
 * What a server has told. 1; 0: nothing, as it has ended, or tells nothing yet;
 * -EMFILE: this process may not have so many descriptors, and has none of them.
 */
int kept_receive(int channel, struct kept_files *files);
/* The server, which waits for it, hears that all is here. */
void kept_confirm(int channel);

#endif
