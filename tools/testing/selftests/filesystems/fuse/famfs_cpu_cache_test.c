// SPDX-License-Identifier: GPL-2.0
/*
 * That data really leaves the CPU's caches: stores through a mapping when they
 * are synced, write() at once.  Another host sees only what is in memory.
 *
 * Whether a line is in a cache cannot be seen from here, so probes watch the
 * functions of the kernel that write lines back and that go past the caches.
 *
 * What is easily wrong here: the file system writes dirty pages back as it
 * should, and a device that does not say that it has a cache to flush makes
 * nothing of it.
 */
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(64 * 1024UL)

FIXTURE(cpu_cache)
{
	struct tfs_env env;
	char tracefs[64];
	char trace[128];		/* an instance of our own */
	int fd;
};

FIXTURE_SETUP(cpu_cache)
{
	const char *why = tfs_env_init(&self->env, 1);

	self->fd = -1;
	if (why)
		SKIP(return, "%s", why);
	/* What the driver says of the device, it says when it is bound. */
	ASSERT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_GE(self->fd, 0);
	snprintf(self->tracefs, sizeof(self->tracefs), "/tmp/famfs_XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->tracefs));
	if (mount("tracefs", self->tracefs, "tracefs", 0, NULL))
		SKIP(return, "need tracefs");
	snprintf(self->trace, sizeof(self->trace), "%s/instances/famfs_flush",
		 self->tracefs);
	ASSERT_EQ(0, mkdir(self->trace, 0700));
}

/* Adds or removes a probe. */
static int probe(const char *tracefs, const char *definition)
{
	char path[128];
	int fd, err;

	snprintf(path, sizeof(path), "%s/kprobe_events", tracefs);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write(fd, definition, strlen(definition)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

FIXTURE_TEARDOWN(cpu_cache)
{
	/* An instance takes its events along; then the probe is not in use. */
	if (self->trace[0])
		rmdir(self->trace);
	probe(self->tracefs, "-:famfs_flush/probe");
	umount(self->tracefs);
	rmdir(self->tracefs);
	close(self->fd);
	TFS_TEARDOWN();
}

static int watch(FIXTURE_DATA(cpu_cache) * self, const char *function)
{
	char text[192];
	int err;

	snprintf(text, sizeof(text), "p:famfs_flush/probe %s", function);
	err = probe(self->tracefs, text);
	if (err)
		return err;
	snprintf(text, sizeof(text), "%s/events/famfs_flush/probe/enable",
		 self->trace);
	return tfs_write_text(text, "1");
}

TEST_F(cpu_cache, I6_synced_stores_are_written_back)
{
	char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	if (watch(self, "arch_wb_cache_pmem"))
		SKIP(return, "need kprobe events, and x86");
	map[0] = 1;
	map[5 * PAGE] = 1;
	EXPECT_EQ(0, tfs_trace_lines(self->trace, "probe:", ""));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_LT(0, tfs_trace_lines(self->trace, "probe:", ""));
	munmap(map, SIZE);
}

TEST_F(cpu_cache, I6_write_goes_past_the_caches)
{
	char buf[100] = "";

	if (watch(self, "_copy_from_iter_flushcache"))
		SKIP(return, "need kprobe events, and x86");
	EXPECT_EQ(100, pwrite(self->fd, buf, 100, 50));
	EXPECT_EQ(1, tfs_trace_lines(self->trace, "probe:", ""));
}

TEST_HARNESS_MAIN
