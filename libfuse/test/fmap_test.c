// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * What the tests of mapped files share: one server, and uses of its file.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#include "fmap_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct server srv;
uint64_t page;
uint32_t map_device;
unsigned int map_flags;

struct fuse_fmap *map_at(uint64_t place, uint64_t size)
{
	struct fuse_fmap *fmap = fuse_fmap_create(size, map_flags);

	fuse_fmap_add_extent(fmap, map_device, place,
			     (size + page - 1) / page * page);
	return fmap;
}

int open_name(const char *name, int flags)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", srv.mnt, name);
	return open(path, flags, 0644);
}

int open_file(int flags)
{
	int fd = open_name(SRV_FILE_NAME, flags);

	if (fd < 0)
		err(1, "cannot open the file");
	return fd;
}

void expect_bytes(const unsigned char *buf, size_t len, int byte)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (buf[i] != byte)
			errx(1, "byte %zu is %#x, not %#x", i, buf[i], byte);
}

void fill(int fd, size_t len, int byte)
{
	unsigned char *buf = malloc(len);

	memset(buf, byte, len);
	CHECK_EQ(pwrite(fd, buf, len, 0), len);
	free(buf);
}

void expect_fill(int fd, size_t len, int byte)
{
	unsigned char *buf = malloc(len);

	CHECK_EQ(pread(fd, buf, len, 0), len);
	expect_bytes(buf, len, byte);
	free(buf);
}

/* Read, write and mmap see the same bytes, and the server sees nothing */
void use_file(int fd)
{
	unsigned char *p;

	fill(fd, FILE_SIZE, 'w');
	expect_fill(fd, FILE_SIZE, 'w');
	p = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	expect_bytes(p, FILE_SIZE, 'w');
	memset(p, 'm', FILE_SIZE);
	expect_fill(fd, FILE_SIZE, 'm');
	CHECK_EQ(munmap(p, FILE_SIZE), 0);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(srv.reads, 0);
	CHECK_EQ(srv.writes, 0);
}

void serve(struct fuse_fmap *fmap, uint64_t size)
{
	srv.size = size;
	srv_set_map(&srv, fmap);
}

/* From here on maps name it by its backing id */
void open_device(int flags)
{
	int fd = open(srv.device, flags | O_CLOEXEC);
	int id = fuse_session_backing_open(srv.se, fd, FUSE_BACKING_DAX);

	if (id <= 0)
		errx(1, "no backing id for the device: %s", strerror(-id));
	close(fd);
	map_device = id;
	map_flags = FUSE_LL_FMAP_BACKING_IDS;
}

/* Each has a mount of its own, which also gives the device back */
int run_tests(int argc, char **argv, const struct fmap_test *tests)
{
	int ran = 0;

	if (argc != 4)
		errx(2, "usage: %s <mountpoint> <device> <prefix>", argv[0]);
	page = sysconf(_SC_PAGESIZE);
	for (; tests->name; tests++) {
		if (strncmp(tests->name, argv[3], strlen(argv[3])) != 0)
			continue;
		printf("%s\n", tests->name);
		fflush(stdout);
		map_device = 0;
		map_flags = 0;
		srv_start(&srv, argv[1], argv[2]);
		tests->func();
		srv_stop(&srv);
		ran++;
	}
	if (!ran)
		errx(2, "no test begins with %s", argv[3]);
	return 0;
}
