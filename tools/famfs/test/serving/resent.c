// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that are sent again: a server dies at each access to the medium, in
 * the middle of each write, before and after each reply, and so does the one
 * that goes on. What is there in the end, and what was answered, is what one
 * server that lives would have made. Each is one record: of a size and a mode that
 * were set together a crash once left the size alone.
 *
 * The log may begin anew at any time: it does so before each reply, or not, and
 * before a request that is sent again, or not.
 */

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "kept.h"
#include "kernel.h"
#include "layout.h"
#include "replies.h"
#include "resent.h"
#include "steps.h"

#define RESENT_SIZE	(8u << 20)
/* What a server writes lies before that. */
#define RESENT_WRITTEN	(3u << 20)
#define RESENT_UNIQUE	4242u
#define RESENT_DUMP	8192u

/* When the log begins anew besides. */
enum { ANEW_REPLY = 1, ANEW_BEGIN = 2, ANEW_ALL = 4 };

/*
 * What all processes of a run see. @left: steps until death; 0: none. @records:
 * how many the request has taken.
 */
static struct run {
	struct reply reply;
	struct kept kept;
	_Atomic int left;
	uint64_t records;
	unsigned int anew;
	char dump[RESENT_DUMP];
	uint8_t memory[RESENT_SIZE];
} *run;

/* As it was before the request. */
static struct run *before;

static struct media step_media;

static void step_reply(void)
{
	steps_go();
	if (run->anew & ANEW_REPLY)
		CHECK(!volume_compact(server.volume, 1));
}

static int dump_one(void *context, const struct volume_seen *seen)
{
	const struct volume_attr *attr = &seen->attr;
	size_t used = strlen(run->dump);

	/* In any order. */
	if (!seen->path) {
		*(uint64_t *)context |= 1ull << attr->ino % 64;
		return 0;
	}
	snprintf(run->dump + used, RESENT_DUMP - used,
		 "%s %llu %o %u:%u %llu/%llu %u\n",
		 seen->path, (unsigned long long)attr->ino,
		 attr->attr.mode, attr->attr.uid, attr->attr.gid,
		 (unsigned long long)attr->attr.size,
		 (unsigned long long)attr->mapped, attr->links);
	return 0;
}

/* What there is in the end, but for times. */
static void dump(void)
{
	uint64_t unnamed_inodes = 0;
	char names[256] = "";
	size_t used;
	int bytes;

	*run->dump = '\0';
	volume_walk(server.volume, dump_one, &unnamed_inodes);
	bytes = volume_listxattr(server.volume, requests_file, names, sizeof(names));
	for (int i = 0; i < bytes; i++)
		names[i] = names[i] ? names[i] : ' ';
	used = strlen(run->dump);
	snprintf(run->dump + used, RESENT_DUMP - used,
		 "without names %llx, xattrs %s\n",
		 (unsigned long long)unnamed_inodes, names);
}

/* A server that goes on: it opens, and gets the request, if there is one. */
static void serve_one(const struct request_made *wanted, int left, bool resent)
{
	struct volume_options options;

	requests_options(&options, 0);
	options.how = VOLUME_READ;
	options.done = &run->kept.done;
	/* Replaying writes nothing: with FULL it is died in all the same. */
	run->left = resent && getenv("FULL") ? left : 0;
	if (volume_open(&server.volume, &step_media, &options, NULL) ||
	    volume_resume(server.volume, &options, false) ||
	    queue_start(&server, true))
		_exit(1);
	run->left = left;
	if (resent && run->anew & ANEW_BEGIN &&
	    volume_compact(server.volume, 1))
		_exit(2);
	run->records = volume_seq(server.volume);
	if (wanted) {
		request_begin(&server, RESENT_UNIQUE, resent);
		wanted->make();
		request_end();
	}
	run->left = 0;
	run->records = volume_seq(server.volume) - run->records;
	dump();
	_exit(0);
}

/* Return: its exit status. */
static int serve_in_child(const struct request_made *wanted, int left,
			  bool resent)
{
	pid_t pid = fork();

	if (!pid)
		serve_one(wanted, left, resent);
	return steps_wait(pid);
}

/* The file system on which requests are made; its server dies. */
static void prepare(void)
{
	volume_close(requests_format(&step_media));
	memcpy(before, run, sizeof(*run));
}

static void restore(void)
{
	memcpy(run, before, offsetof(struct run, memory) + RESENT_WRITTEN);
}

/* A run of up to three servers, of which two die. False: the first lived. */
static bool die_twice(const struct request_made *wanted, int first, int second,
		      unsigned int anew, bool *second_lived)
{
	int status;

	restore();
	run->anew = anew;
	status = serve_in_child(wanted, first, false);
	*second_lived = true;
	if (status != STEPS_DIED) {
		CHECK(!status);
		return false;
	}
	/* Who has an answer does not ask again. */
	status = serve_in_child(run->reply.count ? NULL : wanted, second, true);
	*second_lived = status != STEPS_DIED;
	if (*second_lived) {
		CHECK(!status);
		return true;
	}
	CHECK(!serve_in_child(run->reply.count ? NULL : wanted, 0, true));
	return true;
}

static void compare(const struct request_made *wanted, int first, int second,
		    const struct run *alive)
{
	bool same = !strcmp(run->dump, alive->dump) &&
		    run->reply.count == 1 &&
		    run->reply.err == alive->reply.err &&
		    run->reply.ino == alive->reply.ino &&
		    run->reply.size == alive->reply.size;

	CHECK(same);
	/* Of what was told, and has no name, the next server knows. */
	CHECK(strcmp(wanted->name, "tmpfile") ||
	      told_has(&run->kept.told, run->reply.ino));
	if (same || !first)
		return;
	printf("%s, dead at steps %d and %d, %u: %u replies, error %d, inode %llu, size %llu; not %llu, %llu\n%snot\n%s",
	       wanted->name, first, second, run->anew, run->reply.count,
	       run->reply.err, (unsigned long long)run->reply.ino,
	       (unsigned long long)run->reply.size,
	       (unsigned long long)alive->reply.ino,
	       (unsigned long long)alive->reply.size, run->dump, alive->dump);
}

static unsigned int die_everywhere(const struct request_made *wanted,
				   const struct run *alive, unsigned int anew)
{
	/* A log that begins anew has many writes that are much the same. */
	int stride = anew && !getenv("FULL") ? 3 : 1;
	bool lived = false, second_lived;
	unsigned int runs = 0;

	for (int first = 1; !lived && !shared->failed; first += stride) {
		second_lived = false;
		for (int second = 1; !second_lived && !lived &&
		     !shared->failed; second += stride, runs++) {
			lived = !die_twice(wanted, first, second, anew,
					   &second_lived);
			compare(wanted, first, second, alive);
		}
	}
	return runs;
}

/* Opens the volume where the server before has died, for what is tried here. */
static void go_on(struct volume_options *options)
{
	restore();
	requests_options(options, 0);
	CHECK(!volume_open(&server.volume, &step_media, options, NULL));
	CHECK(!volume_resume(server.volume, options, false));
}

static bool unnamed_is_there(void)
{
	struct volume_attr attr;

	return !volume_getattr(server.volume, requests_unnamed, &attr);
}

/* What is told to the server that goes on, and does the kernel know it? */
enum { HOLD_NAMED, HOLD_FORGOTTEN, HOLD_KNOWN, HOLD_NOTHING };

/*
 * That the kernel does not know an inode proves nothing while a request may make
 * it known, nor after that, where it was told of it: a task that has its answer may
 * not have got that far. A file without a name was once let go of under a program
 * that had just made it.
 */
static void hold_queue(unsigned int how)
{
	struct kernel_map *map = &shared->maps[0][0];
	struct volume_options options;
	uint64_t begun;

	go_on(&options);
	if (how != HOLD_NAMED)
		told_add(&run->kept.told, requests_unnamed);
	run->kept.told.more = how == HOLD_NOTHING ? getppid() : 0;
	CHECK(!queue_start(&server, true));
	queue_add(&server, requests_unnamed, true);
	usleep(200000);
	CHECK(unnamed_is_there());
	map->ino = how == HOLD_KNOWN ? requests_unnamed : 0;
	begun = clock_ms();
	queue_begin(&server);
	if (how != HOLD_NAMED) {
		usleep(2000000);
		CHECK(unnamed_is_there());
	}
	map->ino = 0;
	if (how == HOLD_FORGOTTEN)
		requests_forget(requests_unnamed);
	UNTIL(!unnamed_is_there());
	CHECK((how == HOLD_NOTHING) == (clock_ms() - begun > 29000));
	CHECK(!told_has(&run->kept.told, requests_unnamed));
	CHECK(!run->kept.told.more);
	queue_stop(&server);
	volume_close(server.volume);
	server.volume = NULL;
}

/*
 * Where more were told of than there is room for, all are in doubt until those that
 * a server before has told of are settled: that once lasted as long as the mount.
 */
static void overflow_told(void)
{
	struct told *told = &run->kept.told;

	restore();
	for (uint64_t ino = 2; ino < TOLD_MOST + 2; ino++)
		told_add(told, ino);
	CHECK(!told_has(told, 1));
	if (!fork()) {
		told_add(told, TOLD_MOST + 2);
		_exit(0);
	}
	wait(NULL);
	CHECK(told_has(told, 1));
	told_settle(told);
	CHECK(!told_has(told, 1) && told_has(told, 2));
	/* Its own are for the next one. */
	told_add(told, TOLD_MOST + 3);
	told_settle(told);
	CHECK(told_has(told, 1));
}

/* Whoever is not the one that has died does not go on. */
static void refuse_others(void)
{
	struct volume_options options;

	restore();
	requests_options(&options, 0);
	CHECK(!volume_open(&server.volume, &step_media, &options, NULL));
	options.nonce++;
	CHECK(volume_resume(server.volume, &options, false) == -ESTALE);
	options.nonce--;
	options.self.boot[0]++;
	CHECK(volume_resume(server.volume, &options, false) == -ESTALE);
	options.self.boot[0]--;
	CHECK(volume_resume(server.volume, &options, true) == -ESTALE);
	CHECK(!volume_resume(server.volume, &options, false));
	CHECK(!volume_leave(server.volume));
	volume_close(server.volume);
	/* Where it has left nothing goes on. */
	CHECK(!volume_open(&server.volume, &step_media, &options, NULL));
	CHECK(volume_resume(server.volume, &options, false) == 1);
	volume_close(server.volume);
	server.volume = NULL;
}

/*
 * A member's requests have numbers as the owner's have: what the owner has logged
 * is not what a member was asked.
 */
static void ignore_owner(void)
{
	struct volume_node node = { .mode = S_IFREG | 0644 };
	struct op op = { .now = 1, .unique = RESENT_UNIQUE };
	struct done *done = &run->kept.done;
	struct volume_options options;
	struct volume_attr attr;

	go_on(&options);
	CHECK(!volume_create(server.volume, &op, 1, "new", &node, &attr));
	volume_close(server.volume);
	CHECK(done_begin(done, RESENT_UNIQUE) != NULL);
	options.done = done;
	server.member = true;
	CHECK(!hosts_resume(&server, &step_media, &options));
	CHECK(!done_find(done, RESENT_UNIQUE));
	volume_close(server.volume);
	server.volume = NULL;
	server.member = server.cut = false;
}

int resent_run(void)
{
	struct run *alive = calloc(1, sizeof(*alive));
	unsigned int runs = 0;

	run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	before = malloc(sizeof(*before));
	if (!alive || !before || run == MAP_FAILED)
		return 1;
	memset(&server, 0, sizeof(server));
	for (unsigned int i = 0; i < SERVER_LOCKS; i++)
		pthread_mutex_init(&server.locks[i], NULL);
	server.device = "memory";
	server.mountpoint = "nowhere";
	server.unit = 4096;
	server.kept = &run->kept;
	steps_left = &run->left;
	steps_media(&step_media, run->memory, RESENT_SIZE);
	reply = &run->reply;
	reply_step = step_reply;
	requests_begin();
	prepare();
	for (unsigned int how = 0; how < HOLD_NOTHING; how++)
		hold_queue(how);
	/* Half a minute. */
	if (getenv("FULL"))
		hold_queue(HOLD_NOTHING);
	overflow_told();
	refuse_others();
	ignore_owner();
	for (unsigned int i = 0; i < REQUESTS && !shared->failed; i++) {
		restore();
		CHECK(!serve_in_child(&requests[i], 0, false));
		memcpy(alive, run, sizeof(*run));
		CHECK(alive->reply.count == 1 && !alive->reply.err);
		CHECK(alive->records == 1);
		for (unsigned int anew = 0; anew < ANEW_ALL; anew++)
			runs += die_everywhere(&requests[i], alive, anew);
	}
	printf("%u requests sent again, %u times: %s\n", (unsigned int)REQUESTS,
	       runs, shared->failed ? "FAIL" : "ok");
	free(before);
	free(alive);
	return shared->failed;
}
