// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of 1 GiB: when a read fault maps one, and what becomes of it when a
 * process changes its mapping.
 *
 * What is easily wrong here: a page that maps more than the mapping, the file or
 * the extent has; one that is taken for the address of a table, by whoever
 * looks for a smaller page of a file; one that a process shares without
 * counting it.
 */
#include <sys/ptrace.h>

#include "tfs_pud.h"

FIXTURE(pud_map)
{
	PUD_FIELDS;
};

FIXTURE_SETUP(pud_map)
{
	const char *why = pud_env_init(&self->env);

	if (why)
		SKIP(return, "%s", why);
	PUD_SETUP();
}

FIXTURE_TEARDOWN(pud_map)
{
	/* Nobody has kept a reference of a page. */
	EXPECT_EQ(0, wrong_places(self->map, 0, SIZE));
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	PUD_TEARDOWN();
}

TEST_F(pud_map, I5_one_fault_maps_1_gib)
{
	long before = tfs_rss_shared();

	EXPECT_GIB(self->map + 5 * PMD + PAGE);
	EXPECT_EQ(GiB / 1024, tfs_rss_shared() - before);
	EXPECT_EQ(0, wrong_places(self->map, 0, GiB));
	EXPECT_EQ(GiB, huge_mapped(self->map, SIZE));
	EXPECT_GIB(self->map + SIZE - 1);
	EXPECT_EQ(0, wrong_places(self->map, 0, SIZE));
	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	EXPECT_EQ(before, tfs_rss_shared());
	/* Again, with the memory known. */
	EXPECT_GIB(self->map + GiB);
	EXPECT_GIB(self->map);
}

TEST_F(pud_map, I5_populate_maps_1_gib_at_once)
{
	long before = tfs_faults();

	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_POPULATE_READ));
	EXPECT_GT(8, tfs_faults() - before);
	EXPECT_EQ(SIZE, huge_mapped(self->map, SIZE));
}

/* The kernel chooses an address for which it works. */
TEST_F(pud_map, I5_address_that_fits)
{
	char *map;
	int i;

	for (i = 0; i < 3; i++) {
		/* Too large for a gap above, so the room below is not aligned. */
		ASSERT_NE(MAP_FAILED,
			  mmap(NULL, 2 * SIZE + 5 * PMD, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0));
		map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->fd, 0);
		ASSERT_NE(MAP_FAILED, map);
		EXPECT_EQ(0, (unsigned long)map % GiB);
		EXPECT_GIB(map);
	}
	munmap(map, SIZE);
	map = mmap(NULL, SIZE - PMD, PROT_READ, MAP_SHARED, self->fd, PMD);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(PMD, (unsigned long)map % GiB);
	EXPECT_GIB(map + GiB);
	EXPECT_EQ(GiB, huge_mapped(map, SIZE - PMD));
	munmap(map, SIZE - PMD);
	/* It is not worth the room for what is smaller. */
	map = mmap(NULL, HALF, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, (unsigned long)map % PMD);
	munmap(map, HALF);
}

/* A load maps a page of 2 MiB at most, also if the file has no pages yet. */
#define EXPECT_SMALLER(map) do {					\
	const char *map_ = (map);					\
									\
	ASSERT_NE(MAP_FAILED, map_);					\
	ASSERT_EQ(0, tfs_revoke(self->dev, 0));				\
	ASSERT_EQ(0, tfs_push_map(self->dev, 0, &self->m));		\
	tfs_load(map_);							\
	EXPECT_GE(PMD, huge_mapped(map_, GiB));				\
} while (0)

TEST_F(pud_map, I5_mappings_that_do_not_fit)
{
	char *map = map_at(self->fd, SIZE, 0, PMD, PROT_READ, MAP_SHARED);

	EXPECT_SMALLER(map);
	EXPECT_EQ(0, wrong_places(map, 0, SIZE));
	munmap(map, SIZE);
	/* A private one would have to be split for a copy. */
	map = map_at(self->fd, SIZE, 0, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	EXPECT_SMALLER(map);
	EXPECT_EQ(0, wrong_places(map, 0, SIZE));
	munmap(map, SIZE);
	map = map_at(self->fd, GiB - PAGE, 0, 0, PROT_READ, MAP_SHARED);
	EXPECT_SMALLER(map);
	munmap(map, GiB - PAGE);
	ASSERT_EQ(0, madvise(self->map, SIZE, MADV_NOHUGEPAGE));
	EXPECT_SMALLER(self->map);
	EXPECT_EQ(0, huge_mapped(self->map, GiB));
}

TEST_F(pud_map, I5_files_that_do_not_fit)
{
	struct tfs_msg m;
	char *map;
	int fd;

	/* Memory that is not aligned. */
	tfs_msg_simple(&m, GiB, 0, 3 * GiB + PMD, GiB);
	ASSERT_EQ(1, tfs_add_mapped(&self->env, "odd", &m));
	tfs_msg_exit(&m);
	fd = ASSERT_OPEN("odd", O_RDWR);
	map = map_at(fd, GiB, 0, 0, PROT_READ, MAP_SHARED);
	EXPECT_SMALLER(map);
	munmap(map, GiB);
	close(fd);
	/* Two extents; the file and its first half would fit. */
	tfs_msg_init(&m, GiB, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(&m, 0, 5 * GiB, HALF);
	tfs_msg_extent(&m, 0, 4 * GiB + HALF, HALF);
	ASSERT_EQ(2, tfs_add_mapped(&self->env, "parts", &m));
	tfs_msg_exit(&m);
	fd = ASSERT_OPEN("parts", O_RDWR);
	map = map_at(fd, GiB, 0, 0, PROT_READ, MAP_SHARED);
	EXPECT_SMALLER(map);
	munmap(map, GiB);
	close(fd);
}

/* Of the first 1 GiB of "f", memory that begins @off later than it should. */
static int push_off(FIXTURE_DATA(pud_map) * self, size_t off)
{
	struct tfs_msg m;
	int err;

	tfs_msg_init(&m, SIZE, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(&m, 0, PLACE + off, GiB);
	tfs_msg_extent(&m, 0, 4 * GiB, GiB);
	err = tfs_push_map(self->dev, 0, &m);
	tfs_msg_exit(&m);
	return err;
}

/* The file, its extents and their lengths are aligned, and memory is not. */
TEST_F(pud_map, I5_memory_that_is_aligned_less_than_the_file)
{
	const size_t len = 16 * PMD;

	ASSERT_EQ(0, push_off(self, PMD));
	EXPECT_EQ(0, madvise(self->map, len, MADV_POPULATE_READ));
	EXPECT_EQ(len, huge_mapped(self->map, len));
	EXPECT_GT(GiB, huge_mapped(self->map, GiB));
	EXPECT_EQ(0, wrong_places(self->map, PMD, GiB + PMD));
	EXPECT_GIB(self->map + GiB);
	ASSERT_EQ(0, push_off(self, PAGE));
	EXPECT_EQ(0, madvise(self->map, len, MADV_POPULATE_READ));
	EXPECT_EQ(0, wrong_places(self->map, PAGE, GiB + PAGE));
	EXPECT_EQ(0, huge_mapped(self->map, GiB));
	PUD_MAP_AGAIN();
	EXPECT_GIB(self->map);
}

TEST_F(pud_map, I5_file_that_ends_before)
{
	struct tfs_msg m;
	char *map;
	int fd;

	tfs_msg_simple(&m, 2 * GiB - PAGE, 0, 4 * GiB, 2 * GiB);
	tfs_msg_header(&m)->flags = FUSE_FMAP_GROW;
	ASSERT_EQ(1, tfs_add_mapped(&self->env, "short", &m));
	tfs_msg_exit(&m);
	fd = ASSERT_OPEN("short", O_RDWR);
	map = map_at(fd, 2 * GiB, 0, 0, PROT_READ, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_GIB(map);
	tfs_load(map + GiB);
	EXPECT_LE(PMD, huge_mapped(map + GiB, GiB));
	EXPECT_GT(HALF, huge_mapped(map + GiB, GiB));
	EXPECT_EQ(SIGBUS, load_byte(map + 2 * GiB - 1));
	munmap(map, 2 * GiB);
	close(fd);
}

/* The first Rss of a mapping in smaps, in KiB. */
static long smaps_rss(const char *map)
{
	char line[256], start[32];
	long rss = -1;
	FILE *f = fopen("/proc/self/smaps", "re");

	snprintf(start, sizeof(start), "%lx-", (unsigned long)map);
	while (f && fgets(line, sizeof(line), f) &&
	       strncmp(line, start, strlen(start)))
		;
	while (f && rss < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "Rss: %ld", &rss);
	if (f)
		fclose(f);
	return rss;
}

static void read_all(const char *path)
{
	char buf[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

/* To look at a page does not unmap it. */
TEST_F(pud_map, I5_page_of_1_gib_can_be_looked_at)
{
	unsigned char there[16];
	long before;
	size_t i;

	EXPECT_GIB(self->map);
	EXPECT_EQ(GiB / 1024, smaps_rss(self->map));
	read_all("/proc/self/numa_maps");
	EXPECT_NE(0, tfs_frame_of(self->map));
	EXPECT_EQ(7, tfs_frame_of(self->map + PMD + 7 * PAGE) -
		     tfs_frame_of(self->map + PMD));
	EXPECT_EQ(0, mincore(self->map + PMD, sizeof(there) * PAGE, there));
	for (i = 0; i < sizeof(there); i++)
		EXPECT_EQ(1, there[i]);
	EXPECT_EQ(GiB, huge_mapped(self->map, GiB));
	before = tfs_faults();
	tfs_load(self->map + GiB - 1);
	EXPECT_EQ(0, tfs_faults() - before);
}

TEST_F(pud_map, I4_fork_and_exit)
{
	EXPECT_GIB(self->map);
	EXPECT_CHILD(({
		int bad = huge_mapped(self->map, GiB) != 0;

		tfs_load(self->map);
		bad || huge_mapped(self->map, GiB) != GiB ||
			wrong_places(self->map, 0, SIZE);
	}));
	EXPECT_EQ(GiB, huge_mapped(self->map, GiB));
}

/* Whether the kernel may read, or write, for this process. */
static bool may_load(const char *p)
{
	int pipes[2];
	bool may;

	if (pipe(pipes))
		return false;
	may = write(pipes[1], p, 1) == 1;
	close(pipes[0]);
	close(pipes[1]);
	return may;
}

static bool may_store(char *p)
{
	int fd = open("/dev/zero", O_RDONLY);
	bool may = read(fd, p, 1) == 1;

	close(fd);
	return may;
}

TEST_F(pud_map, I5_part_is_unmapped)
{
	EXPECT_GIB(self->map);
	EXPECT_EQ(0, madvise(self->map + PMD, PMD, MADV_DONTNEED));
	EXPECT_EQ(0, wrong_places(self->map, 0, GiB));
	EXPECT_GIB(self->map + GiB);
	/* An edge at which no huge page ends. */
	EXPECT_EQ(0, munmap(self->map + GiB + 9 * PAGE, HALF));
	EXPECT_FALSE(may_load(self->map + GiB + 9 * PAGE));
	EXPECT_EQ(0, wrong_places(self->map, 0, GiB + 9 * PAGE));
	EXPECT_EQ(0, wrong_places(self->map + GiB + 9 * PAGE + HALF,
				  GiB + 9 * PAGE + HALF, SIZE));
	munmap(self->map, SIZE);
	PUD_MAP();
}

TEST_F(pud_map, I5_protection_of_all_and_of_a_part)
{
	EXPECT_GIB(self->map);
	EXPECT_EQ(0, mprotect(self->map, SIZE, PROT_NONE));
	EXPECT_FALSE(may_load(self->map + PMD));
	EXPECT_EQ(0, mprotect(self->map, SIZE, PROT_READ));
	EXPECT_EQ(0, wrong_places(self->map, 0, SIZE));
	EXPECT_FALSE(may_store(self->map + PMD));
	EXPECT_EQ(0, mprotect(self->map, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, wrong_places(self->map, 0, SIZE));
	EXPECT_TRUE(may_store(self->map + PMD));
	tfs_load(self->map + GiB);
	EXPECT_EQ(0, mprotect(self->map + GiB, 5 * PAGE, PROT_NONE));
	EXPECT_FALSE(may_load(self->map + GiB));
	EXPECT_TRUE(may_load(self->map + GiB + 5 * PAGE));
	EXPECT_EQ(0, mprotect(self->map, SIZE, PROT_READ | PROT_WRITE));
}

TEST_F(pud_map, I5_part_is_locked_and_advised)
{
	EXPECT_GIB(self->map);
	EXPECT_EQ(0, mlock(self->map + PAGE, PAGE));
	EXPECT_EQ(0, munlock(self->map, SIZE));
	EXPECT_EQ(0, wrong_places(self->map, 0, SIZE));
	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	EXPECT_GIB(self->map);
	EXPECT_EQ(0, madvise(self->map + HALF + PAGE, PMD, MADV_RANDOM));
	/* No page is of two mappings. */
	EXPECT_EQ(0, huge_mapped(self->map, GiB));
	EXPECT_EQ(0, wrong_places(self->map, 0, GiB));
	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_NORMAL));
}

/* A debugger may read where the task may not. */
TEST_F(pud_map, I5_debugger_reads_what_is_protected)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, mprotect(self->map, SIZE, PROT_NONE));
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(may_load(self->map + HALF));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	/* Where this does not end, the kernel faults for ever. */
	EXPECT_EQ(place_word(HALF),
		  (__u64)ptrace(PTRACE_PEEKDATA, pid, self->map + HALF, NULL));
	EXPECT_EQ(0, ptrace(PTRACE_DETACH, pid, NULL, NULL));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, mprotect(self->map, SIZE, PROT_READ | PROT_WRITE));
}

/* Moved to @off behind an aligned address, and back. */
static char *move(char *map, size_t len, size_t off)
{
	char *room = map_at(-1, len, 0, off, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);

	return mremap(map, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, room);
}

TEST_F(pud_map, I4_mapping_is_moved)
{
	long before;

	EXPECT_GIB(self->map);
	self->map = move(self->map, SIZE, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	before = tfs_faults();
	EXPECT_EQ(0, wrong_places(self->map, 0, GiB));
	EXPECT_EQ(0, tfs_faults() - before);
	EXPECT_EQ(GiB, huge_mapped(self->map, SIZE));
	self->map = move(self->map, SIZE, PMD);
	ASSERT_NE(MAP_FAILED, self->map);
	EXPECT_EQ(0, wrong_places(self->map, 0, SIZE));
	self->map = move(self->map, SIZE, PAGE);
	ASSERT_NE(MAP_FAILED, self->map);
	EXPECT_EQ(0, wrong_places(self->map, 0, SIZE));
}

TEST_HARNESS_MAIN
