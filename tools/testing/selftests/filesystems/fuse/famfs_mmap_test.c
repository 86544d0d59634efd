// SPDX-License-Identifier: GPL-2.0
/*
 * Mapping mapped files: faults of both sizes, shared and private, up to the end
 * of the file and past it.
 *
 * What is easily wrong here: huge pages that are silently never used; a write()
 * that drops the mappings of its range, so that each one costs a fault for
 * every page; a fault past the end that reaches memory of another file; a
 * private page that is written through to the device.
 */
#include <pthread.h>
#include <sys/resource.h>
#include <linux/fs.h>

#include "tfs_test.h"

#define PAGE	4096UL
/* Three huge pages, and an end that is in a small one. */
#define SIZE	(3 * PMD + 2 * PAGE + 100)
#define MAPLEN	(4 * PMD)

FIXTURE(mmap)
{
	struct tfs_env env;
	struct tfs_msg m;
	int fd;
};

FIXTURE_SETUP(mmap)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, 10 * MiB));
	tfs_msg_simple(&self->m, SIZE, 0, PMD, 3 * PMD + 3 * PAGE);
	tfs_add_mapped(&self->env, "f", &self->m);
	/* The same length, a page off. */
	tfs_add_simple(&self->env, "off", SIZE, 0, 10 * MiB + PAGE);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_GE(self->fd, 0);
	tfs_counts_reset(&self->env.srv);
}

FIXTURE_TEARDOWN(mmap)
{
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_READ));
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_WRITE));
	close(self->fd);
	tfs_msg_exit(&self->m);
	TFS_TEARDOWN();
}

static char *map_file(int fd, int prot, int flags)
{
	return mmap(NULL, MAPLEN, prot, flags, fd, 0);
}

/* The signal that touching an address brings, or 0. */
static int touch(char *p, bool write)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (write)
			__atomic_store_n(p, 1, __ATOMIC_SEQ_CST);
		else
			__atomic_load_n(p, __ATOMIC_SEQ_CST);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

TEST_F(mmap, I5_read_fault_maps_a_huge_page)
{
	char *map = map_file(self->fd, PROT_READ, MAP_SHARED);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(*(__u64 *)map, pattern_word(0, PMD));
	EXPECT_EQ(PMD, tfs_mapped(map, MAPLEN, PAGE_IS_HUGE));
	EXPECT_EQ(SIZE, tfs_mismatch(&self->m, 0, map, SIZE));
	EXPECT_EQ(3 * PMD, tfs_mapped(map, MAPLEN, PAGE_IS_HUGE));
	munmap(map, MAPLEN);
}

TEST_F(mmap, I5_write_fault_maps_a_huge_page)
{
	char *map = map_file(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	char c = 0;

	ASSERT_NE(MAP_FAILED, map);
	map[PMD + 5] = 'w';
	EXPECT_EQ(PMD, tfs_mapped(map, MAPLEN, PAGE_IS_HUGE));
	EXPECT_EQ(1, pread(self->fd, &c, 1, PMD + 5));
	EXPECT_EQ('w', c);
	munmap(map, MAPLEN);
}

TEST_F(mmap, I5_write_after_read_keeps_the_huge_page)
{
	char *map = map_file(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(PMD, tfs_mismatch(&self->m, 0, map, PMD));
	map[0] = 'w';
	EXPECT_EQ('w', map[0]);
	EXPECT_EQ(PMD, tfs_mapped(map, MAPLEN, PAGE_IS_HUGE));
	EXPECT_EQ(8, tfs_mismatch(&self->m, 8, map + 8, 8));
	munmap(map, MAPLEN);
}

TEST_F(mmap, I5_small_faults_where_the_user_wants_them)
{
	char *map = map_file(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, madvise(map, MAPLEN, MADV_NOHUGEPAGE));
	tfs_dirty(map);
	EXPECT_EQ(PAGE, tfs_mapped(map, MAPLEN, 0));
	EXPECT_EQ(SIZE, tfs_mismatch(&self->m, 0, map, SIZE));
	EXPECT_EQ(0, tfs_mapped(map, MAPLEN, PAGE_IS_HUGE));
	munmap(map, MAPLEN);
}

TEST_F(mmap, I5_small_faults_where_memory_is_not_aligned)
{
	int fd = ASSERT_OPEN("off", O_RDWR);
	char *map = map_file(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	unsigned long i;
	char c;

	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < SIZE; i += PAGE)
		map[i] = i / PAGE;
	EXPECT_EQ(0, tfs_mapped(map, MAPLEN, PAGE_IS_HUGE));
	for (i = 0; i < SIZE; i += PAGE) {
		ASSERT_EQ(1, pread(fd, &c, 1, i));
		ASSERT_EQ((char)(i / PAGE), c);
	}
	munmap(map, MAPLEN);
	close(fd);
}

TEST_F(mmap, I5_small_faults_where_addresses_are_not_aligned)
{
	/* One page into the file, at an aligned address. */
	char *room = mmap(NULL, 2 * MAPLEN, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *map;

	ASSERT_NE(MAP_FAILED, room);
	map = (char *)(((unsigned long)room + PMD - 1) & ~(PMD - 1));
	map = mmap(map, MAPLEN, PROT_READ, MAP_SHARED | MAP_FIXED, self->fd,
		   PAGE);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(SIZE - PAGE, tfs_mismatch(&self->m, PAGE, map,
					    SIZE - PAGE));
	EXPECT_EQ(0, tfs_mapped(map, MAPLEN, PAGE_IS_HUGE));
	munmap(room, 2 * MAPLEN);
}

TEST_F(mmap, I5_both_sizes_share_a_page)
{
	char *big = map_file(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	char *small = map_file(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	ASSERT_NE(MAP_FAILED, big);
	ASSERT_NE(MAP_FAILED, small);
	ASSERT_EQ(0, madvise(small, MAPLEN, MADV_NOHUGEPAGE));
	small[PAGE] = 's';
	big[PAGE + 1] = 'b';
	EXPECT_EQ('s', big[PAGE]);
	EXPECT_EQ('b', small[PAGE + 1]);
	/* And the other way round. */
	big[PMD] = 'B';
	small[PMD + 1] = 'S';
	EXPECT_EQ('S', big[PMD + 1]);
	EXPECT_EQ('B', small[PMD]);
	munmap(big, MAPLEN);
	munmap(small, MAPLEN);
}

/* The VmFlags line of a mapping in smaps; false if there is none. */
static bool vm_flags(const char *map, char *line, size_t len)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long start;
	bool found = false;

	if (!f)
		return false;
	while (fgets(line, len, f)) {
		if (sscanf(line, "%lx-", &start) == 1 && strchr(line, '/'))
			found = start == (unsigned long)map;
		if (found && !strncmp(line, "VmFlags:", 8))
			break;
	}
	found = found && !feof(f);
	fclose(f);
	return found;
}

TEST_F(mmap, I5_user_flags_of_the_mapping_stay)
{
	char flags[256], *map;
	int i;

	map = map_file(self->fd, PROT_READ, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(vm_flags(map, flags, sizeof(flags)));
		EXPECT_EQ(!!i, !!strstr(flags, " nh"));
		EXPECT_EQ(NULL, strstr(flags, " hg"));
		/* Device memory of files has ordinary pages. */
		EXPECT_EQ(NULL, strstr(flags, " mm"));
		EXPECT_EQ(NULL, strstr(flags, " pf"));
		ASSERT_EQ(0, madvise(map, MAPLEN, MADV_NOHUGEPAGE));
		EXPECT_EQ(0, touch(map, false));
	}
	munmap(map, MAPLEN);
}

TEST_F(mmap, I5_faults_past_the_end_get_sigbus)
{
	unsigned long end = (SIZE + PAGE - 1) & ~(PAGE - 1);
	char *map = map_file(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	char *priv = map_file(self->fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	int w;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(MAP_FAILED, priv);
	for (w = 0; w < 2; w++) {
		EXPECT_EQ(0, touch(map + SIZE - 1, w));
		EXPECT_EQ(0, touch(map + end - 1, w));
		EXPECT_EQ(SIGBUS, touch(map + end, w));
		EXPECT_EQ(SIGBUS, touch(map + MAPLEN - 1, w));
		EXPECT_EQ(0, touch(priv + end - 1, w));
		EXPECT_EQ(SIGBUS, touch(priv + end, w));
	}
	munmap(map, MAPLEN);
	munmap(priv, MAPLEN);
}

TEST_F(mmap, I5_private_writes_stay_private)
{
	char *priv = map_file(self->fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	char *shared = map_file(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	unsigned long i;

	ASSERT_NE(MAP_FAILED, priv);
	ASSERT_NE(MAP_FAILED, shared);
	/* After reads, which may map a huge page, and without. */
	EXPECT_EQ(PMD, tfs_mismatch(&self->m, 0, priv, PMD));
	for (i = 0; i < SIZE; i += 37 * PAGE)
		memset(priv + i, 'p', 10);
	EXPECT_EQ(SIZE, tfs_mismatch(&self->m, 0, shared, SIZE));
	EXPECT_EQ(SIZE, tfs_check(self->fd, &self->m));
	for (i = 0; i < SIZE; i += 37 * PAGE)
		ASSERT_EQ('p', priv[i + 9]);
	/* What was not copied shows what the file holds now. */
	shared[PAGE + 8] = 'n';
	EXPECT_EQ('n', priv[PAGE + 8]);
	shared[8] = 'n';
	EXPECT_EQ('p', priv[8]);
	munmap(priv, MAPLEN);
	munmap(shared, MAPLEN);
}

TEST_F(mmap, I5_write_leaves_mappings_in_place)
{
	char *map = map_file(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct rusage before, after;
	char buf[PAGE];
	int i;

	ASSERT_NE(MAP_FAILED, map);
	memset(map, 0, 2 * PMD);
	memset(buf, 'v', PAGE);
	ASSERT_EQ(PAGE, pwrite(self->fd, buf, PAGE, 0));
	getrusage(RUSAGE_THREAD, &before);
	for (i = 0; i < 64; i++) {
		buf[0] = i;
		ASSERT_EQ(PAGE, pwrite(self->fd, buf, PAGE, i * 8 * PAGE));
		ASSERT_EQ(i, map[i * 8 * PAGE]);
	}
	getrusage(RUSAGE_THREAD, &after);
	EXPECT_EQ(2 * PMD, tfs_mapped(map, MAPLEN, PAGE_IS_HUGE));
	EXPECT_GT(8, after.ru_minflt - before.ru_minflt);
	munmap(map, MAPLEN);
}

TEST_F(mmap, I5_mprotect)
{
	char *map = map_file(self->fd, PROT_READ, MAP_SHARED);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(SIGSEGV, touch(map, true));
	EXPECT_EQ(8, tfs_mismatch(&self->m, 0, map, 8));
	ASSERT_EQ(0, mprotect(map, MAPLEN, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, touch(map, true));
	EXPECT_EQ(1, map[0]);
	/* A page in the middle of a huge one. */
	ASSERT_EQ(0, mprotect(map + 7 * PAGE, PAGE, PROT_READ));
	EXPECT_EQ(SIGSEGV, touch(map + 7 * PAGE, true));
	EXPECT_EQ(0, touch(map + 8 * PAGE, true));
	EXPECT_EQ(0, touch(map + 6 * PAGE, true));
	EXPECT_EQ(8, tfs_mismatch(&self->m, 7 * PAGE, map + 7 * PAGE, 8));
	munmap(map, MAPLEN);
}

TEST_F(mmap, I5_parts_are_unmapped_and_advised_away)
{
	char *map = map_file(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(SIZE, tfs_mismatch(&self->m, 0, map, SIZE));
	map[0] = 'd';
	ASSERT_EQ(0, madvise(map, PMD, MADV_DONTNEED));
	EXPECT_EQ(2 * PMD, tfs_mapped(map, MAPLEN, PAGE_IS_HUGE));
	EXPECT_EQ('d', map[0]);
	ASSERT_EQ(0, munmap(map + PMD + 5 * PAGE, PAGE));
	EXPECT_EQ(SIGSEGV, touch(map + PMD + 5 * PAGE, false));
	EXPECT_EQ(PMD, tfs_mismatch(&self->m, 2 * PMD, map + 2 * PMD, PMD));
	EXPECT_EQ(8, tfs_mismatch(&self->m, PMD, map + PMD, 8));
	munmap(map, MAPLEN);
}

TEST_F(mmap, I5_map_sync_is_refused)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PMD, PROT_READ | PROT_WRITE,
				   MAP_SHARED_VALIDATE | MAP_SYNC, self->fd,
				   0));
	EXPECT_EQ(EOPNOTSUPP, errno);
}

TEST_F(mmap, I5_mlock)
{
	char *map = map_file(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, mlock(map, 2 * PMD));
	EXPECT_EQ(2 * PMD, tfs_mapped(map, 2 * PMD, 0));
	EXPECT_EQ(0, munlock(map, 2 * PMD));
	munmap(map, MAPLEN);
}

#define THREADS	4

struct toucher {
	char *map;
	int fd, id;
	bool wrong;
};

/* Each takes its own bytes of every page. */
static void *touch_all(void *arg)
{
	struct toucher *t = arg;
	unsigned long i;
	char c;

	for (i = t->id * 64; i < 3 * PMD; i += PAGE) {
		t->map[i] = t->id + 1;
		if (i % (16 * PAGE) < PAGE &&
		    (pread(t->fd, &c, 1, i) != 1 || c != t->id + 1))
			t->wrong = true;
	}
	for (i = t->id * 64; i < 3 * PMD; i += PAGE)
		if (t->map[i] != t->id + 1)
			t->wrong = true;
	return NULL;
}

TEST_F(mmap, I5_concurrent_faults_of_both_sizes)
{
	struct toucher t[THREADS];
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		t[i] = (struct toucher){ .fd = self->fd, .id = i };
		t[i].map = map_file(self->fd, PROT_READ | PROT_WRITE,
				    MAP_SHARED);
		ASSERT_NE(MAP_FAILED, t[i].map);
		if (i % 2)
			madvise(t[i].map, MAPLEN, MADV_NOHUGEPAGE);
	}
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, touch_all,
					    &t[i]));
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_FALSE(t[i].wrong);
		munmap(t[i].map, MAPLEN);
	}
}

TEST_HARNESS_MAIN
