// SPDX-License-Identifier: GPL-2.0
/*
 * The parent of servers: a signal and a command, or an unmount, that came at the
 * same time started two servers, which both wrote to the log. Where the first one
 * died before it had said that it is mounted, mount(8) waited for the unmount.
 * Where SIGCHLD was ignored by whoever mounted, no death was seen. And a server
 * that could not read requests waited for an unmount, and nobody served. One that
 * wanted a successor before it had served got them without end; where a process
 * could not be made none was tried again, and nothing said so. One that died right
 * after it had mounted left a mount that answered nothing, and one that was asked
 * to unmount, and died, was asked for nothing. A later one gave what it had to
 * programs that it might start.
 *
 * Servers are this program, which counts them.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "kept.h"
#include "kernel.h"
#include "parent.h"
#include "serve.h"

/*
 * What servers do: they die at once, or end when they are told to; want a
 * successor before they serve; die when they are told to end. The first one mounts
 * and dies: before it has looked at its mount, or after that; or somebody else
 * mounts there.
 */
enum { DIES, SERVES, WANTS, FORSAKES, MOUNTS, MOUNTS_LOOKS, MOUNTS_NOT };

/* Each death is logged, and six in a minute are too many. */
#define DEATHS	6u

static struct shared here;
static struct kept *kept;
/* Its other end is that of the connection. */
static int fuse[2], control = -1;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static pid_t parent;
static int status;

/* Marks are of no use here. */
#define COUNT	(kept->done.marks[0].unique)
#define HOW	(kept->done.marks[0].state)
#define FAILS	(kept->done.marks[0].ino)
#define SPREAD	(kept->done.marks[1].ino)

/* So often there is no process for a server. */
pid_t fork(void)
{
	if (!kept || !FAILS)
		return _Fork();
	FAILS--;
	errno = EAGAIN;
	return -1;
}

static int server_be(void)
{
	const struct timespec most = { .tv_sec = 60 };
	sigset_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	COUNT++;
	if (HOW == DIES)
		return 1;
	if (HOW == WANTS)
		_exit(PARENT_RESTART);
	kept->serving = getpid();
	unmount_signals(&set);
	sigtimedwait(&set, NULL, &most);
	if (HOW == FORSAKES) {
		HOW = SERVES;
		return 1;
	}
	/* The signals that come now are nobody's. */
	usleep(200000);
	kept->ends = false;
	return 0;
}

/* A connection, whose only descriptor is this process's. */
static int server_mount(void)
{
	const char *type = HOW == MOUNTS_NOT ? "tmpfs" : "fuse";
	char options[128] = "";
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	unmount_note_under(kept);
	if (HOW != MOUNTS_NOT)
		snprintf(options, sizeof(options),
			 "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (mount("test", kept->mountpoint, type, 0, options))
		_exit(errno);
	if (HOW == MOUNTS_LOOKS)
		unmount_note(kept);
	COUNT++;
	return raise(SIGKILL);
}

void session_resend(struct server *of)
{
	(void)of;
}

void serve_tell_mounted(const struct serve *wanted)
{
	if (wanted->ready < 0)
		return;
	CHECK(write(wanted->ready, "", 1) == 1);
	close(wanted->ready);
}

int serve_first(const struct serve *wanted, struct kept *of)
{
	struct kept_files files = { -1, fuse[0], fuse[0], control };

	(void)of;
	if (HOW >= MOUNTS)
		return server_mount();
	if (kept_send(wanted->channel, &files))
		return -1;
	return server_be();
}

static bool parent_has(unsigned int deaths)
{
	return kept->deaths == deaths;
}

static bool parent_ended(void)
{
	if (parent && waitpid(parent, &status, WNOHANG) == parent)
		parent = 0;
	return !parent;
}

/* It stands still in the meantime: all that comes is there at once. */
static void parent_hold(void)
{
	CHECK(!kill(parent, SIGSTOP));
	CHECK(waitpid(parent, &status, WUNTRACED) == parent);
}

static void begin(unsigned int how)
{
	int memory, ready[2];
	struct serve wanted = { .turn = -1, .ready = -1 };
	char byte;

	kept = kept_make(&memory);
	CHECK(kept && !pipe(fuse) && !pipe(ready));
	HOW = how;
	wanted.ready = ready[1];
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
		 "famfs-test-%d-%d", getpid(), memory);
	control = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(!bind(control, (struct sockaddr *)&address, sizeof(address)) &&
	      !listen(control, 8));
	parent = fork();
	if (!parent) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fuse[1]);
		close(ready[0]);
		signal(SIGCHLD, SIG_IGN);
		_exit(parent_run(&wanted, kept, memory) ? 1 : 0);
	}
	close(fuse[0]);
	close(control);
	close(ready[1]);
	/* Its server, which dies, has said nothing but to its parent. */
	CHECK(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	UNTIL(parent_has(DEATHS));
	CHECK(COUNT == DEATHS);
	/* None of the program that is installed has come to serve. */
	CHECK(kept->own);
	parent_hold();
	HOW = SERVES;
}

/* One server more, which is told to end; then the parent ends. */
static void end(void)
{
	CHECK(!kill(parent, SIGCONT));
	UNTIL(COUNT > DEATHS);
	UNTIL(parent_ended());
	CHECK(!status);
	CHECK(COUNT == DEATHS + 1);
	CHECK(!SPREAD);
}

static int ask(const char *word)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(!connect(fd, (struct sockaddr *)&address, sizeof(address)));
	CHECK(write(fd, word, strlen(word)) == (ssize_t)strlen(word));
	return fd;
}

static void check_restart_and_signal(void)
{
	int fd;

	begin(DIES);
	fd = ask("restart\n");
	CHECK(!kill(parent, SIGTERM));
	end();
	close(fd);
	close(fuse[1]);
}

/* The installed program is tried once more, and there is no process at first. */
static void check_restart(unsigned int how, unsigned int fails)
{
	int fd;

	begin(how);
	FAILS = fails;
	fd = ask("restart\n");
	CHECK(!kill(parent, SIGCONT));
	UNTIL(kept->serving);
	CHECK(!kept->own && !FAILS);
	CHECK(!kill(parent, SIGTERM));
	/* A second signal changes nothing, and starts nobody. */
	usleep(50000);
	CHECK(!kill(parent, SIGTERM));
	end();
	close(fd);
	close(fuse[1]);
}

/* The server that is told to end dies: the next one is told. */
static void check_forsaken(void)
{
	int fd;

	begin(DIES);
	HOW = FORSAKES;
	fd = ask("restart\n");
	CHECK(!kill(parent, SIGCONT));
	UNTIL(kept->serving);
	CHECK(!kill(parent, SIGTERM));
	UNTIL(parent_ended());
	CHECK(!status && COUNT == DEATHS + 2);
	close(fd);
	close(fuse[1]);
}

static void check_unmount_and_signal(void)
{
	begin(DIES);
	close(fuse[1]);
	CHECK(!kill(parent, SIGTERM));
	end();
}

/* Whoever mounts hears that it has failed, and nothing is left, or all of others. */
static void check_mount(unsigned int how)
{
	struct serve wanted = { .ready = -1 };
	struct stat st;
	int memory;

	kept = kept_make(&memory);
	CHECK(kept);
	HOW = how;
	strcpy(kept->mountpoint, "/mnt");
	parent = fork();
	if (!parent)
		_exit(parent_run(&wanted, kept, memory) ? 1 : 0);
	UNTIL(parent_ended());
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1 && COUNT == 1);
	CHECK(!stat(kept->mountpoint, &st));
	CHECK(!umount2(kept->mountpoint, MNT_DETACH) == (how == MOUNTS_NOT));
}

static void check_mounts(void)
{
	if (unshare(CLONE_NEWNS) || access("/dev/fuse", R_OK | W_OK) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		printf("mounts not tried: they need root and /dev/fuse\n");
		return;
	}
	check_mount(MOUNTS);
	check_mount(MOUNTS_LOOKS);
	check_mount(MOUNTS_NOT);
}

static void check_init(void)
{
	static const char init[KEPT_INIT_MOST + 1] = { 1 };
	struct kept one = { .version = KEPT_VERSION };

	CHECK(!kept_keep_init(&one, init, KEPT_INIT_MOST + 1));
	CHECK(!one.init_bytes && !one.init[0]);
	CHECK(kept_keep_init(&one, init, KEPT_INIT_MOST));
	CHECK(one.init_bytes == KEPT_INIT_MOST && one.init[0] == 1);
}

/* A connection that has nothing to read, and has not ended. */
static void check_unreadable(void)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_lowlevel_ops ops = { .init = NULL };
	char path[32];
	int memory, null = open("/dev/null", O_RDWR);
	pid_t child = fork();

	if (!child) {
		server.device = "nowhere";
		server.kept = kept_make(&memory);
		fuse_opt_add_arg(&args, "test");
		server.session = fuse_session_new(&args, &ops, sizeof(ops),
						  NULL);
		snprintf(path, sizeof(path), "/dev/fd/%d", null);
		if (!server.session ||
		    fuse_session_mount(server.session, path))
			_exit(2);
		work_run(&server);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	close(null);
}

/* The parent names the program, the command and descriptors. */
static int server_again(char **numbers)
{
	struct kept_files files;

	kept_take(numbers, &files);
	kept = kept_open(files.memory);
	if (!kept)
		return 1;
	SPREAD += !(fcntl(files.memory, F_GETFD) & FD_CLOEXEC) ||
		  !(fcntl(files.fuse, F_GETFD) & FD_CLOEXEC) ||
		  !(fcntl(files.media, F_GETFD) & FD_CLOEXEC) ||
		  !(fcntl(files.control, F_GETFD) & FD_CLOEXEC);
	return server_be();
}

int main(int argc, char **argv)
{
	if (argc > 5 && !strcmp(argv[1], PARENT_RESUME))
		return server_again(argv + 2);
	shared = &here;
	check_restart_and_signal();
	check_unmount_and_signal();
	check_restart(DIES, 0);
	check_restart(DIES, 2);
	check_restart(WANTS, 0);
	check_forsaken();
	check_init();
	check_unreadable();
	check_mounts();
	printf("parent of servers: %s\n", shared->failed ? "FAIL" : "ok");
	return shared->failed;
}
