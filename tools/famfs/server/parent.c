// SPDX-License-Identifier: GPL-2.0
/*
 * The parent of the servers of a mount: it keeps what they need, starts another
 * one when one has died, and says so when they die too often.
 *
 * One thread, which does nothing else: what could fail is in the servers. Its
 * name begins with @, so that a system that shuts down leaves it alone until the
 * file system is unmounted.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "kept.h"
#include "parent.h"
#include "serve.h"
#include "server.h"

/* More deaths than that in a minute, and no other one is started. */
#define PARENT_DEATHS	5u
#define PARENT_MINUTE	60

/* Before it is tried again to make a process. */
#define PARENT_LATER_MS	1000

/* Never to be killed for memory. */
#define PARENT_OOM_NEVER	(-1000)

/**
 * struct parent - of one mount
 * @channel: where the first server tells what to keep
 * @signals: a signalfd
 * @deaths: when servers have died, a ring
 * @program: where the next one is to be had
 * @keeps: @files are there: it is mounted
 * @stopped: no other one is started
 * @later: there was no process for another one, which is tried again
 * @oom: how this process stood to the killer of processes, or INT_MAX
 * @last: what was unmounted without a server has one more, to leave
 */
struct parent {
	struct kept *kept;
	struct kept_files files;
	int channel, signals;
	pid_t child;
	time_t deaths[PARENT_DEATHS];
	unsigned int next;
	char program[PATH_MAX];
	int oom;
	bool keeps, stopped, last, later;
};

static time_t parent_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	/* 0 is none. */
	return now.tv_sec + 1;
}

/* Does the next death count as one too many? */
static bool parent_dies_often(struct parent *parent)
{
	time_t now = parent_now(), *oldest = &parent->deaths[parent->next];
	bool often = *oldest && now - *oldest < PARENT_MINUTE;

	*oldest = now;
	parent->next = (parent->next + 1) % PARENT_DEATHS;
	parent->kept->deaths++;
	return often;
}

static void parent_forgive(struct parent *parent)
{
	memset(parent->deaths, 0, sizeof(parent->deaths));
}

/* A server is killed for want of memory before its parent, which has little. */
static void parent_set_oom(int score)
{
	FILE *file = score == INT_MAX ? NULL :
		     fopen("/proc/self/oom_score_adj", "we");

	if (!file)
		return;
	fprintf(file, "%d", score);
	fclose(file);
}

static int parent_get_oom(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "re");
	int score = INT_MAX;

	if (file && fscanf(file, "%d", &score) != 1)
		score = INT_MAX;
	if (file)
		fclose(file);
	return score;
}

/* In the child: it becomes the next server. */
static void parent_exec(struct parent *parent)
{
	const int list[] = { parent->files.memory, parent->files.fuse,
			     parent->files.media, parent->files.control };
	char numbers[4][16];
	char *argv[] = { "@famfs", PARENT_RESUME, numbers[0], numbers[1],
			 numbers[2], numbers[3], NULL };

	parent_set_oom(parent->oom);
	for (unsigned int i = 0; i < 4; i++) {
		fcntl(list[i], F_SETFD, 0);
		snprintf(numbers[i], sizeof(numbers[i]), "%d", list[i]);
	}
	if (!parent->kept->own)
		execv(parent->program, argv);
	parent->kept->own = true;
	execv("/proc/self/exe", argv);
	fuse_log(FUSE_LOG_ERR, "famfs: %s: %s: %s\n", parent->kept->device,
		 parent->program, strerror(errno));
	_exit(1);
}

static void parent_start(struct parent *parent)
{
	parent->kept->serving = 0;
	parent->stopped = false;
	parent->child = fork();
	if (!parent->child)
		parent_exec(parent);
	if (parent->child < 0 && !parent->later)
		fuse_log(FUSE_LOG_ERR, "famfs: %s: there is no process for its server: %s; it is tried again each second\n",
			 parent->kept->device, strerror(errno));
	parent->later = parent->child < 0;
	/* The one that was asked has died before it tried. */
	if (parent->child > 0 && parent->kept->ends)
		kill(parent->child, SIGTERM);
}

static void parent_stop(struct parent *parent)
{
	const struct kept *kept = parent->kept;

	parent->stopped = true;
	fuse_log(FUSE_LOG_ERR, "famfs: %s: its server has died %u times in a minute and is not started again: what is open goes on, all else waits; Next: famfs restart %s, or famfs umount %s\n",
		 kept->device, PARENT_DEATHS + 1, kept->mountpoint,
		 kept->mountpoint);
}

/* What the server that has ended leaves to do. */
static void parent_go_on(struct parent *parent, int status)
{
	bool wanted = WIFEXITED(status) && parent->kept->serving &&
		      WEXITSTATUS(status) == PARENT_RESTART;

	/* One that never came to serve is not the right one. */
	parent->kept->own = !wanted && (parent->kept->own ||
					!parent->kept->serving);
	if (wanted) {
		parent_forgive(parent);
		parent_start(parent);
		return;
	}
	fuse_log(FUSE_LOG_WARNING, "famfs: %s: its server has died: %s %d\n",
		 parent->kept->device,
		 WIFSIGNALED(status) ? "signal" : "exit status",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	if (parent->last)
		parent->stopped = true;
	else if (parent_dies_often(parent))
		parent_stop(parent);
	else
		parent_start(parent);
}

/* Before a server has told what to keep, its end is that of the mount. */
static int parent_fail(struct parent *parent, int status)
{
	unmount_dead(parent->kept);
	/* It is this mount's turn until its server has told. */
	control_remove(parent->kept, true);
	if (WIFSIGNALED(status))
		cmd_fail("mount.famfs", NULL, "the server was killed: %s",
			 strsignal(WTERMSIG(status)));
	return -1;
}

/* It had left, and was killed before it could say so. */
static int parent_end(struct parent *parent, int status)
{
	fuse_log(FUSE_LOG_WARNING, "famfs: %s: its server has died after it had left: %s %d\n",
		 parent->kept->device,
		 WIFSIGNALED(status) ? "signal" : "exit status",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	control_remove(parent->kept, false);
	return WIFSIGNALED(status) ? 0 : -1;
}

/* From here on a server's end is not that of the mount, and requests wait. */
static void parent_receive(struct parent *parent, const struct serve *wanted)
{
	int res = parent->keeps || parent->channel < 0 ? 0 :
		  kept_receive(parent->channel, &parent->files);

	/* Its server hears that, says so, and unmounts. */
	if (res < 0) {
		close(parent->channel);
		parent->channel = -1;
	}
	if (res <= 0)
		return;
	parent->keeps = true;
	kept_confirm(parent->channel);
	if (wanted->turn >= 0)
		close(wanted->turn);
	serve_tell_mounted(wanted);
}

/*
 * A server that is killed leaves signals behind that it has not taken: they are
 * seen until it is waited for.
 */
static void parent_note_signals(struct parent *parent)
{
	const unsigned long long asks = 1ull << (SIGTERM - 1) |
					1ull << (SIGINT - 1);
	unsigned long long pending = 0;
	char path[32], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", parent->child);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		sscanf(line, "ShdPnd: %llx", &pending);
	fclose(file);
	if (pending & asks)
		parent->kept->ends = true;
}

/* Return: 1: go on; 0 or -1: it is over. */
static int parent_reap(struct parent *parent, const struct serve *wanted)
{
	siginfo_t info = { .si_pid = 0 };
	int status;

	if (parent->child <= 0 ||
	    waitid(P_PID, (id_t)parent->child, &info,
		   WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
		return 1;
	parent_note_signals(parent);
	if (waitpid(parent->child, &status, 0) != parent->child)
		return 1;
	parent->child = 0;
	/* It may have told something before it died. */
	parent_receive(parent, wanted);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (!parent->keeps)
		return parent_fail(parent, status);
	if (parent->kept->left)
		return parent_end(parent, status);
	parent_go_on(parent, status);
	return 1;
}

static void parent_signal(struct parent *parent)
{
	struct signalfd_siginfo info;

	if (read(parent->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGTERM && info.ssi_signo != SIGINT)
		return;
	/* A terminal sends its SIGINT to the server too. */
	if (parent->child > 0 && info.ssi_signo == SIGINT)
		return;
	parent->kept->ends = true;
	/* An unmount may need a server: sizes may have to be told. */
	if (parent->child > 0)
		kill(parent->child, SIGTERM);
	else
		parent_start(parent);
}

/* Commands are answered here while there is no server. */
static void parent_answer(struct parent *parent)
{
	char word[CONTROL_WORD];
	bool restart = false;
	FILE *stream = control_accept(parent->files.control, word);

	if (!stream)
		return;
	if (!strcmp(word, "restart")) {
		fprintf(stream, "result done\n");
		parent->kept->own = false;
		restart = true;
	} else {
		control_tell_stopped(parent->kept, stream);
	}
	fclose(stream);
	if (!restart)
		return;
	parent_forgive(parent);
	parent_start(parent);
}

/* Unmounted without a server: one more leaves, or this host stays in. */
static int parent_leave(struct parent *parent)
{
	if (parent->last) {
		fuse_log(FUSE_LOG_ERR, "famfs: %s: not left in order: its server dies\n",
			 parent->kept->device);
		control_remove(parent->kept, false);
		return 0;
	}
	parent->last = true;
	parent_start(parent);
	return 1;
}

static int parent_wait(struct parent *parent, const struct serve *wanted)
{
	struct pollfd polls[4] = {
		{ .fd = parent->signals, .events = POLLIN },
		{ .fd = parent->keeps ? -1 : parent->channel,
		  .events = POLLIN },
		/* Without events: that the connection has ended. */
		{ .fd = parent->stopped ? parent->files.fuse : -1 },
		{ .fd = parent->stopped ? parent->files.control : -1,
		  .events = POLLIN },
	};

	if (poll(polls, 4, parent->later ? PARENT_LATER_MS : -1) < 0)
		return 1;
	if (polls[0].revents)
		parent_signal(parent);
	else if (parent->later)
		parent_start(parent);
	if (polls[1].revents)
		parent_receive(parent, wanted);
	/* Never two servers: a signal may just have started one. */
	if (polls[2].revents && parent->stopped)
		return parent_leave(parent);
	if (polls[3].revents && parent->stopped)
		parent_answer(parent);
	return parent_reap(parent, wanted);
}

static int parent_open_signals(void)
{
	sigset_t set;

	unmount_signals(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Ignored, as it may be by whoever mounts, it hides that children end. */
	signal(SIGCHLD, SIG_DFL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void parent_find_program(struct parent *parent)
{
	ssize_t n = readlink("/proc/self/exe", parent->program,
			     sizeof(parent->program) - 1);

	parent->program[n < 0 ? 0 : n] = '\0';
}

int parent_run(const struct serve *wanted, struct kept *kept, int memory)
{
	struct parent parent = { .kept = kept, .files = { memory, -1, -1, -1 } };
	struct serve first = *wanted;
	int pair[2], going = 1;

	parent_find_program(&parent);
	program_invocation_name[0] = '@';
	parent.signals = parent_open_signals();
	if (parent.signals < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		cmd_fail_errno("mount.famfs", -errno);
		return -1;
	}
	parent.channel = pair[0];
	first.channel = pair[1];
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	parent.oom = parent_get_oom();
	parent_set_oom(PARENT_OOM_NEVER);
	parent.child = fork();
	if (!parent.child) {
		parent_set_oom(parent.oom);
		close(parent.signals);
		close(pair[0]);
		exit(serve_first(&first, kept) ? 1 : 0);
	}
	if (parent.child < 0) {
		cmd_fail_errno("mount.famfs", -errno);
		return -1;
	}
	close(pair[1]);
	while (going > 0)
		going = parent_wait(&parent, wanted);
	return going;
}

int serve(const struct serve *wanted)
{
	int memory;
	struct kept *kept = kept_make(&memory);

	if (!kept)
		return -1;
	snprintf(kept->device, PATH_MAX, "%s", wanted->device);
	snprintf(kept->source, PATH_MAX, "%s", wanted->source);
	snprintf(kept->mountpoint, PATH_MAX, "%s", wanted->mountpoint);
	kept->debug = wanted->debug;
	kept->foreground = wanted->ready < 0;
	return parent_run(wanted, kept, memory);
}
