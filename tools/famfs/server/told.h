/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files without a name that the kernel has been told of, in memory that outlives a
 * server.
 *
 * A task has the answer that tells of an inode before the kernel can be asked for
 * it. All but files that were made without a name are kept by their names until
 * then: the folder is locked until the task knows the inode.
 */
#ifndef FAMFS_TOLD_H
#define FAMFS_TOLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* More at a time, and all files without names are in doubt after a server's death. */
#define TOLD_MOST	1024u

/**
 * struct told - all of them
 * @used: none from there on was ever used
 * @more: the server that has told of more last, or 0
 * @inos: their inodes; 0: none
 */
struct told {
	_Atomic uint32_t used;
	_Atomic pid_t more;
	_Atomic uint64_t inos[TOLD_MOST];
};

/* Before it is told. */
void told_add(struct told *told, uint64_t ino);
/* The kernel has been seen to know it, or to have forgotten it. */
void told_drop(struct told *told, uint64_t ino);
bool told_has(struct told *told, uint64_t ino);
/* What servers before this one have told of more is in doubt no longer. */
void told_settle(struct told *told);

#endif
