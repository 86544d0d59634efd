// SPDX-License-Identifier: GPL-2.0
/*
 * What opens cost in each manner in which a server can give maps, and servers
 * that answer OPEN with ENOSYS.
 *
 * What is easily wrong here: a server without opens is asked for the map at
 * each of them, or never, so that its files are ordinary.
 */
#include "famfs_test.h"

#define SIZE	(64 * 1024UL)

FIXTURE(famfs_manner)
{
	struct famfs_env env;
	struct famfs_msg m;		/* a good map of "a" */
};

FIXTURE_SETUP(famfs_manner)
{
	const char *why;

	setenv("FAMFS_MANNER", "noopen", 1);
	why = famfs_env_init(&self->env, 1);
	if (why)
		SKIP(return, "%s", why);
	famfs_msg_simple(&self->m, SIZE, 0, 0, SIZE);
	famfs_add_mapped(&self->env, "a", &self->m);
	famfs_add_simple(&self->env, "b", SIZE, 0, PMD);
	famfs_add_data(&self->env.srv, "plain", "server", 6);
	famfs_fail(&self->env.srv, FUSE_FLUSH, FAMFS_ANY, -ENOSYS, -1);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
}

FIXTURE_TEARDOWN(famfs_manner)
{
	famfs_msg_exit(&self->m);
	FAMFS_TEARDOWN();
}

TEST_F(famfs_manner, F1_server_without_opens_is_asked_once_for_each_file)
{
	__u64 before;
	int i;

	/* The first one learns that there are no opens, and the device. */
	EXPECT_EQ(3, famfs_open_cost(&self->env, "b"));
	EXPECT_COUNT(1, FUSE_OPEN);
	EXPECT_EQ(1, famfs_open_cost(&self->env, "a"));
	EXPECT_EQ(1, famfs_open_cost(&self->env, "plain"));
	EXPECT_COUNT(1, FUSE_OPEN);
	EXPECT_COUNT(3, FUSE_GET_FMAP);
	before = famfs_total(&self->env.srv);
	for (i = 0; i < 1000; i++)
		ASSERT_EQ(0, famfs_try_open(&self->env, i % 2 ? "a" : "plain",
					    O_RDONLY));
	EXPECT_EQ(before, famfs_total(&self->env.srv));
	EXPECT_COUNT(0, FUSE_RELEASE);
	/* Forgotten with the inode. */
	ASSERT_EQ(0, famfs_drop_caches());
	EXPECT_EQ(1, famfs_open_cost(&self->env, "a"));
}

TEST_F(famfs_manner, F1_refused_maps_of_a_server_without_opens)
{
	famfs_raw(&self->env.srv, FUSE_GET_FMAP, FAMFS_ANY, self->m.buf,
		  self->m.len - 1, 2);
	EXPECT_EQ(-EINVAL, famfs_try_open(&self->env, "a", O_RDWR));
	EXPECT_EQ(-EINVAL, famfs_try_open(&self->env, "a", O_RDWR));
	EXPECT_EQ(0, famfs_try_open(&self->env, "a", O_RDWR));
	EXPECT_COUNT(0, FUSE_RELEASE);
}

/* Not a check but a table: what opens cost in each manner. */
TEST_F_TIMEOUT(famfs_manner, F1_requests_of_opens, 120)
{
	static const char *const manners[] = { "old", "onetrip", "noopen" };
	struct famfs_env *env = &self->env;
	__u64 cold, warm, before;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(manners); i++) {
		setenv("FAMFS_MANNER", manners[i], 1);
		ASSERT_EQ(0, famfs_remount(env));
		famfs_add_mapped(env, "a", &self->m);
		famfs_add_simple(env, "b", SIZE, 0, PMD);
		/* Closing is not to be counted. */
		famfs_fail(&env->srv, FUSE_FLUSH, FAMFS_ANY, -ENOSYS, -1);
		/* Devices, and what the server knows, are asked for once. */
		ASSERT_GT(4, famfs_open_cost(env, "b"));
		cold = famfs_open_cost(env, "a");
		warm = famfs_open_cost(env, "a");
		before = famfs_total(&env->srv);
		for (n = 0; n < 1000; n++)
			ASSERT_EQ(0, famfs_try_open(env, "a", O_RDONLY));
		before = famfs_total(&env->srv) - before;
		TH_LOG("%-8s requests: %llu cold, %llu warm, %llu thousand warm",
		       manners[i], cold, warm, before);
		EXPECT_EQ(i == 0 ? 2 : 1, cold);
		EXPECT_EQ(i == 2 ? 0 : 1, warm);
		EXPECT_EQ(i == 2 ? 0 : 1000, before);
	}
}

TEST_HARNESS_MAIN
