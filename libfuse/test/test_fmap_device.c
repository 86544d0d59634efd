// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * Mapped files, as test_fmap_mount.c: devices by file descriptor, maps larger
 * than a message, and files that grow.
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

/*
 * With pages of 4 KiB that is a map of more than a ring's buffer of 1 MiB, and
 * than one part; with larger ones the device is too small for that.
 */
#define MANY (200 * MB / page)

/* The pages of a range, the last one first */
static struct fuse_fmap *many_pages(void)
{
	struct fuse_fmap *fmap = fuse_fmap_create(MANY * page, map_flags);
	uint64_t i;

	for (i = MANY; i > 0; i--)
		fuse_fmap_add_extent(fmap, map_device,
				     PLACE_MANY + (i - 1) * page, page);
	return fmap;
}

/* Writes through the pages, and looks at them through a map of one extent */
static void use_many_pages(int fd)
{
	struct fuse_fmap *plain = map_at(PLACE_MANY, MANY * page);
	uint64_t i, word;

	for (i = 0; i < MANY; i += 100)
		CHECK_EQ(pwrite(fd, &i, sizeof(i), i * page), sizeof(i));
	CHECK_EQ(fuse_lowlevel_notify_fmap(srv.se, SRV_FILE, plain), 0);
	for (i = 0; i < MANY; i += 100) {
		CHECK_EQ(pread(fd, &word, sizeof(word), (MANY - 1 - i) * page),
			 sizeof(word));
		CHECK_EQ(word, i);
	}
	CHECK_EQ(srv.reads + srv.writes, 0);
	fuse_fmap_destroy(plain);
}

static void test_large(void)
{
	int fd;

	open_device(O_RDWR);
	serve(many_pages(), MANY * page);
	fd = open_file(O_RDWR);
	use_many_pages(fd);
	close(fd);
	CHECK_EQ(srv.fmaps, 1);
	CHECK_EQ(srv.daxdevs, 0);
	/* What the server is told is what a reply can be */
	CHECK_EQ(srv.fmap_max, srv.uring ? srv.reply_max : 64 * MB);
}

/* The message is a header and an extent a page */
#define MANY_SIZE (32 + 24 * MANY)

/* Where it does not fit into the reply to the open, get_fmap follows */
static void test_large_open(void)
{
	int fd;

	open_device(O_RDWR);
	srv.in_open = true;
	serve(many_pages(), MANY * page);
	fd = open_file(O_RDWR);
	use_many_pages(fd);
	close(fd);
	CHECK_EQ(srv.fmaps, MANY_SIZE > srv.reply_max);
}

/* The kernel asks for the device, however the map has come */
static void test_large_unregistered(void)
{
	int fd;

	serve(many_pages(), MANY * page);
	fd = open_file(O_RDWR);
	CHECK_EQ(srv.fmaps, 1);
	CHECK_EQ(srv.daxdevs, 1);
	use_many_pages(fd);
	close(fd);
}

static void test_large_push(void)
{
	struct fuse_fmap *many = many_pages();
	int fd;

	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fd = open_file(O_RDWR);
	CHECK_EQ(fuse_lowlevel_notify_fmap(srv.se, SRV_FILE, many), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), MANY * page);
	use_many_pages(fd);
	close(fd);
	fuse_fmap_destroy(many);
}

static void *push_many(void *data)
{
	int i;

	for (i = 0; i < 5; i++)
		CHECK_EQ(fuse_lowlevel_notify_fmap(srv.se, SRV_FILE, data), 0);
	return NULL;
}

/* Parts of two pushes that mixed would make a map of both, or none */
static void test_large_race(void)
{
	struct fuse_fmap *many = many_pages();
	pthread_t threads[4];
	int i, fd;

	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fd = open_file(O_RDWR);
	for (i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, push_many, many), 0);
	for (i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	use_many_pages(fd);
	close(fd);
	fuse_fmap_destroy(many);
}

static int backing_open(int fd)
{
	return fuse_session_backing_open(srv.se, fd, FUSE_BACKING_DAX);
}

static void test_backing_errors(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int dev = open(srv.device, O_RDWR | O_CLOEXEC);
	int fd, id;

	CHECK(null >= 0 && dev >= 0);
	CHECK_EQ(backing_open(-1), -EBADF);
	CHECK_EQ(backing_open(null), -ENODEV);
	CHECK_EQ(fuse_session_backing_open(srv.se, dev, 2), -EINVAL);
	CHECK_EQ(fuse_session_backing_open(srv.se, dev, FUSE_BACKING_FILE |
					   FUSE_LL_BACKING_DAX_DROP), -EINVAL);
	/* Not agreed upon */
	CHECK_EQ(fuse_session_backing_open(srv.se, dev, FUSE_BACKING_FILE),
		 -ENOSYS);
	CHECK_EQ(fuse_session_backing_close(srv.se, 1), -ENOENT);

	id = backing_open(dev);
	CHECK(id > 0);
	CHECK_EQ(backing_open(dev), id);
	CHECK_EQ(fuse_session_backing_open(srv.se, dev, FUSE_BACKING_DAX |
					   FUSE_LL_BACKING_DAX_DROP), id);
	CHECK_EQ(fuse_session_backing_close(srv.se, id), 0);
	CHECK_EQ(fuse_session_backing_close(srv.se, id), -ENOENT);

	open_device(O_RDWR);
	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fd = open_file(O_RDWR);
	CHECK_EQ(fuse_session_backing_close(srv.se, map_device), -EBUSY);
	use_file(fd);
	CHECK_EQ(srv.daxdevs, 0);
	close(fd);
	close(dev);
	close(null);
}

/* One device, whatever maps call it; nothing moves when that changes */
static void test_backing_and_index(void)
{
	struct fuse_fmap *by_id;
	int fd;

	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fd = open_file(O_RDWR);
	CHECK_EQ(srv.daxdevs, 1);
	fill(fd, FILE_SIZE, 'i');
	open_device(O_RDWR);
	by_id = map_at(PLACE_A, FILE_SIZE);
	CHECK_EQ(fuse_lowlevel_notify_fmap(srv.se, SRV_FILE, by_id), 0);
	expect_fill(fd, FILE_SIZE, 'i');
	use_file(fd);
	close(fd);
	fuse_fmap_destroy(by_id);
}

static void test_backing_read_only(void)
{
	char byte;
	int fd;

	open_device(O_RDONLY);
	serve(map_at(PLACE_A, FILE_SIZE), FILE_SIZE);
	fd = open_file(O_RDWR);
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK_EQ(pwrite(fd, &byte, 1, 0), -1);
	CHECK_EQ(errno, EROFS);
	CHECK(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) ==
	      MAP_FAILED);
	CHECK_EQ(errno, EACCES);
	close(fd);
}

static struct fuse_fmap *growing(uint64_t size, uint64_t room)
{
	struct fuse_fmap *fmap = fuse_fmap_create(size, FUSE_LL_FMAP_GROW);

	fuse_fmap_add_extent(fmap, 0, PLACE_A, (room + page - 1) / page * page);
	return fmap;
}

static int grow_by_push(struct server *s, fuse_ino_t ino, uint64_t end)
{
	struct fuse_fmap *fmap = growing(s->size, end);
	int err = fuse_lowlevel_notify_fmap(s->se, ino, fmap);

	fuse_fmap_destroy(fmap);
	return -err;
}

static int grow_by_get_fmap(struct server *s, fuse_ino_t ino, uint64_t end)
{
	(void)ino;
	srv_set_map(s, growing(s->size, end));
	return 0;
}

/* What is written past the mapped end is there, and the server knows of it */
static void use_growing_file(void)
{
	uint64_t i;
	int fd;

	serve(growing(0, page), 0);
	fd = open_file(O_RDWR | O_APPEND);
	for (i = 0; i < 20 * 512; i++)
		CHECK_EQ(write(fd, &i, sizeof(i)), sizeof(i));
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(srv.size, 20 * 4096);
	for (i = 0; i < 20 * 512; i++) {
		uint64_t word;

		CHECK_EQ(pread(fd, &word, sizeof(word), i * 8), sizeof(word));
		CHECK_EQ(word, i);
	}
	CHECK(srv.fallocates > 0);
	CHECK_EQ(srv.reads + srv.writes, 0);
	close(fd);
}

static void test_grow_by_push(void)
{
	srv.grow = grow_by_push;
	use_growing_file();
	CHECK_EQ(srv.fmaps, 1);
}

static void test_grow_by_get_fmap(void)
{
	srv.grow = grow_by_get_fmap;
	use_growing_file();
	CHECK_EQ(srv.fmaps, 1 + srv.fallocates);
}

static void truncate_map(struct server *s, uint64_t size)
{
	srv_set_map(s, growing(size, size));
}

/* To truncate is one thing, to be told what has been written another */
static void test_grow_truncate(void)
{
	const uint64_t sizes[] = { 3 * page, page, page / 2, 2 * page };
	int fd, i;

	srv.grow = grow_by_get_fmap;
	srv.truncate = truncate_map;
	serve(growing(0, 4 * page), 0);
	fd = open_file(O_RDWR);
	fill(fd, 3 * page, 'a');
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(srv.size, 3 * page);
	CHECK_EQ(srv.truncates, 0);
	for (i = 1; i < 4; i++) {
		CHECK_EQ(ftruncate(fd, sizes[i]), 0);
		CHECK_EQ(srv.size, sizes[i]);
		CHECK_EQ(srv.truncates, i);
	}
	expect_fill(fd, page / 2, 'a');
	CHECK_EQ(srv.reads + srv.writes, 0);
	close(fd);
}

static const struct fmap_test tests[] = {
	{ "large", test_large },
	{ "large-open", test_large_open },
	{ "large-unregistered", test_large_unregistered },
	{ "large-push", test_large_push },
	{ "large-race", test_large_race },
	{ "backing-errors", test_backing_errors },
	{ "backing-and-index", test_backing_and_index },
	{ "backing-read-only", test_backing_read_only },
	{ "grow-by-push", test_grow_by_push },
	{ "grow-by-get-fmap", test_grow_by_get_fmap },
	{ "grow-truncate", test_grow_truncate },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests);
}
