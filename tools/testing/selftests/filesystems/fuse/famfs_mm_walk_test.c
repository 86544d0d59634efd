// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own walkers of page tables on mappings of mapped files: ageing of
 * pages, watching of accesses, tracking of writes.
 *
 * What is easily wrong here: a walker that takes a page of the device for one
 * that it may reclaim, or for a page at all; an entry that is made read-only to
 * track writes and becomes writable past the code that knows what is dirty.
 */
#include <sys/ioctl.h>
#include <linux/fs.h>

#include "tfs_jobs.h"
#include "tfs_two_sizes.h"

#define SOFT_DIRTY	0x0080000000000000ULL
#define FILE_PAGE	0x2000000000000000ULL
#define PRESENT		0x8000000000000000ULL
#define PFN(entry)	((entry) & (SOFT_DIRTY - 1))

FIXTURE(mm_walk)
{
	TWO_SIZES_FIELDS;
};

FIXTURE_SETUP(mm_walk)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	TWO_SIZES_SETUP();
}

FIXTURE_TEARDOWN(mm_walk)
{
	TWO_SIZES_TEARDOWN();
}

/* What the page table has for an address. */
static __u64 entry_of(const char *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	__u64 entry = 0;

	if (pread(fd, &entry, 8, (unsigned long)p / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return entry;
}

/* Walks page tables for accessed bits, in every generation there is. */
static int age_generations(void)
{
	const char *path = "/sys/kernel/debug/lru_gen";
	FILE *f = fopen(path, "re");
	char line[256], order[128];
	unsigned long id = 0, seq = 0;
	int node = 0, aged = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " memcg %lu", &id) == 1 ||
		    sscanf(line, " node %d", &node) == 1 ||
		    sscanf(line, " %lu", &seq) != 1)
			continue;
		/* A number that is not the youngest is refused. */
		snprintf(order, sizeof(order), "+ %lu %d %lu 1 1", id, node,
			 seq);
		aged += !tfs_write_text(path, order);
	}
	if (f)
		fclose(f);
	return f ? aged : -ENOENT;
}

TEST_F(mm_walk, I8_generations_of_pages_and_dropped_caches)
{
	int i, aged;

	for (i = 0; i < 3; i++) {
		tfs_dirty(self->map);
		aged = age_generations();
		if (aged == -ENOENT)
			SKIP(return, "need CONFIG_LRU_GEN and debugfs");
		EXPECT_LT(0, aged);
		EXPECT_EQ(0, tfs_drop_caches());
		EXPECT_EQ(PRESENT, entry_of(self->map) & PRESENT);
	}
}

TEST_F(mm_walk, I8_idle_pages_are_not_tracked)
{
	int fd = open("/sys/kernel/mm/page_idle/bitmap", O_RDWR | O_CLOEXEC);
	__u64 entry = entry_of(self->map), idle = ~0ULL;
	off_t at = PFN(entry) / 64 * 8;

	if (fd < 0)
		SKIP(return, "need CONFIG_IDLE_PAGE_TRACKING");
	EXPECT_EQ(PRESENT | FILE_PAGE, entry & (PRESENT | FILE_PAGE));
	/* Beyond the memory that the kernel manages there is no bit at all. */
	if (pwrite(fd, &idle, 8, at) == 8) {
		EXPECT_EQ(8, pread(fd, &idle, 8, at));
		EXPECT_EQ(0, idle);
	} else {
		EXPECT_EQ(ENXIO, errno);
	}
	close(fd);
}

#define MONITORS	"/sys/kernel/mm/damon/admin/kdamonds"

/* Writes to the file of this name in the folder of monitors. */
static int monitor(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), MONITORS "%s", name);
	return tfs_write_text(path, text);
}

#define CONTEXT "/0/contexts/0"

static int monitor_start(pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", pid);
	return monitor("/nr_kdamonds", "1") ||
	       monitor("/0/contexts/nr_contexts", "1") ||
	       monitor(CONTEXT "/operations", "vaddr") ||
	       monitor(CONTEXT "/monitoring_attrs/intervals/sample_us", "1000") ||
	       monitor(CONTEXT "/monitoring_attrs/intervals/aggr_us", "5000") ||
	       monitor(CONTEXT "/targets/nr_targets", "1") ||
	       monitor(CONTEXT "/targets/0/pid_target", text) ||
	       monitor("/0/state", "on");
}

/* Accesses are watched by clearing bits in the page table, and faults go on. */
TEST_F(mm_walk, I8_monitored_accesses)
{
	int i;

	if (access(MONITORS, F_OK))
		SKIP(return, "need CONFIG_DAMON_SYSFS");
	ASSERT_EQ(0, monitor_start(getpid()));
	for (i = 0; i < 100; i++) {
		tfs_dirty(self->map + i * PAGE);
		tfs_dirty(self->small + i * PAGE);
		usleep(1000);
	}
	EXPECT_EQ(0, monitor("/0/state", "off"));
	EXPECT_EQ(0, monitor("/nr_kdamonds", "0"));
}

/* ---- tracking of writes ------------------------------------------------ */

#define EXPECT_SOFT(yes, p)						\
	EXPECT_EQ((yes) ? SOFT_DIRTY : 0, entry_of(p) & SOFT_DIRTY)

TEST_F(mm_walk, I5_writes_are_tracked)
{
	if (!(entry_of(self->small + 3 * PAGE) & SOFT_DIRTY))
		SKIP(return, "need CONFIG_MEM_SOFT_DIRTY");
	EXPECT_EQ(0, tfs_write_text("/proc/self/clear_refs", "4"));
	EXPECT_SOFT(0, self->small + 3 * PAGE);
	EXPECT_SOFT(0, self->map);
	/* Reading is no writing. */
	EXPECT_EQ(8, tfs_mismatch(&self->m, 0, self->map, 8));
	EXPECT_SOFT(0, self->map);
	tfs_dirty(self->map + PAGE);
	EXPECT_SOFT(1, self->map);
	tfs_dirty(self->small + 3 * PAGE);
	EXPECT_SOFT(1, self->small + 3 * PAGE);
	EXPECT_SOFT(0, self->small + PMD);
	EXPECT_EQ(0, msync(self->map, SIZE, MS_SYNC));
}

TEST_F(mm_walk, I5_scan_finds_pages_of_a_file)
{
	struct page_region r[8];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = (unsigned long)self->map,
		.end = (unsigned long)self->map + SIZE,
		.vec = (unsigned long)r,
		.vec_len = 8,
		.category_mask = PAGE_IS_FILE | PAGE_IS_PRESENT,
		.return_mask = PAGE_IS_FILE | PAGE_IS_PRESENT | PAGE_IS_HUGE |
			       PAGE_IS_SWAPPED | PAGE_IS_PFNZERO,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	ASSERT_GE(fd, 0);
	EXPECT_EQ(2, ioctl(fd, PAGEMAP_SCAN, &arg));
	EXPECT_EQ(PMD, r[0].end - r[0].start);
	EXPECT_EQ(PAGE_IS_FILE | PAGE_IS_PRESENT | PAGE_IS_HUGE,
		  r[0].categories);
	EXPECT_EQ(PAGE, r[1].end - r[1].start);
	EXPECT_EQ(PAGE_IS_FILE | PAGE_IS_PRESENT, r[1].categories);
	close(fd);
}

TEST_HARNESS_MAIN
