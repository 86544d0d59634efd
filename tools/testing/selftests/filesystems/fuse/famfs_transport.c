// SPDX-License-Identifier: GPL-2.0
/*
 * Where the test server's requests come from and its replies go: /dev/fuse,
 * clones of it, or io_uring beside it.  The environment chooses, and also how
 * the server gives maps.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "famfs_server.h"

int famfs_transport_choose(struct famfs_server *srv)
{
	static const char *const names[] = { "fuse", "clone", "uring" };
	const char *name = getenv("FAMFS_TRANSPORT") ?: names[FAMFS_FUSE];
	int i;

	for (i = 0; i < 3; i++)
		if (!strcmp(name, names[i]))
			break;
	srv->transport = i;
	return i < 3 ? 0 : -EINVAL;
}

/* As FAMFS_MANNER says: "old", "onetrip" or "noopen". */
enum famfs_manner famfs_manner(void)
{
	const char *manner = getenv("FAMFS_MANNER");

	if (manner && !strcmp(manner, "onetrip"))
		return FAMFS_ONETRIP;
	if (manner && !strcmp(manner, "noopen"))
		return FAMFS_NOOPEN;
	return FAMFS_OLD;
}

void famfs_transport_close(struct famfs_server *srv)
{
	int i;

	famfs_uring_stop(srv);
	for (i = 0; i < FAMFS_CLONES; i++) {
		if (srv->clones[i] >= 0)
			close(srv->clones[i]);
		srv->clones[i] = -1;
	}
}

/* The mount must exist. */
int famfs_transport_open(struct famfs_server *srv)
{
	__u32 fd = srv->fd;
	int i;

	if (srv->transport != FAMFS_CLONE)
		return 0;
	for (i = 0; i < FAMFS_CLONES; i++) {
		srv->clones[i] = open("/dev/fuse",
				      O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (srv->clones[i] < 0 ||
		    ioctl(srv->clones[i], FUSE_DEV_IOC_CLONE, &fd) < 0)
			return -errno;
	}
	return 0;
}

/* The clones in turn: each request shows up at all of them. */
void famfs_transport_fds(struct famfs_server *srv, struct pollfd *fds)
{
	struct pollfd *devs = fds + FAMFS_POLL_DEVS;
	static unsigned int turn;
	int i;

	fds[FAMFS_POLL_WAKE].fd = srv->wake[0];
	fds[FAMFS_POLL_RING].fd = famfs_uring_fd(srv);
	for (i = 0; i < FAMFS_CLONES; i++)
		devs[i].fd = srv->clones[(turn + i) % FAMFS_CLONES];
	turn++;
	if (srv->transport != FAMFS_CLONE)
		devs[0].fd = srv->fd;
	for (i = 0; i < FAMFS_POLL_FDS; i++)
		fds[i].events = POLLIN;
}

static int send_reply(const struct famfs_req *req, struct fuse_out_header *oh,
		      const void *data, size_t len)
{
	struct iovec iov[2] = { { oh, sizeof(*oh) }, { (void *)data, len } };

	return writev(req->fd, iov, len ? 2 : 1) < 0 ? errno : 0;
}

/* Takes what the test has ordered for one reply to this opcode. */
static __s64 take_skew(const struct famfs_req *req)
{
	struct famfs_state *st = req->srv->st;
	__s64 skew = st->skew;

	if (st->skew_opcode != req->ih->opcode)
		return 0;
	st->skew = 0;
	return skew;
}

/* Requests wait until the ring is there. */
static void start_ring(struct famfs_server *srv)
{
	int err;

	if (srv->transport != FAMFS_URING ||
	    !(srv->st->want & srv->st->offered & FUSE_OVER_IO_URING))
		return;
	err = famfs_uring_start(srv);
	if (!err)
		return;
	fprintf(stderr, "# no ring: %s\n", strerror(-err));
	abort();
}

void famfs_reply(const struct famfs_req *req, int error, const void *data,
		 size_t len)
{
	struct fuse_out_header oh = {
		.len = sizeof(oh) + len,
		.error = error,
		.unique = req->ih->unique,
	};
	struct famfs_state *st = req->srv->st;
	__s64 skew = take_skew(req);
	__u32 opcode = req->ih->opcode;
	int err;

	if (req->srv->answers && !req->srv->answers(req))
		return;
	if (req->entry >= 0) {
		famfs_uring_reply(req, &oh, data, len, len + skew);
		return;
	}
	if (skew) {
		oh.len += skew;
		st->skew_errno = send_reply(req, &oh, data, len);
		/* Such a reply is none. */
		oh.len -= skew;
	}
	err = send_reply(req, &oh, data, len);
	if (opcode < FAMFS_OPCODES)
		st->reply_errno[opcode] = err;
	/* More than the kernel takes: the request still waits. */
	if (err == E2BIG) {
		oh.len = sizeof(oh);
		oh.error = -E2BIG;
		err = send_reply(req, &oh, NULL, 0);
	}
	if (opcode == FUSE_INIT && !error && !err)
		start_ring(req->srv);
}
