// SPDX-License-Identifier: GPL-2.0
/*
 * famfs bind and unbind: a device was once taken away from a mount where opening
 * its node failed for another reason than that, or the node was another one's; and
 * they waited for good, with the turn of all others, for a process whose memory is
 * locked, as a server that hangs can have it. Of a process they saw what its main
 * thread has, and nothing once that had ended.
 *
 * sysfs is made up. Minutes take three seconds. It has mounts of its own, and
 * needs root for that.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "cmd.h"
#include "kernel.h"
#include "second.h"

#define FASTER	20
#define THREADS	64u
#define DAX	"/sys/bus/dax/devices/dax0.0"
#define DRIVERS	"/sys/bus/dax/drivers/"

static struct shared here;

/*
 * @error: of an O_EXCL open of a node; 0: it has it
 * @node: what it has opened like that, or -1
 * @unbound, @held: the driver was taken away, and while that was open
 * @hangs: the map_files of a process
 * @kills: whoever opens those
 * @looks: how many tables of descriptors were looked at, which children count too
 */
static struct {
	int error, node;
	bool unbound, held, hangs, kills;
	_Atomic unsigned int *looks;
} sys = { .node = -1 };

int clock_gettime(clockid_t clock, struct timespec *now)
{
	return kernel_clock(clock, now, FASTER);
}

static void sys_set_driver(const char *driver)
{
	char target[80];

	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	unlink(DAX "/driver");
	CHECK(!symlink(target, DAX "/driver"));
}

int open(const char *path, int flags, ...)
{
	va_list args;
	int mode, fd;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, int) : 0;
	va_end(args);
	if (!strcmp(path, DRIVERS "fsdev_dax/unbind")) {
		sys.unbound = true;
		sys.held = sys.node >= 0 && fcntl(sys.node, F_GETFD) >= 0;
	}
	if (!strcmp(path, DRIVERS "device_dax/bind"))
		sys_set_driver("device_dax");
	if (flags & O_EXCL && !(flags & O_CREAT) && sys.error) {
		errno = sys.error;
		return -1;
	}
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (flags & O_EXCL && !(flags & O_CREAT))
		sys.node = fd;
	return fd;
}

int openat(int folder, const char *path, int flags, ...)
{
	while (sys.hangs && !strcmp(path, "map_files"))
		pause();
	if (sys.kills && !strcmp(path, "map_files"))
		raise(SIGKILL);
	*sys.looks += !strcmp(path, "fd");
	return (int)syscall(SYS_openat, folder, path, flags, 0);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	CHECK(file && fputs(text, file) >= 0);
	if (file)
		fclose(file);
}

static void sys_make(void)
{
	static const char *const folders[] = {
		"/sys/bus", "/sys/bus/dax", "/sys/bus/dax/devices", DAX,
		"/sys/bus/dax/drivers", DRIVERS "fsdev_dax",
		DRIVERS "device_dax", "/sys/dev", "/sys/dev/char",
	};

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		CHECK(!mkdir(folders[i], 0755));
	/* What is always there. */
	write_file(DAX "/dev", "1:5\n");
	CHECK(!symlink("../../devices/x/dax0.0", "/sys/dev/char/1:5"));
	write_file(DRIVERS "fsdev_dax/unbind", "");
	write_file(DRIVERS "fsdev_dax/remove_id", "");
	write_file(DRIVERS "device_dax/bind", "");
	CHECK(!mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3)));
}

/* Which node is /dev/dax0.0; 0: there is none. */
static int unbind(const char *name, unsigned int minor, int error)
{
	char *argv[] = { "unbind", (char *)name, NULL };
	int status;

	unlink("/dev/dax0.0");
	CHECK(!minor || !mknod("/dev/dax0.0", S_IFCHR | 0600,
			       makedev(1, minor)));
	sys_set_driver("fsdev_dax");
	sys.error = error;
	sys.node = -1;
	sys.unbound = sys.held = false;
	kernel_said[0] = '\0';
	optind = 0;
	alarm(60);
	status = cmd_unbind(2, argv);
	alarm(0);
	CHECK(status == !sys.unbound);
	return status;
}

static void check_node(void)
{
	static const int errors[] = { EACCES, EPERM, EIO, EINTR, ENOMEM,
				      EMFILE, ENOENT, EROFS };

	CHECK(!unbind("/dev/dax0.0", 5, 0) && sys.held);
	CHECK(fcntl(sys.node, F_GETFD) < 0);
	CHECK(!unbind("/dev/dax0.0", 5, ENXIO) && !sys.held);
	CHECK(!unbind("/dev/dax0.0", 5, ENODEV));
	CHECK(unbind("/dev/dax0.0", 5, EBUSY));
	CHECK(strstr(kernel_said, "it is mounted"));
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		CHECK(unbind("/dev/dax0.0", 5, errors[i]));
		CHECK(strstr(kernel_said, "cannot be told") && kernel_next[0]);
	}
	/* By another name, alone or beside a node of another device. */
	CHECK(!mknod("/dev/other", S_IFCHR | 0600, makedev(1, 5)));
	for (unsigned int minor = 0; minor < 4; minor += 3) {
		CHECK(unbind("/dev/other", minor, EBUSY));
		CHECK(strstr(kernel_said, "it is mounted"));
		CHECK(!unbind("/dev/other", minor, 0) && sys.held);
		CHECK(unbind("dax0.0", minor, 0));
		CHECK(strstr(kernel_said, "is no node of it") &&
		      strstr(kernel_next, " c 1 5"));
	}
}

/* The memory of the first process that is looked at is locked. */
static void check_hang(void)
{
	sys.hangs = true;
	CHECK(unbind("/dev/dax0.0", 5, 0));
	CHECK(strstr(kernel_said, "its memory is locked"));
	CHECK(strstr(kernel_next, "--force"));
	sys.hangs = false;
}

/* What has not looked at all has found nobody, and that says nothing. */
static void check_killed(void)
{
	sys.kills = true;
	CHECK(unbind("/dev/dax0.0", 5, 0));
	CHECK(strstr(kernel_said, "who has it open cannot be told"));
	sys.kills = false;
}

/* Somebody who has it, in a thread besides the main one. */
struct user {
	bool own, maps, ends;
	pthread_t first;
	int ready[2];
};

static void *user_thread(void *context)
{
	struct user *user = context;
	int node;

	CHECK(!user->own || !unshare(CLONE_FILES));
	node = open("/dev/node", O_RDWR);
	CHECK(node >= 0);
	if (user->maps) {
		CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, node, 0) !=
		      MAP_FAILED);
		close(node);
	}
	if (user->ends)
		pthread_join(user->first, NULL);
	CHECK(write(user->ready[1], "", 1) == 1);
	for (;;)
		pause();
	return NULL;
}

static void user_run(struct user *user)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	user->first = pthread_self();
	CHECK(!pthread_create(&thread, NULL, user_thread, user));
	if (user->ends)
		pthread_exit(NULL);
	for (;;)
		pause();
}

static void check_user(struct user user)
{
	char byte, holder[48];
	pid_t child;

	CHECK(!pipe(user.ready));
	child = fork();
	if (!child)
		user_run(&user);
	CHECK(read(user.ready[0], &byte, 1) == 1);
	CHECK(unbind("/dev/dax0.0", 5, 0));
	snprintf(holder, sizeof(holder), "process %d, test_bind, has it", child);
	CHECK(strstr(kernel_said, holder));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(user.ready[0]);
	close(user.ready[1]);
	CHECK(!unbind("/dev/dax0.0", 5, 0));
}

static void *pause_thread(void *context)
{
	for (;;)
		pause();
	return context;
}

/* Threads that have one table do not have it looked at for each. */
static void check_threads(void)
{
	unsigned int before;
	int ready[2];
	char byte;
	pid_t child;

	*sys.looks = 0;
	CHECK(!unbind("/dev/dax0.0", 5, 0));
	before = *sys.looks;
	CHECK(!pipe(ready));
	child = fork();
	if (!child) {
		pthread_t thread;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned int i = 0; i < THREADS; i++)
			CHECK(!pthread_create(&thread, NULL, pause_thread, NULL));
		CHECK(write(ready[1], "", 1) == 1);
		pause_thread(NULL);
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	*sys.looks = 0;
	CHECK(!unbind("/dev/dax0.0", 5, 0));
	CHECK(*sys.looks < before + THREADS / 2);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

static void check_users(void)
{
	CHECK(!mknod("/dev/node", S_IFCHR | 0600, makedev(1, 5)));
	check_user((struct user) { .own = false });
	check_user((struct user) { .own = true });
	check_user((struct user) { .ends = true });
	check_user((struct user) { .maps = true, .ends = true });
	check_threads();
}

/* Somebody has the turn, and does not end. */
static void check_turn(void)
{
	char holder[32];
	pid_t child = fork();

	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(turn_wait("bind", "test") < 0 || pause());
	}
	usleep(300000);
	CHECK(unbind("/dev/dax0.0", 5, 0));
	snprintf(holder, sizeof(holder), "process %d, test_bind", child);
	CHECK(strstr(kernel_said, holder));
	CHECK(turn_try("bind") < 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(!unbind("/dev/dax0.0", 5, 0));
}

/* Two have it before this one, each for 80 seconds. */
static void check_queue(void)
{
	static const char next[] = "1, next";
	pid_t child = fork();
	int turn;

	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		turn = turn_wait("bind", "test");
		usleep(80000000 / FASTER);
		if (ftruncate(turn, 0) || pwrite(turn, next, sizeof(next), 0) < 0)
			_exit(1);
		usleep(80000000 / FASTER);
		_exit(0);
	}
	usleep(300000);
	CHECK(!unbind("/dev/dax0.0", 5, 0));
	CHECK(waitpid(child, NULL, 0) == child);
}

int main(void)
{
	shared = &here;
	sys.looks = mmap(NULL, sizeof(*sys.looks), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	setvbuf(stdout, NULL, _IONBF, 0);
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/run", "tmpfs", 0, NULL) ||
	    mount("none", "/sys", "tmpfs", 0, NULL) ||
	    mount("none", "/dev", "tmpfs", 0, NULL)) {
		printf("not run: mounts need root\n");
		return 0;
	}
	sys_make();
	check_node();
	check_hang();
	check_killed();
	check_users();
	check_turn();
	check_queue();
	printf("%s\n", here.failed ? "failed" : "devices are taken away from nobody");
	return here.failed;
}
