// SPDX-License-Identifier: GPL-2.0
/*
 * The test's mount: setting it up, filling devices through it, and leaving
 * nothing behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "tfs_env.h"

/* A WARN sets this bit in /proc/sys/kernel/tainted, an oops the other. */
#define TAINT_DIE	0x080UL
#define TAINT_WARN	0x200UL

static unsigned long read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long n = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

static unsigned long taint(void)
{
	return read_number("/proc/sys/kernel/tainted") &
	       (TAINT_DIE | TAINT_WARN);
}

/* Has the kernel warned since the test began? */
bool tfs_warned(struct tfs_env *env)
{
	return taint() != env->taint;
}

int tfs_drop_caches(void)
{
	return tfs_write_text("/proc/sys/vm/drop_caches", "3");
}

static void find_devs(struct tfs_env *env)
{
	const char *list = getenv("FAMFS_DAXDEVS");
	char sysfs[128];
	int used;

	while (list && env->ndevs < TFS_MAX_DEVS) {
		struct tfs_dev *dev = &env->devs[env->ndevs];

		if (sscanf(list, " %63s%n", dev->path, &used) != 1)
			break;
		list += used;
		dev->name = strrchr(dev->path, '/');
		if (!dev->name++)
			break;
		snprintf(sysfs, sizeof(sysfs),
			 "/sys/bus/dax/devices/%.32s/size", dev->name);
		dev->size = read_number(sysfs);
		env->ndevs++;
	}
}

void tfs_name_devs(struct tfs_env *env, struct tfs_server *srv)
{
	int i;

	for (i = 0; i < env->ndevs; i++)
		snprintf(srv->st->devs[i], sizeof(srv->st->devs[i]), "%s",
			 env->devs[i].path);
}

/* Mounts once to see what the kernel offers. */
static const char *kernel_lacks(struct tfs_env *env)
{
	bool uring = env->srv.transport == TFS_URING;
	__u64 offered = 0;

	if (!tfs_mount_fork(env)) {
		offered = env->srv.st->offered;
		tfs_umount(env);
	}
	tfs_server_exit(&env->srv);
	if (!(offered & FUSE_DAX_FMAP))
		return "need CONFIG_FUSE_FAMFS_DAX";
	if (uring && !(offered & FUSE_OVER_IO_URING))
		return "need CONFIG_FUSE_IO_URING and fuse.enable_uring=1";
	return NULL;
}

static const char *env_init(struct tfs_env *env, int devs)
{
	const char *lacks;
	int i;

	if (geteuid() != 0)
		return "need root to mount fuse";
	find_devs(env);
	if (env->ndevs < devs)
		return devs > 1 ? "need more dax devices in FAMFS_DAXDEVS" :
				  "need a dax device in FAMFS_DAXDEVS";
	if (devs && tfs_dev_lock(&env->devs[0]))
		return "need a device that no other test uses";
	for (i = 0; i < devs; i++)
		if (!tfs_bound(&env->devs[i], "fsdev_dax") &&
		    tfs_bind(&env->devs[i], "fsdev_dax"))
			return "a device is not bound to fsdev_dax";
	/* The namespace takes the mounts with it, however the test ends. */
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "need mount namespaces";
	snprintf(env->dir, sizeof(env->dir), "/tmp/famfs_XXXXXX");
	if (!mkdtemp(env->dir)) {
		env->dir[0] = '\0';
		return "need /tmp";
	}
	if (tfs_server_init(&env->srv))
		return "need /dev/fuse, and a FAMFS_TRANSPORT that exists";
	lacks = kernel_lacks(env);
	if (lacks)
		return lacks;
	if (tfs_server_init(&env->srv))
		return "need memory";
	tfs_name_devs(env, &env->srv);
	return NULL;
}

/* Returns why the test cannot run, or NULL. */
const char *tfs_env_init(struct tfs_env *env, int devs)
{
	const char *why;

	memset(env, 0, sizeof(*env));
	env->taint = taint();
	why = env_init(env, devs);
	if (why)
		tfs_env_exit(env);
	return why;
}

/* Returns the number of things found wrong. */
int tfs_env_exit(struct tfs_env *env)
{
	int wrong = 0;

	/* Ends requests that nobody answers. */
	if (env->srv.st)
		tfs_server_exit(&env->srv);
	if (env->mounted)
		umount2(env->dir, MNT_DETACH);
	env->mounted = false;
	if (env->dir[0])
		rmdir(env->dir);
	if (tfs_warned(env)) {
		fprintf(stderr, "# the kernel has warned: see its log\n");
		wrong++;
	}
	return wrong;
}

int tfs_mount_at(struct tfs_server *srv, const char *dir)
{
	char opts[128];

	snprintf(opts, sizeof(opts),
		 "fd=%d,rootmode=%o,user_id=%u,group_id=%u,allow_other",
		 srv->fd, srv->root_mode & S_IFMT, srv->user, srv->user);
	return mount("famfs", dir, "fuse", MS_NOSUID, opts) ? -errno : 0;
}

int tfs_mount(struct tfs_env *env)
{
	int err = tfs_mount_at(&env->srv, env->dir);

	env->mounted = !err;
	return err;
}

/* Until the connection is up the kernel sends nothing else. */
static int wait_init(struct tfs_env *env)
{
	struct stat st;

	if (stat(env->dir, &st))
		return -errno;
	return env->srv.st->offered ? 0 : -EPROTO;
}

int tfs_mount_thread(struct tfs_env *env)
{
	int err = tfs_mount(env);

	if (!err)
		err = tfs_server_thread(&env->srv);
	return err ? err : wait_init(env);
}

int tfs_mount_fork(struct tfs_env *env)
{
	int err = tfs_mount(env);

	if (!err)
		err = tfs_server_fork(&env->srv);
	return err ? err : wait_init(env);
}

/* Every file must be closed.  Afterwards the devices are free, or soon. */
int tfs_umount(struct tfs_env *env)
{
	if (umount2(env->dir, 0))
		return -errno;
	env->mounted = false;
	tfs_server_stop(&env->srv);
	return 0;
}

/* Unmounts, and mounts with a new server that has no files yet. */
int tfs_remount(struct tfs_env *env)
{
	int err = env->mounted ? tfs_umount(env) : 0;
	int i;

	if (err)
		return err;
	for (i = 0; i < env->ndevs; i++)
		tfs_dev_wait_free(&env->devs[i]);
	tfs_server_exit(&env->srv);
	err = tfs_server_init(&env->srv);
	if (err)
		return err;
	tfs_name_devs(env, &env->srv);
	return tfs_mount_fork(env);
}

/* A second server, on a folder of its own, with a file "f" on device 0. */
int tfs_mount_other(struct tfs_env *env, struct tfs_env *other,
		    __u64 size)
{
	int err;

	*other = *env;
	snprintf(other->dir, sizeof(other->dir), "/tmp/famfs_XXXXXX");
	if (!mkdtemp(other->dir))
		return -errno;
	err = tfs_server_init(&other->srv);
	if (err)
		return err;
	tfs_name_devs(other, &other->srv);
	tfs_add_simple(other, "f", size, 0, 0);
	return tfs_mount_fork(other);
}

int tfs_open(struct tfs_env *env, const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", env->dir, name);
	fd = open(path, flags | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

/* Opens and closes; returns 0 or an error. */
int tfs_try_open(struct tfs_env *env, const char *name, int flags)
{
	int fd = tfs_open(env, name, flags);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/*
 * What the write of the last reply to such a request failed with, or 0.  It has
 * an effect before it returns, so the server may have to come as far as to serve
 * another request.
 */
int tfs_reply_errno(struct tfs_env *env, __u32 opcode)
{
	struct statfs sf;

	return statfs(env->dir, &sf) ? -errno : env->srv.st->reply_errno[opcode];
}

int tfs_stat_size(struct tfs_env *env, const char *name, __u64 *size)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", env->dir, name);
	if (stat(path, &st))
		return -errno;
	*size = st.st_size;
	return 0;
}

int tfs_add_mapped(struct tfs_env *env, const char *name,
		   const struct tfs_msg *m)
{
	const struct fuse_fmap_header *h = (void *)m->buf;
	int i = tfs_add_file(&env->srv, name, h->file_size);

	tfs_set_map(&env->srv, i, m->buf, m->len);
	return i;
}

/* A file of one extent, as long as its size rounded up to pages. */
int tfs_add_simple(struct tfs_env *env, const char *name, __u64 size,
		   __u32 dev, __u64 off)
{
	struct tfs_msg m;
	int i;

	tfs_msg_simple(&m, size, dev, off, (size + 4095) & ~4095ULL);
	i = tfs_add_mapped(env, name, &m);
	tfs_msg_exit(&m);
	return i;
}

static int fill_one(struct tfs_env *env, const char *name, __u32 dev,
		    size_t len)
{
	int fd = tfs_open(env, name, O_WRONLY);
	char *buf = malloc(MiB);
	size_t done;
	int err = 0;

	if (fd < 0 || !buf) {
		free(buf);
		return fd < 0 ? fd : -ENOMEM;
	}
	for (done = 0; done < len && !err; done += MiB) {
		pattern_fill(dev, done, buf, MiB);
		if (pwrite(fd, buf, MiB, done) != MiB)
			err = errno ? -errno : -EIO;
	}
	close(fd);
	free(buf);
	return err;
}

/*
 * Fills the first len bytes of every device with the pattern, through a mount
 * that is gone again afterwards.
 */
int tfs_fill(struct tfs_env *env, size_t len)
{
	struct tfs_env fill = *env;
	char name[16];
	int err, i;

	err = tfs_server_init(&fill.srv);
	if (err)
		return err;
	tfs_name_devs(&fill, &fill.srv);
	err = tfs_mount_fork(&fill);
	for (i = 0; i < env->ndevs && !err; i++) {
		snprintf(name, sizeof(name), "fill%d", i);
		tfs_add_simple(&fill, name, len, i, 0);
		err = fill_one(&fill, name, i, len);
	}
	if (!err)
		err = tfs_umount(&fill);
	else if (fill.mounted)
		umount2(fill.dir, MNT_DETACH);
	tfs_server_exit(&fill.srv);
	return err;
}

/*
 * Compares a whole mapped file, read with read(), with the pattern.  Returns
 * how many bytes are right before the first that is not.
 */
__u64 tfs_check(int fd, const struct tfs_msg *m)
{
	char *buf = malloc(MiB);
	__u64 pos = 0;

	while (buf) {
		ssize_t n = pread(fd, buf, MiB, pos);
		size_t right;

		if (n <= 0)
			break;
		right = tfs_mismatch(m, pos, buf, n);
		pos += right;
		if (right < (size_t)n)
			break;
	}
	free(buf);
	return pos;
}

/*
 * A file is what this map makes it: its size, all of it by read(), and where
 * it is mapped to memory, a few bytes of each page.  Returns 0 or what differs.
 */
int tfs_check_all(int fd, const char *map, const struct tfs_msg *m)
{
	__u64 size = ((const struct fuse_fmap_header *)m->buf)->file_size;
	struct stat st;
	__u64 pos;

	if (fstat(fd, &st) || st.st_size != (off_t)size)
		return 1;
	if (tfs_check(fd, m) != size)
		return 2;
	for (pos = 0; map && pos + 16 <= size; pos += 4096)
		if (tfs_mismatch(m, pos, map + pos, 16) != 16)
			return 3;
	return 0;
}
