// SPDX-License-Identifier: GPL-2.0
/*
 * The end of servers, mounts and inodes at inconvenient moments: whoever waits
 * gets an error, whoever has a file open goes on, and the device is free when
 * the last of them is gone.
 */
#include <pthread.h>
#include <time.h>

#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(PMD + 4 * PAGE)

FIXTURE(teardown)
{
	struct tfs_env env;
};

FIXTURE_SETUP(teardown)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	tfs_add_simple(&self->env, "new", SIZE, 0, 2 * PMD);
	self->env.srv.st->files[1].exists = false;
}

FIXTURE_TEARDOWN(teardown)
{
	TFS_TEARDOWN();
}

/* The device can be mounted and used by a new server. */
static int device_is_free(struct tfs_env *env)
{
	int err = tfs_remount(env);
	char c = 'f';
	int fd;

	if (err)
		return err;
	tfs_add_simple(env, "g", SIZE, 0, PMD);
	fd = tfs_open(env, "g", O_RDWR);
	if (fd < 0)
		return fd;
	err = pwrite(fd, &c, 1, SIZE - 1) == 1 ? 0 : -errno;
	close(fd);
	return err ? err : tfs_umount(env);
}

struct opener {
	struct tfs_env *env;
	const char *name;
	int flags;
	int fd;
};

static void *open_it(void *arg)
{
	struct opener *o = arg;

	o->fd = tfs_open(o->env, o->name, o->flags);
	return NULL;
}

/* Has the server die while it keeps a request that an open needs. */
static void die_at(struct __test_metadata *const _metadata,
		   struct tfs_env *env, int opcode, const char *name,
		   int flags, int want_fd)
{
	struct opener o = { .env = env, .name = name, .flags = flags };
	pthread_t thread;

	rule_hold(&env->srv, opcode, TFS_ANY);
	ASSERT_EQ(0, tfs_mount_fork(env));
	ASSERT_EQ(0, pthread_create(&thread, NULL, open_it, &o));
	ASSERT_EQ(0, tfs_wait_held(&env->srv, 1));
	ASSERT_EQ(0, tfs_server_signal(&env->srv, SIGKILL));
	pthread_join(thread, NULL);
	EXPECT_EQ(want_fd, o.fd);
	EXPECT_EQ(0, tfs_umount(env));
	EXPECT_EQ(0, device_is_free(env));
}

TEST_F(teardown, X3_server_dies_at_lookup)
{
	die_at(_metadata, &self->env, FUSE_LOOKUP, "f", O_RDWR, -ECONNABORTED);
}

TEST_F(teardown, X3_server_dies_at_get_fmap)
{
	die_at(_metadata, &self->env, FUSE_GET_FMAP, "f", O_RDWR,
	       -ECONNABORTED);
}

TEST_F(teardown, X3_server_dies_at_get_daxdev)
{
	die_at(_metadata, &self->env, FUSE_GET_DAXDEV, "f", O_RDWR,
	       -ECONNABORTED);
}

TEST_F(teardown, X3_server_dies_at_open)
{
	die_at(_metadata, &self->env, FUSE_OPEN, "f", O_RDWR, -ECONNABORTED);
}

TEST_F(teardown, X3_server_dies_at_create)
{
	die_at(_metadata, &self->env, FUSE_CREATE, "new", O_CREAT | O_RDWR,
	       -ECONNABORTED);
}

TEST_F(teardown, X3_server_dies_at_get_fmap_of_create)
{
	die_at(_metadata, &self->env, FUSE_GET_FMAP, "new", O_CREAT | O_RDWR,
	       -ECONNABORTED);
}

/* The reply comes when who asked is gone, and perhaps the mount. */
TEST_F(teardown, X3_opener_is_killed_at_get_daxdev)
{
	int status;
	pid_t pid;

	rule_hold(&self->env.srv, FUSE_GET_DAXDEV, TFS_ANY);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(tfs_open(&self->env, "f", O_RDWR) < 0);
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	rules_release(&self->env.srv);
	close(ASSERT_OPEN("f", O_RDWR));
	EXPECT_EQ(0, tfs_umount(&self->env));
	EXPECT_EQ(0, device_is_free(&self->env));
}

TEST_F(teardown, X3_forced_umount_ends_a_waiting_open)
{
	struct opener o = { .env = &self->env, .name = "f" };
	pthread_t thread;

	rule_hold(&self->env.srv, FUSE_GET_FMAP, TFS_ANY);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	ASSERT_EQ(0, pthread_create(&thread, NULL, open_it, &o));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	/* The open may be in the way of umount, but not of the abort. */
	self->env.mounted = umount2(self->env.dir, MNT_FORCE);
	pthread_join(thread, NULL);
	EXPECT_EQ(-ECONNABORTED, o.fd);
	rules_clear(&self->env.srv);
	if (self->env.mounted)
		EXPECT_EQ(0, tfs_umount(&self->env));
	EXPECT_EQ(0, device_is_free(&self->env));
}

static bool stop_load;

/* Reads, writes and faults until told to stop; nothing of it may fail. */
static void *load(void *arg)
{
	int fd = *(int *)arg;
	char buf[2 * PAGE] = "";
	unsigned long i;
	char *map;

	for (i = 0; !__atomic_load_n(&stop_load, __ATOMIC_SEQ_CST); i++) {
		off_t pos = i * 37 * PAGE % (SIZE - sizeof(buf));

		map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   0);
		if (map == MAP_FAILED)
			return "mmap";
		map[pos] = i;
		if (pread(fd, buf, sizeof(buf), pos) != sizeof(buf))
			return "read";
		if (pwrite(fd, buf, sizeof(buf), pos) != sizeof(buf))
			return "write";
		munmap(map, SIZE);
	}
	return NULL;
}

/* Unmounts while threads use a file that is open. */
static void umount_under_load(struct __test_metadata *const _metadata,
			      struct tfs_env *env, int flags)
{
	pthread_t threads[3];
	void *wrong;
	int fd, i;

	ASSERT_EQ(0, tfs_mount_fork(env));
	fd = tfs_open(env, "f", O_RDWR);
	ASSERT_GE(fd, 0);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, load, &fd));
	usleep(50000);
	EXPECT_EQ(-1, umount2(env->dir, 0));
	EXPECT_EQ(EBUSY, errno);
	umount2(env->dir, flags);
	usleep(100000);
	__atomic_store_n(&stop_load, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < 3; i++) {
		pthread_join(threads[i], &wrong);
		EXPECT_EQ(NULL, wrong);
	}
	close(fd);
	env->mounted = !(flags & MNT_DETACH);
	EXPECT_EQ(0, device_is_free(env));
}

TEST_F(teardown, X3_lazy_umount_under_load)
{
	umount_under_load(_metadata, &self->env, MNT_DETACH);
}

TEST_F(teardown, X3_forced_umount_under_load)
{
	umount_under_load(_metadata, &self->env, MNT_FORCE);
}

TEST_F(teardown, X3_forced_lazy_umount_under_load)
{
	umount_under_load(_metadata, &self->env, MNT_FORCE | MNT_DETACH);
}

/* Opens, uses and closes the file until told to stop. */
static void *reopen(void *arg)
{
	struct tfs_env *env = arg;
	unsigned int i = 0;
	char c;

	while (!__atomic_load_n(&stop_load, __ATOMIC_SEQ_CST)) {
		int fd = tfs_open(env, "f", O_RDWR);

		if (fd < 0)
			return "open";
		if (pread(fd, &c, 1, SIZE - 1) != 1)
			return "read";
		close(fd);
		/* There must be moments when nobody has it open. */
		usleep(2000 << i++ % 5);
	}
	return NULL;
}

TEST_F(teardown, X3_eviction_against_opens)
{
	pthread_t threads[3];
	time_t end;
	void *wrong;
	int i;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, reopen,
					    &self->env));
	/* Dropping caches may take long, and is a matter of luck. */
	end = time(NULL) + 10;
	while (time(NULL) < end &&
	       tfs_fetches(&self->env.srv) < 10) {
		tfs_drop_caches();
		usleep(5000);
	}
	__atomic_store_n(&stop_load, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < 3; i++) {
		pthread_join(threads[i], &wrong);
		EXPECT_EQ(NULL, wrong);
	}
	EXPECT_LT(1, tfs_fetches(&self->env.srv));
	EXPECT_EQ(0, tfs_umount(&self->env));
	EXPECT_EQ(0, device_is_free(&self->env));
}

/* A mapping alone keeps the file, the mount and the device. */
TEST_F(teardown, X3_mapping_outlives_descriptor_server_and_mount)
{
	char *map;
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	map[PAGE] = 'm';
	close(fd);
	ASSERT_EQ(0, tfs_server_signal(&self->env.srv, SIGKILL));
	ASSERT_EQ(0, umount2(self->env.dir, MNT_DETACH));
	self->env.mounted = false;
	EXPECT_EQ('m', map[PAGE]);
	map[PMD + PAGE] = 'n';
	EXPECT_EQ('n', map[PMD + PAGE]);
	munmap(map, SIZE);
	EXPECT_EQ(0, device_is_free(&self->env));
}

TEST_HARNESS_MAIN
