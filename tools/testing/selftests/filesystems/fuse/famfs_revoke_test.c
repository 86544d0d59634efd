// SPDX-License-Identifier: GPL-2.0
/*
 * Maps that the server takes back, and maps whose pages somebody has pinned.
 *
 * What is easily wrong here: a fault that finds an entry of a map that is gone;
 * a file without a map that is taken for an ordinary one, and read by requests;
 * a page that is given to another file while a device or a request still writes
 * to it.
 */
#include <sys/syscall.h>
#include <linux/io_uring.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(PMD + 8 * PAGE)
#define FILLED	(16 * MiB)
#define AWAY	(8 * MiB)
#define READERS	6
#define COPIES	1000

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

FIXTURE(revoke)
{
	struct tfs_env env;
	struct tfs_msg a, b;		/* two good maps of "f" */
	int dev;			/* for notifications past the server */
	int fd;				/* of "f" */
	char *map;			/* of it, with pages of both sizes */
};

FIXTURE_SETUP(revoke)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, FILLED));
	tfs_msg_simple(&self->a, SIZE, 0, 0, SIZE);
	tfs_msg_simple(&self->b, SIZE, 0, AWAY, SIZE);
	tfs_add_mapped(&self->env, "f", &self->a);
	tfs_add_data(&self->env.srv, "plain", NULL, 0);
	self->env.srv.st->files[1].size = TFS_DATA_SIZE;
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	tfs_dirty(self->map);
	tfs_dirty(self->map + PMD + PAGE);
	tfs_counts_reset(&self->env.srv);
}

FIXTURE_TEARDOWN(revoke)
{
	munmap(self->map, SIZE);
	close(self->fd);
	tfs_msg_exit(&self->a);
	tfs_msg_exit(&self->b);
	EXPECT_EQ(0, tfs_umount(&self->env));
	close(self->dev);
	TFS_TEARDOWN();
}

#define REVOKE() EXPECT_EQ(0, tfs_revoke(self->dev, 0))

TEST_F(revoke, M6_faults_after_it_bring_sigbus)
{
	struct stat st;

	REVOKE();
	EXPECT_EQ(SIGBUS, load_byte(self->map));
	EXPECT_EQ(SIGBUS, store_byte(self->map + PMD + PAGE, 'x'));
	EXPECT_EQ(SIGBUS, load_byte(self->map + 5 * PAGE));
	/* A fault never asks for anything. */
	EXPECT_FETCHES(0);
	EXPECT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(SIZE, st.st_size);
	EXPECT_EQ(0, tfs_maps(&self->env));
	/* As soon as there is a map again, memory is there again. */
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &self->b));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->b));
	EXPECT_FETCHES(0);
}

/* Each of them asks once, and once only, and works. */
TEST_F(revoke, M6_open_read_write_and_mmap_ask_again)
{
	char c = 0, *map;
	int i;

	for (i = 0; i < 4; i++) {
		struct tfs_msg *m = i % 2 ? &self->a : &self->b;

		tfs_set_map(&self->env.srv, 0, m->buf, m->len);
		REVOKE();
		tfs_counts_reset(&self->env.srv);
		switch (i) {
		case 0:
			close(ASSERT_OPEN("f", O_RDWR));
			break;
		case 1:
			EXPECT_EQ(1, pread(self->fd, &c, 1, PAGE));
			EXPECT_EQ(1, tfs_mismatch(m, PAGE, &c, 1));
			break;
		case 2:
			EXPECT_EQ(1, pread(self->fd, &c, 1, PAGE));
			REVOKE();
			EXPECT_EQ(1, pwrite(self->fd, &c, 1, PAGE));
			EXPECT_FETCHES(2);
			tfs_counts_reset(&self->env.srv);
			REVOKE();
			EXPECT_EQ(1, pwrite(self->fd, &c, 1, PAGE));
			break;
		case 3:
			map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->fd,
				   0);
			ASSERT_NE(MAP_FAILED, map);
			EXPECT_EQ(16, tfs_mismatch(m, PMD, map + PMD, 16));
			munmap(map, SIZE);
			break;
		}
		EXPECT_FETCHES(1);
		EXPECT_EQ(0, tfs_check_all(self->fd, self->map, m)) {
			TH_LOG("after access %d", i);
		}
		EXPECT_FETCHES(1);
	}
	EXPECT_COUNT(0, FUSE_READ);
	EXPECT_COUNT(0, FUSE_WRITE);
}

/* What is not there when it is asked for is an error of whoever needs it. */
TEST_F(revoke, M6_errors_of_asking_again_reach_who_needs_the_map)
{
	char c;

	REVOKE();
	rule_fail(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, -ENXIO, 4);
	EXPECT_ERRNO(ENXIO, pread(self->fd, &c, 1, 0));
	EXPECT_ERRNO(ENXIO, pwrite(self->fd, "x", 1, 0));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->fd,
				   0));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_OPEN_FAILS(ENXIO, "f", O_RDWR);
	EXPECT_EQ(SIGBUS, load_byte(self->map));
	/* None of it was kept. */
	EXPECT_EQ(1, pread(self->fd, &c, 1, 0));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->a));
}

TEST_F(revoke, M6_server_that_knows_no_maps_any_more)
{
	char c;

	REVOKE();
	rule_fail(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, -ENOSYS, -1);
	EXPECT_ERRNO(EIO, pread(self->fd, &c, 1, 0));
	EXPECT_ERRNO(EIO, pread(self->fd, &c, 1, 0));
	EXPECT_ERRNO(EIO, pwrite(self->fd, "x", 1, 0));
	EXPECT_FETCHES(1);
}

TEST_F(revoke, I2_nowait_does_not_ask_for_the_map)
{
	struct iovec iov = { malloc(PAGE), PAGE };
	int fd = ASSERT_OPEN("f", O_RDWR);

	REVOKE();
	EXPECT_ERRNO(EAGAIN, preadv2(fd, &iov, 1, 0, RWF_NOWAIT));
	EXPECT_ERRNO(EAGAIN, pwritev2(fd, &iov, 1, 0, RWF_NOWAIT));
	EXPECT_FETCHES(0);
	EXPECT_EQ(PAGE, preadv2(fd, &iov, 1, 0, 0));
	EXPECT_FETCHES(1);
	close(fd);
	free(iov.iov_base);
}

/* Writes what the file itself shows, in a mapping whose pages are gone. */
static long copy_within(struct tfs_job *job)
{
	char *map = job->iov->iov_base;
	long i;

	for (i = 0; i < COPIES; i++) {
		madvise(map, SIZE, MADV_DONTNEED);
		if (pwrite(job->fd, map + PMD, PAGE, i % 4 * PAGE) != PAGE)
			return -errno;
	}
	return i;
}

/* A fault that a change of the map waits for must not wait for the change. */
TEST_F(revoke, M6_map_changes_under_copies_of_the_file_to_itself)
{
	struct iovec iov = { self->map, SIZE };
	struct tfs_job copy = { .run = copy_within, .fd = self->fd,
				.iov = &iov };
	int i = 0, err;

	ASSERT_EQ(0, tfs_job_start(&copy));
	while (!tfs_job_done(&copy, 0)) {
		err = tfs_push_map(self->dev, 0, i % 2 ? &self->a : &self->b);
		/* madvise() has pages a little longer than their mapping. */
		ASSERT_TRUE(!err || err == -EBUSY);
		i += !err;
	}
	EXPECT_EQ(COPIES, copy.result);
	EXPECT_LT(1, i);
}

TEST_F(revoke, M6_mapped_file_never_becomes_ordinary)
{
	char c;

	tfs_set_map(&self->env.srv, 0, NULL, 0);
	REVOKE();
	EXPECT_ERRNO(EIO, pread(self->fd, &c, 1, 0));
	EXPECT_OPEN_FAILS(EIO, "f", O_RDWR);
	EXPECT_EQ(SIGBUS, load_byte(self->map));
	EXPECT_COUNT(0, FUSE_READ);
	tfs_set_map(&self->env.srv, 0, self->b.buf, self->b.len);
	EXPECT_EQ(1, pread(self->fd, &c, 1, 0));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->b));
}

TEST_F(revoke, M6_pages_are_free_for_another_file)
{
	int fd;

	REVOKE();
	tfs_add_simple(&self->env, "heir", SIZE, 0, 0);
	fd = ASSERT_OPEN("heir", O_RDWR);
	EXPECT_EQ(0, tfs_check_all(fd, NULL, &self->a));
	/* And not any more for who had them. */
	EXPECT_ERRNO(EEXIST, pwrite(self->fd, "x", 1, 0));
	EXPECT_EQ(SIGBUS, store_byte(self->map, 'x'));
	EXPECT_EQ(0, tfs_check_all(fd, NULL, &self->a));
	close(fd);
	ASSERT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->a));
}

/* Also of a file whose map it has already, or that has none. */
TEST_F(revoke, M6_twice_is_as_once)
{
	__u64 size;
	char c;

	REVOKE();
	REVOKE();
	EXPECT_EQ(1, pread(self->fd, &c, 1, 0));
	EXPECT_FETCHES(1);
	EXPECT_EQ(-ENOENT, tfs_revoke(self->dev, 1));
	ASSERT_EQ(0, tfs_stat_size(&self->env, "plain", &size));
	EXPECT_EQ(0, tfs_revoke(self->dev, 1));
}

/* That a file has no map is known until the server says otherwise. */
TEST_F(revoke, M6_ordinary_file_is_asked_about_again)
{
	int fd;

	close(ASSERT_OPEN("plain", O_RDONLY));
	close(ASSERT_OPEN("plain", O_RDONLY));
	EXPECT_FETCHES(1);
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 1));
	tfs_set_map(&self->env.srv, 1, self->b.buf, self->b.len);
	EXPECT_EQ(0, tfs_revoke(self->dev, 1));
	fd = ASSERT_OPEN("plain", O_RDONLY);
	EXPECT_FETCHES(2);
	EXPECT_EQ(0, tfs_check_all(fd, NULL, &self->b));
	close(fd);
}

TEST_F(revoke, M6_many_who_need_the_map_ask_once)
{
	struct tfs_job read[READERS];
	struct iovec iov[READERS];
	char buf[READERS][16];
	int i;

	REVOKE();
	rule_hold(&self->env.srv, FUSE_GET_FMAP, TFS_ANY);
	for (i = 0; i < READERS; i++) {
		iov[i] = (struct iovec){ buf[i], 16 };
		read[i] = (struct tfs_job){
			.run = tfs_job_read, .fd = self->fd, .iov = &iov[i],
			.iovs = 1, .pos = i * PAGE,
		};
		ASSERT_EQ(0, tfs_job_start(&read[i]));
	}
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	/* Time for a request too many to show. */
	usleep(100000);
	EXPECT_FETCHES(1);
	rules_release(&self->env.srv);
	for (i = 0; i < READERS; i++) {
		ASSERT_TRUE(tfs_job_done(&read[i], TFS_SOON));
		EXPECT_EQ(16, read[i].result);
		EXPECT_EQ(16, tfs_mismatch(&self->a, i * PAGE, buf[i], 16));
	}
	EXPECT_FETCHES(1);
}

/* While somebody reads what the server will never send again. */
TEST_F(revoke, X3_server_is_killed_while_a_reader_waits_for_the_map)
{
	struct iovec iov = { malloc(16), 16 };
	struct tfs_job read = { .run = tfs_job_read, .fd = self->fd,
				.iov = &iov, .iovs = 1 };

	REVOKE();
	/* Else this descriptor would keep the connection alive. */
	close(self->dev);
	self->dev = -1;
	rule_hold(&self->env.srv, FUSE_GET_FMAP, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(&read));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	EXPECT_EQ(0, tfs_server_signal(&self->env.srv, SIGKILL));
	ASSERT_TRUE(tfs_job_done(&read, TFS_SOON));
	EXPECT_EQ(-ECONNABORTED, read.result);
	EXPECT_ERRNO(ENOTCONN, pread(self->fd, iov.iov_base, 1, 0));
	EXPECT_EQ(SIGBUS, load_byte(self->map));
	free(iov.iov_base);
}

/* Everything that would take the page away is refused, and changes nothing. */
TEST_F(revoke, M6_page_in_a_pipe_is_not_taken_away)
{
	char buf[PAGE], want[PAGE];
	struct tfs_msg few;
	int pipes[2];

	tfs_msg_simple(&few, PAGE, 0, 0, PAGE);
	ASSERT_EQ(0, tfs_pin(pipes, self->map + PMD + PAGE));
	EXPECT_EQ(-EBUSY, tfs_push_map(self->dev, 0, &self->b));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->a));
	EXPECT_EQ(-EBUSY, tfs_revoke(self->dev, 0));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->a));
	EXPECT_EQ(-EBUSY, tfs_push_map(self->dev, 0, &few));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->a));
	EXPECT_EQ(1, tfs_maps(&self->env));
	EXPECT_FETCHES(0);
	/* What it has is its own, and what it was to get is not. */
	tfs_add_simple(&self->env, "heir", PAGE, 0, 0);
	EXPECT_OPEN_FAILS(EEXIST, "heir", O_RDWR);
	tfs_add_simple(&self->env, "free", PAGE, 0, AWAY + SIZE - PAGE);
	close(ASSERT_OPEN("free", O_RDWR));
	ASSERT_EQ(0, tfs_evict(&self->env, 1));
	/* It is the page that it was. */
	ASSERT_EQ(PAGE, read(pipes[0], buf, PAGE));
	pattern_fill(0, PMD + PAGE, want, PAGE);
	EXPECT_EQ(0, memcmp(want, buf, PAGE));
	tfs_unpin(pipes);
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &self->b));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->b));
	tfs_msg_exit(&few);
}

TEST_F(revoke, M6_huge_page_in_a_pipe_is_not_taken_away)
{
	int pipes[2];

	ASSERT_EQ(0, tfs_pin(pipes, self->map + 7 * PAGE));
	EXPECT_EQ(-EBUSY, tfs_push_map(self->dev, 0, &self->b));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->a));
	tfs_unpin(pipes);
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &self->b));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->b));
}

/* A request of another file carries pages of this one to the server. */
TEST_F(revoke, M6_page_in_direct_io_is_not_taken_away)
{
	int plain = ASSERT_OPEN("plain", O_RDWR | O_DIRECT);
	struct iovec iov = { self->map + PMD, 2 * PAGE };
	struct tfs_job write = { .run = tfs_job_write, .fd = plain,
				 .iov = &iov, .iovs = 1 };
	struct tfs_state *st = self->env.srv.st;

	rule_hold(&self->env.srv, FUSE_WRITE, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(&write));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	EXPECT_EQ(-EBUSY, tfs_push_map(self->dev, 0, &self->b));
	EXPECT_EQ(-EBUSY, tfs_revoke(self->dev, 0));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->a));
	rules_release(&self->env.srv);
	ASSERT_TRUE(tfs_job_done(&write, TFS_SOON));
	EXPECT_EQ(2 * PAGE, write.result);
	EXPECT_EQ(2 * PAGE, tfs_mismatch(&self->a, PMD, st->arena +
					 st->files[1].data, 2 * PAGE));
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &self->b));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->b));
	close(plain);
}

/* It is kept for who has pinned the page, and so it is still known. */
TEST_F(revoke, G4_file_that_cannot_be_evicted)
{
	int pipes[2];

	ASSERT_EQ(0, tfs_pin(pipes, self->map));
	munmap(self->map, SIZE);
	close(self->fd);
	ASSERT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	EXPECT_EQ(0, tfs_drop_caches());
	EXPECT_EQ(-EBUSY, tfs_push_map(self->dev, 0, &self->b));
	EXPECT_EQ(-EBUSY, tfs_revoke(self->dev, 0));
	tfs_unpin(pipes);
	self->fd = ASSERT_OPEN("f", O_RDWR);
	self->map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->fd, 0);
}

/* What would pin pages for as long as it likes is refused from the start. */
TEST_F(revoke, M6_buffers_of_io_uring_do_not_keep_pages)
{
	struct iovec iov = { self->map + PMD, PAGE };
	struct io_uring_params p = {};
	int ring = syscall(SYS_io_uring_setup, 1, &p);

	if (ring < 0)
		SKIP(return, "need io_uring");
	EXPECT_NE(0, syscall(SYS_io_uring_register, ring,
			     IORING_REGISTER_BUFFERS, &iov, 1));
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &self->b));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->b));
	close(ring);
}

TEST_HARNESS_MAIN
