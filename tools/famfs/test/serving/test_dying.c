// SPDX-License-Identifier: GPL-2.0
/*
 * Servers that die where they do not change the file system: while they leave, and
 * those of a member, which serves, polls and tells what its kernel has. One that
 * died while it left was followed by one that took its host for cut off, and the
 * slot stayed in.
 *
 * Owner and member are made of one memory, on which servers die at any access. The
 * host that does not die is this process.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hosts.h"
#include "kept.h"
#include "kernel.h"
#include "layout.h"
#include "lines.h"
#include "replies.h"
#include "resent.h"
#include "steps.h"

#define SIZE	(8u << 20)
#define UNIQUE	4242u

/* A server that has not died by then does all that it does in time. */
#define LIVE_MS	250

/* What all processes see. */
static struct common {
	struct shared shared;
	struct reply reply;
	struct kept kept;
	_Atomic int left;
	uint8_t memory[SIZE];
} *common;

static uint8_t *before;
static struct media medium, *media;
static struct volume *owner;
static uint8_t uuid[16];

/* Messages are many here. */
void fuse_log(enum fuse_log_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

/* A member that is in, and whose server has died then. */
static void prepare_member(void)
{
	struct volume_options options;
	struct volume *member;
	int err = -EAGAIN;

	requests_options(&options, 1);
	CHECK(!volume_open(&member, media, &options, NULL));
	for (uint64_t ms = 0; ms < 30000 && err == -EAGAIN; ms += 100) {
		err = volume_join(member, &options, ms, NULL);
		CHECK(volume_admit(owner, 1) >= 0);
	}
	CHECK(!err && !volume_tell_held(member));
	volume_close(member);
}

static void prepare(void)
{
	struct volume_stat stat;

	owner = requests_format(media);
	prepare_member();
	volume_statfs(owner, &stat);
	memcpy(uuid, stat.uuid, sizeof(uuid));
	volume_close(owner);
	memcpy(before, common->memory, SIZE);
}

/* As it was; this process is the owner, or nobody is. */
static void restore(bool owned)
{
	struct volume_options options;

	memcpy(common->memory, before, SIZE);
	memset(&common->kept, 0, sizeof(common->kept));
	memset(&common->reply, 0, sizeof(common->reply));
	memset(&common->shared.maps, 0, sizeof(common->shared.maps));
	if (!owned)
		return;
	requests_options(&options, 0);
	CHECK(!volume_open(&owner, media, &options, NULL) &&
	      !volume_resume(owner, &options, false));
}

/* Return: as hosts_resume(). */
static int server_begin(unsigned int host)
{
	struct volume_options options;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	self = host;
	requests_options(&options, host);
	options.done = &common->kept.done;
	server.member = host != 0;
	server.resumed = true;
	common->left = 0;
	err = hosts_resume(&server, &medium, &options);
	CHECK(!server.cut);
	return err;
}

static pid_t server_leave(unsigned int host, int left)
{
	pid_t pid = fork();
	int err;

	if (pid)
		return pid;
	err = server_begin(host);
	if (err)
		_exit(err > 0 ? 0 : 1);
	common->left = left;
	err = host ? 0 : queue_settle(server.volume);
	if (!err)
		err = volume_leave(server.volume);
	_exit(err ? 1 : 0);
}

static void check_left(unsigned int host)
{
	struct volume_options options;
	struct identity identity;
	struct root root;

	CHECK(!identity_read(&identity, media, uuid, host));
	CHECK(identity.state == IDENTITY_STATE_LEFT &&
	      identity.nonce == 77 + host);
	CHECK(!root_read(&root, media, uuid) && root_count(media, uuid) == 2);
	CHECK(root.state == (host ? ROOT_STATE_OWNED : ROOT_STATE_LEFT));
	/* Of another mount nothing goes on. */
	requests_options(&options, host);
	options.nonce++;
	CHECK(!volume_open(&owner, media, &options, NULL));
	CHECK(volume_resume(owner, &options, host != 0) == -ESTALE);
	volume_close(owner);
}

/* Return: how often a server has left. */
static unsigned int leave_everywhere(unsigned int host)
{
	bool lived = false, second_lived;
	unsigned int runs = 0;

	for (int first = 1; !lived && !shared->failed; first++) {
		second_lived = false;
		for (int second = 1; !second_lived && !lived &&
		     !shared->failed; second++, runs++) {
			int status;

			restore(false);
			status = steps_wait(server_leave(host, first));
			lived = status != STEPS_DIED;
			if (!lived)
				status = steps_wait(server_leave(host,
								  second));
			second_lived = status != STEPS_DIED;
			if (!second_lived)
				status = steps_wait(server_leave(host, 0));
			CHECK(!status);
			check_left(host);
		}
	}
	return runs;
}

/* A member's server gets a request. */
static pid_t server_serve(const struct request_made *wanted, int left,
			  bool resent)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (server_begin(1) || queue_start(&server, true))
		_exit(1);
	common->left = left;
	request_begin(&server, UNIQUE, resent);
	wanted->make();
	request_end();
	_exit(0);
}

/*
 * A member's server changes nothing, whenever it dies, and whoever asks again gets
 * the answer that one that lives gives.
 */
static unsigned int serve_everywhere(const struct request_made *wanted)
{
	struct reply alive;
	bool lived = false;
	unsigned int runs = 0;

	restore(false);
	CHECK(!steps_wait(server_serve(wanted, 0, false)));
	alive.err = common->reply.err;
	alive.ino = common->reply.ino;
	alive.size = common->reply.size;
	for (int left = 1; !lived && !shared->failed; left++, runs++) {
		int status;

		restore(false);
		status = steps_wait(server_serve(wanted, left, false));
		lived = status != STEPS_DIED;
		if (!lived && !common->reply.count)
			status = steps_wait(server_serve(wanted, 0, true));
		else if (!lived)
			status = 0;
		CHECK(!status);
		CHECK(common->reply.count == 1 && common->reply.err == alive.err &&
		      common->reply.ino == alive.ino &&
		      common->reply.size == alive.size);
		CHECK(!memcmp(common->memory, before, SIZE));
		if (shared->failed)
			printf("%s, dead at step %d\n", wanted->name, left);
	}
	return runs;
}

/* A member's server, whose threads poll, tell and let go. */
static pid_t server_poll(int left, bool lives)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (server_begin(1) || queue_start(&server, false))
		_exit(1);
	common->left = left;
	if (hosts_start(&server))
		_exit(1);
	do
		usleep(LIVE_MS * 1000);
	while (lives);
	_exit(0);
}

static int owner_tries(void)
{
	struct op op = { .now = 1 };

	CHECK(!volume_look(owner));
	return volume_gone(owner, &op, requests_file);
}

/* -ENOENT: it has before. */
static bool owner_has_let_go(void)
{
	int err = owner_tries();

	return !err || err == -ENOENT;
}

/*
 * The owner removes what the member's kernel has mapped, and the member's server
 * dies at any access: the space is nobody else's until that is unmapped.
 */
static void poll_once(int left)
{
	struct kernel_map *map = &common->shared.maps[1][0];
	struct op op = { .now = 1 };
	pid_t next;
	int status;

	restore(true);
	map->ino = requests_file;
	map->open = true;
	CHECK(!volume_unlink(owner, &op, 1, "file", NULL));
	status = steps_wait(server_poll(left, false));
	CHECK(!status || status == STEPS_DIED);
	CHECK(owner_tries() == -EAGAIN);
	next = server_poll(0, true);
	for (int i = 0; i < 20; i++) {
		CHECK(owner_tries() == -EAGAIN);
		usleep(LIVE_MS * 1000 / 20);
	}
	map->open = false;
	UNTIL(owner_has_let_go());
	CHECK(!map->ino);
	kill(next, SIGKILL);
	waitpid(next, NULL, 0);
	volume_close(owner);
	if (shared->failed)
		printf("dead at step %d\n", left);
}

int main(void)
{
	unsigned int runs = 0;
	/* A poll has fewer. */
	int polls = 30, stride = getenv("FULL") ? 1 : 2;

	common = mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	before = malloc(SIZE);
	if (common == MAP_FAILED || !before)
		return 1;
	shared = &common->shared;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned int i = 0; i < SERVER_LOCKS; i++)
		pthread_mutex_init(&server.locks[i], NULL);
	server.device = "memory";
	server.mountpoint = "nowhere";
	server.unit = 4096;
	server.kept = &common->kept;
	reply = &common->reply;
	reply_step = steps_go;
	steps_left = &common->left;
	steps_media(&medium, common->memory, SIZE);
	media = media_of_memory(common->memory, SIZE);
	requests_begin();
	prepare();
	runs = leave_everywhere(0) + leave_everywhere(1);
	printf("servers die while they leave, %u times\n", runs);
	runs = 0;
	for (unsigned int i = 0; i < REQUESTS && !shared->failed; i++)
		runs += serve_everywhere(&requests[i]);
	for (int left = 0; left < polls && !shared->failed;
	     left += stride, runs++)
		poll_once(left);
	printf("servers of a member die, %u times: %s\n", runs,
	       shared->failed ? "FAIL" : "ok");
	media_close(media);
	free(before);
	return shared->failed;
}
