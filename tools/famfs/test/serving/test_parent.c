// SPDX-License-Identifier: GPL-2.0
/*
 * The parent of servers: a signal and a command, or an unmount, that came at the
 * same time started two servers, which both wrote to the log. Where the first one
 * died before it had said that it is mounted, mount(8) waited for the unmount.
 * Where SIGCHLD was ignored by whoever mounted, no death was seen. And a server
 * that could not read requests waited for an unmount, and nobody served.
 *
 * Servers are this program, which counts them.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "kept.h"
#include "kernel.h"
#include "parent.h"
#include "serve.h"

/* What servers do: they end at once, or when they are told to. */
enum { DIES, SERVES };

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

static int server_be(void)
{
	const struct timespec most = { .tv_sec = 60 };
	sigset_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	COUNT++;
	if (HOW == DIES)
		return 1;
	kept->serving = getpid();
	unmount_signals(&set);
	sigtimedwait(&set, NULL, &most);
	return 0;
}

void session_resend(struct server *of)
{
	(void)of;
}

void serve_detach(void)
{
}

int serve_first(const struct serve *wanted, struct kept *of)
{
	struct kept_files files = { -1, fuse[0], fuse[0], control };

	(void)of;
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

static void begin(void)
{
	int memory, ready[2];
	struct serve wanted = { .turn = -1, .ready = -1 };
	char byte;

	kept = kept_make(&memory);
	CHECK(kept && !pipe(fuse) && !pipe(ready));
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

	begin();
	fd = ask("restart\n");
	CHECK(!kill(parent, SIGTERM));
	end();
	close(fd);
	close(fuse[1]);
}

/* The installed program is tried once more. */
static void check_restart(void)
{
	int fd;

	begin();
	fd = ask("restart\n");
	CHECK(!kill(parent, SIGCONT));
	UNTIL(kept->serving);
	CHECK(!kept->own);
	CHECK(!kill(parent, SIGTERM));
	end();
	close(fd);
	close(fuse[1]);
}

static void check_unmount_and_signal(void)
{
	begin();
	close(fuse[1]);
	CHECK(!kill(parent, SIGTERM));
	end();
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

int main(int argc, char **argv)
{
	/* The parent names the program, the command and descriptors. */
	if (argc > 2 && !strcmp(argv[1], PARENT_RESUME)) {
		kept = kept_open(atoi(argv[2]));
		return kept ? server_be() : 1;
	}
	shared = &here;
	check_restart_and_signal();
	check_unmount_and_signal();
	check_restart();
	check_unreadable();
	printf("parent of servers: %s\n", shared->failed ? "FAIL" : "ok");
	return shared->failed;
}
