// SPDX-License-Identifier: GPL-2.0
/*
 * Other hosts: a member reads on and tells its kernel, the owner gives slots
 * and looks who has let go of what.
 *
 * The queue does the letting go. A push under way when the queue, or this
 * thread, begins another one waits for the inode's own lock.
 */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "cmd.h"
#include "hosts.h"
#include "layout.h"
#include "server.h"

/* So long an owner may take to give a slot. */
#define HOSTS_JOIN_MS	30000u

/* A member looks at the others after so many polls. */
#define HOSTS_LOOK_POLLS	10u

/* Refusals are said so often at most, in seconds. */
#define HOSTS_SAY_S	60

/* One mount a process. */
static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool started, ended;
	unsigned int polls;
	time_t said;
} hosts = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

void hosts_say_owner(struct server *server)
{
	time_t now = (time_t)(clock_ms() / 1000);
	struct volume_stat stat;
	bool say;

	pthread_mutex_lock(&hosts.lock);
	say = !hosts.said || now - hosts.said >= HOSTS_SAY_S;
	if (say)
		hosts.said = now ? now : 1;
	pthread_mutex_unlock(&hosts.lock);
	if (!say)
		return;
	volume_statfs(server->volume, &stat);
	fuse_log(FUSE_LOG_NOTICE, "famfs: %s: %s owns the file system: changes are made there\n",
		 server->device, stat.owner);
}

/*
 * Hardware has to keep caches coherent, or the kernel to drop what another host
 * has written since it was cached.
 */
static bool hosts_can_share(struct server *server)
{
	struct volume_stat stat;

	volume_statfs(server->volume, &stat);
	return stat.coherence == COHERENCE_HARDWARE || server->drop;
}

static int hosts_is_other(void *context, const struct volume_host *host)
{
	(void)context;
	return !host->self;
}

bool hosts_are_others(struct server *server)
{
	return volume_each_host(server->volume, hosts_is_other, NULL);
}

static void hosts_fail_join(struct server *server, int err,
			    const struct fault *fault)
{
	struct volume_stat stat;

	volume_statfs(server->volume, &stat);
	if (err == -EAGAIN)
		cmd_fail(server->device, "mount it there first",
			 "%s owns it, and has given this host no slot",
			 stat.owner);
	else if (err == -EBUSY)
		cmd_fail(server->device, "give each host a /etc/machine-id of its own",
			 "a host of the same id has it mounted");
	else
		cmd_fail_fault(server->device, err, fault);
}

/* It takes seconds where the owner has to give a slot first. */
static int hosts_join(struct server *server,
		      const struct volume_options *options)
{
	uint64_t end = clock_ms() + HOSTS_JOIN_MS;
	struct fault fault = { 0 };
	int err;

	while ((err = volume_join(server->volume, options, clock_ms(),
				  &fault)) == -EAGAIN && clock_ms() < end)
		usleep(HOSTS_POLL_MS * 1000);
	if (err)
		hosts_fail_join(server, err, &fault);
	return err;
}

int hosts_open(struct server *server, struct media *media,
	       struct volume_options *options, bool member)
{
	struct fault fault = { 0 };
	int err = cmd_volume_open(&server->volume, media, options, &fault);

	if (err == -EROFS && fault.kind == FAULT_OWNER && member) {
		memset(&fault, 0, sizeof(fault));
		options->how = VOLUME_READ;
		server->member = true;
		err = cmd_volume_open(&server->volume, media, options, &fault);
	}
	if (err)
		cmd_fail_fault(server->device, err, &fault);
	if (err || !server->member)
		return err;
	err = hosts_join(server, options);
	if (err) {
		/* Nothing was mapped, so it is out at once if it was in. */
		volume_leave(server->volume);
		volume_close(server->volume);
		server->volume = NULL;
	}
	return err;
}

int hosts_resume(struct server *server, struct media *media,
		 struct volume_options *options)
{
	struct fault fault = { 0 };
	int err;

	/* Numbers in the log are of requests to the owner's host. */
	if (server->member)
		options->done = NULL;
	err = cmd_volume_open(&server->volume, media, options, &fault);
	if (!err)
		err = volume_resume(server->volume, options, server->member);
	/* It serves nothing, as the server before. */
	if (err == -ESTALE && server->volume) {
		server->cut = true;
		return 0;
	}
	if (fault.kind != FAULT_NONE)
		fuse_log(FUSE_LOG_ERR, "famfs: %s: %s (at offset %llu)\n",
			 server->device, fault.text,
			 (unsigned long long)fault.where);
	return err;
}

/* What a kernel has of a file follows what the owner has made of it. */
static void hosts_push(struct server *server, uint64_t ino)
{
	struct volume_attr attr;

	server_lock(server, ino);
	if (!volume_getattr(server->volume, ino, &attr) && attr.links) {
		/* Where it fails for now the queue tries again. */
		if (S_ISREG(attr.attr.mode))
			maps_push(server, ino);
		maps_is_known(server, ino);
	}
	server_unlock(server, ino);
}

static void hosts_changed(void *context, const struct volume_change *change)
{
	struct server *server = context;

	if (change->what & CHANGE_REMOVED)
		maps_prune(server, &change->ino, 1);
	else if (!(change->what & CHANGE_GONE))
		hosts_push(server, change->ino);
	if (change->what & (CHANGE_CUT | CHANGE_REMOVED))
		queue_add(server, change->ino, true);
}

struct hosts_files {
	uint64_t *inos;
	size_t count, room;
};

static int hosts_add_file(void *context, const struct volume_seen *seen)
{
	struct hosts_files *files = context;
	size_t room = files->room ? 2 * files->room : 64;
	uint64_t *more;

	if (!S_ISREG(seen->attr.attr.mode))
		return 0;
	if (files->count == files->room) {
		more = realloc(files->inos, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		files->inos = more;
		files->room = room;
	}
	files->inos[files->count++] = seen->attr.ino;
	return 0;
}

/* Others may not count this host any more: it has nothing from now on. */
static void hosts_cut_off(struct server *server)
{
	struct hosts_files files = { 0 };

	fuse_log(FUSE_LOG_ERR, "famfs: %s: this host is cut off: its slot, or the file system, is another one; Next: famfs umount %s\n",
		 server->device, server->mountpoint);
	server->cut = true;
	volume_walk(server->volume, hosts_add_file, &files);
	for (size_t i = 0; i < files.count; i++) {
		server_lock(server, files.inos[i]);
		maps_revoke(server, files.inos[i]);
		server_unlock(server, files.inos[i]);
	}
	free(files.inos);
}

/* Return: false: it was the last one. */
static bool hosts_poll_member(struct server *server)
{
	int err = volume_poll(server->volume, hosts_changed, server);

	if (!err || err == -EAGAIN)
		err = volume_tell_held(server->volume);
	/* Others are looked at for who asks; nothing goes by it. */
	if (!err && !(hosts.polls++ % HOSTS_LOOK_POLLS) &&
	    !volume_look(server->volume))
		presence_update(server);
	if (!err)
		return true;
	if (err == -ESTALE)
		hosts_cut_off(server);
	else
		/* What it has stays: its beat stands, and others wait. */
		fuse_log(FUSE_LOG_ERR, "famfs: %s: nothing more is read of what other hosts do: %s; Next: famfs umount %s, then fsck.famfs %s\n",
			 server->device, strerror(-err), server->mountpoint,
			 server->device);
	return false;
}

static bool hosts_poll_owner(struct server *server)
{
	int err = 0;

	if (hosts_can_share(server))
		err = volume_admit(server->volume, server_op().now);
	if (err > 0)
		fuse_log(FUSE_LOG_NOTICE, "famfs: %s: %d hosts more have a slot\n",
			 server->device, err);
	/* What cannot be read now is seen at another time. */
	err = volume_look(server->volume);
	if (!err)
		presence_update(server);
	if (err == -ESTALE)
		hosts_cut_off(server);
	/* Where writing has ended, the beat says so. */
	return !volume_health(server->volume);
}

/*
 * A server before may have read what the owner has changed, and not told the
 * kernel.
 */
static void hosts_push_all(struct server *server)
{
	struct hosts_files files = { 0 };

	volume_walk(server->volume, hosts_add_file, &files);
	for (size_t i = 0; i < files.count && !hosts.ended; i++)
		hosts_push(server, files.inos[i]);
	free(files.inos);
}

static void *hosts_thread(void *context)
{
	struct server *server = context;
	struct timespec due;
	bool again = true;

	if (server->resumed && server->member)
		hosts_push_all(server);
	pthread_mutex_lock(&hosts.lock);
	while (!hosts.ended && again) {
		pthread_mutex_unlock(&hosts.lock);
		again = server->member ? hosts_poll_member(server) :
					 hosts_poll_owner(server);
		clock_gettime(CLOCK_MONOTONIC, &due);
		due.tv_nsec += HOSTS_POLL_MS * 1000000;
		if (due.tv_nsec >= 1000000000) {
			due.tv_nsec -= 1000000000;
			due.tv_sec++;
		}
		pthread_mutex_lock(&hosts.lock);
		while (!hosts.ended &&
		       !pthread_cond_timedwait(&hosts.wake, &hosts.lock, &due))
			;
	}
	pthread_mutex_unlock(&hosts.lock);
	return NULL;
}

static int hosts_queue_waiting(void *context,
			       const struct volume_waiting *waiting)
{
	queue_add(context, waiting->ino, false);
	return 0;
}

static int hosts_queue_ahead(void *context, const struct volume_attr *attr)
{
	queue_add(context, attr->ino, false);
	return 0;
}

int hosts_start(struct server *server)
{
	pthread_condattr_t attr;
	int err;

	if (server->cut) {
		hosts_cut_off(server);
		return 0;
	}
	/* What mount or server before could not give back. */
	if (!server->member || server->resumed)
		volume_each_waiting(server->volume, hosts_queue_waiting,
				    server);
	if (!server->member)
		volume_each_ahead(server->volume, hosts_queue_ahead, server);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&hosts.wake, &attr);
	pthread_condattr_destroy(&attr);
	hosts.ended = false;
	err = pthread_create(&hosts.thread, NULL, hosts_thread, server);
	hosts.started = !err;
	return -err;
}

void hosts_end(struct server *server)
{
	(void)server;
	if (!hosts.started)
		return;
	pthread_mutex_lock(&hosts.lock);
	hosts.ended = true;
	pthread_cond_broadcast(&hosts.wake);
	pthread_mutex_unlock(&hosts.lock);
	pthread_join(hosts.thread, NULL);
	hosts.started = false;
}
