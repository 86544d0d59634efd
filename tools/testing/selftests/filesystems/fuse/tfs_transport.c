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

#include "tfs_server.h"

int tfs_transport_choose(struct tfs_server *srv)
{
	static const char *const names[] = { "fuse", "clone", "uring" };
	const char *name = getenv("FAMFS_TRANSPORT") ?: names[TFS_FUSE];
	int i;

	for (i = 0; i < 3; i++)
		if (!strcmp(name, names[i]))
			break;
	srv->transport = i;
	return i < 3 ? 0 : -EINVAL;
}

/* As FAMFS_OPEN_MODE says: "old", "openfmap" or "noopen". */
enum tfs_open_mode tfs_open_mode(void)
{
	const char *mode = getenv("FAMFS_OPEN_MODE");

	if (mode && !strcmp(mode, "openfmap"))
		return TFS_OPENFMAP;
	if (mode && !strcmp(mode, "noopen"))
		return TFS_NOOPEN;
	return TFS_GETFMAP;
}

void tfs_transport_close(struct tfs_server *srv)
{
	int i;

	tfs_uring_stop(srv);
	for (i = 0; i < TFS_CLONES; i++) {
		if (srv->clones[i] >= 0)
			close(srv->clones[i]);
		srv->clones[i] = -1;
	}
}

/* The mount must exist. */
int tfs_transport_open(struct tfs_server *srv)
{
	__u32 fd = srv->fd;
	int i;

	if (srv->transport != TFS_CLONE)
		return 0;
	for (i = 0; i < TFS_CLONES; i++) {
		srv->clones[i] = open("/dev/fuse",
				      O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (srv->clones[i] < 0 ||
		    ioctl(srv->clones[i], FUSE_DEV_IOC_CLONE, &fd) < 0)
			return -errno;
	}
	return 0;
}

/* The clones in turn: each request shows up at all of them. */
void tfs_transport_fds(struct tfs_server *srv, struct pollfd *fds)
{
	struct pollfd *devs = fds + TFS_POLL_DEVS;
	static unsigned int turn;
	int i;

	fds[TFS_POLL_WAKE].fd = srv->wake[0];
	fds[TFS_POLL_RING].fd = tfs_uring_fd(srv);
	for (i = 0; i < TFS_CLONES; i++)
		devs[i].fd = srv->clones[(turn + i) % TFS_CLONES];
	turn++;
	if (srv->transport != TFS_CLONE)
		devs[0].fd = srv->fd;
	for (i = 0; i < TFS_POLL_FDS; i++)
		fds[i].events = POLLIN;
}

static int send_reply(const struct tfs_req *req, struct fuse_out_header *oh,
		      const void *data, size_t len)
{
	struct iovec iov[2] = { { oh, sizeof(*oh) }, { (void *)data, len } };

	return writev(req->fd, iov, len ? 2 : 1) < 0 ? errno : 0;
}

/* Takes what the test has ordered for one reply to this opcode. */
static __s64 take_skew(const struct tfs_req *req)
{
	struct tfs_state *st = req->srv->st;
	__s64 skew = st->skew;

	if (st->skew_opcode != req->ih->opcode)
		return 0;
	st->skew = 0;
	return skew;
}

/* Requests wait until the ring is there. */
static void start_ring(struct tfs_server *srv)
{
	int err;

	if (srv->transport != TFS_URING ||
	    !(srv->st->want & srv->st->offered & FUSE_OVER_IO_URING))
		return;
	err = tfs_uring_start(srv);
	if (!err)
		return;
	fprintf(stderr, "# no ring: %s\n", strerror(-err));
	abort();
}

void tfs_reply(const struct tfs_req *req, int error, const void *data,
	       size_t len)
{
	struct fuse_out_header oh = {
		.len = sizeof(oh) + len,
		.error = error,
		.unique = req->ih->unique,
	};
	struct tfs_state *st = req->srv->st;
	__s64 skew = take_skew(req);
	__u32 opcode = req->ih->opcode;
	int err;

	if (req->srv->answers && !req->srv->answers(req))
		return;
	if (req->entry >= 0) {
		tfs_uring_reply(req, &oh, data, len, len + skew);
		return;
	}
	if (skew) {
		oh.len += skew;
		st->skew_errno = send_reply(req, &oh, data, len);
		/* Such a reply is none. */
		oh.len -= skew;
	}
	err = send_reply(req, &oh, data, len);
	if (opcode < TFS_OPCODES)
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
