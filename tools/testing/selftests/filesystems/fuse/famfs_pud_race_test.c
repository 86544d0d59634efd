// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of 1 GiB that several tasks map, unmap and take apart at once.
 *
 * What is easily wrong here: a page that another task has mapped since one looked
 * first, and which is no table; a table that has taken its place, and is no page;
 * one that is mapped twice, or by two sizes.
 */
#include <pthread.h>
#include <sys/uio.h>

#include "tfs_pud.h"

FIXTURE(pud_race)
{
	PUD_FIELDS;
};

FIXTURE_SETUP(pud_race)
{
	const char *why = pud_env_init(&self->env);

	if (why)
		SKIP(return, "%s", why);
	PUD_SETUP();
}

FIXTURE_TEARDOWN(pud_race)
{
	/* Nobody has kept a reference of a page. */
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	PUD_TEARDOWN();
}

struct reader {
	pthread_barrier_t *barrier;
	const char *map;
	int wrong;
};

static void *read_at_once(void *data)
{
	struct reader *reader = data;

	pthread_barrier_wait(reader->barrier);
	reader->wrong = wrong_places(reader->map, 0, SIZE);
	return NULL;
}

TEST_F_TIMEOUT(pud_race, I5_two_tasks_fault_1_gib_at_once, 120)
{
	pthread_barrier_t barrier;
	struct reader reader[2];
	pthread_t thread;
	int round;

	pthread_barrier_init(&barrier, NULL, 2);
	for (round = 0; round < 10; round++) {
		char *map[2];
		int i;

		for (i = 0; i < 2; i++) {
			/* The same mapping, or one each. */
			map[i] = i && round % 2 ? map[0] :
				 map_at(self->fd, SIZE, 0, 0, PROT_READ,
					MAP_SHARED);
			ASSERT_NE(MAP_FAILED, map[i]);
			reader[i] = (struct reader) { &barrier, map[i], -1 };
		}
		ASSERT_EQ(0, pthread_create(&thread, NULL, read_at_once,
					    &reader[1]));
		read_at_once(&reader[0]);
		pthread_join(thread, NULL);
		for (i = 0; i < 2; i++) {
			EXPECT_EQ(0, reader[i].wrong);
			EXPECT_EQ(SIZE, huge_mapped(map[i], SIZE));
		}
		munmap(map[0], SIZE);
		if (map[1] != map[0])
			munmap(map[1], SIZE);
		ASSERT_EQ(0, tfs_revoke(self->dev, 0));
		ASSERT_EQ(0, tfs_push_map(self->dev, 0, &self->m));
	}
}

struct other {
	pthread_barrier_t barrier;
	char *map;
	bool stop;
};

static void *drop_parts(void *data)
{
	struct other *other = data;

	while (!__atomic_load_n(&other->stop, __ATOMIC_RELAXED)) {
		madvise(other->map + PMD, PMD, MADV_DONTNEED);
		madvise(other->map, GiB, MADV_DONTNEED);
	}
	return NULL;
}

/* What a fault has just mapped is nothing bad. */
TEST_F_TIMEOUT(pud_race, I5_part_is_dropped_as_another_task_faults, 120)
{
	struct other other = { .map = self->map };
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, drop_parts, &other));
	for (i = 0; i < 20000; i++)
		tfs_load(self->map + i % 512 * PMD);
	__atomic_store_n(&other.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	EXPECT_GIB(self->map);
}

static void *store_once(void *data)
{
	struct other *other = data;

	pthread_barrier_wait(&other->barrier);
	*(__u64 *)(other->map + PMD) = 1;
	__atomic_store_n(&other->stop, true, __ATOMIC_RELAXED);
	return NULL;
}

/* Words that the kernel looks up, and does not find where it should. */
static int words_lost(const char *map)
{
	__u64 word = 0;
	struct iovec to = { &word, 8 }, from = { (void *)(map + HALF), 8 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) != 8 ||
	       word != place_word(HALF);
}

/* The page becomes a table of smaller ones while the kernel looks it up. */
TEST_F_TIMEOUT(pud_race, I5_page_is_split_as_another_task_looks_it_up, 120)
{
	struct other other = { .map = self->map };
	pthread_t thread;
	int round, lost = 0;

	pthread_barrier_init(&other.barrier, NULL, 2);
	for (round = 0; round < 20; round++) {
		tfs_load(self->map);
		EXPECT_EQ(GiB, huge_mapped(self->map, GiB));
		other.stop = false;
		ASSERT_EQ(0, pthread_create(&thread, NULL, store_once, &other));
		pthread_barrier_wait(&other.barrier);
		while (!__atomic_load_n(&other.stop, __ATOMIC_RELAXED))
			lost += words_lost(self->map);
		pthread_join(thread, NULL);
		PUD_MAP_AGAIN();
		other.map = self->map;
	}
	EXPECT_EQ(0, lost);
}

TEST_HARNESS_MAIN
