// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that a read fault maps behind its own, where accesses go from page to
 * page: small ones and huge ones.
 *
 * What is easily wrong here: a page past the mapping, past the end of the file
 * or of another extent, which is another file's; pages mapped around an access
 * that is alone; a first write that is not noticed; a page that stays mapped
 * when its memory goes to another file.
 */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <linux/userfaultfd.h>

#include "tfs_test.h"
#include "tfs_trace.h"

#define PAGE	4096UL
/* fault_around_bytes, unless somebody has changed it. */
#define AROUND	(16 * PAGE)
/* At most so many huge pages by one fault. */
#define AHEAD	(16 * PMD)
#define SMALL	(64 * PAGE)
#define SIZE	(24 * PMD + 5 * PAGE)

/* The start of a file, where fault_around_bytes are aligned. */
static char *map_small(int fd, int prot)
{
	return tfs_map_aligned(fd, SMALL, prot, AROUND);
}

/* At most 64 MiB of a file, in one table of huge pages. */
static char *map_huge(int fd, size_t len, int prot)
{
	return tfs_map_aligned(fd, len, prot, 64 * MiB);
}

FIXTURE(around)
{
	struct tfs_env env;
	struct tfs_msg m, parts, odd, tail;
	int dev;			/* for notifications past the server */
	int fd;
	char *map;			/* of huge pages */
	char *small;			/* the first SMALL bytes, by small ones */
};

FIXTURE_SETUP(around)
{
	const char *why = tfs_env_init(&self->env, 1);
	int i;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, 60 * MiB));
	tfs_msg_simple(&self->m, SIZE, 0, 0, SIZE);
	ASSERT_EQ(0, tfs_add_mapped(&self->env, "f", &self->m));
	/* Extents of four pages, in another order on the device. */
	tfs_msg_init(&self->parts, SMALL, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < 16; i++)
		tfs_msg_extent(&self->parts, 0, 54 * MiB + (i ^ 1) * 4 * PAGE,
			       4 * PAGE);
	ASSERT_EQ(1, tfs_add_mapped(&self->env, "parts", &self->parts));
	/* More is mapped than there is of the file. */
	tfs_msg_simple(&self->odd, 6 * PAGE + 9, 0, 56 * MiB, SMALL);
	tfs_msg_header(&self->odd)->flags = FUSE_FMAP_GROW;
	ASSERT_EQ(2, tfs_add_mapped(&self->env, "odd", &self->odd));
	tfs_msg_simple(&self->tail, 3 * PMD + 9, 0, 64 * MiB, 8 * PMD);
	tfs_msg_header(&self->tail)->flags = FUSE_FMAP_GROW;
	ASSERT_EQ(3, tfs_add_mapped(&self->env, "tail", &self->tail));
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = ASSERT_OPEN("f", O_RDWR);
	self->map = map_huge(self->fd, SIZE, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, self->map);
	self->small = map_small(self->fd, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, self->small);
	ASSERT_EQ(0, madvise(self->small, SMALL, MADV_NOHUGEPAGE));
}

FIXTURE_TEARDOWN(around)
{
	munmap(self->map, SIZE);
	munmap(self->small, SMALL);
	close(self->fd);
	close(self->dev);
	tfs_msg_exit(&self->m);
	tfs_msg_exit(&self->parts);
	tfs_msg_exit(&self->odd);
	tfs_msg_exit(&self->tail);
	TFS_TEARDOWN();
}

/* Bytes of a range that are mapped now. */
static __u64 mapped(const void *start, size_t len)
{
	return tfs_mapped(start, len, 0);
}

TEST_F(around, I5_reads_in_order_map_more_than_they_touch)
{
	long before;

	tfs_load(self->small);
	EXPECT_EQ(PAGE, mapped(self->small, SMALL));
	before = tfs_rss_shared();
	tfs_load(self->small + PAGE);
	EXPECT_EQ(AROUND, mapped(self->small, SMALL));
	EXPECT_EQ((AROUND - PAGE) / 1024, tfs_rss_shared() - before);
	/* By itself: nobody is on the way to what follows. */
	tfs_load(self->small + 40 * PAGE);
	EXPECT_EQ(AROUND + PAGE, mapped(self->small, SMALL));
	EXPECT_EQ(SMALL, tfs_mismatch(&self->m, 0, self->small, SMALL));
	EXPECT_EQ(SMALL, mapped(self->small, SMALL));
	EXPECT_EQ(0, madvise(self->small, SMALL, MADV_DONTNEED));
	EXPECT_EQ(0, mapped(self->small, SMALL));
}

/* Every page is read once: each fault maps what the next ones would. */
TEST_F(around, I5_reads_in_order_fault_once_a_window)
{
	long before;
	size_t i;

	tfs_load(self->small);
	/* The first call may have faults of its own. */
	tfs_faults();
	before = tfs_faults();
	for (i = PAGE; i < SMALL; i += PAGE)
		tfs_load(self->small + i);
	EXPECT_EQ(SMALL / AROUND, tfs_faults() - before);
}

TEST_F(around, I5_reads_at_random_map_what_they_touch)
{
	size_t i, n = 0;

	ASSERT_EQ(0, madvise(self->small, SMALL, MADV_RANDOM));
	for (i = 0; i < 8 * PAGE; i += PAGE, n++)
		tfs_load(self->small + i);
	EXPECT_EQ(n * PAGE, mapped(self->small, SMALL));
}

TEST_F(around, I5_pages_around_end_with_the_mapping)
{
	char *map = map_small(self->fd, PROT_READ);

	ASSERT_NE(MAP_FAILED, map);
	/* Another mapping of the file is next to it. */
	ASSERT_EQ(map + 5 * PAGE,
		  mmap(map + 5 * PAGE, 16 * PAGE, PROT_READ,
		       MAP_SHARED | MAP_FIXED, self->fd, 32 * PAGE));
	ASSERT_EQ(0, madvise(map, SMALL, MADV_NOHUGEPAGE));
	tfs_load(map);
	tfs_load(map + PAGE);
	EXPECT_EQ(5 * PAGE, mapped(map, SMALL));
	EXPECT_EQ(5 * PAGE, tfs_mismatch(&self->m, 0, map, 5 * PAGE));
	munmap(map, SMALL);
}

/* Has a file's first pages read in order: how much is mapped then? */
static void expect_around(struct __test_metadata *const _metadata,
			  FIXTURE_DATA(around) * self, const char *name,
			  const struct tfs_msg *m, size_t size, __u64 len)
{
	int fd = ASSERT_OPEN(name, O_RDWR);
	char *map = map_small(fd, PROT_READ);

	ASSERT_NE(MAP_FAILED, map);
	tfs_load(map);
	tfs_load(map + PAGE);
	EXPECT_EQ(len, mapped(map, SMALL));
	EXPECT_EQ(size, tfs_mismatch(m, 0, map, size));
	munmap(map, SMALL);
	close(fd);
}

TEST_F(around, I5_pages_around_end_with_the_file)
{
	expect_around(_metadata, self, "odd", &self->odd, 6 * PAGE + 9,
		      7 * PAGE);
}

TEST_F(around, I5_pages_around_end_with_the_extent)
{
	expect_around(_metadata, self, "parts", &self->parts, SMALL, 4 * PAGE);
}

/* Pages that are there by writes stay as they are. */
TEST_F(around, I5_pages_around_are_not_written)
{
	struct stat before, after;

	tfs_store_faults(self->small + 3 * PAGE);
	ASSERT_EQ(0, fsync(self->fd));
	tfs_load(self->small);
	tfs_load(self->small + PAGE);
	ASSERT_LE(3 * PAGE, mapped(self->small, SMALL));
	/* The first write to each is noticed. */
	EXPECT_EQ(0, fstat(self->fd, &before));
	usleep(30000);
	EXPECT_EQ(1, tfs_store_faults(self->small + 2 * PAGE));
	EXPECT_EQ(0, fstat(self->fd, &after));
	EXPECT_TRUE(before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
		    before.st_mtim.tv_nsec != after.st_mtim.tv_nsec);
	/* And a write maps nothing but its own page. */
	EXPECT_EQ(0, madvise(self->small, SMALL, MADV_DONTNEED));
	tfs_dirty(self->small + 4 * PAGE);
	tfs_dirty(self->small + 5 * PAGE);
	EXPECT_EQ(2 * PAGE, mapped(self->small, SMALL));
}

TEST_F(around, I5_userfaultfd_sees_each_page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range.start = (unsigned long)self->small,
		.range.len = SMALL,
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	int uffd = syscall(__NR_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (uffd < 0)
		SKIP(return, "no userfaultfd");
	api.features = UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_WP_ASYNC;
	if (ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &reg))
		SKIP(return, "userfaultfd protects no pages");
	tfs_load(self->small);
	tfs_load(self->small + PAGE);
	EXPECT_EQ(2 * PAGE, mapped(self->small, SMALL));
	close(uffd);
}

/* Pages that nobody has touched go with the map as those that were. */
TEST_F(around, M6_pages_around_go_with_the_map)
{
	struct tfs_msg m;

	tfs_load(self->small);
	tfs_load(self->small + PAGE);
	tfs_load(self->map + PMD);
	tfs_load(self->map + 2 * PMD);
	ASSERT_EQ(AROUND, mapped(self->small, SMALL));
	ASSERT_LT(2 * PMD, mapped(self->map, SIZE));
	/* The same memory, a huge page later; the first of it is at the end. */
	tfs_msg_init(&m, SIZE, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(&m, 0, PMD, SIZE - PMD);
	tfs_msg_extent(&m, 0, 0, PMD);
	ASSERT_EQ(0, tfs_push_map(self->dev, 0, &m));
	EXPECT_EQ(0, mapped(self->small, SMALL));
	EXPECT_EQ(0, mapped(self->map, SIZE));
	EXPECT_EQ(SMALL, tfs_mismatch(&m, 0, self->small, SMALL));
	EXPECT_EQ(SIZE, tfs_mismatch(&m, 0, self->map, SIZE));
	tfs_msg_exit(&m);
}

/* ---- huge pages -------------------------------------------------------- */

TEST_F(around, I5_huge_reads_in_order_map_more_than_they_touch)
{
	long before;

	tfs_load(self->map);
	EXPECT_EQ(PMD, mapped(self->map, SIZE));
	tfs_load(self->map + 10 * PMD);
	EXPECT_EQ(2 * PMD, mapped(self->map, SIZE));
	before = tfs_rss_shared();
	tfs_load(self->map + PMD);
	/* Up to the one that is there already. */
	EXPECT_EQ(11 * PMD, mapped(self->map, SIZE));
	EXPECT_EQ(9 * PMD / 1024, tfs_rss_shared() - before);
	EXPECT_EQ(SIZE, tfs_mismatch(&self->m, 0, self->map, SIZE));
	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	tfs_load(self->map);
	EXPECT_EQ(PMD, mapped(self->map, SIZE));
	tfs_load(self->map + PMD);
	EXPECT_EQ(PMD + AHEAD, mapped(self->map, SIZE));
}

TEST_F(around, I5_huge_pages_ahead_end_with_the_mapping)
{
	EXPECT_EQ(0, munmap(self->map + 3 * PMD + PMD / 2, 4 * PMD));
	tfs_load(self->map);
	tfs_load(self->map + PMD);
	EXPECT_EQ(3 * PMD, mapped(self->map, SIZE));
	/* What is left of a huge page is mapped by small ones. */
	EXPECT_EQ(3 * PMD + PMD / 2,
		  tfs_mismatch(&self->m, 0, self->map, 3 * PMD + PMD / 2));
}

TEST_F(around, I5_huge_pages_ahead_end_with_the_file)
{
	tfs_load(self->map + 20 * PMD);
	tfs_load(self->map + 21 * PMD);
	EXPECT_EQ(4 * PMD, mapped(self->map, SIZE));
	EXPECT_EQ(SIZE - 20 * PMD, tfs_mismatch(&self->m, 20 * PMD,
						self->map + 20 * PMD,
						SIZE - 20 * PMD));
}

TEST_F(around, I5_huge_pages_ahead_end_where_a_file_may_grow)
{
	int fd = ASSERT_OPEN("tail", O_RDWR);
	char *map = map_huge(fd, 8 * PMD, PROT_READ);

	ASSERT_NE(MAP_FAILED, map);
	tfs_load(map);
	tfs_load(map + PMD);
	EXPECT_EQ(3 * PMD, mapped(map, 8 * PMD));
	munmap(map, 8 * PMD);
	close(fd);
}

TEST_F(around, I5_huge_pages_ahead_are_not_written)
{
	tfs_load(self->map);
	tfs_load(self->map + PMD);
	tfs_store_faults(self->map + 3 * PMD);
	EXPECT_EQ(1, tfs_store_faults(self->map + 2 * PMD));
	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	tfs_dirty(self->map);
	tfs_dirty(self->map + PMD);
	EXPECT_EQ(2 * PMD, mapped(self->map, SIZE));
}

/* The second of three extents is aligned in the file, and not in memory. */
TEST_F(around, I5_huge_pages_need_memory_that_is_aligned)
{
	struct tfs_msg m;

	tfs_msg_init(&m, SIZE, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(&m, 0, 0, 4 * PMD);
	tfs_msg_extent(&m, 0, 4 * PMD + PAGE, 4 * PMD);
	tfs_msg_extent(&m, 0, 10 * PMD, SIZE - 8 * PMD);
	ASSERT_EQ(0, tfs_push_map(self->dev, 0, &m));
	tfs_load(self->map);
	tfs_load(self->map + PMD);
	EXPECT_EQ(4 * PMD, mapped(self->map, SIZE));
	tfs_load(self->map + 4 * PMD);
	EXPECT_EQ(AROUND, mapped(self->map + 4 * PMD, SIZE - 4 * PMD));
	EXPECT_EQ(AROUND, tfs_mismatch(&m, 4 * PMD, self->map + 4 * PMD,
				       AROUND));
	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_POPULATE_READ));
	EXPECT_EQ(20 * PMD, tfs_mapped(self->map, SIZE, PAGE_IS_HUGE));
	EXPECT_EQ(SIZE, tfs_mismatch(&m, 0, self->map, SIZE));
	tfs_msg_exit(&m);
}

/* Small pages of memory that the file has as a huge one. */
TEST_F(around, I5_small_pages_of_a_huge_one)
{
	tfs_load(self->map);
	tfs_load(self->small + PAGE);
	EXPECT_EQ(AROUND - PAGE, mapped(self->small, SMALL));
	EXPECT_EQ(SMALL, tfs_mismatch(&self->m, 0, self->small, SMALL));
	munmap(self->small, SMALL);
	EXPECT_EQ(PMD, mapped(self->map, SIZE));
	self->small = map_small(self->fd, PROT_READ);
}

/* Small pages from an offset on, at the same address. */
static char *move_small(FIXTURE_DATA(around) * self, off_t pos)
{
	return mmap(self->small, SMALL, PROT_READ, MAP_SHARED | MAP_FIXED,
		    self->fd, pos);
}

/* The page before is one of the same huge page, wherever that begins. */
TEST_F(around, I5_small_pages_in_the_middle_of_a_huge_one)
{
	size_t pos;

	tfs_load(self->map + PMD);
	for (pos = PMD; pos < 2 * PMD; pos += 4 * AROUND) {
		ASSERT_EQ(self->small, move_small(self, pos + PAGE));
		tfs_load(self->small);
		EXPECT_EQ(AROUND, mapped(self->small, SMALL));
		EXPECT_EQ(AROUND, tfs_mismatch(&self->m, pos + PAGE,
					       self->small, AROUND));
	}
	EXPECT_EQ(PMD, mapped(self->map, SIZE));
}

/* The page before is not in the same part of the tree of entries. */
TEST_F(around, I5_reads_in_order_go_on_behind_a_huge_page)
{
	tfs_load(self->map);
	ASSERT_EQ(self->small, move_small(self, PMD));
	tfs_load(self->small);
	EXPECT_EQ(AROUND, mapped(self->small, SMALL));
	EXPECT_EQ(SMALL, tfs_mismatch(&self->m, PMD, self->small, SMALL));
}

TEST_F(around, I5_reads_in_order_go_on_from_node_to_node)
{
	size_t last = AROUND - PAGE;	/* of 64 that have a node */

	ASSERT_EQ(self->small, move_small(self, PMD + SMALL - AROUND));
	tfs_load(self->small + last);
	EXPECT_EQ(PAGE, mapped(self->small, SMALL));
	tfs_load(self->small + last + PAGE);
	EXPECT_EQ(PAGE + AROUND, mapped(self->small, SMALL));
	/* Nor is what is behind a hole between two of them. */
	tfs_load(self->small + last + 2 * AROUND);
	EXPECT_EQ(2 * PAGE + AROUND, mapped(self->small, SMALL));
}

/* No driver is asked for what is behind it: no pages of the huge one. */
TEST_F(around, I5_last_small_page_of_a_huge_one)
{
	struct tfs_trace trace = {};

	tfs_load(self->map);
	ASSERT_EQ(self->small, move_small(self, PMD - PAGE));
	if (tfs_trace_on(&trace, "fs_dax/dax_pte_fault", NULL) ||
	    tfs_trace_probe(&trace, "p:tfs_pages dax_direct_access nr=%dx:s64"))
		SKIP(tfs_trace_end(&trace); return,
		     "need CONFIG_KPROBE_EVENTS on x86");
	EXPECT_EQ(0, tfs_trace_on(&trace, "kprobes/tfs_pages", NULL));
	tfs_load(self->small);
	EXPECT_LT(0, tfs_trace_lines(trace.instance, "tfs_pages: ", "nr="));
	EXPECT_EQ(0, tfs_trace_lines(trace.instance, "tfs_pages: ", "nr=0"));
	EXPECT_EQ(PAGE, mapped(self->small, SMALL));
	EXPECT_EQ(0, tfs_trace_off(&trace, "kprobes/tfs_pages"));
	EXPECT_EQ(0, tfs_trace_probe(&trace, "-:tfs_pages"));
	tfs_trace_end(&trace);
}

TEST_HARNESS_MAIN
