// SPDX-License-Identifier: GPL-2.0
/*
 * The dax devices behind maps: whose view of their names counts, which of them
 * are refused and how, and when they are free for others again.
 *
 * What is easily wrong here: a name that is looked up by whoever opens the
 * file, who may have put another device there; a refusal that is remembered; a
 * device that stays taken after umount until the server exits.
 */
#include <sched.h>
#include <sys/sysmacros.h>

#include "tfs_test.h"

#define SIZE	(64 * 1024UL)

FIXTURE(device)
{
	struct tfs_env env;
	char *name;			/* what the server calls device 0 */
	char tmp[64];			/* a tmpfs, if mounted */
};

FIXTURE_SETUP(device)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	self->name = self->env.srv.st->devs[0];
}

FIXTURE_TEARDOWN(device)
{
	if (self->tmp[0]) {
		umount2(self->tmp, MNT_DETACH);
		rmdir(self->tmp);
	}
	TFS_TEARDOWN();
}

static int make_tmpfs(char *dir, size_t len, unsigned long flags)
{
	snprintf(dir, len, "/tmp/famfs_dev_XXXXXX");
	if (!mkdtemp(dir) || mount("tmpfs", dir, "tmpfs", flags, NULL))
		return -errno;
	return 0;
}

static dev_t dev_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_rdev;
}

static void set_name(char *name, const char *to)
{
	snprintf(name, FUSE_DAXDEV_NAME_MAX, "%s", to);
}

static int open_close(struct tfs_env *env, const char *name)
{
	int fd = tfs_open(env, name, O_RDWR);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* In a child: the opener's own namespace has another device there. */
static int open_elsewhere(struct tfs_env *env)
{
	if (unshare(CLONE_NEWNS) ||
	    mount("/dev/null", env->devs[0].path, NULL, MS_BIND, NULL))
		return 1;
	return open_close(env, "f") ? 2 : 0;
}

TEST_F(device, D1_opener_in_another_mount_namespace)
{
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_CHILD(open_elsewhere(&self->env));
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
}

static int open_chrooted(struct tfs_env *env)
{
	if (chroot(env->dir) || chdir("/"))
		return 1;
	return open("/f", O_RDWR) < 0;
}

TEST_F(device, D1_opener_in_a_chroot_without_devices)
{
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_CHILD(open_chrooted(&self->env));
	EXPECT_COUNT(1, FUSE_GET_DAXDEV);
}

TEST_F(device, D1_opener_without_rights_on_the_device)
{
	self->env.srv.st->files[0].mode = S_IFREG | 0666;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_CHILD(setgid(65534) || setuid(65534) ||
		     open_close(&self->env, "f"));
}

/* The opener sees the right device, the server another. */
TEST_F(device, D1_server_in_another_mount_namespace)
{
	ASSERT_EQ(0, mount("/dev/null", self->env.devs[0].path, NULL, MS_BIND,
			   NULL));
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, umount(self->env.devs[0].path));
	EXPECT_EQ(-ENODEV, open_close(&self->env, "f"));
}

static int become_nobody(void)
{
	return setgid(65534) || setuid(65534);
}

TEST_F(device, D1_server_without_rights_on_the_device)
{
	ASSERT_EQ(0, chmod(self->env.devs[0].path, 0600));
	self->env.srv.prepare = become_nobody;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_EQ(-EACCES, open_close(&self->env, "f"));
}

TEST_F(device, D1_server_that_may_only_read_the_device)
{
	ASSERT_EQ(0, chmod(self->env.devs[0].path, 0604));
	self->env.srv.prepare = become_nobody;
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_EQ(-EACCES, open_close(&self->env, "f"));
	ASSERT_EQ(0, chmod(self->env.devs[0].path, 0600));
}

TEST_F(device, D1_node_on_a_nodev_mount)
{
	dev_t dev = dev_of(self->env.devs[0].path);

	ASSERT_EQ(0, make_tmpfs(self->tmp, sizeof(self->tmp), MS_NODEV));
	snprintf(self->name, FUSE_DAXDEV_NAME_MAX, "%s/dax", self->tmp);
	ASSERT_EQ(0, mknod(self->name, S_IFCHR | 0600, dev));
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_EQ(-EACCES, open_close(&self->env, "f"));
	ASSERT_EQ(0, mount(NULL, self->tmp, NULL, MS_REMOUNT, NULL));
	EXPECT_EQ(0, open_close(&self->env, "f"));
}

TEST_F(device, D1_name_may_be_a_symlink)
{
	ASSERT_EQ(0, make_tmpfs(self->tmp, sizeof(self->tmp), 0));
	snprintf(self->name, FUSE_DAXDEV_NAME_MAX, "%s/link", self->tmp);
	ASSERT_EQ(0, symlink(self->env.devs[0].path, self->name));
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_EQ(0, open_close(&self->env, "f"));
}

/* Nothing of this is a dax device, and none of it becomes one. */
TEST_F(device, D4_names_of_other_things)
{
	dev_t dax = dev_of(self->env.devs[0].path);
	char node[128];
	int i;

	ASSERT_EQ(0, make_tmpfs(self->tmp, sizeof(self->tmp), 0));
	snprintf(node, sizeof(node), "%s/node", self->tmp);
	ASSERT_EQ(0, mknod(node, S_IFCHR | 0600, makedev(major(dax), 1000)));
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	for (i = 0; i < 3; i++) {
		set_name(self->name, "/dev/null");
		EXPECT_EQ(-ENODEV, open_close(&self->env, "f"));
		set_name(self->name, "/proc/self/exe");
		EXPECT_EQ(-ENODEV, open_close(&self->env, "f"));
		set_name(self->name, "/tmp");
		EXPECT_EQ(-ENODEV, open_close(&self->env, "f"));
		set_name(self->name, node);
		EXPECT_EQ(-ENODEV, open_close(&self->env, "f"));
		set_name(self->name, "/dev/none");
		EXPECT_EQ(-ENOENT, open_close(&self->env, "f"));
		set_name(self->name, "/dev/null/x");
		EXPECT_EQ(-ENOTDIR, open_close(&self->env, "f"));
	}
	unlink(node);
	/* A block device with the numbers of the dax device. */
	ASSERT_EQ(0, mknod(node, S_IFBLK | 0600, dax));
	set_name(self->name, node);
	EXPECT_EQ(-ENODEV, open_close(&self->env, "f"));
	tfs_name_devs(&self->env, &self->env.srv);
	EXPECT_EQ(0, open_close(&self->env, "f"));
}

TEST_F(device, D4_malformed_replies)
{
	struct fuse_daxdev_out good = {}, out;
	struct tfs_server *srv = &self->env.srv;
	int i;

	set_name(good.name, self->env.devs[0].path);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	for (i = 0; i < 7; i++) {
		size_t len = sizeof(out);

		out = good;
		switch (i) {
		case 0:
			out.index = 1;
			break;
		case 1:
			out.reserved = 1;
			break;
		case 2:
			out.reserved2 = 1;
			break;
		case 3:
			out.reserved3[0] = 1;
			break;
		case 4:
			out.reserved3[1] = 1ULL << 63;
			break;
		case 5:
			out.name[0] = '\0';
			break;
		case 6:
			memset(out.name, 'x', sizeof(out.name));
			break;
		}
		rule_raw(srv, FUSE_GET_DAXDEV, TFS_ANY, &out, len, 1);
		EXPECT_EQ(-EINVAL, open_close(&self->env, "f")) {
			TH_LOG("reply %d", i);
		}
	}
	/* Of another length: refused as any reply is. */
	rule_raw(srv, FUSE_GET_DAXDEV, TFS_ANY, &good, sizeof(good) - 8, 1);
	EXPECT_GT(0, open_close(&self->env, "f"));
	rule_raw(srv, FUSE_GET_DAXDEV, TFS_ANY, NULL, 0, 1);
	EXPECT_GT(0, open_close(&self->env, "f"));
	rule_raw(srv, FUSE_GET_DAXDEV, TFS_ANY, &good, sizeof(good), 1);
	EXPECT_EQ(0, open_close(&self->env, "f"));
}

TEST_F(device, D4_reply_may_leave_the_index_zero)
{
	struct fuse_daxdev_out out = {};

	if (self->env.ndevs < 2)
		SKIP(return, "need two dax devices in FAMFS_DAXDEVS");
	tfs_add_simple(&self->env, "second", SIZE, 1, 0);
	set_name(out.name, self->env.devs[1].path);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_EQ(0, rule_raw(&self->env.srv, FUSE_GET_DAXDEV, 1, &out,
			      sizeof(out), 1));
	EXPECT_EQ(0, open_close(&self->env, "second"));
	EXPECT_EQ(0, open_close(&self->env, "f"));
}

/* It is one device all the same: no page of it can be in two files. */
TEST_F(device, D4_one_device_under_two_indices)
{
	set_name(self->env.srv.st->devs[5], self->env.devs[0].path);
	tfs_add_simple(&self->env, "fifth", SIZE, 5, PMD);
	tfs_add_simple(&self->env, "same", SIZE, 5, 0);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_EQ(0, open_close(&self->env, "f"));
	EXPECT_EQ(0, open_close(&self->env, "fifth"));
	EXPECT_EQ(-EEXIST, open_close(&self->env, "same"));
	EXPECT_EQ(0, open_close(&self->env, "f"));
	EXPECT_COUNT(2, FUSE_GET_DAXDEV);
}

/* More names than this a device does not get; each may have any number. */
TEST_F(device, D4_indices_without_end)
{
	const __u32 max = 256;
	struct fuse_daxdev_out out = {};
	struct tfs_msg m;
	__u32 i;

	set_name(out.name, self->env.devs[0].path);
	for (i = 0; i < 2; i++) {
		__u32 n;

		tfs_msg_init(&m, 0, FUSE_FMAP_EXT_SIMPLE);
		for (n = 0; n < max + i; n++)
			tfs_msg_extent(&m, ~n, n * 4096, 4096);
		tfs_add_mapped(&self->env, i ? "more" : "most", &m);
		tfs_msg_exit(&m);
	}
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	rule_raw(&self->env.srv, FUSE_GET_DAXDEV, TFS_ANY, &out,
		 sizeof(out), -1);
	EXPECT_EQ(0, open_close(&self->env, "most"));
	EXPECT_COUNT(max, FUSE_GET_DAXDEV);
	EXPECT_EQ(-E2BIG, open_close(&self->env, "more"));
	EXPECT_COUNT(max + 1, FUSE_GET_DAXDEV);
}

TEST_F(device, D1_request_names_the_index)
{
	const struct tfs_state *st = self->env.srv.st;

	set_name(self->env.srv.st->devs[5], self->env.devs[0].path);
	tfs_add_simple(&self->env, "fifth", SIZE, 5, PMD);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_EQ(0, open_close(&self->env, "fifth"));
	EXPECT_EQ(sizeof(st->get_daxdev), st->in_len[FUSE_GET_DAXDEV]);
	EXPECT_EQ(FUSE_ROOT_ID, st->daxdev_nodeid);
	EXPECT_EQ(5, st->get_daxdev.index);
	EXPECT_EQ(0, st->get_daxdev.flags);
	EXPECT_EQ(0, st->get_daxdev.reserved);
}

TEST_F(device, D3_device_bound_to_another_driver)
{
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	ASSERT_EQ(0, tfs_bind(&self->env.devs[0], "device_dax"));
	EXPECT_EQ(-EOPNOTSUPP, open_close(&self->env, "f"));
	EXPECT_EQ(-EOPNOTSUPP, open_close(&self->env, "f"));
	EXPECT_COUNT(2, FUSE_GET_DAXDEV);
	/* The remedy; nothing was remembered. */
	ASSERT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	EXPECT_EQ(0, open_close(&self->env, "f"));
}

TEST_F(device, D3_device_held_by_another_mount)
{
	struct tfs_env other;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	ASSERT_EQ(0, tfs_mount_other(&self->env, &other, SIZE));
	EXPECT_EQ(0, open_close(&self->env, "f"));
	EXPECT_EQ(-EBUSY, open_close(&other, "f"));
	EXPECT_EQ(-EBUSY, open_close(&other, "f"));
	EXPECT_EQ(0, tfs_umount(&self->env));
	EXPECT_EQ(0, open_close(&other, "f"));
	EXPECT_EQ(0, tfs_umount(&other));
	EXPECT_EQ(0, tfs_env_exit(&other));
}

/* The last reference to a connection is often its server's device. */
TEST_F(device, D5_free_after_umount_while_dev_fuse_is_open)
{
	struct tfs_env other;
	int kept;

	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	EXPECT_EQ(0, open_close(&self->env, "f"));
	kept = dup(self->env.srv.fd);
	ASSERT_GE(kept, 0);
	ASSERT_EQ(0, umount2(self->env.dir, 0));
	self->env.mounted = false;
	ASSERT_EQ(0, tfs_mount_other(&self->env, &other, SIZE));
	EXPECT_EQ(0, open_close(&other, "f"));
	EXPECT_EQ(0, tfs_umount(&other));
	/* Nor is it in the way of a change of drivers. */
	EXPECT_EQ(0, tfs_bind(&self->env.devs[0], "device_dax"));
	EXPECT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	close(kept);
	EXPECT_EQ(0, tfs_env_exit(&other));
}

TEST_F(device, D5_free_after_the_server_was_killed_and_umount)
{
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	EXPECT_EQ(0, open_close(&self->env, "f"));
	ASSERT_EQ(0, tfs_server_signal(&self->env.srv, SIGKILL));
	EXPECT_EQ(0, tfs_umount(&self->env));
	ASSERT_EQ(0, tfs_remount(&self->env));
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	EXPECT_EQ(0, open_close(&self->env, "f"));
}

TEST_F(device, D5_held_until_the_last_file_of_a_lazy_umount)
{
	struct tfs_env other;
	char c = 'l';
	int fd;

	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	fd = ASSERT_OPEN("f", O_RDWR);
	ASSERT_EQ(0, umount2(self->env.dir, MNT_DETACH));
	self->env.mounted = false;
	ASSERT_EQ(0, tfs_mount_other(&self->env, &other, SIZE));
	EXPECT_EQ(-EBUSY, open_close(&other, "f"));
	EXPECT_EQ(1, pwrite(fd, &c, 1, 0));
	close(fd);
	EXPECT_EQ(0, open_close(&other, "f"));
	EXPECT_EQ(0, tfs_umount(&other));
	EXPECT_EQ(0, tfs_env_exit(&other));
}

TEST_F_TIMEOUT(device, D5_mounts_and_umounts_a_hundred_times, 120)
{
	char c = 0;
	int i, fd;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, tfs_remount(&self->env));
		tfs_add_simple(&self->env, "f", SIZE, 0, 0);
		fd = ASSERT_OPEN("f", O_RDWR);
		if (i) {
			ASSERT_EQ(1, pread(fd, &c, 1, 77));
			ASSERT_EQ(i, c);
		}
		c = i + 1;
		ASSERT_EQ(1, pwrite(fd, &c, 1, 77));
		close(fd);
	}
}

TEST_HARNESS_MAIN
