// SPDX-License-Identifier: GPL-2.0
/*
 * Letting go: space comes back when the kernel is known to have it no more.
 *
 * What a file was cut off is let go of when a push of its present map has
 * succeeded, or when the kernel does not know the inode. A removed inode, and
 * what was mapped ahead, wait for the latter. One thread asks, again and again
 * where something is still in use.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "kept.h"
#include "layout.h"
#include "mutant.h"
#include "queue.h"

/* Between two tries, in milliseconds: doubled each time. */
#define QUEUE_DELAY_LEAST	10u
#define QUEUE_DELAY_MOST	1000u

/* The beat: once a second. */
#define QUEUE_BEAT_MS		1000u

/*
 * A file without a name, of which a server before has told, and which the kernel
 * does not know: a task has the answer and has not got as far as knowing the inode,
 * or the kernel has forgotten it and told that server, which has died since. Only
 * in the first case a FORGET comes, and no request, lock or notification waits for
 * such a task: a bound has to do. A task that has its answer needs a page of memory
 * at most, and no server; it cannot be stopped or frozen before it has returned.
 */
#define QUEUE_DOUBT_MS		30000u

static int by_ino(const struct waiter *one, const struct waiter *two)
{
	return one->ino < two->ino ? -1 : one->ino > two->ino;
}

/* Who is due at the same time is told apart by number. */
static int by_due(const struct waiter *one, const struct waiter *two)
{
	if (one->due != two->due)
		return one->due < two->due ? -1 : 1;
	return by_ino(one, two);
}

TREE_GENERATE(waiter_inos, waiter, by_ino, by_ino)
TREE_GENERATE(waiter_dues, waiter, by_due, by_due)

static void queue_set_due(struct queue *queue, struct waiter *waiter,
			  uint64_t due)
{
	RB_REMOVE(waiter_dues, &queue->dues, waiter);
	waiter->due = due;
	RB_INSERT(waiter_dues, &queue->dues, waiter);
}

void queue_add(struct server *server, uint64_t ino, bool soon)
{
	struct queue *queue = server->queue;
	uint64_t due = clock_ms() + (soon ? 0 : QUEUE_DELAY_LEAST);
	struct waiter key = { .ino = ino }, *waiter;

	pthread_mutex_lock(&queue->lock);
	waiter = RB_FIND(waiter_inos, &queue->inos, &key);
	if (waiter) {
		waiter->again = true;
		if (due < waiter->due)
			queue_set_due(queue, waiter, due);
	} else {
		/* Without memory it waits for the next mount. */
		waiter = calloc(1, sizeof(*waiter));
	}
	if (waiter && !waiter->ino) {
		waiter->ino = ino;
		waiter->due = due;
		waiter->delay = QUEUE_DELAY_LEAST;
		RB_INSERT(waiter_inos, &queue->inos, waiter);
		RB_INSERT(waiter_dues, &queue->dues, waiter);
		queue->length++;
	}
	pthread_cond_broadcast(&queue->wake);
	pthread_mutex_unlock(&queue->lock);
}

uint64_t queue_hurry(struct server *server)
{
	struct queue *queue = server->queue;
	struct waiter *waiter;
	uint64_t seen;

	pthread_mutex_lock(&queue->lock);
	RB_FOREACH(waiter, waiter_inos, &queue->inos) {
		waiter->delay = QUEUE_DELAY_LEAST;
		queue_set_due(queue, waiter, 0);
	}
	seen = queue->progress;
	pthread_cond_broadcast(&queue->wake);
	pthread_mutex_unlock(&queue->lock);
	return seen;
}

static struct timespec queue_deadline(uint64_t ms)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += (time_t)(ms / 1000);
	time.tv_nsec += (long)(ms % 1000) * 1000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_sec++;
		time.tv_nsec -= 1000000000;
	}
	return time;
}

bool queue_wait(struct server *server, uint64_t seen, unsigned int ms)
{
	struct timespec deadline = queue_deadline(ms);
	struct queue *queue = server->queue;
	bool risen;

	pthread_mutex_lock(&queue->lock);
	while (queue->progress == seen &&
	       !pthread_cond_timedwait(&queue->wake, &queue->lock, &deadline))
		;
	risen = queue->progress != seen;
	pthread_mutex_unlock(&queue->lock);
	return risen;
}

uint64_t queue_length(struct server *server)
{
	struct queue *queue = server->queue;
	uint64_t length;

	pthread_mutex_lock(&queue->lock);
	length = queue->length;
	pthread_mutex_unlock(&queue->lock);
	return length;
}

/*
 * As maps_is_known(). An unmount hides all inodes before it evicts them, which
 * takes as long as a page is in use: none of them has been let go of. The root is
 * known until then. The owner gives space to nobody while it is unmounted, and
 * asks no more, as the kernel would ask it for the root's attributes again.
 */
static int queue_is_known(struct server *server, uint64_t ino)
{
	int known = maps_is_known(server, ino);

	if (known || !server->member)
		return known;
	known = maps_is_known(server, ROOT_INO);
	if (known < 0)
		return known;
	return WRONG(QUEUE_IS_MOUNTED, !known) ? -EAGAIN : 0;
}

/* What the log has ended, this host's kernel may know all the same. */
static int queue_try_gone(struct server *server, uint64_t ino)
{
	int known = queue_is_known(server, ino);

	if (known)
		return known < 0 ? known : -EAGAIN;
	return volume_let_go(server->volume, ino, volume_seq(server->volume));
}

/* Nobody here has it: a removed inode ends, another one is cut to its size. */
static int queue_release(struct server *server, const struct volume_attr *attr)
{
	struct volume *volume = server->volume;
	struct op op = server_op();
	struct volume_attr now;
	int err;

	if (server->member)
		return volume_let_go(volume, attr->ino, attr->seq);
	if (!attr->links)
		return volume_gone(volume, &op, attr->ino);
	if (!S_ISREG(attr->attr.mode))
		return 0;
	err = volume_trim(volume, &op, attr->ino, &now);
	return err ? err : volume_let_go(volume, attr->ino, now.seq);
}

/* May it end otherwise at another time? If not, the next mount sees to it. */
static bool queue_is_worth_it(int err)
{
	return err == -EAGAIN || err == -EBUSY || err == -ENOMEM ||
	       err == -ENOSPC;
}

/*
 * What the kernel knew once, or has forgotten since, or had by a name, it does not
 * get again: that it does not know it now is a proof.
 */
static bool queue_is_in_doubt(struct server *server, uint64_t ino)
{
	if (!server->kept)
		return false;
	if (clock_ms() < server->queue->doubt)
		return told_has(&server->kept->told, ino);
	told_settle(&server->kept->told);
	return false;
}

/* Return: 0: done; -errno: not yet, or never, see queue_is_worth_it(). */
static int queue_try(struct server *server, uint64_t ino)
{
	struct volume_attr attr;
	int err = volume_getattr(server->volume, ino, &attr), known;

	if (err)
		return err == -ENOENT && server->member ?
		       queue_try_gone(server, ino) : err;
	known = queue_is_known(server, ino);
	if (known < 0)
		return known;
	if (!attr.links && !known &&
	    WRONG(QUEUE_IS_IN_DOUBT, queue_is_in_doubt(server, ino)))
		return -EAGAIN;
	if (!attr.links && server->kept)
		told_drop(&server->kept->told, ino);
	if (!WRONG(QUEUE_IS_FORGOTTEN, known))
		return queue_release(server, &attr);
	if (!attr.links) {
		/* A name that another host has taken away may be cached. */
		if (server->member)
			maps_prune(server, &ino, 1);
		return -EAGAIN;
	}
	/* That the kernel does not know it now proves nothing of then. */
	err = S_ISREG(attr.attr.mode) ? maps_push(server, ino) : 0;
	if (err == -ENOENT)
		return -EAGAIN;
	return WRONG(QUEUE_HAS_PUSHED, err) ? err :
	       volume_let_go(server->volume, ino, attr.seq);
}

/* A reply that has been composed is on its way to the kernel, or taken in. */
static int queue_try_locked(struct server *server, uint64_t ino)
{
	bool locks = WRONG(QUEUE_LOCKS, true);
	int err;

	if (locks)
		server_lock(server, ino);
	err = queue_try(server, ino);
	if (locks)
		server_unlock(server, ino);
	return err;
}

/* With the queue's lock, which is dropped meanwhile. */
static void queue_run(struct queue *queue, struct waiter *waiter)
{
	uint64_t ino = waiter->ino;
	bool retry;
	int err;

	waiter->again = false;
	pthread_mutex_unlock(&queue->lock);
	err = queue_try_locked(queue->server, ino);
	pthread_mutex_lock(&queue->lock);
	retry = queue_is_worth_it(err);
	if (!retry) {
		queue->progress++;
		pthread_cond_broadcast(&queue->wake);
	}
	if (retry || waiter->again) {
		queue_set_due(queue, waiter, clock_ms() + waiter->delay);
		if (waiter->delay < QUEUE_DELAY_MOST)
			waiter->delay *= 2;
		return;
	}
	RB_REMOVE(waiter_inos, &queue->inos, waiter);
	RB_REMOVE(waiter_dues, &queue->dues, waiter);
	queue->length--;
	free(waiter);
}

static void *queue_thread(void *context)
{
	struct queue *queue = context;

	pthread_mutex_lock(&queue->lock);
	while (!queue->ended) {
		struct waiter *first = RB_MIN(waiter_dues, &queue->dues);
		uint64_t now = clock_ms(), wait = QUEUE_BEAT_MS;
		bool held = WRONG(QUEUE_IS_HELD, queue->held);
		struct timespec deadline;

		if (first && first->due <= now && !held) {
			queue_run(queue, first);
			continue;
		}
		if (first && first->due > now)
			wait = first->due - now;
		deadline = queue_deadline(wait);
		pthread_cond_timedwait(&queue->wake, &queue->lock, &deadline);
	}
	pthread_mutex_unlock(&queue->lock);
	return NULL;
}

static int queue_oldest(void *context, const struct volume_waiting *waiting)
{
	uint64_t *oldest = context;

	if (waiting->seq < *oldest)
		*oldest = waiting->seq;
	return 0;
}

/* What other hosts are told: all before the oldest that waits is let go of. */
static void *beat_thread(void *context)
{
	struct queue *queue = context;
	struct volume *volume = queue->server->volume;
	bool told = false;

	/* A member beats after each poll. */
	if (queue->server->member)
		return NULL;
	pthread_mutex_lock(&queue->lock);
	while (!queue->ended) {
		struct timespec deadline = queue_deadline(QUEUE_BEAT_MS);
		uint64_t oldest;
		int err;

		pthread_mutex_unlock(&queue->lock);
		oldest = volume_seq(volume) + 1;
		volume_each_waiting(volume, queue_oldest, &oldest);
		err = volume_beat(volume, oldest - 1);
		if (err && !told)
			fuse_log(FUSE_LOG_ERR, "famfs: %s: writing has ended: %s; Next: famfs umount %s, then fsck.famfs %s\n",
				 queue->server->device, strerror(-err),
				 queue->server->mountpoint,
				 queue->server->device);
		told |= err != 0;
		pthread_mutex_lock(&queue->lock);
		while (!queue->ended &&
		       !pthread_cond_timedwait(&queue->end, &queue->lock,
					       &deadline))
			;
	}
	pthread_mutex_unlock(&queue->lock);
	return NULL;
}

int queue_start(struct server *server, bool held)
{
	struct queue *queue = calloc(1, sizeof(*queue));
	pthread_condattr_t attr;
	int err;

	if (!queue)
		return -ENOMEM;
	server->queue = queue;
	queue->server = server;
	queue->held = held;
	RB_INIT(&queue->inos);
	RB_INIT(&queue->dues);
	pthread_mutex_init(&queue->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->wake, &attr);
	pthread_cond_init(&queue->end, &attr);
	pthread_condattr_destroy(&attr);
	err = pthread_create(&queue->thread, NULL, queue_thread, queue);
	queue->started += !err;
	if (!err)
		err = pthread_create(&queue->beat, NULL, beat_thread, queue);
	queue->started += !err;
	return -err;
}

void queue_begin(struct server *server)
{
	struct queue *queue = server->queue;

	pthread_mutex_lock(&queue->lock);
	if (queue->held)
		queue->doubt = clock_ms() + QUEUE_DOUBT_MS;
	queue->held = false;
	pthread_cond_broadcast(&queue->wake);
	pthread_mutex_unlock(&queue->lock);
}

void queue_end(struct server *server)
{
	struct queue *queue = server->queue;

	if (!queue)
		return;
	pthread_mutex_lock(&queue->lock);
	queue->ended = true;
	pthread_cond_broadcast(&queue->wake);
	pthread_cond_broadcast(&queue->end);
	pthread_mutex_unlock(&queue->lock);
	if (queue->started > 0)
		pthread_join(queue->thread, NULL);
	if (queue->started > 1)
		pthread_join(queue->beat, NULL);
	queue->started = 0;
}

void queue_stop(struct server *server)
{
	struct queue *queue = server->queue;
	struct waiter *waiter;

	if (!queue)
		return;
	queue_end(server);
	while ((waiter = RB_ROOT(&queue->inos))) {
		RB_REMOVE(waiter_inos, &queue->inos, waiter);
		free(waiter);
	}
	pthread_cond_destroy(&queue->wake);
	pthread_cond_destroy(&queue->end);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
	server->queue = NULL;
}
