// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that has failed, after that: who remembers it, and what mends it.
 *
 * What was wrong: the connection kept the list of bad pages, so the next mount
 * read and mapped them as if nothing had happened; and nothing that was written
 * to a bad page made it good again.
 */
#include <setjmp.h>

#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(2 * PMD)
#define OFFSET	(2 * PMD)
#define BAD	(PMD + 7 * PAGE)

FIXTURE(heal)
{
	struct tfs_env env;
	__u64 frame;
	int fd, node;
	bool failed;
};

FIXTURE_VARIANT(heal)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(heal, small_pages) {};
FIXTURE_VARIANT_ADD(heal, huge_pages) { .huge = true };

static char *map_file(int fd, bool huge)
{
	char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map != MAP_FAILED && !huge)
		madvise(map, SIZE, MADV_NOHUGEPAGE);
	return map;
}

/* Fills the file, and has its page at BAD fail while nobody maps it. */
static int fail_page(int fd, bool huge, __u64 *frame)
{
	char *map = map_file(fd, huge);

	if (map == MAP_FAILED)
		return -errno;
	memset(map, 'g', SIZE);
	*frame = tfs_frame_of(map + BAD);
	munmap(map, SIZE);
	return tfs_fail_frame(*frame);
}

FIXTURE_SETUP(heal)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (!why)
		why = tfs_fail_init();
	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, OFFSET);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = ASSERT_OPEN("f", O_RDWR);
	self->node = open(self->env.devs[0].path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->node, 0);
	self->failed = true;
	ASSERT_EQ(0, fail_page(self->fd, variant->huge, &self->frame));
}

FIXTURE_TEARDOWN(heal)
{
	close(self->fd);
	close(self->node);
	EXPECT_EQ(0, tfs_umount(&self->env));
	if (self->failed)
		tfs_bind(&self->env.devs[0], "fsdev_dax");
	EXPECT_TRUE(tfs_bound(&self->env.devs[0], "fsdev_dax"));
	TFS_TEARDOWN();
}

/* The same memory for a server and a mount that know nothing. */
static int mount_anew(struct tfs_env *env, int *fd)
{
	int err;

	close(*fd);
	*fd = -1;
	err = tfs_remount(env);
	if (err)
		return err;
	tfs_add_simple(env, "f", SIZE, 0, OFFSET);
	*fd = tfs_open(env, "f", O_RDWR);
	return *fd < 0 ? *fd : 0;
}

static sigjmp_buf jump;
static int jump_code;

static void on_sigbus(int sig, siginfo_t *si, void *ctx)
{
	(void)sig;
	(void)ctx;
	__atomic_store_n(&jump_code, si->si_code, __ATOMIC_SEQ_CST);
	siglongjmp(jump, 1);
}

/* Reads a byte; returns the code of the SIGBUS that this brings, or 0. */
static int probe(const char *p)
{
	struct sigaction sa = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO,
	};

	sigaction(SIGBUS, &sa, NULL);
	__atomic_store_n(&jump_code, 0, __ATOMIC_SEQ_CST);
	if (!sigsetjmp(jump, 1))
		__atomic_load_n(p, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&jump_code, __ATOMIC_SEQ_CST);
}

/* What a mapping of the page brings: a code of SIGBUS, or 0. */
static int probe_mapped(int fd, bool huge)
{
	char *map = map_file(fd, huge);
	int code;

	if (map == MAP_FAILED)
		return -1;
	code = probe(map + BAD);
	if (!code && huge)
		code = probe(map + BAD + PAGE);
	munmap(map, SIZE);
	return code;
}

/* The file is good around the page, and the page is as bad as it can be. */
static void page_is_bad(struct __test_metadata *const _metadata,
			FIXTURE_DATA(heal) * self, bool huge)
{
	char buf[2 * PAGE];

	EXPECT_ERRNO(EIO, pread(self->fd, buf, PAGE, BAD));
	EXPECT_ERRNO(EIO, pread(self->node, buf, 1, OFFSET + BAD));
	EXPECT_EQ(BUS_MCEERR_AR, probe_mapped(self->fd, huge));
	EXPECT_EQ(PAGE, pread(self->fd, buf, 2 * PAGE, BAD - PAGE));
	EXPECT_EQ(PAGE, pread(self->fd, buf, PAGE, BAD + PAGE));
}

static void page_is_good(struct __test_metadata *const _metadata,
			 FIXTURE_DATA(heal) * self, bool huge,
			 const char *data)
{
	char buf[PAGE];

	EXPECT_EQ(PAGE, pread(self->fd, buf, PAGE, BAD));
	EXPECT_EQ(0, memcmp(data, buf, PAGE));
	EXPECT_EQ(0, probe_mapped(self->fd, huge));
	EXPECT_EQ(PAGE, pread(self->node, buf, PAGE, OFFSET + BAD));
	EXPECT_EQ(0, memcmp(data, buf, PAGE));
}

TEST_F(heal, X1_failure_outlives_the_mount)
{
	page_is_bad(_metadata, self, variant->huge);
	ASSERT_EQ(0, mount_anew(&self->env, &self->fd));
	page_is_bad(_metadata, self, variant->huge);
}

/*
 * Whoever learns of the failure may write at once, while the kernel's mapping of
 * the page is still to go.
 */
TEST_F(heal, X1_write_heals_no_page_that_has_just_failed)
{
	char data[PAGE];
	int i;

	memset(data, 'h', PAGE);
	/* Each failure counts, also of a page that has failed long ago. */
	for (i = 0; i < 2; i++) {
		EXPECT_ERRNO(EIO, pwrite(self->fd, data, PAGE, BAD));
		EXPECT_ERRNO(EIO, pwrite(self->node, data, PAGE, OFFSET + BAD));
		page_is_bad(_metadata, self, variant->huge);
		tfs_fail_settle();
		if (!i)
			ASSERT_EQ(0, tfs_fail_frame(self->frame));
	}
	EXPECT_EQ(PAGE, pwrite(self->fd, data, PAGE, BAD));
	page_is_good(_metadata, self, variant->huge, data);
}

TEST_F(heal, X1_write_heals)
{
	char data[3 * PAGE], buf[3 * PAGE];

	tfs_fail_settle();
	memset(data, 'h', sizeof(data));
	EXPECT_ERRNO(EIO, pwrite(self->fd, data, PAGE - 1, BAD));
	EXPECT_ERRNO(EIO, pwrite(self->fd, data, PAGE, BAD + 1));
	page_is_bad(_metadata, self, variant->huge);
	EXPECT_EQ(PAGE, pwrite(self->fd, data, PAGE, BAD));
	page_is_good(_metadata, self, variant->huge, data);
	EXPECT_EQ(3 * PAGE, pread(self->fd, buf, 3 * PAGE, BAD - PAGE));
	EXPECT_EQ('g', buf[PAGE - 1]);
	EXPECT_EQ('g', buf[2 * PAGE]);
	ASSERT_EQ(0, mount_anew(&self->env, &self->fd));
	page_is_good(_metadata, self, variant->huge, data);
}

/* The page is in the middle, and no page of the buffer is one of the file. */
TEST_F(heal, X1_longer_write_heals)
{
	char data[3 * PAGE], buf[3 * PAGE];

	tfs_fail_settle();
	memset(data, 'h', sizeof(data));
	EXPECT_EQ(2 * PAGE, pwrite(self->fd, data, 2 * PAGE, BAD - 100));
	page_is_good(_metadata, self, variant->huge, data);
	EXPECT_EQ(3 * PAGE, pread(self->fd, buf, 3 * PAGE, BAD - PAGE));
	EXPECT_EQ('g', buf[PAGE - 101]);
	EXPECT_EQ('h', buf[PAGE - 100]);
	EXPECT_EQ('h', buf[3 * PAGE - 101]);
	EXPECT_EQ('g', buf[3 * PAGE - 100]);
}

TEST_F(heal, X1_write_of_the_node_heals)
{
	char data[PAGE];

	tfs_fail_settle();
	memset(data, 'n', PAGE);
	EXPECT_ERRNO(EIO, pwrite(self->node, data, PAGE - 1, OFFSET + BAD));
	page_is_bad(_metadata, self, variant->huge);
	EXPECT_EQ(PAGE, pwrite(self->node, data, PAGE, OFFSET + BAD));
	page_is_good(_metadata, self, variant->huge, data);
}

/* A buffer is copied with page faults off: it need not be present. */
TEST_F(heal, X1_write_from_an_absent_buffer_heals)
{
	char *data = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	tfs_fail_settle();
	ASSERT_NE(MAP_FAILED, data);
	/* The page's data begins in a page that is there. */
	memset(data, 'h', 100);
	EXPECT_EQ(PAGE, pwrite(self->fd, data + 50, PAGE, BAD));
	page_is_good(_metadata, self, variant->huge, data + 50);
	munmap(data, 2 * PAGE);
}

/* The page keeps failing: a part of the new data is no replacement. */
TEST_F(heal, X1_write_from_a_bad_buffer_does_not_heal)
{
	char *data = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	tfs_fail_settle();
	ASSERT_NE(MAP_FAILED, data);
	memset(data, 'h', PAGE);
	ASSERT_EQ(0, mprotect(data + PAGE, PAGE, PROT_NONE));
	EXPECT_EQ(-1, pwrite(self->fd, data + 50, PAGE, BAD));
	EXPECT_TRUE(errno == EFAULT || errno == EIO);
	page_is_bad(_metadata, self, variant->huge);
	munmap(data, 2 * PAGE);
}

TEST_HARNESS_MAIN
