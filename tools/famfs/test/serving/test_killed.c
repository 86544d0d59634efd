// SPDX-License-Identifier: GPL-2.0
/*
 * Server, parent and the command that mounts are killed on the way in and on the
 * way out, before each of their system calls. Where a server was killed between
 * giving the device back and its end, another one took the next mount for its own,
 * and waited for it. A parent that could not have the descriptors, or that was
 * killed before it had said that it is mounted, left a mount without one, or a
 * command that had failed though it was mounted. And a server that was asked to
 * unmount, and killed before it had looked, left nobody who had been asked.
 *
 * A process that is killed is traced: see trace.h. It has mounts of its own, and
 * needs root for that.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "clock.h"
#include "life.h"
#include "lines.h"
#include "parent.h"
#include "serve.h"
#include "trace.h"

#define SIZE	(8u << 20)
/* What a mount writes lies before that. */
#define WRITTEN	(3u << 20)
#define MEDIUM	"/run/medium"

/* How long it is mounted, in milliseconds. */
#define USED_MS	10u

/* The nonce of the mount after it. */
#define NEXT	99u

/*
 * Who is killed: the first server, the one after it, the parent, or threads of the
 * server that has been asked to unmount.
 */
enum victim { NOBODY, SERVER, LATER, PARENT, ASKED };

static uint8_t *before, uuid[16];

/**
 * struct run - one life
 * @nth: the victim is killed before so many system calls
 * @room: descriptors that the parent has room for, or -1
 * @deaf: the command that mounts is killed
 * @heard: what that has heard: 1: it is mounted; -1: it is not; 0: nothing yet
 * @asked: the server is, to unmount, or the user has
 * @died: the victim has
 */
static struct run {
	enum victim victim;
	unsigned int nth;
	int room;
	bool deaf;
	struct kept *kept;
	unsigned int count;
	pid_t parent;
	int ready, heard, status;
	uint64_t heard_at;
	bool asked, died;
	struct media *next_media;
	struct volume *next;
} run;

/* Has the host left, or, with @begun, said so in the root at least? */
static bool medium_left(bool begun)
{
	struct identity identity;
	struct media *media;
	struct root root;
	bool left;

	CHECK(!media_open(MEDIUM, 0, &media));
	left = !root_read(&root, media, uuid) &&
	       root.state == ROOT_STATE_LEFT &&
	       !identity_read(&identity, media, uuid, 0) &&
	       (begun || identity.state == IDENTITY_STATE_LEFT);
	media_close(media);
	return left;
}

static void prepare(void)
{
	struct volume_format format = { .unit = 4096, .area = 64 << 10,
					.coherence = COHERENCE_HARDWARE };
	int fd = open(MEDIUM, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct volume_options options;
	struct media *media;

	CHECK(fd >= 0 && !ftruncate(fd, SIZE));
	life_options(&options, 1);
	format.self = options.self;
	memset(format.uuid, 7, sizeof(format.uuid));
	memcpy(uuid, format.uuid, sizeof(uuid));
	CHECK(!media_open(MEDIUM, MEDIA_WRITE, &media));
	CHECK(!volume_format(media, &format, NULL));
	media_close(media);
	CHECK(pread(fd, before, WRITTEN, 0) == WRITTEN);
	close(fd);
	strcpy(life->device, MEDIUM);
}

static void restore(void)
{
	int fd = open(MEDIUM, O_RDWR | O_CLOEXEC);

	CHECK(pwrite(fd, before, WRITTEN, 0) == WRITTEN);
	close(fd);
	life->mounted = life->begun = life->idle = false;
	life->server = 0;
	life->servers = life->used = 0;
	memset(life->log, 0, sizeof(life->log));
}

/* The next mount, where it can begin. */
static void next_begin(void)
{
	struct volume_options options;

	if (!life->begun ||
	    media_open(MEDIUM, MEDIA_WRITE, &run.next_media)) {
		run.next_media = NULL;
		return;
	}
	life_options(&options, NEXT);
	options.how = VOLUME_OWN | VOLUME_UNUSED;
	CHECK(!volume_open(&run.next, run.next_media, &options, NULL));
}

static void next_end(void)
{
	if (!run.next_media)
		return;
	CHECK(!volume_leave(run.next));
	volume_close(run.next);
	media_close(run.next_media);
}

static bool is_victim(pid_t tid)
{
	bool serves = tid == life->server && !life->idle;

	switch (run.victim) {
	case SERVER:
		return serves && life->servers == 1;
	case LATER:
		return serves && life->servers == 2;
	case PARENT:
		return tid == run.parent;
	case ASKED:
		return run.asked && life->servers == 1 &&
		       tid != life->server && tid != run.parent;
	default:
		return false;
	}
}

static bool calls(struct trace *trace, pid_t tid)
{
	if (run.died)
		return false;
	if (run.victim == LATER && life->begun && life->servers == 1 &&
	    tid == life->server && medium_left(true)) {
		trace->killed = tid;
		return true;
	}
	if (!is_victim(tid) || ++run.count != run.nth)
		return false;
	run.died = true;
	trace->killed = run.victim == PARENT ? tid : life->server;
	next_begin();
	return true;
}

/* Has the parent room for all that its server will send? */
static void limit(void)
{
	struct rlimit most;
	char path[64];

	if (run.room < 0 || !life->begun)
		return;
	CHECK(!prlimit(run.parent, RLIMIT_NOFILE, NULL, &most));
	for (most.rlim_cur = 0; run.room >= 0; most.rlim_cur++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", run.parent,
			 (int)most.rlim_cur);
		run.room -= access(path, F_OK) != 0;
	}
	most.rlim_cur--;
	CHECK(!prlimit(run.parent, RLIMIT_NOFILE, &most, NULL));
}

/* Whoever mounts has heard that it is: it is used, and then it is not. */
static void use(void)
{
	if (run.heard != 1 || run.asked ||
	    clock_ms() < run.heard_at + USED_MS)
		return;
	run.asked = true;
	CHECK(life->mounted);
	if (run.victim != ASKED) {
		life->mounted = false;
		return;
	}
	CHECK(!kill(life->server, SIGTERM));
	if (!run.nth)
		CHECK(!kill(life->server, SIGKILL));
}

static void often(struct trace *trace)
{
	char byte;
	ssize_t n;

	(void)trace;
	limit();
	if (run.deaf && life->begun && !run.heard) {
		close(run.ready);
		run.ready = -1;
		run.heard = 1;
		run.heard_at = clock_ms();
	}
	n = run.heard ? -1 : read(run.ready, &byte, 1);
	if (n >= 0) {
		run.heard = n ? 1 : -1;
		run.heard_at = clock_ms();
		/* Nothing is left where it has failed. */
		CHECK(life->mounted == (n == 1));
	}
	use();
}

static bool control_is_there(void)
{
	DIR *folder = opendir(CONTROL_FOLDER);
	struct dirent *entry;
	bool there = false;

	while (folder && (entry = readdir(folder)))
		there |= entry->d_name[0] != '.';
	if (folder)
		closedir(folder);
	return there;
}

/* What there is in the end. */
static void check_all(void)
{
	bool killed = run.died && run.victim == PARENT;
	struct media *media;

	CHECK(!life->mounted && run.heard && run.asked == (run.heard == 1));
	CHECK(!control_is_there());
	CHECK(!strstr(life->log, "cut off") &&
	      !strstr(life->log, "not left in order"));
	CHECK(killed || (WIFEXITED(run.status) &&
			 WEXITSTATUS(run.status) == (run.heard < 0)));
	CHECK(run.heard < 0 || run.next || medium_left(false));
	next_end();
	CHECK(!media_open(MEDIUM, MEDIA_WRITE, &media));
	media_close(media);
	if (shared->failed)
		printf("victim %d, dead at call %u, heard %d, status %x, %u servers\n%s",
		       run.victim, run.nth, run.heard, run.status,
		       life->servers, life->log);
}

/* Return: was anybody killed? */
static bool live(enum victim victim, unsigned int nth, int room, bool deaf)
{
	struct trace trace = { .calls = calls, .often = often };
	int memory, ready[2], null;

	restore();
	run = (struct run){ .victim = victim, .nth = nth, .room = room,
			    .deaf = deaf };
	run.kept = kept_make(&memory);
	CHECK(run.kept && !pipe2(ready, O_CLOEXEC));
	run.parent = trace_fork();
	if (!run.parent) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		close(null);
		close(ready[0]);
		_exit(life_parent(run.kept, memory, ready[1]) ? 1 : 0);
	}
	close(ready[1]);
	fcntl(ready[0], F_SETFL, O_NONBLOCK);
	run.ready = ready[0];
	CHECK(run.parent > 0);
	if (!trace_run(&trace, run.parent, &run.status)) {
		printf("victim %d, dead at call %u: what is left does not end\n%s",
		       victim, nth, life->log);
		exit(1);
	}
	check_all();
	close(run.ready);
	close(memory);
	return run.died;
}

static void kill_everywhere(enum victim victim, const char *what)
{
	unsigned int nth = 1;

	while (!shared->failed && live(victim, nth, -1, false))
		nth++;
	printf("%s: killed before %u calls\n", what, nth - 1);
	CHECK(nth > 10);
}

static void check_asked(void)
{
	unsigned int nth = 0;

	do
		live(ASKED, nth, -1, false);
	while (!shared->failed && (run.died || !nth) && nth++ < 40);
	printf("asked to unmount, and killed before %u calls\n", nth);
}

static void check_room(void)
{
	for (int room = 0; room < 3; room++) {
		live(NOBODY, 0, room, false);
		CHECK(run.heard < 0 && medium_left(false));
	}
	live(NOBODY, 0, 3, false);
	CHECK(run.heard == 1);
}

int main(int argc, char **argv)
{
	if (argc > 5 && !strcmp(argv[1], PARENT_RESUME))
		return life_attach() ? life_again(argv + 2) : 1;
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/run", "tmpfs", 0, NULL)) {
		printf("not run: mounts need root\n");
		return 0;
	}
	before = malloc(WRITTEN);
	if (!before || !life_begin())
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	prepare();
	live(NOBODY, 0, -1, false);
	CHECK(run.heard == 1 && life->servers == 1);
	live(NOBODY, 0, -1, true);
	check_room();
	check_asked();
	kill_everywhere(SERVER, "the server");
	kill_everywhere(LATER, "the server after one that had left");
	kill_everywhere(PARENT, "the parent");
	printf("killed on the way in and out: %s\n",
	       shared->failed ? "FAIL" : "ok");
	free(before);
	return shared->failed;
}
