// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * A server as it was written for famfs, before maps had names of their own:
 * it includes what such a server includes, uses every name that it uses, and
 * packs its messages by hand, in test_famfs_fmap.c. That both compile is most of
 * the test; the rest is that the messages are those of the kernel's header.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 17)

#include "fuse_i.h"
#include "fuse_kernel.h"
#include "fuse_lowlevel.h"

#include "test_famfs.h"

#include <err.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(cond) \
	do { \
		if (!(cond)) \
			errx(1, "%s:%d: check failed: %s", __func__, __LINE__, \
			     #cond); \
	} while (0)

#define SAME(old, old_field, new, new_field) \
	_Static_assert(offsetof(struct old, old_field) == \
		       offsetof(struct new, new_field) && \
		       sizeof(((struct old *)0)->old_field) == \
		       sizeof(((struct new *)0)->new_field), \
		       #old "." #old_field " is not " #new "." #new_field)

_Static_assert(sizeof(struct fuse_famfs_fmap_header) == 32, "header");
_Static_assert(sizeof(struct fuse_famfs_simple_ext) == 24, "extent");
_Static_assert(sizeof(struct fuse_famfs_iext) == 24, "stripe");
_Static_assert(sizeof(struct fuse_daxdev_out) == 280, "device");

SAME(fuse_famfs_fmap_header, file_type, fuse_fmap_header, file_type);
SAME(fuse_famfs_fmap_header, reserved, fuse_fmap_header, flags);
SAME(fuse_famfs_fmap_header, fmap_version, fuse_fmap_header, version);
SAME(fuse_famfs_fmap_header, ext_type, fuse_fmap_header, ext_type);
SAME(fuse_famfs_fmap_header, nextents, fuse_fmap_header, nextents);
SAME(fuse_famfs_fmap_header, reserved0, fuse_fmap_header, size);
SAME(fuse_famfs_fmap_header, file_size, fuse_fmap_header, file_size);
SAME(fuse_famfs_fmap_header, reserved1, fuse_fmap_header, reserved);
SAME(fuse_famfs_simple_ext, se_devindex, fuse_fmap_extent, devindex);
SAME(fuse_famfs_simple_ext, reserved, fuse_fmap_extent, reserved);
SAME(fuse_famfs_simple_ext, se_offset, fuse_fmap_extent, offset);
SAME(fuse_famfs_simple_ext, se_len, fuse_fmap_extent, len);
SAME(fuse_famfs_iext, ie_nstrips, fuse_fmap_stripe, nstrips);
SAME(fuse_famfs_iext, ie_chunk_size, fuse_fmap_stripe, chunk_size);
SAME(fuse_famfs_iext, ie_nbytes, fuse_fmap_stripe, nbytes);
SAME(fuse_famfs_iext, reserved, fuse_fmap_stripe, reserved);

_Static_assert(FAMFS_FMAP_VERSION == FUSE_FMAP_VERSION, "version");
_Static_assert((int)FUSE_FAMFS_FILE_REG == FUSE_FMAP_FILE_REG, "regular");
_Static_assert((int)FUSE_FAMFS_FILE_SUPERBLOCK == FUSE_FMAP_FILE_SUPER, "sb");
_Static_assert((int)FUSE_FAMFS_FILE_LOG == FUSE_FMAP_FILE_LOG, "log");
_Static_assert((int)FUSE_FAMFS_EXT_SIMPLE == FUSE_FMAP_EXT_SIMPLE, "simple");
_Static_assert((int)FUSE_FAMFS_EXT_INTERLEAVE == FUSE_FMAP_EXT_STRIPED,
	       "interleaved");

static void famfs_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	if (conn->capable_ext & FUSE_CAP_DAX_FMAP)
		conn->want_ext |= FUSE_CAP_DAX_FMAP;
}

static void famfs_get_fmap(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	_Alignas(8) char buf[256] = { 0 };
	size_t len = ino & 1 ? famfs_pack_simple(buf) :
			       famfs_pack_interleaved(buf);

	if (len > size)
		fuse_reply_err(req, EINVAL);
	else
		fuse_reply_buf(req, buf, len);
}

static void famfs_get_daxdev(fuse_req_t req, int daxdev_index)
{
	struct fuse_daxdev_out out = { 0 };

	if (daxdev_index != 0) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
#ifdef FUSE_DEV_IOC_DAXDEV_OPEN
#error "famfs would call fuse_daxdev_open(), which does not exist"
#endif
	snprintf(out.name, sizeof(out.name), "/dev/dax0.0");
	fuse_reply_buf(req, (char *)&out, sizeof(out));
}

static const struct fuse_lowlevel_ops famfs_oper = {
	.init = famfs_init,
	.get_fmap = famfs_get_fmap,
	.get_daxdev = famfs_get_daxdev,
};

/* What was packed by hand is what the library composes */
static void test_messages(void)
{
	_Alignas(8) char buf[256] = { 0 };
	struct fuse_fmap *fmap = fuse_fmap_create(0x200000, 0);
	struct fuse_fmap_header *hdr = (void *)buf;
	const void *msg;
	size_t size;
	char *text;

	fuse_fmap_add_extent(fmap, 0, 0x400000, 0x200000);
	CHECK(fuse_fmap_message(fmap, &msg, &size) == 0);
	CHECK(famfs_pack_simple(buf) == size);
	/* Old servers leave the size zero, which is allowed */
	hdr->size = size;
	CHECK(memcmp(buf, msg, size) == 0);
	fuse_fmap_destroy(fmap);

	text = famfs_describe(buf);
	CHECK(text && strcmp(text, "file of 1 extents") == 0);
	free(text);
}

/* Asking for the capability must survive what the library does about flags */
static void test_init(void)
{
	char name[] = "test", *argv[] = { name, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *se;

	se = fuse_session_new(&args, &famfs_oper, sizeof(famfs_oper), NULL);
	CHECK(se != NULL);
	se->conn.capable_ext = FUSE_CAP_DAX_FMAP | FUSE_CAP_ASYNC_READ;
	se->op.init(NULL, &se->conn);
	CHECK(fuse_convert_to_conn_want_ext(&se->conn) == 0);
	CHECK(se->conn.want_ext & FUSE_CAP_DAX_FMAP);
	CHECK(se->op.get_fmap == famfs_get_fmap);
	CHECK(se->op.get_daxdev == famfs_get_daxdev);
	fuse_session_destroy(se);
	fuse_opt_free_args(&args);
}

int main(void)
{
	test_messages();
	test_init();
	return 0;
}
