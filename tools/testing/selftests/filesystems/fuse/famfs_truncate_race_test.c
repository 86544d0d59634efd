// SPDX-License-Identifier: GPL-2.0
/*
 * Files that grow and are truncated: what has come before, or comes meanwhile,
 * must not outlive it.
 *
 * What is easily wrong here: a map from before truncate() that still names
 * memory which the server has back; bytes behind the new end that a mapping
 * shows; a truncate() that loses what it should tell; a file whose map was
 * taken away that is told not to grow.
 */
#include "tfs_growing.h"
#include "tfs_jobs.h"

#define PAGE	4096UL
#define UNITS	96
#define LEN	(20 * UNIT)

FIXTURE(truncate_race)
{
	struct tfs_env env;
	struct tfs_file *file, *plain;
	int dev;			/* for notifications past the server */
	int fd;				/* of "f", LEN long, as is known */
	char *map;
};

FIXTURE_SETUP(truncate_race)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_server *srv = &self->env.srv;

	if (why)
		SKIP(return, "%s", why);
	GROWING_INIT(UNITS);
	self->plain = &srv->st->files[tfs_add_data(srv, "plain", "old", 3)];
	GROWING_MOUNT();
	ASSERT_EQ(0, ftruncate(self->fd, LEN));
	self->map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	memset(self->map, 'd', LEN);
	tfs_counts_reset(srv);
}

FIXTURE_TEARDOWN(truncate_race)
{
	munmap(self->map, LEN);
	GROWING_TEARDOWN();
}

/* Only the first units are the file's, whatever a map from before may say. */
static void expect_cut(struct __test_metadata *const _metadata,
		       FIXTURE_DATA(truncate_race) * self, off_t size)
{
	rules_clear(&self->env.srv);
	rule_fail(&self->env.srv, FUSE_FALLOCATE, TFS_ANY, -ENOSPC, -1);
	EXPECT_SIZE(size);
	EXPECT_EQ(1, self->file->units);
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, "x", 1, 5 * UNIT));
	EXPECT_SIZE(size);
}

static bool zero(const char *map, size_t from, size_t to)
{
	for (; from < to; from++)
		if (map[from])
			return false;
	return true;
}

TEST_F(truncate_race, G2_rest_of_the_last_page)
{
	EXPECT_EQ(0, ftruncate(self->fd, 100));
	EXPECT_EQ('d', self->map[99]);
	EXPECT_TRUE(zero(self->map, 100, PAGE));
	memset(self->map + 100, 'z', PAGE - 100);
	EXPECT_EQ(0, ftruncate(self->fd, 200));
	EXPECT_TRUE(zero(self->map, 100, PAGE));
}

TEST_F(truncate_race, G3_what_is_written_next_is_told)
{
	EXPECT_EQ(0, ftruncate(self->fd, UNIT));
	EXPECT_EQ(1, pwrite(self->fd, "y", 1, UNIT));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(UNIT + 1, self->file->size);
	EXPECT_SIZE(UNIT + 1);
}

/* Times are kept here, so the server knows none that it could set. */
TEST_F(truncate_race, I2_truncate_by_name_tells_times)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/f", self->env.dir);
	EXPECT_EQ(0, fsync(self->fd));
	tfs_counts_reset(&self->env.srv);
	EXPECT_EQ(0, truncate(path, UNIT));
	EXPECT_COUNT(1, FUSE_SETATTR);
	EXPECT_EQ(FATTR_SIZE | FATTR_MTIME, self->env.srv.st->setattr_valid &
		  (FATTR_SIZE | FATTR_MTIME));
}

/* Whether it grows is not known before there is a map again. */
TEST_F(truncate_race, G1_map_was_taken_away)
{
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	EXPECT_EQ(0, fallocate(self->fd, 0, 0, LEN + UNIT));
	EXPECT_SIZE(LEN + UNIT);
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	EXPECT_EQ(0, ftruncate(self->fd, 10));
	EXPECT_SIZE(10);
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	EXPECT_EQ(0, ftruncate(self->fd, LEN));
	EXPECT_SIZE(LEN);
	EXPECT_EQ('d', self->map[9]);
	EXPECT_EQ(0, self->map[10]);
}

TEST_F(truncate_race, G1_server_is_asked_for_what_is_not_mapped)
{
	EXPECT_EQ(0, fallocate(self->fd, 0, 0, LEN));
	EXPECT_COUNT(0, FUSE_FALLOCATE);
	/* It says that it has, and has not. */
	rule_raw(&self->env.srv, FUSE_FALLOCATE, TFS_ANY, "", 0, -1);
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, "x", 1, LEN));
	EXPECT_ERRNO(ENOSPC, fallocate(self->fd, 0, 0, LEN + 1));
	EXPECT_SIZE(LEN);
}

/* The server composed its reply before, and it arrives afterwards. */
TEST_F(truncate_race, G5_older_reply_arrives_after_truncate)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job more = { .run = tfs_job_fallocate, .fd = self->fd,
				.pos = 30 * UNIT };
	struct tfs_job cut = { .run = tfs_job_truncate, .fd = self->fd,
			       .pos = PAGE };

	ASSERT_EQ(0, tfs_job_hold(&more, srv, FUSE_GET_FMAP));
	rule_freeze_map(srv, self->file);
	ASSERT_EQ(0, tfs_job_start(&cut));
	ASSERT_EQ(0, tfs_wait_held(srv, 2));
	rule_fail(srv, FUSE_FALLOCATE, TFS_ANY, -ENOSPC, -1);
	rules_release(srv);
	EXPECT_EQ(0, tfs_job_result(&cut));
	EXPECT_EQ(-ENOSPC, tfs_job_result(&more));
	expect_cut(_metadata, self, PAGE);
}

/* That it came unasked does not make it the one that truncate() waits for. */
TEST_F(truncate_race, G5_map_was_pushed_before_truncate)
{
	EXPECT_EQ(0, tfs_push_file(&self->env.srv, self->dev, self->file));
	EXPECT_EQ(0, ftruncate(self->fd, PAGE));
	expect_cut(_metadata, self, PAGE);
}

/* The server has nothing back while it could still be reached. */
TEST_F(truncate_race, G5_truncating_open_cuts_first)
{
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = "f", .flags = O_WRONLY | O_TRUNC };

	EXPECT_EQ(0, fsync(self->fd));
	ASSERT_EQ(0, tfs_job_hold(&open, &self->env.srv, FUSE_SETATTR));
	EXPECT_EQ(LEN, self->file->size);
	EXPECT_EQ(LEN / UNIT, self->file->units);
	EXPECT_EQ(SIGBUS, load_byte(self->map));
	rules_release(&self->env.srv);
	ASSERT_LE(0, tfs_job_result(&open));
	close(open.result);
	expect_cut(_metadata, self, 0);
}

static void forget_name(struct __test_metadata *const _metadata,
			FIXTURE_DATA(truncate_race) * self, const char *name)
{
	struct fuse_notify_inval_entry_out out = {
		.parent = FUSE_ROOT_ID, .namelen = strlen(name) };

	EXPECT_EQ(0, tfs_notify(&self->env.srv, FUSE_NOTIFY_INVAL_ENTRY,
				&out, sizeof(out), name, strlen(name) + 1));
}

/* To the kernel the file is new; the server has it. */
static void truncate_by_create(struct __test_metadata *const _metadata,
			       FIXTURE_DATA(truncate_race) * self)
{
	int fd;

	ASSERT_EQ(1, pwrite(self->fd, "x", 1, LEN - 1));
	forget_name(_metadata, self, "f");
	self->file->exists = false;
	fd = ASSERT_OPEN("f", O_CREAT | O_TRUNC | O_RDWR);
	EXPECT_COUNT(1, FUSE_CREATE);
	EXPECT_EQ(0, tfs_size_of(fd));
	EXPECT_EQ(0, self->file->size);
	close(fd);
}

TEST_F(truncate_race, G1_create_truncates)
{
	/* A size that the server has not been told goes as well. */
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, LEN));
	truncate_by_create(_metadata, self);
	expect_cut(_metadata, self, 0);
	rules_clear(&self->env.srv);
	EXPECT_EQ(1, pwrite(self->fd, "y", 1, 3 * UNIT));
	EXPECT_TRUE(tfs_zeros(self->fd, 0, 3 * UNIT));
}

/* The kernel knows an empty file; what the server has is another matter. */
TEST_F(truncate_race, G1_create_truncates_what_another_host_has_appended)
{
	struct tfs_server *srv = &self->env.srv;

	ASSERT_EQ(0, ftruncate(self->fd, 0));
	ASSERT_EQ(0, tfs_grow(srv, self->file, 2 * UNIT));
	self->file->size = 2 * UNIT;
	forget_name(_metadata, self, "f");
	self->file->exists = false;
	close(ASSERT_OPEN("f", O_CREAT | O_TRUNC | O_RDWR));
	EXPECT_EQ(0, self->file->size);
	EXPECT_EQ(0, tfs_size_of(self->fd));
}

static bool create_without_fsetid(struct tfs_env *env)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/f", env->dir);
	return !tfs_drop_cap(CAP_FSETID) &&
	       open(path, O_CREAT | O_TRUNC | O_RDWR, 06755) >= 0;
}

TEST_F(truncate_race, I2_create_that_truncates_strips_privileges)
{
	struct stat st;

	/* The server takes the mode from the request. */
	forget_name(_metadata, self, "f");
	self->file->exists = false;
	EXPECT_CHILD(!create_without_fsetid(&self->env));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(0, st.st_size);
	EXPECT_EQ(0755, st.st_mode & 07777);
}

/* The kernel does not know of which kind it is. */
TEST_F(truncate_race, G1_create_truncates_an_ordinary_file)
{
	int fd = ASSERT_OPEN("plain", O_RDWR);
	int again;

	forget_name(_metadata, self, "plain");
	self->plain->exists = false;
	again = ASSERT_OPEN("plain", O_CREAT | O_TRUNC | O_RDWR);
	EXPECT_COUNT(1, FUSE_CREATE);
	EXPECT_EQ(0, self->plain->size);
	EXPECT_EQ(0, tfs_size_of(again));
	EXPECT_EQ(0, tfs_size_of(fd));
	EXPECT_EQ(2, pwrite(again, "hi", 2, 0));
	close(again);
	close(fd);
	EXPECT_EQ(2, self->plain->size);
}

/* That there is no SETATTR does not say that there is no CREATE. */
TEST_F(truncate_race, X3_create_whose_truncation_is_not_implemented)
{
	self->plain->exists = false;
	rule_fail(&self->env.srv, FUSE_SETATTR,
		  TFS_INO(self->plain - self->env.srv.st->files), -ENOSYS,
		  -1);
	EXPECT_OPEN_FAILS(EIO, "plain", O_CREAT | O_TRUNC | O_RDWR);
	EXPECT_COUNT(0, FUSE_MKNOD);
}

TEST_F(truncate_race, G5_no_map_after_create_truncates)
{
	char c;

	/* Else it would be CREATE that fails. */
	if (self->env.srv.st->open_mode == TFS_OPENFMAP)
		self->env.srv.st->open_mode = TFS_GETFMAP;
	rule_fail(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, -EIO, 1);
	truncate_by_create(_metadata, self);
	EXPECT_EQ(0, pread(self->fd, &c, 1, 5 * UNIT));
	expect_cut(_metadata, self, 0);
}

/* A server without GET_FMAP has given the file its map by a push. */
TEST_F(truncate_race, G1_create_truncates_after_maps_were_switched_off)
{
	struct tfs_server *srv = &self->env.srv;
	int fd;

	rule_fail(srv, FUSE_GET_FMAP, TFS_ANY, -ENOSYS, 1);
	close(ASSERT_OPEN("plain", O_RDWR));
	forget_name(_metadata, self, "f");
	self->file->exists = false;
	fd = ASSERT_OPEN("f", O_CREAT | O_TRUNC | O_RDWR);
	EXPECT_COUNT(1, FUSE_CREATE);
	EXPECT_EQ(0, self->file->size);
	EXPECT_EQ(0, tfs_size_of(fd));
	EXPECT_EQ(SIGBUS, load_byte(self->map));
	close(fd);
}

/* The server moves the file, refuses to cut it, and knows what it has. */
TEST_F(truncate_race, G5_file_is_moved_while_a_truncate_is_refused)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job cut = { .run = tfs_job_truncate, .fd = self->fd,
			       .pos = PAGE };
	struct tfs_msg m;
	int i;

	for (i = 0; i < 2; i++) {
		tfs_msg_simple(&m, 2 * PAGE, 0,
			       BASE + (UNITS - 2 + i) * UNIT, UNIT);
		tfs_msg_header(&m)->flags = FUSE_FMAP_GROW;
		/* Nothing else is to be told. */
		ASSERT_EQ(0, fsync(self->fd));
		ASSERT_EQ(0, tfs_job_hold(&cut, srv, FUSE_SETATTR));
		EXPECT_EQ(0, tfs_push_map(self->dev, 0, &m));
		/* Without a map it is the last one that says so. */
		if (i)
			EXPECT_EQ(0, tfs_revoke(self->dev, 0));
		rules_clear(srv);
		rule_fail(srv, FUSE_SETATTR, TFS_ANY, -EIO, 1);
		rules_release(srv);
		EXPECT_EQ(-EIO, tfs_job_result(&cut));
		EXPECT_SIZE(2 * PAGE);
		tfs_msg_exit(&m);
	}
}

/*
 * Its size is what the last map says, which is less than what is mapped of the
 * end that was cut.
 */
TEST_F(truncate_race, G5_refused_truncate_unmaps_what_another_map_has_cut)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job cut = { .run = tfs_job_truncate, .fd = self->fd,
			       .pos = 3 * UNIT };
	struct tfs_msg m;

	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(0, tfs_job_hold(&cut, srv, FUSE_SETATTR));
	/* The same memory, and more. */
	tfs_msg_simple(&m, PAGE, 0, tfs_place(srv, self->file, 0),
		       LEN + UNIT);
	tfs_msg_header(&m)->flags = FUSE_FMAP_GROW;
	EXPECT_EQ(0, tfs_push_map(self->dev, 0, &m));
	EXPECT_SIZE(3 * UNIT);
	EXPECT_EQ(0, load_byte(self->map + 2 * UNIT));
	rules_clear(srv);
	rule_fail(srv, FUSE_SETATTR, TFS_ANY, -EIO, 1);
	rules_release(srv);
	EXPECT_EQ(-EIO, tfs_job_result(&cut));
	EXPECT_SIZE(PAGE);
	EXPECT_EQ(0, load_byte(self->map));
	EXPECT_EQ(SIGBUS, load_byte(self->map + 2 * UNIT));
	tfs_msg_exit(&m);
}

TEST_HARNESS_MAIN
