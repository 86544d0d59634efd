// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * What a filesystem with maps of files and the kernel send each other, without
 * a kernel: so it runs everywhere, and shows also what no kernel does.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#include "fmap_wire.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The builder as it is, but that memory can be short */
static int memory_left = -1;

static void *test_calloc(size_t n, size_t size)
{
	return memory_left && memory_left-- ? calloc(n, size) : NULL;
}

static void *test_realloc(void *p, size_t size)
{
	return memory_left && memory_left-- ? realloc(p, size) : NULL;
}

#define calloc test_calloc
#define realloc test_realloc
#include "../lib/fuse_fmap.c"
#undef calloc
#undef realloc

#define MAPS FUSE_DAX_FMAP
#define INO 7

/* What the filesystem does, and what it has got */
static const struct fuse_fmap *map;
static const char *path;
static int result, to_set, asked_index;
static size_t reply_size;
static bool wants, offered;

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	offered = fuse_set_feature_flag(conn, FUSE_CAP_DAX_FMAP);
}

static void op_get_fmap(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	(void)ino;
	reply_size = size;
	result = fuse_reply_fmap(req, map);
}

static void op_get_daxdev(fuse_req_t req, int daxdev_index)
{
	asked_index = daxdev_index;
	result = fuse_reply_daxdev(req, path);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	wants = fuse_req_wants_fmap(req);
	result = fuse_reply_open_fmap(req, fi, map);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		      mode_t mode, struct fuse_file_info *fi)
{
	const struct fuse_entry_param e = { .ino = INO };

	(void)parent;
	(void)name;
	(void)mode;
	wants = fuse_req_wants_fmap(req);
	result = fuse_reply_create_fmap(req, &e, fi, map);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
		       int set, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	to_set = set;
	fuse_reply_attr(req, attr, 0);
}

/* What libfuse 3.19 calls there is syncfs */
_Static_assert(offsetof(struct fuse_lowlevel_ops, get_fmap) ==
	       offsetof(struct fuse_lowlevel_ops, statx) + 2 * sizeof(void *),
	       "get_fmap is not in its place");

static void op_reserved(void)
{
	errx(1, "an operation is called that does not exist");
}

static const struct fuse_lowlevel_ops all_ops = {
	.init = op_init,
	.open = op_open,
	.create = op_create,
	.setattr = op_setattr,
	.reserved_syncfs = op_reserved,
	.get_fmap = op_get_fmap,
	.get_daxdev = op_get_daxdev,
};

static struct fuse_session *start(void)
{
	struct fuse_session *se = wire_session(&all_ops, NULL);

	wire_init(se, FUSE_KERNEL_MINOR_VERSION, MAPS);
	CHECK_EQ(wire_sent.out.error, 0);
	CHECK(offered);
	return se;
}

static uint64_t pages(uint64_t n)
{
	return n * sysconf(_SC_PAGESIZE);
}

/* A map of so many extents, and its message */
static struct fuse_fmap *make_map(uint32_t nextents)
{
	struct fuse_fmap *fmap = fuse_fmap_create(pages(nextents), 0);

	for (uint32_t i = 0; i < nextents; i++)
		fuse_fmap_add_extent(fmap, 1, pages(2 * i), pages(1));
	return fmap;
}

static const char *message(const struct fuse_fmap *fmap, size_t *size)
{
	const void *msg;

	CHECK_EQ(fuse_fmap_message(fmap, &msg, size), 0);
	return msg;
}

/* The last message consists of so much before the map, and of the map */
static bool sent_map(size_t before, const struct fuse_fmap *fmap)
{
	size_t size;
	const char *msg = message(fmap, &size);

	return wire_sent.size == before + size &&
	       memcmp(wire_sent.data + before, msg, size) == 0;
}

static void test_init(void)
{
	struct fuse_session *se = start();

	CHECK_EQ(wire_init_reply()->flags2, MAPS >> 32);
	CHECK_EQ(wire_init_reply()->minor, FUSE_KERNEL_MINOR_VERSION);
	CHECK(strstr(wire_log(), "DAX_FMAP") == NULL);
	wire_end(se);
}

/* ENOSYS to GET_FMAP would be the end of maps: better none from the start */
static void test_init_without_get_fmap(void)
{
	struct fuse_lowlevel_ops ops = all_ops;
	struct fuse_session *se;

	ops.get_fmap = NULL;
	se = wire_session(&ops, NULL);
	wire_init(se, FUSE_KERNEL_MINOR_VERSION, MAPS);
	CHECK_EQ(wire_sent.out.error, -EPROTO);
	CHECK(fuse_session_exited(se));
	CHECK(strstr(wire_log(), "get_fmap") != NULL);
	wire_end(se);
}

/* The reason that is logged where the flag is not offered */
static void expect_reason(const struct fuse_lowlevel_ops *ops, uint32_t minor,
			  const char *why)
{
	struct fuse_session *se = wire_session(ops, NULL);
	const char *log;

	wire_init(se, minor, 0);
	CHECK_EQ(wire_sent.out.error, 0);
	CHECK(!offered);
	CHECK(!(wire_init_reply()->flags2 & (MAPS >> 32)));
	log = wire_log();
	if (why && !strstr(log, why))
		errx(1, "\"%s\" does not say \"%s\"", log, why);
	CHECK(why || !strstr(log, "DAX_FMAP"));
	wire_end(se);
}

#ifdef __linux__
static void drop_capabilities(void)
{
	const unsigned int header[2] = { 0x20080522, 0 };
	const unsigned int data[2][3] = { { 0 } };

	CHECK_EQ(syscall(SYS_capset, header, data), 0);
}
#endif

static void test_init_not_offered(void)
{
	struct fuse_lowlevel_ops ops = all_ops;

	expect_reason(&all_ops, 45, "older than protocol 7.47");
	ops.get_fmap = NULL;
	expect_reason(&ops, 45, NULL);
#ifdef __linux__
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		drop_capabilities();
		/* Where this runs in a user namespace it says that instead */
		expect_reason(&all_ops, 47, "this process ");
		exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
#endif
}

static void test_get_fmap(void)
{
	struct fuse_fmap *fmap = make_map(3), *bad = make_map(3);
	struct fuse_session *se = start();

	map = fmap;
	wire_get_fmap(se, INO, 1 << 20);
	CHECK(sent_map(0, fmap));
	CHECK_EQ(result, 0);
	CHECK_EQ(reply_size, 1 << 20);
	/* No limit is told */
	wire_get_fmap(se, INO, 0);
	CHECK(sent_map(0, fmap));
	CHECK_EQ(reply_size, SIZE_MAX);

	map = NULL;
	wire_get_fmap(se, INO, 1 << 20);
	CHECK_EQ(wire_sent.out.error, 0);
	CHECK_EQ(wire_sent.size, 0);

	map = bad;
	CHECK_EQ(fuse_fmap_add_extent(bad, 0, 1, pages(1)), -EINVAL);
	wire_get_fmap(se, INO, 1 << 20);
	CHECK_EQ(wire_sent.out.error, -EINVAL);
	CHECK_EQ(result, -EINVAL);
	fuse_fmap_destroy(fmap);
	fuse_fmap_destroy(bad);
	wire_end(se);
}

/* A map that could not be made is not taken for one that is not there */
static void test_no_memory(void)
{
	struct fuse_open_in open = { .open_flags = FUSE_OPEN_FMAP };
	struct fuse_session *se = start();
	struct fuse_fmap *fmap;
	int n;

	for (n = 0; n < 3; n++) {
		memory_left = n;
		fmap = make_map(20);
		memory_left = -1;
		CHECK(fmap != NULL);
		map = fmap;
		wire_request(se, FUSE_OPEN, INO, &open, sizeof(open));
		CHECK_EQ(wire_sent.out.error, -ENOMEM);
		CHECK_EQ(wire_sent.size, 0);
		wire_get_fmap(se, INO, 1 << 20);
		CHECK_EQ(wire_sent.out.error, -ENOMEM);
		CHECK_EQ(result, -ENOMEM);
		CHECK_EQ(fuse_fmap_add_extent(fmap, 0, 0, pages(1)), -ENOMEM);
		fuse_fmap_reset(fmap, 0);
		/* Only what there was memory for can begin anew */
		CHECK_EQ(fuse_fmap_check(fmap), n < 2 ? -ENOMEM : 0);
		fuse_fmap_destroy(fmap);
	}
	wire_end(se);
}

static void test_open(void)
{
	const struct fuse_open_out *out = (const void *)wire_sent.data;
	struct fuse_open_in in = { .open_flags = FUSE_OPEN_FMAP };
	struct fuse_fmap *fmap = make_map(3);
	struct fuse_session *se = start();

	map = fmap;
	wire_request(se, FUSE_OPEN, INO, &in, sizeof(in));
	CHECK(wants);
	CHECK_EQ(out->open_flags, FOPEN_FMAP);
	CHECK(sent_map(sizeof(*out), fmap));

	map = NULL;
	wire_request(se, FUSE_OPEN, INO, &in, sizeof(in));
	CHECK_EQ(out->open_flags, FOPEN_FMAP);
	CHECK_EQ(wire_sent.size, sizeof(*out));

	map = fmap;
	in.open_flags = 0;
	wire_request(se, FUSE_OPEN, INO, &in, sizeof(in));
	CHECK(!wants);
	CHECK_EQ(out->open_flags, 0);
	CHECK_EQ(wire_sent.size, sizeof(*out));
	fuse_fmap_destroy(fmap);
	wire_end(se);
}

static void test_create(void)
{
	struct {
		struct fuse_create_in in;
		char name[4];
	} create = { .in.open_flags = FUSE_OPEN_FMAP, .name = "new" };
	const struct fuse_open_out *out =
		(const void *)(wire_sent.data + sizeof(struct fuse_entry_out));
	struct fuse_fmap *fmap = make_map(3);
	struct fuse_session *se = start();

	map = fmap;
	wire_request(se, FUSE_CREATE, FUSE_ROOT_ID, &create, sizeof(create));
	CHECK(wants);
	CHECK_EQ(out->open_flags, FOPEN_FMAP);
	CHECK(sent_map(sizeof(struct fuse_entry_out) + sizeof(*out), fmap));
	fuse_fmap_destroy(fmap);
	wire_end(se);
}

static void expect_daxdev(struct fuse_session *se, const char *name, int err)
{
	const struct fuse_daxdev_out *out = (const void *)wire_sent.data;
	const struct fuse_get_daxdev_in in = { .index = 5 };

	path = name;
	wire_request(se, FUSE_GET_DAXDEV, FUSE_ROOT_ID, &in, sizeof(in));
	CHECK_EQ(asked_index, 5);
	CHECK_EQ(wire_sent.out.error, err);
	CHECK_EQ(result, err);
	CHECK_EQ(wire_sent.size, err ? 0 : sizeof(*out));
	if (!err)
		CHECK(strcmp(out->name, name) == 0);
}

static void test_daxdev(void)
{
	const struct fuse_get_daxdev_in in = { .index = 5 };
	struct fuse_lowlevel_ops ops = all_ops;
	struct fuse_session *se = start();
	char longest[FUSE_DAXDEV_NAME_MAX + 1];

	expect_daxdev(se, "/dev/dax0.0", 0);
	expect_daxdev(se, NULL, -EINVAL);
	expect_daxdev(se, "dax0.0", -EINVAL);
	expect_daxdev(se, "./dax0.0", -EINVAL);
	expect_daxdev(se, "", -EINVAL);
	memset(longest, '/', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	expect_daxdev(se, longest, -ENAMETOOLONG);
	longest[sizeof(longest) - 2] = '\0';
	expect_daxdev(se, longest, 0);
	wire_end(se);

	ops.get_daxdev = NULL;
	se = wire_session(&ops, NULL);
	wire_init(se, FUSE_KERNEL_MINOR_VERSION, MAPS);
	wire_request(se, FUSE_GET_DAXDEV, FUSE_ROOT_ID, &in, sizeof(in));
	CHECK_EQ(wire_sent.out.error, -ENODEV);
	wire_end(se);
}

/* What was not agreed upon is one errno, whatever the kernel would say */
static void test_backing(void)
{
	struct fuse_session *se = wire_session(&all_ops, NULL);

	CHECK_EQ(fuse_session_backing_open(se, 0, FUSE_BACKING_DAX), -ENOSYS);
	wire_init(se, FUSE_KERNEL_MINOR_VERSION, MAPS);
	CHECK_EQ(fuse_session_backing_open(se, 0, FUSE_BACKING_FILE), -ENOSYS);
	CHECK_EQ(fuse_session_backing_open(se, 0, FUSE_BACKING_DAX + 1),
		 -EINVAL);
	/* The session's file is not /dev/fuse */
	CHECK_EQ(fuse_session_backing_open(se, 0, FUSE_BACKING_DAX), -ENOTTY);
	CHECK_EQ(fuse_session_backing_close(se, 1), -ENOTTY);
	wire_end(se);
}

static void test_setattr(void)
{
	struct fuse_setattr_in in = { .valid = FATTR_SIZE };
	struct fuse_session *se = start();

	wire_request(se, FUSE_SETATTR, INO, &in, sizeof(in));
	CHECK_EQ(to_set, FUSE_SET_ATTR_SIZE);
	in.valid = FATTR_SIZE | FATTR_LOCKOWNER;
	wire_request(se, FUSE_SETATTR, INO, &in, sizeof(in));
	CHECK_EQ(to_set, FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_TRUNCATE);
	in.valid = FATTR_MODE | FATTR_LOCKOWNER;
	wire_request(se, FUSE_SETATTR, INO, &in, sizeof(in));
	CHECK_EQ(to_set, FUSE_SET_ATTR_MODE);
	wire_end(se);
}

static void test_notify_errors(void)
{
	struct fuse_fmap *fmap = make_map(3);
	struct fuse_session *se = wire_session(&all_ops, NULL);

	CHECK_EQ(fuse_lowlevel_notify_fmap(NULL, INO, fmap), -EINVAL);
	CHECK_EQ(fuse_lowlevel_notify_fmap(se, INO, NULL), -EINVAL);
	CHECK_EQ(fuse_lowlevel_notify_fmap(se, INO, fmap), -ENOTCONN);
	CHECK_EQ(fuse_lowlevel_notify_fmap_revoke(se, INO), -ENOTCONN);
	wire_init(se, FUSE_KERNEL_MINOR_VERSION, 0);
	CHECK_EQ(fuse_lowlevel_notify_fmap(se, INO, fmap), -ENOSYS);
	CHECK_EQ(fuse_lowlevel_notify_fmap_revoke(se, INO), -ENOSYS);
	fuse_fmap_destroy(fmap);
	wire_end(se);
}

int main(void)
{
	test_init();
	test_init_without_get_fmap();
	test_init_not_offered();
	test_get_fmap();
	test_no_memory();
	test_open();
	test_create();
	test_daxdev();
	test_backing();
	test_setattr();
	test_notify_errors();
	return 0;
}
