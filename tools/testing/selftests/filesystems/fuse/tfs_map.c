// SPDX-License-Identifier: GPL-2.0
/* Mappings of files: where they are, what is mapped of them, by which pages. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tfs_env.h"

/*
 * Maps the start of a file, shared, at an address that is a multiple of @align.
 * The kernel chooses addresses at random: what it maps by one fault ends where
 * a page table does.
 */
char *tfs_map_aligned(int fd, size_t len, int prot, size_t align)
{
	char *room = mmap(NULL, len + align, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (room == MAP_FAILED)
		return room;
	before = -(uintptr_t)room & (align - 1);
	munmap(room, before);
	munmap(room + before + len, align - before);
	return mmap(room + before, len, prot, MAP_SHARED | MAP_FIXED, fd, 0);
}

/*
 * Bytes of a range whose pages are mapped now and are of these kinds, as
 * PAGE_IS_HUGE; 0: of any.
 */
__u64 tfs_mapped(const void *start, size_t len, __u64 kinds)
{
	struct page_region regions[64];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = (unsigned long)start,
		.end = (unsigned long)start + len,
		.vec = (unsigned long)regions,
		.vec_len = 64,
		.category_mask = PAGE_IS_PRESENT | kinds,
		.return_mask = PAGE_IS_PRESENT | kinds,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	__u64 sum = 0;
	int n;

	while ((n = ioctl(fd, PAGEMAP_SCAN, &arg)) > 0) {
		while (n-- > 0)
			sum += regions[n].end - regions[n].start;
		arg.start = arg.walk_end;
	}
	close(fd);
	return sum;
}

/*
 * Has a file of another file system get memory that huge pages can map: xfs
 * takes this hint, ext4 took one from mkfs.
 */
void tfs_hint_huge(int fd)
{
	struct fsxattr attr;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr))
		return;
	attr.fsx_xflags |= FS_XFLAG_EXTSIZE;
	attr.fsx_extsize = PMD;
	ioctl(fd, FS_IOC_FSSETXATTR, &attr);
}

void tfs_load(const char *p)
{
	(void)__atomic_load_n(p, __ATOMIC_SEQ_CST);
}

/* Of this process, so far. */
long tfs_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* Faults of a store.  The first call may have some for its own code. */
long tfs_store_faults(char *p)
{
	long n = tfs_faults();

	__atomic_fetch_or(p, 0, __ATOMIC_SEQ_CST);
	return tfs_faults() - n;
}

/*
 * How many of @n times the page was not protected by msync(), so that the next
 * one would not know of a store, or -1. @other is in the same entry, and another
 * process maps it all the time.
 */
int tfs_msyncs_lost(char *page, char *other, int n)
{
	size_t size = sysconf(_SC_PAGESIZE);
	pid_t pid = fork();
	int lost = 0;

	while (!pid) {
		tfs_load(other);
		madvise(other, size, MADV_DONTNEED);
	}
	if (pid < 0)
		return -1;
	tfs_store_faults(page);
	for (; n && lost >= 0; n--) {
		if (msync(page, size, MS_SYNC))
			lost = -1;
		else if (!tfs_store_faults(page))
			lost++;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return lost;
}

static long rss_shared(void)
{
	long all, rss, shared = -1;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%ld %ld %ld", &all, &rss, &shared) != 3)
		shared = -1;
	if (f)
		fclose(f);
	return shared < 0 ? shared : shared * (sysconf(_SC_PAGESIZE) / 1024);
}

/* KiB of files and shared memory that are mapped now, or -1. */
long tfs_rss_shared(void)
{
	/* The first call may have code mapped that it runs after it has looked. */
	rss_shared();
	return rss_shared();
}
