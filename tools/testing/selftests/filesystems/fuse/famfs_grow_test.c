// SPDX-License-Identifier: GPL-2.0
/*
 * Files that grow: by write(), at any place, by many at once, and until the
 * server has no more memory.
 *
 * The memory that the server gives holds a pattern, so that what should have
 * been zeroed shows.
 *
 * What is easily wrong here: what memory held before, seen by the next file; a
 * size that the server learns before the data is there, or never; a writer that
 * keeps a lock while it waits for the server; two writers that get one place.
 */
#include <sys/uio.h>

#include "tfs_growing.h"
#include "tfs_jobs.h"

#define PAGE	4096UL
#define UNITS	160			/* 10 MiB */
#define LONG	(3 * MiB + 777)

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

FIXTURE(grow)
{
	struct tfs_env env;
	struct tfs_file *file;
	int dev;			/* for notifications past the server */
	int fd;				/* of "f", which is empty */
	char *data;
};

/* What the server does when it is asked for more. */
FIXTURE_VARIANT(grow)
{
	bool pushes;
	__u32 ahead;
};

FIXTURE_VARIANT_ADD(grow, fetch) {};
FIXTURE_VARIANT_ADD(grow, push) { .pushes = true };
FIXTURE_VARIANT_ADD(grow, push_ahead) { .pushes = true, .ahead = 15 };

FIXTURE_SETUP(grow)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_server *srv = &self->env.srv;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, BASE + UNITS * UNIT));
	GROWING_INIT(UNITS);
	self->file->pushes = variant->pushes;
	self->file->ahead = variant->ahead;
	srv->st->new_grow = true;
	srv->st->new_push = variant->pushes;
	GROWING_MOUNT();
	self->data = malloc(LONG + 8);
	ASSERT_NE(NULL, self->data);
	pattern_fill(7, 0, self->data, (LONG + 7) & ~7UL);
	tfs_counts_reset(srv);
}

FIXTURE_TEARDOWN(grow)
{
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_WRITE));
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_READ));
	free(self->data);
	GROWING_TEARDOWN();
}

#define EXPECT_DATA(len)						\
	EXPECT_EQ(0, tfs_check_data(self->fd, self->data, len))

TEST_F(grow, G1_append)
{
	int fd = ASSERT_OPEN("f", O_WRONLY | O_APPEND);
	size_t len, done = 0;

	for (len = 1; done + len < LONG; len = len * 7 / 4 + 1) {
		ASSERT_EQ(len, write(fd, self->data + done, len));
		done += len;
		ASSERT_EQ(done, tfs_size_of(fd));
	}
	EXPECT_EQ(LONG - done, write(fd, self->data + done, LONG - done));
	EXPECT_DATA(LONG);
	close(fd);
	EXPECT_DATA(LONG);
	EXPECT_EQ(LONG, self->file->size);
}

/* The server is asked when what is mapped is full, and not before. */
TEST_F(grow, G1_server_is_asked_at_the_mapped_end_alone)
{
	__u64 asked = 0;
	size_t done;

	for (done = 0; done < 40 * UNIT; done += PAGE) {
		if (done / UNIT >= self->file->units)
			asked++;
		ASSERT_EQ(PAGE, pwrite(self->fd, self->data, PAGE, done));
		ASSERT_EQ(asked, tfs_count(&self->env.srv, FUSE_FALLOCATE));
	}
	EXPECT_EQ((39 + variant->ahead) / (1 + variant->ahead), asked);
	EXPECT_COUNT(variant->pushes ? 0 : asked, FUSE_GET_FMAP);
	EXPECT_EQ(0, self->env.srv.st->notify_errno);
	EXPECT_COUNT(0, FUSE_SETATTR);
}

/* As users do it; where a tool is missing, its exit status tells. */
TEST_F(grow, G1_tools)
{
	static const char *const lines[] = {
		"cp /bin/sh new && cmp /bin/sh new",
		"echo one > lines && echo two >> lines",
		"echo three | tee -a lines > /dev/null",
		"test \"$(cat lines)\" = \"$(printf 'one\\ntwo\\nthree')\"",
		"truncate -s 300000 new && test $(stat -c %s new) = 300000",
		"truncate -s 5000 new && cmp -n 5000 /bin/sh new",
		"fallocate -l 200000 lines",
		"test $(stat -c %s lines) = 200000",
		"cat new > copy && cmp new copy && cat new ./new > copy",
		"test $(stat -c %s copy) = 10000",
		"dd if=new of=copy bs=1000 seek=50 conv=notrunc status=none",
		"test $(stat -c %s copy) = 55000",
		"rm copy lines && sync -f new",
	};
	char line[512];
	int status;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		snprintf(line, sizeof(line), "cd %s && { %s; }",
			 self->env.dir, lines[i]);
		status = system(line);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
			SKIP(return, "no such tool: %s", lines[i]);
		EXPECT_EQ(0, status) {
			TH_LOG("%s", lines[i]);
		}
	}
}

TEST_F(grow, G1_fallocate)
{
	int modes[] = { 2, 3, 8, 0x10, 0x20, 0x40 };
	size_t i;

	EXPECT_EQ(0, fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, 10 * UNIT));
	EXPECT_EQ(0, tfs_size_of(self->fd));
	EXPECT_LE(10, self->file->units);
	EXPECT_COUNT(1, FUSE_FALLOCATE);
	EXPECT_EQ(LONG / 8, pwrite(self->fd, self->data, LONG / 8, 0));
	EXPECT_COUNT(1, FUSE_FALLOCATE);
	EXPECT_DATA(LONG / 8);
	/* What is there stays, what comes is zero. */
	EXPECT_EQ(0, fallocate(self->fd, 0, 100, 20 * UNIT));
	EXPECT_EQ(100 + 20 * UNIT, tfs_size_of(self->fd));
	EXPECT_TRUE(tfs_zeros(self->fd, LONG / 8, 100 + 20 * UNIT));
	EXPECT_EQ(0, fallocate(self->fd, 0, 0, PAGE));
	EXPECT_EQ(100 + 20 * UNIT, tfs_size_of(self->fd));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(100 + 20 * UNIT, self->file->size);
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		EXPECT_ERRNO(EOPNOTSUPP, fallocate(self->fd, modes[i], 0,
						   PAGE));
	EXPECT_ERRNO(ENOSPC, fallocate(self->fd, 0, 0, 2 * UNITS * UNIT));
	EXPECT_EQ(100 + 20 * UNIT, tfs_size_of(self->fd));
}

TEST_F(grow, G1_truncating_open)
{
	ASSERT_EQ(LONG, pwrite(self->fd, self->data, LONG, 0));
	close(ASSERT_OPEN("f", O_WRONLY | O_TRUNC));
	EXPECT_EQ(0, tfs_size_of(self->fd));
	EXPECT_EQ(0, self->file->size);
	EXPECT_EQ(1, self->file->units);
	ASSERT_EQ(100, pwrite(self->fd, self->data, 100, 0));
	EXPECT_DATA(100);
	close(ASSERT_OPEN("f", O_WRONLY | O_TRUNC | O_CREAT));
	EXPECT_EQ(0, tfs_size_of(self->fd));
	ASSERT_EQ(LONG, pwrite(self->fd, self->data, LONG, 0));
	EXPECT_DATA(LONG);
}

#define WRITERS	8
#define RECORDS	120
#define RECORD	1000

struct record {
	__u32 writer, nr;
	char fill[RECORD - 8];
};

static long append_records(struct tfs_job *job)
{
	struct record r = { .writer = job->flags };

	memset(r.fill, 'a' + r.writer, sizeof(r.fill));
	for (r.nr = 0; r.nr < RECORDS; r.nr++)
		if (write(job->fd, &r, RECORD) != RECORD)
			return -errno ?: -EIO;
	return 0;
}

/* Whole records, each writer's in order, and none missing. */
static int check_records(int fd, int writers)
{
	__u32 next[WRITERS] = {};
	struct record r;
	off_t pos;
	size_t i;

	for (pos = 0; pos < (off_t)writers * RECORDS * RECORD; pos += RECORD) {
		if (pread(fd, &r, RECORD, pos) != RECORD)
			return 1;
		if (r.writer >= WRITERS || r.nr != next[r.writer]++)
			return 2;
		for (i = 0; i < sizeof(r.fill); i++)
			if (r.fill[i] != (char)('a' + r.writer))
				return 3;
	}
	return tfs_size_of(fd) == pos ? 0 : 4;
}

TEST_F(grow, G1_eight_writers_append_to_one_file)
{
	struct tfs_job job[WRITERS];
	int i;

	for (i = 0; i < WRITERS; i++) {
		job[i] = (struct tfs_job){
			.run = append_records, .flags = i,
			.fd = ASSERT_OPEN("f", O_WRONLY | O_APPEND),
		};
		ASSERT_EQ(0, tfs_job_start(&job[i]));
	}
	for (i = 0; i < WRITERS; i++) {
		ASSERT_TRUE(tfs_job_done(&job[i], TFS_SOON));
		EXPECT_EQ(0, job[i].result);
		close(job[i].fd);
	}
	EXPECT_EQ(0, check_records(self->fd, WRITERS));
	EXPECT_EQ(WRITERS * RECORDS * RECORD, self->file->size);
}

TEST_F(grow, G1_eight_writers_append_to_eight_files)
{
	struct tfs_job job[WRITERS];
	char name[] = "w0";
	int i, fd;

	for (i = 0; i < WRITERS; i++, name[1]++) {
		job[i] = (struct tfs_job){
			.run = append_records, .flags = i,
			.fd = ASSERT_OPEN(name, O_WRONLY | O_APPEND | O_CREAT),
		};
		ASSERT_EQ(0, tfs_job_start(&job[i]));
	}
	for (i = 0, name[1] = '0'; i < WRITERS; i++, name[1]++) {
		ASSERT_TRUE(tfs_job_done(&job[i], TFS_SOON));
		EXPECT_EQ(0, job[i].result);
		close(job[i].fd);
		fd = ASSERT_OPEN(name, O_RDONLY);
		EXPECT_EQ(0, check_records(fd, 1));
		close(fd);
	}
}

TEST_F(grow, G1_what_fits_is_written_before_enospc)
{
	int hog = tfs_leave_units(&self->env.srv, 3);
	size_t room = 4 * UNIT, done = 0;
	ssize_t n;

	ASSERT_LE(0, hog);
	self->file->ahead = 0;
	/* The server gives all of what it is asked for, or nothing. */
	EXPECT_EQ(UNIT, pwrite(self->fd, self->data, 5 * UNIT, 0));
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, self->data + UNIT, 4 * UNIT,
				    UNIT));
	EXPECT_DATA(UNIT);
	EXPECT_EQ(2 * UNIT, pwrite(self->fd, self->data + UNIT, 2 * UNIT,
				   UNIT));
	/* Or it gives what it has, and says that it has no more. */
	self->file->partly = true;
	EXPECT_EQ(UNIT - 5, pwrite(self->fd, self->data + 3 * UNIT + 5,
				   2 * UNIT, 3 * UNIT + 5));
	EXPECT_EQ(5, pwrite(self->fd, self->data + 3 * UNIT, 5, 3 * UNIT));
	EXPECT_DATA(room);
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, "x", 1, room));
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, "x", 1, room + 1000));
	EXPECT_ERRNO(ENOSPC, fallocate(self->fd, 0, 0, room + 1));
	EXPECT_ERRNO(ENOSPC, ftruncate(self->fd, room + 1));
	EXPECT_DATA(room);
	/* When there is more again, it goes on. */
	tfs_shrink(&self->env.srv, &self->env.srv.st->files[hog], 0);
	for (done = room; done < LONG; done += n) {
		n = pwrite(self->fd, self->data + done, LONG - done, done);
		ASSERT_LT(0, n);
	}
	EXPECT_DATA(LONG);
}

/* Also errors by which the kernel could mean something of its own. */
TEST_F(grow, G1_servers_error_reaches_the_writer)
{
	static const int errors[] = { EIO, EDQUOT, ESTALE, EXFULL, EAGAIN };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		rule_fail(&self->env.srv, FUSE_FALLOCATE, TFS_ANY,
			  -errors[i], -1);
		EXPECT_ERRNO(errors[i], pwrite(self->fd, "x", 1, UNIT));
		EXPECT_ERRNO(errors[i], fallocate(self->fd, 0, UNIT, UNIT));
		EXPECT_EQ(0, tfs_size_of(self->fd));
		rules_clear(&self->env.srv);
	}
	EXPECT_EQ(1, pwrite(self->fd, "x", 1, UNIT));
}

TEST_F(grow, G1_others_go_on_while_a_writer_waits_for_the_server)
{
	struct iovec iov = { self->data, 4 * UNIT };
	struct tfs_job write = { .run = tfs_job_write, .fd = self->fd,
				 .iov = &iov, .iovs = 1 };
	char *map, c;

	ASSERT_EQ(PAGE, pwrite(self->fd, self->data, PAGE, 0));
	rule_hold(&self->env.srv, FUSE_FALLOCATE, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(&write));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	EXPECT_EQ(1, pwrite(self->fd, self->data, 1, 0));
	EXPECT_EQ(1, pread(self->fd, &c, 1, PAGE - 1));
	EXPECT_EQ(PAGE, pwrite(self->fd, self->data + PAGE, PAGE, PAGE));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(2 * PAGE, self->file->size);
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		   self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, store_byte(map + PAGE, self->data[PAGE]));
	munmap(map, 2 * PAGE);
	EXPECT_FALSE(tfs_job_done(&write, 50));
	rules_release(&self->env.srv);
	ASSERT_TRUE(tfs_job_done(&write, TFS_SOON));
	EXPECT_EQ(4 * UNIT, write.result);
	EXPECT_DATA(4 * UNIT);
}

/* Whoever has more memory by then does not mind what the server says. */
TEST_F(grow, G4_push_while_a_writer_waits_for_the_server)
{
	struct iovec iov = { self->data, 4 * UNIT };
	struct tfs_job write = { .run = tfs_job_write, .fd = self->fd,
				 .iov = &iov, .iovs = 1 };
	const void *map;
	size_t len;

	rule_fail(&self->env.srv, FUSE_FALLOCATE, TFS_ANY, -ENOSPC, -1);
	EXPECT_EQ(UNIT, pwrite(self->fd, self->data, 4 * UNIT, 0));
	rules_clear(&self->env.srv);
	rule_hold(&self->env.srv, FUSE_FALLOCATE, TFS_ANY);
	rule_fail(&self->env.srv, FUSE_FALLOCATE, TFS_ANY, -ENOSPC, -1);
	ASSERT_EQ(0, tfs_job_start(&write));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	ASSERT_EQ(0, tfs_grow(&self->env.srv, self->file, 4 * UNIT));
	map = tfs_map_of(&self->env.srv, self->file, &len);
	EXPECT_EQ(0, tfs_push_to(self->dev, TFS_INO(0), 0, 0, 0, map,
				 len));
	EXPECT_EQ(UNIT, tfs_size_of(self->fd));
	rules_release(&self->env.srv);
	ASSERT_TRUE(tfs_job_done(&write, TFS_SOON));
	EXPECT_EQ(4 * UNIT, write.result);
	EXPECT_DATA(4 * UNIT);
}

TEST_F(grow, X3_server_is_killed_while_a_writer_waits)
{
	struct iovec iov = { self->data, 4 * UNIT };
	struct tfs_job write = { .run = tfs_job_write, .fd = self->fd,
				 .iov = &iov, .iovs = 1, .pos = UNIT };
	char c;

	ASSERT_EQ(UNIT, pwrite(self->fd, self->data, UNIT, 0));
	close(self->dev);
	self->dev = -1;
	rule_hold(&self->env.srv, FUSE_FALLOCATE, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(&write));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	ASSERT_EQ(0, tfs_server_signal(&self->env.srv, SIGKILL));
	ASSERT_TRUE(tfs_job_done(&write, TFS_SOON));
	EXPECT_EQ(-ECONNABORTED, write.result);
	/* What is mapped needs no server. */
	EXPECT_EQ(1, pwrite(self->fd, "x", 1, UNIT - 1));
	EXPECT_EQ(1, pread(self->fd, &c, 1, UNIT - 1));
	EXPECT_EQ('x', c);
	EXPECT_ERRNO(ENOTCONN, pwrite(self->fd, "x", 1, UNIT));
	EXPECT_EQ(UNIT, tfs_size_of(self->fd));
}

TEST_F(grow, I2_nowait_does_not_ask_for_memory)
{
	struct iovec iov = { self->data, 2 * UNIT };
	int fd = ASSERT_OPEN("f", O_RDWR | O_DIRECT);

	EXPECT_ERRNO(EAGAIN, pwritev2(fd, &iov, 1, 0, RWF_NOWAIT));
	EXPECT_COUNT(0, FUSE_FALLOCATE);
	EXPECT_EQ(2 * UNIT, pwritev2(fd, &iov, 1, 0, 0));
	EXPECT_DATA(2 * UNIT);
	close(fd);
}

/* It has its place already, and keeps it. */
TEST_F(grow, G4_file_grows_with_a_pinned_page)
{
	char *map, buf[PAGE];
	int pipes[2];

	ASSERT_EQ(PAGE, pwrite(self->fd, self->data, PAGE, 0));
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, tfs_pin(pipes, map));
	EXPECT_EQ(LONG, pwrite(self->fd, self->data, LONG, 0));
	EXPECT_DATA(LONG);
	EXPECT_EQ(PAGE, read(pipes[0], buf, PAGE));
	EXPECT_EQ(0, memcmp(buf, self->data, PAGE));
	tfs_unpin(pipes);
	munmap(map, PAGE);
}

TEST_HARNESS_MAIN
