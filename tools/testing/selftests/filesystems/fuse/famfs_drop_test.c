// SPDX-License-Identifier: GPL-2.0
/*
 * Cache lines that are dropped before a map is visible, for memory that other
 * hosts write to.
 *
 * An emulated CPU has no caches that could be stale.  So the tracepoint tells
 * what is dropped, and a probe that it is.
 *
 * What is easily wrong here: the end of a file is in memory that the file has
 * already, and grows over lines that are older; a page comes back by a map that
 * another one has overtaken; what is mapped ahead is dropped with each growth.
 */
#include <sys/ioctl.h>

#include "tfs_jobs.h"
#include "tfs_test.h"
#include "tfs_trace.h"

#define PAGE	4096UL
#define BASE	(64 * MiB)

FIXTURE(drop)
{
	struct tfs_env env;
	struct tfs_trace trace;
	int dev;			/* for notifications past the server */
	int file;			/* "f", at BASE */
};

/* A map of one extent; flags besides FUSE_FMAP_DROP. */
static void drop_msg(struct tfs_msg *m, __u64 size, __u64 off, __u64 mapped,
		     int flags)
{
	tfs_msg_simple(m, size, 0, off, mapped);
	tfs_msg_header(m)->flags = FUSE_FMAP_DROP | flags;
}

FIXTURE_SETUP(drop)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_msg m;

	if (why)
		SKIP(return, "%s", why);
	drop_msg(&m, 2 * PAGE + 100, BASE, 8 * PAGE, 0);
	self->file = tfs_add_mapped(&self->env, "f", &m);
	tfs_msg_exit(&m);
	tfs_add_simple(&self->env, "other", 4 * PAGE, 0, 2 * BASE);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	/* The device must be known before anything can be pushed. */
	close(ASSERT_OPEN("other", O_RDONLY));
	if (tfs_trace_on(&self->trace, "famfs/famfs_drop", NULL))
		SKIP(return, "need tracefs");
}

FIXTURE_TEARDOWN(drop)
{
	tfs_trace_end(&self->trace);
	close(self->dev);
	EXPECT_EQ(0, tfs_umount(&self->env));
	TFS_TEARDOWN();
}

/* Since the last call. */
#define EXPECT_DROPS(drops) do {					\
	EXPECT_STREQ(drops, tfs_trace_drops(&self->trace, self->file));	\
	tfs_trace_clear(&self->trace);					\
} while (0)

static int push(FIXTURE_DATA(drop) * self, __u64 size, __u64 off, __u64 mapped,
		int flags)
{
	struct tfs_msg m;
	int err;

	drop_msg(&m, size, off, mapped, flags);
	err = tfs_push_map(self->dev, self->file, &m);
	tfs_msg_exit(&m);
	return err;
}

TEST_F(drop, M11_first_map_drops_the_whole_file)
{
	int fd = ASSERT_OPEN("f", O_RDWR);

	/* Not what is mapped ahead: nobody can see it. */
	EXPECT_DROPS("0+3@4000 ");
	/* The map is known. */
	close(ASSERT_OPEN("f", O_RDONLY));
	EXPECT_DROPS("");
	close(fd);
}

TEST_F(drop, M11_map_without_the_flag_drops_nothing)
{
	struct tfs_msg m;

	tfs_msg_simple(&m, 2 * PAGE, 0, BASE, 8 * PAGE);
	tfs_set_map(&self->env.srv, self->file, m.buf, m.len);
	close(ASSERT_OPEN("f", O_RDONLY));
	EXPECT_EQ(0, tfs_push_map(self->dev, self->file, &m));
	EXPECT_DROPS("");
	tfs_msg_exit(&m);
}

TEST_F(drop, M11_push_of_a_file_that_was_never_opened)
{
	__u64 size;

	ASSERT_EQ(0, tfs_stat_size(&self->env, "f", &size));
	EXPECT_EQ(0, push(self, 2 * PAGE, BASE, 2 * PAGE, 0));
	EXPECT_DROPS("0+2@4000 ");
}

TEST_F(drop, M11_long_files_are_dropped_in_steps)
{
	struct tfs_msg m;

	drop_msg(&m, 40 * MiB, BASE, 40 * MiB, 0);
	tfs_set_map(&self->env.srv, self->file, m.buf, m.len);
	close(ASSERT_OPEN("f", O_RDONLY));
	EXPECT_DROPS("0+1000@4000 1000+1000@5000 2000+800@6000 ");
	tfs_msg_exit(&m);
}

TEST_F(drop, M11_chunks_of_stripes_are_dropped)
{
	struct tfs_msg m;

	tfs_msg_init(&m, 5 * PAGE, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_header(&m)->flags = FUSE_FMAP_DROP;
	tfs_msg_stripe(&m, 5 * PAGE, 2 * PAGE, 2);
	tfs_msg_strip(&m, 0, BASE, 8 * PAGE);
	tfs_msg_strip(&m, 0, 2 * BASE, 8 * PAGE);
	tfs_set_map(&self->env.srv, self->file, m.buf, m.len);
	EXPECT_EQ(-EEXIST, tfs_try_open(&self->env, "f", O_RDONLY));
	tfs_trace_clear(&self->trace);
	tfs_msg_exit(&m);

	tfs_msg_init(&m, 5 * PAGE, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_header(&m)->flags = FUSE_FMAP_DROP;
	tfs_msg_stripe(&m, 5 * PAGE, 2 * PAGE, 2);
	tfs_msg_strip(&m, 0, BASE, 8 * PAGE);
	tfs_msg_strip(&m, 0, 3 * BASE, 8 * PAGE);
	tfs_set_map(&self->env.srv, self->file, m.buf, m.len);
	close(ASSERT_OPEN("f", O_RDONLY));
	EXPECT_DROPS("0+2@4000 2+2@c000 4+1@4002 ");
	tfs_msg_exit(&m);
}

/* Another host has written after the end, in memory that was mapped. */
TEST_F(drop, M11_larger_size_drops_from_the_page_of_the_old_end_on)
{
	int fd = ASSERT_OPEN("f", O_RDWR);
	char *map = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	madvise(map, 8 * PAGE, MADV_NOHUGEPAGE);
	EXPECT_EQ(0, load_byte(map + PAGE));
	EXPECT_EQ(0, load_byte(map + 2 * PAGE));
	tfs_trace_clear(&self->trace);
	EXPECT_EQ(0, push(self, 5 * PAGE, BASE, 8 * PAGE, 0));
	EXPECT_DROPS("3+2@4003 2+1@4002 ");
	EXPECT_EQ(5 * PAGE, tfs_size_of(fd));
	/* That page alone was in use where it is dropped. */
	EXPECT_NE(0, tfs_frame_of(map + PAGE));
	EXPECT_EQ(0, tfs_frame_of(map + 2 * PAGE));
	munmap(map, 8 * PAGE);
	close(fd);
}

TEST_F(drop, M11_more_memory_drops_what_the_file_did_not_have)
{
	int fd = ASSERT_OPEN("f", O_RDWR);

	EXPECT_EQ(0, push(self, 8 * PAGE, BASE, 8 * PAGE, 0));
	tfs_trace_clear(&self->trace);
	EXPECT_EQ(0, push(self, 10 * PAGE, BASE, 12 * PAGE, 0));
	EXPECT_DROPS("8+2@4008 7+1@4007 ");
	/* Other memory from the start on. */
	EXPECT_EQ(0, push(self, 10 * PAGE, BASE + MiB, 12 * PAGE, 0));
	EXPECT_DROPS("0+a@4100 ");
	close(fd);
}

/* Memory that an own write is to grow into is not looked at before. */
TEST_F(drop, M11_memory_ahead_of_a_growing_file_stays)
{
	__u64 size;
	int fd;

	ASSERT_EQ(0, tfs_stat_size(&self->env, "f", &size));
	ASSERT_EQ(0, push(self, PAGE, BASE, 2 * PAGE, FUSE_FMAP_GROW));
	fd = ASSERT_OPEN("f", O_RDWR);
	tfs_trace_clear(&self->trace);
	EXPECT_EQ(0, push(self, PAGE, BASE, 16 * MiB, FUSE_FMAP_GROW));
	EXPECT_DROPS("0+1@4000 ");
	EXPECT_EQ(1, pwrite(fd, "w", 1, 3 * PAGE));
	EXPECT_DROPS("");
	/* The size that this host has given it counts. */
	EXPECT_EQ(0, push(self, 6 * PAGE, BASE, 16 * MiB, FUSE_FMAP_GROW));
	EXPECT_DROPS("4+2@4004 3+1@4003 ");
	EXPECT_TRUE(tfs_zeros(fd, PAGE, 3 * PAGE));
	close(fd);
}

TEST_F(drop, M11_file_without_a_map_has_everything_dropped_again)
{
	int fd = ASSERT_OPEN("f", O_RDWR);
	char c;

	tfs_trace_clear(&self->trace);
	EXPECT_EQ(0, tfs_revoke(self->dev, self->file));
	EXPECT_EQ(1, pread(fd, &c, 1, 0));
	EXPECT_DROPS("0+3@4000 ");
	close(fd);
}

/* They would be fetched again, and changed, by the other file's users. */
TEST_F(drop, M11_pages_of_another_file_are_not_dropped)
{
	int fd = ASSERT_OPEN("f", O_RDWR);
	int other = ASSERT_OPEN("other", O_RDWR);

	tfs_trace_clear(&self->trace);
	EXPECT_EQ(-EEXIST, push(self, 8 * PAGE, 2 * BASE - 4 * PAGE, 8 * PAGE,
				0));
	EXPECT_DROPS("");
	EXPECT_EQ(0, tfs_revoke(self->dev, self->file + 1));
	EXPECT_EQ(0, push(self, 8 * PAGE, 2 * BASE - 4 * PAGE, 8 * PAGE, 0));
	EXPECT_DROPS("0+8@7ffc ");
	close(other);
	close(fd);
}

TEST_F(drop, M11_server_asks_whether_this_kernel_can)
{
	struct fuse_backing_map map = {
		.flags = FUSE_BACKING_TYPE_DAX | FUSE_BACKING_DAX_DROP,
	};
	int id;

	map.fd = open(self->env.devs[0].path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, map.fd);
	id = ioctl(self->dev, FUSE_DEV_IOC_BACKING_OPEN, &map);
	EXPECT_LT(0, id);
	/* It is the same device. */
	EXPECT_EQ(id, tfs_dax_open(self->dev, map.fd));
	map.flags |= FUSE_BACKING_DAX_DROP << 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->dev, FUSE_DEV_IOC_BACKING_OPEN, &map));
	map.flags = FUSE_BACKING_DAX_DROP;
	EXPECT_EQ(-1, ioctl(self->dev, FUSE_DEV_IOC_BACKING_OPEN, &map));
	close(map.fd);
}

/* The tracepoint says so before it is done. */
TEST_F(drop, M11_lines_are_dropped_indeed)
{
	if (tfs_trace_probe(&self->trace, "p:tfs_drop dax_drop size=%si:x64"))
		SKIP(return, "need CONFIG_KPROBE_EVENTS on x86");
	EXPECT_EQ(0, tfs_trace_on(&self->trace, "kprobes/tfs_drop", NULL));
	tfs_trace_clear(&self->trace);
	close(ASSERT_OPEN("f", O_RDONLY));
	EXPECT_EQ(1, tfs_trace_lines(self->trace.instance, "tfs_drop: ",
				     "size=0x3000"));
	EXPECT_EQ(0, tfs_trace_off(&self->trace, "kprobes/tfs_drop"));
	EXPECT_EQ(0, tfs_trace_probe(&self->trace, "-:tfs_drop"));
}

TEST_HARNESS_MAIN
