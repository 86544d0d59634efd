// SPDX-License-Identifier: GPL-2.0
/*
 * Watching mapped files with inotify and fanotify.
 *
 * What is easily wrong here: reads and writes that nobody is told of, since they
 * go past the functions that tell; a listener's refusal that comes after the
 * server was asked; a watch that holds an inode, and with it a device, when the
 * mount goes.
 */
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(64 * 1024UL)

#ifndef FAN_PRE_ACCESS
#define FAN_PRE_ACCESS	0x00100000
#endif

FIXTURE(watch)
{
	struct tfs_env env;
	char path[128];
	char page[PAGE];
};

FIXTURE_SETUP(watch)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	snprintf(self->path, sizeof(self->path), "%s/f", self->env.dir);
}

FIXTURE_TEARDOWN(watch)
{
	TFS_TEARDOWN();
}

/* What an inotify descriptor has to tell, as one mask. */
static __u32 told(int fd)
{
	/* Names come with events of folders alone. */
	struct inotify_event e[16];
	__u32 mask = 0;
	ssize_t n;

	n = read(fd, e, sizeof(e)) / (ssize_t)sizeof(*e);
	while (n-- > 0)
		mask |= e[n].mask;
	return mask;
}

TEST_F(watch, I4_inotify_tells_of_each_access)
{
	int in = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int fd;

	ASSERT_GE(in, 0);
	ASSERT_LE(0, inotify_add_watch(in, self->path, IN_ALL_EVENTS));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(IN_OPEN, told(in));
	EXPECT_EQ(PAGE, pread(fd, self->page, PAGE, 0));
	EXPECT_EQ(IN_ACCESS, told(in));
	EXPECT_EQ(PAGE, pwrite(fd, self->page, PAGE, 0));
	EXPECT_EQ(IN_MODIFY, told(in));
	close(fd);
	EXPECT_EQ(IN_CLOSE_WRITE, told(in));
	close(in);
}

TEST_F(watch, X3_umount_of_a_watched_file)
{
	int in = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int fd = ASSERT_OPEN("f", O_RDWR);

	ASSERT_GE(in, 0);
	ASSERT_LE(0, inotify_add_watch(in, self->path, IN_ALL_EVENTS));
	close(fd);
	told(in);
	/* The watch keeps the inode, so dropping caches does not take it. */
	EXPECT_EQ(0, tfs_drop_caches());
	EXPECT_EQ(1, tfs_maps(&self->env));
	EXPECT_EQ(0, tfs_umount(&self->env));
	EXPECT_EQ(IN_UNMOUNT | IN_IGNORED, told(in));
	/* The device is free for the next mount. */
	ASSERT_EQ(0, tfs_remount(&self->env));
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	EXPECT_EQ(0, tfs_try_open(&self->env, "f", O_RDWR));
	close(in);
}

/* A listener that answers every question about a file in the same way. */
struct listener {
	pthread_t thread;
	int fd;
	__u32 answer;
	__u32 asked;			/* which events came */
	bool stop;
};

static void *listen_to(void *arg)
{
	struct fanotify_event_metadata e;
	struct fanotify_response r;
	struct listener *l = arg;
	struct pollfd p = { .fd = l->fd, .events = POLLIN };

	while (!__atomic_load_n(&l->stop, __ATOMIC_SEQ_CST)) {
		if (poll(&p, 1, 50) != 1 ||
		    read(l->fd, &e, sizeof(e)) != sizeof(e))
			continue;
		__atomic_fetch_or(&l->asked, e.mask, __ATOMIC_SEQ_CST);
		r.fd = e.fd;
		r.response = __atomic_load_n(&l->answer, __ATOMIC_SEQ_CST);
		if (write(l->fd, &r, sizeof(r)) != sizeof(r))
			break;
		close(e.fd);
	}
	return NULL;
}

static int listener_start(struct listener *l, const char *path, __u64 mask)
{
	memset(l, 0, sizeof(*l));
	l->answer = FAN_ALLOW;
	/* An event at a time: what it reads has room for one. */
	l->fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK,
			      O_RDONLY | O_CLOEXEC);
	if (l->fd < 0)
		return -errno;
	if (fanotify_mark(l->fd, FAN_MARK_ADD, mask, AT_FDCWD, path))
		return -errno;
	return -pthread_create(&l->thread, NULL, listen_to, l);
}

static void listener_answer(struct listener *l, __u32 answer)
{
	__atomic_store_n(&l->answer, answer, __ATOMIC_SEQ_CST);
}

static void listener_stop(struct listener *l)
{
	__atomic_store_n(&l->stop, true, __ATOMIC_SEQ_CST);
	pthread_join(l->thread, NULL);
	close(l->fd);
}

TEST_F(watch, I4_fanotify_refuses_opens)
{
	struct listener l;
	int err;

	err = listener_start(&l, self->path, FAN_OPEN_PERM);
	if (err == -ENOSYS || err == -EINVAL)
		SKIP(return, "need CONFIG_FANOTIFY_ACCESS_PERMISSIONS");
	ASSERT_EQ(0, err);
	listener_answer(&l, FAN_DENY);
	tfs_counts_reset(&self->env.srv);
	EXPECT_OPEN_FAILS(EPERM, "f", O_RDWR);
	listener_answer(&l, FAN_ALLOW);
	EXPECT_EQ(0, tfs_try_open(&self->env, "f", O_RDWR));
	listener_stop(&l);
	EXPECT_EQ(FAN_OPEN_PERM, l.asked);
	/* Events bring descriptors of the file, so there was a map before. */
	EXPECT_FETCHES(1);
	EXPECT_NO_HANDLES();
}

TEST_F(watch, I4_fanotify_refuses_reads)
{
	struct listener l;
	char c = 'x';
	int fd, err;

	err = listener_start(&l, self->path, FAN_ACCESS_PERM);
	if (err == -ENOSYS || err == -EINVAL)
		SKIP(return, "need CONFIG_FANOTIFY_ACCESS_PERMISSIONS");
	ASSERT_EQ(0, err);
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(1, pwrite(fd, "a", 1, 0));
	EXPECT_EQ(0, l.asked);
	listener_answer(&l, FAN_DENY);
	EXPECT_ERRNO(EPERM, pread(fd, &c, 1, 0));
	EXPECT_EQ('x', c);
	listener_answer(&l, FAN_ALLOW);
	EXPECT_EQ(1, pread(fd, &c, 1, 0));
	EXPECT_EQ('a', c);
	listener_stop(&l);
	EXPECT_EQ(FAN_ACCESS_PERM, l.asked);
	close(fd);
	EXPECT_NO_HANDLES();
	EXPECT_COUNT(0, FUSE_READ);
}

/* Content that is fetched at the first access is not what memory has. */
TEST_F(watch, I4_fanotify_does_not_fill_files)
{
	int fan = fanotify_init(FAN_CLASS_PRE_CONTENT | FAN_CLOEXEC, O_RDONLY);

	if (fan < 0)
		SKIP(return, "need CONFIG_FANOTIFY_ACCESS_PERMISSIONS");
	EXPECT_ERRNO(EOPNOTSUPP, fanotify_mark(fan, FAN_MARK_ADD,
					       FAN_PRE_ACCESS, AT_FDCWD,
					       self->path));
	close(fan);
}

TEST_HARNESS_MAIN
