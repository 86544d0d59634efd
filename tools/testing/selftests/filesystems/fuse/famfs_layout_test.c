// SPDX-License-Identifier: GPL-2.0
/*
 * Good maps of many shapes: every byte of the file, read through the kernel,
 * is the one that a plain resolver finds on the device.
 *
 * Each device is first filled with a pattern that tells all of its words
 * apart, through a mount whose map is the device itself.
 */
#include "tfs_test.h"

#define PAGE	4096UL
#define FILLED	(8 * MiB)

FIXTURE(layout)
{
	struct tfs_env env;
	struct tfs_msg m;
};

FIXTURE_SETUP(layout)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, FILLED));
}

FIXTURE_TEARDOWN(layout)
{
	tfs_msg_exit(&self->m);
	TFS_TEARDOWN();
}

/* Reads the file by read(), by small reads across edges, and by faults. */
static void check_all(struct __test_metadata *const _metadata,
		      struct tfs_env *env, const struct tfs_msg *m)
{
	__u64 size = ((struct fuse_fmap_header *)m->buf)->file_size;
	char buf[64], *map;
	__u64 pos;
	int fd;

	tfs_add_mapped(env, "f", m);
	ASSERT_EQ(0, tfs_mount_fork(env));
	fd = tfs_open(env, "f", O_RDONLY);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(size, tfs_check(fd, m));
	for (pos = PAGE - 24; pos + 48 < size; pos += PAGE) {
		ASSERT_EQ(48, pread(fd, buf, 48, pos));
		ASSERT_EQ(24, tfs_mismatch(m, pos, buf, 24));
		ASSERT_EQ(24, tfs_mismatch(m, pos + 24, buf + 24, 24));
	}
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(size, tfs_mismatch(m, 0, map, size));
	munmap(map, size);
	close(fd);
	EXPECT_EQ(0, tfs_count(&env->srv, FUSE_READ));
}

TEST_F(layout, M4_one_extent)
{
	tfs_msg_simple(&self->m, 4 * MiB, 0, 2 * MiB, 4 * MiB);
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M4_one_extent_off_huge_page_alignment)
{
	tfs_msg_simple(&self->m, 5 * MiB - 3, 0, PAGE, 5 * MiB);
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M4_map_longer_than_the_file)
{
	tfs_msg_simple(&self->m, 5, 0, PAGE, 2 * MiB);
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M4_uniform_extents)
{
	int i;

	tfs_msg_init(&self->m, 128 * 3 * PAGE - 1, FUSE_FMAP_EXT_SIMPLE);
	for (i = 127; i >= 0; i--)
		tfs_msg_extent(&self->m, 0, i * 3 * PAGE, 3 * PAGE);
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M4_uniform_extents_with_a_short_last_one)
{
	int i;

	tfs_msg_init(&self->m, 65 * PAGE, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < 8; i++)
		tfs_msg_extent(&self->m, 0, (20 - 2 * i) * 8 * PAGE, 8 * PAGE);
	tfs_msg_extent(&self->m, 0, 0, PAGE);
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M4_extents_of_different_lengths)
{
	__u64 off = 0, size = 0;
	int i;

	tfs_msg_init(&self->m, 0, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < 60; i++) {
		__u64 len = (1 + i * 7 % 11) * PAGE;

		/* Two streams of extents, taken in turn. */
		tfs_msg_extent(&self->m, 0, off + (i % 2) * 4 * MiB, len);
		off += len;
		size += len;
	}
	tfs_msg_header(&self->m)->file_size = size - 100;
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M4_stripe_of_powers_of_two)
{
	int i;

	tfs_msg_init(&self->m, 2 * MiB, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_stripe(&self->m, 2 * MiB, 64 * 1024, 4);
	for (i = 3; i >= 0; i--)
		tfs_msg_strip(&self->m, 0, i * MiB, 512 * 1024);
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M4_stripe_of_odd_numbers)
{
	int i;

	/* 121 chunks of 3 pages on 5 strips: 25 on the first, else 24. */
	tfs_msg_init(&self->m, 121 * 3 * PAGE - 77, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_stripe(&self->m, 121 * 3 * PAGE, 3 * PAGE, 5);
	for (i = 0; i < 5; i++)
		tfs_msg_strip(&self->m, 0, (4 - i) * 100 * PAGE,
			      (i ? 24 : 25) * 3 * PAGE);
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M4_stripe_that_ends_in_a_chunk)
{
	int i;

	tfs_msg_init(&self->m, 33 * PAGE, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_stripe(&self->m, 33 * PAGE, 4 * PAGE, 3);
	for (i = 0; i < 3; i++)
		tfs_msg_strip(&self->m, 0, i * MiB, 12 * PAGE);
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M4_stripe_with_one_strip)
{
	tfs_msg_init(&self->m, 30 * PAGE, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_stripe(&self->m, 30 * PAGE, 8 * PAGE, 1);
	tfs_msg_strip(&self->m, 0, PAGE, 32 * PAGE);
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M4_several_stripes)
{
	static const struct {
		__u32 nstrips, chunk, chunks;
	} s[] = { { 2, 2, 9 }, { 3, 1, 10 }, { 1, 4, 2 }, { 7, 5, 20 } };
	__u64 off = 0, size = 0;
	size_t i;
	__u32 k;

	tfs_msg_init(&self->m, 0, FUSE_FMAP_EXT_STRIPED);
	for (i = 0; i < ARRAY_SIZE(s); i++) {
		__u64 nbytes = s[i].chunk * s[i].chunks * PAGE;
		__u64 len = (s[i].chunks + s[i].nstrips - 1) / s[i].nstrips *
			    s[i].chunk * PAGE;

		tfs_msg_stripe(&self->m, nbytes, s[i].chunk * PAGE,
			       s[i].nstrips);
		for (k = 0; k < s[i].nstrips; k++, off += len)
			tfs_msg_strip(&self->m, 0, off, len);
		size += nbytes;
	}
	tfs_msg_header(&self->m)->file_size = size;
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M4_many_strips)
{
	int i;

	tfs_msg_init(&self->m, 600 * PAGE, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_stripe(&self->m, 600 * PAGE, PAGE, 300);
	for (i = 0; i < 300; i++)
		tfs_msg_strip(&self->m, 0, (299 - i) * 3 * PAGE, 2 * PAGE);
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M1_size_may_be_told_and_types_differ)
{
	tfs_msg_simple(&self->m, MiB, 0, 0, MiB);
	tfs_msg_header(&self->m)->size = self->m.len;
	tfs_msg_header(&self->m)->file_type = FUSE_FMAP_FILE_LOG;
	check_all(_metadata, &self->env, &self->m);
}

TEST_F(layout, M4_extents_and_strips_on_two_devices)
{
	int i;

	if (self->env.ndevs < 2)
		SKIP(return, "need two dax devices in FAMFS_DAXDEVS");
	tfs_msg_init(&self->m, 2 * MiB, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_stripe(&self->m, MiB, 8 * PAGE, 2);
	for (i = 0; i < 2; i++)
		tfs_msg_strip(&self->m, i, MiB, MiB / 2);
	tfs_msg_stripe(&self->m, MiB, 3 * PAGE, 2);
	for (i = 0; i < 2; i++)
		tfs_msg_strip(&self->m, 1 - i, 4 * MiB, 43 * 3 * PAGE);
	check_all(_metadata, &self->env, &self->m);
	EXPECT_COUNT(2, FUSE_GET_DAXDEV);
}

/*
 * An extent for each page, in reverse order: none can be merged with its
 * neighbour.  The message is larger than any buffer that FUSE has otherwise.
 */
TEST_F_TIMEOUT(layout, M5_many_extents, 120)
{
	__u64 pages = 44000;
	char want[PAGE], got[PAGE];
	__u64 i;
	int fd;

	if (pages > self->env.devs[0].size / PAGE)
		SKIP(return, "need a dax device of 172 MiB and more");
	tfs_msg_init(&self->m, pages * PAGE, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < pages; i++)
		tfs_msg_extent(&self->m, 0, (pages - 1 - i) * PAGE, PAGE);
	tfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDONLY);
	for (i = 0; i < FILLED / PAGE; i += 13) {
		pattern_fill(0, i * PAGE, want, PAGE);
		ASSERT_EQ(PAGE, pread(fd, got, PAGE, (pages - 1 - i) * PAGE));
		ASSERT_EQ(0, memcmp(want, got, PAGE));
	}
	close(fd);
}

/* Where the second of the ranges begins that make up a device, or 0. */
static __u64 second_range(const struct tfs_dev *dev)
{
	unsigned long start, end, next;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path),
		 "/sys/bus/dax/devices/%.32s/mapping0/start", dev->name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	next = fscanf(f, "%lx", &start) == 1;
	fclose(f);
	memcpy(strrchr(path, '/'), "/end", 5);
	f = fopen(path, "re");
	if (!f || !next)
		return 0;
	next = fscanf(f, "%lx", &end) == 1 ? end + 1 - start : 0;
	fclose(f);
	return next < dev->size ? next : 0;
}

/* I/O and a map across the place where memory itself is not contiguous. */
TEST_F(layout, D8_ranges_of_a_device_are_one)
{
	__u64 edge = second_range(&self->env.devs[0]);
	char *data = malloc(4 * MiB), *map;
	__u64 i;
	int fd;

	if (!edge)
		SKIP(return, "need a dax device of several ranges");
	ASSERT_NE(NULL, data);
	tfs_add_simple(&self->env, "f", 4 * MiB, 0, edge - 2 * MiB);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	pattern_fill(0, edge, data, 4 * MiB);
	EXPECT_EQ(4 * MiB, pwrite(fd, data, 4 * MiB, 0));
	memset(data, 0, 4 * MiB);
	EXPECT_EQ(4 * MiB, pread(fd, data, 4 * MiB, 0));
	map = mmap(NULL, 4 * MiB, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < 4 * MiB; i += 8) {
		ASSERT_EQ(pattern_word(0, edge + i), *(__u64 *)(data + i));
		ASSERT_EQ(pattern_word(0, edge + i), *(__u64 *)(map + i));
	}
	munmap(map, 4 * MiB);
	close(fd);
	/* Each side by itself. */
	ASSERT_EQ(0, tfs_remount(&self->env));
	tfs_add_simple(&self->env, "right", MiB, 0, edge);
	tfs_add_simple(&self->env, "left", MiB, 0, edge - MiB);
	fd = ASSERT_OPEN("right", O_RDONLY);
	EXPECT_EQ(8, pread(fd, data, 8, 0));
	EXPECT_EQ(pattern_word(0, edge + 2 * MiB), *(__u64 *)data);
	close(fd);
	fd = ASSERT_OPEN("left", O_RDONLY);
	EXPECT_EQ(8, pread(fd, data, 8, MiB - 8));
	EXPECT_EQ(pattern_word(0, edge + 2 * MiB - 8), *(__u64 *)data);
	close(fd);
	free(data);
}

/* Bytes written through one map lie where the device itself shows them. */
TEST_F(layout, M4_written_bytes_land_where_the_map_says)
{
	char *raw, *data = malloc(20 * PAGE);
	__u64 pos;
	int fd, i;

	ASSERT_NE(NULL, data);
	tfs_msg_init(&self->m, 20 * PAGE, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_stripe(&self->m, 20 * PAGE, 2 * PAGE, 3);
	for (i = 0; i < 3; i++)
		tfs_msg_strip(&self->m, 0, (3 - i) * MiB, 8 * PAGE);
	tfs_add_mapped(&self->env, "f", &self->m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	for (i = 0; i < 20; i++)
		memset(data + i * PAGE, 'a' + i, PAGE);
	EXPECT_EQ(20 * PAGE, pwrite(fd, data, 20 * PAGE, 0));
	close(fd);
	ASSERT_EQ(0, tfs_umount(&self->env));

	raw = tfs_raw_map(&self->env.devs[0], FILLED);
	ASSERT_NE(NULL, raw);
	for (pos = 0; pos < 20 * PAGE; pos += PAGE) {
		__u64 off = 0;
		__u32 dev;

		EXPECT_TRUE(tfs_resolve(&self->m, pos, &dev, &off));
		EXPECT_EQ(0, memcmp(raw + off, data + pos, PAGE));
	}
	/* And nowhere else. */
	pattern_fill(0, MiB + 8 * PAGE, data, PAGE);
	EXPECT_EQ(0, memcmp(raw + MiB + 8 * PAGE, data, PAGE));
	EXPECT_EQ(0, tfs_raw_unmap(&self->env.devs[0], raw, FILLED));
	free(data);
}

TEST_HARNESS_MAIN
