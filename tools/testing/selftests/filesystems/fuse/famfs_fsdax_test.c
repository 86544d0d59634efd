// SPDX-License-Identifier: GPL-2.0
/*
 * What the series changes in faults of DAX files, on ext4 and xfs: pages that a
 * read fault maps behind its own, MADV_WILLNEED, and memory that fails.
 *
 * FAMFS_PMEM names a block device of persistent memory, as in "/dev/pmem0"; what
 * is on it is lost.
 *
 * What is easily wrong here: a page of a hole, or behind the end of the file; a
 * write that a file system is not told of, since a fault before it has mapped
 * the page; a page that is shared with another file; one that has failed.
 */
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
/* fault_around_bytes, unless somebody has changed it. */
#define AROUND	(16 * PAGE)
/* At most so many huge pages by one fault. */
#define AHEAD	(16 * PMD)
#define SMALL	(64 * PAGE)
#define SIZE	(24 * PMD)

FIXTURE(fsdax)
{
	char dir[64];
	const char *pmem;
	bool mounted, poisoned;
	int fd;				/* of "f", SIZE long */
	char *map;			/* of it, by huge pages */
	char *small;			/* its first pages, by small ones */
};

FIXTURE_VARIANT(fsdax)
{
	const char *name, *mkfs, *options;
};

FIXTURE_VARIANT_ADD(fsdax, ext4)
{
	.name = "ext4",
	.mkfs = "mkfs.ext4 -q -F -b 4096 -E stride=512,stripe_width=512",
	.options = "dax=always",
};

FIXTURE_VARIANT_ADD(fsdax, xfs)
{
	.name = "xfs",
	/* Failures of memory are looked up in its reverse map. */
	.mkfs = "mkfs.xfs -q -f -m rmapbt=1 -l size=64m,su=4k -d su=2m,sw=1,agcount=2",
	.options = "dax=always",
};

static int open_file(const char *dir, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* Each word of the file tells where it is. */
static int fill_file(int fd, size_t len)
{
	char *buf = malloc(MiB);
	int err = 0;
	size_t pos;

	for (pos = 0; buf && !err && pos < len; pos += MiB) {
		pattern_fill(0, pos, buf, MiB);
		if (pwrite(fd, buf, MiB, pos) != (ssize_t)MiB)
			err = -EIO;
	}
	free(buf);
	return err ? err : fsync(fd);
}

/* How many bytes of a mapping are what was written there. */
static size_t matching(const char *map, __u64 pos, size_t len)
{
	struct tfs_msg m;
	size_t n;

	tfs_msg_simple(&m, pos + len, 0, 0, pos + len);
	n = tfs_mismatch(&m, pos, map, len);
	tfs_msg_exit(&m);
	return n;
}

static char *map_small(int fd)
{
	char *map = tfs_map_aligned(fd, SMALL, PROT_READ | PROT_WRITE, AROUND);

	if (map != MAP_FAILED)
		madvise(map, SMALL, MADV_NOHUGEPAGE);
	return map;
}

/* Has a new file system on a device, in a mount namespace of the test's own. */
static const char *mount_new(char *dir, const char *mkfs, const char *dev,
			     const char *type, const char *options)
{
	char command[256];

	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "need a mount namespace";
	snprintf(command, sizeof(command), "%s %s >/dev/null", mkfs, dev);
	if (system(command))
		return "mkfs failed";
	snprintf(dir, 32, "/tmp/famfs_fsdax_XXXXXX");
	if (!mkdtemp(dir) || mount(dev, dir, type, 0, options))
		return "cannot be mounted";
	return NULL;
}

/* A file whose memory huge pages can map, if there is such memory. */
static int make_file(const char *dir, const char *name, size_t len)
{
	int fd = open_file(dir, name);

	if (fd < 0)
		return fd;
	tfs_hint_huge(fd);
	if (!fallocate(fd, 0, 0, len) && !fill_file(fd, len))
		return fd;
	close(fd);
	return -EIO;
}

FIXTURE_SETUP(fsdax)
{
	const char *why;

	self->pmem = getenv("FAMFS_PMEM");
	if (!self->pmem)
		SKIP(return, "need FAMFS_PMEM");
	why = mount_new(self->dir, variant->mkfs, self->pmem, variant->name,
			variant->options);
	if (why)
		SKIP(return, "%s: %s", variant->name, why);
	self->mounted = true;
	self->fd = make_file(self->dir, "f", SIZE);
	ASSERT_LE(0, self->fd);
	self->map = tfs_map_aligned(self->fd, SIZE, PROT_READ | PROT_WRITE,
				    64 * MiB);
	ASSERT_NE(MAP_FAILED, self->map);
	self->small = map_small(self->fd);
	ASSERT_NE(MAP_FAILED, self->small);
}

/* Gives the device fresh struct pages, which ends the failure. */
static int rebind(const char *pmem)
{
	const char *block = strrchr(pmem, '/') + 1;
	char link[128], driver[PATH_MAX], dev[PATH_MAX], path[PATH_MAX + 8];
	int i;

	snprintf(link, sizeof(link), "/sys/block/%s/device", block);
	if (!realpath(link, dev))
		return -errno;
	strcat(link, "/driver");
	if (!realpath(link, driver))
		return -errno;
	snprintf(path, sizeof(path), "%s/unbind", driver);
	if (tfs_write_text(path, strrchr(dev, '/') + 1))
		return -EIO;
	snprintf(path, sizeof(path), "%s/bind", driver);
	if (tfs_write_text(path, strrchr(dev, '/') + 1))
		return -EIO;
	for (i = 0; access(pmem, W_OK) && i < 100; i++)
		usleep(10000);
	return access(pmem, W_OK);
}

FIXTURE_TEARDOWN(fsdax)
{
	if (!self->mounted)
		return;
	munmap(self->map, SIZE);
	munmap(self->small, SMALL);
	close(self->fd);
	EXPECT_EQ(0, umount2(self->dir, 0));
	rmdir(self->dir);
	if (self->poisoned)
		EXPECT_EQ(0, rebind(self->pmem));
}

TEST_F(fsdax, I5_reads_in_order_map_more_than_they_touch)
{
	tfs_load(self->small);
	EXPECT_EQ(PAGE, tfs_mapped(self->small, SMALL, 0));
	tfs_load(self->small + PAGE);
	EXPECT_EQ(AROUND, tfs_mapped(self->small, SMALL, 0));
	tfs_load(self->small + 40 * PAGE);
	EXPECT_EQ(AROUND + PAGE, tfs_mapped(self->small, SMALL, 0));
	EXPECT_EQ(SMALL, matching(self->small, 0, SMALL));
}

TEST_F(fsdax, I5_huge_reads_in_order_map_more_than_they_touch)
{
	tfs_load(self->map);
	if (tfs_mapped(self->map, SIZE, PAGE_IS_HUGE) != PMD)
		SKIP(return, "no huge pages in the file");
	tfs_load(self->map + PMD);
	EXPECT_EQ(PMD + AHEAD, tfs_mapped(self->map, SIZE, PAGE_IS_HUGE));
	EXPECT_EQ(SIZE, matching(self->map, 0, SIZE));
}

/* The first write to each is noticed: the file system has to know of it. */
TEST_F(fsdax, I5_pages_around_are_not_written)
{
	struct stat before, after;

	tfs_load(self->small);
	tfs_load(self->small + PAGE);
	ASSERT_EQ(AROUND, tfs_mapped(self->small, SMALL, 0));
	tfs_store_faults(self->small + 3 * PAGE);
	ASSERT_EQ(0, fstat(self->fd, &before));
	usleep(30000);
	EXPECT_EQ(1, tfs_store_faults(self->small + 2 * PAGE));
	ASSERT_EQ(0, fstat(self->fd, &after));
	EXPECT_TRUE(before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
		    before.st_mtim.tv_nsec != after.st_mtim.tv_nsec);
	EXPECT_EQ(0, fsync(self->fd));
	/* After that as before. */
	EXPECT_EQ(1, tfs_store_faults(self->small + 2 * PAGE));
}

TEST_F(fsdax, I5_pages_around_end_where_nothing_was_written)
{
	ASSERT_EQ(0, fallocate(self->fd,
			       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       6 * PAGE, 4 * PAGE));
	/* Two pages are allocated, and behind them is a hole. */
	ASSERT_EQ(0, fallocate(self->fd, 0, 6 * PAGE, 2 * PAGE));
	tfs_load(self->small);
	tfs_load(self->small + PAGE);
	EXPECT_EQ(6 * PAGE, tfs_mapped(self->small, SMALL, 0));
	tfs_load(self->small + 6 * PAGE);
	EXPECT_EQ(7 * PAGE, tfs_mapped(self->small, SMALL, 0));
	EXPECT_EQ(0, self->small[7 * PAGE + 1]);
	EXPECT_EQ(0, self->small[9 * PAGE + 1]);
	/* A page of zeros precedes nothing. */
	tfs_load(self->small + 10 * PAGE);
	EXPECT_EQ(10 * PAGE, tfs_mapped(self->small, SMALL, 0));
	tfs_dirty(self->small + 7 * PAGE);
	EXPECT_EQ(0, self->small[7 * PAGE + 1]);
	EXPECT_EQ(SMALL - 10 * PAGE,
		  matching(self->small + 10 * PAGE, 10 * PAGE,
			   SMALL - 10 * PAGE));
}

TEST_F(fsdax, I5_pages_around_go_with_the_end_of_the_file)
{
	tfs_load(self->small);
	tfs_load(self->small + PAGE);
	tfs_load(self->map + PMD);
	tfs_load(self->map + 2 * PMD);
	ASSERT_EQ(0, ftruncate(self->fd, 3 * PAGE));
	EXPECT_GE(3 * PAGE, tfs_mapped(self->small, SMALL, 0));
	EXPECT_EQ(SIGBUS, load_byte(self->small + 3 * PAGE));
	EXPECT_EQ(SIGBUS, load_byte(self->map + 2 * PMD));
	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
	EXPECT_EQ(3 * PAGE, matching(self->small, 0, SMALL));
	EXPECT_EQ(0, self->small[3 * PAGE]);
	EXPECT_EQ(0, self->map[2 * PMD + 8]);
}

/* What another file has as well is not written by way of this one. */
TEST_F(fsdax, I5_pages_around_of_a_clone)
{
	int clone = open_file(self->dir, "clone");
	char *map;

	ASSERT_LE(0, clone);
	if (ioctl(clone, FICLONE, self->fd))
		SKIP(close(clone); return, "no clones of files");
	map = map_small(clone);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(SMALL, matching(map, 0, SMALL));
	EXPECT_EQ(SMALL, matching(self->small, 0, SMALL));
	memset(map + 3 * PAGE, 'w', 2 * PAGE);
	EXPECT_EQ(SMALL, matching(self->small, 0, SMALL));
	self->small[9 * PAGE] = 'x';
	EXPECT_EQ(3 * PAGE, matching(map, 0, SMALL));
	EXPECT_EQ(SMALL - 5 * PAGE,
		  matching(map + 5 * PAGE, 5 * PAGE, SMALL - 5 * PAGE));
	munmap(map, SMALL);
	close(clone);
}

/* The entry of a fault is locked, which msync() is to wait for. */
TEST_F(fsdax, I6_msync_beside_faults_of_others)
{
	EXPECT_EQ(0, tfs_msyncs_lost(self->map, self->small + 8 * PAGE, 1000));
}

TEST_F(fsdax, I5_willneed_maps_what_is_there)
{
	struct stat before, after;

	EXPECT_EQ(0, fstat(self->fd, &before));
	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_WILLNEED));
	EXPECT_EQ(SIZE, tfs_mapped(self->map, SIZE, 0));
	EXPECT_EQ(0, madvise(self->small + PAGE, 5 * PAGE, MADV_WILLNEED));
	EXPECT_LE(5 * PAGE, tfs_mapped(self->small, SMALL, 0));
	EXPECT_EQ(0, fstat(self->fd, &after));
	EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	EXPECT_EQ(SIZE, matching(self->map, 0, SIZE));
}

/* ---- memory failure ---------------------------------------------------- */

#define BAD	(9 * PAGE)

/* Maps the page of the failure, and waits for what comes of it. */
static int wait_for_failure(int fd, int ready)
{
	char *map = map_small(fd);
	sigset_t bus;
	siginfo_t info;
	struct timespec soon = { .tv_sec = 10 };

	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	if (prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) ||
	    sigprocmask(SIG_BLOCK, &bus, NULL))
		return 1;
	tfs_load(map + BAD);
	if (write(ready, "r", 1) != 1)
		return 2;
	if (sigtimedwait(&bus, &info, &soon) != SIGBUS)
		return 3;
	return info.si_addr == map + BAD ? 0 : 4;
}

TEST_F(fsdax, X1_memory_fails_under_a_mapping)
{
	const char *why = tfs_fail_init();
	int status = -1, ready[2];
	__u64 frame;
	pid_t pid;
	char c;

	if (why)
		SKIP(return, "%s", why);
	tfs_load(self->small + BAD);
	frame = tfs_frame_of(self->small + BAD);
	EXPECT_EQ(0, madvise(self->small, SMALL, MADV_DONTNEED));
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	if (!pid)
		_exit(wait_for_failure(self->fd, ready[1]));
	ASSERT_EQ(1, read(ready[0], &c, 1));
	self->poisoned = true;
	EXPECT_EQ(0, tfs_fail_frame(frame));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* Nor is it mapped for those who come near it. */
	tfs_load(self->small);
	tfs_load(self->small + PAGE);
	EXPECT_EQ(BAD, tfs_mapped(self->small, SMALL, 0));
	EXPECT_EQ(BAD, matching(self->small, 0, BAD));
	EXPECT_EQ(SMALL - BAD - PAGE,
		  matching(self->small + BAD + PAGE, BAD + PAGE,
			   SMALL - BAD - PAGE));
}

TEST_HARNESS_MAIN
