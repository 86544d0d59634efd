// SPDX-License-Identifier: GPL-2.0
/*
 * Map messages: that the kernel refuses each malformed one with the errno that
 * says why, and that it finds every byte of a good one where a plain resolver
 * does.
 *
 * What is easily wrong here: a wrapping length or an extent beyond its device
 * makes memory readable that the server was not given; a strip shorter than
 * the chunks that land on it lets a file reach into its neighbour; one device
 * page in two places corrupts the bookkeeping of DAX and umount never returns.
 */
#include "tfs_bad_fmaps.h"
#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL

FIXTURE(map)
{
	struct tfs_env env;
	struct tfs_msg m;
};

FIXTURE_SETUP(map)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(map)
{
	tfs_msg_exit(&self->m);
	TFS_TEARDOWN();
}

/* Opens "f" with this message; the server's attributes stay as they are. */
static int try_message(struct tfs_env *env, const void *buf, size_t len)
{
	int fd;

	tfs_set_map(&env->srv, 0, buf, len);
	fd = tfs_open(env, "f", O_RDONLY);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void try_faults(struct __test_metadata *const _metadata,
		       struct tfs_env *env, void (*good)(struct tfs_msg *m),
		       const struct tfs_fault *f)
{
	struct tfs_msg m;

	good(&m);
	tfs_add_mapped(env, "f", &m);
	ASSERT_EQ(0, tfs_mount_fork(env));
	for (; f->what; f++) {
		int got;

		tfs_msg_exit(&m);
		good(&m);
		tfs_spoil(&m, f);
		got = try_message(env, m.buf, m.len);
		EXPECT_EQ(-f->err, got) {
			TH_LOG("accepted or refused wrongly: %s", f->what);
		}
		/* What was accepted must not hide what comes next. */
		if (!got)
			tfs_drop_caches();
	}
	EXPECT_EQ(0, tfs_wait_handles(&env->srv, 0));
	/* None of them left anything behind. */
	tfs_msg_exit(&m);
	good(&m);
	EXPECT_EQ(0, try_message(env, m.buf, m.len));
	tfs_msg_exit(&m);
}

TEST_F(map, M1_malformed_simple_maps_are_refused)
{
	try_faults(_metadata, &self->env, tfs_good_simple,
		   tfs_simple_faults);
}

TEST_F(map, M1_malformed_striped_maps_are_refused)
{
	try_faults(_metadata, &self->env, tfs_good_striped,
		   tfs_striped_faults);
}

/* Every length but the right one; 0 alone means that there is no map. */
static void try_lengths(struct __test_metadata *const _metadata,
			struct tfs_env *env, const struct tfs_msg *good)
{
	unsigned char buf[256] = {};
	size_t len;

	memcpy(buf, good->buf, good->len);
	for (len = 1; len < good->len + 26; len++) {
		if (len == good->len)
			continue;
		EXPECT_EQ(-EINVAL, try_message(env, buf, len)) {
			TH_LOG("%zu bytes instead of %zu", len, good->len);
		}
	}
	EXPECT_EQ(0, try_message(env, buf, good->len));
}

TEST_F(map, M1_simple_message_of_another_length_is_refused)
{
	tfs_good_simple(&self->m);
	tfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	try_lengths(_metadata, &self->env, &self->m);
}

TEST_F(map, M1_striped_message_of_another_length_is_refused)
{
	tfs_good_striped(&self->m);
	tfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	try_lengths(_metadata, &self->env, &self->m);
}

/* A stripe before the last would leave the next one off page alignment. */
TEST_F(map, M1_only_the_last_stripe_may_end_in_a_page)
{
	int i;

	tfs_good_simple(&self->m);
	tfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	for (i = 0; i < 2; i++) {
		tfs_msg_exit(&self->m);
		tfs_msg_init(&self->m, PAGE, FUSE_FMAP_EXT_STRIPED);
		tfs_msg_stripe(&self->m, PAGE + (i == 0), PAGE, 1);
		tfs_msg_strip(&self->m, 0, 0, 2 * PAGE);
		tfs_msg_stripe(&self->m, PAGE + (i == 1), PAGE, 1);
		tfs_msg_strip(&self->m, 0, 2 * PAGE, 2 * PAGE);
		EXPECT_EQ(i ? 0 : -EINVAL,
			  try_message(&self->env, self->m.buf, self->m.len));
	}
}

/* What became of the reply that was to bring the map. */
static int reply_errno(struct tfs_env *env)
{
	return tfs_reply_errno(env, env->srv.st->open_mode == TFS_OPENFMAP ?
				      FUSE_OPEN : FUSE_GET_FMAP);
}

/* What the server can see of the limits; a whole map is always right. */
TEST_F(map, M8_request_tells_what_is_needed_and_taken)
{
	const struct tfs_state *st = self->env.srv.st;

	if (st->open_mode == TFS_OPENFMAP)
		SKIP(return, "needs requests for nothing but a map");
	tfs_good_simple(&self->m);
	tfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_EQ(0, try_message(&self->env, self->m.buf, self->m.len));
	EXPECT_EQ(sizeof(st->get_fmap), st->in_len[FUSE_GET_FMAP]);
	EXPECT_EQ(0, st->get_fmap.offset);
	EXPECT_EQ(~0ULL, st->get_fmap.length);
	EXPECT_EQ(TFS_REPLY_MAX, st->get_fmap.size);
	EXPECT_EQ(0, st->get_fmap.flags);
	EXPECT_EQ(0, st->get_fmap.reserved);
}

TEST_F_TIMEOUT(map, M1_overlong_message_is_refused, 120)
{
	size_t len = TFS_REPLY_MAX + 4096;
	int got;

	tfs_good_simple(&self->m);
	tfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->m.buf = realloc(self->m.buf, len);
	ASSERT_NE(NULL, self->m.buf);
	memset(self->m.buf + self->m.len, 0, len - self->m.len);
	got = try_message(&self->env, self->m.buf, len);
	if (self->env.srv.transport == TFS_URING) {
		EXPECT_GT(0, got);
	} else {
		/* The server's own answer, to the request that still waits. */
		EXPECT_EQ(-E2BIG, got);
		EXPECT_EQ(E2BIG, reply_errno(&self->env));
	}
	/* The connection has survived it. */
	EXPECT_EQ(0, try_message(&self->env, self->m.buf, self->m.len));
}

TEST_F(map, M2_extent_ends_with_its_device)
{
	__u64 end = self->env.devs[0].size;

	tfs_msg_simple(&self->m, PAGE, 0, end - PAGE, PAGE);
	tfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	tfs_msg_exit(&self->m);
	tfs_msg_simple(&self->m, PAGE, 0, end, PAGE);
	EXPECT_EQ(-ERANGE, try_message(&self->env, self->m.buf, self->m.len));
	tfs_msg_exit(&self->m);
	tfs_msg_simple(&self->m, PAGE, 0, end - PAGE, 2 * PAGE);
	EXPECT_EQ(-ERANGE, try_message(&self->env, self->m.buf, self->m.len));
	tfs_msg_exit(&self->m);
	tfs_msg_simple(&self->m, PAGE, 0, end - PAGE, PAGE);
	EXPECT_EQ(0, try_message(&self->env, self->m.buf, self->m.len));
}

TEST_F(map, M3_two_files_do_not_share_a_page)
{
	int fd;

	tfs_add_simple(&self->env, "first", 16 * PAGE, 0, 16 * PAGE);
	tfs_add_simple(&self->env, "same", 16 * PAGE, 0, 16 * PAGE);
	tfs_add_simple(&self->env, "head", 16 * PAGE, 0, PAGE);
	tfs_add_simple(&self->env, "tail", 16 * PAGE, 0, 31 * PAGE);
	tfs_add_simple(&self->env, "inside", PAGE, 0, 20 * PAGE);
	tfs_add_simple(&self->env, "around", 64 * PAGE, 0, 0);
	tfs_add_simple(&self->env, "before", 16 * PAGE, 0, 0);
	tfs_add_simple(&self->env, "after", 16 * PAGE, 0, 32 * PAGE);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("first", O_RDWR);
	EXPECT_OPEN_FAILS(EEXIST, "same", O_RDWR);
	EXPECT_OPEN_FAILS(EEXIST, "head", O_RDWR);
	EXPECT_OPEN_FAILS(EEXIST, "tail", O_RDWR);
	EXPECT_OPEN_FAILS(EEXIST, "inside", O_RDWR);
	EXPECT_OPEN_FAILS(EEXIST, "around", O_RDWR);
	close(ASSERT_OPEN("before", O_RDWR));
	close(ASSERT_OPEN("after", O_RDWR));
	close(fd);
	/* Pages are free again when no inode has them. */
	ASSERT_EQ(0, tfs_drop_caches());
	close(ASSERT_OPEN("around", O_RDWR));
}

/* Extents that follow one another on the device are claimed as one run. */
TEST_F(map, M3_each_extent_of_a_run_is_taken)
{
	char name[] = "page 0";
	int i, fd;

	tfs_msg_init(&self->m, 12 * PAGE, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < 3; i++)
		tfs_msg_extent(&self->m, 0, (16 + 3 * i) * PAGE, 3 * PAGE);
	tfs_msg_extent(&self->m, 0, 40 * PAGE, 3 * PAGE);
	tfs_add_mapped(&self->env, "run", &self->m);
	tfs_add_simple(&self->env, "before", PAGE, 0, 15 * PAGE);
	tfs_add_simple(&self->env, "after", 15 * PAGE, 0, 25 * PAGE);
	for (i = 0; i < 9; i++, name[5]++)
		tfs_add_simple(&self->env, name, PAGE, 0, (16 + i) * PAGE);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("run", O_RDWR);
	for (i = 0, name[5] = '0'; i < 9; i++, name[5]++)
		EXPECT_OPEN_FAILS(EEXIST, name, O_RDWR);
	close(ASSERT_OPEN("before", O_RDWR));
	close(ASSERT_OPEN("after", O_RDWR));
	close(fd);
}

TEST_F(map, M3_stripes_of_two_files_do_not_share_a_page)
{
	tfs_good_striped(&self->m);
	tfs_add_mapped(&self->env, "striped", &self->m);
	tfs_add_simple(&self->env, "in strip 2", PAGE, 0, PMD + 3 * PAGE);
	tfs_add_simple(&self->env, "after it", PAGE, 0, PMD + 12 * PAGE);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	close(ASSERT_OPEN("striped", O_RDWR));
	EXPECT_OPEN_FAILS(EEXIST, "in strip 2", O_RDWR);
	close(ASSERT_OPEN("after it", O_RDWR));
}

/* It has nothing to read, and still it is none of the others. */
TEST_F(map, M10_empty_file_needs_no_memory)
{
	const __u32 types[] = { FUSE_FMAP_EXT_SIMPLE, FUSE_FMAP_EXT_STRIPED };
	const __u8 flags[] = { 0, FUSE_FMAP_GROW };
	char *map, c, text[4096];
	size_t i;
	int fd;

	tfs_msg_init(&self->m, 0, 0);
	tfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	for (i = 0; i < 4; i++) {
		tfs_msg_exit(&self->m);
		tfs_msg_init(&self->m, 0, types[i / 2]);
		tfs_msg_header(&self->m)->flags = flags[i % 2];
		tfs_set_map(&self->env.srv, 0, self->m.buf, self->m.len);
		rule_fail(&self->env.srv, FUSE_FALLOCATE, TFS_ANY, -ENOSPC, 1);
		fd = ASSERT_OPEN("f", O_RDWR);
		EXPECT_EQ(1, tfs_maps(&self->env));
		EXPECT_EQ(0, tfs_size_of(fd));
		EXPECT_EQ(0, read(fd, &c, 1));
		EXPECT_ERRNO(flags[i % 2] ? ENOSPC : EFBIG, write(fd, "x", 1));
		map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, map);
		EXPECT_EQ(SIGBUS, load_byte(map));
		munmap(map, PAGE);
		EXPECT_EQ(0, fsync(fd));
		close(fd);
		ASSERT_EQ(0, tfs_evict(&self->env, 0));
		rules_clear(&self->env.srv);
	}
	EXPECT_COUNT(0, FUSE_READ);
	EXPECT_COUNT(0, FUSE_WRITE);
	/* No device is held for it. */
	EXPECT_EQ(0, tfs_table(&self->env, text, sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, "device"));
	/* A size without memory is another matter. */
	tfs_msg_header(&self->m)->file_size = 1;
	EXPECT_EQ(-EINVAL, try_message(&self->env, self->m.buf, self->m.len));
}

TEST_HARNESS_MAIN
