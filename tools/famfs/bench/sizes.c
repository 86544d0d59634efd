// SPDX-License-Identifier: GPL-2.0
/*
 * Stress for a DAX file system: memory that changes between files, and between
 * huge and small pages, again and again.
 *
 * Usage: sizes DIR SECONDS [SEED]
 *
 * Tasks make files, map them by pages of either size, write through one way and
 * read by the other, cut them inside a huge page, punch holes, hold pins across
 * a truncate, and remove them. The file system is to be small, so that what one
 * task has removed is soon another's. Prints how often memory was mapped by
 * pages of each size, and fails if any byte was not where it belongs or if one
 * of the sizes was never seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "align.h"

#define PAGE	4096UL
#define PMD	(2UL << 20)
#define TASKS	4
#define MAXLEN	(4 * PMD)

struct totals {
	unsigned long files, huge, small, pins, wrong;
};

static struct totals *totals;
static char dir[200];

static void add(unsigned long *n, unsigned long more)
{
	__atomic_add_fetch(n, more, __ATOMIC_SEQ_CST);
}

static void wrong(const char *what, unsigned long at)
{
	fprintf(stderr, "sizes: %s at %#lx: %s\n", what, at, strerror(errno));
	add(&totals->wrong, 1);
}

/* Memory that huge pages map, of a mapping of which all pages are there. */
static unsigned long huge_bytes(const char *map, size_t len)
{
	struct page_region regions[8];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = (unsigned long)map,
		.end = (unsigned long)map + len,
		.vec = (unsigned long)regions,
		.vec_len = 8,
		.category_mask = PAGE_IS_PRESENT | PAGE_IS_HUGE,
		.return_mask = PAGE_IS_PRESENT | PAGE_IS_HUGE,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int n = ioctl(fd, PAGEMAP_SCAN, &arg);
	unsigned long sum = 0;

	close(fd);
	while (n-- > 0)
		sum += regions[n].end - regions[n].start;
	return sum;
}

/* Where huge pages fit, in room for the longest file. */
static char *map_file(int fd, size_t len)
{
	static char *room;

	if (!room)
		room = mmap(NULL, MAXLEN + PMD, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mmap((char *)(((unsigned long)room + PMD - 1) & -PMD), len,
		    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
}

static void store_all(char *map, size_t len, unsigned long tag)
{
	size_t i;

	for (i = 0; i < len; i += PAGE)
		*(unsigned long *)(map + i) = tag + i;
	add(&totals->huge, huge_bytes(map, len) / PMD);
	add(&totals->small, (len - huge_bytes(map, len)) / PAGE);
}

static void check_all(int fd, const char *map, size_t len, unsigned long tag)
{
	unsigned long word;
	size_t i;

	for (i = 0; i < len; i += PAGE) {
		if (pread(fd, &word, sizeof(word), i) != sizeof(word) ||
		    word != tag + i)
			wrong("what is read", i);
		if (*(unsigned long *)(map + i) != tag + i)
			wrong("what is mapped", i);
	}
}

/* A pipe holds the page while a child cuts the file; it is let go on the way. */
static void cut_pinned(int fd, char *page, size_t to)
{
	struct iovec iov = { page, PAGE };
	int pipes[2], status;
	pid_t pid;

	if (pipe(pipes) || vmsplice(pipes[1], &iov, 1, 0) != PAGE) {
		wrong("pin", 0);
		return;
	}
	pid = fork();
	if (!pid) {
		close(pipes[0]);
		close(pipes[1]);
		_exit(!!ftruncate(fd, to));
	}
	usleep(rand() % 3000);
	close(pipes[0]);
	close(pipes[1]);
	if (waitpid(pid, &status, 0) != pid || status)
		wrong("cut while pinned", to);
	add(&totals->pins, 1);
}

/* One file, from its first page to its last. */
static void one_file(int task)
{
	unsigned long tag = (unsigned long)rand() << 32;
	size_t len = PMD * (rand() % (MAXLEN / PMD) + 1), cut;
	char name[256], *map;
	int fd;

	snprintf(name, sizeof(name), "%s/%d", dir, task);
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd >= 0)
		align_hint(fd, PMD);
	if (fd < 0 || fallocate(fd, 0, 0, len)) {
		if (errno != ENOSPC)
			wrong(name, len);
		close(fd);
		unlink(name);
		return;
	}
	map = map_file(fd, len);
	if (rand() % 2)
		madvise(map, len, MADV_NOHUGEPAGE);
	store_all(map, len, tag);
	check_all(fd, map, len, tag);

	/* Inside a huge page; then what is left comes back by small ones. */
	cut = rand() % (len / PAGE) * PAGE;
	if (rand() % 2)
		cut_pinned(fd, map + rand() % (len / PAGE) * PAGE, cut);
	else if (ftruncate(fd, cut))
		wrong("cut", cut);
	check_all(fd, map, cut, tag);
	if (rand() % 2 && !fallocate(fd, 0, 0, len)) {
		store_all(map, len, tag + 1);
		check_all(fd, map, len, tag + 1);
		cut = rand() % (len / PAGE) * PAGE;
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      cut, PAGE * (rand() % 600 + 1)))
			wrong("punch", cut);
		check_all(fd, map, cut, tag + 1);
	}
	munmap(map, len);
	close(fd);
	if (rand() % 2)
		unlink(name);
	add(&totals->files, 1);
}

int main(int argc, char **argv)
{
	unsigned int seed = argc > 3 ? atoi(argv[3]) : 1;
	time_t end;
	int i;

	if (argc < 3)
		return 2;
	snprintf(dir, sizeof(dir), "%s", argv[1]);
	end = time(NULL) + atoi(argv[2]);
	totals = mmap(NULL, sizeof(*totals), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < TASKS; i++) {
		if (fork())
			continue;
		srand(seed + i);
		while (time(NULL) < end)
			one_file(i);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	printf("%lu files, %lu huge pages, %lu small ones, %lu pins, %lu wrong\n",
	       totals->files, totals->huge, totals->small, totals->pins,
	       totals->wrong);
	return totals->wrong || !totals->huge || !totals->small ||
	       !totals->pins;
}
