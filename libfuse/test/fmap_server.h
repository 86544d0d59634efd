/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE: Filesystem in Userspace
 *
 * A filesystem of mapped files that counts what reaches it, for the tests.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#ifndef FMAP_SERVER_H_
#define FMAP_SERVER_H_

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 18)

#include "fuse_lowlevel.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Files: one that is there, and one that can be created */
#define SRV_FILE 2
#define SRV_NEW 3
#define SRV_FILE_NAME "file"
#define SRV_NEW_NAME "new"

struct server {
	const char *mnt;
	const char *device;
	struct fuse_session *se;
	pthread_t thread;
	bool uring;

	/*
	 * What is answered; the tests change it while no request is under
	 * way, except for the map.
	 */
	bool in_open;		/* map with the reply to open and create */
	int open_error;		/* open with ENOSYS and such */
	pthread_mutex_t lock;
	struct fuse_fmap *fmap;	/* the map of each file; NULL: none */
	uint64_t size;

	/* Called in fallocate, before the reply */
	int (*grow)(struct server *srv, fuse_ino_t ino, uint64_t end);

	/* Called in setattr, where the file is truncated */
	void (*truncate)(struct server *srv, uint64_t size);

	/* What has been asked */
	atomic_int opens, creates, fmaps, daxdevs, reads, writes, releases;
	atomic_int fallocates, truncates, over_uring;
	int reply_error;	/* of the last reply that had a map */
	size_t reply_max;	/* what the reply to the last open could have */
	size_t fmap_max;	/* what get_fmap was told */
};

void srv_start(struct server *srv, const char *mnt, const char *device);
void srv_stop(struct server *srv);
void srv_set_map(struct server *srv, struct fuse_fmap *fmap);
int srv_reply_error(struct server *srv);

#endif /* FMAP_SERVER_H_ */
