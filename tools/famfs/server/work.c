// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that read requests and serve them.
 *
 * A thread that is killed while the kernel copies a request to it must have that
 * memory: the request would fail otherwise, and not be sent again.
 */

#include <errno.h>
#include <fcntl.h>
#include <fuse_kernel.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kept.h"
#include "server.h"

/* Some may wait for a lock that another one has. */
#define WORK_THREADS	16u

/* What a request has besides its data. */
#define WORK_HEADER	4096u

/* Larger ones are not sent but for FORGETs, which nobody waits for. */
#define WORK_TOUCHED	(128u << 10)

/* A buffer and its size. */
struct work {
	void *memory;
	size_t bytes;
};

static int work_begin(const struct server *server, struct work *work)
{
	work->bytes = server->kept->max_write + WORK_HEADER;
	if (work->bytes < WORK_TOUCHED)
		work->bytes = WORK_TOUCHED;
	work->memory = malloc(work->bytes);
	if (!work->memory)
		return -ENOMEM;
	memset(work->memory, 0xff, WORK_TOUCHED);
	return 0;
}

/* Return: bytes; 0: it is over; -EAGAIN: there is none now; or an error. */
static ssize_t work_read(struct server *server, struct work *work)
{
	ssize_t n;

	do {
		/* ENOENT: whoever waited has been killed. */
		n = read(fuse_session_fd(server->session), work->memory,
			 work->bytes);
	} while (n < 0 && (errno == EINTR || errno == ENOENT));
	if (n >= (ssize_t)sizeof(struct fuse_in_header))
		return n;
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n >= 0 || errno != ENODEV) {
		fuse_log(FUSE_LOG_ERR, "famfs: %s: requests cannot be read: %s\n",
			 server->device, n < 0 ? strerror(errno) : "too short");
		/* It is mounted still: another server may be able to. */
		_exit(1);
	}
	fuse_session_exit(server->session);
	return 0;
}

static void work_serve(struct server *server, struct work *work, ssize_t bytes)
{
	struct fuse_buf buf = { .size = (size_t)bytes, .mem = work->memory };
	const struct fuse_in_header *in = work->memory;

	request_begin(server, in->unique & ~FUSE_UNIQUE_RESEND,
		      in->unique & FUSE_UNIQUE_RESEND);
	fuse_session_process_buf(server->session, &buf);
	request_end();
}

/* Does it come after all that was sent again? */
static bool work_is_fresh(const struct work *work)
{
	const struct fuse_in_header *in = work->memory;

	return !(in->unique & FUSE_UNIQUE_RESEND) &&
	       in->opcode != FUSE_FORGET && in->opcode != FUSE_BATCH_FORGET &&
	       in->opcode != FUSE_INTERRUPT;
}

static void work_set_waits(struct server *server, bool waits)
{
	int fd = fuse_session_fd(server->session);
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, waits ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

int work_again(struct server *server)
{
	struct work work;
	ssize_t n;
	int err = work_begin(server, &work);

	if (err)
		return err;
	work_set_waits(server, false);
	session_resend(server);
	do {
		n = work_read(server, &work);
		if (n > 0)
			work_serve(server, &work, n);
	} while (n > 0 && !work_is_fresh(&work));
	work_set_waits(server, true);
	free(work.memory);
	/* None of the requests that servers before have left can come now. */
	done_drop_all(&server->kept->done);
	return 0;
}

static void *work_thread(void *context)
{
	struct server *server = context;
	struct work work;
	ssize_t n;

	if (work_begin(server, &work))
		return NULL;
	while (!fuse_session_exited(server->session)) {
		n = work_read(server, &work);
		if (n > 0)
			work_serve(server, &work, n);
		else if (!n)
			break;
	}
	free(work.memory);
	return NULL;
}

void work_run(struct server *server)
{
	pthread_t threads[WORK_THREADS];
	unsigned int count = 0;

	while (count < WORK_THREADS &&
	       !pthread_create(&threads[count], NULL, work_thread, server))
		count++;
	for (unsigned int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	if (count)
		return;
	fuse_log(FUSE_LOG_ERR, "famfs: %s: there are no threads for its server\n",
		 server->device);
	/* It is mounted still: another server may have some. */
	_exit(1);
}
