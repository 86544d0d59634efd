// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes, maps and pins that meet in an unlucky order.
 *
 * What was wrong here: a size that was left to the work item was told once in
 * the inode's life; the work item told a size that truncate() had overtaken;
 * the answer to a size counted more than a map from after it; the size of a file
 * that another host appended to right after truncate() was not taken; a map
 * that was cut down under a pin was replaced although the page was pinned still; a
 * killed task dropped the map that was staged for another; CREATE truncated by
 * name while a size was on its way.
 */
#include <sched.h>

#include "tfs_growing.h"
#include "tfs_jobs.h"

#define PAGE	4096UL
#define UNITS	96
#define FAR	(20 * UNIT + 1234)
#define NEAR	100

/* Shared with the server's process. */
static struct {
	bool reorder;		/* the second size that is told goes last */
	int told;
	bool other_truncates;	/* another host, right after a size was told */
	bool other_appends;	/* another host, right after truncate() */
	int err;		/* of the push that follows */
} *ctl;

static void one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static bool tells_size(const struct tfs_req *req)
{
	const struct fuse_setattr_in *in = req->in;

	return req->ih->opcode == FUSE_SETATTR && (in->valid & FATTR_SIZE);
}

static bool truncates(const struct tfs_req *req)
{
	const struct fuse_setattr_in *in = req->in;

	return tells_size(req) && (in->valid & FATTR_LOCKOWNER);
}

/* The kernel has the answer, and another host makes the file @size long. */
static bool push_size(const struct tfs_req *req, __u64 size)
{
	struct tfs_server *srv = req->srv;
	struct tfs_file *file = &srv->st->files[0];

	one_cpu();
	tfs_handle(req);
	if (size < file->size)
		tfs_shrink(srv, file, size);
	file->size = size;
	ctl->err = tfs_push_file(srv, srv->fd, file);
	return true;
}

/* Two threads of a server: the second size is taken after truncate(). */
static bool reorder(const struct tfs_req *req)
{
	static struct {
		struct fuse_in_header ih;
		struct fuse_setattr_in in;
	} late;
	static struct tfs_req kept;

	if (truncates(req)) {
		tfs_handle(req);
		if (kept.ih)
			tfs_handle(&kept);
		ctl->reorder = false;
		return true;
	}
	if (++ctl->told != 2)
		return false;
	late.ih = *req->ih;
	memcpy(&late.in, req->in, sizeof(late.in));
	kept = *req;
	kept.ih = &late.ih;
	kept.in = &late.in;
	return true;
}

static bool watch(const struct tfs_req *req)
{
	if (!tells_size(req))
		return false;
	if (ctl->other_truncates) {
		ctl->other_truncates = false;
		return push_size(req, NEAR);
	}
	if (ctl->other_appends && truncates(req))
		return push_size(req, 2 * NEAR);
	return ctl->reorder && reorder(req);
}

FIXTURE(size_race)
{
	struct tfs_env env;
	struct tfs_file *file, *heir;
	int dev;
	int fd;
	int pipes[2];
};

FIXTURE_SETUP(size_race)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_server *srv = &self->env.srv;

	if (why)
		SKIP(return, "%s", why);
	ctl = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, ctl);
	srv->watch = watch;
	GROWING_INIT(UNITS);
	self->heir = &srv->st->files[tfs_add_growing(srv, "heir", 1)];
	GROWING_MOUNT();
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, FAR - 1));
	tfs_counts_reset(srv);
}

FIXTURE_TEARDOWN(size_race)
{
	GROWING_TEARDOWN();
}

/* "f" is closed, and kept because of a page; then it is opened again. */
static void keep_pinned(struct __test_metadata *const _metadata,
			FIXTURE_DATA(size_race) * self)
{
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	tfs_dirty(map);
	ASSERT_EQ(0, tfs_pin(self->pipes, map));
	munmap(map, PAGE);
	close(self->fd);
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	EXPECT_EQ(FAR, self->file->size);
	usleep(2500000);
	self->fd = ASSERT_OPEN("f", O_RDWR);
}

TEST_F(size_race, G3_size_of_a_kept_file_does_not_overtake_truncate)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job trunc = { .run = tfs_job_truncate, .pos = NEAR };
	int i;

	keep_pinned(_metadata, self);
	trunc.fd = self->fd;
	rule_hold(srv, FUSE_SETATTR, TFS_ANY);
	ASSERT_EQ(5, pwrite(self->fd, "later", 5, FAR));
	ASSERT_EQ(0, tfs_job_start(&trunc));
	EXPECT_EQ(0, tfs_wait_held(srv, 1));
	/* The work item looks at the inode meanwhile. */
	usleep(2500000);
	ctl->reorder = true;
	rules_release(srv);
	EXPECT_EQ(0, tfs_job_result(&trunc));
	for (i = 0; i < 200; i++)
		usleep(10000);
	EXPECT_EQ(NEAR, tfs_size_of(self->fd));
	EXPECT_EQ(NEAR, self->file->size);
	/* And what is written from now on is told? */
	EXPECT_EQ(1, pwrite(self->fd, "y", 1, 2 * NEAR - 1));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(2 * NEAR, self->file->size);
	tfs_unpin(self->pipes);
	close(self->fd);
	usleep(1500000);
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	self->fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(2 * NEAR, tfs_size_of(self->fd));
}

TEST_F(size_race, G3_kept_file_grows_and_is_closed_by_a_killed_task)
{
	int i;

	keep_pinned(_metadata, self);
	ASSERT_EQ(5, pwrite(self->fd, "later", 5, FAR));
	/* The work item looks at the inode in the middle of its use. */
	usleep(2500000);
	close(self->fd);
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	ASSERT_EQ(0, tfs_write_and_die(&self->env, FAR + 1000, close));
	for (i = 0; i < 300 && self->file->size != FAR + 1005; i++)
		usleep(10000);
	EXPECT_EQ(FAR + 1005, self->file->size);
	tfs_unpin(self->pipes);
	usleep(1500000);
	EXPECT_EQ(0, tfs_evict(&self->env, 0));
	self->fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(FAR + 1005, tfs_size_of(self->fd));
}

TEST_F(size_race, M8_killed_task_leaves_what_is_staged_for_another)
{
	struct tfs_server *srv = &self->env.srv;
	char buf[16];
	struct iovec iov = { buf, sizeof(buf) };
	struct tfs_job rd = { .run = tfs_job_read, .fd = self->fd,
			      .iov = &iov, .iovs = 1 };
	unsigned char map[4096];
	const void *now;
	size_t len;
	int status;
	pid_t pid;

	ASSERT_EQ(0, fsync(self->fd));
	now = tfs_map_of(srv, self->file, &len);
	ASSERT_GE(sizeof(map), len);
	memcpy(map, now, len);
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	ASSERT_EQ(0, tfs_job_hold(&rd, srv, FUSE_GET_FMAP));
	/* The server stages the map, and is about to reply. */
	ASSERT_EQ(0, tfs_server_signal(srv, SIGSTOP));
	pid = fork();
	if (!pid) {
		mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd, 0);
		_exit(0);
	}
	usleep(300000);
	EXPECT_EQ(0, tfs_push_to(self->dev, TFS_INO(0),
				 FUSE_NOTIFY_FMAP_PART | FUSE_NOTIFY_FMAP_STAGE,
				 len, 0, map, len));
	kill(pid, SIGKILL);
	usleep(300000);
	rules_clear(srv);
	rule_raw(srv, FUSE_GET_FMAP, TFS_ANY, map,
		 sizeof(struct fuse_fmap_header), 1);
	EXPECT_EQ(0, tfs_server_signal(srv, SIGCONT));
	rules_release(srv);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ((long)sizeof(buf), tfs_job_result(&rd));
}

TEST_F(size_race, G3_map_is_pushed_right_after_a_size_was_told)
{
	ctl->other_truncates = true;
	one_cpu();
	/* The kernel cannot say which was first, so bytes may count as lost. */
	if (fsync(self->fd))
		EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, ctl->err);
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(self->file->size, tfs_size_of(self->fd));
	EXPECT_EQ(1, pwrite(self->fd, "z", 1, UNIT + 9));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(self->file->size, tfs_size_of(self->fd));
}

/* A told size and a truncation by name have no order. */
TEST_F(size_race, G1_create_truncates_while_a_size_is_told)
{
	struct fuse_notify_inval_entry_out out = {
		.parent = FUSE_ROOT_ID, .namelen = 1 };
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job sync = { .run = tfs_job_fsync, .fd = self->fd };
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = "f",
				.flags = O_CREAT | O_TRUNC | O_RDWR };
	int fd;

	ASSERT_EQ(0, tfs_job_hold(&sync, srv, FUSE_SETATTR));
	EXPECT_EQ(0, tfs_notify(srv, FUSE_NOTIFY_INVAL_ENTRY, &out,
				sizeof(out), "f", 2));
	self->file->exists = false;
	ASSERT_EQ(0, tfs_job_start(&open));
	EXPECT_FALSE(tfs_job_done(&open, 500));
	EXPECT_COUNT(1, FUSE_CREATE);
	rules_release(srv);
	EXPECT_EQ(0, tfs_job_result(&sync));
	fd = tfs_job_result(&open);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, tfs_size_of(fd));
	EXPECT_EQ(0, self->file->size);
	EXPECT_EQ(5, pwrite(fd, "later", 5, 0));
	EXPECT_EQ(0, fsync(fd));
	EXPECT_EQ(5, self->file->size);
	close(fd);
}

TEST_F(size_race, M9_pin_behind_a_map_that_was_cut_down)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job cut = { .run = tfs_job_truncate, .fd = self->fd,
			       .pos = NEAR };
	char secret[PAGE], seen[PAGE];
	char *map, *heir;
	__u64 place, pos;
	int fd, err;

	map = mmap(NULL, FAR, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, tfs_job_hold(&cut, srv, FUSE_GET_FMAP));
	/* Another host appends, and truncates when a page is pinned here. */
	ASSERT_EQ(0, tfs_grow(srv, self->file, FAR));
	self->file->size = FAR;
	EXPECT_EQ(0, tfs_push_file(srv, self->dev, self->file));
	tfs_dirty(map + 5 * UNIT);
	ASSERT_EQ(0, tfs_pin(self->pipes, map + 5 * UNIT));
	place = tfs_place(srv, self->file, 5 * UNIT);
	tfs_shrink(srv, self->file, NEAR);
	self->file->size = NEAR;
	/* As if the kernel had none: an error that a push has not overtaken. */
	rule_fail(srv, FUSE_GET_FMAP, TFS_ANY, -ENOMEM, 1);
	rules_release(srv);
	EXPECT_EQ(0, tfs_job_result(&cut));
	EXPECT_EQ(NEAR, tfs_size_of(self->fd));

	/* A page of the old map is pinned. */
	err = tfs_push_file(srv, self->dev, self->file);
	EXPECT_EQ(-EBUSY, err);
	fd = ASSERT_OPEN("heir", O_RDWR);
	err = fallocate(fd, 0, 0, 30 * UNIT) ? errno : 0;
	for (pos = 0; pos < 30 * UNIT; pos += UNIT)
		if (tfs_place(srv, self->heir, pos) == place)
			break;
	memset(secret, 'S', sizeof(secret));
	if (!err && pos < 30 * UNIT) {
		heir = mmap(NULL, 30 * UNIT, PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, heir);
		EXPECT_EQ(0, store_byte(heir + pos, 'S'));
		EXPECT_EQ(PAGE, pwrite(fd, secret, PAGE, pos));
		munmap(heir, 30 * UNIT);
	}
	EXPECT_EQ(PAGE, read(self->pipes[0], seen, PAGE));
	/* Whoever has pinned the page of "f" sees what is in "heir". */
	EXPECT_NE(0, memcmp(seen, secret, PAGE));
	close(fd);
	munmap(map, FAR);
	tfs_unpin(self->pipes);
}

TEST_F(size_race, G5_another_host_appends_right_after_truncate)
{
	ctl->other_appends = true;
	EXPECT_EQ(0, ftruncate(self->fd, NEAR));
	EXPECT_EQ(2 * NEAR, self->file->size);
	EXPECT_EQ(2 * NEAR, tfs_size_of(self->fd));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(2 * NEAR, tfs_size_of(self->fd));
}

TEST_HARNESS_MAIN
