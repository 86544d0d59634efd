// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that users pin for as long as they like, where the server allows it with
 * FUSE_FMAP_LONGTERM_PIN: fixed buffers of io_uring.
 *
 * What is easily wrong here: pins that the server has not allowed, or does not
 * any more; a page that moves to another file while a device reads and writes
 * it; what a device has written after fsync(), and no later fsync() finds.
 */
#include <sys/syscall.h>
#include <linux/io_uring.h>

#include "tfs_jobs.h"
#include "tfs_trace.h"
#include "tfs_two_sizes.h"

FIXTURE(pin)
{
	TWO_SIZES_FIELDS;
	struct tfs_msg none;		/* the same map, without the flag */
	int dev, ring;
};

FIXTURE_SETUP(pin)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct io_uring_params p = {};

	if (why)
		SKIP(return, "%s", why);
	self->ring = syscall(SYS_io_uring_setup, 1, &p);
	if (self->ring < 0)
		SKIP(return, "no io_uring");
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	TWO_SIZES_SETUP();
	tfs_msg_simple(&self->none, SIZE, 0, 0, SIZE);
	tfs_msg_header(&self->m)->flags = FUSE_FMAP_LONGTERM_PIN;
	ASSERT_EQ(0, tfs_push_map(self->dev, 0, &self->m));
}

FIXTURE_TEARDOWN(pin)
{
	close(self->ring);
	close(self->dev);
	tfs_msg_exit(&self->none);
	TWO_SIZES_TEARDOWN();
}

#define EXPECT_PINNED(p, len) EXPECT_EQ(0, tfs_ring_pin(self->ring, p, len))
#define EXPECT_UNPINNED() EXPECT_EQ(0, tfs_ring_unpin(self->ring))

/* The work that lets go of buffers may come a little later. */
static int push_soon(int dev, const struct tfs_msg *m)
{
	int err, i;

	for (i = 0; i < 200; i++) {
		err = tfs_push_map(dev, 0, m);
		if (err != -EBUSY)
			break;
		usleep(10000);
	}
	return err;
}

TEST_F(pin, M6_pages_are_pinned_if_the_server_allows_it)
{
	EXPECT_PINNED(self->map, PMD);
	EXPECT_UNPINNED();
	/* Of a huge page a part, and small ones, and ones not mapped so far. */
	EXPECT_PINNED(self->map + 5 * PAGE, PAGE);
	EXPECT_UNPINNED();
	EXPECT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	EXPECT_PINNED(self->map, SIZE);
	EXPECT_UNPINNED();
	EXPECT_PINNED(self->small, SIZE);
	EXPECT_UNPINNED();
}

TEST_F(pin, M6_no_pins_without_the_flag)
{
	EXPECT_EQ(0, push_soon(self->dev, &self->none));
	EXPECT_EQ(-EOPNOTSUPP, tfs_ring_pin(self->ring, self->map, PAGE));
	EXPECT_EQ(-EOPNOTSUPP, tfs_ring_pin(self->ring, self->small, PAGE));
	/* Not by a page that is mapped, either. */
	tfs_dirty(self->map);
	tfs_dirty(self->small + PAGE);
	EXPECT_EQ(-EOPNOTSUPP, tfs_ring_pin(self->ring, self->map, PAGE));
	EXPECT_EQ(-EOPNOTSUPP,
		  tfs_ring_pin(self->ring, self->small + PAGE, PAGE));
	EXPECT_EQ(0, push_soon(self->dev, &self->m));
	EXPECT_PINNED(self->map, PAGE);
	EXPECT_UNPINNED();
}

/* Other memory. */
static void move(struct tfs_msg *m)
{
	tfs_msg_init(m, SIZE, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(m, 0, PMD, PMD);
	tfs_msg_extent(m, 0, 0, SIZE - PMD);
	tfs_msg_header(m)->flags = FUSE_FMAP_LONGTERM_PIN;
}

TEST_F(pin, M6_a_pinned_page_keeps_the_map)
{
	struct tfs_msg moved, more;

	move(&moved);
	tfs_msg_simple(&more, SIZE, 0, 0, SIZE + PMD);
	tfs_msg_header(&more)->flags = FUSE_FMAP_LONGTERM_PIN;
	EXPECT_PINNED(self->map + PMD + PAGE, PAGE);
	EXPECT_EQ(-EBUSY, tfs_push_map(self->dev, 0, &moved));
	EXPECT_EQ(-EBUSY, tfs_revoke(self->dev, 0));
	/* Nor is the permission taken back. */
	EXPECT_EQ(-EBUSY, tfs_push_map(self->dev, 0, &self->none));
	/* What leaves the page where it is may change. */
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &more));
	EXPECT_UNPINNED();
	EXPECT_EQ(0, push_soon(self->dev, &self->none));
	EXPECT_EQ(0, push_soon(self->dev, &moved));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &moved));
	EXPECT_PINNED(self->map, PAGE);
	EXPECT_UNPINNED();
	EXPECT_EQ(0, push_soon(self->dev, &self->m));
	tfs_msg_exit(&moved);
	tfs_msg_exit(&more);
}

/*
 * A private page is the user's own, as ever: neither does the pin keep the map,
 * nor does another map take the page away.
 */
TEST_F(pin, M6_private_pages_are_pinned_as_copies)
{
	struct tfs_msg moved;
	char *own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			 self->fd, 0);

	ASSERT_NE(MAP_FAILED, own);
	EXPECT_EQ(8, tfs_mismatch(&self->m, 0, own, 8));
	EXPECT_PINNED(own, 2 * PAGE);
	own[0] ^= 1;
	move(&moved);
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &moved));
	/* Both hold what the file was when they were pinned, and what is new. */
	own[0] ^= 1;
	EXPECT_EQ(2 * PAGE, tfs_mismatch(&self->m, 0, own, 2 * PAGE));
	own[0] ^= 1;
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &moved));
	EXPECT_UNPINNED();
	EXPECT_EQ(0, push_soon(self->dev, &self->m));
	munmap(own, SIZE);
	tfs_msg_exit(&moved);
}

/* Entries that were written back, by fsync() or otherwise, since the last call. */
static int written_back(struct tfs_trace *trace, int fd)
{
	int n, err = fd < 0 ? 0 : fsync(fd);

	n = err ? -errno : tfs_trace_lines(trace->instance,
					   "dax_writeback_one", "pgoff");
	tfs_trace_clear(trace);
	return n;
}

/* Entries are known by what an fsync() finds to write back. */
TEST_F(pin, I6_a_pinned_page_stays_dirty)
{
	struct tfs_trace trace = {};
	const struct {
		char *p;
		size_t len;
	} cases[] = {
		{ self->map + PMD + PAGE, PAGE }, { self->map, PAGE },
	};
	int i, n;

	if (tfs_trace_on(&trace, "fs_dax/dax_writeback_one", NULL))
		SKIP(return, "need tracefs");
	EXPECT_LE(0, written_back(&trace, self->fd));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, written_back(&trace, self->fd));
		EXPECT_PINNED(cases[i].p, cases[i].len);
		EXPECT_EQ(1, written_back(&trace, self->fd));
		EXPECT_EQ(1, written_back(&trace, self->fd));
		sync();
		EXPECT_LE(1, written_back(&trace, -1));
		EXPECT_UNPINNED();
		/* The last time; letting go may take a moment. */
		for (n = 0; n < 200; n++) {
			usleep(10000);
			if (!written_back(&trace, self->fd))
				break;
		}
		EXPECT_GT(200, n);
		EXPECT_LT(0, n);
	}
	tfs_trace_end(&trace);
}

/* The last close does not wait, and the page is not given away. */
TEST_F(pin, M6_closing_keeps_what_is_pinned)
{
	EXPECT_PINNED(self->map, SIZE);
	munmap(self->map, SIZE);
	munmap(self->small, SIZE);
	close(self->fd);
	EXPECT_EQ(-EBUSY, tfs_revoke(self->dev, 0));
	EXPECT_UNPINNED();
	self->fd = ASSERT_OPEN("f", O_RDWR);
	self->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	self->small = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			   self->fd, 0);
	tfs_counts_reset(&self->env.srv);
}

TEST_HARNESS_MAIN
