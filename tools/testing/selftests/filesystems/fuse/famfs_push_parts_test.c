// SPDX-License-Identifier: GPL-2.0
/*
 * Maps that are pushed in parts, because they are larger than the server wants
 * to send at once.
 *
 * What is easily wrong here: a part that is written beyond what the first one
 * announced; parts of two files that are mixed; memory for a map whose end
 * never comes; half a map in force.
 */
#include <time.h>

#include "tfs_test.h"

#define PAGE	4096UL
#define PAGES	64
#define MILLION	(1024 * 1024ULL)
#define SIZE	(PAGES * PAGE)

FIXTURE(push_parts)
{
	struct tfs_env env;
	struct tfs_msg a, b;		/* "f" has one, and is to get the other */
	int dev;			/* for notifications past the server */
	int fd;
};

/* An extent for each page, in reverse order. */
static void scattered(struct tfs_msg *m, __u64 pages, __u64 at)
{
	__u64 i;

	tfs_msg_init(m, pages * PAGE, FUSE_FMAP_EXT_SIMPLE);
	for (i = pages; i > 0; i--)
		tfs_msg_extent(m, 0, at + (i - 1) * PAGE, PAGE);
}

FIXTURE_SETUP(push_parts)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, 16 * MiB));
	tfs_msg_simple(&self->a, SIZE, 0, 0, SIZE);
	scattered(&self->b, PAGES, 8 * MiB);
	tfs_add_mapped(&self->env, "f", &self->a);
	tfs_add_simple(&self->env, "g", SIZE, 0, 4 * MiB);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(push_parts)
{
	close(self->fd);
	EXPECT_EQ(1, tfs_fetches(&self->env.srv));
	EXPECT_EQ(0, tfs_umount(&self->env));
	close(self->dev);
	tfs_msg_exit(&self->a);
	tfs_msg_exit(&self->b);
	TFS_TEARDOWN();
}

/* A part of b, as if the whole were size bytes. */
static int part(FIXTURE_DATA(push_parts) * self, int file, __u64 size,
		__u64 offset, size_t len)
{
	return tfs_push_to(self->dev, TFS_INO(file), FUSE_NOTIFY_FMAP_PART,
			   size, offset, self->b.buf + offset, len);
}

/* All of a message from an offset on, in parts of this length. */
static int parts_from(int dev, int file, const struct tfs_msg *m, __u64 from,
		      size_t len)
{
	int err = 0;

	for (; from < m->len && !err; from += len) {
		size_t rest = m->len - from;

		err = tfs_push_to(dev, TFS_INO(file),
				  FUSE_NOTIFY_FMAP_PART, m->len, from,
				  m->buf + from, len < rest ? len : rest);
	}
	return err;
}

#define EXPECT_MAP(m) EXPECT_EQ(0, tfs_check_all(self->fd, NULL, m))

TEST_F(push_parts, M6_parts_of_every_length)
{
	static const size_t lens[] = { 1, 7, 24, 31, 32, 33, 1000, 100000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		EXPECT_EQ(0, parts_from(self->dev, 0, &self->b, 0, lens[i])) {
			TH_LOG("parts of %zu bytes", lens[i]);
		}
		EXPECT_MAP(&self->b);
		EXPECT_EQ(0, tfs_push_map(self->dev, 0, &self->a));
		EXPECT_MAP(&self->a);
	}
}

TEST_F(push_parts, M6_nothing_changes_before_the_last_part)
{
	__u64 size = self->b.len, at;

	for (at = 0; at < size - 1; at += 100) {
		EXPECT_EQ(0, part(self, 0, size, at,
				  at + 100 < size - 1 ? 100 : size - 1 - at));
		EXPECT_MAP(&self->a);
	}
	EXPECT_EQ(0, part(self, 0, size, size - 1, 1));
	EXPECT_MAP(&self->b);
}

/* Each of them gives up what came before. */
TEST_F(push_parts, M6_parts_that_do_not_fit)
{
	__u64 size = self->b.len;
	static const struct {
		__s64 skew;		/* of the second part's offset */
		__s64 more;		/* that it says the whole has */
		size_t len;
	} second[] = {
		{ 1, 0, 100 }, { -1, 0, 100 }, { -50, 0, 50 }, { 100, 0, 1 },
		{ 0, 1, 100 }, { 0, -1, 100 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(second); i++) {
		EXPECT_EQ(0, part(self, 0, size, 0, 100));
		EXPECT_EQ(-EINVAL, part(self, 0, size + second[i].more,
					100 + second[i].skew, second[i].len)) {
			TH_LOG("second part %zu", i);
		}
		EXPECT_EQ(-EINVAL, part(self, 0, size, 100, 100));
		EXPECT_MAP(&self->a);
	}
	/* Beyond the end of the whole, by one byte and by many. */
	EXPECT_EQ(0, part(self, 0, size, 0, 100));
	EXPECT_EQ(-EINVAL, part(self, 0, size, 100, size - 99));
	EXPECT_EQ(-EINVAL, part(self, 0, 99, 0, 100));
	EXPECT_EQ(-EINVAL, part(self, 0, size, size, 1));
	EXPECT_EQ(-EINVAL, part(self, 0, size, ~0ULL - 10, 20));
	/* Without bytes, without a whole, or with too large a one. */
	EXPECT_EQ(-EINVAL, part(self, 0, size, 0, 0));
	EXPECT_EQ(0, part(self, 0, 0, 0, 0));
	EXPECT_EQ(-EINVAL, part(self, 0, 0, 0, 1));
	EXPECT_EQ(-E2BIG, part(self, 0, TFS_PUSH_MAX + 1, 0, 100));
	EXPECT_EQ(-E2BIG, part(self, 0, ~0ULL, 0, 100));
	EXPECT_MAP(&self->a);
	EXPECT_EQ(0, parts_from(self->dev, 0, &self->b, 0, 500));
	EXPECT_MAP(&self->b);
}

TEST_F(push_parts, M6_first_part_begins_anew)
{
	__u64 size = self->b.len;

	EXPECT_EQ(0, part(self, 0, TFS_PUSH_MAX, 0, 64));
	EXPECT_EQ(0, part(self, 0, size, 0, 200));
	EXPECT_EQ(0, part(self, 0, size, 0, 300));
	EXPECT_EQ(0, parts_from(self->dev, 0, &self->b, 300, 64));
	EXPECT_MAP(&self->b);
}

/* What comes in between counts at once; what has begun goes on. */
TEST_F(push_parts, M6_whole_map_between_parts)
{
	struct tfs_msg m;

	EXPECT_EQ(0, part(self, 0, self->b.len, 0, 200));
	tfs_msg_simple(&m, SIZE, 0, 12 * MiB, SIZE);
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &m));
	EXPECT_MAP(&m);
	EXPECT_EQ(0, parts_from(self->dev, 0, &self->b, 200, 300));
	EXPECT_MAP(&self->b);
	tfs_msg_exit(&m);
}

TEST_F(push_parts, M6_parts_of_two_files_in_turn)
{
	struct tfs_msg m;
	__u64 at, size, other;
	int g;

	scattered(&m, PAGES, 12 * MiB);
	size = self->b.len;
	ASSERT_EQ(0, tfs_stat_size(&self->env, "g", &other));
	for (at = 0; at < size; at += 100) {
		size_t n = size - at < 100 ? size - at : 100;

		EXPECT_EQ(0, part(self, 0, size, at, n));
		EXPECT_EQ(0, tfs_push_to(self->dev, TFS_INO(1),
					 FUSE_NOTIFY_FMAP_PART, size, at,
					 m.buf + at, n));
	}
	EXPECT_MAP(&self->b);
	g = ASSERT_OPEN("g", O_RDONLY);
	EXPECT_EQ(0, tfs_check_all(g, NULL, &m));
	close(g);
	tfs_msg_exit(&m);
}

TEST_F(push_parts, M6_malformed_whole_of_good_parts)
{
	struct fuse_fmap_header *h = tfs_msg_header(&self->b);

	h->version++;
	EXPECT_EQ(-EINVAL, parts_from(self->dev, 0, &self->b, 0, 100));
	EXPECT_MAP(&self->a);
	h->version--;
	h->nextents++;
	EXPECT_EQ(-EINVAL, parts_from(self->dev, 0, &self->b, 0, 100));
	EXPECT_MAP(&self->a);
	h->nextents--;
	EXPECT_EQ(0, parts_from(self->dev, 0, &self->b, 0, 100));
	EXPECT_MAP(&self->b);
}

/* Their end never comes: for files in use and evicted; and never known. */
TEST_F(push_parts, X3_parts_that_are_never_completed)
{
	__u64 size = self->b.len, other;
	int i;

	for (i = 0; i < 100; i++)
		EXPECT_EQ(i ? -ENOENT : 0,
			  part(self, i, 4096 * (i + 1), 0, 100));
	ASSERT_EQ(0, tfs_stat_size(&self->env, "g", &other));
	EXPECT_EQ(0, part(self, 1, size, 0, 100));
	ASSERT_EQ(0, tfs_drop_caches());
	EXPECT_EQ(-ENOENT, parts_from(self->dev, 1, &self->b, 100, 1000));
	EXPECT_MAP(&self->a);
	/* Unmounting in the teardown must free the rest. */
}

static double seconds(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - since->tv_sec +
	       (now.tv_nsec - since->tv_nsec) / 1e9;
}

/* The map leads in reverse order to pages that have the pattern. */
static bool reversed(int fd, __u64 pages)
{
	char want[PAGE], got[PAGE];
	__u64 i;

	for (i = 0; i < 16 * MiB / PAGE; i += 13) {
		pattern_fill(0, i * PAGE, want, PAGE);
		if (pread(fd, got, PAGE, (pages - 1 - i) * PAGE) != PAGE ||
		    memcmp(want, got, PAGE))
			return false;
	}
	return true;
}

/* As many extents as the device has pages, or as FAMFS_EXTENTS says. */
TEST_F_TIMEOUT(push_parts, M5_extent_for_each_page_of_the_device, 180)
{
	__u64 pages = self->env.devs[0].size / PAGE;
	const char *limit = getenv("FAMFS_EXTENTS");
	__u64 most = limit ? strtoull(limit, NULL, 0) : MILLION;
	struct timespec start;
	struct tfs_msg m;

	if (most < pages)
		pages = most;
	scattered(&m, pages, 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	ASSERT_EQ(0, parts_from(self->dev, 0, &m, 0, MiB));
	TH_LOG("%llu extents in %zu parts of 1 MiB: %.2f s", pages,
	       (m.len + MiB - 1) / MiB, seconds(&start));
	EXPECT_TRUE(reversed(self->fd, pages));
	clock_gettime(CLOCK_MONOTONIC, &start);
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &self->a));
	TH_LOG("replaced by one extent: %.2f s", seconds(&start));
	EXPECT_MAP(&self->a);
	tfs_msg_exit(&m);
}

/*
 * Extents for pages in reverse order, made as they are sent: the kernel's
 * memory is enough to have.
 */
static int push_reversed(int dev, __u64 pages)
{
	const struct fuse_fmap_header h = {
		.version = FUSE_FMAP_VERSION,
		.nextents = pages,
		.file_size = pages * PAGE,
	};
	static struct fuse_fmap_extent e[1 << 16];
	const __u64 len = sizeof(h) + pages * sizeof(e[0]);
	__u64 at, i, n;
	int err;

	err = tfs_push_to(dev, TFS_INO(0), FUSE_NOTIFY_FMAP_PART, len, 0,
			  &h, sizeof(h));
	for (at = 0; at < pages && !err; at += n) {
		n = pages - at < ARRAY_SIZE(e) ? pages - at : ARRAY_SIZE(e);
		for (i = 0; i < n; i++)
			e[i] = (struct fuse_fmap_extent){
				.offset = (pages - 1 - at - i) * PAGE,
				.len = PAGE,
			};
		err = tfs_push_to(dev, TFS_INO(0), FUSE_NOTIFY_FMAP_PART,
				  len, sizeof(h) + at * sizeof(e[0]), e,
				  n * sizeof(e[0]));
	}
	return err;
}

/*
 * What counts extents or bytes in 32 bits, or takes time that grows faster than
 * their number, shows here.
 */
TEST_F_TIMEOUT(push_parts, M5_sixteen_million_extents, 900)
{
	const __u64 pages = 16 * MILLION;
	struct timespec start;

	if (self->env.devs[0].size / PAGE < pages)
		SKIP(return, "needs a device of 64 GiB: BACKEND=hmem-large");
	clock_gettime(CLOCK_MONOTONIC, &start);
	ASSERT_EQ(0, push_reversed(self->dev, pages));
	TH_LOG("%llu extents: %.2f s", pages, seconds(&start));
	EXPECT_TRUE(reversed(self->fd, pages));

	/* Nothing has been left behind that would be in the way. */
	clock_gettime(CLOCK_MONOTONIC, &start);
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &self->a));
	TH_LOG("replaced by one extent: %.2f s", seconds(&start));
	EXPECT_MAP(&self->a);
}

TEST_HARNESS_MAIN
