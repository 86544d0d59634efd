// SPDX-License-Identifier: GPL-2.0
/*
 * Maps that are larger than a reply: the server stages them in parts, and
 * replies with the header alone.
 *
 * A server that had to push such a map instead got -ENODEV for a device that
 * the kernel had not asked for, and -EBUSY where somebody held a lock for which
 * a reply waits.
 *
 * What is easily wrong here: a staged map that another reply, or none, leaves
 * behind; one that is taken for the map of a file that has none; a push that
 * mixes with it.
 */
#include <limits.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define PAGES	64
#define SIZE	(PAGES * PAGE)
#define HEADER	sizeof(struct fuse_fmap_header)
#define STAGE	(FUSE_NOTIFY_FMAP_PART | FUSE_NOTIFY_FMAP_STAGE)

FIXTURE(stage)
{
	struct tfs_env env;
	struct tfs_msg a, b;
	int file;			/* its map is the header of b alone */
	int dev;			/* for notifications past the server */
};

FIXTURE_SETUP(stage)
{
	const char *why = tfs_env_init(&self->env, 1);
	__u64 i, size;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, 16 * MiB));
	tfs_msg_simple(&self->a, SIZE, 0, 0, SIZE);
	tfs_msg_init(&self->b, SIZE, FUSE_FMAP_EXT_SIMPLE);
	for (i = PAGES; i > 0; i--)
		tfs_msg_extent(&self->b, 0, 8 * MiB + (i - 1) * PAGE, PAGE);
	self->file = tfs_add_mapped(&self->env, "f", &self->b);
	tfs_set_map(&self->env.srv, self->file, self->b.buf, HEADER);
	tfs_add_simple(&self->env, "g", SIZE, 0, 4 * MiB);
	self->env.srv.st->open_mode = TFS_GETFMAP;
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	/* Only of a node that the kernel knows anything is kept. */
	ASSERT_EQ(0, tfs_stat_size(&self->env, "f", &size));
	ASSERT_EQ(SIZE, size);
}

FIXTURE_TEARDOWN(stage)
{
	EXPECT_EQ(0, tfs_umount(&self->env));
	close(self->dev);
	tfs_msg_exit(&self->a);
	tfs_msg_exit(&self->b);
	TFS_TEARDOWN();
}

static int part(FIXTURE_DATA(stage) * self, __u32 flags, __u64 offset,
		size_t len)
{
	return tfs_push_to(self->dev, TFS_INO(self->file), flags,
			   self->b.len, offset, self->b.buf + offset, len);
}

/* The rest of b, in parts of an odd length. */
static int stage_from(FIXTURE_DATA(stage) * self, __u64 from)
{
	int err = 0;

	for (; from < self->b.len && !err; from += 333) {
		size_t rest = self->b.len - from;

		err = part(self, STAGE, from, rest < 333 ? rest : 333);
	}
	return err;
}

static int stage(FIXTURE_DATA(stage) * self)
{
	return stage_from(self, 0);
}

/* Drops what is arriving, or for a reply has arrived. */
static int give_up(FIXTURE_DATA(stage) * self, __u32 flags)
{
	return tfs_push_to(self->dev, TFS_INO(self->file), flags, 0, 0,
			   NULL, 0);
}

static void reply_with(FIXTURE_DATA(stage) * self,
		       const struct tfs_msg *m, size_t len)
{
	tfs_set_map(&self->env.srv, self->file, m->buf, len);
}

#define EXPECT_OPENS_WITH(m) do {					\
	int fd_ = tfs_open(&self->env, "f", O_RDWR);			\
									\
	ASSERT_LE(0, fd_);						\
	EXPECT_EQ(0, tfs_check_all(fd_, NULL, m));			\
	close(fd_);							\
} while (0)

/* The file is opened in a thread, and the server keeps the request. */
static void open_waits(struct __test_metadata *const _metadata,
		       FIXTURE_DATA(stage) * self, struct tfs_job *open)
{
	*open = (struct tfs_job){
		.run = tfs_job_open, .env = &self->env, .name = "f",
		.flags = O_RDWR,
	};
	ASSERT_EQ(0, tfs_job_hold(open, &self->env.srv, FUSE_GET_FMAP));
}

static void open_goes_on(struct __test_metadata *const _metadata,
			 FIXTURE_DATA(stage) * self,
			 struct tfs_job *open, const struct tfs_msg *m)
{
	rules_release(&self->env.srv);
	ASSERT_TRUE(tfs_job_done(open, TFS_SOON));
	ASSERT_LE(0, open->result);
	EXPECT_EQ(0, tfs_check_all(open->result, NULL, m));
	close(open->result);
}

/* As for any reply, the server is asked for the device. */
TEST_F(stage, M8_staged_map_on_an_unknown_device)
{
	struct tfs_job open;

	open_waits(_metadata, self, &open);
	EXPECT_EQ(-ENODEV, tfs_push_map(self->dev, self->file, &self->b));
	EXPECT_EQ(0, stage(self));
	EXPECT_COUNT(0, FUSE_GET_DAXDEV);
	open_goes_on(_metadata, self, &open, &self->b);
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
	EXPECT_FETCHES(1);
	EXPECT_OPENS_WITH(&self->b);
	EXPECT_FETCHES(1);
	/* It has been used up. */
	ASSERT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_OPEN_FAILS(EINVAL, "f", O_RDWR);
}

static long chmod_file(struct tfs_job *job)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", job->env->dir, job->name);
	return chmod(path, 0640) ? -errno : 0;
}

/* Who changes the mode has the lock that the first map needs. */
TEST_F(stage, M8_staged_map_while_chmod_waits_for_the_server)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job mode = { .run = chmod_file, .env = &self->env,
				.name = "f" };
	struct tfs_job open;

	close(ASSERT_OPEN("g", O_RDONLY));
	open_waits(_metadata, self, &open);
	rule_hold(srv, FUSE_SETATTR, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(&mode));
	ASSERT_EQ(0, tfs_wait_held(srv, 2));
	EXPECT_EQ(-EBUSY, tfs_push_map(self->dev, self->file, &self->b));
	EXPECT_EQ(0, stage(self));
	rules_release_op(srv, FUSE_GET_FMAP);
	EXPECT_FALSE(tfs_job_done(&open, 100));
	open_goes_on(_metadata, self, &open, &self->b);
	EXPECT_EQ(0, tfs_job_result(&mode));
}

TEST_F(stage, M8_staged_map_in_the_reply_to_an_open)
{
	self->env.srv.st->open_mode = TFS_OPENFMAP;
	EXPECT_EQ(0, stage(self));
	EXPECT_OPENS_WITH(&self->b);
	EXPECT_COUNT(0, FUSE_GET_FMAP);
}

/* Staging changes nothing, also where the file has a map and is in use. */
TEST_F(stage, M8_nothing_changes_before_the_reply)
{
	int fd;

	reply_with(self, &self->a, self->a.len);
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(0, stage(self));
	EXPECT_EQ(0, tfs_check_all(fd, NULL, &self->a));
	EXPECT_FETCHES(1);
	reply_with(self, &self->b, HEADER);
	EXPECT_EQ(0, tfs_revoke(self->dev, self->file));
	EXPECT_EQ(0, tfs_check_all(fd, NULL, &self->b));
	EXPECT_FETCHES(2);
	close(fd);
}

/* There is one at most: the last one that is complete. */
TEST_F(stage, M8_staged_again)
{
	struct tfs_job open;

	open_waits(_metadata, self, &open);
	EXPECT_EQ(0, tfs_push_to(self->dev, TFS_INO(self->file), STAGE,
				 self->a.len, 0, self->a.buf, self->a.len));
	EXPECT_EQ(0, stage(self));
	EXPECT_EQ(0, stage(self));
	/* What has begun since is none. */
	EXPECT_EQ(0, part(self, STAGE, 0, 100));
	open_goes_on(_metadata, self, &open, &self->b);
}

/* The header says which map is meant. */
TEST_F(stage, M8_header_of_another_map)
{
	EXPECT_EQ(0, stage(self));
	reply_with(self, &self->a, HEADER);
	EXPECT_OPEN_FAILS(EINVAL, "f", O_RDWR);
	reply_with(self, &self->b, HEADER);
	EXPECT_OPEN_FAILS(EINVAL, "f", O_RDWR);
	EXPECT_EQ(0, stage(self));
	EXPECT_OPENS_WITH(&self->b);
}

/* Whatever else the server replies, what it has staged is dropped. */
TEST_F(stage, M8_other_replies_drop_what_is_staged)
{
	EXPECT_EQ(0, stage(self));
	rule_fail(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, -ENXIO, 1);
	EXPECT_OPEN_FAILS(ENXIO, "f", O_RDWR);
	EXPECT_OPEN_FAILS(EINVAL, "f", O_RDWR);

	EXPECT_EQ(0, stage(self));
	reply_with(self, &self->a, self->a.len);
	EXPECT_OPENS_WITH(&self->a);
	reply_with(self, &self->b, HEADER);
	EXPECT_EQ(0, tfs_revoke(self->dev, self->file));
	EXPECT_OPEN_FAILS(EINVAL, "f", O_RDWR);
}

/* An empty reply says that the file has no map, as ever. */
TEST_F(stage, M8_empty_reply_drops_what_is_staged)
{
	reply_with(self, &self->b, 0);
	EXPECT_EQ(0, stage(self));
	close(ASSERT_OPEN("f", O_RDONLY));
	close(ASSERT_OPEN("f", O_RDONLY));
	EXPECT_FETCHES(1);
	EXPECT_EQ(0, tfs_maps(&self->env));
	reply_with(self, &self->b, HEADER);
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	EXPECT_EQ(0, tfs_revoke(self->dev, self->file));
	EXPECT_OPEN_FAILS(EINVAL, "f", O_RDONLY);
}

TEST_F(stage, M8_malformed_staged_map)
{
	tfs_msg_header(&self->b)->nextents++;
	reply_with(self, &self->b, HEADER);
	EXPECT_EQ(0, stage(self));
	EXPECT_OPEN_FAILS(EINVAL, "f", O_RDWR);
	tfs_msg_header(&self->b)->nextents--;
	reply_with(self, &self->b, HEADER);
	EXPECT_EQ(0, stage(self));
	EXPECT_OPENS_WITH(&self->b);
}

TEST_F(stage, M8_parts_that_are_given_up)
{
	EXPECT_EQ(0, stage(self));
	EXPECT_EQ(0, give_up(self, STAGE));
	EXPECT_OPEN_FAILS(EINVAL, "f", O_RDWR);
	EXPECT_EQ(0, part(self, STAGE, 0, 100));
	EXPECT_EQ(0, give_up(self, STAGE));
	EXPECT_EQ(-EINVAL, stage_from(self, 100));
	EXPECT_EQ(0, part(self, FUSE_NOTIFY_FMAP_PART, 0, 100));
	EXPECT_EQ(0, give_up(self, FUSE_NOTIFY_FMAP_PART));
	EXPECT_EQ(-EINVAL, part(self, FUSE_NOTIFY_FMAP_PART, 100, 100));
	/* One kind of parts leaves the other alone, and nothing is to drop. */
	EXPECT_EQ(0, stage(self));
	EXPECT_EQ(0, give_up(self, FUSE_NOTIFY_FMAP_PART));
	EXPECT_OPENS_WITH(&self->b);
}

TEST_F(stage, M8_staging_flags)
{
	static const __u32 bad[] = {
		FUSE_NOTIFY_FMAP_STAGE,
		FUSE_NOTIFY_FMAP_STAGE | FUSE_NOTIFY_FMAP_REVOKE,
		STAGE | FUSE_NOTIFY_FMAP_REVOKE,
		STAGE | FUSE_NOTIFY_FMAP_STAGE << 1,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, part(self, bad[i], 0, 100));
		EXPECT_EQ(-EINVAL, give_up(self, bad[i]));
	}
	EXPECT_EQ(-ENOENT, tfs_push_to(self->dev, TFS_INO(20), STAGE,
				       self->b.len, 0, self->b.buf, 100));
}

/* Parts of both kinds, in turn: the push wins, as over any reply. */
TEST_F(stage, M7_push_in_parts_wins_over_a_staged_map)
{
	__u64 size = self->b.len, at;
	struct tfs_job open;
	struct tfs_msg c;
	int i;

	tfs_msg_init(&c, SIZE, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < PAGES; i++)
		tfs_msg_extent(&c, 0, 12 * MiB + i * PAGE, PAGE);
	ASSERT_EQ(size, c.len);
	close(ASSERT_OPEN("g", O_RDONLY));
	tfs_counts_reset(&self->env.srv);
	open_waits(_metadata, self, &open);
	for (at = 0; at < size; at += 100) {
		size_t n = size - at < 100 ? size - at : 100;

		EXPECT_EQ(0, part(self, STAGE, at, n));
		EXPECT_EQ(0, tfs_push_to(self->dev, TFS_INO(self->file),
					 FUSE_NOTIFY_FMAP_PART, size, at,
					 c.buf + at, n));
	}
	open_goes_on(_metadata, self, &open, &c);
	EXPECT_FETCHES(1);
	tfs_msg_exit(&c);
}

/* A header without a map is overtaken as a whole map would be. */
TEST_F(stage, M7_push_wins_over_a_header_without_a_staged_map)
{
	struct tfs_job open;

	close(ASSERT_OPEN("g", O_RDONLY));
	tfs_counts_reset(&self->env.srv);
	open_waits(_metadata, self, &open);
	EXPECT_EQ(0, tfs_push_map(self->dev, self->file, &self->a));
	open_goes_on(_metadata, self, &open, &self->a);
	EXPECT_FETCHES(1);
}

TEST_F(stage, X3_opener_of_a_staged_map_is_killed)
{
	int status;
	pid_t pid;

	rule_hold(&self->env.srv, FUSE_GET_FMAP, TFS_ANY);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(tfs_open(&self->env, "f", O_RDWR) < 0);
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	EXPECT_EQ(0, stage(self));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	usleep(100000);
	rules_release(&self->env.srv);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	/* It has been used up by then, or is used by the next one. */
	EXPECT_EQ(0, stage(self));
	EXPECT_OPENS_WITH(&self->b);
}

/* What it has sent goes with the mount. */
TEST_F(stage, X3_server_dies_between_staged_parts)
{
	struct tfs_job open;

	open_waits(_metadata, self, &open);
	EXPECT_EQ(0, stage(self));
	EXPECT_EQ(0, part(self, STAGE, 0, 1000));
	EXPECT_EQ(0, part(self, FUSE_NOTIFY_FMAP_PART, 0, 1000));
	close(self->dev);
	self->dev = -1;
	ASSERT_EQ(0, tfs_server_signal(&self->env.srv, SIGKILL));
	EXPECT_EQ(-ECONNABORTED, tfs_job_result(&open));
}

TEST_HARNESS_MAIN
