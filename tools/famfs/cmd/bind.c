// SPDX-License-Identifier: GPL-2.0
/*
 * famfs bind and unbind: a dax device goes from one driver to another, and
 * back to the one that it had where that fails.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "device.h"
#include "place.h"
#include "second.h"

#define DAX_DRIVERS	"/sys/bus/dax/drivers"

/* How long a node may take to appear, in tenths of a second. */
#define BIND_NODE_TENTHS	30

/* 0 or -errno. */
static int bind_write(const char *driver, const char *file, const char *name)
{
	char path[PATH_MAX];
	int fd, err = 0;

	snprintf(path, sizeof(path), DAX_DRIVERS "/%s/%s", driver, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, name, strlen(name)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* The driver may be a module. */
static bool bind_has_driver(const char *driver)
{
	char path[PATH_MAX];
	int status;
	pid_t child;

	snprintf(path, sizeof(path), DAX_DRIVERS "/%s", driver);
	if (!access(path, F_OK))
		return true;
	child = fork();
	if (!child) {
		execlp("modprobe", "modprobe", "-q", driver, (char *)NULL);
		_exit(1);
	}
	if (child > 0)
		waitpid(child, &status, 0);
	return !access(path, F_OK);
}

static int bind_give(const char *name, const char *driver)
{
	char now[64];
	int err;

	/* fsdev_dax takes only what it is told of; new_id also attaches. */
	if (!strcmp(driver, "fsdev_dax"))
		err = bind_write(driver, "new_id", name);
	else
		err = bind_write(driver, "bind", name);
	device_driver(name, now, sizeof(now));
	if (!strcmp(now, driver))
		return 0;
	return err ? err : -ENODEV;
}

static void bind_take(const char *name, const char *driver)
{
	bind_write(driver, "unbind", name);
	if (!strcmp(driver, "fsdev_dax"))
		bind_write(driver, "remove_id", name);
}

static void bind_wait_for_node(const char *name)
{
	char node[80];

	snprintf(node, sizeof(node), "/dev/%s", name);
	for (int i = 0; i < BIND_NODE_TENTHS && access(node, F_OK); i++)
		usleep(100000);
}

static int bind_refused(const char *path, const char *name, const char *driver,
			int err)
{
	char next[200];

	snprintf(next, sizeof(next), "dmesg | grep %s   says more", name);
	cmd_fail(path, err == -EACCES || err == -EPERM ? "run it as root" : next,
		 "%s does not take it: %s", driver, strerror(-err));
	return 1;
}

/*
 * By its number: the node that is named like the device can be missing, or be that
 * of another one.
 */
static bool bind_is_node(const char *node, dev_t number)
{
	struct statx st;

	return !statx(AT_FDCWD, node, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		      STATX_TYPE, &st) && S_ISCHR(st.stx_mode) &&
	       makedev(st.stx_rdev_major, st.stx_rdev_minor) == number;
}

/* False: without a node nobody can tell who has it; that has been said. */
static bool bind_find_node(const char *path, const char *name, dev_t number,
			   char node[PATH_MAX])
{
	char next[200];

	snprintf(node, PATH_MAX, "/dev/%s", name);
	if (bind_is_node(node, number))
		return true;
	snprintf(node, PATH_MAX, "%s", path);
	if (bind_is_node(node, number))
		return true;
	snprintf(next, sizeof(next), "mknod -m 600 DIR/%s c %u %u, then name that",
		 name, major(number), minor(number));
	cmd_fail(path, next, "/dev/%s is no node of it: whether it is in use cannot be told",
		 name);
	return false;
}

/*
 * Whoever has it mounted would lose it under their hands.
 *
 * Return: a descriptor, or -1 where it has no driver; nobody can mount it while
 * that is open. -2: it is not free, or that cannot be told, which has been said.
 */
static int bind_hold(const char *path, const char *node)
{
	int fd = open(node, O_RDWR | O_EXCL | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENXIO || errno == ENODEV)
		return -1;
	if (errno == EBUSY)
		cmd_fail(path, "findmnt -t fuse.famfs   shows it; famfs umount DIR ends it",
			 "it is mounted, or a program has it");
	else
		cmd_fail(path, errno == EACCES || errno == EPERM ?
			 "run it as root" :
			 "findmnt -t fuse.famfs   shows what is mounted; then try it again",
			 "whether it is mounted cannot be told: %s",
			 strerror(errno));
	return -2;
}

/* A mapping of it would be gone, and its program killed by the next access. */
static bool bind_is_used(const char *path, dev_t number)
{
	struct device_user user;
	int res = device_find_user(number, &user);
	char next[200];

	if (!res)
		return false;
	snprintf(next, sizeof(next), "kill -9 %u   ends it; or take the device away from whoever has it: --force of famfs bind and unbind",
		 user.pid);
	if (res == -ETIMEDOUT)
		cmd_fail(path, next, "whether process %u, %s, has it mapped cannot be told: its memory is locked",
			 user.pid, cmd_text(user.name));
	else if (res < 0)
		cmd_fail(path, res == -EIO ? "try it again" :
			 "mount -t proc proc /proc; or --force of famfs bind and unbind",
			 "who has it open cannot be told: %s", strerror(-res));
	else
		cmd_fail(path, "end that, or take it away from it: --force of famfs bind and unbind",
			 "process %u, %s, has it open or mapped", user.pid,
			 cmd_text(user.name));
	return true;
}

/*
 * Free of mounts and, unless @force, of programs. @held is kept until the driver
 * has gone: what was free stays free of mounts.
 */
static bool bind_is_free(const char *path, const char *name, const char *driver,
			 bool force, int *held)
{
	char node[PATH_MAX];
	dev_t number;

	*held = -1;
	if (!device_number(name, &number)) {
		cmd_fail(path, "daxctl list   shows which devices there are",
			 "it has gone");
		return false;
	}
	if (!strcmp(driver, "fsdev_dax")) {
		if (!bind_find_node(path, name, number, node))
			return false;
		*held = bind_hold(path, node);
	}
	return *held != -2 && (force || !bind_is_used(path, number));
}

/* As before, where it cannot be given to another driver. */
static int bind_change(const char *path, const char *name, const char *old,
		       const char *driver)
{
	int err;

	if (old[0])
		bind_take(name, old);
	err = bind_give(name, driver);
	if (!err) {
		bind_wait_for_node(name);
		return 0;
	}
	if (old[0])
		bind_give(name, old);
	return bind_refused(path, name, driver, err);
}

static int bind_turn(const char *path, const char *name, const char *driver,
		     bool force)
{
	char old[64], next[200];
	int held, status = 1;

	device_driver(name, old, sizeof(old));
	if (!strcmp(old, driver))
		return 0;
	if (!strcmp(old, "kmem")) {
		snprintf(next, sizeof(next), "daxctl reconfigure-device -f -m devdax %s   takes it offline",
			 name);
		cmd_fail(path, next, "it is System RAM, and in use as such");
		return 1;
	}
	if (!bind_has_driver(driver)) {
		cmd_fail(driver, "boot a kernel with CONFIG_DEV_DAX_FSDEV",
			 "the kernel has no such driver");
		return 1;
	}
	if (bind_is_free(path, name, old, force, &held))
		status = bind_change(path, name, old, driver);
	if (held >= 0)
		close(held);
	return status;
}

int device_bind(const char *path, const char *driver, bool force)
{
	char name[64];
	int turn, status;

	if (!place_answers(path))
		return 1;
	if (!device_name(path, name, sizeof(name))) {
		cmd_fail(path, "daxctl list   shows which devices there are",
			 "it is no dax device");
		return 1;
	}
	/* In between it has no driver, or another node. */
	turn = turn_wait("bind", path);
	if (turn < 0)
		return 1;
	status = bind_turn(path, name, driver, force);
	close(turn);
	return status;
}

static int bind_main(int argc, char **argv, const char *help, const char *driver)
{
	static const struct option options[] = {
		{ "force", no_argument, NULL, 'f' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	bool force = false;
	int option;

	while ((option = getopt_long(argc, argv, "fqh", options, NULL)) >= 0) {
		if (option == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (option == '?')
			return 2;
		force |= option == 'f';
		cmd_quiet |= option == 'q';
	}
	if (optind != argc - 1) {
		cmd_fail(argv[0], "famfs bind --help",
			 "one device must be named");
		return 2;
	}
	if (device_bind(argv[optind], driver, force))
		return 1;
	cmd_say("%s: bound to %s", argv[optind], driver);
	return 0;
}

int cmd_bind(int argc, char **argv)
{
	return bind_main(argc, argv,
		"Usage: famfs bind [OPTION...] DEVICE\n"
		"\n"
		"Gives a dax device to the driver fsdev_dax, which file systems need. That\n"
		"lasts until the next boot; the mount option fsdev does it each time.\n"
		"\n"
		"  -f, --force    also from programs that have it open or mapped: what they\n"
		"                 have mapped is gone\n"
		"  -q, --quiet    say nothing but errors\n"
		"  -h, --help\n", "fsdev_dax");
}

int cmd_unbind(int argc, char **argv)
{
	return bind_main(argc, argv,
		"Usage: famfs unbind [OPTION...] DEVICE\n"
		"\n"
		"Gives a dax device back to the driver device_dax. What is on it stays.\n"
		"\n"
		"  -f, --force    also from programs that have it open\n"
		"  -q, --quiet    say nothing but errors\n"
		"  -h, --help\n", "device_dax");
}
