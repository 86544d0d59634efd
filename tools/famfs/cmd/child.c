// SPDX-License-Identifier: GPL-2.0
/*
 * A child that makes one call. What the kernel cannot interrupt keeps the child,
 * not the command.
 */

#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "cmd.h"

void *child_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory != MAP_FAILED)
		return memory;
	cmd_fail_errno("famfs", -errno);
	return NULL;
}

void child_forget(void *memory, size_t bytes)
{
	munmap(memory, bytes);
}

/* A lock would be held, and a pipe be read, for as long as it has them. */
static void child_detach(bool stays, pid_t parent)
{
	int null = open("/dev/null", O_RDWR);

	if (stays) {
		signal(SIGINT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
	} else {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	for (int fd = 0; fd < 3; fd++) {
		if (null < 0)
			close(fd);
		else
			dup2(null, fd);
	}
	close_range(3, UINT_MAX, 0);
}

int child_start(struct child *child, bool stays,
		void (*call)(void *context), void *context)
{
	pid_t parent = getpid();
	int err = 0;

	/* Ignored, it hides that children end. */
	signal(SIGCHLD, SIG_DFL);
	child->pid = fork();
	if (!child->pid) {
		child_detach(stays, parent);
		call(context);
		_exit(0);
	}
	if (child->pid < 0)
		return -errno;
	child->end = pidfd_open(child->pid, 0);
	if (child->end < 0) {
		err = -errno;
		kill(child->pid, SIGKILL);
	}
	return err;
}

bool child_ended(struct child *child, unsigned int ms)
{
	struct pollfd look = { .fd = child->end, .events = POLLIN };
	uint64_t until = clock_ms() + ms, now;
	int n;

	do {
		now = clock_ms();
		n = poll(&look, 1, now < until ? (int)(until - now) : 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(child->end);
	return true;
}

void child_leave(struct child *child)
{
	close(child->end);
}

void child_kill(struct child *child)
{
	kill(child->pid, SIGKILL);
	/* Most end at once, and leave nothing behind. */
	if (!child_ended(child, 100))
		child_leave(child);
}
