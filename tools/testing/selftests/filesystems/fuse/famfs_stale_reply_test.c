// SPDX-License-Identifier: GPL-2.0
/*
 * Replies that do not count any more, and sizes that nobody knows.
 *
 * What was wrong here: what a push had overtaken was looked at all the same, so
 * an open failed because of a device that the older map named, and the server
 * was asked about one; a read at the end of a file whose map was taken away
 * took the old size for the file's; an error that a push had overtaken failed
 * the open, also that of a server which pushes all its maps.
 */
#include "tfs_jobs.h"
#include "tfs_test.h"

#define SIZE	(64 * 1024UL)

FIXTURE(stale_reply)
{
	struct tfs_env env;
	struct tfs_msg pushed;
	int dev, node, id;
};

FIXTURE_SETUP(stale_reply)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_msg m;

	if (why)
		SKIP(return, "%s", why);
	if (self->env.srv.st->open_mode != TFS_GETFMAP)
		SKIP(return, "the map has to come by GET_FMAP");
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->node = open(self->env.devs[0].path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->node);
	self->id = tfs_dax_open(self->dev, self->node);
	ASSERT_LT(0, self->id);
	tfs_msg_simple(&m, SIZE, 0, 0, SIZE);
	tfs_msg_by_id(&self->pushed, &m, &self->id);
}

FIXTURE_TEARDOWN(stale_reply)
{
	close(self->node);
	EXPECT_EQ(0, tfs_umount(&self->env));
	close(self->dev);
	TFS_TEARDOWN();
}

/* The server pushes a map that is right, and then replies, maybe an error. */
static void open_after_push(struct __test_metadata *_metadata,
			    FIXTURE_DATA(stale_reply) * self, int err)
{
	struct tfs_server *srv = &self->env.srv;

	srv->st->notify_errno = -1;
	rule_push(srv, FUSE_GET_FMAP, 0, self->pushed.buf,
		  self->pushed.len, 1);
	if (err)
		rule_fail(srv, FUSE_GET_FMAP, TFS_ANY, err, 1);
	EXPECT_EQ(0, tfs_try_open(&self->env, "f", O_RDWR));
	EXPECT_EQ(0, srv->st->notify_errno);
	EXPECT_COUNT(0, FUSE_GET_DAXDEV);
}

TEST_F(stale_reply, M7_overtaken_reply_names_no_device)
{
	tfs_set_id(&self->env.srv, 0, self->id + 7, 0, SIZE);
	open_after_push(_metadata, self, 0);
}

TEST_F(stale_reply, M7_overtaken_reply_leaves_its_device)
{
	tfs_set_id(&self->env.srv, 0, self->id, 1UL << 50, SIZE);
	open_after_push(_metadata, self, 0);
}

TEST_F(stale_reply, M7_overtaken_reply_asks_for_no_device)
{
	rule_fail(&self->env.srv, FUSE_GET_DAXDEV, TFS_ANY, -ENXIO, 1);
	open_after_push(_metadata, self, 0);
}

TEST_F(stale_reply, M7_overtaken_error_counts_for_nothing)
{
	open_after_push(_metadata, self, -ENXIO);
}

TEST_F(stale_reply, M7_server_without_get_fmap_pushes)
{
	open_after_push(_metadata, self, -ENOSYS);
}

TEST_F(stale_reply, M7_read_at_the_end_of_a_revoked_file_asks)
{
	struct tfs_server *srv = &self->env.srv;
	char c;
	int fd;

	tfs_set_id(srv, 0, self->id, 0, SIZE);
	fd = ASSERT_OPEN("f", O_RDWR);
	tfs_set_id(srv, 0, self->id, 0, 2 * SIZE);
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	tfs_counts_reset(srv);
	EXPECT_EQ(1, pread(fd, &c, 1, SIZE));
	EXPECT_EQ(1, tfs_fetches(srv));
	close(fd);
}

TEST_HARNESS_MAIN
