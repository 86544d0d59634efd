/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE: Filesystem in Userspace
 *
 * What the tests of mapped files share: one server, and uses of its file.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#ifndef FMAP_TEST_H_
#define FMAP_TEST_H_

#include "fmap_server.h"

#include <err.h>

#define CHECK(cond) \
	do { \
		if (!(cond)) \
			errx(1, "%s:%d: check failed: %s", __func__, \
			     __LINE__, #cond); \
	} while (0)

/* For what returns a number, so that it shows */
#define CHECK_EQ(got, want) \
	do { \
		long long got_ = (got), want_ = (want); \
		if (got_ != want_) \
			errx(1, "%s:%d: %s is %lld, not %lld", __func__, \
			     __LINE__, #got, got_, want_); \
	} while (0)

#define MB (1UL << 20)
#define PLACE_A (2 * MB)
#define PLACE_B (64 * MB)
#define PLACE_MANY (256 * MB)
#define FILE_SIZE (5 * MB + 123)

struct fmap_test {
	const char *name;
	void (*func)(void);
};

extern struct server srv;
extern uint64_t page;

/* The device in maps: index 0, or its backing id and the flag that says so */
extern uint32_t map_device;
extern unsigned int map_flags;

struct fuse_fmap *map_at(uint64_t place, uint64_t size);
void serve(struct fuse_fmap *fmap, uint64_t size);
void open_device(int flags);
int open_name(const char *name, int flags);
int open_file(int flags);
void expect_bytes(const unsigned char *buf, size_t len, int byte);
void fill(int fd, size_t len, int byte);
void expect_fill(int fd, size_t len, int byte);
void use_file(int fd);
int run_tests(int argc, char **argv, const struct fmap_test *tests);

#endif /* FMAP_TEST_H_ */
