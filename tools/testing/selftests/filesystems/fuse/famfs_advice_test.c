// SPDX-License-Identifier: GPL-2.0
/*
 * What users ask of mappings of mapped files: merging, other nodes, guards, and
 * what they are told of them.
 *
 * What is easily wrong here: a page of the device that is taken for one that
 * may be merged, moved or reclaimed; marks in page tables that a later fault
 * takes for pages.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <linux/mempolicy.h>

#include "tfs_jobs.h"
#include "tfs_two_sizes.h"

#define PRESENT	0x8000000000000000ULL

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE	67
#endif

FIXTURE(advice)
{
	TWO_SIZES_FIELDS;
};

FIXTURE_SETUP(advice)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	TWO_SIZES_SETUP();
}

FIXTURE_TEARDOWN(advice)
{
	TWO_SIZES_TEARDOWN();
}

/* The line of /proc/self/smaps of this name, of the mapping at an address. */
static int smaps_line(const char *map, const char *name, char *line,
		      size_t room)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	bool here = false;
	unsigned long at;
	int found = 0;

	while (f && !found && fgets(line, room, f)) {
		if (sscanf(line, "%lx-", &at) == 1 && strchr(line, '-'))
			here = at == (unsigned long)map;
		found = here && !strncmp(line, name, strlen(name));
	}
	if (f)
		fclose(f);
	return found ? 0 : -ENOENT;
}

static long smaps_kib(const char *map, const char *name)
{
	char line[512];
	long kib;

	if (smaps_line(map, name, line, sizeof(line)) ||
	    sscanf(line + strlen(name), " %ld kB", &kib) != 1)
		return -1;
	return kib;
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

TEST_F(advice, I5_smaps_count_pages_of_both_sizes)
{
	EXPECT_EQ((PMD + PAGE) / 1024, smaps_kib(self->map, "Rss:"));
	/* One that was written to, and all behind the huge page by one read. */
	EXPECT_EQ(9 * PAGE / 1024, smaps_kib(self->small, "Rss:"));
	EXPECT_EQ(0, smaps_kib(self->small, "Anonymous:"));
}

TEST_F(advice, I5_mincore_tells_what_is_mapped)
{
	unsigned char vec[SIZE / PAGE];
	int i, n = 0;

	EXPECT_EQ(0, mincore(self->small, SIZE, vec));
	for (i = 0; i < (int)(SIZE / PAGE); i++)
		n += vec[i] & 1;
	EXPECT_EQ(9, n);
	EXPECT_EQ(1, vec[3]);
	/* Of a huge page all are. */
	EXPECT_EQ(0, mincore(self->map, SIZE, vec));
	for (n = 0, i = 0; i < (int)(PMD / PAGE); i++)
		n += vec[i] & 1;
	EXPECT_EQ(PMD / PAGE, n);
	/* The file keeps the entry; the process has not got it any more. */
	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	EXPECT_EQ(0, mincore(self->map, SIZE, vec));
	EXPECT_EQ(0, vec[0] & 1);
}

/* ---- mapping ahead ----------------------------------------------------- */

TEST_F(advice, I5_willneed_maps_what_is_there)
{
	struct stat before, after;

	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	EXPECT_EQ(0, smaps_kib(self->map, "Rss:"));
	EXPECT_EQ(0, fstat(self->fd, &before));
	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_WILLNEED));
	EXPECT_EQ(0, madvise(self->small + PAGE, 5 * PAGE, MADV_WILLNEED));
	EXPECT_EQ(SIZE / 1024, smaps_kib(self->map, "Rss:"));
	/* Those that a read maps behind its own, and eight from before. */
	EXPECT_EQ((15 + 8) * PAGE / 1024, smaps_kib(self->small, "Rss:"));
	/* Nobody has written. */
	EXPECT_EQ(0, fstat(self->fd, &after));
	EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

/* What cannot be mapped is left out, and the advice is no error. */
TEST_F(advice, I5_willneed_past_what_there_is)
{
	size_t len = 2 * PMD, gap = PMD + 4 * PAGE;
	char *none = mmap(NULL, SIZE, PROT_NONE, MAP_SHARED, self->fd, 0);
	char *longer = mmap(NULL, len, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, none);
	ASSERT_NE(MAP_FAILED, longer);
	EXPECT_EQ(0, madvise(none, SIZE, MADV_WILLNEED));
	EXPECT_EQ(0, smaps_kib(none, "Rss:"));
	EXPECT_EQ(0, madvise(longer, len, MADV_WILLNEED));
	EXPECT_EQ(SIZE / 1024, smaps_kib(longer, "Rss:"));
	/* Nor does a gap keep it from what follows. */
	EXPECT_EQ(0, madvise(longer, len, MADV_DONTNEED));
	EXPECT_EQ(0, munmap(longer + gap, PAGE));
	EXPECT_EQ(-1, madvise(longer, len, MADV_WILLNEED));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(PRESENT, entry_of(longer + gap + PAGE) & PRESENT);
	munmap(longer, len);
	munmap(none, SIZE);
}

static void on_alarm(int signal)
{
}

/* Many mappings of small pages, one behind the other. */
TEST_F(advice, I5_willneed_ends_with_a_signal)
{
	/* Again and again: the first one may come before the advice. */
	const struct itimerval often = { .it_value.tv_usec = 1000,
					 .it_interval.tv_usec = 1000 };
	const struct itimerval never = {};
	size_t len = 256 * SIZE, i;
	char *room = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	ASSERT_NE(MAP_FAILED, room);
	for (i = 0; i < len; i += SIZE)
		ASSERT_NE(MAP_FAILED,
			  mmap(room + i, SIZE, PROT_READ,
			       MAP_SHARED | MAP_FIXED, self->fd, 0));
	ASSERT_EQ(0, madvise(room, len, MADV_NOHUGEPAGE));
	signal(SIGALRM, on_alarm);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	EXPECT_EQ(0, madvise(room, len, MADV_WILLNEED));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	EXPECT_EQ(0, entry_of(room + len - PAGE) & PRESENT);
	/* What it is for, with no signal. */
	EXPECT_EQ(0, madvise(room + len - SIZE, SIZE, MADV_WILLNEED));
	EXPECT_EQ(PRESENT, entry_of(room + len - PAGE) & PRESENT);
	munmap(room, len);
}

/* ---- merging ----------------------------------------------------------- */

static bool mergeable(const char *map)
{
	char line[512];

	return !smaps_line(map, "VmFlags:", line, sizeof(line)) &&
	       strstr(line, " mg");
}

TEST_F(advice, I5_ksm_keeps_away)
{
	char *private = mmap(NULL, PMD, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			     self->fd, 0);

	ASSERT_NE(MAP_FAILED, private);
	if (madvise(self->map, SIZE, MADV_MERGEABLE) && errno == EINVAL)
		SKIP(return, "need CONFIG_KSM");
	EXPECT_FALSE(mergeable(self->map));
	/* Private copies are anonymous pages, of a file that has no others. */
	memset(private, 'k', 16 * PAGE);
	EXPECT_EQ(0, madvise(private, PMD, MADV_MERGEABLE));
	EXPECT_FALSE(mergeable(private));
	EXPECT_EQ(0, prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0));
	EXPECT_FALSE(mergeable(self->map));
	EXPECT_FALSE(mergeable(private));
	EXPECT_EQ(0, prctl(PR_SET_MEMORY_MERGE, 0, 0, 0, 0));
	munmap(private, PMD);
}

/* ---- nodes ------------------------------------------------------------- */

/* To the first node, which has all the other memory. */
static int mbind(const struct iovec *at, int mode, int flags)
{
	unsigned long nodes = 1;

	return syscall(SYS_mbind, at->iov_base, at->iov_len, mode, &nodes, 64,
		       flags) ? -errno : 0;
}

TEST_F(advice, I5_policies_of_memory_move_nothing)
{
	unsigned long nodes = 1;
	__u64 before = entry_of(self->map);
	struct iovec both[] = { { self->map, SIZE }, { self->small, SIZE } };
	int i;

	for (i = 0; i < 2; i++) {
		if (mbind(&both[i], MPOL_BIND, MPOL_MF_STRICT) == -ENOSYS)
			SKIP(return, "need CONFIG_NUMA");
		EXPECT_EQ(0, mbind(&both[i], MPOL_BIND, MPOL_MF_MOVE_ALL));
		EXPECT_EQ(0, mbind(&both[i], MPOL_INTERLEAVE,
				   MPOL_MF_MOVE | MPOL_MF_STRICT));
	}
	if (syscall(SYS_migrate_pages, 0, 64, &nodes, &nodes) &&
	    errno == ENOSYS)
		SKIP(return, "need CONFIG_NUMA_MIGRATION");
	EXPECT_EQ(before, entry_of(self->map));
}

TEST_F(advice, I5_pages_are_not_moved)
{
	void *pages[] = { self->map, self->map + PMD + PAGE,
			  self->small + 3 * PAGE, self->small };
	int nodes[4] = { 0 }, status[4] = { 1, 1, 1, 1 }, i;

	if (syscall(SYS_move_pages, 0, 4, pages, nodes, status, 0) < 0 &&
	    errno == ENOSYS)
		SKIP(return, "need CONFIG_NUMA_MIGRATION");
	/* Neither one that is there, nor one that is not. */
	for (i = 0; i < 4; i++)
		EXPECT_GT(0, status[i]);
	EXPECT_EQ(0, syscall(SYS_move_pages, 0, 4, pages, NULL, status, 0));
	for (i = 0; i < 4; i++)
		EXPECT_GT(0, status[i]);
}

/* ---- other processes --------------------------------------------------- */

TEST_F(advice, I8_advice_from_another_process)
{
	static const int advice[] = {
		MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_COLLAPSE,
	};
	struct iovec both[] = { { self->map, SIZE }, { self->small, SIZE } };
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	int status = -1;
	pid_t pid;
	size_t i;

	ASSERT_GE(pidfd, 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		/* Whether taken or refused, but each is known. */
		for (i = 0; i < ARRAY_SIZE(advice); i++)
			if (syscall(SYS_process_madvise, pidfd, both, 2,
				    advice[i], 0) < 0 && errno == ENOSYS)
				_exit(1);
		_exit(0);
	}
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* Cold or not, a page of the device is not given up. */
	EXPECT_EQ(PRESENT, entry_of(self->map) & PRESENT);
	close(pidfd);
}

/* ---- guards ------------------------------------------------------------ */

/* The signal that touching an address brings, or 0. */
static int touch(char *p)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		tfs_dirty(p);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

TEST_F(advice, I5_guards)
{
	struct iovec both[] = { { self->map, SIZE }, { self->small, SIZE } };
	int i;

	for (i = 0; i < 2; i++) {
		char *p = (char *)both[i].iov_base + 7 * PAGE;

		if (madvise(p, 2 * PAGE, MADV_GUARD_INSTALL)) {
			EXPECT_EQ(EINVAL, errno);
			SKIP(return, "need guards in mappings of files");
		}
		EXPECT_EQ(SIGSEGV, touch(p));
		EXPECT_EQ(SIGSEGV, touch(p + PAGE));
		EXPECT_EQ(0, touch(p - PAGE));
		EXPECT_EQ(0, touch(p + 2 * PAGE));
		/* They outlive the pages about them. */
		EXPECT_EQ(0, madvise(both[i].iov_base, PMD, MADV_DONTNEED));
		EXPECT_EQ(SIGSEGV, touch(p));
		EXPECT_EQ(0, touch(p - PAGE));
		EXPECT_EQ(0, madvise(p, 2 * PAGE, MADV_GUARD_REMOVE));
		EXPECT_EQ(0, touch(p));
	}
}

/* Memory of one process, read and written by another. */
TEST_F(advice, I4_access_to_the_memory_of_a_process)
{
	char word[8], *at = self->small + 5 * PAGE;
	struct iovec here = { word, 8 }, there = { at, 8 };
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid) {
		pause();
		_exit(0);
	}
	EXPECT_EQ(8, process_vm_readv(pid, &here, 1, &there, 1, 0));
	EXPECT_EQ(8, tfs_mismatch(&self->m, 5 * PAGE, word, 8));
	EXPECT_EQ(8, process_vm_writev(pid, &here, 1, &there, 1, 0));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_HARNESS_MAIN
