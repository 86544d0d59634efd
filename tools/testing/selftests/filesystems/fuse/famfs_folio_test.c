// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is mapped by huge pages in one file, by small ones in the next,
 * and by huge ones again.
 *
 * What is easily wrong here: the kernel keeps a huge page together when the
 * file has gone, and must take it apart for whoever gets a part of it. If that
 * is left out a pin of one file's page holds another file's; if it is done
 * twice, or while others look, a page loses its file, or has the wrong one.
 */
#include <pthread.h>
#include <time.h>
#include <linux/fs.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define HALF	(PMD / 2)
#define PLACE	(2 * PMD)
#define SECONDS	8

enum { HUGE, LEFT, RIGHT, FILES };

/*
 * All of the memory, and each half of it.  The mapping begins at @skip, not 0
 * for the huge page: where that was in its file must be forgotten as well.
 */
static const struct part {
	const char *name;
	__u64 off, len, skip;
} parts[FILES] = {
	{ "huge",  PLACE,	 PMD,  PMD },
	{ "left",  PLACE,	 HALF, 0 },
	{ "right", PLACE + HALF, HALF, 0 },
};

FIXTURE(folio)
{
	struct tfs_env env;
	struct tfs_msg m[FILES];
	int dev;			/* for notifications past the server */
	int fd[FILES];
	char *map[FILES];
};

FIXTURE_SETUP(folio)
{
	const char *why = tfs_env_init(&self->env, 1);
	int i;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, PLACE + PMD));
	for (i = 0; i < FILES; i++) {
		tfs_msg_simple(&self->m[i], parts[i].skip + parts[i].len, 0,
			       parts[i].off - parts[i].skip,
			       parts[i].skip + parts[i].len);
		ASSERT_EQ(i, tfs_add_mapped(&self->env, parts[i].name,
					    &self->m[i]));
	}
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	for (i = 0; i < FILES; i++) {
		self->fd[i] = ASSERT_OPEN(parts[i].name, O_RDWR);
		self->map[i] = mmap(NULL, parts[i].len, PROT_READ | PROT_WRITE,
				    MAP_SHARED, self->fd[i], parts[i].skip);
		ASSERT_NE(MAP_FAILED, self->map[i]);
		ASSERT_EQ(0, tfs_revoke(self->dev, i));
	}
}

FIXTURE_TEARDOWN(folio)
{
	int i;

	for (i = 0; i < FILES; i++) {
		munmap(self->map[i], parts[i].len);
		close(self->fd[i]);
		tfs_msg_exit(&self->m[i]);
	}
	close(self->dev);
	TFS_TEARDOWN();
}

static int give(FIXTURE_DATA(folio) * self, int file)
{
	return tfs_push_map(self->dev, file, &self->m[file]);
}

#define GIVE(file) ASSERT_EQ(0, give(self, file))
#define TAKE(file) ASSERT_EQ(0, tfs_revoke(self->dev, file))

/* Bytes of a mapping that huge pages map now. */
static __u64 huge_bytes(const char *start, size_t len)
{
	return tfs_mapped(start, len, PAGE_IS_HUGE);
}

/* A word in each page of a mapping. */
static void store_all(char *map, size_t len, __u64 tag)
{
	size_t i;

	for (i = 0; i < len; i += PAGE)
		*(__u64 *)(map + i + 8) = tag + i;
}

static int wrong_words(const char *map, size_t len, __u64 tag)
{
	int wrong = 0;
	size_t i;

	for (i = 0; i < len; i += PAGE)
		wrong += *(__u64 *)(map + i + 8) != tag + i;
	return wrong;
}

/* Another process writes, this one finds it, by pages of either size. */
TEST_F(folio, I5_memory_changes_hands_and_page_size)
{
	char **map = self->map;
	__u64 tag;

	for (tag = 1ULL << 32; tag < 5ULL << 32; tag += 1ULL << 32) {
		GIVE(HUGE);
		EXPECT_CHILD((store_all(map[HUGE], PMD, tag), 0));
		EXPECT_EQ(0, wrong_words(map[HUGE], PMD, tag));
		EXPECT_EQ(PMD, huge_bytes(map[HUGE], PMD));
		TAKE(HUGE);
		GIVE(LEFT);
		GIVE(RIGHT);
		EXPECT_EQ(0, wrong_words(map[LEFT], HALF, tag));
		EXPECT_EQ(0, wrong_words(map[RIGHT], HALF, tag + HALF));
		EXPECT_EQ(0, huge_bytes(map[LEFT], HALF));
		EXPECT_CHILD((store_all(map[LEFT], HALF, tag + 1), 0));
		EXPECT_CHILD((store_all(map[RIGHT], HALF, tag + HALF + 1), 0));
		EXPECT_EQ(0, wrong_words(map[LEFT], HALF, tag + 1));
		EXPECT_EQ(0, wrong_words(map[RIGHT], HALF, tag + HALF + 1));
		TAKE(RIGHT);
		TAKE(LEFT);
		GIVE(HUGE);
		EXPECT_EQ(0, wrong_words(map[HUGE], PMD, tag + 1));
		EXPECT_EQ(PMD, huge_bytes(map[HUGE], PMD));
		TAKE(HUGE);
	}
}

/*
 * Small pages in one of two mappings. A mapping that has had small pages keeps
 * their page table, so the one for huge pages is made anew.
 */
TEST_F(folio, I5_huge_page_comes_back_huge)
{
	char *small = mmap(NULL, PMD, PROT_READ | PROT_WRITE, MAP_SHARED,
			   self->fd[HUGE], parts[HUGE].skip), *huge;
	int i;

	ASSERT_NE(MAP_FAILED, small);
	ASSERT_EQ(0, madvise(small, PMD, MADV_NOHUGEPAGE));
	for (i = 1; i < 6; i++) {
		huge = mmap(NULL, PMD, PROT_READ | PROT_WRITE, MAP_SHARED,
			    self->fd[HUGE], parts[HUGE].skip);
		ASSERT_NE(MAP_FAILED, huge);
		GIVE(HUGE);
		store_all(huge, PMD, i);
		EXPECT_EQ(0, wrong_words(small, PMD, i));
		EXPECT_EQ(0, huge_bytes(small, PMD));
		EXPECT_EQ(PMD, huge_bytes(huge, PMD));
		TAKE(HUGE);
		/* Small first: the file has small entries then. */
		GIVE(HUGE);
		EXPECT_EQ(0, wrong_words(small, PMD, i));
		EXPECT_EQ(0, wrong_words(huge, PMD, i));
		EXPECT_EQ(0, huge_bytes(huge, PMD));
		TAKE(HUGE);
		munmap(huge, PMD);
	}
	munmap(small, PMD);
}

/* Page @n of the memory is pinned: its file waits, and no other does. */
static void check_pin(struct __test_metadata *const _metadata,
		      FIXTURE_DATA(folio) * self, unsigned long n)
{
	int mine = n * PAGE < HALF ? LEFT : RIGHT, pipes[2];
	int other = LEFT + RIGHT - mine;

	GIVE(HUGE);
	tfs_dirty(self->map[HUGE]);
	TAKE(HUGE);
	GIVE(LEFT);
	GIVE(RIGHT);
	store_all(self->map[LEFT], HALF, n);
	store_all(self->map[RIGHT], HALF, n);
	ASSERT_EQ(0, tfs_pin(pipes, self->map[mine] + n * PAGE % HALF));
	EXPECT_EQ(0, tfs_revoke(self->dev, other));
	EXPECT_EQ(-EBUSY, tfs_revoke(self->dev, mine));
	tfs_unpin(pipes);
	TAKE(mine);

	/* While all of them are one page a pin is of them all. */
	GIVE(HUGE);
	tfs_dirty(self->map[HUGE]);
	EXPECT_EQ(PMD, huge_bytes(self->map[HUGE], PMD));
	ASSERT_EQ(0, tfs_pin(pipes, self->map[HUGE] + n * PAGE));
	EXPECT_EQ(-EBUSY, tfs_revoke(self->dev, HUGE));
	tfs_unpin(pipes);
	TAKE(HUGE);
}

TEST_F(folio, M6_pins_are_of_pages_as_large_as_they_are_now)
{
	check_pin(_metadata, self, 0);
	check_pin(_metadata, self, 1);
	check_pin(_metadata, self, 2);
	check_pin(_metadata, self, 255);
	check_pin(_metadata, self, 256);
	check_pin(_metadata, self, 511);
}

/* Two tasks that store at once, each to a page of its own. */
struct pair {
	char *page[2];
	__u64 tag;		/* of the first; the other's is one more */
	pthread_barrier_t barrier;
	unsigned int ready;	/* tasks that came to a round, of all rounds */
	bool stop;
};

/*
 * What may go wrong takes microseconds, and a barrier wakes one task after the
 * other.  So whoever comes from it waits for the other, running.
 */
static bool store_together(struct pair *p, int i)
{
	unsigned int both;

	pthread_barrier_wait(&p->barrier);
	if (p->stop)
		return false;
	both = (__atomic_fetch_add(&p->ready, 1, __ATOMIC_SEQ_CST) | 1) + 1;
	while (__atomic_load_n(&p->ready, __ATOMIC_SEQ_CST) < both)
		;
	*(__u64 *)p->page[i] = p->tag + i;
	pthread_barrier_wait(&p->barrier);
	return true;
}

static void *store_often(void *data)
{
	while (store_together(data, 1))
		;
	return NULL;
}

/* Two files come at once for pages of what was one, also for its head page. */
static int race(FIXTURE_DATA(folio) * self, unsigned long seconds)
{
	time_t end = time(NULL) + seconds;
	int rounds = 0, wrong = 0, i, pipes[2];
	char **map = self->map;
	struct pair p = {};
	pthread_t thread;

	pthread_barrier_init(&p.barrier, NULL, 2);
	if (pthread_create(&thread, NULL, store_often, &p))
		return -1;
	for (; time(NULL) < end && !wrong; rounds++) {
		unsigned long page = rounds / 2 * PAGE % HALF;

		wrong += !!give(self, HUGE);
		tfs_dirty(map[HUGE]);
		wrong += !!tfs_revoke(self->dev, HUGE);
		for (i = LEFT; i <= RIGHT; i++)
			wrong += !!give(self, i);
		/* In each other round the head, which was the folio of all. */
		p.page[0] = map[LEFT] + rounds % 2 * page;
		p.page[1] = map[RIGHT] + page;
		p.tag = rounds * 2;
		store_together(&p, 0);
		for (i = 0; i < 2; i++)
			wrong += *(__u64 *)p.page[i] != p.tag + i;
		wrong += !!tfs_pin(pipes, p.page[0]);
		wrong += !!tfs_revoke(self->dev, RIGHT);
		tfs_unpin(pipes);
		wrong += !!tfs_revoke(self->dev, LEFT);
	}
	p.stop = true;
	pthread_barrier_wait(&p.barrier);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&p.barrier);
	return wrong ? -1 : rounds;
}

TEST_F_TIMEOUT(folio, I5_halves_taken_at_once, 60)
{
	int rounds = race(self, SECONDS);

	TH_LOG("%d rounds", rounds);
	EXPECT_LT(0, rounds);
}

TEST_HARNESS_MAIN
