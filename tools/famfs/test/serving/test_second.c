// SPDX-License-Identifier: GPL-2.0
/*
 * One more mount point of what a server has mounted, while something else in the
 * table of mounts has the same type and source: a user can have that by
 * fusermount3, and once got it mounted again without nosuid. And while another
 * mount lies over the first one, which was mounted in its place. A device by
 * another name was once taken for another one, and a copy of it, which has its
 * uuid, took the socket of the first. And a server that did not answer for five
 * seconds, as it read its log, once made it fail.
 *
 * It has mounts of its own, and needs root and /dev/fuse for that.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cmd.h"
#include "kernel.h"
#include "second.h"

#define SOURCE	"/dev/dax0.0"

static struct shared here;
static char said[4096];
/* So many questions are not answered: it reads a long log. */
static _Atomic int silent;

static void *answer(void *context)
{
	int fd, listening = *(int *)context;
	char word[32];

	while ((fd = accept(listening, NULL, NULL)) >= 0) {
		if (silent > 0 && silent--)
			usleep(5500000);
		else if (read(fd, word, sizeof(word)) > 0 &&
		    write(fd, said, strlen(said)) < 0)
			perror("answer");
		close(fd);
	}
	return NULL;
}

/* What a user has mounted: its server is gone already. */
static bool lie(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[80];
	int err;

	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	err = fd < 0 || mount(SOURCE, "user", "fuse.famfs",
			      MS_NOSUID | MS_NODEV, options);
	if (fd >= 0)
		close(fd);
	return !err;
}

static dev_t number(const char *path)
{
	struct statx st = { 0 };

	CHECK(!statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, 0, &st));
	return makedev(st.stx_dev_major, st.stx_dev_minor);
}

/* What the server says of itself, but for the superblock. */
static void say(dev_t superblock, const char *device, const char *state)
{
	snprintf(said, sizeof(said),
		 "uuid test\ndevice %s\nsource " SOURCE "\nstate %s\nsuperblock %u:%u\nmountpoint first\n",
		 device, state, major(superblock), minor(superblock));
}

/* By which name the server knows the device, and which one is meant. */
static void check_names(struct serve *wanted, dev_t first)
{
	CHECK(!mknod("one", S_IFCHR | 0600, makedev(240, 1)));
	CHECK(!mknod("name", S_IFCHR | 0600, makedev(240, 1)));
	CHECK(!mknod("copy", S_IFCHR | 0600, makedev(240, 2)));
	wanted->device = "name";
	say(first, "one", "serving");
	CHECK(!second_mount_point(wanted));
	CHECK(number("two") == first);
	CHECK(!umount2("two", MNT_DETACH));
	wanted->device = "copy";
	CHECK(second_mount_point(wanted) == SECOND_FAILED);
	say(first, "one", "stopped");
	CHECK(second_mount_point(wanted) == SECOND_FAILED);
	wanted->device = "name";
	CHECK(second_mount_point(wanted) == SECOND_FAILED);
	/* That one is no longer in the way, nor there to be joined. */
	say(first, "one", "ending");
	CHECK(second_mount_point(wanted) == -1);
	wanted->device = "copy";
	CHECK(second_mount_point(wanted) == -1);
	wanted->device = SOURCE;
}

static void run(void)
{
	struct serve wanted = { .device = SOURCE, .source = SOURCE,
				.mountpoint = "two", .flags = "dev,suid",
				.uuid = "test" };
	dev_t first;

	CHECK(!mount("none", "first", "tmpfs", 0, NULL));
	first = number("first");
	say(first, SOURCE, "serving");
	kernel_listen(answer);
	CHECK(!second_mount_point(&wanted));
	CHECK(number("two") == first);
	CHECK(!umount2("two", MNT_DETACH));
	check_names(&wanted, first);
	say(first, SOURCE, "serving");
	silent = 1;
	CHECK(!second_mount_point(&wanted));
	CHECK(number("two") == first);
	CHECK(!umount2("two", MNT_DETACH));
	say(first, SOURCE, "serving");
	CHECK(!mount("none", "first", "tmpfs", 0, NULL));
	CHECK(second_mount_point(&wanted) == SECOND_FAILED);
	CHECK(number("two") == number("."));
}

int main(void)
{
	char folder[] = "/tmp/second.XXXXXX";

	shared = &here;
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/run", "tmpfs", 0, NULL)) {
		printf("not run: mounts need root\n");
		return 0;
	}
	CHECK(mkdtemp(folder) && !mount("none", folder, "tmpfs", 0, NULL));
	CHECK(!chdir(folder) && !mkdir("user", 0755) && !mkdir("two", 0755) &&
	      !mkdir("first", 0755));
	if (!here.failed && !lie())
		printf("not run: there is no /dev/fuse\n");
	else if (!here.failed)
		run();
	if (chdir("/") || umount2(folder, MNT_DETACH) || rmdir(folder))
		perror(folder);
	printf("%s\n", here.failed ? "failed" : "second mount points are of the right one");
	return here.failed;
}
