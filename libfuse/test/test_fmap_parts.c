// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * Maps that are larger than a message, without a kernel: the parts make up the
 * map, those of two maps of a file do not mix, those of two files do not wait
 * for each other, and what cannot be sent whole is given up. And a message that
 * has no parts: requests are to be sent again.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#include "fmap_wire.h"
#include "fuse_i.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define INO 7

/* More than a part, and more than a reply, each with something left over */
#define PART_EXTENTS 100000
#define REPLY_MAX (64U << 20)
#define REPLY_EXTENTS (REPLY_MAX / sizeof(struct fuse_fmap_extent) + 9)

static const struct fuse_fmap *map;
static int result;
static bool by_hand;

/* What the kernel has put together, and what is wrong on its way */
static struct {
	char *msg;
	uint64_t filled, size;
	uint32_t flags;
	unsigned int parts, aborts, fail_at;
	uint32_t reply_max;
	unsigned int refused;
} got;

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	fuse_set_feature_flag(conn, FUSE_CAP_DAX_FMAP);
}

static void op_get_fmap(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	const void *msg;

	(void)ino;
	if (!by_hand) {
		result = fuse_reply_fmap(req, map);
		return;
	}
	CHECK_EQ(fuse_fmap_message(map, &msg, &size), 0);
	result = fuse_reply_buf(req, msg, size);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fuse_reply_open_fmap(req, fi, map);
}

static const struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.open = op_open,
	.get_fmap = op_get_fmap,
};

static int take_part(const struct fuse_out_header *out, const struct iovec *iov,
		     int count)
{
	const struct fuse_notify_fmap_out *n = iov[1].iov_base;

	if (out->unique && got.reply_max && out->len > got.reply_max) {
		got.refused++;
		return -E2BIG;
	}
	if (out->unique)
		return 0;
	CHECK_EQ(out->error, FUSE_NOTIFY_FMAP);
	CHECK_EQ(n->nodeid, INO);
	CHECK_EQ(n->flags, got.flags);
	if (count == 2) {
		CHECK(n->size == 0 && n->offset == 0);
		got.aborts++;
		return 0;
	}
	if (++got.parts == got.fail_at)
		return -ENOMEM;
	if (n->offset == 0) {
		free(got.msg);
		got.msg = malloc(n->size);
		got.filled = 0;
		got.size = n->size;
	}
	CHECK(n->offset == got.filled && n->size == got.size);
	CHECK(iov[2].iov_len <= got.size - got.filled);
	memcpy(got.msg + got.filled, iov[2].iov_base, iov[2].iov_len);
	got.filled += iov[2].iov_len;
	return 0;
}

static struct fuse_session *start(uint32_t flags, unsigned int fail_at)
{
	struct fuse_session *se = wire_session(&ops, NULL);

	wire_init(se, FUSE_KERNEL_MINOR_VERSION, FUSE_DAX_FMAP);
	free(got.msg);
	memset(&got, 0, sizeof(got));
	got.flags = flags;
	got.fail_at = fail_at;
	wire_hook = take_part;
	return se;
}

static struct fuse_fmap *make_map(uint64_t nextents)
{
	uint64_t page = sysconf(_SC_PAGESIZE), i;
	struct fuse_fmap *fmap = fuse_fmap_create(nextents * page, 0);

	for (i = 0; i < nextents; i++)
		fuse_fmap_add_extent(fmap, i % 5, 2 * i * page, page);
	return fmap;
}

static bool got_all(const struct fuse_fmap *fmap)
{
	const void *msg;
	size_t size;

	CHECK_EQ(fuse_fmap_message(fmap, &msg, &size), 0);
	return got.size == size && got.filled == size &&
	       memcmp(got.msg, msg, size) == 0;
}

static void test_push(void)
{
	struct fuse_session *se = start(FUSE_NOTIFY_FMAP_PART, 0);
	struct fuse_fmap *fmap = make_map(PART_EXTENTS);

	CHECK_EQ(fuse_lowlevel_notify_fmap(se, INO, fmap), 0);
	CHECK_EQ(got.parts, 3);
	CHECK(got_all(fmap));
	CHECK_EQ(got.aborts, 0);
	fuse_fmap_destroy(fmap);
	wire_end(se);
}

/* Standard error, while something is done that is to print nothing there */
static int divert_stderr(int *saved)
{
	char name[] = "/tmp/test_fmap_parts.XXXXXX";
	int fd = mkstemp(name);

	CHECK(fd >= 0);
	unlink(name);
	*saved = dup(2);
	dup2(fd, 2);
	return fd;
}

static void test_push_fails(void)
{
	struct fuse_session *se = start(FUSE_NOTIFY_FMAP_PART, 2);
	struct fuse_fmap *fmap = make_map(PART_EXTENTS);
	int err, saved, fd = divert_stderr(&saved);
	off_t printed;

	err = fuse_lowlevel_notify_fmap(se, INO, fmap);
	printed = lseek(fd, 0, SEEK_END);
	dup2(saved, 2);
	close(saved);
	close(fd);
	CHECK_EQ(err, -ENOMEM);
	CHECK_EQ(printed, 0);
	CHECK_EQ(got.parts, 2);
	CHECK_EQ(got.aborts, 1);
	fuse_fmap_destroy(fmap);
	wire_end(se);
}

/* The reply is the header of the map that went before */
static void test_reply(void)
{
	struct fuse_open_in in = { .open_flags = FUSE_OPEN_FMAP };
	const uint32_t flags = FUSE_NOTIFY_FMAP_PART | FUSE_NOTIFY_FMAP_STAGE;
	struct fuse_session *se = start(flags, 0);
	struct fuse_fmap *fmap = make_map(REPLY_EXTENTS);

	map = fmap;
	wire_get_fmap(se, INO, REPLY_MAX);
	CHECK_EQ(result, 0);
	CHECK_EQ(got.parts, 65);
	CHECK(got_all(fmap));
	CHECK_EQ(wire_sent.out.error, 0);
	CHECK_EQ(wire_sent.size, sizeof(struct fuse_fmap_header));
	CHECK(memcmp(wire_sent.data, got.msg, wire_sent.size) == 0);
	wire_end(se);

	/* The same where the limit is not told: the kernel says so then */
	se = start(flags, 0);
	got.reply_max = REPLY_MAX;
	wire_get_fmap(se, INO, 0);
	CHECK_EQ(result, 0);
	CHECK_EQ(got.refused, 1);
	CHECK(got_all(fmap));
	CHECK_EQ(wire_sent.size, sizeof(struct fuse_fmap_header));
	wire_end(se);

	/* Who opens the file must not wait for ever for what is built by hand */
	se = start(flags, 0);
	got.reply_max = REPLY_MAX;
	by_hand = true;
	wire_get_fmap(se, INO, 0);
	by_hand = false;
	CHECK_EQ(result, -E2BIG);
	CHECK_EQ(got.refused, 1);
	CHECK_EQ(wire_sent.out.error, -E2BIG);
	CHECK_EQ(wire_sent.size, 0);
	wire_end(se);

	/* An open goes without it, and get_fmap follows */
	se = start(flags, 0);
	got.reply_max = REPLY_MAX;
	wire_request(se, FUSE_OPEN, INO, &in, sizeof(in));
	CHECK_EQ(got.parts, 0);
	CHECK_EQ(got.refused, 1);
	CHECK_EQ(wire_sent.size, sizeof(struct fuse_open_out));
	CHECK_EQ(((struct fuse_open_out *)wire_sent.data)->open_flags, 0);
	wire_end(se);

	se = start(flags, 3);
	wire_get_fmap(se, INO, REPLY_MAX);
	CHECK_EQ(result, -ENOMEM);
	CHECK_EQ(wire_sent.out.error, -ENOMEM);
	CHECK_EQ(wire_sent.size, 0);
	CHECK_EQ(got.aborts, 1);
	fuse_fmap_destroy(fmap);
	wire_end(se);
}

/* The parts of INO are held back until the other file has got its map */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool held, released;
static struct fuse_session *session;

static int hold_part(const struct fuse_out_header *out, const struct iovec *iov,
		     int count)
{
	const struct fuse_notify_fmap_out *n = iov[1].iov_base;

	(void)count;
	if (out->unique || n->nodeid != INO)
		return 0;
	pthread_mutex_lock(&lock);
	held = true;
	pthread_cond_broadcast(&changed);
	while (!released)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return 0;
}

static void *push_map(void *data)
{
	CHECK_EQ(fuse_lowlevel_notify_fmap(session, INO, data), 0);
	return NULL;
}

static void test_two_files(void)
{
	struct fuse_fmap *fmap = make_map(PART_EXTENTS);
	pthread_t thread;

	session = start(FUSE_NOTIFY_FMAP_PART, 0);
	wire_hook = hold_part;
	CHECK_EQ(pthread_create(&thread, NULL, push_map, fmap), 0);
	pthread_mutex_lock(&lock);
	while (!held)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);

	/* A lock for the whole session would never let it through */
	alarm(60);
	CHECK_EQ(fuse_lowlevel_notify_fmap(session, INO + 1, fmap), 0);
	alarm(0);

	pthread_mutex_lock(&lock);
	released = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	fuse_fmap_destroy(fmap);
	wire_end(session);
}

static void test_notify_resend(void)
{
	const struct fuse_lowlevel_ops none = { .get_fmap = NULL };
	struct fuse_session *se = wire_session(&none, NULL);

	CHECK_EQ(fuse_lowlevel_notify_resend(NULL), -EINVAL);
	wire_init(se, 39, 0);
	CHECK_EQ(fuse_lowlevel_notify_resend(se), -ENOSYS);
	wire_end(se);

	se = wire_session(&none, NULL);
	wire_init(se, FUSE_KERNEL_MINOR_VERSION, 0);
	CHECK_EQ(fuse_lowlevel_notify_resend(se), 0);
	CHECK_EQ(wire_sent.out.unique, 0);
	CHECK_EQ(wire_sent.out.error, FUSE_NOTIFY_RESEND);
	CHECK_EQ(wire_sent.out.len, sizeof(wire_sent.out));
	wire_end(se);
}

static void test_notify_prune(void)
{
	const struct fuse_lowlevel_ops none = { .get_fmap = NULL };
	const struct fuse_notify_prune_out *sent = (void *)wire_sent.data;
	const fuse_ino_t inos[] = { INO, 1ull << 40, 3 };
	struct fuse_session *se = wire_session(&none, NULL);

	CHECK_EQ(fuse_lowlevel_notify_prune(NULL, inos, 3), -EINVAL);
	CHECK_EQ(fuse_lowlevel_notify_prune(se, NULL, 3), -EINVAL);
	wire_init(se, 44, 0);
	CHECK_EQ(fuse_lowlevel_notify_prune(se, inos, 3), -ENOSYS);
	wire_end(se);

	se = wire_session(&none, NULL);
	wire_init(se, FUSE_KERNEL_MINOR_VERSION, 0);
	/* More than a message can have */
	CHECK_EQ(fuse_lowlevel_notify_prune(se, inos, UINT32_MAX / 8), -EINVAL);
	memset(&wire_sent, 0xff, sizeof(wire_sent));
	CHECK_EQ(fuse_lowlevel_notify_prune(se, inos, 3), 0);
	CHECK_EQ(wire_sent.out.unique, 0);
	CHECK_EQ(wire_sent.out.error, FUSE_NOTIFY_PRUNE);
	CHECK_EQ(wire_sent.out.len, sizeof(wire_sent.out) + sizeof(*sent) +
				    sizeof(inos));
	CHECK_EQ(sent->count, 3);
	CHECK_EQ(sent->padding, 0);
	CHECK_EQ(sent->spare, 0);
	CHECK_EQ(memcmp(sent + 1, inos, sizeof(inos)), 0);
	wire_end(se);
}

int main(void)
{
	test_notify_prune();
	test_notify_resend();
	test_push();
	test_push_fails();
	test_reply();
	test_two_files();
	free(got.msg);
	return 0;
}
