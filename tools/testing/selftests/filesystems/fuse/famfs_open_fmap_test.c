// SPDX-License-Identifier: GPL-2.0
/*
 * Opens that cost the server one request: the map comes with the reply to
 * OPEN, CREATE or TMPFILE.
 *
 * What is easily wrong here: a reply whose map is refused leaves the server's
 * file open for ever; a reply that carries what was not asked for is taken for
 * a map of something; openers who wait for the first one ask once more; a
 * server that knows nothing of all this is asked in a way it does not know.
 */
#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(64 * 1024UL)
#define OPENERS	8
#define FH	0x7fedcba987654321ULL

FIXTURE(open_fmap)
{
	struct tfs_env env;
	struct tfs_msg m;		/* a good map of "a" */
};

FIXTURE_SETUP(open_fmap)
{
	const char *why;

	setenv("FAMFS_OPEN_MODE", "openfmap", 1);
	why = tfs_env_init(&self->env, 1);
	if (why)
		SKIP(return, "%s", why);
	tfs_msg_simple(&self->m, SIZE, 0, 0, SIZE);
	tfs_add_mapped(&self->env, "a", &self->m);
	tfs_add_simple(&self->env, "b", SIZE, 0, PMD);
	tfs_add_data(&self->env.srv, "plain", "server", 6);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
}

FIXTURE_TEARDOWN(open_fmap)
{
	/* Whatever failed: no handle stays with the server. */
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	tfs_msg_exit(&self->m);
	TFS_TEARDOWN();
}

TEST_F(open_fmap, F1_cold_open_is_one_request_and_warm_open_asks_for_no_map)
{
	/* It brings the device along, which is asked for once. */
	EXPECT_EQ(2, tfs_open_cost(&self->env, "b"));
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
	EXPECT_EQ(1, tfs_open_cost(&self->env, "a"));
	EXPECT_EQ(2, self->env.srv.st->nr_open_fmap);
	EXPECT_EQ(1, tfs_open_cost(&self->env, "a"));
	EXPECT_EQ(1, tfs_open_cost(&self->env, "b"));
	EXPECT_EQ(2, self->env.srv.st->nr_open_fmap);
	EXPECT_COUNT(4, FUSE_OPEN);
	EXPECT_COUNT(0, FUSE_GET_FMAP);
}

/* What came with an open is the file's map, as if it had been asked for. */
TEST_F(open_fmap, F1_file_is_mapped_by_the_reply_to_open)
{
	char buf[PAGE], *map;
	int fd = ASSERT_OPEN("a", O_RDWR);

	memset(buf, 't', PAGE);
	EXPECT_EQ(PAGE, pwrite(fd, buf, PAGE, SIZE - PAGE));
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, memcmp(map + SIZE - PAGE, buf, PAGE));
	munmap(map, SIZE);
	close(fd);
	EXPECT_EQ(1, tfs_maps(&self->env));
	EXPECT_COUNT(0, FUSE_GET_FMAP);
	EXPECT_COUNT(0, FUSE_WRITE);
	EXPECT_COUNT(0, FUSE_READ);
}

/* Opens a file that is made by it, and uses it. */
static void check_made(struct __test_metadata *const _metadata,
		       struct tfs_env *env, const char *name, int flags)
{
	struct stat st;
	char c = 0;
	int fd;

	fd = tfs_open(env, name, flags | O_RDWR);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(1, env->srv.st->nr_open_fmap);
	EXPECT_EQ(0, tfs_count(&env->srv, FUSE_GET_FMAP));
	EXPECT_EQ(0, tfs_count(&env->srv, FUSE_OPEN));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(SIZE, st.st_size);
	EXPECT_EQ(1, pwrite(fd, "c", 1, SIZE - 1));
	EXPECT_EQ(1, pread(fd, &c, 1, SIZE - 1));
	EXPECT_EQ('c', c);
	EXPECT_EQ(0, tfs_count(&env->srv, FUSE_WRITE));
	close(fd);
}

TEST_F(open_fmap, F1_create_brings_the_map)
{
	self->env.srv.st->files[0].exists = false;
	check_made(_metadata, &self->env, "a", O_CREAT | O_EXCL);
	EXPECT_COUNT(1, FUSE_CREATE);
}

TEST_F(open_fmap, F1_tmpfile_brings_the_map)
{
	struct tfs_state *st = self->env.srv.st;

	tfs_add_simple(&self->env, "#tmp", SIZE, 0, 2 * PMD);
	st->files[tfs_find_name(st, "#tmp", true)].exists = false;
	check_made(_metadata, &self->env, ".", O_TMPFILE);
	EXPECT_COUNT(1, FUSE_TMPFILE);
}

TEST_F(open_fmap, F1_create_of_an_ordinary_file)
{
	int fd = ASSERT_OPEN("new", O_CREAT | O_EXCL | O_RDWR);

	EXPECT_EQ(3, write(fd, "new", 3));
	close(fd);
	EXPECT_EQ(1, self->env.srv.st->nr_open_fmap);
	EXPECT_COUNT(0, FUSE_GET_FMAP);
	EXPECT_COUNT(1, FUSE_WRITE);
	EXPECT_EQ(0, tfs_maps(&self->env));
}

TEST_F(open_fmap, F3_empty_map_is_kept_for_the_file)
{
	char buf[8] = "";
	int fd, i;

	for (i = 0; i < 3; i++) {
		fd = ASSERT_OPEN("plain", O_RDWR);
		EXPECT_EQ(6, pread(fd, buf, 8, 0));
		EXPECT_STREQ("server", buf);
		close(fd);
	}
	EXPECT_EQ(1, self->env.srv.st->nr_open_fmap);
	EXPECT_COUNT(3, FUSE_OPEN);
	EXPECT_COUNT(0, FUSE_GET_FMAP);
	/* Forgotten with the inode. */
	ASSERT_EQ(0, tfs_drop_caches());
	close(ASSERT_OPEN("plain", O_RDWR));
	EXPECT_EQ(2, self->env.srv.st->nr_open_fmap);
}

/* Nothing may be cut off before it is known whether the file is mapped. */
TEST_F(open_fmap, F1_truncating_open_asks_first_and_with_get_fmap)
{
	EXPECT_OPEN_FAILS(EPERM, "a", O_WRONLY | O_TRUNC);
	EXPECT_COUNT(1, FUSE_GET_FMAP);
	EXPECT_COUNT(0, FUSE_OPEN);
	close(ASSERT_OPEN("plain", O_WRONLY | O_TRUNC));
	EXPECT_COUNT(2, FUSE_GET_FMAP);
	EXPECT_COUNT(1, FUSE_OPEN);
	EXPECT_EQ(0, self->env.srv.st->nr_open_fmap);
	EXPECT_EQ(0, self->env.srv.st->files[2].size);
}

/* Has the next cold open of "a" answered with these bytes for a map. */
static int try_map(struct tfs_env *env, const struct tfs_msg *m, size_t len)
{
	rule_raw(&env->srv, FUSE_GET_FMAP, TFS_ANY, m->buf, len, 1);
	return tfs_try_open(env, "a", O_RDWR);
}

static void refused(struct __test_metadata *const _metadata,
		    struct tfs_env *env, const struct tfs_msg *m,
		    size_t len, int err, const char *what)
{
	EXPECT_EQ(-err, try_map(env, m, len)) {
		TH_LOG("must not be accepted: %s", what);
	}
	EXPECT_EQ(0, tfs_wait_handles(&env->srv, 0));
	EXPECT_EQ(env->srv.st->opened, env->srv.st->released_fh);
	EXPECT_EQ(0, tfs_maps(env));
}

TEST_F(open_fmap, F4_refused_map_fails_the_open_and_gives_the_handle_back)
{
	struct fuse_fmap_header *h = tfs_msg_header(&self->m);
	struct fuse_fmap_extent *e = (void *)(h + 1);
	struct tfs_env *env = &self->env;
	size_t len = self->m.len;

	refused(_metadata, env, &self->m, 1, EINVAL, "one byte");
	refused(_metadata, env, &self->m, sizeof(*h), EINVAL, "header alone");
	refused(_metadata, env, &self->m, len - 1, EINVAL, "one byte short");
	tfs_msg_append(&self->m, "", 1);
	h = tfs_msg_header(&self->m);
	e = (void *)(h + 1);
	refused(_metadata, env, &self->m, len + 1, EINVAL, "trailing byte");
	h->version++;
	refused(_metadata, env, &self->m, len, EINVAL, "version");
	h->version--;
	h->flags = 0x80;
	refused(_metadata, env, &self->m, len, EINVAL, "flags");
	h->flags = 0;
	h->file_size = SIZE + 1;
	refused(_metadata, env, &self->m, len, EINVAL, "size of the file");
	h->file_size = SIZE;
	e->offset = env->devs[0].size;
	refused(_metadata, env, &self->m, len, ERANGE, "beyond the device");
	e->offset = 0;
	e->devindex = 7;
	refused(_metadata, env, &self->m, len, ENOENT, "unknown device");
	e->devindex = 0;
	/* Each was asked for, and none of it was kept. */
	EXPECT_EQ(9, env->srv.st->nr_open_fmap);
	EXPECT_EQ(0, try_map(env, &self->m, len));
	EXPECT_EQ(1, tfs_maps(env));
	EXPECT_COUNT(0, FUSE_GET_FMAP);
}

TEST_F(open_fmap, F4_pages_of_another_file)
{
	int fd = ASSERT_OPEN("b", O_RDONLY);

	tfs_msg_exit(&self->m);
	tfs_msg_simple(&self->m, SIZE, 0, PMD, SIZE);
	EXPECT_EQ(-EEXIST, try_map(&self->env, &self->m, self->m.len));
	close(fd);
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	EXPECT_EQ(1, tfs_maps(&self->env));
	EXPECT_EQ(0, tfs_try_open(&self->env, "a", O_RDWR));
}

TEST_F(open_fmap, F4_device_errors_fail_the_open_and_are_not_kept)
{
	rule_fail(&self->env.srv, FUSE_GET_DAXDEV, TFS_ANY, -ENXIO, 1);
	EXPECT_EQ(-ENXIO, tfs_try_open(&self->env, "a", O_RDWR));
	self->env.srv.st->devs[0][5] = 'X';
	EXPECT_EQ(-ENOENT, tfs_try_open(&self->env, "a", O_RDWR));
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	EXPECT_EQ(0, tfs_maps(&self->env));
	tfs_name_devs(&self->env, &self->env.srv);
	EXPECT_EQ(0, tfs_try_open(&self->env, "a", O_RDWR));
	EXPECT_EQ(1, tfs_maps(&self->env));
}

TEST_F(open_fmap, F3_servers_error_fails_the_open_and_is_not_kept)
{
	rule_fail(&self->env.srv, FUSE_OPEN, TFS_ANY, -EACCES, 1);
	EXPECT_EQ(-EACCES, tfs_try_open(&self->env, "a", O_RDWR));
	EXPECT_EQ(0, tfs_try_open(&self->env, "a", O_RDWR));
	EXPECT_EQ(2, self->env.srv.st->nr_open_fmap);
}

/* A refused map of a file that was just made; what was made stays. */
TEST_F(open_fmap, F4_refused_map_after_create)
{
	struct tfs_state *st = self->env.srv.st;

	st->files[0].exists = false;
	rule_raw(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, self->m.buf,
		 self->m.len - 8, 1);
	EXPECT_EQ(-EINVAL, tfs_try_open(&self->env, "a", O_CREAT | O_RDWR));
	EXPECT_COUNT(1, FUSE_CREATE);
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	EXPECT_EQ(1, st->released_fh);
	EXPECT_EQ(0, tfs_maps(&self->env));
	EXPECT_EQ(0, tfs_try_open(&self->env, "a", O_RDWR));
}

/* An answer to OPEN as the test wants it, whatever was asked. */
static int try_reply(struct tfs_env *env, __u32 flags, const void *map,
		     size_t len)
{
	struct {
		struct fuse_open_out out;
		unsigned char map[256];
	} reply = { .out = { .fh = FH, .open_flags = flags } };

	memcpy(reply.map, map, len);
	rule_raw(&env->srv, FUSE_OPEN, TFS_ANY, &reply,
		 sizeof(reply.out) + len, 1);
	/* The server has not counted this handle. */
	env->srv.st->opened++;
	return tfs_try_open(env, "a", O_RDWR);
}

TEST_F(open_fmap, F4_bytes_without_the_flag)
{
	EXPECT_EQ(-EIO, try_reply(&self->env, 0, self->m.buf, self->m.len));
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	EXPECT_EQ(FH, self->env.srv.st->released_fh);
	EXPECT_EQ(-EIO, try_reply(&self->env, FOPEN_KEEP_CACHE, "x", 1));
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	EXPECT_EQ(0, tfs_maps(&self->env));
	/* With it they are a map. */
	EXPECT_EQ(0, try_reply(&self->env, FOPEN_FMAP, self->m.buf,
			       self->m.len));
	EXPECT_EQ(1, tfs_maps(&self->env));
}

TEST_F(open_fmap, F4_flag_that_was_not_asked_for)
{
	int fd = ASSERT_OPEN("a", O_RDWR);

	EXPECT_EQ(-EIO, try_reply(&self->env, FOPEN_FMAP, NULL, 0));
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 1));
	EXPECT_EQ(FH, self->env.srv.st->released_fh);
	EXPECT_EQ(1, tfs_maps(&self->env));
	EXPECT_EQ(1, pwrite(fd, "x", 1, 0));
	close(fd);
	EXPECT_EQ(0, tfs_try_open(&self->env, "a", O_RDWR));
}

/*
 * Such a reply is none, as any that is too long: its write() fails.  A ring's
 * entry is a reply, and the open fails with that error.
 */
TEST_F(open_fmap, F4_bytes_that_were_not_asked_for)
{
	bool ring = self->env.srv.transport == TFS_URING;
	int fd = ASSERT_OPEN("a", O_RDWR);

	EXPECT_EQ(ring ? -EINVAL : -EIO,
		  try_reply(&self->env, FOPEN_FMAP, self->m.buf, self->m.len));
	EXPECT_EQ(ring ? 0 : EINVAL, tfs_reply_errno(&self->env, FUSE_OPEN));
	EXPECT_EQ(ring ? -EINVAL : -EIO,
		  try_reply(&self->env, 0, self->m.buf, self->m.len));
	EXPECT_EQ(ring ? 0 : EINVAL, tfs_reply_errno(&self->env, FUSE_OPEN));
	/* So the server knows that nobody has these handles. */
	self->env.srv.st->opened -= 2;
	EXPECT_EQ(1, tfs_maps(&self->env));
	EXPECT_EQ(1, pwrite(fd, "x", 1, 0));
	close(fd);
	EXPECT_EQ(0, tfs_try_open(&self->env, "a", O_RDWR));
}

/* Less than the reply has always been, with what says that there is more. */
TEST_F(open_fmap, F4_reply_too_short_for_any_open)
{
	struct fuse_open_out out = { .fh = FH, .open_flags = FOPEN_FMAP };

	rule_raw(&self->env.srv, FUSE_OPEN, TFS_ANY, &out, sizeof(out) - 4,
		 1);
	EXPECT_GT(0, tfs_try_open(&self->env, "a", O_RDWR));
	EXPECT_EQ(0, tfs_maps(&self->env));
	EXPECT_EQ(0, tfs_try_open(&self->env, "a", O_RDWR));
}

TEST_F(open_fmap, F1_server_without_openfmap_is_asked_after_it_opened)
{
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = "a", .flags = O_RDONLY };

	self->env.srv.st->open_mode = TFS_GETFMAP;
	rule_hold(&self->env.srv, FUSE_GET_FMAP, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(&open));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	EXPECT_COUNT(1, FUSE_OPEN);
	EXPECT_EQ(1, self->env.srv.st->nr_open_fmap);
	rules_release(&self->env.srv);
	ASSERT_TRUE(tfs_job_done(&open, TFS_SOON));
	ASSERT_LE(0, open.result);
	close(open.result);
	EXPECT_EQ(0, tfs_try_open(&self->env, "a", O_RDONLY));
	EXPECT_EQ(1, self->env.srv.st->nr_open_fmap);
	EXPECT_COUNT(1, FUSE_GET_FMAP);
}

/* Many opens while the server keeps the first one that asks for the map. */
static int open_together(struct tfs_env *env, int fail)
{
	struct tfs_job open[OPENERS];
	int err = tfs_start_opens(env, "a", open, OPENERS);

	if (err)
		return err;
	if (env->srv.st->nr_open_fmap != 1)
		return -EALREADY;
	if (fail)
		rule_fail(&env->srv, FUSE_GET_FMAP, TFS_ANY, fail, 1);
	rules_release(&env->srv);
	return tfs_join_opens(open, OPENERS);
}

TEST_F(open_fmap, F2_concurrent_first_opens_share_one_map)
{
	EXPECT_EQ(OPENERS, open_together(&self->env, 0));
	EXPECT_EQ(1, self->env.srv.st->nr_open_fmap);
	EXPECT_COUNT(OPENERS, FUSE_OPEN);
	EXPECT_COUNT(0, FUSE_GET_FMAP);
	EXPECT_EQ(1, tfs_maps(&self->env));
}

TEST_F(open_fmap, F2_the_next_opener_asks_where_the_first_failed)
{
	EXPECT_EQ(OPENERS - 1, open_together(&self->env, -EIO));
	EXPECT_EQ(2, self->env.srv.st->nr_open_fmap);
	EXPECT_COUNT(OPENERS, FUSE_OPEN);
}

/* The reply with the map comes when the opener is about to die. */
TEST_F(open_fmap, X3_opener_is_killed_while_the_map_is_on_its_way)
{
	int status;
	pid_t pid;

	rule_hold(&self->env.srv, FUSE_GET_FMAP, TFS_ANY);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(tfs_try_open(&self->env, "a", O_RDWR));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	usleep(50000);
	rules_release(&self->env.srv);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_NO_HANDLES();
	EXPECT_EQ(0, tfs_try_open(&self->env, "a", O_RDWR));
	EXPECT_EQ(1, tfs_maps(&self->env));
	EXPECT_NO_HANDLES();
	EXPECT_EQ(0, tfs_umount(&self->env));
}

/* The server dies between the request and its reply, or right after that. */
TEST_F(open_fmap, X3_server_is_killed_at_either_end_of_an_open)
{
	static const __u32 at[] = { FUSE_OPEN, FUSE_GET_DAXDEV };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		struct tfs_job open = { .run = tfs_job_open,
					.env = &self->env, .name = "a",
					.flags = O_RDONLY };

		rule_hold(&self->env.srv, at[i], TFS_ANY);
		ASSERT_EQ(0, tfs_job_start(&open));
		ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
		ASSERT_EQ(0, tfs_server_signal(&self->env.srv, SIGKILL));
		ASSERT_TRUE(tfs_job_done(&open, TFS_SOON));
		EXPECT_EQ(-ECONNABORTED, open.result);
		ASSERT_EQ(0, tfs_remount(&self->env));
		tfs_add_mapped(&self->env, "a", &self->m);
	}
	EXPECT_EQ(0, tfs_try_open(&self->env, "a", O_RDWR));
}

TEST_HARNESS_MAIN
