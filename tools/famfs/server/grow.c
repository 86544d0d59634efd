// SPDX-License-Identifier: GPL-2.0
/*
 * Memory for files that grow.
 *
 * The kernel asks for it with FALLOCATE before it writes past what is mapped.
 * It gets more than it asked for, so that it does not ask often; what is left
 * over is cut off when it has forgotten the file.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "server.h"

/* How long an allocation waits for space that is on its way back. */
#define GROW_WAIT_MS	1000u
#define GROW_TRY_MS	50u

/* Unused inodes that the kernel is asked to drop at once. */
#define GROW_PRUNE	1024u

struct ahead {
	uint64_t inos[GROW_PRUNE];
	uint32_t count;
};

static int ahead_add(void *context, const struct volume_attr *attr)
{
	struct ahead *ahead = context;

	ahead->inos[ahead->count++] = attr->ino;
	return ahead->count == GROW_PRUNE;
}

/* Files that nobody uses give back what they have been given ahead. */
static void grow_prune(struct server *server)
{
	struct ahead *ahead = calloc(1, sizeof(*ahead));

	if (!ahead)
		return;
	volume_each_ahead(server->volume, ahead_add, ahead);
	maps_prune(server, ahead->inos, ahead->count);
	free(ahead);
}

static int grow_map(struct server *server, uint64_t ino, uint64_t reach)
{
	struct op op = server_op();
	struct volume_attr attr;
	int err;

	server_lock(server, ino);
	err = volume_map(server->volume, &op, ino, reach, true, &attr);
	/* Where it fails, the kernel asks for the map after the reply. */
	if (!err)
		maps_push(server, ino);
	/* The kernel takes no attributes with a map: how much it has is one. */
	if (!err)
		maps_is_known(server, ino);
	server_unlock(server, ino);
	return err;
}

/*
 * Space that files have been removed from comes back when the kernel has let go
 * of them, which takes a moment.
 */
static int grow_map_patiently(struct server *server, uint64_t ino,
			      uint64_t reach)
{
	int err = grow_map(server, ino, reach);

	for (unsigned int ms = 0; err == -ENOSPC && ms < GROW_WAIT_MS;
	     ms += GROW_TRY_MS) {
		uint64_t seen = queue_hurry(server);

		if (!ms)
			grow_prune(server);
		if (!queue_wait(server, seen, GROW_TRY_MS) && !ms &&
		    !queue_length(server))
			break;
		err = grow_map(server, ino, reach);
	}
	return err;
}

static void grow_fallocate(fuse_req_t req, fuse_ino_t ino, int mode,
			   off_t offset, off_t length,
			   struct fuse_file_info *fi)
{
	(void)fi;
	if (mode != FALLOC_FL_KEEP_SIZE) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	if (offset < 0 || length <= 0 || length > INT64_MAX - offset) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	server_reply_err(req, grow_map_patiently(server_of(req), ino,
						 (uint64_t)(offset + length)));
}

void grow_operations(struct fuse_lowlevel_ops *ops)
{
	ops->fallocate = grow_fallocate;
}
