// SPDX-License-Identifier: GPL-2.0
/*
 * Moving data to and from mapped files by other calls than read() and write(),
 * and using them for what files are used for.
 *
 * What is easily wrong here: an operation that the file operations leave out
 * fails with an errno that no program expects; copy_file_range() drops pages
 * of the destination that are mapped; a page of the device that is pinned by
 * direct I/O is not what the file shows.
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(256 * 1024UL)

FIXTURE(splice_copy)
{
	struct tfs_env env;
	char *want;			/* what "f" holds */
	char *got;
	int fd;				/* of "f" */
	int tmp;			/* of a file elsewhere, with other data */
};

FIXTURE_SETUP(splice_copy)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	tfs_add_simple(&self->env, "g", SIZE, 0, PMD);
	tfs_add_data(&self->env.srv, "plain", NULL, 0);
	self->env.srv.st->want |= FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS;
	self->want = malloc(SIZE);
	self->got = calloc(1, SIZE);
	ASSERT_NE(NULL, self->want);
	ASSERT_NE(NULL, self->got);
	self->tmp = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_GE(self->tmp, 0);
	pattern_fill(1, 0, self->want, SIZE);
	ASSERT_EQ(SIZE, pwrite(self->tmp, self->want, SIZE, 0));
	pattern_fill(0, 0, self->want, SIZE);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(SIZE, pwrite(self->fd, self->want, SIZE, 0));
}

FIXTURE_TEARDOWN(splice_copy)
{
	/* Nothing of this is the server's business. */
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_COPY_FILE_RANGE));
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_COPY_FILE_RANGE_64));
	close(self->fd);
	close(self->tmp);
	free(self->want);
	free(self->got);
	TFS_TEARDOWN();
}

/* A file has the bytes of "f". */
#define EXPECT_SAME(fd) do {						\
	EXPECT_EQ(SIZE, pread(fd, self->got, SIZE, 0));			\
	EXPECT_EQ(0, memcmp(self->want, self->got, SIZE));		\
} while (0)

TEST_F(splice_copy, I4_sendfile_out)
{
	off_t pos = 0;

	while (pos < (off_t)SIZE)
		ASSERT_LT(0, sendfile(self->tmp, self->fd, &pos, SIZE - pos));
	EXPECT_SAME(self->tmp);
}

TEST_F(splice_copy, I4_sendfile_in)
{
	int g = ASSERT_OPEN("g", O_RDWR);
	off_t pos = 0;

	ASSERT_EQ(SIZE, pwrite(self->tmp, self->want, SIZE, 0));
	while (pos < (off_t)SIZE)
		ASSERT_LT(0, sendfile(g, self->tmp, &pos, SIZE - pos));
	EXPECT_SAME(g);
	/* At the end there is no room; that is an error, not 0 for ever. */
	pos = 0;
	EXPECT_ERRNO(EFBIG, sendfile(g, self->tmp, &pos, PAGE));
	close(g);
	EXPECT_COUNT(0, FUSE_WRITE);
}

TEST_F(splice_copy, I4_splice_out_and_in)
{
	int g = ASSERT_OPEN("g", O_RDWR);
	loff_t in = 0, out = 0;
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	while (out < (loff_t)SIZE) {
		ssize_t n = splice(self->fd, &in, pipes[1], NULL, 32768, 0);

		ASSERT_LT(0, n);
		while (n) {
			ssize_t m = splice(pipes[0], NULL, g, &out, n, 0);

			ASSERT_LT(0, m);
			n -= m;
		}
	}
	EXPECT_EQ(0, splice(self->fd, &in, pipes[1], NULL, PAGE, 0));
	EXPECT_SAME(g);
	close(g);
	close(pipes[0]);
	close(pipes[1]);
	EXPECT_COUNT(0, FUSE_WRITE);
	EXPECT_COUNT(0, FUSE_READ);
}

static int copy_all(int from, int to)
{
	loff_t in = 0, out = 0;

	while (in < (loff_t)SIZE) {
		ssize_t n = copy_file_range(from, &in, to, &out, SIZE - in, 0);

		if (n <= 0)
			return n ? -errno : -ENODATA;
	}
	return 0;
}

TEST_F(splice_copy, I4_copy_file_range_between_mapped_files)
{
	int g = ASSERT_OPEN("g", O_RDWR);

	EXPECT_EQ(0, copy_all(self->fd, g));
	EXPECT_SAME(g);
	close(g);
}

TEST_F(splice_copy, I4_copy_file_range_to_an_ordinary_file)
{
	int plain = ASSERT_OPEN("plain", O_RDWR);

	EXPECT_EQ(0, copy_all(self->fd, plain));
	EXPECT_SAME(plain);
	close(plain);
}

TEST_F(splice_copy, I4_copy_file_range_from_an_ordinary_file)
{
	int plain = ASSERT_OPEN("plain", O_RDWR);
	int g = ASSERT_OPEN("g", O_RDWR);

	ASSERT_EQ(SIZE, pwrite(plain, self->want, SIZE, 0));
	EXPECT_EQ(0, copy_all(plain, g));
	EXPECT_SAME(g);
	close(plain);
	close(g);
}

/* Like cp, which falls back where copy_file_range() cannot cross. */
static int copy_across(int from, int to)
{
	off_t pos = 0;
	int err = copy_all(from, to);

	if (err != -EXDEV)
		return err;
	while (pos < (off_t)SIZE)
		if (sendfile(to, from, &pos, SIZE - pos) <= 0)
			return -errno;
	return 0;
}

TEST_F(splice_copy, I4_copies_to_and_from_another_file_system)
{
	int g = ASSERT_OPEN("g", O_RDWR);

	EXPECT_EQ(0, copy_across(self->fd, self->tmp));
	EXPECT_SAME(self->tmp);
	EXPECT_EQ(0, copy_across(self->tmp, g));
	EXPECT_SAME(g);
	close(g);
}

TEST_F(splice_copy, I4_lseek_finds_data_and_the_hole_at_the_end)
{
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_DATA));
	EXPECT_EQ(5000, lseek(self->fd, 5000, SEEK_DATA));
	EXPECT_EQ(SIZE, lseek(self->fd, 0, SEEK_HOLE));
	EXPECT_EQ(SIZE, lseek(self->fd, SIZE - 1, SEEK_HOLE));
	EXPECT_ERRNO(ENXIO, lseek(self->fd, SIZE, SEEK_DATA));
	EXPECT_EQ(SIZE, lseek(self->fd, 0, SEEK_END));
	EXPECT_COUNT(0, FUSE_LSEEK);
}

/* Direct I/O of another file, with the mapping as its buffer. */
TEST_F(splice_copy, I4_direct_io_through_a_mapping)
{
	int plain = ASSERT_OPEN("plain", O_RDWR | O_DIRECT);
	char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(SIZE / 2, pwrite(plain, map, SIZE / 2, 0));
	EXPECT_EQ(SIZE / 2, pread(plain, map + SIZE / 2, SIZE / 2, 0));
	memcpy(self->want + SIZE / 2, self->want, SIZE / 2);
	EXPECT_SAME(self->fd);
	munmap(map, SIZE);
	close(plain);
	EXPECT_LT(0, tfs_count(&self->env.srv, FUSE_READ));
	EXPECT_LT(0, tfs_count(&self->env.srv, FUSE_WRITE));
}

TEST_F(splice_copy, I4_direct_io_flag_is_accepted)
{
	int fd = ASSERT_OPEN("f", O_RDWR | O_DIRECT);

	EXPECT_EQ(100, pread(fd, self->got, 100, 50));
	EXPECT_EQ(0, memcmp(self->want + 50, self->got, 100));
	EXPECT_EQ(PAGE, pwrite(fd, self->want, PAGE, 0));
	close(fd);
	EXPECT_COUNT(0, FUSE_READ);
	EXPECT_COUNT(0, FUSE_WRITE);
}

/* A program in a mapped file runs: this one, which then lists its tests. */
TEST_F(splice_copy, I4_exec)
{
	int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;
	int status, x, i;
	loff_t pos = 0;
	pid_t pid;

	ASSERT_GE(exe, 0);
	ASSERT_EQ(0, fstat(exe, &st));
	i = tfs_add_simple(&self->env, "x", st.st_size, 0, 2 * PMD);
	self->env.srv.st->files[i].mode = S_IFREG | 0755;
	x = ASSERT_OPEN("x", O_RDWR);
	while (pos < st.st_size)
		ASSERT_LT(0, sendfile(x, exe, &pos, st.st_size - pos));
	close(x);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		char path[128];

		snprintf(path, sizeof(path), "%s/x", self->env.dir);
		dup2(self->tmp, STDERR_FILENO);
		execl(path, "x", "-l", NULL);
		_exit(99);
	}
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(KSFT_SKIP, WEXITSTATUS(status));
	close(exe);
	EXPECT_COUNT(0, FUSE_READ);
}

TEST_F(splice_copy, I4_mremap)
{
	char *map, *moved;

	map = mmap(NULL, SIZE / 2, PROT_READ | PROT_WRITE, MAP_SHARED,
		   self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, memcmp(map, self->want, SIZE / 2));
	/* Whole, so that it has to move. */
	moved = mremap(map, SIZE / 2, SIZE, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, moved);
	EXPECT_EQ(0, memcmp(moved, self->want, SIZE));
	map = mremap(moved, SIZE, PAGE, 0);
	EXPECT_EQ(moved, map);
	EXPECT_EQ(0, memcmp(map, self->want, PAGE));
	munmap(map, PAGE);
}

TEST_F(splice_copy, I4_fork_shares_and_copies)
{
	char *shared, *copied;

	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		      self->fd, 0);
	ASSERT_NE(MAP_FAILED, shared);
	copied = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		      self->fd, 0);
	ASSERT_NE(MAP_FAILED, copied);
	copied[PAGE] = 'p';
	EXPECT_CHILD((memset(shared, 'c', PAGE),
		      copied[PAGE] != 'p' ||
		      (copied[PAGE] = 'q', copied[2 * PAGE] = 'q') != 'q' ||
		      memcmp(shared + PAGE, self->want + PAGE, SIZE - PAGE)));
	EXPECT_EQ('c', shared[0]);
	EXPECT_EQ('c', shared[PAGE - 1]);
	EXPECT_EQ('p', copied[PAGE]);
	EXPECT_EQ(self->want[2 * PAGE], copied[2 * PAGE]);
	memset(self->want, 'c', PAGE);
	EXPECT_SAME(self->fd);
	munmap(shared, SIZE);
	munmap(copied, SIZE);
}

TEST_F(splice_copy, I4_map_populate)
{
	__u64 entry[SIZE / PAGE];
	unsigned long i;
	char *map;
	int pm;

	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_POPULATE, self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	pm = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(pm, 0);
	EXPECT_EQ(sizeof(entry), pread(pm, entry, sizeof(entry),
				       (unsigned long)map / PAGE * 8));
	for (i = 0; i < SIZE / PAGE; i++)
		EXPECT_EQ(1, entry[i] >> 63);
	EXPECT_EQ(0, memcmp(map, self->want, SIZE));
	close(pm);
	munmap(map, SIZE);
}

TEST_F(splice_copy, I4_locks_are_the_servers)
{
	struct tfs_server *srv = &self->env.srv;
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	rule_fail(srv, FUSE_SETLK, TFS_ANY, -EAGAIN, -1);
	EXPECT_EQ(-1, fcntl(self->fd, F_SETLK, &lock));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, flock(self->fd, LOCK_EX | LOCK_NB));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(2, tfs_count(srv, FUSE_SETLK));
	rules_clear(srv);
}

TEST_F(splice_copy, I4_swapon_is_refused)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/f", self->env.dir);
	/* A swap header, so that only the file can be the reason. */
	memcpy(self->want + PAGE - 10, "SWAPSPACE2", 10);
	*(__u32 *)(self->want + 1024) = 1;
	*(__u32 *)(self->want + 1028) = SIZE / PAGE - 1;
	*(__u32 *)(self->want + 1032) = 0;
	ASSERT_EQ(SIZE, pwrite(self->fd, self->want, SIZE, 0));
	EXPECT_EQ(-1, swapon(path, 0));
	if (errno == ENOSYS)
		SKIP(return, "need CONFIG_SWAP");
	EXPECT_EQ(EINVAL, errno);
	EXPECT_SAME(self->fd);
}

TEST_HARNESS_MAIN
