// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that are killed before one of their system calls.
 */

#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACE_OPTIONS	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | \
			 PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
			 PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

static volatile sig_atomic_t trace_late;

static void trace_alarm(int which)
{
	trace_late = which;
}

pid_t trace_fork(void)
{
	int go[2];
	char byte;
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (pipe(go))
		return -1;
	pid = fork();
	if (!pid) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 0)
			_exit(1);
		close(go[0]);
		return 0;
	}
	close(go[0]);
	if (pid > 0 && (ptrace(PTRACE_SEIZE, pid, NULL, TRACE_OPTIONS) ||
			ptrace(PTRACE_INTERRUPT, pid, NULL, NULL))) {
		kill(pid, SIGKILL);
		pid = -1;
	}
	close(go[1]);
	return pid;
}

/* Is it about to make a system call? */
static bool trace_calls(pid_t tid)
{
	struct __ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) > 0 &&
	       info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

static void trace_stopped(struct trace *trace, pid_t tid, int status)
{
	long deliver = 0;

	if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
		if (trace_calls(tid) && trace->calls &&
		    trace->calls(trace, tid))
			kill(trace->killed, SIGKILL);
	} else if (!(status >> 16)) {
		deliver = WSTOPSIG(status);
	}
	ptrace(PTRACE_SYSCALL, tid, NULL, deliver);
}

bool trace_run(struct trace *trace, pid_t first, int *status)
{
	const struct itimerval most = { .it_value.tv_sec = TRACE_S }, none = { 0 };
	const struct sigaction act = { .sa_handler = trace_alarm };
	int now;
	pid_t tid;

	trace_late = 0;
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &most, NULL);
	while (!trace_late) {
		tid = waitpid(-1, &now, __WALL);
		if (tid < 0 && errno == ECHILD)
			break;
		if (tid < 0)
			continue;
		if (WIFSTOPPED(now))
			trace_stopped(trace, tid, now);
		else if (tid == first)
			*status = now;
		if (trace->often)
			trace->often(trace);
	}
	setitimer(ITIMER_REAL, &none, NULL);
	return !trace_late;
}
