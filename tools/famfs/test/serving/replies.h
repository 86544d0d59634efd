/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replies that a made-up kernel takes, in place of libfuse.
 */
#ifndef FAMFS_SERVING_REPLIES_H
#define FAMFS_SERVING_REPLIES_H

#include <stdatomic.h>
#include <stdint.h>

/* What has reached the kernel. */
struct reply {
	_Atomic uint32_t count;
	_Atomic int err;
	_Atomic uint64_t ino, size;
};

/*
 * Called before a reply reaches the kernel, and after: the server may die there,
 * and other threads may do what they like.
 */
extern void (*reply_step)(void);

/* Where replies go. */
extern struct reply *reply;

#endif
