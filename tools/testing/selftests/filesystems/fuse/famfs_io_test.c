// SPDX-License-Identifier: GPL-2.0
/*
 * read() and write() of mapped files, and that they do not need the server.
 *
 * What is easily wrong here: I/O without the inode lock, which DAX warns of; a
 * write at the end of the file that returns 0, so that callers loop forever;
 * requests in the middle of I/O, which hang when the server does.
 */
#include <pthread.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "tfs_test.h"

#define PAGE	4096UL
/* Ends in a page, beyond a huge page. */
#define SIZE	(2 * MiB + PAGE + 100)

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

FIXTURE(io)
{
	struct tfs_env env;
};

FIXTURE_SETUP(io)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
}

FIXTURE_TEARDOWN(io)
{
	TFS_TEARDOWN();
}

/* One of everything that must not need the server; 0, or what failed. */
static int use_file(int fd)
{
	char buf[100], *map;
	int i, c;

	for (i = 0; i < 8; i++) {
		off_t pos = i * 300000;

		memset(buf, 'A' + i, sizeof(buf));
		if (pwrite(fd, buf, sizeof(buf), pos) != sizeof(buf))
			return 1;
		memset(buf, 0, sizeof(buf));
		if (pread(fd, buf, sizeof(buf), pos) != sizeof(buf))
			return 2;
		if (buf[0] != 'A' + i || buf[99] != 'A' + i)
			return 3;
	}
	for (i = 0; i < 2; i++) {
		map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			   i ? MAP_PRIVATE : MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			return 4;
		if (map[300000] != 'B')
			return 5;
		for (c = 0; c < (int)SIZE; c += PAGE)
			map[c] = 'm' + i;
		if (msync(map, SIZE, MS_ASYNC))
			return 6;
		munmap(map, SIZE);
	}
	if (pread(fd, buf, 1, 8 * PAGE) != 1 || buf[0] != 'm')
		return 7;
	if (lseek(fd, 0, SEEK_END) != (off_t)SIZE)
		return 8;
	return 0;
}

/* Each way in which FUSE may want to tell a server about a write. */
FIXTURE(quiet)
{
	struct tfs_env env;
};

FIXTURE_VARIANT(quiet)
{
	__u64 flags;
	bool xattrs;
};

FIXTURE_VARIANT_ADD(quiet, no_xattrs) {};
FIXTURE_VARIANT_ADD(quiet, xattrs) { .xattrs = true };
FIXTURE_VARIANT_ADD(quiet, killpriv_v2) {
	.flags = FUSE_HANDLE_KILLPRIV_V2, .xattrs = true };
FIXTURE_VARIANT_ADD(quiet, writeback_cache) {
	.flags = FUSE_WRITEBACK_CACHE };
FIXTURE_VARIANT_ADD(quiet, auto_inval_data) {
	.flags = FUSE_AUTO_INVAL_DATA };

FIXTURE_SETUP(quiet)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	self->env.srv.st->want |= variant->flags;
	self->env.srv.st->xattrs = variant->xattrs;
}

FIXTURE_TEARDOWN(quiet)
{
	TFS_TEARDOWN();
}

TEST_F(quiet, I1_no_request_after_open)
{
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	tfs_counts_reset(&self->env.srv);
	EXPECT_EQ(0, use_file(fd));
	EXPECT_EQ(0, tfs_total(&self->env.srv));
	EXPECT_COUNT(0, FUSE_GETXATTR);
	EXPECT_COUNT(0, FUSE_READ);
	EXPECT_COUNT(0, FUSE_WRITE);
	close(fd);
}

/* Privileges go once; the next writes have nothing to ask for. */
TEST_F(quiet, I1_no_request_after_privileges_were_stripped)
{
	char path[128];
	int fd;

	self->env.srv.st->files[0].mode = S_IFREG | 06777;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_CHILD(setgid(65534) || setuid(65534) ||
		     pwrite(fd, "x", 1, 0) != 1);
	EXPECT_EQ(1, pwrite(fd, "y", 1, 0));
	tfs_counts_reset(&self->env.srv);
	EXPECT_EQ(0, use_file(fd));
	EXPECT_COUNT(0, FUSE_GETXATTR);
	EXPECT_EQ(0, tfs_total(&self->env.srv));
	/* The same after they came and went by chmod. */
	snprintf(path, sizeof(path), "%s/f", self->env.dir);
	EXPECT_EQ(0, chmod(path, 04755));
	EXPECT_EQ(0, chmod(path, 0755));
	EXPECT_EQ(1, pwrite(fd, "z", 1, 0));
	tfs_counts_reset(&self->env.srv);
	EXPECT_EQ(0, use_file(fd));
	EXPECT_COUNT(0, FUSE_GETXATTR);
	close(fd);
}

static void *sync_file(void *arg)
{
	fsync(*(int *)arg);
	return NULL;
}

static void *open_file(void *arg)
{
	struct tfs_env *env = arg;
	int fd = tfs_open(env, "f", O_RDWR);

	if (fd >= 0)
		close(fd);
	return NULL;
}

/* Somebody else waits for the server; whoever reads and writes does not. */
TEST_F(io, I1_io_goes_on_while_an_fsync_waits_for_the_server)
{
	pthread_t thread;
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(1, pwrite(fd, "x", 1, 0));
	rule_hold(&self->env.srv, FUSE_SETATTR, TFS_ANY);
	rule_hold(&self->env.srv, FUSE_FSYNC, TFS_ANY);
	ASSERT_EQ(0, pthread_create(&thread, NULL, sync_file, &fd));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	EXPECT_EQ(0, use_file(fd));
	rules_release(&self->env.srv);
	pthread_join(thread, NULL);
	close(fd);
}

TEST_F(io, I1_io_goes_on_while_an_open_waits_for_the_server)
{
	pthread_t thread;
	int fd;

	self->env.srv.st->xattrs = true;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	/* Which of them the kernel sends first is its business. */
	rule_hold(&self->env.srv, FUSE_GETXATTR, TFS_ANY);
	rule_hold(&self->env.srv, FUSE_FLUSH, TFS_ANY);
	ASSERT_EQ(0, pthread_create(&thread, NULL, open_file, &self->env));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	EXPECT_EQ(0, use_file(fd));
	rules_release(&self->env.srv);
	pthread_join(thread, NULL);
	close(fd);
}

TEST_F(io, I1_open_files_go_on_while_the_server_is_stopped)
{
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	ASSERT_EQ(0, tfs_server_signal(&self->env.srv, SIGSTOP));
	EXPECT_EQ(0, use_file(fd));
	ASSERT_EQ(0, tfs_server_signal(&self->env.srv, SIGCONT));
	close(fd);
	EXPECT_EQ(0, tfs_umount(&self->env));
}

TEST_F(io, I1_open_files_go_on_after_the_server_was_killed)
{
	int fd, err;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	ASSERT_EQ(0, tfs_server_signal(&self->env.srv, SIGKILL));
	EXPECT_EQ(0, use_file(fd));
	/* Of what needs no server nobody sees that it is gone. */
	err = tfs_open(&self->env, "f", O_RDWR);
	if (self->env.srv.st->open_mode == TFS_NOOPEN) {
		EXPECT_LE(0, err);
		close(err);
	} else {
		/* A ring gives the device up later than its process ends. */
		EXPECT_TRUE(err == -ENOTCONN ||
			    (err == -ECONNABORTED &&
			     self->env.srv.transport == TFS_URING));
	}
	EXPECT_EQ(0, use_file(fd));
	close(fd);
	EXPECT_EQ(0, tfs_umount(&self->env));
}

TEST_F(io, I2_read_ends_at_eof)
{
	static char buf[2 * PAGE];
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDONLY);
	EXPECT_EQ(100, pread(fd, buf, sizeof(buf), SIZE - 100));
	EXPECT_EQ(1, pread(fd, buf, sizeof(buf), SIZE - 1));
	EXPECT_EQ(0, pread(fd, buf, sizeof(buf), SIZE));
	EXPECT_EQ(0, pread(fd, buf, sizeof(buf), SIZE + 1));
	EXPECT_EQ(0, pread(fd, buf, sizeof(buf), SIZE + 100 * MiB));
	EXPECT_EQ(0, pread(fd, buf, 0, 0));
	EXPECT_ERRNO(EINVAL, pread(fd, buf, 1, -1));
	close(fd);
}

TEST_F(io, I2_write_ends_at_eof_and_never_returns_0)
{
	static char buf[2 * PAGE];
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(100, pwrite(fd, buf, sizeof(buf), SIZE - 100));
	EXPECT_EQ(1, pwrite(fd, buf, 2, SIZE - 1));
	EXPECT_ERRNO(EFBIG, pwrite(fd, buf, 1, SIZE));
	EXPECT_ERRNO(EFBIG, pwrite(fd, buf, sizeof(buf), SIZE));
	EXPECT_ERRNO(EFBIG, pwrite(fd, buf, 1, SIZE + PAGE));
	EXPECT_EQ(0, pwrite(fd, buf, 0, SIZE + PAGE));
	EXPECT_EQ(SIZE, lseek(fd, 0, SEEK_END));
	close(fd);
}

/* What has been copied counts more than that there is no more to copy. */
TEST_F(io, I2_buffer_ends_before_the_copy)
{
	char *buf = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd;

	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_EQ(0, munmap(buf + PAGE, PAGE));
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(PAGE, pwrite(fd, buf, 2 * PAGE, 0));
	EXPECT_EQ(PAGE, pread(fd, buf, 2 * PAGE, 0));
	EXPECT_ERRNO(EFAULT, pwrite(fd, buf + PAGE, 1, 0));
	EXPECT_ERRNO(EFAULT, pread(fd, buf + PAGE, 1, 0));
	munmap(buf, PAGE);
	close(fd);
}

TEST_F(io, I2_append_is_refused)
{
	char c = 'x';
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR | O_APPEND);
	EXPECT_ERRNO(EFBIG, write(fd, &c, 1));
	EXPECT_EQ(1, pread(fd, &c, 1, SIZE - 1));
	close(fd);
}

TEST_F(io, I2_file_size_limit_is_kept)
{
	const struct rlimit limit = { PAGE, PAGE };
	static char buf[2 * PAGE];
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	signal(SIGXFSZ, SIG_IGN);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	EXPECT_EQ(100, pwrite(fd, buf, sizeof(buf), PAGE - 100));
	EXPECT_ERRNO(EFBIG, pwrite(fd, buf, 1, PAGE));
	close(fd);
}

TEST_F(io, I2_nowait_is_honoured)
{
	char buf[100] = "nowait";
	struct iovec iov = { buf, sizeof(buf) };
	ssize_t n = -1;
	int fd, i;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	for (i = 0; i < 100 && n < 0; i++) {
		/* Moving the times may wait; when they have just moved ... */
		EXPECT_EQ(100, pwrite(fd, buf, sizeof(buf), 0));
		n = pwritev2(fd, &iov, 1, 0, RWF_NOWAIT);
		ASSERT_TRUE(n == 100 || errno == EAGAIN);
	}
	/* ... nothing is left to wait for. */
	EXPECT_EQ(100, n);
	close(fd);
	fd = ASSERT_OPEN("f", O_RDONLY);
	memset(buf, 0, sizeof(buf));
	EXPECT_EQ(100, preadv2(fd, &iov, 1, 0, RWF_NOWAIT));
	EXPECT_STREQ("nowait", buf);
	close(fd);
}

TEST_F(io, I2_read_only_descriptors_do_not_write)
{
	char c = 0;
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDONLY);
	EXPECT_ERRNO(EBADF, pwrite(fd, &c, 1, 0));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0));
	EXPECT_EQ(EACCES, errno);
	close(fd);
}

#define WRITERS	4
#define ROUNDS	200

struct writer {
	int fd, id;
	bool torn;
};

/* Writes whole blocks of one byte, and reads only such blocks. */
static void *write_blocks(void *arg)
{
	struct writer *w = arg;
	char buf[PAGE];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		memset(buf, 'a' + w->id, PAGE);
		if (pwrite(w->fd, buf, PAGE, 100) != PAGE ||
		    pread(w->fd, buf, PAGE, 100) != PAGE ||
		    memcmp(buf, buf + 1, PAGE - 1)) {
			w->torn = true;
			break;
		}
	}
	return NULL;
}

TEST_F(io, I2_reads_and_writes_hold_the_inode_lock)
{
	struct writer w[WRITERS] = {};
	pthread_t threads[WRITERS];
	int fd, i;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	/* Readers see only what was written as a whole. */
	write_blocks(&w[0]);
	for (i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ .fd = fd, .id = i };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, write_blocks,
					    &w[i]));
	}
	for (i = 0; i < WRITERS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_FALSE(w[i].torn);
	}
	close(fd);
}

TEST_F(io, I6_fsync_and_msync_succeed)
{
	char *map;
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(4, pwrite(fd, "data", 4, 0));
	EXPECT_EQ(0, fsync(fd));
	EXPECT_EQ(0, fdatasync(fd));
	EXPECT_EQ(0, sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	EXPECT_EQ(0, syncfs(fd));
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	memset(map, 7, SIZE);
	EXPECT_EQ(0, msync(map, SIZE, MS_SYNC));
	EXPECT_EQ(0, fsync(fd));
	/* The dirty page is still mapped; writing it again needs no server. */
	memset(map, 8, SIZE);
	EXPECT_EQ(0, msync(map, PAGE, MS_SYNC));
	munmap(map, SIZE);
	close(fd);
	EXPECT_COUNT(0, FUSE_WRITE);
}

TEST_HARNESS_MAIN
