// SPDX-License-Identifier: GPL-2.0
/*
 * When the kernel asks a FUSE server for the map of a file: never before the
 * file is opened, once while its inode lives, and so that every answer but a
 * good map leaves an ordinary file or a failed open.
 *
 * What is easily wrong here: maps fetched at lookup, where a listing of a large
 * directory costs a request for each file; concurrent first opens that each
 * send a request and install a map; errors that are remembered, so that a
 * device that came late stays missing until the inode is evicted; page cache
 * from before the map that hides what the device holds.
 *
 * Names of tests begin with the promise that they keep, a letter and a number;
 * these are the same in all programs.
 */
#include <dirent.h>
#include <sys/statfs.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define SIZE	(64 * 1024UL)
#define OPENERS	8

FIXTURE(open)
{
	struct tfs_env env;
};

FIXTURE_SETUP(open)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	/* Two mapped files, and an ordinary one. */
	tfs_add_simple(&self->env, "a", SIZE, 0, 0);
	tfs_add_simple(&self->env, "b", SIZE, 0, PMD);
	tfs_add_data(&self->env.srv, "plain", "server", 6);
}

FIXTURE_TEARDOWN(open)
{
	TFS_TEARDOWN();
}

TEST_F(open, F1_lookup_stat_and_readdir_fetch_no_map)
{
	char path[128];
	struct dirent *d;
	struct statfs sf;
	int files = 0;
	__u64 size;
	DIR *dir;

	self->env.srv.st->want |= FUSE_DO_READDIRPLUS;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	dir = opendir(self->env.dir);
	ASSERT_NE(NULL, dir);
	while ((d = readdir(dir)))
		files += d->d_type == DT_REG;
	closedir(dir);
	EXPECT_EQ(3, files);
	EXPECT_EQ(0, tfs_stat_size(&self->env, "a", &size));
	EXPECT_EQ(SIZE, size);
	snprintf(path, sizeof(path), "%s/a", self->env.dir);
	EXPECT_EQ(0, access(path, R_OK));
	EXPECT_EQ(0, chmod(path, 0600));
	EXPECT_EQ(0, statfs(path, &sf));
	close(ASSERT_OPEN("a", O_PATH));
	EXPECT_FETCHES(0);
	EXPECT_COUNT(0, FUSE_GET_DAXDEV);
}

TEST_F(open, F1_open_fetches)
{
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	close(ASSERT_OPEN("a", O_RDONLY));
	EXPECT_FETCHES(1);
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
	EXPECT_OPENS(1);
	/* The device is known now. */
	close(ASSERT_OPEN("b", O_RDWR));
	EXPECT_FETCHES(2);
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
}

TEST_F(open, F1_create_fetches)
{
	struct tfs_state *st = self->env.srv.st;
	struct stat sb;
	int fd;

	st->files[0].exists = false;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("a", O_CREAT | O_EXCL | O_RDWR);
	EXPECT_COUNT(1, FUSE_CREATE);
	EXPECT_FETCHES(1);
	EXPECT_EQ(0, fstat(fd, &sb));
	EXPECT_EQ(SIZE, sb.st_size);
	EXPECT_EQ(5, pwrite(fd, "hello", 5, 0));
	EXPECT_COUNT(0, FUSE_WRITE);
	close(fd);
}

TEST_F(open, F1_mknod_fetches_not_until_opened)
{
	char path[128];

	self->env.srv.st->files[0].exists = false;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	snprintf(path, sizeof(path), "%s/a", self->env.dir);
	ASSERT_EQ(0, mknod(path, S_IFREG | 0644, 0));
	EXPECT_FETCHES(0);
	close(ASSERT_OPEN("a", O_RDWR));
	EXPECT_FETCHES(1);
}

/* Until the server has answered to INIT nobody knows whether there are maps. */
TEST_F(open, F1_tmpfile_before_init_is_answered)
{
	struct tfs_state *st = self->env.srv.st;
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = ".", .flags = O_TMPFILE | O_RDWR };
	int fd;

	tfs_add_simple(&self->env, "#tmp", SIZE, 0, 2 * PMD);
	st->files[tfs_find_name(st, "#tmp", true)].exists = false;
	ASSERT_EQ(0, tfs_mount(&self->env));
	ASSERT_EQ(0, tfs_job_start(&open));
	EXPECT_FALSE(tfs_job_done(&open, 300));
	ASSERT_EQ(0, tfs_server_fork(&self->env.srv));
	fd = tfs_job_result(&open);
	ASSERT_LE(0, fd);
	EXPECT_FETCHES(1);
	EXPECT_EQ(1, pwrite(fd, "x", 1, 99));
	EXPECT_COUNT(0, FUSE_WRITE);
	close(fd);
}

TEST_F(open, F1_tmpfile_fetches)
{
	struct tfs_state *st = self->env.srv.st;
	char c = 0;
	int fd;

	tfs_add_simple(&self->env, "#tmp", SIZE, 0, 2 * PMD);
	st->files[tfs_find_name(st, "#tmp", true)].exists = false;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN(".", O_TMPFILE | O_RDWR);
	EXPECT_COUNT(1, FUSE_TMPFILE);
	EXPECT_FETCHES(1);
	EXPECT_EQ(1, pwrite(fd, "x", 1, 99));
	EXPECT_EQ(1, pread(fd, &c, 1, 99));
	EXPECT_EQ('x', c);
	EXPECT_COUNT(0, FUSE_WRITE);
	close(fd);
}

TEST_F(open, F1_faults_and_io_never_fetch)
{
	char *map, buf[16];
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("a", O_RDWR);
	tfs_counts_reset(&self->env.srv);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	memset(map, 1, SIZE);
	EXPECT_EQ(16, pread(fd, buf, 16, 100));
	EXPECT_EQ(16, pwrite(fd, buf, 16, 200));
	EXPECT_EQ(0, tfs_total(&self->env.srv));
	munmap(map, SIZE);
	close(fd);
}

TEST_F(open, F1_truncating_open_is_refused_before_the_server_sees_it)
{
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_OPEN_FAILS(EPERM, "a", O_WRONLY | O_TRUNC);
	EXPECT_FETCHES(1);
	EXPECT_OPENS(0);
	EXPECT_COUNT(0, FUSE_SETATTR);
	close(ASSERT_OPEN("a", O_WRONLY));
	EXPECT_FETCHES(1);
}

TEST_F(open, F2_concurrent_opens_share_one_request)
{
	struct tfs_job open[OPENERS];

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	ASSERT_EQ(0, tfs_start_opens(&self->env, "a", open, OPENERS));
	EXPECT_FETCHES(1);
	rules_release(&self->env.srv);
	EXPECT_EQ(OPENERS, tfs_join_opens(open, OPENERS));
	EXPECT_FETCHES(1);
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
	EXPECT_OPENS(OPENERS);
}

TEST_F(open, F2_the_next_opener_asks_where_the_first_failed)
{
	struct tfs_job open[OPENERS];

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	ASSERT_EQ(0, tfs_start_opens(&self->env, "a", open, OPENERS));
	rule_fail(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, -EIO, 1);
	rules_release(&self->env.srv);
	EXPECT_EQ(OPENERS - 1, tfs_join_opens(open, OPENERS));
	EXPECT_FETCHES(2);
}

TEST_F(open, F2_waiting_openers_can_be_killed)
{
	struct tfs_job first = { .run = tfs_job_open, .env = &self->env,
				 .name = "a", .flags = O_RDONLY };
	int status;
	pid_t pid;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	rule_hold(&self->env.srv, FUSE_GET_FMAP, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(&first));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(tfs_open(&self->env, "a", O_RDONLY) < 0);
	usleep(100000);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	/* Only then: the waiter needed nothing of the server to die. */
	rules_release(&self->env.srv);
	ASSERT_TRUE(tfs_job_done(&first, TFS_SOON));
	EXPECT_GE(first.result, 0);
	close(first.result);
	EXPECT_FETCHES(1);
}

TEST_F(open, F2_cached_map_is_not_asked_for_again)
{
	int i;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	for (i = 0; i < 3; i++)
		close(ASSERT_OPEN("a", i));
	EXPECT_FETCHES(1);
	EXPECT_OPENS(3);
}

TEST_F(open, F2_evicted_map_is_asked_for_again)
{
	char c = 0;
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("a", O_RDWR);
	EXPECT_EQ(1, pwrite(fd, "z", 1, 4097));
	close(fd);
	ASSERT_EQ(0, tfs_drop_caches());
	fd = ASSERT_OPEN("a", O_RDWR);
	EXPECT_EQ(1, pread(fd, &c, 1, 4097));
	EXPECT_EQ('z', c);
	close(fd);
	EXPECT_FETCHES(2);
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
	EXPECT_GT(tfs_count(&self->env.srv, FUSE_FORGET) +
		  tfs_count(&self->env.srv, FUSE_BATCH_FORGET), 0);
}

TEST_F(open, F3_server_error_fails_open_and_is_not_kept)
{
	static const int errors[] = { EIO, ENOENT, EACCES, ENOMEM, EAGAIN };
	size_t i;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		rule_fail(&self->env.srv, FUSE_GET_FMAP, TFS_ANY,
			  -errors[i], 1);
		EXPECT_OPEN_FAILS(errors[i], "a", O_RDWR);
	}
	EXPECT_NO_HANDLES();
	close(ASSERT_OPEN("a", O_RDWR));
	EXPECT_FETCHES(ARRAY_SIZE(errors) + 1);
}

/* Errors by which the kernel could mean something of its own. */
TEST_F(open, F3_stale_is_an_error_as_any)
{
	static const int errors[] = { ESTALE, EXFULL };
	size_t i;

	self->env.srv.st->open_mode = TFS_GETFMAP;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		rule_fail(&self->env.srv, FUSE_GET_FMAP, TFS_ANY,
			  -errors[i], -1);
		EXPECT_OPEN_FAILS(errors[i], "a", O_RDWR);
		rules_clear(&self->env.srv);
	}
	/* The VFS itself tries again where something is stale. */
	EXPECT_GE(4, tfs_count(&self->env.srv, FUSE_GET_FMAP));
	close(ASSERT_OPEN("a", O_RDWR));
}

TEST_F(open, F3_error_after_create_fails_the_open)
{
	self->env.srv.st->files[0].exists = false;
	self->env.srv.st->open_mode = TFS_GETFMAP;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	rule_fail(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, -EIO, 1);
	EXPECT_OPEN_FAILS(EIO, "a", O_CREAT | O_EXCL | O_RDWR);
	EXPECT_COUNT(1, FUSE_CREATE);
	close(ASSERT_OPEN("a", O_RDWR));
	EXPECT_FETCHES(2);
}

TEST_F(open, F3_enosys_is_kept_for_the_connection)
{
	char buf[8] = "";
	int fd;

	/* As an answer to OPEN it says something else. */
	if (self->env.srv.st->open_mode == TFS_OPENFMAP)
		self->env.srv.st->open_mode = TFS_GETFMAP;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	rule_fail(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, -ENOSYS, 1);
	fd = ASSERT_OPEN("plain", O_RDWR);
	EXPECT_EQ(6, pread(fd, buf, 8, 0));
	EXPECT_STREQ("server", buf);
	close(fd);
	close(ASSERT_OPEN("plain", O_RDWR));
	/* Had it a map, nobody would know. */
	close(ASSERT_OPEN("b", O_RDWR));
	EXPECT_FETCHES(1);
}

TEST_F(open, F3_empty_reply_is_kept_for_the_file)
{
	char buf[8] = "";
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("plain", O_RDWR);
	EXPECT_EQ(6, pread(fd, buf, 8, 0));
	EXPECT_STREQ("server", buf);
	EXPECT_EQ(2, pwrite(fd, "SE", 2, 0));
	close(fd);
	fd = ASSERT_OPEN("plain", O_RDWR);
	EXPECT_EQ(6, pread(fd, buf, 8, 0));
	EXPECT_STREQ("SErver", buf);
	close(fd);
	EXPECT_FETCHES(1);
	EXPECT_COUNT(1, FUSE_WRITE);
}

TEST_F(open, F3_one_mount_mixes_mapped_and_ordinary_files)
{
	char buf[8] = "";
	int mapped, plain;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	mapped = ASSERT_OPEN("a", O_RDWR);
	plain = ASSERT_OPEN("plain", O_RDWR);
	EXPECT_EQ(6, pread(plain, buf, 8, 0));
	EXPECT_STREQ("server", buf);
	EXPECT_EQ(8, pwrite(mapped, "straight", 8, 0));
	EXPECT_EQ(8, pwrite(plain, "by WRITE", 8, 0));
	EXPECT_EQ(8, pread(mapped, buf, 8, 0));
	EXPECT_EQ(0, memcmp(buf, "straight", 8));
	EXPECT_COUNT(1, FUSE_WRITE);
	/* An ordinary file still grows and is cut. */
	EXPECT_EQ(0, ftruncate(plain, 100));
	EXPECT_EQ(0, ftruncate(plain, 1));
	close(mapped);
	close(plain);
}

TEST_F(open, F4_missing_device_fails_open_and_is_tried_again)
{
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	rule_fail(&self->env.srv, FUSE_GET_DAXDEV, TFS_ANY, -ENXIO, 1);
	EXPECT_OPEN_FAILS(ENXIO, "a", O_RDWR);
	EXPECT_NO_HANDLES();
	self->env.srv.st->devs[0][5] = 'X';
	EXPECT_OPEN_FAILS(ENOENT, "a", O_RDWR);
	tfs_name_devs(&self->env, &self->env.srv);
	close(ASSERT_OPEN("a", O_RDWR));
	EXPECT_COUNT(3, FUSE_GET_DAXDEV);
}

TEST_F(open, F4_map_is_not_published_without_its_last_device)
{
	struct tfs_msg m;

	tfs_msg_init(&m, 2 * SIZE, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(&m, 0, 0, SIZE);
	tfs_msg_extent(&m, 7, 0, SIZE);
	tfs_set_map(&self->env.srv, 0, m.buf, m.len);
	tfs_msg_exit(&m);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_OPEN_FAILS(ENOENT, "a", O_RDWR);
	EXPECT_OPEN_FAILS(ENOENT, "a", O_RDWR);
	EXPECT_FETCHES(2);
	EXPECT_NO_HANDLES();
	/* The pages that the refused map named are free for another. */
	tfs_msg_simple(&m, SIZE, 0, 0, SIZE);
	tfs_set_map(&self->env.srv, 1, m.buf, m.len);
	tfs_msg_exit(&m);
	close(ASSERT_OPEN("b", O_RDWR));
}

TEST_F(open, F5_page_cache_from_before_the_map_is_dropped)
{
	struct fuse_notify_store_out out = {
		.nodeid = TFS_INO(0),
		.size = 4096,
	};
	char page[4096], got[4096];
	__u64 size;
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	/* The device holds one thing, ... */
	fd = ASSERT_OPEN("a", O_RDWR);
	memset(page, 'd', sizeof(page));
	EXPECT_EQ(4096, pwrite(fd, page, 4096, 0));
	close(fd);
	ASSERT_EQ(0, tfs_drop_caches());
	/* ... the page cache of the inode without a map another. */
	EXPECT_EQ(0, tfs_stat_size(&self->env, "a", &size));
	memset(got, 'c', sizeof(got));
	ASSERT_EQ(0, tfs_notify(&self->env.srv, FUSE_NOTIFY_STORE, &out,
				sizeof(out), got, sizeof(got)));
	fd = ASSERT_OPEN("a", O_RDWR);
	EXPECT_FETCHES(2);
	EXPECT_EQ(4096, pread(fd, got, 4096, 0));
	EXPECT_EQ(0, memcmp(page, got, 4096));
	close(fd);
}

TEST_HARNESS_MAIN
