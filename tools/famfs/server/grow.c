// SPDX-License-Identifier: GPL-2.0
/*
 * Memory for files that grow.
 *
 * The kernel asks for it with FALLOCATE before it writes past what is mapped.
 * It gets more than it asked for, so that it does not ask often; what is left
 * over is cut off when it has forgotten the file.
 */

#include <bsd/sys/queue.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "server.h"

/*
 * How long an allocation waits for space on its way back, and between tries: at
 * most where nothing comes, and at least where a lot does, bit by bit.
 */
#define GROW_WAIT_MS	1000u
#define GROW_TRY_MS	50u
#define GROW_PAUSE_US	2000u

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
	struct volume_attr attr;
	struct op op;
	int err = 0;

	server_lock(server, ino);
	if (!request_is_done(NULL)) {
		op = request_op();
		err = volume_map(server->volume, &op, ino, reach, true, &attr);
	}
	/* Where it fails, the kernel asks for the map after the reply. */
	if (!err)
		maps_push(server, ino);
	/* The kernel takes no attributes with a map: how much it has is one. */
	if (!err)
		maps_is_known(server, ino);
	server_unlock(server, ino);
	return err;
}

/* A request that waits for space, @until then: in milliseconds. */
struct grower {
	TAILQ_ENTRY(grower) next;
	fuse_req_t req;
	uint64_t ino, reach, until;
};

TAILQ_HEAD(grower_list, grower);

/*
 * Space that files have been removed from comes back when the kernel has let go
 * of them, which takes a moment. Who waits for that waits here, and no thread
 * that serves requests does.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct grower_list list;
	pthread_t thread;
	bool started, ended;
} growing = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
	.list = TAILQ_HEAD_INITIALIZER(growing.list),
};

static void grower_reply(struct grower *grower, int err)
{
	server_reply_err(grower->req, err);
	free(grower);
}

/* One more try of each. Those that go on waiting stay in @list. */
static void growers_try(struct server *server, struct grower_list *list)
{
	uint64_t seen = queue_hurry(server);
	bool nothing = !queue_wait(server, seen, GROW_TRY_MS) &&
		       !queue_length(server);
	struct grower *grower, *next;

	usleep(GROW_PAUSE_US);
	TAILQ_FOREACH_SAFE(grower, list, next, next) {
		int err = grow_map(server, grower->ino, grower->reach);

		if (err == -ENOSPC && !nothing && clock_ms() < grower->until)
			continue;
		TAILQ_REMOVE(list, grower, next);
		grower_reply(grower, err);
	}
}

static void *grow_thread(void *context)
{
	struct grower_list list = TAILQ_HEAD_INITIALIZER(list);
	struct server *server = context;
	bool more;

	pthread_mutex_lock(&growing.lock);
	while (!growing.ended) {
		if (TAILQ_EMPTY(&list) && TAILQ_EMPTY(&growing.list)) {
			pthread_cond_wait(&growing.wake, &growing.lock);
			continue;
		}
		more = !TAILQ_EMPTY(&growing.list);
		TAILQ_CONCAT(&list, &growing.list, next);
		pthread_mutex_unlock(&growing.lock);
		if (more)
			grow_prune(server);
		growers_try(server, &list);
		pthread_mutex_lock(&growing.lock);
	}
	TAILQ_CONCAT(&growing.list, &list, next);
	pthread_mutex_unlock(&growing.lock);
	return NULL;
}

int grow_start(struct server *server)
{
	int err = pthread_create(&growing.thread, NULL, grow_thread, server);

	growing.started = !err;
	return -err;
}

void grow_stop(void)
{
	struct grower *grower;

	pthread_mutex_lock(&growing.lock);
	growing.ended = true;
	pthread_cond_signal(&growing.wake);
	pthread_mutex_unlock(&growing.lock);
	if (growing.started)
		pthread_join(growing.thread, NULL);
	growing.started = false;
	while ((grower = TAILQ_FIRST(&growing.list))) {
		TAILQ_REMOVE(&growing.list, grower, next);
		grower_reply(grower, -EIO);
	}
}

/* Can so much never be mapped, whatever comes back? */
static bool grow_is_hopeless(struct server *server, uint64_t reach)
{
	struct volume_stat stat;

	volume_statfs(server->volume, &stat);
	return reach > stat.total;
}

/* False: it cannot wait. */
static bool grow_wait(fuse_req_t req, uint64_t ino, uint64_t reach)
{
	struct grower *grower = calloc(1, sizeof(*grower));

	if (!grower)
		return false;
	grower->req = req;
	grower->ino = ino;
	grower->reach = reach;
	grower->until = clock_ms() + GROW_WAIT_MS;
	pthread_mutex_lock(&growing.lock);
	TAILQ_INSERT_TAIL(&growing.list, grower, next);
	pthread_cond_signal(&growing.wake);
	pthread_mutex_unlock(&growing.lock);
	return true;
}

static void grow_fallocate(fuse_req_t req, fuse_ino_t ino, int mode,
			   off_t offset, off_t length,
			   struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	uint64_t reach = (uint64_t)offset + (uint64_t)length;
	int err;

	(void)fi;
	if (mode != FALLOC_FL_KEEP_SIZE) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	if (offset < 0 || length <= 0 || length > INT64_MAX - offset) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	err = grow_map(server, ino, reach);
	if (err != -ENOSPC || grow_is_hopeless(server, reach) ||
	    !grow_wait(req, ino, reach))
		server_reply_err(req, err);
}

void grow_operations(struct fuse_lowlevel_ops *ops)
{
	ops->fallocate = grow_fallocate;
}
