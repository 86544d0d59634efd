// SPDX-License-Identifier: GPL-2.0
/*
 * Who may map files onto dax devices, and what a connection without that right
 * is: ordinary FUSE, whatever its server asks for.
 *
 * What is easily wrong here: device memory within the reach of a mount that an
 * unprivileged user made, because only the server's reply is looked at; nobody
 * is told why the files of such a mount are slow.
 */
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define SIZE	(64 * 1024UL)

FIXTURE(init)
{
	struct tfs_env env;
};

FIXTURE_SETUP(init)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_msg m;
	int i;

	if (why)
		SKIP(return, "%s", why);
	/* A file that the server can serve either way. */
	i = tfs_add_data(&self->env.srv, "both", "server", 6);
	tfs_msg_simple(&m, SIZE, 0, 0, SIZE);
	tfs_set_map(&self->env.srv, i, m.buf, m.len);
	tfs_msg_exit(&m);
}

FIXTURE_TEARDOWN(init)
{
	TFS_TEARDOWN();
}

/* Returns 0 if "both" is served by the server, through requests alone. */
static int check_ordinary(struct tfs_env *env)
{
	char buf[8] = "";
	int fd = tfs_open(env, "both", O_RDWR);
	char *map;

	if (fd < 0)
		return 10;
	if (pread(fd, buf, 8, 0) != 6 || memcmp(buf, "server", 6))
		return 11;
	if (pwrite(fd, "SERVER", 6, 0) != 6)
		return 12;
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED || memcmp(map, "SERVER", 6))
		return 13;
	munmap(map, 4096);
	if (ftruncate(fd, 3))
		return 14;
	close(fd);
	if (tfs_count(&env->srv, FUSE_GET_FMAP) || env->srv.st->nr_open_fmap ||
	    tfs_count(&env->srv, FUSE_GET_DAXDEV))
		return 15;
	if (!tfs_count(&env->srv, FUSE_READ) ||
	    !tfs_count(&env->srv, FUSE_WRITE))
		return 16;
	return 0;
}

/* In a child: a mount without the right to map; 0 if all is well. */
static int unprivileged(struct tfs_env *env, bool force)
{
	env->srv.st->force = force;
	if (tfs_mount_fork(env))
		return 20;
	if (env->srv.st->offered & FUSE_DAX_FMAP)
		return 21;
	if (check_ordinary(env))
		return check_ordinary(env);
	return tfs_umount(env) ? 22 : 0;
}

TEST_F(init, N1_offered_to_who_may_do_raw_io)
{
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_NE(0, self->env.srv.st->offered & FUSE_DAX_FMAP);
	close(ASSERT_OPEN("both", O_RDWR));
	EXPECT_FETCHES(1);
}

TEST_F(init, N1_not_offered_without_cap_sys_rawio)
{
	EXPECT_CHILD(tfs_drop_cap(CAP_SYS_RAWIO) ? 1 :
		     unprivileged(&self->env, false));
}

TEST_F(init, N1_asked_for_unoffered_is_ordinary_fuse)
{
	EXPECT_CHILD(tfs_drop_cap(CAP_SYS_RAWIO) ? 1 :
		     unprivileged(&self->env, true));
}

/* A set-user-ID helper has the right, who called it need not. */
TEST_F(init, N1_not_offered_to_a_mount_for_a_user)
{
	self->env.srv.user = 65534;
	EXPECT_CHILD(unprivileged(&self->env, true));
}

/* Root of a user namespace has all capabilities, but only there. */
static int enter_user_namespace(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return 30;
	if (tfs_write_text("/proc/self/setgroups", "deny") ||
	    tfs_write_text("/proc/self/uid_map", "0 0 1") ||
	    tfs_write_text("/proc/self/gid_map", "0 0 1"))
		return 31;
	return 0;
}

static int in_user_namespace(struct tfs_env *env)
{
	int wrong = enter_user_namespace();

	if (wrong)
		return wrong;
	/* The device must be opened by who mounts. */
	close(env->srv.fd);
	env->srv.fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (env->srv.fd < 0)
		return 32;
	return unprivileged(env, true);
}

TEST_F(init, N1_not_offered_in_a_user_namespace)
{
	EXPECT_CHILD(in_user_namespace(&self->env));
}

/* A line about this mount with these words, in what has not been read yet. */
static bool log_says(struct tfs_env *env, int log, const char *why)
{
	char line[1024], mount[64];
	struct stat st;
	ssize_t n;

	if (stat(env->dir, &st))
		return false;
	snprintf(mount, sizeof(mount), "fuse: %u:%u: ", major(st.st_dev),
		 minor(st.st_dev));
	while ((n = read(log, line, sizeof(line) - 1)) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		line[n > 0 ? n : 0] = '\0';
		if (strstr(line, mount) && strstr(line, why))
			return true;
	}
	return false;
}

/*
 * Mounts until the log says why there are no maps; others may have used up what
 * the limit of printk allows just now.
 */
static int told_why(struct tfs_env *env, int log, __u32 user, const char *why)
{
	bool told = false;
	int i;

	for (i = 0; i < 20 && !told; i++) {
		usleep(i ? 300000 : 0);
		tfs_server_exit(&env->srv);
		if (tfs_server_init(&env->srv))
			return 40;
		env->srv.user = user;
		env->srv.st->force = true;
		if (tfs_mount_fork(env))
			return 41;
		told = log_says(env, log, why);
		if (tfs_umount(env))
			return 42;
	}
	return told ? 0 : 43;
}

TEST_F(init, O2_unoffered_is_told_with_the_reason)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (log < 0)
		SKIP(return, "need /dev/kmsg");
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	EXPECT_CHILD(tfs_drop_cap(CAP_SYS_RAWIO) ? 1 :
		     told_why(&self->env, log, 0, "CAP_SYS_RAWIO"));
	EXPECT_CHILD(told_why(&self->env, log, 65534, "user_id="));
	EXPECT_CHILD(enter_user_namespace() ?:
		     told_why(&self->env, log, 0, "user namespace"));
	close(log);
}

#define CAP_TRACE	"/sys/kernel/tracing/instances/famfs_init"

/* How often mounting for this user looks for the right to raw I/O, or < 0. */
static int rawio_checks(struct tfs_env *env, __u32 user)
{
	char filter[64];

	snprintf(filter, sizeof(filter), "cap == %d && common_pid == %d",
		 CAP_SYS_RAWIO, getpid());
	env->srv.user = user;
	if (tfs_write_text(CAP_TRACE "/events/capability/filter", filter) ||
	    tfs_write_text(CAP_TRACE "/events/capability/enable", "1") ||
	    tfs_mount_fork(env))
		return -1;
	return tfs_trace_lines(CAP_TRACE, "cap_capable", "");
}

/* A denial leaves a record for the audit of a confined domain. */
TEST_F(init, N2_mount_for_a_user_asks_for_no_capability)
{
	if (mkdir(CAP_TRACE, 0700))
		SKIP(return, "need tracefs");
	EXPECT_EQ(0, rawio_checks(&self->env, 65534));
	EXPECT_EQ(0, rmdir(CAP_TRACE));
}

TEST_F(init, N1_mount_by_root_needs_the_capability)
{
	if (mkdir(CAP_TRACE, 0700))
		SKIP(return, "need tracefs");
	EXPECT_EQ(1, rawio_checks(&self->env, 0));
	EXPECT_EQ(0, rmdir(CAP_TRACE));
}

TEST_F(init, N2_flag_not_asked_for_is_ordinary_fuse)
{
	char text[256];

	self->env.srv.st->want &= ~FUSE_DAX_FMAP;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_NE(0, self->env.srv.st->offered & FUSE_DAX_FMAP);
	EXPECT_EQ(0, check_ordinary(&self->env));
	/* The kernel keeps nothing for maps that there cannot be. */
	EXPECT_EQ(0, tfs_table(&self->env, text, sizeof(text)));
	EXPECT_STREQ("", text);
}

/* famfs's tools look for this name to see what the kernel can do. */
TEST_F(init, O1_kernel_has_the_symbol_that_tools_look_for)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], name[256];
	bool found = false;

	if (!f)
		SKIP(return, "need CONFIG_KALLSYMS");
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%*s %*s %255s", name) == 1 &&
			!strcmp(name, "famfs_fuse_iomap_begin");
	fclose(f);
	EXPECT_TRUE(found);
}

/* A root that is a file can be open before the reply to INIT has come. */
TEST_F(init, N3_root_is_never_mapped)
{
	struct tfs_server *srv = &self->env.srv;
	char path[128], buf[8];
	int fd, i;

	snprintf(path, sizeof(path), "%s/root", self->env.dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	close(fd);
	srv->root_mode = S_IFREG | 0666;
	ASSERT_EQ(0, tfs_mount_at(srv, path));
	ASSERT_EQ(0, tfs_server_fork(srv));
	for (i = 1; i < 3; i++) {
		fd = ASSERT_OPEN("root", O_RDWR);
		EXPECT_EQ(0, pread(fd, buf, sizeof(buf), 0));
		close(fd);
		EXPECT_OPENS(i);
	}
	EXPECT_NE(0, srv->st->offered & FUSE_DAX_FMAP);
	EXPECT_FETCHES(0);
	EXPECT_EQ(0, umount2(path, 0));
	EXPECT_EQ(0, unlink(path));
}

TEST_F(init, N3_passthrough_of_a_mapped_file_is_refused)
{
	struct tfs_state *st = self->env.srv.st;
	struct fuse_backing_map backing = {};
	int i, id;

	st->want |= FUSE_PASSTHROUGH;
	if (st->open_mode == TFS_NOOPEN)
		st->open_mode = TFS_GETFMAP;
	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	if (!(st->offered & FUSE_PASSTHROUGH))
		SKIP(return, "need CONFIG_FUSE_PASSTHROUGH");
	backing.fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	ASSERT_GE(backing.fd, 0);
	id = ioctl(self->env.srv.fd, FUSE_DEV_IOC_BACKING_OPEN, &backing);
	ASSERT_GT(id, 0);

	st->files[0].open_flags = FOPEN_PASSTHROUGH;
	st->files[0].backing_id = id;
	EXPECT_OPEN_FAILS(EIO, "both", O_RDWR);
	EXPECT_COUNT(1, FUSE_RELEASE);
	/* The same on a file without a map works. */
	i = tfs_add_data(&self->env.srv, "plain", "server", 6);
	st->files[i].open_flags = FOPEN_PASSTHROUGH;
	st->files[i].backing_id = id;
	close(ASSERT_OPEN("plain", O_RDWR));
	/* And the mapped file without the flag. */
	st->files[0].open_flags = 0;
	close(ASSERT_OPEN("both", O_RDWR));
	EXPECT_EQ(0, ioctl(self->env.srv.fd, FUSE_DEV_IOC_BACKING_CLOSE, &id));
	close(backing.fd);
}

/* A number means one thing, whatever asks for it. */
TEST_F(init, N3_backing_ids_of_both_types)
{
	struct tfs_state *st = self->env.srv.st;
	struct fuse_backing_map backing = {};
	int dev, i, id[2];
	struct tfs_msg m;

	st->want |= FUSE_PASSTHROUGH;
	if (st->open_mode == TFS_NOOPEN)
		st->open_mode = TFS_GETFMAP;
	i = tfs_add_data(&self->env.srv, "plain", "server", 6);
	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	if (!(st->offered & FUSE_PASSTHROUGH))
		SKIP(return, "need CONFIG_FUSE_PASSTHROUGH");
	dev = self->env.srv.fd;
	backing.fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	ASSERT_GE(backing.fd, 0);
	id[0] = ioctl(dev, FUSE_DEV_IOC_BACKING_OPEN, &backing);
	ASSERT_GT(id[0], 0);
	id[1] = tfs_dax_open_path(dev, self->env.devs[0].path, O_RDWR);
	ASSERT_GT(id[1], 0);
	EXPECT_NE(id[0], id[1]);

	tfs_msg_simple(&m, 65536, id[0], 64 * MiB, 65536);
	tfs_msg_header(&m)->flags = FUSE_FMAP_BACKING_IDS;
	tfs_set_map(&self->env.srv, 0, m.buf, m.len);
	EXPECT_OPEN_FAILS(ENODEV, "both", O_RDWR);
	st->files[i].open_flags = FOPEN_PASSTHROUGH;
	st->files[i].backing_id = id[1];
	EXPECT_OPEN_FAILS(EIO, "plain", O_RDWR);

	st->files[i].backing_id = id[0];
	close(ASSERT_OPEN("plain", O_RDWR));
	EXPECT_EQ(0, tfs_dax_close(dev, id[0]));
	EXPECT_EQ(-ENOENT, tfs_dax_close(dev, id[0]));
	EXPECT_EQ(0, tfs_dax_close(dev, id[1]));
	EXPECT_EQ(-ENOENT, tfs_dax_close(dev, id[1]));
	tfs_msg_exit(&m);
	close(backing.fd);
}

/* As long as it is open its data is where the server has opened it. */
TEST_F(init, N3_file_that_is_passed_through_is_not_mapped)
{
	struct tfs_state *st = self->env.srv.st;
	struct fuse_backing_map backing = {};
	struct tfs_msg m;
	int i, id, fd;

	st->want |= FUSE_PASSTHROUGH;
	if (st->open_mode == TFS_NOOPEN)
		st->open_mode = TFS_GETFMAP;
	i = tfs_add_data(&self->env.srv, "plain", "server", 6);
	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	if (!(st->offered & FUSE_PASSTHROUGH))
		SKIP(return, "need CONFIG_FUSE_PASSTHROUGH");
	backing.fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	ASSERT_GE(backing.fd, 0);
	id = ioctl(self->env.srv.fd, FUSE_DEV_IOC_BACKING_OPEN, &backing);
	ASSERT_GT(id, 0);
	st->files[i].open_flags = FOPEN_PASSTHROUGH;
	st->files[i].backing_id = id;
	/* The device must be known before anything can be pushed. */
	close(ASSERT_OPEN("both", O_RDWR));
	tfs_msg_simple(&m, 65536, 0, 64 * MiB, 65536);

	fd = ASSERT_OPEN("plain", O_RDWR);
	EXPECT_EQ(-EBUSY, tfs_push_map(self->env.srv.fd, i, &m));
	EXPECT_EQ(6, pwrite(fd, "passed", 6, 65536));
	EXPECT_EQ(65536 + 6, lseek(backing.fd, 0, SEEK_END));
	close(fd);
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	EXPECT_EQ(0, tfs_push_map(self->env.srv.fd, i, &m));
	st->files[i].open_flags = 0;
	fd = ASSERT_OPEN("plain", O_RDWR);
	EXPECT_EQ(65536, tfs_size_of(fd));
	close(fd);
	EXPECT_EQ(0, ioctl(self->env.srv.fd, FUSE_DEV_IOC_BACKING_CLOSE, &id));
	close(backing.fd);
	tfs_msg_exit(&m);
}

TEST_HARNESS_MAIN
