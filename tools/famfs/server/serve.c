// SPDX-License-Identifier: GPL-2.0
/*
 * One server of a mount, from its beginning to its end: the first one, which
 * mounts, or one that goes on where another has died.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cmd.h"
#include "kept.h"
#include "parent.h"
#include "serve.h"
#include "server.h"

static int serve_own(struct server *server, struct volume_options *options)
{
	int err = cmd_own(options);

	if (err) {
		cmd_fail("/etc/machine-id", "systemd-machine-id-setup",
			 "this host has no id: %s", strerror(-err));
		return err;
	}
	/* The clock that later operations go by. */
	options->now = server_op().now;
	options->done = &server->kept->done;
	return 0;
}

static void serve_learn(struct server *server)
{
	struct volume_stat stat;

	volume_statfs(server->volume, &stat);
	memcpy(server->uuid, stat.uuid, 16);
	memcpy(&server->generation, stat.uuid, sizeof(server->generation));
	server->unit = stat.unit;
	memcpy(server->kept->uuid, stat.uuid, 16);
	memcpy(server->kept->label, stat.label, sizeof(stat.label));
	memcpy(server->kept->owner, stat.owner, sizeof(stat.owner));
}

static int serve_volume(struct server *server, const struct serve *wanted,
			struct media *media)
{
	struct volume_options options = { .how = VOLUME_OWN | VOLUME_UNUSED };
	int err = serve_own(server, &options);

	if (!err)
		err = hosts_open(server, media, &options, wanted->member);
	if (err)
		return err;
	serve_learn(server);
	server->kept->nonce = options.nonce;
	server->kept->member = server->member;
	if (server->unit % options.self.page) {
		cmd_fail(server->device, "mkfs.famfs --unit BYTES   makes one with a larger unit",
			 "its unit, %u bytes, is smaller than this host's pages, %u bytes",
			 server->unit, options.self.page);
		return -EINVAL;
	}
	return 0;
}

/* From here to the end of the mount the kernel holds the device. */
static int serve_hold(struct server *server, int guard)
{
	int err;

	close(guard);
	err = maps_register(server);
	server->kept->backing_id = server->backing_id;
	server->kept->drop = server->drop;
	return err;
}

static void serve_block_signals(void)
{
	sigset_t set;

	unmount_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/*
 * Another server can go on from here: nothing fails between this and the first
 * request.
 */
static int serve_tell_parent(struct server *server, const struct serve *wanted,
			     const struct kept_files *files)
{
	int err = kept_send(wanted->channel, files);

	if (err)
		cmd_fail(server->mountpoint, "ulimit -n   shows how many files it may have",
			 "the parent of its servers has died, or may not have more files: %s",
			 strerror(-err));
	else
		serve_tell_mounted(wanted);
	return err;
}

void serve_tell_mounted(const struct serve *wanted)
{
	if (wanted->ready < 0)
		return;
	serve_detach();
	/* Whoever has heard it, or has gone, hears it no more. */
	if (write(wanted->ready, "", 1) < 0 && errno != EPIPE)
		fuse_log(FUSE_LOG_ERR, "famfs: %s: whoever mounts it does not hear that it is: %s\n",
			 wanted->mountpoint, strerror(errno));
	close(wanted->ready);
}

void serve_detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	fuse_log_enable_syslog("famfs", 0, 3 << 3);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (chdir("/"))
		fuse_log(FUSE_LOG_ERR, "famfs: there is no root directory\n");
}

/* What serves beside the threads that read requests. */
static int serve_start(struct server *server)
{
	int err = queue_start(server, server->resumed);

	if (!err)
		err = hosts_start(server);
	/*
	 * That the kernel does not know an inode proves nothing before all
	 * requests that were read by a server before are answered.
	 */
	if (!err && server->resumed)
		err = work_again(server);
	if (!err)
		queue_begin(server);
	if (!err)
		err = grow_start(server);
	if (!err)
		err = control_start(server);
	return err;
}

static int serve_loop(struct server *server, const struct serve *wanted,
		      struct kept_files *files)
{
	pthread_t signals;
	int err = serve_start(server);

	files->fuse = fuse_session_fd(server->session);
	files->control = server->control;
	if (!err)
		err = unmount_start(server, &signals);
	if (err) {
		cmd_fail_errno(server->device, err);
		return err;
	}
	if (!server->resumed)
		err = serve_tell_parent(server, wanted, files);
	if (err)
		return err;
	server->kept->serving = getpid();
	work_run(server);
	unmount_end(signals);
	return 0;
}

/*
 * Without a superblock nothing of this host is in the device any more. That
 * takes as long as somebody has a page pinned.
 */
static void serve_leave(struct server *server)
{
	int err;

	/* The beat goes on up to here; nothing else changes the volume now. */
	hosts_end(server);
	queue_end(server);
	err = volume_health(server->volume);
	if (!err && !server->member)
		err = queue_settle(server->volume);
	if (!err)
		err = volume_leave(server->volume);
	if (err)
		fuse_log(FUSE_LOG_ERR, "famfs: %s: not left in order: %s\n",
			 server->device, strerror(-err));
}

/*
 * The next mount can begin before this server is seen to have ended: if it is
 * killed no other one is started, which would find that mount.
 */
static void serve_free(struct server *server, struct media *media)
{
	server->kept->left = true;
	media_close(media);
}

static void serve_release(struct server *server, struct media *media)
{
	int guard = guard_wait(server->device);

	if (guard >= 0)
		serve_leave(server);
	else
		/* Whether it has gone cannot be known: this host stays in. */
		fuse_log(FUSE_LOG_ERR, "famfs: %s: the device is gone: %s\n",
			 server->device, strerror(-guard));
	queue_end(server);
	volume_halt(server->volume);
	serve_free(server, media);
	if (guard >= 0)
		close(guard);
}

static void serve_end(struct server *server, struct media *media)
{
	if (server->volume)
		serve_release(server, media);
	else
		serve_free(server, media);
	control_stop(server);
	queue_stop(server);
	if (server->session)
		fuse_session_destroy(server->session);
	volume_close(server->volume);
}

static int serve_mounted(struct server *server, const struct serve *wanted,
			 struct media *media, int guard)
{
	struct kept_files files = { .media = media_file_fd(media) };
	int err;

	unmount_note_under(server->kept);
	if (fuse_session_mount(server->session, server->mountpoint)) {
		cmd_fail(server->mountpoint, NULL, "it cannot be mounted there");
		close(guard);
		return -EIO;
	}
	/* If this server is killed its parent unmounts it. */
	unmount_note(server->kept);
	err = session_begin(server);
	if (err)
		close(guard);
	else
		err = serve_hold(server, guard);
	if (!err)
		err = serve_loop(server, wanted, &files);
	server->ending = true;
	grow_stop();
	fuse_session_unmount(server->session);
	return err;
}

/* @kept has what does not change while it is mounted. */
static void serve_prepare(struct server *server, struct kept *kept)
{
	server->kept = kept;
	server->device = kept->device;
	server->source = kept->source;
	server->mountpoint = kept->mountpoint;
	server->control = -1;
	for (unsigned int i = 0; i < SERVER_LOCKS; i++)
		pthread_mutex_init(&server->locks[i], NULL);
	serve_block_signals();
	/* Reclaim must not wait for what waits for this process. */
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

int serve_first(const struct serve *wanted, struct kept *kept)
{
	struct server server = { 0 };
	struct media *media;
	int guard, err;

	/* The parent's own ends when this host can see the mount. */
	if (wanted->turn >= 0)
		close(wanted->turn);
	serve_prepare(&server, kept);
	guard = guard_media(kept->device, &media);
	if (guard == -EBUSY) {
		cmd_fail(kept->device, "findmnt -t fuse.famfs   shows what is mounted; famfs umount DIR ends it",
			 "a file system on this host, or a program, has the device");
		return -1;
	}
	if (guard < 0) {
		cmd_fail_errno(kept->device, guard);
		return -1;
	}
	err = serve_volume(&server, wanted, media);
	if (!err)
		err = session_make(&server, wanted->flags);
	if (err)
		close(guard);
	else
		err = serve_mounted(&server, wanted, media, guard);
	serve_end(&server, media);
	return err ? -1 : 0;
}

/* The one before had left, and could not say so. */
static int serve_left(struct server *server, struct media *media)
{
	serve_free(server, media);
	control_stop(server);
	volume_close(server->volume);
	return 0;
}

/* What was wrong has been said where somebody reads it, or in the log. */
static int serve_fail(const struct server *server, const char *what, int err)
{
	fuse_log(FUSE_LOG_ERR, "famfs: %s: the next server cannot go on: %s: %s\n",
		 server->device, what, strerror(-err));
	return -1;
}

int serve_again(struct kept *kept, const struct kept_files *files)
{
	const struct serve wanted = { .turn = -1, .ready = -1 };
	struct kept_files mine = *files;
	struct server server = { .resumed = true };
	struct volume_options options = { .how = VOLUME_READ };
	struct media *media;
	int err;

	if (!kept->foreground)
		serve_detach();
	serve_prepare(&server, kept);
	server.control = files->control;
	server.backing_id = kept->backing_id;
	server.drop = kept->drop;
	server.member = kept->member;
	err = media_of_fd(files->media, &media);
	if (!err)
		err = serve_own(&server, &options);
	if (err)
		return serve_fail(&server, "the device", err);
	options.nonce = kept->nonce;
	err = hosts_resume(&server, media, &options);
	if (err > 0)
		return serve_left(&server, media);
	if (err)
		return serve_fail(&server, "the file system", err);
	serve_learn(&server);
	err = session_make(&server, "");
	if (!err)
		err = session_resume(&server, files->fuse);
	if (!err)
		err = serve_loop(&server, &wanted, &mine);
	/* The mount is there still: another one may do better. */
	if (err)
		return serve_fail(&server, "the kernel", err);
	server.ending = true;
	grow_stop();
	serve_end(&server, media);
	return 0;
}
