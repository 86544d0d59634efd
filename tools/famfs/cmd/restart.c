// SPDX-License-Identifier: GPL-2.0
/*
 * famfs restart: another server takes over from the one that serves a mount, of
 * the program that is installed now. Nothing is unmounted, and whoever uses the
 * file system waits for a moment.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "clock.h"
#include "cmd.h"
#include "kept.h"
#include "parent.h"

static const char restart_help[] =
	"Usage: famfs restart [OPTION...] DIRECTORY|DEVICE|UUID|LABEL\n"
	"\n"
	"Starts another server for a mounted file system, of the program that is\n"
	"installed now. What is open stays open; requests wait meanwhile.\n"
	"\n"
	"  -q, --quiet    say nothing but errors\n"
	"  -h, --help\n";

/* Between two looks whether it serves, in microseconds. */
#define RESTART_LOOK_US	100000

/* What is to be done where a server does not want to be restarted. */
static const char *restart_next(const char *result)
{
	if (!strcmp(result, "ending"))
		return "wait for its end, and mount it again";
	if (!strcmp(result, PARENT_EARLY))
		return "famfs status   shows how it is; try it again when it serves";
	return "umount it, and mount it again";
}

/*
 * One that has only begun is asked until it serves. What does not answer is not
 * asked again: it would do so later, as often as it was asked. Return: as
 * ask_uuid().
 */
static int restart_ask(const char *uuid, struct answer *result)
{
	uint64_t begin = clock_ms();
	int err;

	do {
		err = ask_uuid(uuid, "restart", result);
		if (err || strcmp(ask_value(result, "result"), PARENT_EARLY))
			break;
		usleep(RESTART_LOOK_US);
	} while (clock_ms() - begin < ASK_LIMIT_MS);
	return err;
}

/* Is it the program that was asked for? Return: the exit status. */
static int restart_tell(const struct answer *answer, const char *name,
			const char *before)
{
	const char *pid = ask_value(answer, "pid");

	if (!strcmp(ask_value(answer, "program"), "mounted")) {
		cmd_fail(name, "journalctl -t famfs   tells why",
			 "the program that is installed does not serve it: server %s is of the one that mounted it",
			 pid);
		return 1;
	}
	cmd_say("%s: server %s goes on for server %s", name, pid, before);
	return 0;
}

static int restart_fail(const char *name, int err)
{
	if (err == -ETIMEDOUT)
		cmd_fail(name, "famfs status   shows when it does, if it reads a long log; journalctl -t famfs   tells more",
			 "its next server has not answered for a minute");
	else
		cmd_fail(name, "famfs status   shows how it is; journalctl -t famfs   tells why",
			 "no server goes on");
	return 1;
}

static int restart_found(const struct answer *answer, const char *name)
{
	struct answer result;
	char before[32];
	int err;

	snprintf(before, sizeof(before), "%s", ask_value(answer, "pid"));
	err = restart_ask(answer->uuid, &result);
	if (err) {
		cmd_fail(name, "famfs status   shows how it is", "its server %s",
			 err == -ETIMEDOUT ? "does not answer" : "has ended");
		return 1;
	}
	if (strcmp(ask_value(&result, "result"), "done")) {
		cmd_fail(name, restart_next(ask_value(&result, "result")),
			 "its server cannot be restarted: %s",
			 ask_value(&result, "result"));
		return 1;
	}
	err = ask_next(answer->uuid, before, name, &result);
	return err ? restart_fail(name, err) :
	       restart_tell(&result, name, before);
}

static int restart_one(const char *wanted)
{
	struct answer answer;
	char name[TEXT_SAFE(PATH_MAX)];
	int err = ask_find_name(wanted, &answer);

	if (err == -ENOENT)
		cmd_fail(wanted, "famfs status   shows what is mounted",
			 "nothing of famfs is mounted there");
	if (err)
		return 1;
	snprintf(name, sizeof(name), "%s",
		 cmd_text(ask_value(&answer, "mountpoint")));
	return restart_found(&answer, name);
}

int cmd_restart(int argc, char **argv)
{
	int done = cmd_options(argc, argv, restart_help, NULL);

	if (done >= 0)
		return done;
	if (optind != argc - 1) {
		cmd_fail("famfs restart", "famfs restart --help",
			 "one file system must be named");
		return 1;
	}
	return restart_one(argv[optind]);
}

int cmd_resume(int argc, char **argv)
{
	struct kept_files files;
	struct kept *kept;

	if (argc != 5) {
		cmd_fail("famfs resume", "famfs restart DIRECTORY",
			 "only the parent of a server runs it");
		return 1;
	}
	kept_take(argv + 1, &files);
	kept = kept_open(files.memory);
	return kept && !serve_again(kept, &files) ? 0 : 1;
}
