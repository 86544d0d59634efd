// SPDX-License-Identifier: GPL-2.0
/*
 * What can be seen of mapped files from outside: the table of devices under the
 * fusectl mount, tracepoints, and through those of DAX that each way of syncing
 * writes the CPU's caches back to memory.
 *
 * What is easily wrong here: sync() passes FUSE by, so that another host on
 * memory that is not coherent never sees what was stored through a mapping.
 */
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(2 * PMD)

FIXTURE(trace_fusectl)
{
	struct tfs_env env;
	char tracefs[64];
	char trace[128];		/* an instance of our own */
	char *map;
	int dev;			/* for notifications past the server */
	int fd;
};

static int mount_own(const char *type, char *dir, size_t len)
{
	snprintf(dir, len, "/tmp/famfs_%s_XXXXXX", type);
	if (mkdtemp(dir) && !mount(type, dir, type, 0, NULL))
		return 0;
	rmdir(dir);
	dir[0] = '\0';
	return -errno;
}

FIXTURE_SETUP(trace_fusectl)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	tfs_add_simple(&self->env, "g", SIZE, 0, SIZE);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_GE(self->fd, 0);
	self->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(trace_fusectl)
{
	if (self->trace[0])
		rmdir(self->trace);
	if (self->tracefs[0]) {
		umount(self->tracefs);
		rmdir(self->tracefs);
	}
	munmap(self->map, SIZE);
	close(self->fd);
	close(self->dev);
	TFS_TEARDOWN();
}

/* Mounts tracefs, if that is not done yet, and turns an event on. */
static int trace(FIXTURE_DATA(trace_fusectl) * self, const char *event)
{
	char file[256];

	if (!self->trace[0]) {
		if (mount_own("tracefs", self->tracefs, sizeof(self->tracefs)))
			return -ENOENT;
		snprintf(self->trace, sizeof(self->trace),
			 "%s/instances/famfs_test", self->tracefs);
		if (mkdir(self->trace, 0700))
			return -errno;
	}
	snprintf(file, sizeof(file), "%s/events/%s/enable", self->trace, event);
	return tfs_write_text(file, "1");
}

/* Lines with both texts since the last call. */
static int trace_lines(const char *trace, const char *event, const char *with)
{
	int n = tfs_trace_lines(trace, event, with);
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/trace", trace);
	/* Opening it to write empties it. */
	f = fopen(path, "we");
	if (f)
		fclose(f);
	return n;
}

TEST_F(trace_fusectl, O1_tracepoints)
{
	char c = 0;

	if (trace(self, "famfs/famfs_install") ||
	    trace(self, "famfs/famfs_resolve"))
		SKIP(return, "need tracefs");
	close(ASSERT_OPEN("g", O_RDONLY));
	EXPECT_EQ(1, trace_lines(self->trace, "famfs_install",
				 "nodeid 3 size 0x400000 extents 1"));
	EXPECT_EQ(1, pwrite(self->fd, &c, 1, PMD + 1));
	EXPECT_EQ(1, trace_lines(self->trace, "famfs_resolve",
				 "nodeid 2 pos 0x200001"));
}

TEST_F(trace_fusectl, O1_changes_of_maps_are_traced)
{
	struct tfs_msg m;

	if (trace(self, "famfs/famfs_replace") ||
	    trace(self, "famfs/famfs_revoke"))
		SKIP(return, "need tracefs");
	tfs_msg_simple(&m, PMD, 0, 2 * SIZE, PMD);
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &m));
	EXPECT_EQ(1, trace_lines(self->trace, "famfs_replace",
				 "nodeid 2 size 0x200000 extents 1"));
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	EXPECT_EQ(1, trace_lines(self->trace, "famfs_revoke", "nodeid 2 "));
	tfs_msg_exit(&m);
}

TEST_F(trace_fusectl, O1_failing_devices_are_traced)
{
	if (trace(self, "famfs/famfs_failure"))
		SKIP(return, "need tracefs");
	ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
	EXPECT_EQ(1, trace_lines(self->trace, "famfs_failure", "daxdev 0"));
	EXPECT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
}

/* Dirties two pages through the mapping, syncs, and looks for both. */
static void check_sync(struct __test_metadata *const _metadata,
		       const char *trace, char *map, int fd,
		       int (*sync_it)(int fd, char *map))
{
	madvise(map, SIZE, MADV_NOHUGEPAGE);
	map[3 * PAGE] = 1;
	map[PMD + 5 * PAGE] = 1;
	trace_lines(trace, "", "");
	EXPECT_EQ(0, sync_it(fd, map));
	EXPECT_EQ(2, trace_lines(trace, "dax_writeback_one", "pglen 0x1"));
	/* Clean now, and dirty again when it is written again. */
	EXPECT_EQ(0, sync_it(fd, map));
	EXPECT_EQ(0, trace_lines(trace, "dax_writeback_one", "pgoff"));
	map[3 * PAGE] = 2;
	EXPECT_EQ(0, sync_it(fd, map));
	EXPECT_EQ(1, trace_lines(trace, "dax_writeback_one", "pgoff 0x3"));
}

static int by_fsync(int fd, char *map)
{
	(void)map;
	return fsync(fd);
}

static int by_fdatasync(int fd, char *map)
{
	(void)map;
	return fdatasync(fd);
}

static int by_msync(int fd, char *map)
{
	(void)fd;
	return msync(map, SIZE, MS_SYNC);
}

static int by_syncfs(int fd, char *map)
{
	(void)map;
	return syncfs(fd);
}

static int by_sync(int fd, char *map)
{
	(void)fd;
	(void)map;
	sync();
	return 0;
}

TEST_F(trace_fusectl, I6_fsync_writes_caches_back)
{
	if (trace(self, "fs_dax/dax_writeback_one"))
		SKIP(return, "need tracefs");
	check_sync(_metadata, self->trace, self->map, self->fd, by_fsync);
}

TEST_F(trace_fusectl, I6_fdatasync_writes_caches_back)
{
	if (trace(self, "fs_dax/dax_writeback_one"))
		SKIP(return, "need tracefs");
	check_sync(_metadata, self->trace, self->map, self->fd, by_fdatasync);
}

TEST_F(trace_fusectl, I6_msync_writes_caches_back)
{
	if (trace(self, "fs_dax/dax_writeback_one"))
		SKIP(return, "need tracefs");
	check_sync(_metadata, self->trace, self->map, self->fd, by_msync);
}

TEST_F(trace_fusectl, I6_syncfs_writes_caches_back)
{
	if (trace(self, "fs_dax/dax_writeback_one"))
		SKIP(return, "need tracefs");
	check_sync(_metadata, self->trace, self->map, self->fd, by_syncfs);
}

TEST_F(trace_fusectl, I6_sync_writes_caches_back)
{
	if (trace(self, "fs_dax/dax_writeback_one"))
		SKIP(return, "need tracefs");
	check_sync(_metadata, self->trace, self->map, self->fd, by_sync);
}

TEST_F(trace_fusectl, I6_huge_pages_are_written_back_whole)
{
	if (trace(self, "fs_dax/dax_writeback_one"))
		SKIP(return, "need tracefs");
	self->map[5] = 1;
	trace_lines(self->trace, "", "");
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(1, trace_lines(self->trace, "dax_writeback_one",
				 "pgoff 0x0 pglen 0x200"));
}

/* Before memory is given up: whoever has it next sees what was stored. */
TEST_F(trace_fusectl, I6_giving_memory_up_writes_caches_back)
{
	struct tfs_msg m;

	if (trace(self, "fs_dax/dax_writeback_one"))
		SKIP(return, "need tracefs");
	madvise(self->map, SIZE, MADV_NOHUGEPAGE);
	self->map[3 * PAGE] = 1;
	tfs_msg_simple(&m, SIZE, 0, 2 * SIZE, SIZE);
	trace_lines(self->trace, "", "");
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &m));
	EXPECT_EQ(1, trace_lines(self->trace, "dax_writeback_one", "pgoff 0x3"));
	self->map[4 * PAGE] = 1;
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	EXPECT_EQ(1, trace_lines(self->trace, "dax_writeback_one", "pgoff 0x4"));
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &m));
	self->map[5 * PAGE] = 1;
	ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
	EXPECT_EQ(1, trace_lines(self->trace, "dax_writeback_one", "pgoff 0x5"));
	EXPECT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	tfs_msg_exit(&m);
}

TEST_F(trace_fusectl, O1_fusectl_tells_devices_and_maps)
{
	struct tfs_dev *dev = &self->env.devs[0];
	char text[512], want[256];

	if (tfs_table(&self->env, text, sizeof(text)))
		SKIP(return, "need fusectl");
	snprintf(want, sizeof(want), "device 0 %s %llu held\n", dev->name,
		 dev->size);
	EXPECT_NE(NULL, strstr(text, "maps 1\nextents 1\n"));
	EXPECT_NE(NULL, strstr(text, want));
	/* What maps call it: there is no backing id. */
	EXPECT_NE(NULL, strstr(text, "index 0 0\n"));
	EXPECT_EQ(NULL, strstr(text, "backing "));

	close(ASSERT_OPEN("g", O_RDONLY));
	EXPECT_EQ(0, tfs_table(&self->env, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "maps 2\nextents 2\n"));
	/* An evicted inode takes its map along. */
	ASSERT_EQ(0, tfs_drop_caches());
	EXPECT_EQ(0, tfs_table(&self->env, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "maps 1\nextents 1\n"));

	ASSERT_EQ(0, tfs_unbind(dev));
	EXPECT_EQ(0, tfs_table(&self->env, text, sizeof(text)));
	snprintf(want, sizeof(want), "device 0 %s %llu gone\n", dev->name,
		 dev->size);
	EXPECT_NE(NULL, strstr(text, want));
	EXPECT_EQ(0, tfs_bind(dev, "fsdev_dax"));
}

TEST_HARNESS_MAIN
