// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that a made-up kernel sends: each changes something that can be done
 * once.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "kernel.h"
#include "layout.h"
#include "resent.h"

static struct fuse_lowlevel_ops ops;
uint64_t requests_file, requests_unnamed;

static void requests_prepare(struct volume *volume)
{
	struct volume_node node = { .mode = S_IFREG | 0644 };
	struct op op = { .now = 1 };
	struct volume_attr attr;

	CHECK(!volume_create(volume, &op, 1, "file", &node, &attr));
	requests_file = attr.ino;
	CHECK(!volume_map(volume, &op, requests_file, 14000, false, &attr));
	CHECK(!volume_tell(volume, &op, requests_file, 9000, &attr));
	CHECK(!volume_setxattr(volume, &op, requests_file, "user.old", "x", 1, 0));
	CHECK(!volume_create(volume, &op, 1, "other", &node, &attr));
	CHECK(!volume_create(volume, &op, 1, NULL, &node, &attr));
	requests_unnamed = attr.ino;
	node.mode = S_IFDIR | 0755;
	CHECK(!volume_create(volume, &op, 1, "directory", &node, &attr));
}

void requests_options(struct volume_options *options, unsigned int host)
{
	memset(options, 0, sizeof(*options));
	options->self.uuid[0] = (uint8_t)(1 + host);
	options->self.boot[0] = 9;
	options->self.page = 4096;
	strcpy(options->self.name, host ? "member" : "owner");
	options->nonce = 77 + host;
	options->how = VOLUME_READ;
	options->now = 1;
}

struct volume *requests_format(struct media *media)
{
	struct volume_format format = { .unit = 4096, .area = 64 << 10,
					.coherence = COHERENCE_HARDWARE };
	struct volume_options options;
	struct volume *volume;

	requests_options(&options, 0);
	format.self = options.self;
	memset(format.uuid, 7, sizeof(format.uuid));
	CHECK(!volume_format(media, &format, NULL));
	options.how = VOLUME_OWN | VOLUME_UNUSED;
	CHECK(!volume_open(&volume, media, &options, NULL));
	requests_prepare(volume);
	return volume;
}

void requests_begin(void)
{
	names_operations(&ops);
	attrs_operations(&ops);
	grow_operations(&ops);
}

void requests_forget(uint64_t ino)
{
	ops.forget(NULL, ino, 1);
}

static void do_mkdir(void) { ops.mkdir(NULL, 1, "new", 0755); }
static void do_mknod(void) { ops.mknod(NULL, 1, "new", S_IFIFO | 0600, 0); }
static void do_symlink(void) { ops.symlink(NULL, "target", 1, "new"); }
static void do_create(void) { ops.create(NULL, 1, "new", 0644, NULL); }
static void do_tmpfile(void) { ops.tmpfile(NULL, 1, 0644, NULL); }
static void do_link(void) { ops.link(NULL, requests_unnamed, 1, "new"); }
static void do_unlink(void) { ops.unlink(NULL, 1, "other"); }
static void do_rmdir(void) { ops.rmdir(NULL, 1, "directory"); }
static void do_rename(void) { ops.rename(NULL, 1, "file", 1, "new", 0); }
static void do_replace(void) { ops.rename(NULL, 1, "file", 1, "other", 0); }

static void do_exchange(void)
{
	ops.rename(NULL, 1, "file", 1, "directory", VOLUME_EXCHANGE);
}

static void set_attr(int what, mode_t mode, off_t size)
{
	struct stat st = { .st_mode = mode, .st_size = size };

	ops.setattr(NULL, requests_file, &st, what, NULL);
}

static void do_chmod(void) { set_attr(FUSE_SET_ATTR_MODE, 0601, 0); }

static void do_cut(void)
{
	set_attr(FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_TRUNCATE, 0, 100);
}

static void do_extend(void)
{
	set_attr(FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_TRUNCATE, 0, 100000);
}

static void do_cut_chmod(void)
{
	set_attr(FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_TRUNCATE |
		 FUSE_SET_ATTR_MODE, 0601, 100);
}

static void do_tell(void)
{
	set_attr(FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MTIME |
		 FUSE_SET_ATTR_CTIME, 0, 12000);
}

static void do_tell_mtime(void)
{
	set_attr(FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MTIME, 0, 12000);
}

static void do_setxattr(void)
{
	ops.setxattr(NULL, requests_file, "user.new", "v", 1, XATTR_CREATE);
}

static void do_removexattr(void) { ops.removexattr(NULL, requests_file, "user.old"); }
static void do_fallocate(void)
{
	ops.fallocate(NULL, requests_file, FALLOC_FL_KEEP_SIZE, 0, 20000, NULL);
}

const struct request_made requests[REQUESTS] = {
	{ "mkdir", do_mkdir }, { "mknod", do_mknod },
	{ "symlink", do_symlink }, { "create", do_create },
	{ "tmpfile", do_tmpfile }, { "link", do_link },
	{ "unlink", do_unlink }, { "rmdir", do_rmdir },
	{ "rename", do_rename }, { "replace", do_replace },
	{ "exchange", do_exchange }, { "chmod", do_chmod },
	{ "cut", do_cut }, { "extend", do_extend },
	{ "cut and chmod", do_cut_chmod }, { "tell", do_tell },
	{ "tell and mtime", do_tell_mtime }, { "setxattr", do_setxattr },
	{ "removexattr", do_removexattr }, { "fallocate", do_fallocate },
};
