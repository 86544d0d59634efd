// SPDX-License-Identifier: GPL-2.0
/*
 * famfs umount, while servers die, hang, end, or read a long log: it once waited
 * for good, without a word, where servers died of what the unmount itself asked
 * them; took the next mount of a file system for the one that it had unmounted, and
 * waited for that; took a server that was ending for that of a mount which had got
 * the number of its superblock; and one that did not answer for five seconds, as it
 * read its log, for none. A mount point whose server has stopped was asked, which
 * waited for good; the process that asks then stayed when the command was ended, and
 * kept the mount; and one that unmounts kept the folder that its user was in.
 *
 * The server is a thread, and minutes take three seconds. It has mounts of its own,
 * and needs root and /dev/fuse for that.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "ask.h"
#include "child.h"
#include "cmd.h"
#include "kernel.h"
#include "place.h"
#include "serve.h"

/*
 * @state: of the server before and after umount2(); "" for silence, NULL for its end
 * @silent: so many questions are not answered at first
 * @asked: how many there have been; @before: and before the call
 * @mount: which mount it is
 * @aside: whoever unmounts stands nowhere that somebody could want to unmount
 */
struct script {
	char state[2][16], mount[2][16];
	bool ends;
	_Atomic int silent, asked, before;
	_Atomic bool hangs, called, aside;
	_Atomic pid_t caller;
};

static struct shared here;
static struct script *script;
static char number[32];
/* What @silent of the next script is. */
static int late;

/* So much faster the clock of this program runs. */
static long long faster = 20;

int clock_gettime(clockid_t clock, struct timespec *now)
{
	return kernel_clock(clock, now, faster);
}

int umount2(const char *path, int flags)
{
	char root[2];

	if (!script)
		return (int)syscall(SYS_umount2, path, flags);
	script->aside = getcwd(root, sizeof(root)) != NULL;
	script->before = script->asked;
	script->caller = getpid();
	script->called = true;
	while (script->hangs)
		pause();
	return 0;
}

/* False: it has ended. */
static bool answer_one(int fd)
{
	bool called = script->called;
	char word[32], said[512];
	int n = (int)read(fd, word, sizeof(word));

	if (script->silent > 0 || !script->state[called][0]) {
		script->silent--;
		usleep(5500000);
		return true;
	}
	snprintf(said, sizeof(said),
		 "uuid test\ndevice /dev/dax0.0\nmountpoint here\nstate %s\nsuperblock %s\nparent 1\nmount %s\npid 2\ndeaths 0\n",
		 script->state[called], number, script->mount[called]);
	if (n > 0 && write(fd, said, strlen(said)) < 0)
		perror("answer");
	return true;
}

static void *answer(void *context)
{
	int fd, listening = *(int *)context;

	while ((fd = accept(listening, NULL, NULL)) >= 0) {
		script->asked++;
		if (!(script->called && script->ends))
			answer_one(fd);
		close(fd);
	}
	return NULL;
}

static int run_umount(const char *before, const char *after, bool hangs)
{
	char *argv[] = { "umount", "here", NULL };
	int status;

	memset(script, 0, sizeof(*script));
	snprintf(script->state[0], 16, "%s", before);
	snprintf(script->state[1], 16, "%s", after ? after : "");
	strcpy(script->mount[0], "7");
	strcpy(script->mount[1], "7");
	script->silent = late;
	script->ends = !after;
	script->hangs = hangs;
	kernel_said[0] = '\0';
	optind = 0;
	alarm(60);
	status = cmd_umount(2, argv);
	alarm(0);
	CHECK(script->called);
	return status;
}

/* It ends before anything is said, by a clock that a busy machine can follow. */
static void run_silent_umount(const char *before, const char *after)
{
	faster = 1;
	CHECK(!run_umount(before, after, false));
	CHECK(!kernel_said[0]);
	faster = 20;
}

static void let_go(void)
{
	script->hangs = false;
	kill(script->caller, SIGKILL);
}

/* Servers die of what unmounting asks them, or hang over it. */
static void check_call(void)
{
	CHECK(run_umount("serving", "stopped", true) == 32);
	CHECK(script->aside);
	CHECK(strstr(kernel_said, "its servers die of what unmounting asks"));
	CHECK(strstr(kernel_next, "famfs restart /dev/dax0.0") &&
	      strstr(kernel_next, "kill -9 1 "));
	/* It is not for a terminal to end it. */
	CHECK(!kill(script->caller, SIGINT) && !kill(script->caller, SIGTERM));
	usleep(100000);
	CHECK(!waitpid(script->caller, NULL, WNOHANG));
	let_go();
	CHECK(run_umount("serving", "", true) == 32);
	CHECK(strstr(kernel_said, "has not answered for a minute"));
	CHECK(strstr(kernel_next, "pkill -9 -P 1 "));
	let_go();
	run_silent_umount("serving", NULL);
}

/* What serves after that is the next mount; and it hangs after it has unmounted. */
static void *next_mount(void *context)
{
	(void)context;
	while (!script->called)
		usleep(1000);
	strcpy(script->mount[1], "8");
	return NULL;
}

static void check_wait(void)
{
	pthread_t thread;

	script->called = false;
	CHECK(!pthread_create(&thread, NULL, next_mount, NULL));
	run_silent_umount("serving", "serving");
	pthread_join(thread, NULL);
	/* Of the same one. */
	CHECK(!run_umount("serving", "serving", false));
	CHECK(strstr(kernel_said, "still mounted elsewhere"));
	CHECK(run_umount("serving", "", false) == 32);
	CHECK(strstr(kernel_said, "may have the device still"));
}

/* Its superblock has gone, and another one has got the number. */
static void check_ending(void)
{
	run_silent_umount("ending", "ending");
}

/* It does not answer at first, and is waited for all the same. */
static void check_log(void)
{
	struct answer of;

	late = 1;
	faster = 1;
	CHECK(!run_umount("serving", NULL, false));
	late = 0;
	faster = 20;
	CHECK(script->before == 2);
	CHECK(script->asked > 2);
	/* The one after it hangs: a minute, and not six hundred looks. */
	strcpy(script->state[0], "");
	script->called = false;
	alarm(60);
	CHECK(ask_next("test", "1", "test", &of) == -ETIMEDOUT);
	alarm(0);
}

static void call_hangs(void *context)
{
	(void)context;
	for (;;)
		pause();
}

/* Return: how a call ended whose command was killed; 0: it goes on. */
static int kill_command(bool stays)
{
	int pipes[2], status = 0;
	pid_t command, hung = 0;
	struct child child;

	CHECK(!pipe(pipes));
	command = fork();
	if (!command) {
		child_start(&child, stays, call_hangs, NULL);
		if (write(pipes[1], &child.pid, sizeof(child.pid)) > 0)
			raise(SIGKILL);
	}
	CHECK(read(pipes[0], &hung, sizeof(hung)) == sizeof(hung) && hung > 0);
	CHECK(waitpid(command, NULL, 0) == command);
	for (int i = 0; i < 50 && !waitpid(hung, &status, WNOHANG); i++)
		usleep(20000);
	if (!status && hung > 0) {
		kill(hung, SIGKILL);
		waitpid(hung, NULL, 0);
	}
	close(pipes[0]);
	close(pipes[1]);
	return status;
}

/* What only looks ends with the command that it looks for. */
static void check_killed(void)
{
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK(kill_command(false));
	CHECK(!kill_command(true));
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 0));
}

/* Nobody answers what is asked there. */
static void check_place(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	struct place place;
	char options[80];

	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	CHECK(fd >= 0 && !mount("test", "here", "fuse.famfs", 0, options));
	alarm(60);
	CHECK(!place_find("here/", false, &place));
	CHECK(S_ISDIR(place.mode) && strlen(place.path) > 6 &&
	      !strcmp(place.path + strlen(place.path) - 5, "/here"));
	CHECK(place_find("here", true, &place) == -ETIMEDOUT);
	CHECK(place_find("here/below", false, &place) == -ETIMEDOUT);
	alarm(0);
	close(fd);
	CHECK(place_find("here", true, &place) == -ENOTCONN);
	CHECK(place_find("nowhere", true, &place) == -ENOENT);
	CHECK(!syscall(SYS_umount2, "here", MNT_DETACH));
	CHECK(!place_find("here", true, &place));
	CHECK(place_find(CONTROL_FOLDER "/test", true, &place) == 0 &&
	      S_ISSOCK(place.mode));
}

int main(void)
{
	char folder[] = "/tmp/umount.XXXXXX";
	struct place place;

	shared = &here;
	setvbuf(stdout, NULL, _IONBF, 0);
	if (unshare(CLONE_NEWNS) || access("/dev/fuse", R_OK | W_OK) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/run", "tmpfs", 0, NULL)) {
		printf("not run: mounts need root and /dev/fuse\n");
		return 0;
	}
	CHECK(mkdtemp(folder) && !mount("none", folder, "tmpfs", 0, NULL));
	CHECK(!chdir(folder) && !mkdir("here", 0755));
	script = mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(!place_find("here", false, &place));
	strcpy(number, place.number);
	kernel_listen(answer);
	check_call();
	check_wait();
	check_ending();
	check_log();
	check_place();
	check_killed();
	script = NULL;
	if (chdir("/") || syscall(SYS_umount2, folder, MNT_DETACH) ||
	    rmdir(folder))
		perror(folder);
	printf("%s\n", here.failed ? "failed" : "unmounting does not wait for good");
	return here.failed;
}
