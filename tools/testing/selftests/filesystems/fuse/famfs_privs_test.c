// SPDX-License-Identifier: GPL-2.0
/*
 * Privileges that a write to a mapped file strips: what is remembered of them,
 * and who waits while the server is asked.
 *
 * What was wrong here: a question that was killed, or that the server failed,
 * counted as "none", and every later write left file capabilities in place; an
 * open that waited for i_rwsem could not be killed, and kept all others out.
 */
#include <sys/xattr.h>
#include <linux/falloc.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(16 * PAGE)
#define UNIT	(64 * 1024UL)

/* security.capability as the VFS takes it */
static const __u32 caps[5] = { 0x02000000, 1 };

FIXTURE(privs)
{
	struct tfs_env env;
};

FIXTURE_SETUP(privs)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	tfs_pool_init(&self->env.srv, 0, 4 * MiB, UNIT, 16);
	tfs_add_growing(&self->env.srv, "g", 1);
	self->env.srv.st->xattrs = true;
}

FIXTURE_TEARDOWN(privs)
{
	TFS_TEARDOWN();
}

/* From now on the files have capabilities, until the rules go. */
static void have_caps(struct tfs_server *srv)
{
	const struct fuse_getxattr_out out = { .size = sizeof(caps) };

	rule_raw(srv, FUSE_GETXATTR, TFS_ANY, &out, sizeof(out), -1);
	rule_raw(srv, FUSE_REMOVEXATTR, TFS_ANY, NULL, 0, -1);
}

/* Returns the server's answer to the question that a killed task had sent. */
static int killed(struct tfs_env *env, int fd, const char *name)
{
	int status = -1;
	pid_t pid;

	if (tfs_server_signal(&env->srv, SIGSTOP))
		return 1;
	pid = fork();
	if (!pid) {
		if (name)
			_exit(tfs_open(env, name, O_WRONLY) < 0);
		_exit(pwrite(fd, "k", 1, 0) != 1);
	}
	/* Time to get to where it waits, and to give that up. */
	usleep(300000);
	kill(pid, SIGKILL);
	usleep(300000);
	/* The descriptors that it had are flushed, which takes the server. */
	if (tfs_server_signal(&env->srv, SIGCONT))
		return 2;
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 0 : 3;
}

/* Writes, which has to strip. */
#define EXPECT_STRIPS(fd) do {						\
	tfs_counts_reset(&self->env.srv);				\
	EXPECT_EQ(1, pwrite(fd, "x", 1, 0));				\
	EXPECT_COUNT(1, FUSE_REMOVEXATTR);				\
} while (0)

#define EXPECT_QUIET(fd) do {						\
	tfs_counts_reset(&self->env.srv);				\
	EXPECT_EQ(1, pwrite(fd, "x", 1, 0));				\
	EXPECT_EQ(0, tfs_total(&self->env.srv));			\
} while (0)

TEST_F(privs, X6_killed_write_says_nothing_of_privileges)
{
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	have_caps(&self->env.srv);
	fd = ASSERT_OPEN("f", O_RDWR);
	ASSERT_EQ(0, killed(&self->env, fd, NULL));
	EXPECT_STRIPS(fd);
	close(fd);
}

/* Without OPEN the question is the only request, and can be killed. */
TEST_F(privs, X6_killed_open_says_nothing_of_privileges)
{
	int fd;

	self->env.srv.st->open_mode = TFS_NOOPEN;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	have_caps(&self->env.srv);
	fd = ASSERT_OPEN("f", O_RDWR);
	ASSERT_EQ(0, killed(&self->env, -1, "f"));
	EXPECT_STRIPS(fd);
	close(fd);
}

TEST_F(privs, X6_error_of_the_server_says_nothing_of_privileges)
{
	static const int errors[] = { -EIO, -EACCES, -ENOMEM, -EPERM };
	struct tfs_server *srv = &self->env.srv;
	size_t i;
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		rule_fail(srv, FUSE_GETXATTR, TFS_ANY, errors[i], 1);
		have_caps(srv);
		fd = ASSERT_OPEN("f", O_RDWR);
		EXPECT_STRIPS(fd);
		rules_clear(srv);
		/* The same for a write that asks. */
		rule_fail(srv, FUSE_GETXATTR, TFS_ANY, errors[i], 2);
		have_caps(srv);
		EXPECT_EQ(1, pwrite(fd, "x", 1, 0));
		EXPECT_STRIPS(fd);
		rules_clear(srv);
		close(fd);
		ASSERT_EQ(0, tfs_evict(&self->env, 0));
	}
}

/* What is known stays known, so that writes do not have to ask. */
TEST_F(privs, I1_killed_open_makes_no_write_ask)
{
	int fd;

	self->env.srv.st->open_mode = TFS_NOOPEN;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(1, pwrite(fd, "x", 1, 0));
	ASSERT_EQ(0, killed(&self->env, -1, "f"));
	EXPECT_QUIET(fd);
	rule_fail(&self->env.srv, FUSE_GETXATTR, TFS_ANY, -EIO, 1);
	close(ASSERT_OPEN("f", O_WRONLY));
	EXPECT_QUIET(fd);
	close(fd);
}

/* After what there was has been stripped, there is nothing to ask for. */
TEST_F(privs, I1_write_that_strips_is_the_last_to_ask)
{
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	have_caps(&self->env.srv);
	fd = ASSERT_OPEN("f", O_RDWR);
	rules_clear(&self->env.srv);
	EXPECT_EQ(1, pwrite(fd, "x", 1, 0));
	EXPECT_QUIET(fd);
	close(fd);
}

TEST_F(privs, X6_fallocate_strips_after_an_error)
{
	struct tfs_server *srv = &self->env.srv;
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	rule_fail(srv, FUSE_GETXATTR, TFS_ANY, -EIO, 1);
	have_caps(srv);
	fd = ASSERT_OPEN("g", O_RDWR);
	tfs_counts_reset(srv);
	EXPECT_EQ(0, fallocate(fd, 0, 0, PAGE));
	EXPECT_COUNT(1, FUSE_REMOVEXATTR);
	close(fd);
}

/* With the flag the VFS remembers the answer, be it an error. */
TEST_F(privs, X6_create_strips_after_errors)
{
	struct tfs_server *srv = &self->env.srv;
	int fd, other;

	srv->st->want |= FUSE_HANDLE_KILLPRIV_V2;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("g", O_RDWR);
	ASSERT_EQ(PAGE, pwrite(fd, (char[PAGE]) {}, PAGE, 0));
	ASSERT_EQ(0, fsync(fd));
	close(fd);
	ASSERT_EQ(0, tfs_drop_caches());
	/* To the kernel the file is new; the server has it. */
	srv->st->files[1].exists = false;
	rule_fail(srv, FUSE_GETXATTR, TFS_ANY, -EIO, -1);
	tfs_counts_reset(srv);
	other = ASSERT_OPEN("g", O_CREAT | O_TRUNC | O_RDWR);
	EXPECT_COUNT(1, FUSE_CREATE);
	EXPECT_EQ(0, tfs_size_of(other));
	rules_clear(srv);
	have_caps(srv);
	EXPECT_STRIPS(other);
	close(other);
}

static long do_grow(struct tfs_job *job)
{
	return fallocate(job->fd, 0, 0, job->pos) ? -errno : 0;
}

/* While a call that grows the file asks, another host makes it longer still. */
TEST_F(privs, G1_file_has_grown_beyond_a_fallocate)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_file *file = &srv->st->files[1];
	struct tfs_job grow = { .run = do_grow, .pos = PAGE + 100 };
	int node, dev = dup(srv->fd);
	char data[3 * PAGE], buf[3 * PAGE];

	memset(data, 'o', sizeof(data));
	node = open(self->env.devs[0].path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, node);
	ASSERT_EQ(3 * PAGE, pwrite(node, data, 3 * PAGE,
				   tfs_place(srv, file, 0)));
	close(node);
	file->size = PAGE;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	rule_fail(srv, FUSE_GETXATTR, TFS_ANY, -EIO, 1);
	grow.fd = ASSERT_OPEN("g", O_RDWR);
	ASSERT_EQ(PAGE, tfs_size_of(grow.fd));
	ASSERT_EQ(0, tfs_job_hold(&grow, srv, FUSE_GETXATTR));
	file->size = 3 * PAGE;
	EXPECT_EQ(0, tfs_revoke(dev, 1));
	rules_release(srv);
	EXPECT_EQ(0, tfs_job_result(&grow));
	EXPECT_EQ(3 * PAGE, tfs_size_of(grow.fd));
	EXPECT_EQ(3 * PAGE, pread(grow.fd, buf, 3 * PAGE, 0));
	EXPECT_EQ(0, memcmp(data, buf, 3 * PAGE));
	close(grow.fd);
	close(dev);
}

/* The answer that an open waits for may be from before they were set. */
TEST_F(privs, I2_capabilities_are_set_while_an_open_asks)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = "f", .flags = O_WRONLY };
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDONLY);
	ASSERT_EQ(0, tfs_job_hold(&open, srv, FUSE_GETXATTR));
	rule_raw(srv, FUSE_SETXATTR, TFS_ANY, NULL, 0, -1);
	EXPECT_EQ(0, fsetxattr(fd, "security.capability", caps, sizeof(caps),
			       0));
	rules_release(srv);
	ASSERT_LE(0, tfs_job_result(&open));
	rules_clear(srv);
	have_caps(srv);
	EXPECT_STRIPS(open.result);
	close(open.result);
	close(fd);
}

/* Keeps i_rwsem until the server answers. */
static long do_chmod(struct tfs_job *job)
{
	return fchmod(job->fd, 0600) ? -errno : 0;
}

TEST_F(privs, X5_open_that_waits_for_the_inode_can_be_killed)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job chmod = { .run = do_chmod };
	int status = 0, i;
	pid_t pid, got = 0;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	chmod.fd = ASSERT_OPEN("f", O_RDONLY);
	ASSERT_EQ(0, tfs_job_hold(&chmod, srv, FUSE_SETATTR));
	pid = fork();
	if (!pid)
		_exit(tfs_open(&self->env, "f", O_WRONLY) < 0);
	usleep(200000);
	kill(pid, SIGKILL);
	for (i = 0; i < 2000 && !got; i++) {
		got = waitpid(pid, &status, WNOHANG);
		usleep(1000);
	}
	EXPECT_EQ(pid, got);
	rules_release(srv);
	EXPECT_EQ(0, tfs_job_result(&chmod));
	if (!got)
		waitpid(pid, &status, 0);
	/* Whoever comes later waits for nobody. */
	rules_clear(srv);
	close(ASSERT_OPEN("f", O_WRONLY));
	close(chmod.fd);
}

/* Where nothing new is learnt, nothing is locked. */
TEST_F(privs, I1_open_does_not_wait_for_who_has_the_inode)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job chmod = { .run = do_chmod };
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = "f", .flags = O_RDWR };

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	chmod.fd = ASSERT_OPEN("f", O_RDWR);
	ASSERT_EQ(0, tfs_job_hold(&chmod, srv, FUSE_SETATTR));
	ASSERT_EQ(0, tfs_job_start(&open));
	EXPECT_TRUE(tfs_job_done(&open, 2000));
	rules_release(srv);
	EXPECT_EQ(0, tfs_job_result(&chmod));
	if (!open.done)
		tfs_job_done(&open, TFS_SOON);
	EXPECT_LE(0, open.result);
	close(open.result);
	close(chmod.fd);
}

/* The map has nothing to do with privileges, so nobody waits for both. */
TEST_F(privs, F2_who_needs_the_map_does_not_wait_for_privileges)
{
	struct tfs_server *srv = &self->env.srv;
	char buf[16];
	struct iovec iov = { buf, sizeof(buf) };
	struct tfs_job writer = { .run = tfs_job_open, .env = &self->env,
				  .name = "f", .flags = O_RDWR };
	struct tfs_job opener = { .run = tfs_job_open, .env = &self->env,
				  .name = "f", .flags = O_RDONLY };
	struct tfs_job reader = { .run = tfs_job_read, .env = &self->env,
				  .iov = &iov, .iovs = 1 };
	int dev = dup(srv->fd);

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	reader.fd = ASSERT_OPEN("f", O_RDONLY);
	ASSERT_EQ(0, tfs_job_hold(&writer, srv, FUSE_GETXATTR));
	EXPECT_EQ(0, tfs_revoke(dev, 0));
	ASSERT_EQ(0, tfs_job_start(&reader));
	EXPECT_TRUE(tfs_job_done(&reader, 2000));
	ASSERT_EQ(0, tfs_job_start(&opener));
	EXPECT_TRUE(tfs_job_done(&opener, 2000));
	rules_release(srv);
	EXPECT_LE(0, tfs_job_result(&writer));
	if (!opener.done)
		tfs_job_done(&opener, TFS_SOON);
	if (!reader.done)
		tfs_job_done(&reader, TFS_SOON);
	EXPECT_EQ(sizeof(buf), reader.result);
	EXPECT_LE(0, opener.result);
	rules_clear(srv);
	close(writer.result);
	close(opener.result);
	close(reader.fd);
	close(dev);
}

TEST_HARNESS_MAIN
