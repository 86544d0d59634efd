// SPDX-License-Identifier: GPL-2.0
/*
 * A medium on which a process dies at any access.
 */

#include "steps.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "layout.h"

_Atomic int *steps_left;
static uint8_t *steps_memory;

void steps_go(void)
{
	if (*steps_left > 0 && atomic_fetch_sub(steps_left, 1) == 1)
		_exit(STEPS_DIED);
}

static int steps_read(struct media *media, uint64_t offset, void *buf,
		      size_t len, unsigned int how)
{
	(void)media;
	(void)how;
	steps_go();
	memcpy(buf, steps_memory + offset, len);
	return 0;
}

/* Half of what is written is there, too. */
static int steps_write(struct media *media, uint64_t offset, const void *buf,
		       size_t len, unsigned int how)
{
	size_t half = len / LINE_SIZE / 2 * LINE_SIZE;

	(void)media;
	(void)how;
	steps_go();
	memcpy(steps_memory + offset, buf, half);
	steps_go();
	memcpy(steps_memory + offset + half, (const char *)buf + half,
	       len - half);
	steps_go();
	return 0;
}

static void steps_settle(struct media *media)
{
	(void)media;
}

static const struct media_ops steps_ops = {
	.read = steps_read,
	.write = steps_write,
	.settle = steps_settle,
};

void steps_media(struct media *media, uint8_t *memory, uint64_t size)
{
	steps_memory = memory;
	media->ops = &steps_ops;
	media->size = size;
}

int steps_wait(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}
