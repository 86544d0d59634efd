// SPDX-License-Identifier: GPL-2.0
/*
 * Signals, which ask for an unmount.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kept.h"
#include "server.h"

/* STATX_MNT_ID_UNIQUE, which older headers do not have. */
#define UNMOUNT_ID_UNIQUE	0x4000u

/* Signals, which can be seen before they are taken, and the thread's end. */
static int unmount_asked = -1, unmount_over = -1;

/* Without a request: nobody may answer one now. */
static bool unmount_look(const struct kept *kept, struct statx *st)
{
	return !statx(AT_FDCWD, kept->mountpoint,
		      AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		      UNMOUNT_ID_UNIQUE, st);
}

/* By a number that is never given again; 0: nothing can be found out. */
static uint64_t unmount_id(const struct kept *kept)
{
	struct statx st;

	if (!unmount_look(kept, &st) || !(st.stx_mask & UNMOUNT_ID_UNIQUE))
		return 0;
	return st.stx_mnt_id;
}

void unmount_note_under(struct kept *kept)
{
	kept->under_id = unmount_id(kept);
}

void unmount_note(struct kept *kept)
{
	struct statx st;

	kept->mount_id = unmount_id(kept);
	if (!unmount_look(kept, &st))
		return;
	kept->major = st.stx_dev_major;
	kept->minor = st.stx_dev_minor;
}

/* Is what a server that has died has mounted on top there? */
static bool unmount_is_dead(const struct kept *kept)
{
	uint64_t id = unmount_id(kept);
	struct stat st;

	if (!kept->under_id || !id)
		return false;
	if (kept->mount_id)
		return id == kept->mount_id;
	/* It died between the mount and a look at it, or the first request. */
	return id != kept->under_id && stat(kept->mountpoint, &st) &&
	       (errno == ENOTCONN || errno == ECONNREFUSED);
}

void unmount_dead(const struct kept *kept)
{
	if (unmount_is_dead(kept) &&
	    umount2(kept->mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW))
		fuse_log(FUSE_LOG_ERR, "famfs: %s: what has lost its server is mounted there: %s; Next: umount %s\n",
			 kept->mountpoint, strerror(errno), kept->mountpoint);
}

static void unmount_first(const struct kept *kept)
{
	const char *wrong = NULL;

	if (!kept->mount_id)
		wrong = "the kernel does not tell mounts apart";
	else if (unmount_id(kept) != kept->mount_id)
		wrong = "it is mounted there no more; it ends with its last mount point";
	else if (umount2(kept->mountpoint, UMOUNT_NOFOLLOW))
		wrong = strerror(errno);
	if (wrong)
		fuse_log(FUSE_LOG_ERR, "famfs: %s: not unmounted: %s\n",
			 kept->mountpoint, wrong);
}

static void *unmount_thread(void *context)
{
	struct pollfd polls[2] = {
		{ .fd = unmount_over, .events = POLLIN },
		{ .fd = unmount_asked, .events = POLLIN },
	};
	struct kept *kept = context;
	struct signalfd_siginfo info;

	while (poll(polls, 2, -1) < 0 || !polls[0].revents) {
		if (!polls[1].revents)
			continue;
		/* Noted before it is taken, as its parent sees what is not. */
		kept->ends = true;
		/* Whoever uses files keeps them: only an unmount ends it. */
		if (read(unmount_asked, &info, sizeof(info)) == sizeof(info))
			unmount_first(kept);
		kept->ends = false;
	}
	return NULL;
}

void unmount_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

int unmount_start(struct server *server, pthread_t *thread)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	unmount_asked = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	unmount_over = eventfd(0, EFD_CLOEXEC);
	if (unmount_asked < 0 || unmount_over < 0)
		return -errno;
	return -pthread_create(thread, NULL, unmount_thread, server->kept);
}

void unmount_end(pthread_t thread)
{
	eventfd_write(unmount_over, 1);
	pthread_join(thread, NULL);
}
