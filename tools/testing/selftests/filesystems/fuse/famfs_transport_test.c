// SPDX-License-Identifier: GPL-2.0
/*
 * How replies reach the kernel: over each transport, short ones and long ones,
 * and those whose length is not what they say.
 *
 * What is easily wrong here: the buffer of a map is allocated when the reply
 * comes, at a length that the server told; over io_uring, that length and the
 * buffer that it is about are two things.
 *
 * FAMFS_TRANSPORT=fuse|clone|uring in the environment chooses the transport.
 */
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(64 * 1024UL)
#define HDR_LEN	sizeof(struct fuse_fmap_header)
#define EXT_LEN	sizeof(struct fuse_fmap_extent)

FIXTURE(transport)
{
	struct tfs_env env;
	struct tfs_msg m;
};

FIXTURE_SETUP(transport)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(transport)
{
	tfs_msg_exit(&self->m);
	TFS_TEARDOWN();
}

/* Otherwise the other tests of a transport show nothing. */
TEST_F(transport, F1_requests_come_over_the_chosen_transport)
{
	struct tfs_server *srv = &self->env.srv;
	int i;

	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	for (i = 0; i < 10; i++)
		close(ASSERT_OPEN("f", O_RDWR));
	EXPECT_FETCHES(1);
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
	EXPECT_EQ(srv->transport == TFS_URING, srv->st->ring_requests > 10);
	for (i = 0; i < TFS_CLONES; i++)
		EXPECT_EQ(srv->transport == TFS_CLONE,
			  srv->st->clone_requests[i] > 1);
}

/* An extent for each page; the halves of the file have changed places. */
static void halves(struct tfs_msg *m, unsigned long nr)
{
	unsigned long i;

	tfs_msg_init(m, nr * PAGE, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < nr; i++)
		tfs_msg_extent(m, 0, (i + nr / 2) % nr * PAGE, PAGE);
}

/* Serves the map in a new mount; returns the file. */
static int mount_map(struct tfs_env *env, const struct tfs_msg *m)
{
	int err = tfs_remount(env);

	if (err)
		return err;
	tfs_add_mapped(env, "f", m);
	return tfs_open(env, "f", O_RDWR);
}

/*
 * Writes to pages all over the file through one map, and reads them through
 * another, simple one.  Returns how many are wrong.
 */
static int through_both(struct tfs_env *env, const struct tfs_msg *m,
			unsigned long nr)
{
	unsigned long step = nr / 61 + 1, page;
	struct tfs_msg plain;
	int fd, wrong = 0;
	__u64 tag, off;
	__u32 dev;

	fd = mount_map(env, m);
	for (page = 0; page < nr; page += step) {
		tag = page * 0x9e3779b97f4a7c15ULL + nr;
		wrong += pwrite(fd, &tag, 8, page * PAGE) != 8;
	}
	close(fd);
	tfs_msg_simple(&plain, nr * PAGE, 0, 0, nr * PAGE);
	fd = mount_map(env, &plain);
	tfs_msg_exit(&plain);
	for (page = 0; page < nr; page += step) {
		wrong += !tfs_resolve(m, page * PAGE, &dev, &off);
		wrong += pread(fd, &tag, 8, off) != 8 ||
			 tag != page * 0x9e3779b97f4a7c15ULL + nr;
	}
	close(fd);
	return wrong;
}

static unsigned long extents_in(size_t len)
{
	return (len - HDR_LEN) / EXT_LEN;
}

/* From one extent to as many pages as the device has. */
TEST_F_TIMEOUT(transport, M5_messages_of_many_lengths, 180)
{
	unsigned long max = self->env.devs[0].size / PAGE;
	unsigned long nr[] = {
		1, 2,
		/* About a page, with and without the header of the reply. */
		extents_in(PAGE) - 1, extents_in(PAGE), extents_in(PAGE) + 1,
		extents_in(60 * 1024),
		/* About what a queue's payload has to have at least. */
		extents_in(TFS_MAX_WRITE), extents_in(TFS_MAX_WRITE) + 1,
		max,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nr); i++) {
		if (nr[i] > max)
			continue;
		tfs_msg_exit(&self->m);
		halves(&self->m, nr[i]);
		EXPECT_EQ(0, through_both(&self->env, &self->m, nr[i])) {
			TH_LOG("%lu extents, %zu bytes", nr[i], self->m.len);
		}
		EXPECT_FETCHES(1);
	}
}

/* Opens "f" whose map's reply says it is longer by skew; returns the errno. */
static int open_skewed(struct tfs_env *env, __s64 skew)
{
	struct tfs_state *st = env->srv.st;
	int fd;

	st->skew_opcode = FUSE_GET_FMAP;
	st->skew_errno = 0;
	st->skew = skew;
	fd = tfs_open(env, "f", O_RDWR);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -fd : 0;
}

/*
 * A write() of another length than its header says is no reply at all.  A
 * ring's entry that says so is one, of that length.
 */
TEST_F(transport, M1_length_is_not_what_the_reply_says)
{
	const __s64 msg_len = HDR_LEN + 2 * EXT_LEN;
	const __s64 skews[] = {
		1, -1, 8, -8, -msg_len + 1, PAGE, TFS_REPLY_MAX - msg_len,
		TFS_REPLY_MAX - msg_len + 1, (1LL << 32) - msg_len - 1,
	};
	bool ring = self->env.srv.transport == TFS_URING;
	char c = 0;
	size_t i;
	int fd;

	if (self->env.srv.st->open_mode == TFS_OPENFMAP)
		SKIP(return, "needs replies with nothing but a map");
	halves(&self->m, 2);
	tfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	for (i = 0; i < ARRAY_SIZE(skews); i++) {
		EXPECT_EQ(ring ? EINVAL : 0,
			  open_skewed(&self->env, skews[i])) {
			TH_LOG("longer by %lld", skews[i]);
		}
		EXPECT_EQ(0, self->env.srv.st->skew);
		EXPECT_EQ(ring ? 0 : EINVAL, self->env.srv.st->skew_errno);
		/* What was accepted must not hide what comes next. */
		tfs_drop_caches();
	}
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(1, pread(fd, &c, 1, PAGE));
	close(fd);
}

/* The ring has a payload that is shorter than what the kernel would take. */
TEST_F(transport, M1_reply_is_longer_than_its_buffer)
{
	if (self->env.srv.transport != TFS_URING)
		SKIP(return, "needs FAMFS_TRANSPORT=uring");
	self->env.srv.payload = 2 * TFS_MAX_WRITE;
	halves(&self->m, 2);
	tfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_EQ(EINVAL, open_skewed(&self->env, 2 * TFS_MAX_WRITE -
				      self->m.len));
	EXPECT_EQ(EIO, open_skewed(&self->env, 2 * TFS_MAX_WRITE -
				   self->m.len + 1));
	EXPECT_EQ(EIO, open_skewed(&self->env, TFS_REPLY_MAX -
				   self->m.len));
	EXPECT_EQ(0, open_skewed(&self->env, 0));
}

TEST_HARNESS_MAIN
