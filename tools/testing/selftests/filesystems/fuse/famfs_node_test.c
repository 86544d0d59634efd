// SPDX-License-Identifier: GPL-2.0
/*
 * The node of a device, read and written past the CPU caches: how a server sees
 * what no file holds.
 *
 * What is easily wrong here: where the device ends and where its ranges meet;
 * two that have the device for themselves; a driver that cannot be unbound as
 * long as the buffer of some user is not there.
 */
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <linux/userfaultfd.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define LEN	(64 * 1024UL)

FIXTURE(node)
{
	struct tfs_env env;
	struct tfs_dev *dev;
	int fd;
};

FIXTURE_SETUP(node)
{
	const char *why = tfs_env_init(&self->env, 1);

	self->fd = -1;
	self->dev = &self->env.devs[0];
	if (why)
		SKIP(return, "%s", why);
	self->fd = open(self->dev->path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(node)
{
	close(self->fd);
	EXPECT_EQ(0, tfs_bind(self->dev, "fsdev_dax"));
	TFS_TEARDOWN();
}

static int open_node(const struct tfs_dev *dev, int flags)
{
	int fd = open(dev->path, flags | O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The pattern is made of words; this is any part of it. */
static void pattern(off_t pos, char *buf, size_t len)
{
	__u64 words[LEN / 8 + 2];

	pattern_fill(0, pos & ~7, words, sizeof(words));
	memcpy(buf, (char *)words + (pos & 7), len);
}

static const struct span {
	off_t pos;
	size_t len;
} spans[] = {
	{ 0, 1 }, { 0, PAGE }, { 63, 2 }, { PAGE - 1, 2 }, { 5, 3 * PAGE },
	{ PAGE, LEN }, { 4 * PAGE - 7, LEN - PAGE }, { PMD - 100, 200 },
};

TEST_F(node, D7_reads_what_files_hold)
{
	char want[LEN], buf[LEN];
	unsigned int i;

	ASSERT_EQ(0, tfs_fill(&self->env, 2 * PMD));
	for (i = 0; i < sizeof(spans) / sizeof(*spans); i++) {
		const struct span *s = &spans[i];

		pattern(s->pos, want, s->len);
		memset(buf, 0, sizeof(buf));
		EXPECT_EQ(s->len, pread(self->fd, buf, s->len, s->pos));
		EXPECT_EQ(0, memcmp(want, buf, s->len));
	}
	/* And with the file's position. */
	ASSERT_EQ(100, lseek(self->fd, 100, SEEK_SET));
	EXPECT_EQ(10, read(self->fd, buf, 10));
	EXPECT_EQ(10, read(self->fd, buf + 10, 10));
	pattern(100, want, 20);
	EXPECT_EQ(0, memcmp(want, buf, 20));
	EXPECT_EQ(120, lseek(self->fd, 0, SEEK_CUR));
}

/* Through a file that is mapped, so that its lines are in the caches. */
TEST_F(node, D7_files_hold_what_is_written)
{
	char want[2 * LEN], buf[LEN];
	char *map;
	unsigned int i;
	int fd;

	tfs_add_simple(&self->env, "f", 2 * PMD, 0, 0);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	map = mmap(NULL, 2 * PMD, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < sizeof(spans) / sizeof(*spans); i++) {
		const struct span *s = &spans[i];
		const size_t before = s->pos ? 1 : 0;

		memset(map, 0xa0 + i, 2 * PMD);
		memset(want, 0xa0 + i, sizeof(want));
		pattern(s->pos, buf, s->len);
		memcpy(want + before, buf, s->len);
		EXPECT_EQ(s->len, pwrite(self->fd, buf, s->len, s->pos));
		EXPECT_EQ(0, memcmp(want, map + s->pos - before,
				    s->len + before + 1));
	}
	/* What is stored and not yet written back is seen, and not lost. */
	map[77] = 'm';
	EXPECT_EQ(1, pread(self->fd, buf, 1, 77));
	EXPECT_EQ('m', buf[0]);
	EXPECT_EQ('m', map[77]);
	EXPECT_EQ(0, fsync(self->fd));
	munmap(map, 2 * PMD);
	close(fd);
	EXPECT_EQ(0, tfs_umount(&self->env));
}

TEST_F(node, D7_ends_with_the_device)
{
	const off_t size = self->dev->size;
	char buf[PAGE];

	EXPECT_EQ(size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, read(self->fd, buf, 1));
	EXPECT_ERRNO(ENOSPC, write(self->fd, buf, 1));
	EXPECT_EQ(0, write(self->fd, buf, 0));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, size + 1, SEEK_SET));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, -1, SEEK_SET));
	memset(buf, 'e', sizeof(buf));
	EXPECT_EQ(10, pwrite(self->fd, buf, 100, size - 10));
	memset(buf, 0, sizeof(buf));
	EXPECT_EQ(10, pread(self->fd, buf, 100, size - 10));
	EXPECT_EQ('e', buf[9]);
	EXPECT_EQ(0, pread(self->fd, buf, 1, size + PAGE));
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, buf, 1, size + PAGE));
	EXPECT_EQ(0, pread(self->fd, buf, PAGE, INT64_MAX - PAGE));
	close(self->fd);
	self->fd = open_node(self->dev, O_APPEND);
	ASSERT_GE(self->fd, 0);
	EXPECT_ERRNO(ENOSPC, write(self->fd, buf, 1));
}

/* Where the second range of the device begins, or 0 if it has only one. */
static off_t second_range(const struct tfs_dev *dev)
{
	char path[128];
	unsigned long long pos = 0;
	FILE *f;

	snprintf(path, sizeof(path),
		 "/sys/bus/dax/devices/%.32s/mapping1/page_offset", dev->name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%lli", &pos) != 1)
		pos = 0;
	fclose(f);
	return pos * PAGE;
}

TEST_F(node, D7_ranges_follow_one_another)
{
	off_t at = 0;
	char want[LEN], buf[LEN];
	char *map;
	int i;

	for (i = 0; i < self->env.ndevs && !at; i++) {
		self->dev = &self->env.devs[i];
		at = second_range(self->dev);
	}
	if (!at)
		SKIP(return, "need a device of several ranges");
	close(self->fd);
	self->fd = open_node(self->dev, 0);
	ASSERT_GE(self->fd, 0);
	pattern(1, want, LEN);
	ASSERT_EQ(LEN, pwrite(self->fd, want, LEN, at - LEN / 2 - 1));
	EXPECT_EQ(LEN, pread(self->fd, buf, LEN, at - LEN / 2 - 1));
	EXPECT_EQ(0, memcmp(want, buf, LEN));
	map = tfs_raw_map(self->dev, at + PMD);
	ASSERT_NE(NULL, map);
	EXPECT_EQ(0, memcmp(want, map + at - LEN / 2 - 1, LEN));
	EXPECT_EQ(0, tfs_raw_unmap(self->dev, map, at + PMD));
}

TEST_F(node, D7_exclusive_has_no_other_beside_it)
{
	int fd = open_node(self->dev, O_EXCL);
	char c = 'x';

	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EBUSY, open_node(self->dev, O_EXCL));
	/* Only who wants it for itself is refused. */
	EXPECT_EQ(1, pwrite(fd, &c, 1, 0));
	c = 0;
	EXPECT_EQ(1, pread(self->fd, &c, 1, 0));
	EXPECT_EQ('x', c);
	close(fd);
	fd = open_node(self->dev, O_EXCL);
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_F(node, D7_exclusive_and_file_systems_exclude_each_other)
{
	int excl = open_node(self->dev, O_EXCL);
	int fd;

	ASSERT_GE(excl, 0);
	tfs_add_simple(&self->env, "f", LEN, 0, 0);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_OPEN_FAILS(EBUSY, "f", O_RDWR);
	close(excl);
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(-EBUSY, open_node(self->dev, O_EXCL));
	EXPECT_EQ(1, pread(self->fd, &(char){0}, 1, 0));
	close(fd);
	EXPECT_EQ(-EBUSY, open_node(self->dev, O_EXCL));
	EXPECT_EQ(0, tfs_umount(&self->env));
	excl = open_node(self->dev, O_EXCL);
	EXPECT_LE(0, excl);
	close(excl);
}

/* Who has lost the device does not give away what another one has now. */
TEST_F(node, D7_exclusive_ends_with_the_bind)
{
	int old = open_node(self->dev, O_EXCL), new;
	char c;

	ASSERT_GE(old, 0);
	ASSERT_EQ(0, tfs_unbind(self->dev));
	EXPECT_ERRNO(ENXIO, pread(old, &c, 1, 0));
	EXPECT_ERRNO(ENXIO, pwrite(old, &c, 1, 0));
	EXPECT_ERRNO(ENXIO, lseek(old, 0, SEEK_END));
	ASSERT_EQ(0, tfs_bind(self->dev, "fsdev_dax"));
	EXPECT_ERRNO(ENXIO, pread(old, &c, 1, 0));
	new = open_node(self->dev, O_EXCL);
	ASSERT_GE(new, 0);
	close(old);
	EXPECT_EQ(-EBUSY, open_node(self->dev, O_EXCL));
	EXPECT_EQ(1, pread(new, &c, 1, 0));
	close(new);
}

TEST_F(node, D7_mode_of_the_descriptor_counts)
{
	int rd = open(self->dev->path, O_RDONLY | O_CLOEXEC);
	int wr = open(self->dev->path, O_WRONLY | O_CLOEXEC);
	char c = 'c';

	EXPECT_ERRNO(EBADF, pwrite(rd, &c, 1, 0));
	EXPECT_EQ(1, pread(rd, &c, 1, 0));
	EXPECT_ERRNO(EBADF, pread(wr, &c, 1, 0));
	EXPECT_EQ(1, pwrite(wr, &c, 1, 0));
	close(rd);
	close(wr);
}

TEST_F(node, D7_buffers_that_are_not_there)
{
	char want[4 * PAGE], *buf;

	ASSERT_EQ(0, tfs_fill(&self->env, PMD));
	buf = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	EXPECT_EQ(4 * PAGE, pread(self->fd, buf, 4 * PAGE, 100));
	pattern(100, want, sizeof(want));
	EXPECT_EQ(0, memcmp(want, buf, sizeof(want)));
	ASSERT_EQ(0, mprotect(buf + 2 * PAGE, 2 * PAGE, PROT_NONE));
	EXPECT_EQ(2 * PAGE, pread(self->fd, buf, 4 * PAGE, 0));
	EXPECT_EQ(2 * PAGE, pwrite(self->fd, buf, 4 * PAGE, 0));
	EXPECT_ERRNO(EFAULT, pread(self->fd, buf + 2 * PAGE, PAGE, 0));
	EXPECT_ERRNO(EFAULT, pwrite(self->fd, buf + 2 * PAGE, PAGE, 0));
	munmap(buf, 4 * PAGE);
}

/* A file of the device itself is read into, and written from. */
TEST_F(node, D7_buffers_on_the_device_itself)
{
	char want[LEN], *map;
	int fd;

	ASSERT_EQ(0, tfs_fill(&self->env, 2 * PMD));
	tfs_add_simple(&self->env, "f", PMD, 0, PMD);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	map = mmap(NULL, PMD, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(LEN, pread(self->fd, map, LEN, 0));
	pattern(0, want, LEN);
	EXPECT_EQ(0, memcmp(want, map, LEN));
	EXPECT_EQ(LEN, pwrite(self->fd, map + LEN, LEN, 0));
	pattern(PMD + LEN, want, LEN);
	EXPECT_EQ(LEN, pread(self->fd, map, LEN, 0));
	EXPECT_EQ(0, memcmp(want, map, LEN));
	munmap(map, PMD);
	close(fd);
	EXPECT_EQ(0, tfs_umount(&self->env));
}

static int watch(int uffd, char *buf, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (unsigned long)buf, .len = len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return ioctl(uffd, UFFDIO_API, &api) ||
	       ioctl(uffd, UFFDIO_REGISTER, &reg);
}

static int answer(int uffd, char *buf, size_t len)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (unsigned long)buf, .len = len },
	};

	return ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
}

static void user_is_slow(struct __test_metadata *const _metadata,
			 FIXTURE_DATA(node) * self,
			 long (*run)(struct tfs_job *job))
{
	int uffd = syscall(__NR_userfaultfd, O_CLOEXEC);
	char *buf = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov = { buf, PAGE };
	struct tfs_job job = {
		.env = &self->env, .fd = self->fd, .iov = &iov, .iovs = 1,
		.run = run,
	};
	struct uffd_msg msg;

	if (uffd < 0)
		SKIP(return, "need CONFIG_USERFAULTFD");
	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_EQ(0, watch(uffd, buf, PAGE));
	ASSERT_EQ(0, tfs_job_start(&job));
	ASSERT_EQ(sizeof(msg), read(uffd, &msg, sizeof(msg)));
	/* With the fault unanswered: it would never come back. */
	alarm(30);
	EXPECT_EQ(0, tfs_unbind(self->dev));
	alarm(0);
	EXPECT_FALSE(tfs_job_done(&job, 0));
	EXPECT_EQ(0, answer(uffd, buf, PAGE));
	/* What has been read is there; what would be written has no place. */
	EXPECT_EQ(run == tfs_job_read ? (long)PAGE : -ENXIO,
		  tfs_job_result(&job));
	munmap(buf, PAGE);
	close(uffd);
}

TEST_F(node, D7_unbinding_does_not_wait_for_who_reads)
{
	user_is_slow(_metadata, self, tfs_job_read);
}

TEST_F(node, D7_unbinding_does_not_wait_for_who_writes)
{
	user_is_slow(_metadata, self, tfs_job_write);
}

TEST_HARNESS_MAIN
