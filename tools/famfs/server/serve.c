// SPDX-License-Identifier: GPL-2.0
/*
 * A mount from its beginning to its end.
 *
 * The device's node is held with O_EXCL until the kernel holds the device for
 * the mount, and is had with O_EXCL once more before this host says that it has
 * left: in between nobody else can have it, and before and after that no
 * superblock of this host is there.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "serve.h"
#include "server.h"

/* Some may wait for space while others let go of it. */
#define SERVE_THREADS	16

/* Between two looks whether a superblock has gone. */
#define SERVE_GUARD_US	10000

/* How long a mount waits for the server of the last one: ten seconds. */
#define SERVE_GUARD_TRIES	1000

/*
 * Nobody else has the device while this is open. An unmount returns before the
 * superblock has gone.
 */
static int serve_guard(const char *device)
{
	int fd = open(device, O_RDWR | O_EXCL | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* For as long as it takes. */
static int serve_guard_wait(const char *device)
{
	int guard;

	while ((guard = serve_guard(device)) == -EBUSY)
		usleep(SERVE_GUARD_US);
	return guard;
}

/*
 * Both the guard and the lock of the medium. The server of the last mount has
 * one of them alone while it ends, and needs the other.
 */
static int serve_guard_media(const char *device, struct media **media)
{
	int guard = -EBUSY, err;

	for (int tries = 0; guard == -EBUSY && tries < SERVE_GUARD_TRIES;
	     tries++) {
		if (tries)
			usleep(SERVE_GUARD_US);
		guard = serve_guard(device);
		err = guard < 0 ? guard :
		      media_open(device, MEDIA_WRITE, media);
		if (guard >= 0 && err) {
			close(guard);
			guard = err;
		}
	}
	return guard;
}

/* STATX_MNT_ID_UNIQUE, which older headers do not have. */
#define SERVE_MNT_ID_UNIQUE	0x4000u

static void serve_init(void *context, struct fuse_conn_info *conn)
{
	struct server *server = context;

	fuse_set_feature_flag(conn, FUSE_CAP_NO_OPEN_SUPPORT);
	fuse_set_feature_flag(conn, FUSE_CAP_NO_OPENDIR_SUPPORT);
	fuse_set_feature_flag(conn, FUSE_CAP_PARALLEL_DIROPS);
	fuse_set_feature_flag(conn, FUSE_CAP_CACHE_SYMLINKS);
	maps_init(server, conn);
}

/* Data never comes here: a file of the volume always has a map. */
static void serve_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)ino;
	(void)size;
	(void)off;
	(void)fi;
	fuse_reply_err(req, EIO);
}

static void serve_operations(struct fuse_lowlevel_ops *ops)
{
	memset(ops, 0, sizeof(*ops));
	ops->init = serve_init;
	ops->read = serve_read;
	names_operations(ops);
	attrs_operations(ops);
	dirs_operations(ops);
	grow_operations(ops);
	maps_operations(ops);
}

static struct fuse_session *serve_session(struct server *server,
					  const struct serve *wanted)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;
	struct fuse_lowlevel_ops ops;
	char *options = NULL, *name = NULL;

	serve_operations(&ops);
	if (asprintf(&name, "fsname=%s", wanted->source) < 0 ||
	    fuse_opt_add_opt_escaped(&options, name) ||
	    fuse_opt_add_opt(&options,
			     "subtype=famfs,allow_other,default_permissions") ||
	    (wanted->flags[0] && fuse_opt_add_opt(&options, wanted->flags)) ||
	    fuse_opt_add_arg(&args, "mount.famfs") ||
	    fuse_opt_add_arg(&args, "-o") || fuse_opt_add_arg(&args, options) ||
	    (wanted->debug && fuse_opt_add_arg(&args, "-d")))
		goto out;
	session = fuse_session_new(&args, &ops, sizeof(ops), server);
out:
	fuse_opt_free_args(&args);
	free(options);
	free(name);
	return session;
}

static int serve_volume(struct server *server, const struct serve *wanted,
			struct media *media)
{
	struct volume_options options = { .how = VOLUME_OWN | VOLUME_UNUSED };
	struct volume_stat stat;
	int err = cmd_own(&options);

	if (err) {
		cmd_fail("/etc/machine-id", "systemd-machine-id-setup",
			 "this host has no id: %s", strerror(-err));
		return err;
	}
	/* The clock that later operations go by. */
	options.now = server_op().now;
	err = hosts_open(server, media, &options, wanted->member);
	if (err)
		return err;
	volume_statfs(server->volume, &stat);
	memcpy(server->uuid, stat.uuid, 16);
	memcpy(&server->generation, stat.uuid, sizeof(server->generation));
	server->unit = stat.unit;
	if (stat.unit % options.self.page) {
		cmd_fail(server->device, "mkfs.famfs --unit BYTES   makes one with a larger unit",
			 "its unit, %u bytes, is smaller than this host's pages, %u bytes",
			 stat.unit, options.self.page);
		return -EINVAL;
	}
	return 0;
}

/* The first request is INIT; it tells whether there can be maps at all. */
static int serve_first(struct server *server)
{
	struct fuse_buf buf = { .mem = NULL };
	int res = fuse_session_receive_buf(server->session, &buf);

	if (res > 0)
		fuse_session_process_buf(server->session, &buf);
	free(buf.mem);
	if (server->refused) {
		cmd_fail(server->device, "famfs(7) says what a kernel needs",
			 "the kernel gives no maps of files: %s",
			 server->refused);
		return -EOPNOTSUPP;
	}
	if (res > 0 && !fuse_session_exited(server->session))
		return 0;
	cmd_fail(server->mountpoint, NULL,
		 "the kernel did not begin to talk to the server");
	return -EIO;
}

/* From here to the end of the mount the kernel holds the device. */
static int serve_hold(struct server *server, int guard)
{
	int err;

	close(guard);
	err = maps_register(server);
	if (err == -EPERM)
		cmd_fail(server->device, "run it with CAP_SYS_RAWIO",
			 "this process may not give devices to the kernel");
	else if (err == -EBUSY)
		cmd_fail(server->device, "umount what is mounted of it",
			 "somebody else has just taken it");
	else if (err == -EOPNOTSUPP)
		cmd_fail(server->device, "mount it with a kernel that has FUSE_FMAP_DROP, on x86-64 or arm64",
			 "its coherence is software, other hosts have it, and this kernel drops no stale cache lines");
	else if (err)
		cmd_fail_errno(server->device, err);
	return err;
}

/* Without a request: nobody may answer one now. */
static bool serve_look(const struct server *server, struct statx *st)
{
	return !statx(AT_FDCWD, server->mountpoint,
		      AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		      SERVE_MNT_ID_UNIQUE, st);
}

/* By a number that is never given again; 0: nothing can be found out. */
static uint64_t serve_mount_id(const struct server *server)
{
	struct statx st;

	if (!serve_look(server, &st) || !(st.stx_mask & SERVE_MNT_ID_UNIQUE))
		return 0;
	return st.stx_mnt_id;
}

/* What has just been mounted, for those who look for it. */
static void serve_note_mount(struct server *server)
{
	struct statx st;

	server->mount_id = serve_mount_id(server);
	if (!serve_look(server, &st))
		return;
	server->major = st.stx_dev_major;
	server->minor = st.stx_dev_minor;
}

static void serve_unmount(const struct server *server)
{
	const char *wrong = NULL;

	if (!server->mount_id || serve_mount_id(server) != server->mount_id)
		wrong = "something else is mounted there";
	else if (umount2(server->mountpoint, UMOUNT_NOFOLLOW))
		wrong = strerror(errno);
	if (wrong)
		fuse_log(FUSE_LOG_ERR, "famfs: %s: cannot be unmounted: %s\n",
			 server->mountpoint, wrong);
}

static void *serve_signals(void *context)
{
	struct server *server = context;
	sigset_t set;
	int which;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	while (!sigwait(&set, &which)) {
		/* Whoever uses files keeps them: only an unmount ends it. */
		if (which != SIGHUP)
			serve_unmount(server);
	}
	return NULL;
}

static void serve_block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void serve_tell_ready(const struct serve *wanted)
{
	int null;

	if (wanted->ready < 0)
		return;
	fuse_log_enable_syslog("famfs", 0, 3 << 3);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (chdir("/") || write(wanted->ready, "", 1) != 1)
		fuse_log(FUSE_LOG_ERR, "famfs: whoever mounted it is gone\n");
	close(wanted->ready);
}

static int serve_loop(struct server *server, const struct serve *wanted)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	pthread_t signals;
	int err = config ? queue_start(server) : -ENOMEM;

	serve_note_mount(server);
	if (!err)
		err = hosts_start(server);
	if (!err)
		err = grow_start(server);
	if (!err)
		err = control_start(server);
	if (!err)
		err = -pthread_create(&signals, NULL, serve_signals, server);
	if (err) {
		cmd_fail_errno(server->device, err);
	} else {
		fuse_loop_cfg_set_max_threads(config, SERVE_THREADS);
		fuse_loop_cfg_set_idle_threads(config, SERVE_THREADS);
		serve_tell_ready(wanted);
		fuse_session_loop_mt(server->session, config);
		pthread_cancel(signals);
		pthread_join(signals, NULL);
	}
	if (config)
		fuse_loop_cfg_destroy(config);
	return err;
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

/* The next mount can begin before this server is seen to have ended. */
static void serve_release(struct server *server, struct media *media)
{
	int guard = serve_guard_wait(server->device);

	if (guard >= 0)
		serve_leave(server);
	else
		/* Whether it has gone cannot be known: this host stays in. */
		fuse_log(FUSE_LOG_ERR, "famfs: %s: the device is gone: %s\n",
			 server->device, strerror(-guard));
	queue_end(server);
	volume_halt(server->volume);
	media_close(media);
	if (guard >= 0)
		close(guard);
}

static int serve_mounted(struct server *server, const struct serve *wanted,
			 int guard)
{
	int err;

	if (fuse_session_mount(server->session, server->mountpoint)) {
		cmd_fail(server->mountpoint, NULL, "it cannot be mounted there");
		close(guard);
		return -EIO;
	}
	err = serve_first(server);
	if (err)
		close(guard);
	else
		err = serve_hold(server, guard);
	if (!err)
		err = serve_loop(server, wanted);
	server->ending = true;
	grow_stop();
	fuse_session_unmount(server->session);
	return err;
}

static int serve_guarded(struct server *server, const struct serve *wanted,
			 struct media *media, int guard)
{
	int err = serve_volume(server, wanted, media);

	if (!err) {
		server->session = serve_session(server, wanted);
		err = server->session ? 0 : -EINVAL;
	}
	if (err) {
		close(guard);
	} else {
		err = serve_mounted(server, wanted, guard);
	}
	if (server->volume)
		serve_release(server, media);
	else
		media_close(media);
	control_stop();
	queue_stop(server);
	if (server->session)
		fuse_session_destroy(server->session);
	volume_close(server->volume);
	return err;
}

int serve(const struct serve *wanted)
{
	struct server server = { 0 };
	struct media *media;
	int guard, err;

	server.device = wanted->device;
	server.source = wanted->source;
	server.mountpoint = wanted->mountpoint;
	for (unsigned int i = 0; i < SERVER_LOCKS; i++)
		pthread_mutex_init(&server.locks[i], NULL);
	serve_block_signals();
	/* Reclaim must not wait for what waits for this process. */
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	guard = serve_guard_media(wanted->device, &media);
	if (guard == -EBUSY) {
		cmd_fail(wanted->device, "findmnt -t fuse.famfs   shows what is mounted; famfs umount DIR ends it",
			 "a file system on this host, or a program, has the device");
		return -1;
	}
	if (guard < 0) {
		cmd_fail_errno(wanted->device, guard);
		return -1;
	}
	err = serve_guarded(&server, wanted, media, guard);
	return err ? -1 : 0;
}
