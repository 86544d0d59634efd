// SPDX-License-Identifier: GPL-2.0
/*
 * What happens while the cache lines of a long file are being dropped: its task
 * is killed, its map or its size changes, its device goes, its memory fails.
 *
 * What is easily wrong here: what had nothing to drop, as the file had it, left
 * the file meanwhile and comes back as it was; a task that cannot be killed for
 * minutes; a page that the kernel does not map any more.
 *
 * A stripe of many small chunks makes dropping slow.
 */
#include "tfs_jobs.h"
#include "tfs_test.h"
#include "tfs_trace.h"

#define PAGE	4096UL
#define LONG	(192 * MiB)
#define LONG_AT	(64 * MiB)
#define FIRST	(32 * MiB)		/* where the first page lies */
#define AWAY	(48 * MiB)
#define LAST	"c000+1@ffff "		/* the last chunk, as it is traced */

FIXTURE(drop_race)
{
	struct tfs_env env;
	struct tfs_trace trace;
	int dev;			/* for notifications past the server */
	int file;
	struct tfs_msg big;		/* a page at FIRST, then LONG */
	struct tfs_msg small, away;	/* a page at FIRST, at AWAY */
	bool poisoned;
};

static void stripe_add(struct tfs_msg *m, __u64 off, __u64 len)
{
	tfs_msg_stripe(m, len, PAGE, 1);
	tfs_msg_strip(m, 0, off, len);
}

static void stripe_msg(struct tfs_msg *m, __u64 size, __u64 off)
{
	tfs_msg_init(m, size, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_header(m)->flags = FUSE_FMAP_DROP;
	stripe_add(m, off, PAGE);
}

FIXTURE_SETUP(drop_race)
{
	const char *why = tfs_env_init(&self->env, 1);
	char filter[64];

	if (why)
		SKIP(return, "%s", why);
	stripe_msg(&self->big, PAGE + LONG, FIRST);
	stripe_add(&self->big, LONG_AT, LONG);
	stripe_msg(&self->small, PAGE, FIRST);
	stripe_msg(&self->away, PAGE, AWAY);
	self->file = tfs_add_mapped(&self->env, "f", &self->big);
	tfs_add_simple(&self->env, "other", PAGE, 0, 0);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	close(ASSERT_OPEN("other", O_RDONLY));
	/* The last one tells that nothing stopped it. */
	snprintf(filter, sizeof(filter), "offset < 0x2000 || offset == %#lx",
		 LONG);
	if (tfs_trace_on(&self->trace, "famfs/famfs_drop", filter))
		SKIP(return, "need tracefs");
}

FIXTURE_TEARDOWN(drop_race)
{
	tfs_trace_end(&self->trace);
	close(self->dev);
	if (self->env.mounted)
		EXPECT_EQ(0, tfs_umount(&self->env));
	if (self->poisoned)
		EXPECT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	tfs_msg_exit(&self->big);
	tfs_msg_exit(&self->small);
	tfs_msg_exit(&self->away);
	TFS_TEARDOWN();
}

/* By tfs_job, since it takes its time. */
struct push_job {
	struct tfs_job job;
	int dev, file;
	const struct tfs_msg *m;
};

static long push_run(struct tfs_job *job)
{
	struct push_job *push = (struct push_job *)job;

	return tfs_push_map(push->dev, push->file, push->m);
}

/* Has "f", open with one page, begin to get the long map. */
static int start_push(FIXTURE_DATA(drop_race) * self, struct push_job *push)
{
	int err;

	*push = (struct push_job) {
		.job.run = push_run,
		.dev = self->dev,
		.file = self->file,
		.m = &self->big,
	};
	tfs_trace_clear(&self->trace);
	err = tfs_job_start(&push->job);
	return err ? err : tfs_trace_wait(&self->trace, "offset 0x1000 ");
}

/*
 * The first page leaves the file while it is not dropped because the file has
 * it.  Somebody else may have it then, so it is dropped when it comes back.
 */
TEST_F(drop_race, M11_map_changes_while_another_is_dropped)
{
	struct push_job push;
	bool between = false;
	int fd, i;

	tfs_set_map(&self->env.srv, self->file, self->small.buf,
		    self->small.len);
	fd = ASSERT_OPEN("f", O_RDWR);
	/* The end of the first can come before or after the second push. */
	ASSERT_EQ(0, tfs_trace_on(&self->trace, "famfs/famfs_drop",
				  "offset < 0x2000"));
	for (i = 0; i < 5 && !between; i++) {
		EXPECT_EQ(0, tfs_push_map(self->dev, self->file, &self->small));
		ASSERT_EQ(0, start_push(self, &push));
		EXPECT_EQ(0, tfs_push_map(self->dev, self->file, &self->away));
		ASSERT_EQ(0, tfs_job_result(&push.job));
		between = tfs_size_of(fd) == (off_t)(PAGE + LONG);
	}
	if (!between)
		SKIP(close(fd); return, "the second push was always late");
	/* Then from the start: the first page at its old place. */
	EXPECT_STREQ("1+1@4000 0+1@3000 0+1@2000 1+1@4000 ",
		     tfs_trace_drops(&self->trace, self->file));
	close(fd);
}

TEST_F(drop_race, M11_reply_is_void_while_its_map_is_dropped)
{
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = "f", .flags = O_RDWR };

	ASSERT_EQ(0, tfs_job_start(&open));
	ASSERT_EQ(0, tfs_trace_wait(&self->trace, "offset 0x1000 "));
	EXPECT_EQ(0, tfs_push_map(self->dev, self->file, &self->away));
	ASSERT_TRUE(tfs_job_done(&open, TFS_SOON));
	ASSERT_LE(0, open.result);
	EXPECT_EQ(PAGE, tfs_size_of(open.result));
	EXPECT_FETCHES(2);
	EXPECT_STREQ("0+1@2000 1+1@4000 0+1@3000 ",
		     tfs_trace_drops(&self->trace, self->file));
	close(open.result);
}

TEST_F(drop_race, M11_killed_task_ends_and_nothing_is_remembered)
{
	pid_t pid = fork();
	__u64 fetches;
	int status = 0;

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(tfs_try_open(&self->env, "f", O_RDWR) ? 1 : 0);
	ASSERT_EQ(0, tfs_trace_wait(&self->trace, "offset 0x1000 "));
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_STREQ("0+1@2000 1+1@4000 ",
		     tfs_trace_drops(&self->trace, self->file));
	EXPECT_EQ(1, tfs_maps(&self->env));
	fetches = tfs_fetches(&self->env.srv);
	tfs_set_map(&self->env.srv, self->file, self->small.buf,
		    self->small.len);
	close(ASSERT_OPEN("f", O_RDWR));
	EXPECT_FETCHES(fetches + 1);
}

TEST_F(drop_race, M11_device_goes_while_its_lines_are_dropped)
{
	struct tfs_dev *dev = &self->env.devs[0];
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = "f", .flags = O_RDWR };

	ASSERT_EQ(0, tfs_job_start(&open));
	ASSERT_EQ(0, tfs_trace_wait(&self->trace, "offset 0x1000 "));
	EXPECT_EQ(0, tfs_unbind(dev));
	ASSERT_TRUE(tfs_job_done(&open, TFS_SOON));
	EXPECT_EQ(-EIO, open.result);
	EXPECT_EQ(0, tfs_bind(dev, "fsdev_dax"));
}

/* It would wait for minutes, for the sake of a file that it ends. */
TEST_F(drop_race, X5_unmount_ends_dropping)
{
	struct push_job push;

	tfs_set_map(&self->env.srv, self->file, self->small.buf,
		    self->small.len);
	close(ASSERT_OPEN("f", O_RDWR));
	ASSERT_EQ(0, start_push(self, &push));
	EXPECT_EQ(0, tfs_umount(&self->env));
	EXPECT_EQ(-ENOENT, tfs_job_result(&push.job));
	EXPECT_STREQ("1+1@4000 ",
		     tfs_trace_drops(&self->trace, self->file));
}

/* By tfs_job: cuts a file again and again. */
struct cut_job {
	struct tfs_job job;
	bool end;
};

static long cut_run(struct tfs_job *job)
{
	struct cut_job *cut = (struct cut_job *)job;
	int err = 0;

	while (!err && !__atomic_load_n(&cut->end, __ATOMIC_SEQ_CST))
		err = ftruncate(job->fd, 10);
	return err ? -errno : 0;
}

/* Each time what the file had is to be dropped as well. */
TEST_F(drop_race, M11_user_who_truncates_does_not_keep_a_map_out)
{
	struct cut_job cut = { .job.run = cut_run };
	struct push_job push;

	tfs_msg_header(&self->small)->flags |= FUSE_FMAP_GROW;
	tfs_msg_header(&self->big)->flags |= FUSE_FMAP_GROW;
	tfs_set_map(&self->env.srv, self->file, self->small.buf,
		    self->small.len);
	cut.job.fd = ASSERT_OPEN("f", O_RDWR);
	ASSERT_EQ(0, start_push(self, &push));
	ASSERT_EQ(0, tfs_job_start(&cut.job));
	EXPECT_TRUE(tfs_job_done(&push.job, TFS_SOON));
	__atomic_store_n(&cut.end, true, __ATOMIC_SEQ_CST);
	EXPECT_EQ(0, tfs_job_result(&cut.job));
	EXPECT_EQ(0, tfs_job_result(&push.job));
	/* Four times in vain, and at last with the file locked. */
	EXPECT_GE(5, tfs_trace_lines(self->trace.instance, "offset 0x1000 ",
				     ""));
	EXPECT_LE(1, tfs_trace_lines(self->trace.instance, "offset 0xc000000 ",
				     ""));
	close(cut.job.fd);
}

/* Dropping a line of it would be an oops. */
TEST_F(drop_race, M11_memory_that_has_failed_is_left_out)
{
	const char *why = tfs_fail_init();
	__u64 frame;
	char *map;
	int fd;

	if (why)
		SKIP(return, "%s", why);
	tfs_set_map(&self->env.srv, self->file, self->small.buf,
		    self->small.len);
	fd = ASSERT_OPEN("f", O_RDWR);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	tfs_dirty(map);
	frame = tfs_frame_of(map);
	munmap(map, PAGE);
	self->poisoned = true;
	EXPECT_EQ(0, tfs_fail_frame(frame));
	EXPECT_EQ(0, tfs_revoke(self->dev, self->file));
	tfs_trace_clear(&self->trace);
	EXPECT_EQ(0, tfs_push_map(self->dev, self->file, &self->big));
	EXPECT_STREQ("0+1@2000 1+1@4000 " LAST,
		     tfs_trace_drops(&self->trace, self->file));
	EXPECT_EQ(PAGE + LONG, tfs_size_of(fd));
	close(fd);
}

TEST_HARNESS_MAIN
