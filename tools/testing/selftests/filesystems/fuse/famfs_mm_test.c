// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files under what mm offers for any file: cachestat(2), and pages that
 * userfaultfd marks to find out which ones are written to.
 *
 * What was wrong here: cachestat() took DAX entries for shadows of pages and
 * oopsed; a marked page that had been unmapped faulted for ever when it was
 * read, and warned and gave SIGBUS when it was written to; the writes of two
 * threads at once to a marked page, and any to a huge one, were not noticed.
 */
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/userfaultfd.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(2 * PMD)

#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif

FIXTURE(mm)
{
	struct tfs_env env;
	struct tfs_msg m;
	int dev;			/* /dev/fuse of the connection */
	int fd;
	int uffd;			/* or -1 where there is none */
	char *map;
};

FIXTURE_VARIANT(mm)
{
	bool huge;
	bool private;
};

FIXTURE_VARIANT_ADD(mm, small_pages) {};
FIXTURE_VARIANT_ADD(mm, huge_pages) { .huge = true };
FIXTURE_VARIANT_ADD(mm, private_small_pages) { .private = true };
FIXTURE_VARIANT_ADD(mm, private_huge_pages) {
	.huge = true, .private = true,
};

FIXTURE_SETUP(mm)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, SIZE));
	tfs_msg_simple(&self->m, SIZE, 0, 0, SIZE);
	tfs_add_mapped(&self->env, "f", &self->m);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			 variant->private ? MAP_PRIVATE : MAP_SHARED, self->fd,
			 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->uffd = syscall(__NR_userfaultfd, O_CLOEXEC);
	madvise(self->map, SIZE, variant->huge ? MADV_HUGEPAGE :
						 MADV_NOHUGEPAGE);
}

FIXTURE_TEARDOWN(mm)
{
	close(self->uffd);
	munmap(self->map, SIZE);
	close(self->fd);
	close(self->dev);
	tfs_msg_exit(&self->m);
	TFS_TEARDOWN();
}

/* Of a file with entries of DAX, clean and dirty, nothing is in the cache. */
TEST_F(mm, I4_cachestat)
{
	struct cachestat_range range = {};
	struct cachestat cs;
	int i;

	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, load_byte(self->map + i * PAGE));
	tfs_dirty(self->map + PMD);
	memset(&cs, 0xff, sizeof(cs));
	if (syscall(__NR_cachestat, self->fd, &range, &cs, 0)) {
		if (errno == ENOSYS)
			SKIP(return, "need CONFIG_CACHESTAT_SYSCALL");
		ASSERT_EQ(0, errno);
	}
	EXPECT_EQ(0, cs.nr_cache);
	EXPECT_EQ(0, cs.nr_dirty);
	EXPECT_EQ(0, cs.nr_writeback);
	EXPECT_EQ(0, cs.nr_evicted);
	EXPECT_EQ(0, cs.nr_recently_evicted);
}

/* Writes to a mapping can be tracked from now on; returns 0 or an error. */
static int watch(int uffd, char *map)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_ASYNC |
			    UFFD_FEATURE_WP_UNPOPULATED,
	};
	struct uffdio_register reg = {
		.range = { (unsigned long)map, SIZE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	if (ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &reg))
		return -errno;
	return 0;
}

/* Marks the pages of a mapping; returns 0 or an error. */
static int mark(int uffd, char *map)
{
	struct uffdio_writeprotect wp = {
		.range = { (unsigned long)map, SIZE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int err = watch(uffd, map);

	if (!err && ioctl(uffd, UFFDIO_WRITEPROTECT, &wp))
		err = -errno;
	return err;
}

/*
 * How much of this, from its start on, has been written to since it was marked?
 * Marks that if so told.  Returns bytes.
 */
static size_t scan(char *start, size_t len, bool marks)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = marks ? PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC :
				 0,
		.start = (unsigned long)start,
		.end = (unsigned long)start + len,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	struct page_region region;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), n;

	arg.vec = (unsigned long)&region;
	arg.vec_len = 1;
	n = ioctl(fd, PAGEMAP_SCAN, &arg);
	close(fd);
	return n == 1 && region.start == arg.start ?
	       region.end - region.start : 0;
}

/* Has the page been written to since it was marked? */
static bool written(char *page)
{
	return scan(page, PAGE, false) == PAGE;
}

/*
 * Whoever hangs is ended by SIGALRM.  A page that was read stays marked, one
 * that was written to does not.
 */
static int use_marked(char *map)
{
	alarm(10);
	if (load_byte(map) || load_byte(map + PMD + PAGE))
		return 1;
	if (written(map) || written(map + PMD + PAGE))
		return 2;
	if (store_byte(map + PAGE, 'w') || store_byte(map + PMD, 'x'))
		return 3;
	if (!written(map + PAGE) || !written(map + PMD))
		return 4;
	/* One that was read may be written to, and reverse. */
	if (store_byte(map, 'r') || !written(map))
		return 5;
	alarm(0);
	return map[PAGE] != 'w' || map[PMD] != 'x' || map[0] != 'r' ? 6 : 0;
}

/* Reads everything, or writes to it, before it is marked. */
static void touch(char *map, bool write)
{
	size_t i;

	for (i = 0; i < SIZE; i += PAGE) {
		if (write)
			tfs_dirty(map + i);
		else
			load_byte(map + i);
	}
}

TEST_F(mm, I5_marked_pages_that_were_never_mapped)
{
	if (self->uffd < 0)
		SKIP(return, "need CONFIG_USERFAULTFD");
	ASSERT_EQ(0, mark(self->uffd, self->map));
	EXPECT_EQ(0, use_marked(self->map));
}

TEST_F(mm, I5_marked_pages_that_the_user_drops)
{
	if (self->uffd < 0)
		SKIP(return, "need CONFIG_USERFAULTFD");
	touch(self->map, false);
	ASSERT_EQ(0, mark(self->uffd, self->map));
	ASSERT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	EXPECT_EQ(0, use_marked(self->map));
}

TEST_F(mm, I5_marked_pages_of_a_file_that_gets_another_map)
{
	struct tfs_msg other;

	if (self->uffd < 0)
		SKIP(return, "need CONFIG_USERFAULTFD");
	tfs_msg_simple(&other, SIZE, 0, 4 * PMD, SIZE);
	touch(self->map, !variant->private);
	ASSERT_EQ(0, mark(self->uffd, self->map));
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &other));
	EXPECT_EQ(0, use_marked(self->map));
	tfs_msg_exit(&other);
}

TEST_F(mm, I5_marked_pages_of_a_file_that_loses_its_map)
{
	char c;

	if (self->uffd < 0)
		SKIP(return, "need CONFIG_USERFAULTFD");
	touch(self->map, !variant->private);
	ASSERT_EQ(0, mark(self->uffd, self->map));
	ASSERT_EQ(0, tfs_revoke(self->dev, 0));
	EXPECT_EQ(SIGBUS, load_byte(self->map));
	EXPECT_EQ(SIGBUS, store_byte(self->map + PMD, 'x'));
	/* Reading asks for the map again. */
	EXPECT_EQ(1, pread(self->fd, &c, 1, 0));
	EXPECT_EQ(0, use_marked(self->map));
}

/* The marks are left when nobody listens to them any more. */
TEST_F(mm, I5_marks_that_are_left_over)
{
	if (self->uffd < 0)
		SKIP(return, "need CONFIG_USERFAULTFD");
	touch(self->map, false);
	ASSERT_EQ(0, mark(self->uffd, self->map));
	ASSERT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	close(self->uffd);
	self->uffd = -1;
	alarm(10);
	EXPECT_EQ(0, load_byte(self->map));
	EXPECT_EQ(0, store_byte(self->map + PMD, 'x'));
	alarm(0);
}

static bool stop_faults;

static void *fault_again(void *arg)
{
	char *map = arg;

	while (!__atomic_load_n(&stop_faults, __ATOMIC_SEQ_CST)) {
		tfs_dirty(map);
		tfs_dirty(map + PMD);
		madvise(map, SIZE, MADV_DONTNEED);
	}
	return NULL;
}

/* Page tables and marks appear where a page is about to be mapped. */
TEST_F(mm, I5_pages_that_are_marked_while_they_fault)
{
	pthread_t thread;
	int i;

	if (self->uffd < 0)
		SKIP(return, "need CONFIG_USERFAULTFD");
	ASSERT_EQ(0, mark(self->uffd, self->map));
	ASSERT_EQ(0, pthread_create(&thread, NULL, fault_again, self->map));
	for (i = 0; i < 300; i++) {
		struct uffdio_writeprotect wp = {
			.range = { (unsigned long)self->map, SIZE },
			.mode = UFFDIO_WRITEPROTECT_MODE_WP,
		};

		EXPECT_EQ(0, ioctl(self->uffd, UFFDIO_WRITEPROTECT, &wp));
	}
	__atomic_store_n(&stop_faults, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
}

/* Pages that are mapped when they are marked. */
TEST_F(mm, I5_marked_pages_that_are_mapped)
{
	if (self->uffd < 0)
		SKIP(return, "need CONFIG_USERFAULTFD");
	touch(self->map, true);
	ASSERT_EQ(0, mark(self->uffd, self->map));
	EXPECT_FALSE(written(self->map));
	EXPECT_EQ(0, store_byte(self->map, 'x'));
	EXPECT_TRUE(written(self->map));
}

/* Marking by a scan leaves huge pages as they are. */
TEST_F(mm, I5_mapped_pages_that_a_scan_marks)
{
	if (self->uffd < 0)
		SKIP(return, "need CONFIG_USERFAULTFD");
	ASSERT_EQ(0, watch(self->uffd, self->map));
	touch(self->map, false);
	/* All that is not marked counts as written to. */
	ASSERT_EQ(SIZE, scan(self->map, SIZE, true));
	EXPECT_EQ(0, use_marked(self->map));
	/* Once more, when they can be written to. */
	ASSERT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	touch(self->map, true);
	ASSERT_EQ(SIZE, scan(self->map, SIZE, true));
	EXPECT_FALSE(written(self->map + PMD));
	EXPECT_EQ(0, store_byte(self->map + PMD, 'y'));
	EXPECT_TRUE(written(self->map + PMD));
}

/* A second thread, which writes to the same pages at the same time */
struct twin {
	pthread_barrier_t barrier;
	pthread_t thread;
	char *map;
};

#define ROUNDS	25

static void write_all(struct twin *twin)
{
	size_t i;

	pthread_barrier_wait(&twin->barrier);
	/* Who is behind meets no faults, until they are side by side. */
	for (i = 0; i < PMD; i += PAGE)
		tfs_dirty(twin->map + i);
	pthread_barrier_wait(&twin->barrier);
}

static void *twin_write(void *arg)
{
	int i;

	for (i = 0; i < ROUNDS; i++)
		write_all(arg);
	return NULL;
}

static int start_twin(struct twin *twin, char *map)
{
	twin->map = map;
	pthread_barrier_init(&twin->barrier, NULL, 2);
	return pthread_create(&twin->thread, NULL, twin_write, twin);
}

TEST_F(mm, I5_marked_pages_that_two_write_to)
{
	struct uffdio_writeprotect wp = {
		.range = { (unsigned long)self->map, PMD },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	struct twin twin;
	int i, lost = 0;

	if (self->uffd < 0)
		SKIP(return, "need CONFIG_USERFAULTFD");
	ASSERT_EQ(0, mark(self->uffd, self->map));
	ASSERT_EQ(0, start_twin(&twin, self->map));
	for (i = 0; i < ROUNDS; i++) {
		madvise(self->map, PMD, MADV_DONTNEED);
		ioctl(self->uffd, UFFDIO_WRITEPROTECT, &wp);
		write_all(&twin);
		lost += scan(self->map, PMD, false) != PMD;
	}
	pthread_join(twin.thread, NULL);
	EXPECT_EQ(0, lost);
}

/* The same with pages that are mapped, or one huge one. */
TEST_F(mm, I5_scanned_pages_that_two_write_to)
{
	struct twin twin;
	int i, lost = 0;

	if (self->uffd < 0)
		SKIP(return, "need CONFIG_USERFAULTFD");
	ASSERT_EQ(0, watch(self->uffd, self->map));
	ASSERT_EQ(0, start_twin(&twin, self->map));
	for (i = 0; i < ROUNDS; i++) {
		madvise(self->map, PMD, MADV_DONTNEED);
		load_byte(self->map);
		scan(self->map, PMD, true);
		write_all(&twin);
		lost += scan(self->map, PMD, false) != PMD;
	}
	pthread_join(twin.thread, NULL);
	EXPECT_EQ(0, lost);
}

TEST_HARNESS_MAIN
