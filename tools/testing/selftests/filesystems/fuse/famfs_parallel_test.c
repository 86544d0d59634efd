// SPDX-License-Identifier: GPL-2.0
/*
 * Writes beside each other, if the server allows it with
 * FOPEN_PARALLEL_DIRECT_WRITES.
 *
 * A write is held up in its copy: part of its buffer is missing, and the test
 * brings it, by userfaultfd. What is easily wrong here: a write that moves the
 * end of the file, or takes privileges away, beside others; a truncate that does
 * not wait for the writes; a write that goes on past an end that has moved.
 */
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <linux/userfaultfd.h>

#include "tfs_growing.h"
#include "tfs_jobs.h"

#define PAGE	4096UL
#define SIZE	(8 * PAGE)
/* Long enough to see that something waits. */
#define WAIT	300
/* What is allowed takes as long as it takes. */
#define BESIDE	(variant->allowed ? TFS_SOON : WAIT)

FIXTURE(parallel)
{
	struct tfs_env env;
	struct tfs_file *file;
	int fd, dev, uffd;
	char *buf;			/* two pages, of which one is missing */
	struct iovec held_iov, other_iov;
	struct tfs_job held, other;
};

FIXTURE_VARIANT(parallel)
{
	bool allowed;
};

FIXTURE_VARIANT_ADD(parallel, allowed)
{
	.allowed = true,
};

FIXTURE_VARIANT_ADD(parallel, usual)
{
	.allowed = false,
};

static char page[PAGE] = "page";

FIXTURE_SETUP(parallel)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {};

	if (why)
		SKIP(return, "%s", why);
	self->uffd = syscall(__NR_userfaultfd, O_CLOEXEC);
	if (self->uffd < 0)
		SKIP(return, "no userfaultfd for faults of the kernel");
	GROWING_INIT(4);
	if (variant->allowed)
		self->file->open_flags = FOPEN_PARALLEL_DIRECT_WRITES;
	GROWING_MOUNT();
	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
	/* Nothing to take away, which the next write would have to ask for. */
	ASSERT_EQ(1, pwrite(self->fd, "a", 1, 0));

	self->buf = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
	memset(self->buf, 'h', PAGE);
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	reg.range.start = (unsigned long)self->buf + PAGE;
	reg.range.len = PAGE;
	reg.mode = UFFDIO_REGISTER_MODE_MISSING;
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &reg));

	self->held_iov = (struct iovec){ self->buf, 2 * PAGE };
	self->held = (struct tfs_job){
		.run = tfs_job_write, .fd = self->fd, .iov = &self->held_iov,
		.iovs = 1, .pos = 2 * PAGE,
	};
	self->other_iov = (struct iovec){ page, PAGE };
	self->other = (struct tfs_job){
		.run = tfs_job_write, .fd = self->fd, .iov = &self->other_iov,
		.iovs = 1, .pos = 6 * PAGE,
	};
}

FIXTURE_TEARDOWN(parallel)
{
	close(self->uffd);
	munmap(self->buf, 2 * PAGE);
	GROWING_TEARDOWN();
}

/* Starts the write that is to wait, and returns when it does. */
static int hold(struct tfs_job *held, int uffd)
{
	struct uffd_msg msg;

	held->done = false;
	if (tfs_job_start(held))
		return -EAGAIN;
	return read(uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT ? 0 : -EIO;
}

static int let_go(char *buf, int uffd)
{
	struct uffdio_copy copy = {
		.dst = (unsigned long)buf + PAGE,
		.src = (unsigned long)page,
		.len = PAGE,
	};

	return ioctl(uffd, UFFDIO_COPY, &copy) ? -errno : 0;
}

#define HOLD() ASSERT_EQ(0, hold(&self->held, self->uffd))
#define LET_GO() ASSERT_EQ(0, let_go(self->buf, self->uffd))

TEST_F(parallel, I2_a_write_passes_one_that_waits)
{
	struct tfs_job read = self->other;
	static char seen[PAGE];
	struct iovec iov = { seen, PAGE };

	HOLD();
	read.run = tfs_job_read;
	read.iov = &iov;
	ASSERT_EQ(0, tfs_job_start(&self->other));
	EXPECT_EQ(variant->allowed, tfs_job_done(&self->other, BESIDE));
	ASSERT_EQ(0, tfs_job_start(&read));
	EXPECT_EQ(variant->allowed, tfs_job_done(&read, BESIDE));
	LET_GO();
	EXPECT_EQ(2 * PAGE, tfs_job_result(&self->held));
	if (!variant->allowed) {
		EXPECT_EQ(PAGE, tfs_job_result(&self->other));
		EXPECT_EQ(PAGE, tfs_job_result(&read));
	}
	EXPECT_EQ(PAGE, pread(self->fd, seen, PAGE, 3 * PAGE));
	EXPECT_EQ(0, memcmp(seen, page, PAGE));
	EXPECT_EQ(PAGE, pread(self->fd, seen, PAGE, 6 * PAGE));
	EXPECT_EQ(0, memcmp(seen, page, PAGE));
	EXPECT_SIZE(SIZE);
}

/* Neither what extends the file, nor what appends to it. */
TEST_F(parallel, I2_writes_past_the_end_wait)
{
	HOLD();
	self->other.pos = SIZE - PAGE + 1;
	ASSERT_EQ(0, tfs_job_start(&self->other));
	EXPECT_FALSE(tfs_job_done(&self->other, WAIT));
	EXPECT_SIZE(SIZE);
	LET_GO();
	EXPECT_EQ(2 * PAGE, tfs_job_result(&self->held));
	EXPECT_EQ(PAGE, tfs_job_result(&self->other));
	EXPECT_SIZE(SIZE + 1);
}

TEST_F(parallel, I2_appends_wait)
{
	HOLD();
	self->other.fd = ASSERT_OPEN("f", O_WRONLY | O_APPEND);
	self->other.pos = 0;
	ASSERT_EQ(0, tfs_job_start(&self->other));
	EXPECT_FALSE(tfs_job_done(&self->other, WAIT));
	LET_GO();
	EXPECT_EQ(2 * PAGE, tfs_job_result(&self->held));
	EXPECT_EQ(PAGE, tfs_job_result(&self->other));
	EXPECT_SIZE(SIZE + PAGE);
	close(self->other.fd);
}

TEST_F(parallel, I2_a_truncate_waits_for_writes)
{
	HOLD();
	self->other.run = tfs_job_truncate;
	self->other.pos = 3 * PAGE;
	ASSERT_EQ(0, tfs_job_start(&self->other));
	EXPECT_FALSE(tfs_job_done(&self->other, WAIT));
	EXPECT_SIZE(SIZE);
	LET_GO();
	EXPECT_EQ(2 * PAGE, tfs_job_result(&self->held));
	EXPECT_EQ(0, tfs_job_result(&self->other));
	EXPECT_SIZE(3 * PAGE);
}

/* The write that takes the bit away is alone, and others do not come before. */
TEST_F(parallel, I2_a_write_that_takes_privileges_is_alone)
{
	struct stat st;

	ASSERT_EQ(0, fchmod(self->fd, 04755));
	ASSERT_EQ(0, tfs_drop_cap(CAP_FSETID));
	HOLD();
	ASSERT_EQ(0, tfs_job_start(&self->other));
	EXPECT_FALSE(tfs_job_done(&self->other, WAIT));
	LET_GO();
	EXPECT_EQ(2 * PAGE, tfs_job_result(&self->held));
	EXPECT_EQ(PAGE, tfs_job_result(&self->other));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(0755, st.st_mode & 07777);
	/* From now on they are beside each other. */
	EXPECT_EQ(0, madvise(self->buf + PAGE, PAGE, MADV_DONTNEED));
	self->other.done = false;
	HOLD();
	ASSERT_EQ(0, tfs_job_start(&self->other));
	EXPECT_EQ(variant->allowed, tfs_job_done(&self->other, BESIDE));
	LET_GO();
	EXPECT_EQ(2 * PAGE, tfs_job_result(&self->held));
	if (!variant->allowed)
		EXPECT_EQ(PAGE, tfs_job_result(&self->other));
}

/* A push waits for no write, and the write finds the end where it is then. */
TEST_F(parallel, I2_the_end_moves_while_a_write_waits)
{
	struct tfs_msg m;
	struct stat st;

	HOLD();
	/* The same memory, and less of the file. */
	tfs_msg_simple(&m, 3 * PAGE, 0, BASE, UNIT);
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &m));
	LET_GO();
	/* A file of fixed size has no room for the rest. */
	EXPECT_EQ(PAGE, tfs_job_result(&self->held));
	EXPECT_SIZE(3 * PAGE);
	tfs_msg_header(&m)->flags = FUSE_FMAP_GROW;
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &m));
	/* One that may grow gets it back. */
	EXPECT_EQ(0, madvise(self->buf + PAGE, PAGE, MADV_DONTNEED));
	self->held.pos = PAGE;
	HOLD();
	tfs_msg_header(&m)->file_size = PAGE;
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &m));
	LET_GO();
	EXPECT_EQ(2 * PAGE, tfs_job_result(&self->held));
	EXPECT_SIZE(3 * PAGE);
	EXPECT_EQ(0, fstat(self->fd, &st));
	tfs_msg_exit(&m);
}

/* Each write is seen in the time of the last change. */
TEST_F(parallel, I2_writes_beside_each_other_tell_the_time)
{
	struct stat before, after;

	HOLD();
	ASSERT_EQ(0, fstat(self->fd, &before));
	usleep(30000);
	ASSERT_EQ(0, tfs_job_start(&self->other));
	EXPECT_EQ(variant->allowed, tfs_job_done(&self->other, BESIDE));
	ASSERT_EQ(0, fstat(self->fd, &after));
	EXPECT_EQ(variant->allowed,
		  before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
		  before.st_mtim.tv_nsec != after.st_mtim.tv_nsec);
	LET_GO();
	EXPECT_EQ(2 * PAGE, tfs_job_result(&self->held));
	if (!variant->allowed)
		EXPECT_EQ(PAGE, tfs_job_result(&self->other));
}

TEST_HARNESS_MAIN
