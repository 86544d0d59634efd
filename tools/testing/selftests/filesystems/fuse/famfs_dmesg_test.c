// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel log says of devices that are refused: on which mount, which
 * one, why and what helps, but not as often as an unprivileged user likes, and no addresses.
 *
 * What is easily wrong here: an errno alone, from which nobody learns which of
 * the devices must be bound to which driver; a line for each open.
 */
#include <ctype.h>
#include <time.h>
#include <sys/sysmacros.h>

#include "tfs_test.h"

#define SIZE	(64 * 1024UL)
/* Of printk's usual limit: so many lines in so many seconds. */
#define BURST	10
#define INTERVAL 5

FIXTURE(dmesg)
{
	struct tfs_env env;
	int log;
};

FIXTURE_SETUP(dmesg)
{
	const char *why = tfs_env_init(&self->env, 1);

	self->log = -1;
	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	self->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (self->log < 0)
		SKIP(return, "need /dev/kmsg");
	ASSERT_LE(0, lseek(self->log, 0, SEEK_END));
}

FIXTURE_TEARDOWN(dmesg)
{
	if (self->log >= 0)
		close(self->log);
	tfs_bind(&self->env.devs[0], "fsdev_dax");
	TFS_TEARDOWN();
}

/* The next record that speaks of a device of ours; false if there is none. */
static bool next_line(int log, char *line, size_t len)
{
	ssize_t n;

	while ((n = read(log, line, len - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		line[n > 0 ? n : 0] = '\0';
		if (strstr(line, "dax device "))
			return true;
	}
	return false;
}

/*
 * Opens until the log has a line with all of these words; others may have used
 * up what the limit allows just now.
 */
static bool refused_in_words(struct tfs_env *env, int log, int err,
			     const char *a, const char *b)
{
	char line[1024], mount[64];
	struct stat st;
	int i;

	if (stat(env->dir, &st))
		return false;
	snprintf(mount, sizeof(mount), "%u:%u: dax device ",
		 major(st.st_dev), minor(st.st_dev));
	for (i = 0; i < 4 * INTERVAL; i++) {
		int fd = tfs_open(env, "f", O_RDWR);

		if (fd >= 0)
			close(fd);
		if (fd != err)
			return false;
		while (next_line(log, line, sizeof(line)))
			if (strstr(line, mount) &&
			    strstr(line, env->srv.st->devs[0]) &&
			    strstr(line, a) && strstr(line, b))
				return true;
		usleep(500000);
	}
	return false;
}

TEST_F(dmesg, D3_wrong_driver_is_told_with_device_and_remedy)
{
	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	ASSERT_EQ(0, tfs_bind(&self->env.devs[0], "device_dax"));
	EXPECT_TRUE(refused_in_words(&self->env, self->log, -EOPNOTSUPP,
				     "fsdev_dax", "new_id"));
}

TEST_F(dmesg, D3_missing_driver_is_told_with_device_and_remedy)
{
	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
	EXPECT_TRUE(refused_in_words(&self->env, self->log, -EOPNOTSUPP,
				     "fsdev_dax", "new_id"));
}

TEST_F(dmesg, O2_unknown_device_is_told_by_its_name)
{
	char *name = self->env.srv.st->devs[0];

	snprintf(name, FUSE_DAXDEV_NAME_MAX, "/dev/null");
	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	EXPECT_TRUE(refused_in_words(&self->env, self->log, -ENODEV,
				     "refused", "-19"));
}

/* Which of the mounts and devices it is, as far as the limit allows. */
TEST_F(dmesg, O2_device_that_goes_is_told_with_its_mount)
{
	char line[1024], words[128];
	bool told = false;
	struct stat st;
	int i;

	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	ASSERT_EQ(0, stat(self->env.dir, &st));
	snprintf(words, sizeof(words), "%u:%u: dax device 0 (%s) is going",
		 major(st.st_dev), minor(st.st_dev),
		 strrchr(self->env.srv.st->devs[0], '/') + 1);
	for (i = 0; i < 3 && !told; i++) {
		usleep(i * INTERVAL * 1000000);
		close(ASSERT_OPEN("f", O_RDWR));
		ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
		while (next_line(self->log, line, sizeof(line)))
			told |= !!strstr(line, words);
		ASSERT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
		EXPECT_EQ(0, tfs_evict(&self->env, 0));
	}
	EXPECT_TRUE(told);
}

/* The server chooses the name: it must not forge lines of the log. */
TEST_F(dmesg, X4_names_are_escaped)
{
	char *name = self->env.srv.st->devs[0];

	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	snprintf(name, FUSE_DAXDEV_NAME_MAX, "/none\n<0>forged");
	EXPECT_FALSE(refused_in_words(&self->env, self->log, -ENOENT, "dax",
				      ""));
}

/* Looks like an address, plain or hashed: 16 hexadecimal digits in a row. */
static bool has_pointer(const char *line)
{
	int digits = 0;

	for (; *line; line++) {
		digits = isxdigit((unsigned char)*line) ? digits + 1 : 0;
		if (digits >= 16)
			return true;
	}
	return false;
}

TEST_F(dmesg, X4_lines_are_few_and_show_no_pointers)
{
	struct timespec start, now;
	char line[1024];
	int i, lines = 0;

	tfs_add_simple(&self->env, "malformed", SIZE, 0, 100);
	ASSERT_EQ(0, tfs_mount_thread(&self->env));
	ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
	while (next_line(self->log, line, sizeof(line)))
		;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 0; i < 100; i++) {
		EXPECT_OPEN_FAILS(EINVAL, "malformed", O_RDWR);
		EXPECT_OPEN_FAILS(EOPNOTSUPP, "f", O_RDWR);
		while (next_line(self->log, line, sizeof(line))) {
			lines++;
			EXPECT_FALSE(has_pointer(line)) {
				TH_LOG("%s", line);
			}
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	EXPECT_GE(BURST * (2 + (now.tv_sec - start.tv_sec) / INTERVAL), lines);
}

TEST_HARNESS_MAIN
