// SPDX-License-Identifier: GPL-2.0
/*
 * The socket of a server, and those who ask: a server without descriptors once
 * never answered again, one that ended took the socket of the next one away and
 * killed who asked it, and one that hung stopped the commands for all others. The
 * socket of the next one was taken away too where that had begun to listen while it
 * was looked whose the socket is. And what has a server work waited for it for good,
 * without a word.
 *
 * It has mounts of its own, and needs root for that.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <uuid/uuid.h>

#include "ask.h"
#include "kept.h"
#include "kernel.h"
#include "second.h"
#include "serve.h"

#define SIZE	(64ull << 20)

static struct shared here;
static char uuid[37];
static struct answer answer;
static struct kept kept;
/* Closed as soon as somebody has connected to it. */
static int ends = -1;
/* So many seconds each write takes; -1: for good. */
static _Atomic int slow;
/* So much faster the clock of this program runs. */
static long long faster = 1;
/* Gets a byte when this process has looked whose the socket is. */
static int looked = -1;

int connect(int fd, const struct sockaddr *address, socklen_t bytes)
{
	int res = (int)syscall(SYS_connect, fd, address, bytes);

	if (ends >= 0)
		close(ends);
	ends = -1;
	return res;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	return kernel_clock(clock, now, faster);
}

static struct media_ops fast_ops;

static int slow_write(struct media *media, uint64_t offset, const void *bytes,
		      size_t length, unsigned int how)
{
	sleep(slow > 0 ? slow : 0);
	while (slow < 0)
		usleep(10000);
	return fast_ops.write(media, offset, bytes, length, how);
}

static void slow_begin(struct media *media)
{
	static struct media_ops slow_ops;

	fast_ops = slow_ops = *media->ops;
	slow_ops.write = slow_write;
	media->ops = &slow_ops;
}

static bool begin(void)
{
	struct volume_options options = { .how = VOLUME_OWN, .nonce = 1 };
	struct volume_format format = { .unit = 4096, .uuid = { 1 },
					.secret = { 2 } };
	struct media *media = media_of_memory(mmap(NULL, SIZE, PROT_READ |
		PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), SIZE);

	slow_begin(media);
	strcpy(format.self.name, "host");
	options.self = format.self;
	memcpy(server.uuid, format.uuid, 16);
	memcpy(kept.uuid, format.uuid, 16);
	server.kept = &kept;
	uuid_unparse_lower(server.uuid, uuid);
	server.device = server.source = server.mountpoint = "nowhere";
	return !volume_format(media, &format, NULL) &&
	       !volume_open(&server.volume, media, &options, NULL) &&
	       !queue_start(&server, false) && !control_start(&server);
}

/* A child asks while this process can have no descriptor more. */
static void check_descriptors(void)
{
	struct rlimit limit, none;
	int status = -1;
	pid_t child;

	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	child = fork();
	if (!child) {
		setrlimit(RLIMIT_NOFILE, &limit);
		/* The server has the first one's descriptor already. */
		_exit(ask_uuid(uuid, "status", &answer) ||
		      ask_uuid(uuid, "status", &answer));
	}
	usleep(300000);
	setrlimit(RLIMIT_NOFILE, &limit);
	CHECK(child > 0 && waitpid(child, &status, 0) == child && !status);
}

/* What ends between connecting and sending. */
static void check_end(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
				       .sun_path = CONTROL_FOLDER "/ends" };

	ends = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(!bind(ends, (struct sockaddr *)&address, sizeof(address)) &&
	      !listen(ends, 8));
	signal(SIGPIPE, SIG_DFL);
	CHECK(ask_uuid("ends", "status", &answer) == -ENOENT);
	/* As servers have it. */
	signal(SIGPIPE, SIG_IGN);
	unlink(address.sun_path);
}

/*
 * A server that writes is waited for, for minutes, and one that does not is told of;
 * those who wait say so.
 */
static void check_work(void)
{
	faster = 20;
	slow = 3;
	kernel_said[0] = '\0';
	alarm(60);
	CHECK(!ask_work(uuid, "compact", "it", &answer));
	CHECK(!strcmp(ask_value(&answer, "result"), "done"));
	CHECK(strstr(kernel_said, "gets on"));
	faster = 5;
	slow = -1;
	CHECK(ask_work(uuid, "compact", "it", &answer) == -ETIMEDOUT);
	CHECK(strstr(kernel_said, "hangs"));
	slow = 0;
	alarm(0);
	faster = 1;
	CHECK(!ask_work(uuid, "compact", "it", &answer));
}

static void count(void *context, const struct answer *one)
{
	*(int *)context += !strcmp(one->uuid, uuid);
}

/* Who listens and never answers. */
static void check_hang(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
				       .sun_path = CONTROL_FOLDER "/hangs" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), found = 0;

	CHECK(!bind(fd, (struct sockaddr *)&address, sizeof(address)) &&
	      !listen(fd, 8));
	alarm(60);
	CHECK(ask_status(NULL, count, &found) == 1 && found == 1);
	alarm(0);
	close(fd);
	unlink(address.sun_path);
}

/* The next mount begins to listen between the look and what follows, if it may. */
int stat(const char *path, struct stat *st)
{
	int res = fstatat(AT_FDCWD, path, st, 0);

	if (looked >= 0 && write(looked, "", 1) == 1)
		usleep(500000);
	return res;
}

/* With what it keeps for itself; in its turn, as mounts do. */
static int next_listens(int wait)
{
	static struct kept next;
	char byte;

	next = kept;
	server.kept = &next;
	return read(wait, &byte, 1) != 1 || turn_wait(uuid, "next") < 0 ||
	       control_start(&server) || (pause(), 0);
}

/* The next mount's server listens before this one stops, or while it does. */
static void check_next(bool late)
{
	char path[sizeof(CONTROL_FOLDER) + 40];
	int status = -1, wait[2];
	pid_t child;

	CHECK(!pipe(wait));
	child = fork();
	if (!child)
		_exit(next_listens(wait[0]));
	snprintf(path, sizeof(path), CONTROL_FOLDER "/%s", uuid);
	if (late) {
		looked = wait[1];
	} else {
		CHECK(write(wait[1], "", 1) == 1);
		usleep(300000);
	}
	control_stop(&server);
	looked = -1;
	UNTIL(!access(path, F_OK));
	CHECK(child > 0 && !kill(child, SIGKILL) &&
	      waitpid(child, &status, 0) == child);
	close(wait[0]);
	close(wait[1]);
	CHECK(late || !control_start(&server));
}

int main(void)
{
	shared = &here;
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/run", "tmpfs", 0, NULL)) {
		printf("not run: mounts need root\n");
		return 0;
	}
	CHECK(begin());
	CHECK(!ask_uuid(uuid, "status", &answer));
	check_end();
	check_hang();
	check_descriptors();
	check_work();
	check_next(false);
	check_next(true);
	printf("%s\n", here.failed ? "failed" : "servers answer");
	return here.failed;
}
