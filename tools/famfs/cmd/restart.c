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

static void restart_note(void *context, const struct answer *answer)
{
	*(struct answer *)context = *answer;
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

static int restart_one(const char *wanted)
{
	struct answer answer = { .uuid = "" }, result;
	char before[32], name[TEXT_SAFE(PATH_MAX)];

	if (!ask_status(wanted, restart_note, &answer)) {
		cmd_fail(wanted, "famfs status   shows what is mounted",
			 "nothing of famfs is mounted there");
		return 1;
	}
	snprintf(before, sizeof(before), "%s", ask_value(&answer, "pid"));
	snprintf(name, sizeof(name), "%s",
		 cmd_text(ask_value(&answer, "mountpoint")));
	if (ask_uuid(answer.uuid, "restart", &result)) {
		cmd_fail(name, "famfs status", "its server does not answer");
		return 1;
	}
	if (strcmp(ask_value(&result, "result"), "done")) {
		cmd_fail(name, "umount it, and mount it again",
			 "its server cannot be restarted: %s",
			 ask_value(&result, "result"));
		return 1;
	}
	if (ask_next(answer.uuid, before, &result)) {
		cmd_fail(name, "famfs status   shows how it is; journalctl -t famfs   tells why",
			 "no server goes on");
		return 1;
	}
	return restart_tell(&result, name, before);
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
