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
#include "famfs_test.h"

#define PAGE		4096UL
#define HDR(f)		offsetof(struct fuse_fmap_header, f)
#define HDR_LEN		sizeof(struct fuse_fmap_header)
#define EXT_LEN		sizeof(struct fuse_fmap_extent)
#define STRIPE_LEN	sizeof(struct fuse_fmap_stripe)

/* Fields of the first and the second extent of a simple map, ... */
#define EXT(f)		(HDR_LEN + offsetof(struct fuse_fmap_extent, f))
#define EXT2(f)		(EXT(f) + EXT_LEN)
/* ... of the first stripe, and of its first two strips. */
#define STRIPE(f)	(HDR_LEN + offsetof(struct fuse_fmap_stripe, f))
#define STRIP(f)	(EXT(f) + STRIPE_LEN)
#define STRIP2(f)	(STRIP(f) + EXT_LEN)

/* A change to a good message that spoils it. */
struct fault {
	const char *what;
	size_t at;
	int bytes;			/* width of the field */
	__u64 value;
	int err;
};

/* The good one: two extents of 16 pages each. */
static const struct fault simple_faults[] = {
	{ "file type", HDR(file_type), 1, 3, EINVAL },
	{ "flags", HDR(flags), 1, 2, EINVAL },
	{ "version 0", HDR(version), 2, 0, EINVAL },
	{ "version 2", HDR(version), 2, 2, EINVAL },
	{ "extent type", HDR(ext_type), 4, 2, EINVAL },
	{ "simple read as striped", HDR(ext_type), 4, 1, EINVAL },
	{ "no extents", HDR(nextents), 4, 0, EINVAL },
	{ "one extent too few", HDR(nextents), 4, 1, EINVAL },
	{ "one extent too many", HDR(nextents), 4, 3, EINVAL },
	{ "too many extents", HDR(nextents), 4, ~0U, EINVAL },
	{ "extents that wrap", HDR(nextents), 4, 0x0aaaaaad, EINVAL },
	{ "size too small", HDR(size), 4, 79, EINVAL },
	{ "size too large", HDR(size), 4, 81, EINVAL },
	{ "size of a header", HDR(size), 4, 32, EINVAL },
	{ "header reserved", HDR(reserved), 8, 1ULL << 63, EINVAL },
	{ "file larger than map", HDR(file_size), 8, 32 * PAGE + 1, EINVAL },
	{ "file size negative", HDR(file_size), 8, 1ULL << 63, EINVAL },
	{ "file size maximal", HDR(file_size), 8, ~0ULL, EINVAL },
	{ "extent reserved", EXT(reserved), 4, 1, EINVAL },
	{ "second reserved", EXT2(reserved), 4, 1, EINVAL },
	{ "device index", EXT(devindex), 4, FUSE_DAXDEV_MAX, EINVAL },
	{ "device index maximal", EXT2(devindex), 4, ~0U, EINVAL },
	{ "offset in a page", EXT(offset), 8, 512, EINVAL },
	{ "offset odd", EXT2(offset), 8, 1, EINVAL },
	{ "no length", EXT(len), 8, 0, EINVAL },
	{ "length odd", EXT(len), 8, 16 * PAGE + 1, EINVAL },
	{ "length in a page", EXT2(len), 8, 16 * PAGE + 512, EINVAL },
	{ "length short", EXT2(len), 8, 15 * PAGE, EINVAL },
	{ "extent wraps", EXT(offset), 8, -PAGE, EINVAL },
	{ "length wraps", EXT(len), 8, -PAGE, EINVAL },
	{ "length negative", EXT2(len), 8, 1ULL << 63, EINVAL },
	{ "offset beyond device", EXT(offset), 8, 1ULL << 50, ERANGE },
	{ "length beyond device", EXT2(len), 8, 1ULL << 50, ERANGE },
	{ "same pages twice", EXT2(offset), 8, 0, EBUSY },
	{ "last page twice", EXT2(offset), 8, 15 * PAGE, EBUSY },
};

/* The good one: three strips, chunks of two pages, 32 pages in all. */
static const struct fault striped_faults[] = {
	{ "striped read as simple", HDR(ext_type), 4, 0, EINVAL },
	{ "no strips", STRIPE(nstrips), 4, 0, EINVAL },
	{ "one strip too few", STRIPE(nstrips), 4, 2, EINVAL },
	{ "one strip too many", STRIPE(nstrips), 4, 4, EINVAL },
	{ "strips that wrap", STRIPE(nstrips), 4, 0x0aaaaaae, EINVAL },
	{ "too many strips", STRIPE(nstrips), 4, ~0U, EINVAL },
	{ "no chunk size", STRIPE(chunk_size), 4, 0, EINVAL },
	{ "chunk in a page", STRIPE(chunk_size), 4, 2048, EINVAL },
	{ "chunk odd", STRIPE(chunk_size), 4, 2 * PAGE + 1, EINVAL },
	{ "chunk too large", STRIPE(chunk_size), 4, 32 * PAGE, EINVAL },
	{ "stripe empty", STRIPE(nbytes), 8, 0, EINVAL },
	{ "stripe short", STRIPE(nbytes), 8, 31 * PAGE, EINVAL },
	{ "stripe too long", STRIPE(nbytes), 8, 48 * PAGE, EINVAL },
	{ "stripe wraps", STRIPE(nbytes), 8, -PAGE, EINVAL },
	{ "stripe reserved", STRIPE(reserved), 8, 1, EINVAL },
	{ "strip reserved", STRIP(reserved), 4, 1, EINVAL },
	{ "strip device index", STRIP2(devindex), 4, FUSE_DAXDEV_MAX, EINVAL },
	{ "strip offset odd", STRIP(offset), 8, 3, EINVAL },
	{ "strip without length", STRIP2(len), 8, 0, EINVAL },
	{ "strip length odd", STRIP2(len), 8, 12 * PAGE + 1, EINVAL },
	{ "strip a page short", STRIP(len), 8, 11 * PAGE, EINVAL },
	{ "strip wraps", STRIP(offset), 8, -PAGE, EINVAL },
	{ "strip beyond device", STRIP(offset), 8, 1ULL << 50, ERANGE },
	{ "strip used twice", STRIP2(offset), 8, 0, EBUSY },
	{ "strips overlap in a page", STRIP2(offset), 8, 11 * PAGE, EBUSY },
};

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

static void good_simple(struct famfs_msg *m)
{
	famfs_msg_init(m, 32 * PAGE - 5, FUSE_FMAP_EXT_SIMPLE);
	famfs_msg_extent(m, 0, 0, 16 * PAGE);
	famfs_msg_extent(m, 0, PMD, 16 * PAGE);
}

static void good_striped(struct famfs_msg *m)
{
	famfs_msg_init(m, 32 * PAGE - 5, FUSE_FMAP_EXT_STRIPED);
	famfs_msg_stripe(m, 32 * PAGE, 2 * PAGE, 3);
	famfs_msg_strip(m, 0, 0, 12 * PAGE);
	famfs_msg_strip(m, 0, PMD, 12 * PAGE);
	famfs_msg_strip(m, 0, 2 * PMD, 12 * PAGE);
}

static int spoil(struct famfs_msg *m, const struct fault *f)
{
	/* Little endian or not, a narrow field takes its own bytes. */
	switch (f->bytes) {
	case 1:
		m->buf[f->at] = f->value;
		return 0;
	case 2:
		*(__u16 *)(m->buf + f->at) = f->value;
		return 0;
	case 4:
		*(__u32 *)(m->buf + f->at) = f->value;
		return 0;
	case 8:
		*(__u64 *)(m->buf + f->at) = f->value;
		return 0;
	}
	return -1;
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
		       const struct fault *f, size_t n)
{
	struct famfs_msg m;

	good(&m);
	famfs_add_mapped(env, "f", &m);
	ASSERT_EQ(0, famfs_mount_fork(env));
	for (; n; n--, f++) {
		int got;

		famfs_msg_exit(&m);
		good(&m);
		ASSERT_EQ(0, spoil(&m, f));
		got = try_message(env, m.buf, m.len);
		EXPECT_EQ(-f->err, got) {
			TH_LOG("accepted or refused wrongly: %s", f->what);
		}
		/* What was accepted must not hide what comes next. */
		if (!got)
			famfs_drop_caches();
	}
	EXPECT_EQ(0, famfs_count(&env->srv, FUSE_OPEN));
	/* None of them left anything behind. */
	famfs_msg_exit(&m);
	good(&m);
	EXPECT_EQ(0, try_message(env, m.buf, m.len));
	famfs_msg_exit(&m);
}

TEST_F(famfs_map, M1_malformed_simple_maps_are_refused)
{
	try_faults(_metadata, &self->env, good_simple, simple_faults,
		   ARRAY_SIZE(simple_faults));
}

TEST_F(famfs_map, M1_malformed_striped_maps_are_refused)
{
	try_faults(_metadata, &self->env, good_striped, striped_faults,
		   ARRAY_SIZE(striped_faults));
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
	good_simple(&self->m);
	famfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	try_lengths(_metadata, &self->env, &self->m);
}

TEST_F(famfs_map, M1_striped_message_of_another_length_is_refused)
{
	good_striped(&self->m);
	famfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	try_lengths(_metadata, &self->env, &self->m);
}

/* A stripe before the last would leave the next one off page alignment. */
TEST_F(famfs_map, M1_only_the_last_stripe_may_end_in_a_page)
{
	int i;

	good_simple(&self->m);
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

TEST_F(famfs_map, M1_overlong_message_is_refused)
{
	size_t len = FUSE_FMAP_MAX_SIZE + 4096;
	int got;

	good_simple(&self->m);
	famfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	self->m.buf = realloc(self->m.buf, len);
	ASSERT_NE(NULL, self->m.buf);
	memset(self->m.buf + self->m.len, 0, len - self->m.len);
	got = try_message(&self->env, self->m.buf, len);
	EXPECT_NE(0, got);
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
	EXPECT_OPEN_FAILS(EBUSY, "same", O_RDWR);
	EXPECT_OPEN_FAILS(EBUSY, "head", O_RDWR);
	EXPECT_OPEN_FAILS(EBUSY, "tail", O_RDWR);
	EXPECT_OPEN_FAILS(EBUSY, "inside", O_RDWR);
	EXPECT_OPEN_FAILS(EBUSY, "around", O_RDWR);
	close(ASSERT_OPEN("before", O_RDWR));
	close(ASSERT_OPEN("after", O_RDWR));
	close(fd);
	/* Pages are free again when no inode has them. */
	ASSERT_EQ(0, famfs_drop_caches());
	close(ASSERT_OPEN("around", O_RDWR));
}

TEST_F(famfs_map, M3_stripes_of_two_files_do_not_share_a_page)
{
	good_striped(&self->m);
	famfs_add_mapped(&self->env, "striped", &self->m);
	famfs_add_simple(&self->env, "in strip 2", PAGE, 0, PMD + 3 * PAGE);
	famfs_add_simple(&self->env, "after it", PAGE, 0, PMD + 12 * PAGE);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	close(ASSERT_OPEN("striped", O_RDWR));
	EXPECT_OPEN_FAILS(EBUSY, "in strip 2", O_RDWR);
	close(ASSERT_OPEN("after it", O_RDWR));
}

TEST_HARNESS_MAIN
