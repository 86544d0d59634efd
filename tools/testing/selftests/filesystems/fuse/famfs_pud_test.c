// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of 1 GiB: what becomes of them when their memory is written, pinned,
 * given to another file, or fails.
 *
 * What is easily wrong here: a write that nobody notices, since all of the page
 * is mapped; a write after which all of it has to be flushed; a small page of
 * memory that is still thought of as a part of the large one; two files, or two
 * tasks, that take it apart at once.
 */
#include <pthread.h>

#include "tfs_pud.h"
#include "tfs_trace.h"

#define WRITEBACK "fs_dax/dax_writeback_one"

FIXTURE(pud)
{
	PUD_FIELDS;
	struct tfs_trace trace;
	bool rebind;
};

FIXTURE_SETUP(pud)
{
	const char *why = pud_env_init(&self->env);

	if (why)
		SKIP(return, "%s", why);
	PUD_SETUP();
}

FIXTURE_TEARDOWN(pud)
{
	if (self->rebind) {
		munmap(self->map, SIZE);
		close(self->fd);
		self->fd = -1;
		EXPECT_EQ(0, tfs_umount(&self->env));
		tfs_bind(&self->env.devs[0], "fsdev_dax");
		EXPECT_TRUE(tfs_bound(&self->env.devs[0], "fsdev_dax"));
	}
	if (self->trace.dir[0])
		tfs_trace_end(&self->trace);
	PUD_TEARDOWN();
}

/* How many huge pages, or large ones, an fsync() writes back. */
static int flushes(FIXTURE_DATA(pud) * self, const char *pages)
{
	tfs_trace_clear(&self->trace);
	if (fsync(self->fd))
		return -1;
	return tfs_trace_lines(self->trace.instance, "dax_writeback_one:",
			       pages);
}

TEST_F(pud, I6_write_is_noticed_and_dirties_2_mib)
{
	__u64 *word = (__u64 *)(self->map + 7 * PMD + PAGE), got;
	struct stat before, after;
	long n;

	if (tfs_trace_on(&self->trace, WRITEBACK, NULL))
		SKIP(return, "need tracefs");
	EXPECT_GIB(self->map);
	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(0, fstat(self->fd, &before));
	usleep(20000);
	*word = 0x1234;
	ASSERT_EQ(0, fstat(self->fd, &after));
	EXPECT_NE(0, memcmp(&before.st_mtim, &after.st_mtim,
			    sizeof(after.st_mtim)));
	EXPECT_EQ(8, pread(self->fd, &got, 8, 7 * PMD + PAGE));
	EXPECT_EQ(0x1234U, got);
	EXPECT_EQ(0, wrong_places(self->map, 0, SIZE));
	EXPECT_EQ(1, flushes(self, "pglen 0x200"));
	EXPECT_EQ(0, flushes(self, "pglen"));
	/* It is to be noticed once more after that. */
	n = tfs_faults();
	*word = 0x5678;
	EXPECT_EQ(1, tfs_faults() - n);
	EXPECT_EQ(1, flushes(self, "pglen 0x200"));
}

/* Whoever else has it mapped sees the store, and the store's page. */
TEST_F(pud, I5_write_under_the_mapping_of_another)
{
	char *other = map_at(self->fd, SIZE, 0, 0, PROT_READ, MAP_SHARED);

	ASSERT_NE(MAP_FAILED, other);
	EXPECT_GIB(other);
	EXPECT_GIB(self->map);
	self->map[3 * PMD] = 'w';
	EXPECT_EQ(0, huge_mapped(other, GiB));
	EXPECT_EQ('w', other[3 * PMD]);
	EXPECT_EQ(PMD, huge_mapped(other, GiB));
	EXPECT_EQ(0, wrong_places(other, 0, SIZE));
	self->map[3 * PMD] = 'x';
	EXPECT_EQ('x', other[3 * PMD]);
	munmap(other, SIZE);
	/* When nothing is left of that, it is 1 GiB again. */
	PUD_MAP_AGAIN();
	EXPECT_GIB(self->map);
	EXPECT_EQ('x', self->map[3 * PMD]);
}

/* A page that is pinned stays together, and can be written all the same. */
TEST_F(pud, M6_page_of_1_gib_is_pinned)
{
	int pipes[2];
	char c = 0;

	if (tfs_trace_on(&self->trace, WRITEBACK, NULL))
		SKIP(return, "need tracefs");
	self->map[PMD] = 'a';
	PUD_MAP_AGAIN();
	EXPECT_GIB(self->map);
	ASSERT_EQ(0, tfs_pin(pipes, self->map + PMD));
	self->map[PMD] = 'b';
	self->map[9 * PMD] = 'c';
	EXPECT_EQ(0, wrong_places(self->map, 0, SIZE));
	EXPECT_EQ(-EBUSY, tfs_revoke(self->dev, 0));
	EXPECT_EQ(1, read(pipes[0], &c, 1));
	EXPECT_EQ('b', c);
	EXPECT_EQ(1, flushes(self, "pglen 0x40000"));
	tfs_unpin(pipes);
	EXPECT_EQ(0, fsync(self->fd));
	/* It has been mapped by small pages there. */
	self->map[9 * PMD] = 'd';
	EXPECT_EQ(1, flushes(self, "pglen 0x1\n"));
	EXPECT_EQ('b', self->map[PMD]);
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
}

/* Give the second half of the first 1 GiB of "f" other memory. */
static int push_other_half(FIXTURE_DATA(pud) * self)
{
	struct tfs_msg m;
	int err;

	tfs_msg_init(&m, SIZE, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(&m, 0, PLACE, HALF);
	tfs_msg_extent(&m, 0, PLACE + GiB, GiB);
	tfs_msg_extent(&m, 0, PLACE + HALF, HALF);
	err = tfs_push_map(self->dev, 0, &m);
	tfs_msg_exit(&m);
	return err;
}

/*
 * The second half is other memory then, and nobody has the old one. Small pages
 * of it come first: a fault of 2 MiB would remove an entry that was left.
 */
TEST_F(pud, M6_half_goes_with_the_map)
{
	int pipes[2];

	EXPECT_GIB(self->map);
	EXPECT_GIB(self->map + GiB);
	ASSERT_EQ(0, push_other_half(self));
	EXPECT_EQ(0, huge_mapped(self->map, SIZE));
	ASSERT_EQ(0, madvise(self->map, SIZE, MADV_NOHUGEPAGE));
	ASSERT_EQ(0, tfs_pin(pipes, self->map + HALF));
	EXPECT_EQ(-EBUSY, tfs_revoke(self->dev, 0));
	tfs_unpin(pipes);
	ASSERT_EQ(0, madvise(self->map, SIZE, MADV_HUGEPAGE));
	EXPECT_EQ(0, wrong_places(self->map, 0, HALF));
	EXPECT_EQ(0, wrong_places(self->map + HALF, GiB, SIZE));
	EXPECT_EQ(0, wrong_places(self->map + HALF + GiB, HALF, GiB));
	EXPECT_EQ(PMD, huge_mapped(self->map, PMD));
}

/* The entry goes as a whole, and no part of it stays mapped. */
TEST_F(pud, M6_half_goes_from_what_small_pages_map)
{
	int pipes[2];

	EXPECT_GIB(self->map);
	ASSERT_EQ(0, tfs_pin(pipes, self->map + PMD));
	self->map[9 * PMD] = 'c';
	tfs_unpin(pipes);
	EXPECT_NE(0, tfs_frame_of(self->map + 9 * PMD));
	ASSERT_EQ(0, push_other_half(self));
	EXPECT_EQ(0, tfs_frame_of(self->map + 9 * PMD));
	EXPECT_EQ('c', self->map[9 * PMD]);
	EXPECT_EQ(0, wrong_places(self->map, 0, HALF));
}

/* A file that has all of a page, and gives a part of it to another. */
TEST_F_TIMEOUT(pud, G1_truncate_in_the_middle, 120)
{
	const size_t end = HALF + 101, given = GiB - HALF / 2;
	int fd, taker;
	char *map;

	tfs_pool_init(&self->env.srv, 0, 4 * GiB, HALF / 2, 5);
	ASSERT_LE(0, tfs_add_growing(&self->env.srv, "cut", 1));
	fd = ASSERT_OPEN("cut", O_RDWR);
	ASSERT_EQ(0, ftruncate(fd, GiB));
	map = map_at(fd, GiB, 0, 0, PROT_READ | PROT_WRITE, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(1, pwrite(fd, "k", 1, 0));
	EXPECT_EQ(2, pwrite(fd, "kk", 2, end - 1));
	EXPECT_EQ(1, pwrite(fd, "k", 1, HALF + PAGE));
	EXPECT_EQ(1, pwrite(fd, "k", 1, given));
	EXPECT_GIB(map);
	EXPECT_EQ(0, ftruncate(fd, end));
	EXPECT_EQ(SIGBUS, load_byte(map + HALF + PAGE));
	EXPECT_EQ(SIGBUS, load_byte(map + GiB - 1));
	/* The last quarter is another file's. */
	ASSERT_LE(0, tfs_add_growing(&self->env.srv, "taker", 1));
	taker = ASSERT_OPEN("taker", O_RDWR);
	EXPECT_EQ(1, pwrite(taker, "t", 1, 0));
	EXPECT_EQ(0, ftruncate(fd, GiB));
	/* A fault of 2 MiB would remove an entry that was left. */
	ASSERT_EQ(0, madvise(map, GiB, MADV_NOHUGEPAGE));
	ASSERT_EQ(0, load_byte(map + given));
	EXPECT_EQ(0, map[given]);
	ASSERT_EQ(0, madvise(map, GiB, MADV_HUGEPAGE));
	EXPECT_EQ('k', map[0]);
	EXPECT_EQ('k', map[end - 1]);
	EXPECT_EQ(0, map[end]);
	EXPECT_EQ(0, map[HALF + PAGE]);
	map[given] = 'm';
	EXPECT_EQ(0, tfs_check_data(taker, "t", 1));
	munmap(map, GiB);
	close(taker);
	close(fd);
}

/* ---- size changes ------------------------------------------------------ */

/* Files of each half of the first 1 GiB, which nobody else has then. */
static int add_halves(FIXTURE_DATA(pud) * self, struct tfs_msg *m, int *fd)
{
	int i;

	for (i = 0; i < 2; i++) {
		tfs_msg_simple(&m[i], HALF, 0, PLACE + i * HALF, HALF);
		if (tfs_add_mapped(&self->env, i ? "right" : "left", &m[i]) < 0)
			return -1;
		fd[i] = tfs_open(&self->env, i ? "right" : "left", O_RDWR);
		if (fd[i] < 0)
			return -1;
	}
	return 0;
}

struct half {
	pthread_barrier_t *barrier;
	char *page;
	__u64 tag;
};

static void *store_at_once(void *data)
{
	struct half *half = data;

	pthread_barrier_wait(half->barrier);
	*(__u64 *)half->page = half->tag;
	return NULL;
}

/* Two files come at once for parts of what was one page, of either size. */
TEST_F_TIMEOUT(pud, I5_halves_of_1_gib_taken_at_once, 200)
{
	struct tfs_msg m[2];
	struct half half[2];
	pthread_barrier_t barrier;
	pthread_t thread;
	int round, i, fd[2];
	char *map[2];

	pthread_barrier_init(&barrier, NULL, 2);
	ASSERT_EQ(0, tfs_revoke(self->dev, 0));
	ASSERT_EQ(0, add_halves(self, m, fd));
	for (round = 0; round < 12; round++) {
		/* In one round the head; small pages in every third. */
		size_t off[2] = { round % 2 * (PMD + PAGE), PMD };
		__u64 tag = (round + 1) << 8;

		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, tfs_push_map(self->dev, 1 + i, &m[i]));
			map[i] = map_at(fd[i], HALF, 0, 0,
					PROT_READ | PROT_WRITE, MAP_SHARED);
			ASSERT_NE(MAP_FAILED, map[i]);
			if (round % 3 == 2 - i)
				madvise(map[i], HALF, MADV_NOHUGEPAGE);
			half[i] = (struct half) { &barrier, map[i] + off[i],
						  tag + i };
		}
		ASSERT_EQ(0, pthread_create(&thread, NULL, store_at_once,
					    &half[1]));
		store_at_once(&half[0]);
		pthread_join(thread, NULL);
		for (i = 0; i < 2; i++) {
			EXPECT_EQ(tag + i, *(__u64 *)half[i].page);
			EXPECT_EQ(0, wrong_places(map[i] + 8 * PAGE * !i,
						  i * HALF + 8 * PAGE * !i,
						  (i + 1) * HALF));
			munmap(map[i], HALF);
			ASSERT_EQ(0, tfs_revoke(self->dev, 1 + i));
		}
		/* And together again. */
		ASSERT_EQ(0, tfs_push_map(self->dev, 0, &self->m));
		munmap(self->map, SIZE);
		PUD_MAP();
		EXPECT_GIB(self->map);
		EXPECT_EQ(tag, *(__u64 *)(self->map + off[0]));
		EXPECT_EQ(tag + 1, *(__u64 *)(self->map + HALF + off[1]));
		ASSERT_EQ(0, tfs_revoke(self->dev, 0));
	}
	for (i = 0; i < 2; i++) {
		close(fd[i]);
		tfs_msg_exit(&m[i]);
	}
}

/* Pins are of pages as large as they are now. */
TEST_F(pud, M6_part_of_a_former_1_gib_is_pinned)
{
	struct tfs_msg m[2];
	int i, fd[2], pipes[2];
	char *map[2];

	EXPECT_GIB(self->map);
	ASSERT_EQ(0, tfs_revoke(self->dev, 0));
	ASSERT_EQ(0, add_halves(self, m, fd));
	for (i = 0; i < 2; i++) {
		map[i] = map_at(fd[i], HALF, 0, 0, PROT_READ | PROT_WRITE,
				MAP_SHARED);
		ASSERT_NE(MAP_FAILED, map[i]);
		tfs_load(map[i]);
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, tfs_pin(pipes, map[i]));
		EXPECT_EQ(0, tfs_revoke(self->dev, 2 - i));
		EXPECT_EQ(-EBUSY, tfs_revoke(self->dev, 1 + i));
		tfs_unpin(pipes);
		EXPECT_EQ(0, tfs_push_map(self->dev, 2 - i, &m[1 - i]));
	}
	for (i = 0; i < 2; i++) {
		munmap(map[i], HALF);
		close(fd[i]);
		tfs_msg_exit(&m[i]);
	}
}

/* ---- failures ---------------------------------------------------------- */

TEST_F(pud, X1_page_of_1_gib_has_a_page_that_fails)
{
	const char *why = tfs_fail_init();
	__u64 frame;

	if (why)
		SKIP(return, "%s", why);
	EXPECT_GIB(self->map);
	frame = tfs_frame_of(self->map + 3 * PMD + 4 * PAGE);
	ASSERT_NE(0, frame);
	self->rebind = true;
	/* Somebody else comes across the failure. */
	EXPECT_CHILD((munmap(self->map, SIZE), tfs_fail_frame(frame)));
	EXPECT_EQ(SIGBUS, load_byte(self->map + 3 * PMD + 4 * PAGE));
	EXPECT_EQ(0, load_byte(self->map + 3 * PMD + 5 * PAGE));
	EXPECT_EQ(0, load_byte(self->map + 3 * PMD + 3 * PAGE));
	EXPECT_EQ(0, wrong_places(self->map, 0, SIZE));
	EXPECT_EQ(GiB, huge_mapped(self->map + GiB, GiB));
}

TEST_F(pud, X2_device_goes_away_under_1_gib)
{
	EXPECT_GIB(self->map);
	EXPECT_GIB(self->map + GiB);
	self->rebind = true;
	ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
	EXPECT_EQ(SIGBUS, load_byte(self->map));
	EXPECT_EQ(SIGBUS, load_byte(self->map + GiB));
	EXPECT_EQ(0, huge_mapped(self->map, SIZE));
}

TEST_HARNESS_MAIN
