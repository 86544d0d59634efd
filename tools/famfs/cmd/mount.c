// SPDX-License-Identifier: GPL-2.0
/*
 * mount.famfs: mounts, as mount(8) calls it and as people do.
 *
 * The server is a child, and goes on in the background when it says that it is
 * ready; before that, what is wrong is its exit status.
 */

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "device.h"
#include "lost.h"
#include "place.h"
#include "second.h"
#include "serve.h"

/* As mount(8) knows them. */
enum { MOUNT_USAGE = 1, MOUNT_FAILED = 32 };

static const char mount_help[] =
	"Usage: famfs mount [OPTION...] SOURCE DIRECTORY\n"
	"       mount -t famfs [-o OPTIONS] SOURCE DIRECTORY\n"
	"\n"
	"Mounts a famfs file system. SOURCE is a device, famfs:UUID or famfs:LABEL.\n"
	"\n"
	"  -o OPTIONS         separated by commas: ro, nosuid, nodev, noexec, noatime,\n"
	"                     nodiratime, sync, dirsync and their opposites;\n"
	"                     fsdev: bind the device to fsdev_dax first;\n"
	"                     member: where another host owns it, be a member (trial)\n"
	"      --foreground   stay, and show what goes on\n"
	"  -d, --debug        show each request; stay in the foreground\n"
	"  -h, --help\n";

struct mounting {
	struct serve serve;
	char device[PATH_MAX], flags[512];
	struct place place;
	bool bind, fake, sloppy, again;
};

/* What libfuse or the kernel do. */
static const char *const mount_flags[] = {
	"ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "atime",
	"noatime", "diratime", "nodiratime", "relatime", "norelatime",
	"strictatime", "lazytime", "nolazytime", "sync", "async", "dirsync",
};

/* What only mount(8) and systemd need. */
static const char *const mount_ignored[] = {
	"defaults", "auto", "noauto", "nofail", "_netdev", "user", "nouser",
	"users", "owner", "group", "mand", "nomand",
};

static bool mount_is_in(const char *option, const char *const *list,
			size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(option, list[i]))
			return true;
	}
	return false;
}

#define MOUNT_IS_IN(option, list) \
	mount_is_in(option, list, sizeof(list) / sizeof(*(list)))

static bool mount_option(struct mounting *mounting, const char *option)
{
	size_t used = strlen(mounting->flags);

	if (!strcmp(option, "fsdev")) {
		mounting->bind = true;
		return true;
	}
	if (!strcmp(option, "member")) {
		mounting->serve.member = true;
		return true;
	}
	if (!strcmp(option, "remount")) {
		mounting->again = true;
		return true;
	}
	if (!*option || !strncasecmp(option, "x-", 2) ||
	    !strncmp(option, "comment=", 8) ||
	    MOUNT_IS_IN(option, mount_ignored))
		return true;
	if (!MOUNT_IS_IN(option, mount_flags)) {
		if (mounting->sloppy)
			return true;
		cmd_fail(option, "mount.famfs --help   lists them",
			 "there is no such option of a mount");
		return false;
	}
	if (used + strlen(option) + 2 > sizeof(mounting->flags)) {
		cmd_fail(option, "name each option once",
			 "the options have more than %zu bytes",
			 sizeof(mounting->flags) - 1);
		return false;
	}
	snprintf(mounting->flags + used, sizeof(mounting->flags) - used,
		 ",%s", option);
	return true;
}

static bool mount_options(struct mounting *mounting, char *list)
{
	char *option;

	while ((option = strsep(&list, ","))) {
		if (!mount_option(mounting, option))
			return false;
	}
	return true;
}

static void mount_fail_lost(const char *directory)
{
	char next[PATH_MAX + 32];

	snprintf(next, sizeof(next), "famfs umount %s", cmd_text(directory));
	cmd_fail(directory, next, "what is mounted there has lost its server");
}

/* What is there is asked: mounting over what does not answer would wait for it. */
static bool mount_place(struct mounting *mounting, const char *directory)
{
	int err = place_find(directory, !mounting->again, &mounting->place);

	mounting->serve.mountpoint = mounting->place.path;
	if (err == -ETIMEDOUT)
		cmd_fail(directory, "famfs restart DIR, or famfs umount DIR, of what is mounted there",
			 "the server of what is mounted there has stopped, or hangs");
	else if (lost_is(err))
		mount_fail_lost(directory);
	else if (err)
		cmd_fail(directory, "mkdir it", "%s", strerror(-err));
	else if (!S_ISDIR(mounting->place.mode))
		cmd_fail(directory, "mkdir another one", "it is no directory");
	else
		return true;
	return false;
}

/* Return: 0 to go on, else 1 + the exit status. */
static int mount_parse(struct mounting *mounting, int argc, char **argv)
{
	static const struct option options[] = {
		{ "foreground", no_argument, NULL, 'F' },
		{ "debug", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct serve *serve = &mounting->serve;
	int option;

	/* As other file systems are: users' programs expect no less. */
	strcpy(mounting->flags, "dev,suid");
	while ((option = getopt_long(argc, argv, "o:t:fsnvdqh", options,
				     NULL)) >= 0) {
		if (option == 'h') {
			fputs(mount_help, stdout);
			return 1;
		}
		if (option == '?' ||
		    (option == 'o' && !mount_options(mounting, optarg)))
			return 1 + MOUNT_USAGE;
		serve->foreground |= option == 'F' || option == 'd';
		serve->debug |= option == 'd';
		mounting->fake |= option == 'f';
		mounting->sloppy |= option == 's';
		cmd_quiet |= option == 'q';
	}
	if (optind != argc - 2) {
		cmd_fail("mount.famfs", "mount.famfs --help",
			 "a source and a directory must be named");
		return 1 + MOUNT_USAGE;
	}
	serve->source = argv[optind];
	return mount_place(mounting, argv[optind + 1]) ? 0 : 1 + MOUNT_FAILED;
}

/* The effective capabilities, and whether root is root, as proc shows them. */
static bool mount_has_rawio(void)
{
	unsigned long long effective = 0;
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];

	if (!status)
		return true;
	while (fgets(line, sizeof(line), status))
		sscanf(line, "CapEff: %llx", &effective);
	fclose(status);
	return effective >> 17 & 1;
}

static bool mount_in_first_namespace(void)
{
	unsigned int inside = 0, outside = 1, count = 0;
	FILE *map = fopen("/proc/self/uid_map", "re");
	int n;

	/* A kernel without user namespaces has no such file. */
	if (!map)
		return true;
	n = fscanf(map, "%u %u %u", &inside, &outside, &count);
	fclose(map);
	return n == 3 && !inside && !outside && count == UINT_MAX;
}

/* What the kernel would refuse later, or without saying why. */
static bool mount_allowed(const struct serve *serve)
{
	if (!mount_in_first_namespace()) {
		cmd_fail(serve->device, "mount it outside of the container",
			 "mounts of a user namespace get no maps of files");
		return false;
	}
	if (!mount_has_rawio()) {
		cmd_fail(serve->device, "run it as root, with CAP_SYS_RAWIO",
			 "whoever mounts it needs the capability CAP_SYS_RAWIO");
		return false;
	}
	if (access("/dev/fuse", R_OK | W_OK)) {
		cmd_fail("/dev/fuse", errno == ENOENT ? "modprobe fuse" :
			 "run it as root", "%s", strerror(errno));
		return false;
	}
	return true;
}

/* Its parent unmounts what a server leaves; nobody does what both leave. */
static int mount_wait(const struct serve *wanted, pid_t child, int ready)
{
	struct place place;
	int status;
	char byte;

	if (read(ready, &byte, 1) == 1)
		return 0;
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
		return MOUNT_FAILED;
	cmd_fail("mount.famfs", NULL, "the server was killed: %s",
		 strsignal(WTERMSIG(status)));
	if (lost_is(place_find(wanted->mountpoint, true, &place)))
		mount_fail_lost(wanted->mountpoint);
	return MOUNT_FAILED;
}

static int mount_in_background(struct serve *wanted)
{
	int ready[2];
	pid_t child;

	if (pipe(ready)) {
		cmd_fail_errno("mount.famfs", -errno);
		return MOUNT_FAILED;
	}
	child = fork();
	if (child < 0) {
		cmd_fail_errno("mount.famfs", -errno);
		return MOUNT_FAILED;
	}
	if (child) {
		close(ready[1]);
		return mount_wait(wanted, child, ready[0]);
	}
	close(ready[0]);
	setsid();
	wanted->ready = ready[1];
	exit(serve(wanted) ? MOUNT_FAILED : 0);
}

int cmd_mount(int argc, char **argv)
{
	static struct mounting mounting;
	struct serve *wanted = &mounting.serve;
	int status = mount_parse(&mounting, argc, argv);

	if (status)
		return status - 1;
	wanted->flags = mounting.flags;
	wanted->device = mounting.device;
	wanted->turn = -1;
	wanted->ready = -1;
	if (mounting.again)
		return mount_again(wanted);
	if (mounting.bind && device_bind(wanted->source, "fsdev_dax", false))
		return MOUNT_FAILED;
	if (!device_find(wanted->source, mounting.device,
			 sizeof(mounting.device)) ||
	    !device_check(mounting.device) || !mount_allowed(wanted))
		return MOUNT_FAILED;
	if (mounting.fake)
		return 0;
	if (!turn_take(wanted))
		return MOUNT_FAILED;
	status = second_mount_point(wanted);
	if (status >= 0)
		return status;
	if (wanted->foreground)
		return serve(wanted) ? MOUNT_FAILED : 0;
	return mount_in_background(wanted);
}
