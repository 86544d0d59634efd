// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel memory of maps: who opens a file is charged for its map, which is
 * small.
 *
 * What is easily wrong here: memory in an unprivileged user's reach that no
 * memory cgroup counts, as the index by which pages belong to one file only.
 */
#include "tfs_test.h"

#define PAGE	4096UL
#define NR	40000UL
/* Memory is counted in pages, by each CPU; inode and dentry come on top. */
#define SLACK	(512 * 1024UL)

FIXTURE(memcg)
{
	struct tfs_env env;
	char root[64], group[96];
};

FIXTURE_SETUP(memcg)
{
	const char *why = tfs_env_init(&self->env, 1);
	char file[128];

	if (why)
		SKIP(return, "%s", why);
	if (self->env.devs[0].size < (NR + 1) * PAGE)
		SKIP(return, "need a dax device of 157 MiB and more");
	snprintf(self->root, sizeof(self->root), "/tmp/famfs_cgroup_XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->root));
	if (mount("cgroup2", self->root, "cgroup2", 0, NULL))
		SKIP(return, "need cgroup2");
	snprintf(file, sizeof(file), "%s/cgroup.subtree_control", self->root);
	if (tfs_write_text(file, "+memory"))
		SKIP(return, "need the memory controller");
	snprintf(self->group, sizeof(self->group), "%s/famfs_test",
		 self->root);
	ASSERT_EQ(0, mkdir(self->group, 0700));
	tfs_add_simple(&self->env, "warm", PAGE, 0,
		       self->env.devs[0].size - PAGE);
}

FIXTURE_TEARDOWN(memcg)
{
	if (self->group[0])
		rmdir(self->group);
	umount2(self->root, MNT_DETACH);
	rmdir(self->root);
	TFS_TEARDOWN();
}

/* Kernel memory charged to the group, or -1. */
static long charged(const char *group)
{
	char path[128], line[128];
	long bytes = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/memory.stat", group);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "kernel %ld", &bytes) == 1)
			break;
	fclose(f);
	return bytes;
}

/* In a child: opens "f" in the group; the server and its buffers are not. */
static int open_charged(struct tfs_env *env, const char *group, long *cost)
{
	char path[128];
	long before;
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	if (tfs_write_text(path, "0"))
		return 1;
	if (tfs_open(env, "warm", O_RDONLY) < 0)
		return 2;
	before = charged(group);
	fd = tfs_open(env, "f", O_RDONLY);
	if (before < 0 || fd < 0)
		return 3;
	*cost = charged(group) - before;
	return 0;
}

/* What opening a file costs that has NR extents, each so far from the next. */
static long cost_of_open(struct __test_metadata *const _metadata,
			 FIXTURE_DATA(memcg) * self, unsigned long step)
{
	long *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct tfs_msg m;
	unsigned long i;
	long cost;

	ASSERT_NE(MAP_FAILED, shared);
	tfs_msg_init(&m, NR * PAGE, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < NR; i++)
		tfs_msg_extent(&m, 0, i * step, PAGE);
	tfs_add_mapped(&self->env, "f", &m);
	tfs_msg_exit(&m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_CHILD(open_charged(&self->env, self->group, shared));
	cost = *shared;
	munmap(shared, PAGE);
	return cost;
}

TEST_F(memcg, M4_lookups_take_24_bytes_an_extent)
{
	/* One range of the device: the index has one entry. */
	long cost = cost_of_open(_metadata, self, PAGE);

	EXPECT_LE(24 * NR, (unsigned long)cost);
	EXPECT_GE(24 * NR + SLACK, (unsigned long)cost);
}

/* No two extents touch, so that each has an entry of its own. */
TEST_F(memcg, M4_index_takes_40_bytes_an_extent)
{
	long cost;

	if (self->env.devs[0].size < 2 * (NR + 1) * PAGE)
		SKIP(return, "need a dax device of 314 MiB and more");
	cost = cost_of_open(_metadata, self, 2 * PAGE);
	EXPECT_LE(64 * NR, (unsigned long)cost);
	EXPECT_GE(64 * NR + SLACK, (unsigned long)cost);
}

TEST_HARNESS_MAIN
