// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for an unmount, and for the end of the mount, with a look at its server
 * all the time.
 */

#include "umount.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "cmd.h"
#include "table.h"

/* Between two looks while it is being unmounted, and how often it is said. */
#define UMOUNT_CALL_MS	1000u
#define UMOUNT_TELL_MS	10000u

/* Between two looks whether the server has ended, in microseconds. */
#define UMOUNT_LOOK_US	10000

/* After that the user is told what is being waited for. */
#define UMOUNT_WAIT_MS	2000u

/* For a server that serves, though no process has a mount of it. */
#define UMOUNT_MOST_MS	30000u

/* What a look at the server finds. */
enum umount_finding {
	UMOUNT_SERVES, UMOUNT_SILENT, UMOUNT_STOPPED, UMOUNT_GONE,
};

/**
 * struct umount_waiting - for how long something has been so
 * @since: when it was found first; @told: when it was said last, or 0
 */
struct umount_waiting {
	enum umount_finding finding;
	uint64_t since, told;
};

/* One mount and no later one of the same file system. */
static bool umount_is_same(const struct answer *one, const struct answer *other)
{
	return !strcmp(ask_value(one, "mount"), ask_value(other, "mount")) &&
	       !strcmp(ask_value(one, "parent"), ask_value(other, "parent"));
}

static enum umount_finding umount_look(const struct umount_target *target,
				       struct answer *answer)
{
	int err = -ENOENT;

	if (target->answer.uuid[0])
		err = ask_uuid(target->answer.uuid, "status", answer);
	if (err == -ETIMEDOUT)
		return UMOUNT_SILENT;
	if (err || !umount_is_same(&target->answer, answer))
		return UMOUNT_GONE;
	return strcmp(ask_value(answer, "state"), "stopped") ? UMOUNT_SERVES :
	       UMOUNT_STOPPED;
}

/* Has it changed, or is it time to say it once more? */
static bool umount_is_news(struct umount_waiting *waiting,
			   enum umount_finding finding)
{
	uint64_t now = clock_ms();

	if (finding != waiting->finding || !waiting->since) {
		waiting->finding = finding;
		waiting->since = now;
		waiting->told = 0;
	}
	if (waiting->told && now - waiting->told < UMOUNT_TELL_MS)
		return false;
	waiting->told = now;
	return true;
}

static void umount_tell(const struct umount_target *target,
			enum umount_finding finding,
			const struct answer *answer)
{
	const char *parent = ask_value(&target->answer, "parent");

	if (finding == UMOUNT_GONE)
		cmd_tell("%s: waiting: no server is known that would answer the kernel",
			 target->path);
	else if (finding == UMOUNT_SILENT)
		cmd_tell("%s: waiting: its server does not answer: it reads a long log, or hangs; Next: pgrep -a -P %s   shows it",
			 target->path, parent);
	else if (finding == UMOUNT_STOPPED)
		cmd_tell("%s: waiting: its servers die; Next: journalctl -t famfs   tells why",
			 target->path);
	else if (!strcmp(ask_value(answer, "state"), "ending"))
		cmd_tell("%s: waiting: pages of it are in use by I/O, or in a pipe",
			 target->path);
	else
		cmd_tell("%s: waiting: server %s hears what the kernel has not told yet; so many have died: %s",
			 target->path, ask_value(answer, "pid"),
			 ask_value(answer, "deaths"));
}

/* It goes on: without what it has to tell, sizes and times would be lost. */
static int umount_give_up(const struct umount_target *target,
			  enum umount_finding finding)
{
	const char *parent = ask_value(&target->answer, "parent");
	const char *device = cmd_text(ask_value(&target->answer, "device"));
	char next[PATH_MAX + 200];

	if (finding == UMOUNT_GONE)
		snprintf(next, sizeof(next), "findmnt %s   shows whether it is there still",
			 target->path);
	else if (finding == UMOUNT_STOPPED)
		snprintf(next, sizeof(next), "journalctl -t famfs   tells why; famfs restart %s   starts one more; kill -9 %s   does without, and this host stays in",
			 device, parent);
	else
		snprintf(next, sizeof(next), "famfs status %s   shows how it is; pkill -9 -P %s   has another server go on",
			 device, parent);
	cmd_fail(target->path, next, "%s: the unmount is not over, and goes on by itself %s",
		 finding == UMOUNT_STOPPED ?
		 "its servers die of what unmounting asks them" :
		 finding == UMOUNT_SILENT ?
		 "its server has not answered for a minute" :
		 "no server of it has been seen for a minute",
		 finding == UMOUNT_GONE ? "when no page of it is in use" :
		 "when one serves");
	return 1;
}

/* Should it be waited for no more? */
static bool umount_is_hopeless(const struct umount_target *target,
			       struct umount_waiting *waiting)
{
	struct answer answer = { .uuid = "" };
	enum umount_finding finding = umount_look(target, &answer);
	bool news = umount_is_news(waiting, finding);

	if (finding == UMOUNT_STOPPED)
		return true;
	if (finding != UMOUNT_SERVES &&
	    clock_ms() - waiting->since >= ASK_LIMIT_MS)
		return true;
	if (news)
		umount_tell(target, finding, &answer);
	return false;
}

/* @err is what the child tells. */
struct umount_child {
	const char *path;
	int flags, err;
};

static void umount_make(void *context)
{
	struct umount_child *call = context;

	/* It may hang for longer than its user wants to be where they are. */
	if (call->path[0] == '/' && chdir("/"))
		return;
	call->err = umount2(call->path, call->flags) ? -errno : 0;
}

int umount_call(const struct umount_target *target)
{
	struct umount_child *call = child_memory(sizeof(*call));
	struct umount_waiting waiting = { .since = 0 };
	struct child child;
	int err;

	if (!call)
		return -ENOMEM;
	*call = (struct umount_child) { target->path, target->flags, -EINTR };
	err = child_start(&child, true, umount_make, call);
	while (!err && !child_ended(&child, UMOUNT_CALL_MS)) {
		if (!umount_is_hopeless(target, &waiting))
			continue;
		child_leave(&child);
		err = umount_give_up(target, waiting.finding);
	}
	if (!err)
		err = call->err;
	child_forget(call, sizeof(*call));
	return err;
}

/*
 * Does it serve for another mount? Not for one that has got the number of the
 * superblock meanwhile.
 */
static bool umount_is_elsewhere(const struct umount_target *target)
{
	struct answer answer;

	return target->elsewhere && table_count(target->number) &&
	       umount_look(target, &answer) != UMOUNT_GONE &&
	       strcmp(ask_value(&answer, "state"), "ending");
}

static int umount_wait_fail(const struct umount_target *target)
{
	char next[PATH_MAX + 100];

	snprintf(next, sizeof(next), "famfs status %s   shows how it is; pkill -9 -P %s   has another server go on",
		 cmd_text(ask_value(&target->answer, "device")),
		 ask_value(&target->answer, "parent"));
	cmd_fail(target->path, next,
		 "it is unmounted, and its server has not answered for a minute: it may have the device still");
	return UMOUNT_FAILED;
}

int umount_wait(const struct umount_target *target)
{
	struct umount_waiting waiting = { .since = 0 };
	uint64_t begin = clock_ms(), most = UMOUNT_WAIT_MS;
	struct answer answer;

	if (!target->answer.uuid[0] || target->flags & MNT_DETACH ||
	    umount_is_elsewhere(target))
		return 0;
	for (;; usleep(UMOUNT_LOOK_US)) {
		enum umount_finding finding = umount_look(target, &answer);
		uint64_t waited = clock_ms() - begin;

		if (finding == UMOUNT_GONE)
			return 0;
		if (waited < UMOUNT_WAIT_MS)
			continue;
		if (finding != UMOUNT_SERVES ||
		    strcmp(ask_value(&answer, "state"), "serving")) {
			if (umount_is_news(&waiting, finding))
				umount_tell(target, finding, &answer);
			if (finding == UMOUNT_SILENT &&
			    clock_ms() - waiting.since > ASK_LIMIT_MS)
				return umount_wait_fail(target);
			continue;
		}
		/* A machine that is busy takes its time to end it. */
		if (most == UMOUNT_WAIT_MS &&
		    !table_find_anywhere(target->number))
			most = UMOUNT_MOST_MS;
		if (waited >= most)
			break;
	}
	cmd_say("%s: still mounted elsewhere: its server goes on",
		target->path);
	return 0;
}
