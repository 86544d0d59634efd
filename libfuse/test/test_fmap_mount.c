// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * Files that the kernel maps onto a dax device, from the server's view: each
 * function of the library does what it says, and no data request is sent.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#include "fmap_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void test_get_map(void)
{
	int fd;

	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fd = open_file(O_RDWR);
	use_file(fd);
	close(fd);
	close(open_file(O_RDONLY));
	CHECK_EQ(srv.opens, 2);
	CHECK_EQ(srv.fmaps, 1);
	CHECK_EQ(srv.daxdevs, 1);
}

static void test_get_ordinary(void)
{
	int fd;

	serve(NULL, 100);
	fd = open_file(O_RDONLY);
	expect_fill(fd, 100, 'r');
	close(fd);
	close(open_file(O_RDONLY));
	CHECK_EQ(srv.fmaps, 1);
	CHECK(srv.reads > 0);
}

/* What is wrong with a map fails the open, and shows at the reply */
static void test_get_bad_map(void)
{
	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fuse_fmap_add_extent(srv.fmap, 0, 1, page);
	CHECK(open_name(SRV_FILE_NAME, O_RDONLY) < 0);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(srv_reply_error(&srv), -EINVAL);

	/* No map of the file is remembered: the next open asks again */
	srv_set_map(&srv, map_at(PLACE_A, FILE_SIZE));
	close(open_file(O_RDONLY));
	CHECK_EQ(srv_reply_error(&srv), 0);
	CHECK_EQ(srv.fmaps, 2);
}

static void test_open_map(void)
{
	int fd;

	srv.in_open = true;
	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fd = open_file(O_RDWR);
	use_file(fd);
	close(fd);
	/* A warm open wants no map, and the library sends none */
	close(open_file(O_RDONLY));
	CHECK_EQ(srv.opens, 2);
	CHECK_EQ(srv.fmaps, 0);
	CHECK_EQ(srv.daxdevs, 1);
}

static void test_open_ordinary(void)
{
	int fd;

	srv.in_open = true;
	serve(NULL, 100);
	fd = open_file(O_RDONLY);
	expect_fill(fd, 100, 'r');
	close(fd);
	CHECK_EQ(srv.fmaps, 0);
	CHECK(srv.reads > 0);
}

static void test_open_bad_map(void)
{
	srv.in_open = true;
	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fuse_fmap_add_extent(srv.fmap, 0, 1, page);
	CHECK(open_name(SRV_FILE_NAME, O_RDONLY) < 0);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(srv_reply_error(&srv), -EINVAL);
	CHECK_EQ(srv.releases, 0);
}

static void test_open_create(void)
{
	int fd;

	srv.in_open = true;
	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fd = open_name(SRV_NEW_NAME, O_RDWR | O_CREAT);
	CHECK(fd >= 0);
	use_file(fd);
	close(fd);
	CHECK_EQ(srv.creates, 1);
	CHECK_EQ(srv.fmaps, 0);
}

/* Chunks lie where the header says: seen through another map of the memory */
static void test_push_stripes(void)
{
	const struct fuse_dax_range strips[] = {
		{ .devindex = 0, .offset = PLACE_A, .len = 4 * page },
		{ .devindex = 0, .offset = PLACE_B, .len = 4 * page },
	};
	struct fuse_fmap *striped = fuse_fmap_create(8 * page, 0);
	struct fuse_fmap *plain = fuse_fmap_create(8 * page, 0);
	static const char order[] = "aaccbbdd";
	unsigned char *buf = malloc(8 * page);
	int i, fd;

	fuse_fmap_add_stripe(striped, 8 * page, 2 * page, strips, 2);
	fuse_fmap_add_extent(plain, 0, PLACE_A, 4 * page);
	fuse_fmap_add_extent(plain, 0, PLACE_B, 4 * page);
	serve(striped, 8 * page);
	fd = open_file(O_RDWR);
	for (i = 0; i < 8; i++)
		memset(buf + i * page, 'a' + i / 2, page);
	CHECK_EQ(pwrite(fd, buf, 8 * page, 0), 8 * page);

	CHECK_EQ(fuse_lowlevel_notify_fmap(srv.se, SRV_FILE, plain), 0);
	CHECK_EQ(pread(fd, buf, 8 * page, 0), 8 * page);
	for (i = 0; i < 8; i++)
		expect_bytes(buf + i * page, page, order[i]);
	close(fd);
	free(buf);
	fuse_fmap_destroy(plain);
}

static void test_push_map(void)
{
	struct fuse_fmap *a = map_at(PLACE_A, FILE_SIZE);
	struct fuse_fmap *b = map_at(PLACE_B, 2 * FILE_SIZE);
	unsigned char *p;
	int fd;

	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fd = open_file(O_RDWR);
	fill(fd, FILE_SIZE, 'a');
	p = mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	expect_bytes(p, FILE_SIZE, 'a');

	/* Moved and grown */
	CHECK_EQ(fuse_lowlevel_notify_fmap(srv.se, SRV_FILE, b), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 2 * FILE_SIZE);
	fill(fd, 2 * FILE_SIZE, 'b');
	expect_bytes(p, FILE_SIZE, 'b');

	/* Back, and what was there is there still */
	CHECK_EQ(fuse_lowlevel_notify_fmap(srv.se, SRV_FILE, a), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), FILE_SIZE);
	expect_fill(fd, FILE_SIZE, 'a');
	expect_bytes(p, FILE_SIZE, 'a');
	CHECK_EQ(srv.fmaps, 1);

	CHECK_EQ(munmap(p, FILE_SIZE), 0);
	close(fd);
	fuse_fmap_destroy(a);
	fuse_fmap_destroy(b);
}

static void test_push_revoke(void)
{
	int fd;

	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fd = open_file(O_RDWR);
	fill(fd, FILE_SIZE, 'a');
	CHECK_EQ(fuse_lowlevel_notify_fmap_revoke(srv.se, SRV_FILE), 0);
	CHECK_EQ(srv.fmaps, 1);
	expect_fill(fd, FILE_SIZE, 'a');
	CHECK_EQ(srv.fmaps, 2);
	close(fd);
}

static void test_push_errors(void)
{
	struct fuse_fmap *good = map_at(PLACE_A, FILE_SIZE);
	struct fuse_fmap *bad = fuse_fmap_create(FILE_SIZE, 0);
	struct fuse_fmap *absent = fuse_fmap_create(page, 0);
	struct fuse_fmap *outside = fuse_fmap_create(page, 0);
	int fd;

	fuse_fmap_add_extent(absent, 5, 0, page);
	fuse_fmap_add_extent(outside, 0, 1ULL << 50, page);
	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fd = open_file(O_RDWR);
	fill(fd, FILE_SIZE, 'a');

	CHECK_EQ(fuse_lowlevel_notify_fmap(NULL, SRV_FILE, good), -EINVAL);
	CHECK_EQ(fuse_lowlevel_notify_fmap(srv.se, SRV_FILE, NULL), -EINVAL);
	CHECK_EQ(fuse_lowlevel_notify_fmap(srv.se, SRV_FILE, bad), -EINVAL);
	CHECK_EQ(fuse_lowlevel_notify_fmap(srv.se, 77, good), -ENOENT);
	CHECK_EQ(fuse_lowlevel_notify_fmap_revoke(srv.se, 77), -ENOENT);
	CHECK_EQ(fuse_lowlevel_notify_fmap(srv.se, SRV_FILE, absent), -ENODEV);
	CHECK_EQ(fuse_lowlevel_notify_fmap(srv.se, SRV_FILE, outside), -ERANGE);

	/* Nothing has changed */
	expect_fill(fd, FILE_SIZE, 'a');
	CHECK_EQ(srv.fmaps, 1);
	close(fd);
	fuse_fmap_destroy(good);
	fuse_fmap_destroy(bad);
	fuse_fmap_destroy(absent);
	fuse_fmap_destroy(outside);
}

static const struct fmap_test tests[] = {
	{ "get-map", test_get_map },
	{ "get-ordinary", test_get_ordinary },
	{ "get-bad-map", test_get_bad_map },
	{ "open-map", test_open_map },
	{ "open-ordinary", test_open_ordinary },
	{ "open-bad-map", test_open_bad_map },
	{ "open-create", test_open_create },
	{ "push-stripes", test_push_stripes },
	{ "push-map", test_push_map },
	{ "push-revoke", test_push_revoke },
	{ "push-errors", test_push_errors },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests);
}
