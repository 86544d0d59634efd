// SPDX-License-Identifier: GPL-2.0
/*
 * Maps that are replaced, as fast as that goes, under threads that read, write,
 * load and store.  Every word that anyone sees has to be where one of the maps
 * has it that were in force during the access.
 *
 * The file moves between three places on the device, in several shapes.  Its
 * head is only read, and shows by the device's pattern where it was found.  Its
 * tail is also written: with words that tell to which page of the file they
 * belong.  The place that the file has just left is given to a second file, and
 * must not change any more.
 */
#include <time.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define HEAD	PMD
#define TAIL	(64 * PAGE)
#define SIZE	(HEAD + TAIL)
#define PLACES	3UL
#define PLACE	(2 * PMD)
#define MAPS	6
#define THREADS	8
#define SHORT	(5 * PAGE)		/* what a file that shrinks keeps */
#define TAG	0xfa3f500000000000ULL

struct stress {
	struct tfs_env *env;
	struct tfs_msg map[MAPS];
	int fd;
	char *huge, *small;		/* mappings by pages of either size */
	__u64 begun, done;		/* replacements */
	bool stop;
	/* What the threads have done, and found. */
	__u64 reads, writes, loads, stores, gone;
	__u64 wrong, failed;
};

static struct stress s;

static __u64 get(__u64 *n)
{
	return __atomic_load_n(n, __ATOMIC_SEQ_CST);
}

static void add(__u64 *n, __u64 more)
{
	__atomic_add_fetch(n, more, __ATOMIC_SEQ_CST);
}

static bool is_tag(__u64 word, __u64 pos)
{
	return pos >= HEAD && (word & ~0xfffffULL) == (TAG | pos / PAGE << 20);
}

static __u64 tag(__u64 pos, __u64 nr)
{
	return TAG | pos / PAGE << 20 | (nr & 0xfffff);
}

/* Is this what one of the maps from lo to hi has at pos? */
static bool possible(__u64 pos, __u64 word, __u64 lo, __u64 hi)
{
	__u64 off, i;
	__u32 dev;

	if (is_tag(word, pos))
		return true;
	for (i = lo; i <= hi && i < lo + MAPS; i++)
		if (tfs_resolve(&s.map[i % MAPS], pos, &dev, &off) &&
		    word == pattern_word(dev, off))
			return true;
	return false;
}

/* Does one of them end before pos? */
static bool may_be_gone(__u64 pos, __u64 lo, __u64 hi)
{
	__u64 i;

	for (i = lo; i <= hi && i < lo + MAPS; i++)
		if (tfs_msg_header(&s.map[i % MAPS])->file_size <= pos)
			return true;
	return false;
}

static void judge(bool there, __u64 pos, __u64 word, __u64 lo)
{
	__u64 hi = get(&s.begun);

	if (there && !possible(pos, word, lo, hi))
		add(&s.wrong, 1);
	if (there)
		return;
	add(&s.gone, 1);
	if (!may_be_gone(pos, lo, hi))
		add(&s.failed, 1);
}

static void read_page(__u64 pos)
{
	__u64 buf[PAGE / 8], lo = get(&s.done);
	ssize_t n = pread(s.fd, buf, PAGE, pos);
	int i;

	if (n < 0) {
		add(&s.failed, 1);
		return;
	}
	judge(n == PAGE, pos, buf[0], lo);
	for (i = 64; i < n / 8; i += 64)
		if (!possible(pos + i * 8, buf[i], lo, get(&s.begun)))
			add(&s.wrong, 1);
	add(&s.reads, 1);
}

static void write_page(__u64 pos, __u64 nr)
{
	__u64 buf[PAGE / 8], lo = get(&s.done);
	ssize_t n;
	int i;

	for (i = 0; i < (int)(PAGE / 8); i++)
		buf[i] = tag(pos, nr);
	n = pwrite(s.fd, buf, PAGE, pos);
	if (n != PAGE && !(n < 0 && errno == EFBIG &&
			   may_be_gone(pos, lo, get(&s.begun))))
		add(&s.failed, 1);
	add(&s.writes, 1);
}

static void load_word(char *map, __u64 pos)
{
	__u64 word = 0, lo = get(&s.done);
	int sig = load_u64((__u64 *)(map + pos), &word);

	judge(!sig, pos, word, lo);
	add(&s.loads, 1);
}

static void store_word(char *map, __u64 pos, __u64 nr)
{
	__u64 lo = get(&s.done);

	if (store_u64((__u64 *)(map + pos), tag(pos, nr)))
		judge(false, pos, 0, lo);
	add(&s.stores, 1);
}

static long work(struct tfs_job *job)
{
	char *map = job->flags & 1 ? s.small : s.huge;
	__u64 i, pos;

	for (i = job->flags; !__atomic_load_n(&s.stop, __ATOMIC_SEQ_CST);
	     i += 7) {
		pos = i * 2654435761u % (SIZE / PAGE) * PAGE;
		switch (job->flags / 2) {
		case 0:
			read_page(pos);
			break;
		case 1:
			write_page(HEAD + pos % TAIL, i);
			break;
		case 2:
			load_word(map, pos + i % 512 * 8);
			break;
		default:
			store_word(map, HEAD + pos % TAIL + i % 512 * 8, i);
			break;
		}
	}
	return 0;
}

/* The same place is left by every third map; the shapes take turns. */
static void make_map(struct tfs_msg *m, int nr, bool shrinks)
{
	__u64 at = nr % PLACES * PLACE;
	int i;

	if (shrinks && nr % 2) {
		tfs_msg_simple(m, SHORT, 0, at, SHORT);
		return;
	}
	tfs_msg_init(m, SIZE, FUSE_FMAP_EXT_SIMPLE);
	switch (nr % 3 ? nr % 2 : 2) {
	case 0:
		tfs_msg_extent(m, 0, at, HEAD);
		break;
	case 1:
		tfs_msg_extent(m, 0, at + HEAD / 2, HEAD / 2);
		tfs_msg_extent(m, 0, at, HEAD / 2);
		break;
	default:
		for (i = 31; i >= 0; i--)
			tfs_msg_extent(m, 0, at + i * (HEAD / 32), HEAD / 32);
		break;
	}
	tfs_msg_extent(m, 0, at + HEAD, TAIL);
}

FIXTURE(replace_stress)
{
	struct tfs_env env;
	struct tfs_job job[THREADS];
	int dev, watch;
};

FIXTURE_VARIANT(replace_stress)
{
	bool shrinks;
};

FIXTURE_VARIANT_ADD(replace_stress, move) {};
FIXTURE_VARIANT_ADD(replace_stress, shrink) { .shrinks = true };

FIXTURE_SETUP(replace_stress)
{
	const char *why = tfs_env_init(&self->env, 1);
	int i;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, PLACES * PLACE));
	memset(&s, 0, sizeof(s));
	s.env = &self->env;
	for (i = 0; i < MAPS; i++)
		make_map(&s.map[i], i, variant->shrinks);
	tfs_add_mapped(&self->env, "f", &s.map[0]);
	tfs_add_simple(&self->env, "watch", TAIL, 0, 2 * PLACE + HEAD);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	s.fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_LE(0, s.fd);
	self->watch = tfs_open(&self->env, "watch", O_RDONLY);
	ASSERT_LE(0, self->watch);
	s.huge = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s.fd, 0);
	s.small = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s.fd,
		       0);
	ASSERT_NE(MAP_FAILED, s.huge);
	ASSERT_NE(MAP_FAILED, s.small);
	ASSERT_EQ(0, madvise(s.small, SIZE, MADV_NOHUGEPAGE));
	tfs_counts_reset(&self->env.srv);
}

FIXTURE_TEARDOWN(replace_stress)
{
	int i;

	munmap(s.huge, SIZE);
	munmap(s.small, SIZE);
	close(s.fd);
	close(self->watch);
	EXPECT_EQ(0, tfs_umount(&self->env));
	close(self->dev);
	for (i = 0; i < MAPS; i++)
		tfs_msg_exit(&s.map[i]);
	TFS_TEARDOWN();
}

static bool time_left(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - start->tv_sec < (getenv("FAMFS_FULL") ? 60 : 4);
}

/* Moves the second file to the place that the first one had by map nr. */
static int take_place(FIXTURE_DATA(replace_stress) * self, __u64 nr)
{
	struct tfs_msg m;
	int err;

	tfs_msg_simple(&m, TAIL, 0, nr % PLACES * PLACE + HEAD, TAIL);
	err = tfs_push_map(self->dev, 1, &m);
	tfs_msg_exit(&m);
	return err;
}

/* Does anything that the first file's users do still arrive there? */
static bool place_is_quiet(FIXTURE_DATA(replace_stress) * self)
{
	static char before[TAIL], after[TAIL];

	if (pread(self->watch, before, TAIL, 0) != TAIL)
		return false;
	usleep(1000);
	return pread(self->watch, after, TAIL, 0) == TAIL &&
	       !memcmp(before, after, TAIL);
}

TEST_F_TIMEOUT(replace_stress, M6_maps_are_replaced_under_eight_threads, 120)
{
	__u64 nr = 0, noisy = 0, refused = 0;
	struct timespec start;
	int i, err;

	for (i = 0; i < THREADS; i++) {
		self->job[i] = (struct tfs_job){ .run = work, .flags = i };
		ASSERT_EQ(0, tfs_job_start(&self->job[i]));
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (time_left(&start)) {
		__atomic_store_n(&s.begun, nr + 1, __ATOMIC_SEQ_CST);
		err = tfs_push_map(self->dev, 0, &s.map[(nr + 1) % MAPS]);
		if (err) {
			refused++;
			break;
		}
		__atomic_store_n(&s.done, nr + 1, __ATOMIC_SEQ_CST);
		refused += take_place(self, nr) != 0;
		/* Not each time: most maps are to be in force shortly. */
		if (nr % 8 == 0)
			noisy += !place_is_quiet(self);
		nr++;
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < THREADS; i++)
		ASSERT_TRUE(tfs_job_done(&self->job[i], TFS_SOON));
	TH_LOG("%llu replacements, %llu refused, %llu places not left alone",
	       nr, refused, noisy);
	TH_LOG("%llu reads, %llu writes, %llu loads, %llu stores, %llu beyond the end",
	       s.reads, s.writes, s.loads, s.stores, s.gone);
	TH_LOG("%llu wrong words, %llu failed accesses", s.wrong, s.failed);
	EXPECT_LT(10, nr);
	EXPECT_EQ(0, refused);
	EXPECT_EQ(0, noisy);
	EXPECT_EQ(0, s.wrong);
	EXPECT_EQ(0, s.failed);
	EXPECT_FETCHES(0);
	EXPECT_LT(0, s.reads * s.writes * s.loads * s.stores);
}

TEST_HARNESS_MAIN
