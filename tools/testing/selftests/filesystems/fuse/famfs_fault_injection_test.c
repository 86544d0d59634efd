// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations that fail, one after the other, at each place where opening and
 * using a mapped file needs memory.  Whatever fails must fail cleanly, with
 * nothing left behind, and must work when there is memory again.
 *
 * Needs CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC with their files in debugfs.
 */
#include <pthread.h>

#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(2 * PMD)

/* More than any operation here allocates. */
#define ALLOCATIONS	400

FIXTURE(fault_injection)
{
	struct tfs_env env;
	struct tfs_msg m;
};

/* Fail also those that may sleep, and do not fill the log with it. */
static int set_up_failures(void)
{
	static const char *const dirs[] = { "failslab", "fail_page_alloc" };
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path),
			 "/sys/kernel/debug/%s/ignore-gfp-wait", dirs[i]);
		if (access(path, W_OK))
			mount("debugfs", "/sys/kernel/debug", "debugfs", 0,
			      NULL);
		if (tfs_write_text(path, "N"))
			return -ENOENT;
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose",
			 dirs[i]);
		if (tfs_write_text(path, "0"))
			return -ENOENT;
	}
	tfs_write_text("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	return access("/proc/thread-self/fail-nth", W_OK);
}

FIXTURE_SETUP(fault_injection)
{
	const char *why = tfs_env_init(&self->env, 1);
	int i;

	if (why)
		SKIP(return, "%s", why);
	if (set_up_failures())
		SKIP(return, "need CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC");
	/* Scattered, so that claims and map take more than one node each. */
	tfs_msg_init(&self->m, SIZE, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < 64; i++)
		tfs_msg_extent(&self->m, 0, (63 - i) * 2 * SIZE / 64,
			       SIZE / 64);
	tfs_add_mapped(&self->env, "f", &self->m);
}

FIXTURE_TEARDOWN(fault_injection)
{
	tfs_msg_exit(&self->m);
	TFS_TEARDOWN();
}

/* The nth allocation of this thread from now on fails; 0: none. */
static void fail_nth(unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	tfs_write_text("/proc/thread-self/fail-nth", text);
}

/* Has the failure not come yet?  Then there were fewer allocations. */
static bool not_failed(void)
{
	char text[16] = "";
	int fd = open("/proc/thread-self/fail-nth", O_RDONLY);

	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return atoi(text) > 0;
}

/* Runs it with each of its allocations failing.  Returns how many there are. */
static int each_allocation(struct tfs_env *env,
			   int (*run)(struct tfs_env *env))
{
	int n, err;

	for (n = 1; n < ALLOCATIONS; n++) {
		bool more;

		tfs_drop_caches();
		fail_nth(n);
		err = run(env);
		more = !not_failed();
		fail_nth(0);
		/* An allocation may have a substitute; errors tell memory. */
		if (err && err != -ENOMEM && err != -EFAULT && err != -EINTR)
			return err;
		if (tfs_warned(env))
			return -EIO;
		if (!more)
			return err ? err : n;
	}
	return -E2BIG;
}

static int open_file(struct tfs_env *env)
{
	int fd = tfs_open(env, "f", O_RDWR);

	if (fd < 0)
		return fd;
	/* What closing allocates is FUSE's business. */
	close(fd);
	return 0;
}

TEST_F_TIMEOUT(fault_injection, X3_open, 120)
{
	int n, fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	n = each_allocation(&self->env, open_file);
	EXPECT_LT(5, n);
	TH_LOG("%d allocations", n);
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(4, pwrite(fd, "good", 4, SIZE - 4));
	close(fd);
	EXPECT_EQ(0, tfs_umount(&self->env));
}

static int use_file(struct tfs_env *env)
{
	char buf[2 * PAGE] = "", *map;
	int fd, err = 0;

	/* Opening has a test of its own. */
	fd = tfs_open(env, "f", O_RDWR);
	if (fd < 0)
		return fd;
	if (pwrite(fd, buf, sizeof(buf), 0) < 0 ||
	    pread(fd, buf, sizeof(buf), PMD) < 0)
		err = -errno;
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED) {
		/* Faults in a system call: an error instead of a signal. */
		if (!err && (pread(fd, map, PAGE, PMD) < 0 ||
			     pwrite(fd, map + PMD, PAGE, 0) < 0))
			err = -errno;
		munmap(map, SIZE);
	} else {
		err = -errno;
	}
	close(fd);
	return err;
}

TEST_F_TIMEOUT(fault_injection, X3_read_write_and_faults, 120)
{
	int n;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	n = each_allocation(&self->env, use_file);
	EXPECT_LT(5, n);
	EXPECT_EQ(0, use_file(&self->env));
	EXPECT_EQ(0, tfs_umount(&self->env));
}

struct opener {
	struct tfs_env *env;
	int err;
};

static void *open_thread(void *arg)
{
	struct opener *o = arg;

	o->err = open_file(o->env);
	return NULL;
}

/* Opens "f" of a new mount; the server's nth allocation after that fails. */
static int open_with_failing_server(struct tfs_env *env, unsigned int nth)
{
	struct opener o = { .env = env };
	char path[64], text[16];
	pthread_t thread;
	int err;

	rule_hold(&env->srv, FUSE_GET_DAXDEV, TFS_ANY);
	err = tfs_mount_fork(env);
	if (err || pthread_create(&thread, NULL, open_thread, &o))
		return -EIO;
	err = tfs_wait_held(&env->srv, 1);
	snprintf(path, sizeof(path), "/proc/%d/fail-nth", env->srv.pid);
	snprintf(text, sizeof(text), "%u", nth);
	tfs_write_text(path, text);
	rules_release(&env->srv);
	pthread_join(thread, NULL);
	return err ? err : o.err;
}

/* Devices are looked up and entered in the context of the server. */
TEST_F_TIMEOUT(fault_injection, X3_device_in_the_servers_context, 180)
{
	int err, n, failed = 0;

	for (n = 1; n < 25; n++) {
		err = open_with_failing_server(&self->env, n);
		failed += err == -ENOMEM;
		EXPECT_FALSE(tfs_warned(&self->env));
		EXPECT_EQ(0, umount2(self->env.dir, 0));
		self->env.mounted = false;
		tfs_server_exit(&self->env.srv);
		ASSERT_EQ(0, tfs_server_init(&self->env.srv));
		tfs_name_devs(&self->env, &self->env.srv);
		tfs_add_mapped(&self->env, "f", &self->m);
	}
	/* The entry in the table, at least. */
	EXPECT_LT(0, failed);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_EQ(0, use_file(&self->env));
	EXPECT_EQ(0, tfs_umount(&self->env));
}

TEST_HARNESS_MAIN
