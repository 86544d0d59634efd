// SPDX-License-Identifier: GPL-2.0
/*
 * What opens cost in each way in which a server can give maps, and servers
 * that answer OPEN with ENOSYS.
 *
 * What is easily wrong here: a server without opens is asked for the map at
 * each of them, or never, so that its files are ordinary.
 */
#include "tfs_test.h"

#define SIZE	(64 * 1024UL)

FIXTURE(open_mode)
{
	struct tfs_env env;
	struct tfs_msg m;		/* a good map of "a" */
};

FIXTURE_SETUP(open_mode)
{
	const char *why;

	setenv("FAMFS_OPEN_MODE", "noopen", 1);
	why = tfs_env_init(&self->env, 1);
	if (why)
		SKIP(return, "%s", why);
	tfs_msg_simple(&self->m, SIZE, 0, 0, SIZE);
	tfs_add_mapped(&self->env, "a", &self->m);
	tfs_add_simple(&self->env, "b", SIZE, 0, PMD);
	tfs_add_data(&self->env.srv, "plain", "server", 6);
	rule_fail(&self->env.srv, FUSE_FLUSH, TFS_ANY, -ENOSYS, -1);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
}

FIXTURE_TEARDOWN(open_mode)
{
	tfs_msg_exit(&self->m);
	TFS_TEARDOWN();
}

TEST_F(open_mode, F1_server_without_opens_is_asked_once_for_each_file)
{
	__u64 before;
	int i;

	/* The first one learns that there are no opens, and the device. */
	EXPECT_EQ(3, tfs_open_cost(&self->env, "b"));
	EXPECT_COUNT(1, FUSE_OPEN);
	EXPECT_EQ(1, tfs_open_cost(&self->env, "a"));
	EXPECT_EQ(1, tfs_open_cost(&self->env, "plain"));
	EXPECT_COUNT(1, FUSE_OPEN);
	EXPECT_COUNT(3, FUSE_GET_FMAP);
	before = tfs_total(&self->env.srv);
	for (i = 0; i < 1000; i++)
		ASSERT_EQ(0, tfs_try_open(&self->env, i % 2 ? "a" : "plain",
					  O_RDONLY));
	EXPECT_EQ(before, tfs_total(&self->env.srv));
	EXPECT_COUNT(0, FUSE_RELEASE);
	/* Forgotten with the inode. */
	ASSERT_EQ(0, tfs_drop_caches());
	EXPECT_EQ(1, tfs_open_cost(&self->env, "a"));
}

TEST_F(open_mode, F1_refused_maps_of_a_server_without_opens)
{
	rule_raw(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, self->m.buf,
		 self->m.len - 1, 2);
	EXPECT_EQ(-EINVAL, tfs_try_open(&self->env, "a", O_RDWR));
	EXPECT_EQ(-EINVAL, tfs_try_open(&self->env, "a", O_RDWR));
	EXPECT_EQ(0, tfs_try_open(&self->env, "a", O_RDWR));
	EXPECT_COUNT(0, FUSE_RELEASE);
}

/* Not a check but a table: what opens cost in each mode. */
TEST_F_TIMEOUT(open_mode, F1_requests_of_opens, 120)
{
	static const char *const modes[] = { "getfmap", "openfmap", "noopen" };
	struct tfs_env *env = &self->env;
	__u64 cold, warm, before;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		setenv("FAMFS_OPEN_MODE", modes[i], 1);
		ASSERT_EQ(0, tfs_remount(env));
		tfs_add_mapped(env, "a", &self->m);
		tfs_add_simple(env, "b", SIZE, 0, PMD);
		/* Closing is not to be counted. */
		rule_fail(&env->srv, FUSE_FLUSH, TFS_ANY, -ENOSYS, -1);
		/* Devices, and what the server knows, are asked for once. */
		ASSERT_GT(4, tfs_open_cost(env, "b"));
		cold = tfs_open_cost(env, "a");
		warm = tfs_open_cost(env, "a");
		before = tfs_total(&env->srv);
		for (n = 0; n < 1000; n++)
			ASSERT_EQ(0, tfs_try_open(env, "a", O_RDONLY));
		before = tfs_total(&env->srv) - before;
		TH_LOG("%-8s requests: %llu cold, %llu warm, %llu thousand warm",
		       modes[i], cold, warm, before);
		EXPECT_EQ(i == 0 ? 2 : 1, cold);
		EXPECT_EQ(i == 2 ? 0 : 1, warm);
		EXPECT_EQ(i == 2 ? 0 : 1000, before);
	}
}

TEST_HARNESS_MAIN
