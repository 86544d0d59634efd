// SPDX-License-Identifier: GPL-2.0
/*
 * What takes two: one task is in the middle of something when another comes.
 *
 * What is easily wrong here: the second one waits where it asked not to, or
 * undoes what the first one did.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <linux/mount.h>

#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(64 * 1024UL)

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

FIXTURE(concurrent)
{
	struct tfs_env env;
};

FIXTURE_SETUP(concurrent)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	tfs_add_simple(&self->env, "g", SIZE, 0, PMD);
	tfs_add_data(&self->env.srv, "plain", "0123456789abcdef", 16);
}

FIXTURE_TEARDOWN(concurrent)
{
	TFS_TEARDOWN();
}

struct writer {
	int fd;
	char *from;
	ssize_t written;
};

static void *write_from(void *arg)
{
	struct writer *w = arg;

	w->written = pwrite(w->fd, w->from, 16, 0);
	return NULL;
}

/* A writer keeps the lock while the server is slow with what it writes. */
TEST_F(concurrent, I2_nowait_does_not_wait_for_a_writer)
{
	struct iovec iov;
	struct writer w;
	pthread_t thread;
	char buf[16];
	int plain;

	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	w.fd = ASSERT_OPEN("f", O_RDWR | O_DIRECT);
	plain = ASSERT_OPEN("plain", O_RDONLY);
	w.from = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, plain, 0);
	ASSERT_NE(MAP_FAILED, w.from);
	rule_hold(&self->env.srv, FUSE_READ, TFS_ANY);
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_from, &w));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	iov = (struct iovec){ buf, sizeof(buf) };
	EXPECT_ERRNO(EAGAIN, preadv2(w.fd, &iov, 1, 100, RWF_NOWAIT));
	EXPECT_ERRNO(EAGAIN, pwritev2(w.fd, &iov, 1, 100, RWF_NOWAIT));
	rules_release(&self->env.srv);
	pthread_join(thread, NULL);
	EXPECT_EQ(16, w.written);
	EXPECT_EQ(16, preadv2(w.fd, &iov, 1, 0, RWF_NOWAIT));
	EXPECT_EQ(0, memcmp(buf, "0123456789abcdef", 16));
	munmap(w.from, PAGE);
	close(plain);
	close(w.fd);
}

/*
 * Has the server asked twice for device 0, by an opener that is killed and by
 * one that waits; returns what the latter gets, or 1.
 */
static int ask_twice(struct tfs_env *env, int *status)
{
	pid_t pid[2];
	int i;

	rule_hold(&env->srv, FUSE_GET_DAXDEV, TFS_ANY);
	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(-tfs_open(env, i ? "g" : "f", O_RDWR) & 0xff);
		if (pid[i] < 0 || tfs_wait_held(&env->srv, i + 1))
			return 1;
		if (!i && (kill(pid[0], SIGKILL) ||
			   waitpid(pid[0], status, 0) != pid[0]))
			return 1;
	}
	rules_release(&env->srv);
	return waitpid(pid[1], status, 0) != pid[1];
}

TEST_F(concurrent, D4_device_is_registered_again)
{
	int status = -1;

	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	EXPECT_EQ(0, ask_twice(&self->env, &status));
	EXPECT_COUNT(2, FUSE_GET_DAXDEV);
	/* A descriptor, which is small and negated. */
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_LT(128, WEXITSTATUS(status));
	close(ASSERT_OPEN("f", O_RDWR));
}

TEST_F(concurrent, D4_index_does_not_change_its_device)
{
	struct fuse_daxdev_out out = {};
	int status = -1;

	if (self->env.ndevs < 2)
		SKIP(return, "need two dax devices in FAMFS_DAXDEVS");
	snprintf(out.name, sizeof(out.name), "%s", self->env.devs[1].path);
	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	/* One of the answers names another device. */
	rule_hold(&self->env.srv, FUSE_GET_DAXDEV, TFS_ANY);
	rule_raw(&self->env.srv, FUSE_GET_DAXDEV, TFS_ANY, &out,
		 sizeof(out), 1);
	EXPECT_EQ(0, ask_twice(&self->env, &status));
	EXPECT_COUNT(2, FUSE_GET_DAXDEV);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EBUSY, WEXITSTATUS(status));
	/* What came first stays. */
	close(ASSERT_OPEN("f", O_RDWR));
}

/* What the child of a user namespace prepares for root to mount. */
struct context {
	int dev, fs;
};

static int prepare(void *arg)
{
	struct context *c = arg;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
	    tfs_write_text("/proc/self/setgroups", "deny") ||
	    tfs_write_text("/proc/self/uid_map", "0 0 1") ||
	    tfs_write_text("/proc/self/gid_map", "0 0 1"))
		return 1;
	c->dev = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	c->fs = syscall(SYS_fsopen, "fuse", FSOPEN_CLOEXEC);
	return c->dev < 0 || c->fs < 0;
}

static int fs_set(int fs, const char *key, const char *value)
{
	return syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0);
}

/* Root's capability must not serve a mount that belongs to somebody else. */
TEST_F(concurrent, N1_not_offered_to_a_context_of_a_user_namespace)
{
	static char stack[64 * 1024];
	struct context *c = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = -1, mnt;
	char fd[16];
	pid_t pid;

	ASSERT_NE(MAP_FAILED, c);
	/* Its descriptors are ours as well. */
	pid = clone(prepare, stack + sizeof(stack), CLONE_FILES | SIGCHLD, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	if (status)
		SKIP(return, "need user namespaces");
	snprintf(fd, sizeof(fd), "%d", c->dev);
	ASSERT_EQ(0, fs_set(c->fs, "fd", fd));
	ASSERT_EQ(0, fs_set(c->fs, "rootmode", "40000"));
	ASSERT_EQ(0, fs_set(c->fs, "user_id", "0"));
	ASSERT_EQ(0, fs_set(c->fs, "group_id", "0"));
	ASSERT_EQ(0, syscall(SYS_fsconfig, c->fs, FSCONFIG_CMD_CREATE, NULL,
			     NULL, 0));
	mnt = syscall(SYS_fsmount, c->fs, FSMOUNT_CLOEXEC, 0);
	ASSERT_LE(0, mnt);
	close(self->env.srv.fd);
	self->env.srv.fd = c->dev;
	ASSERT_EQ(0, tfs_server_thread(&self->env.srv));
	/* Until INIT is through, this waits. */
	faccessat(mnt, "f", F_OK, 0);
	EXPECT_NE(0, self->env.srv.st->offered);
	EXPECT_EQ(0, self->env.srv.st->offered & FUSE_DAX_FMAP);
	close(mnt);
	close(c->fs);
}

/* The entry of a fault is locked, which msync() is to wait for. */
TEST_F(concurrent, I6_msync_beside_faults_of_others)
{
	char *map, *other;
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	other = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(MAP_FAILED, other);
	EXPECT_EQ(0, tfs_msyncs_lost(map, other, 1000));
	munmap(map, SIZE);
	munmap(other, SIZE);
	close(fd);
}

/* Unbinding took it from the first mount, whose end must not harm the second. */
TEST_F(concurrent, X3_lost_device_is_left_to_its_new_holder)
{
	struct tfs_dev *dev = &self->env.devs[0];
	struct tfs_env other;
	char c = 'n';
	int old, new;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	old = ASSERT_OPEN("f", O_RDWR);
	ASSERT_EQ(0, tfs_unbind(dev));
	ASSERT_EQ(0, tfs_bind(dev, "fsdev_dax"));
	ASSERT_EQ(0, tfs_mount_other(&self->env, &other, SIZE));
	new = tfs_open(&other, "f", O_RDWR);
	ASSERT_GE(new, 0);
	EXPECT_ERRNO(EIO, pread(old, &c, 1, 0));
	close(old);
	EXPECT_EQ(0, tfs_umount(&self->env));
	EXPECT_EQ(1, pwrite(new, &c, 1, 0));
	/* It is still told when the device goes away. */
	EXPECT_EQ(0, tfs_unbind(dev));
	EXPECT_ERRNO(EIO, pread(new, &c, 1, 0));
	close(new);
	EXPECT_EQ(0, tfs_umount(&other));
	EXPECT_EQ(0, tfs_env_exit(&other));
	EXPECT_EQ(0, tfs_bind(dev, "fsdev_dax"));
}

TEST_HARNESS_MAIN
