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
#include "famfs_faults.h"
#include "famfs_task.h"
#include "famfs_test.h"

#define PAGE	4096UL

FIXTURE(famfs_map)
{
	struct famfs_env env;
	struct famfs_msg m;
};

FIXTURE_SETUP(famfs_map)
{
	const char *why = famfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(famfs_map)
{
	famfs_msg_exit(&self->m);
	FAMFS_TEARDOWN();
}

/* Opens "f" with this message; the server's attributes stay as they are. */
static int try_message(struct famfs_env *env, const void *buf, size_t len)
{
	int fd;

	famfs_set_map(&env->srv, 0, buf, len);
	fd = famfs_open(env, "f", O_RDONLY);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void try_faults(struct __test_metadata *const _metadata,
		       struct famfs_env *env, void (*good)(struct famfs_msg *m),
		       const struct famfs_fault *f)
{
	struct famfs_msg m;

	good(&m);
	famfs_add_mapped(env, "f", &m);
	ASSERT_EQ(0, famfs_mount_fork(env));
	for (; f->what; f++) {
		int got;

		famfs_msg_exit(&m);
		good(&m);
		famfs_spoil(&m, f);
		got = try_message(env, m.buf, m.len);
		EXPECT_EQ(-f->err, got) {
			TH_LOG("accepted or refused wrongly: %s", f->what);
		}
		/* What was accepted must not hide what comes next. */
		if (!got)
			famfs_drop_caches();
	}
	EXPECT_EQ(0, famfs_wait_handles(&env->srv, 0));
	/* None of them left anything behind. */
	famfs_msg_exit(&m);
	good(&m);
	EXPECT_EQ(0, try_message(env, m.buf, m.len));
	famfs_msg_exit(&m);
}

TEST_F(famfs_map, M1_malformed_simple_maps_are_refused)
{
	try_faults(_metadata, &self->env, famfs_good_simple,
		   famfs_simple_faults);
}

TEST_F(famfs_map, M1_malformed_striped_maps_are_refused)
{
	try_faults(_metadata, &self->env, famfs_good_striped,
		   famfs_striped_faults);
}

/* Every length but the right one; 0 alone means that there is no map. */
static void try_lengths(struct __test_metadata *const _metadata,
			struct famfs_env *env, const struct famfs_msg *good)
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

TEST_F(famfs_map, M1_simple_message_of_another_length_is_refused)
{
	famfs_good_simple(&self->m);
	famfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	try_lengths(_metadata, &self->env, &self->m);
}

TEST_F(famfs_map, M1_striped_message_of_another_length_is_refused)
{
	famfs_good_striped(&self->m);
	famfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	try_lengths(_metadata, &self->env, &self->m);
}

/* A stripe before the last would leave the next one off page alignment. */
TEST_F(famfs_map, M1_only_the_last_stripe_may_end_in_a_page)
{
	int i;

	famfs_good_simple(&self->m);
	famfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	for (i = 0; i < 2; i++) {
		famfs_msg_exit(&self->m);
		famfs_msg_init(&self->m, PAGE, FUSE_FMAP_EXT_STRIPED);
		famfs_msg_stripe(&self->m, PAGE + (i == 0), PAGE, 1);
		famfs_msg_strip(&self->m, 0, 0, 2 * PAGE);
		famfs_msg_stripe(&self->m, PAGE + (i == 1), PAGE, 1);
		famfs_msg_strip(&self->m, 0, 2 * PAGE, 2 * PAGE);
		EXPECT_EQ(i ? 0 : -EINVAL,
			  try_message(&self->env, self->m.buf, self->m.len));
	}
}

/* What became of the reply that was to bring the map. */
static int reply_errno(struct famfs_env *env)
{
	return famfs_reply_errno(env, env->srv.st->manner == FAMFS_ONETRIP ?
				      FUSE_OPEN : FUSE_GET_FMAP);
}

/* What the server can see of the limits; a whole map is always right. */
TEST_F(famfs_map, M8_request_tells_what_is_needed_and_taken)
{
	const struct famfs_state *st = self->env.srv.st;

	if (st->manner == FAMFS_ONETRIP)
		SKIP(return, "needs requests for nothing but a map");
	famfs_good_simple(&self->m);
	famfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	EXPECT_EQ(0, try_message(&self->env, self->m.buf, self->m.len));
	EXPECT_EQ(sizeof(st->get_fmap), st->in_len[FUSE_GET_FMAP]);
	EXPECT_EQ(0, st->get_fmap.offset);
	EXPECT_EQ(~0ULL, st->get_fmap.length);
	EXPECT_EQ(FAMFS_REPLY_MAX, st->get_fmap.size);
	EXPECT_EQ(0, st->get_fmap.flags);
	EXPECT_EQ(0, st->get_fmap.reserved);
}

TEST_F_TIMEOUT(famfs_map, M1_overlong_message_is_refused, 120)
{
	size_t len = FAMFS_REPLY_MAX + 4096;
	int got;

	famfs_good_simple(&self->m);
	famfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	self->m.buf = realloc(self->m.buf, len);
	ASSERT_NE(NULL, self->m.buf);
	memset(self->m.buf + self->m.len, 0, len - self->m.len);
	got = try_message(&self->env, self->m.buf, len);
	if (self->env.srv.transport == FAMFS_URING) {
		EXPECT_GT(0, got);
	} else {
		/* The server's own answer, to the request that still waits. */
		EXPECT_EQ(-E2BIG, got);
		EXPECT_EQ(E2BIG, reply_errno(&self->env));
	}
	/* The connection has survived it. */
	EXPECT_EQ(0, try_message(&self->env, self->m.buf, self->m.len));
}

TEST_F(famfs_map, M2_extent_ends_with_its_device)
{
	__u64 end = self->env.devs[0].size;

	famfs_msg_simple(&self->m, PAGE, 0, end - PAGE, PAGE);
	famfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	famfs_msg_exit(&self->m);
	famfs_msg_simple(&self->m, PAGE, 0, end, PAGE);
	EXPECT_EQ(-ERANGE, try_message(&self->env, self->m.buf, self->m.len));
	famfs_msg_exit(&self->m);
	famfs_msg_simple(&self->m, PAGE, 0, end - PAGE, 2 * PAGE);
	EXPECT_EQ(-ERANGE, try_message(&self->env, self->m.buf, self->m.len));
	famfs_msg_exit(&self->m);
	famfs_msg_simple(&self->m, PAGE, 0, end - PAGE, PAGE);
	EXPECT_EQ(0, try_message(&self->env, self->m.buf, self->m.len));
}

TEST_F(famfs_map, M3_two_files_do_not_share_a_page)
{
	int fd;

	famfs_add_simple(&self->env, "first", 16 * PAGE, 0, 16 * PAGE);
	famfs_add_simple(&self->env, "same", 16 * PAGE, 0, 16 * PAGE);
	famfs_add_simple(&self->env, "head", 16 * PAGE, 0, PAGE);
	famfs_add_simple(&self->env, "tail", 16 * PAGE, 0, 31 * PAGE);
	famfs_add_simple(&self->env, "inside", PAGE, 0, 20 * PAGE);
	famfs_add_simple(&self->env, "around", 64 * PAGE, 0, 0);
	famfs_add_simple(&self->env, "before", 16 * PAGE, 0, 0);
	famfs_add_simple(&self->env, "after", 16 * PAGE, 0, 32 * PAGE);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
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
	ASSERT_EQ(0, famfs_drop_caches());
	close(ASSERT_OPEN("around", O_RDWR));
}

/* Extents that follow one another on the device are claimed as one run. */
TEST_F(famfs_map, M3_each_extent_of_a_run_is_taken)
{
	char name[] = "page 0";
	int i, fd;

	famfs_msg_init(&self->m, 12 * PAGE, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < 3; i++)
		famfs_msg_extent(&self->m, 0, (16 + 3 * i) * PAGE, 3 * PAGE);
	famfs_msg_extent(&self->m, 0, 40 * PAGE, 3 * PAGE);
	famfs_add_mapped(&self->env, "run", &self->m);
	famfs_add_simple(&self->env, "before", PAGE, 0, 15 * PAGE);
	famfs_add_simple(&self->env, "after", 15 * PAGE, 0, 25 * PAGE);
	for (i = 0; i < 9; i++, name[5]++)
		famfs_add_simple(&self->env, name, PAGE, 0, (16 + i) * PAGE);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("run", O_RDWR);
	for (i = 0, name[5] = '0'; i < 9; i++, name[5]++)
		EXPECT_OPEN_FAILS(EEXIST, name, O_RDWR);
	close(ASSERT_OPEN("before", O_RDWR));
	close(ASSERT_OPEN("after", O_RDWR));
	close(fd);
}

TEST_F(famfs_map, M3_stripes_of_two_files_do_not_share_a_page)
{
	famfs_good_striped(&self->m);
	famfs_add_mapped(&self->env, "striped", &self->m);
	famfs_add_simple(&self->env, "in strip 2", PAGE, 0, PMD + 3 * PAGE);
	famfs_add_simple(&self->env, "after it", PAGE, 0, PMD + 12 * PAGE);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	close(ASSERT_OPEN("striped", O_RDWR));
	EXPECT_OPEN_FAILS(EEXIST, "in strip 2", O_RDWR);
	close(ASSERT_OPEN("after it", O_RDWR));
}

/* It has nothing to read, and still it is none of the others. */
TEST_F(famfs_map, M10_empty_file_needs_no_memory)
{
	const __u32 types[] = { FUSE_FMAP_EXT_SIMPLE, FUSE_FMAP_EXT_STRIPED };
	const __u8 flags[] = { 0, FUSE_FMAP_GROW };
	char *map, c, text[4096];
	size_t i;
	int fd;

	famfs_msg_init(&self->m, 0, 0);
	famfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	for (i = 0; i < 4; i++) {
		famfs_msg_exit(&self->m);
		famfs_msg_init(&self->m, 0, types[i / 2]);
		famfs_msg_header(&self->m)->flags = flags[i % 2];
		famfs_set_map(&self->env.srv, 0, self->m.buf, self->m.len);
		famfs_fail(&self->env.srv, FUSE_FALLOCATE, FAMFS_ANY, -ENOSPC, 1);
		fd = ASSERT_OPEN("f", O_RDWR);
		EXPECT_EQ(1, famfs_maps(&self->env));
		EXPECT_EQ(0, famfs_size_of(fd));
		EXPECT_EQ(0, read(fd, &c, 1));
		EXPECT_ERRNO(flags[i % 2] ? ENOSPC : EFBIG, write(fd, "x", 1));
		map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, map);
		EXPECT_EQ(SIGBUS, famfs_probe(map));
		munmap(map, PAGE);
		EXPECT_EQ(0, fsync(fd));
		close(fd);
		ASSERT_EQ(0, famfs_evict(&self->env, 0));
		famfs_rules_clear(&self->env.srv);
	}
	EXPECT_COUNT(0, FUSE_READ);
	EXPECT_COUNT(0, FUSE_WRITE);
	/* No device is held for it. */
	EXPECT_EQ(0, famfs_table(&self->env, text, sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, "device"));
	/* A size without memory is another matter. */
	famfs_msg_header(&self->m)->file_size = 1;
	EXPECT_EQ(-EINVAL, try_message(&self->env, self->m.buf, self->m.len));
}

TEST_HARNESS_MAIN
