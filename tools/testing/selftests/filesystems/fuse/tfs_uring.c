// SPDX-License-Identifier: GPL-2.0
/*
 * Requests and replies of the test server over io_uring, with system calls
 * alone.
 *
 * FUSE wants a queue for each possible CPU, but not a ring: one ring has the
 * entries of all queues, so that one thread serves them all and the server
 * needs no locks here either.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <linux/io_uring.h>

#include "tfs_server.h"

/* Entries of a queue: more than tests have the server keep at a time. */
#define DEPTH		(TFS_MAX_HELD + 4)

/*
 * The kernel accepts any buffer from max_payload_sz up.  This one takes the
 * longest map message, and one that is too long; memory is used as it is
 * touched.
 */
#define HEADER_SIZE	4096UL
#define PAYLOAD_SIZE	(TFS_REPLY_MAX + (1UL << 20))

/* Of IORING_SETUP_SQE128. */
#define SQE_SIZE	128UL

struct entry {
	struct iovec iov[2];		/* header and payload */
	unsigned int qid;
	bool busy;			/* the server has its request */
};

struct tfs_uring {
	int dev;			/* /dev/fuse */
	int fd;
	struct io_uring_params p;
	char *ring, *sqes, *slots;
	size_t ring_len, sqes_len, slots_len;
	size_t payload;
	unsigned int nr;
	struct entry entries[];
};

static unsigned int *at(struct tfs_uring *u, __u32 offset)
{
	return (unsigned int *)(u->ring + offset);
}

/* What comes last in a list as "0-3" counts: the kernel numbers queues so. */
static unsigned int possible_cpus(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/possible", "re");
	unsigned int first, last = 0;

	if (!f)
		return 0;
	while (fscanf(f, "%u", &first) == 1) {
		last = first;
		if (fscanf(f, "-%u", &last) < 0 || fgetc(f) != ',')
			break;
	}
	fclose(f);
	return last + 1;
}

static int submit(struct tfs_uring *u, unsigned int i, __u32 op,
		  __u64 commit_id)
{
	unsigned int tail = *at(u, u->p.sq_off.tail);
	unsigned int slot = tail & *at(u, u->p.sq_off.ring_mask);
	struct io_uring_sqe *sqe = (void *)(u->sqes + slot * SQE_SIZE);
	struct fuse_uring_cmd_req *req = (void *)sqe->cmd;
	struct entry *e = &u->entries[i];

	memset(sqe, 0, SQE_SIZE);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = u->dev;
	sqe->cmd_op = op;
	sqe->user_data = i;
	if (op == FUSE_IO_URING_CMD_REGISTER) {
		sqe->addr = (unsigned long)e->iov;
		sqe->len = 2;
	}
	req->qid = e->qid;
	req->commit_id = commit_id;
	at(u, u->p.sq_off.array)[slot] = slot;
	__atomic_store_n(at(u, u->p.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	/* Copies the reply before it returns. */
	if (syscall(SYS_io_uring_enter, u->fd, 1, 0, 0, NULL, 0) != 1)
		return errno ? -errno : -EAGAIN;
	return 0;
}

static void *map_part(struct tfs_uring *u, size_t len, off_t offset)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, u->fd, offset);
}

static int make_ring(struct tfs_uring *u)
{
	size_t sq, cq;

	u->p.flags = IORING_SETUP_SQE128;
	u->fd = syscall(SYS_io_uring_setup, u->nr, &u->p);
	if (u->fd < 0)
		return -errno;
	sq = u->p.sq_off.array + u->p.sq_entries * sizeof(__u32);
	cq = u->p.cq_off.cqes + u->p.cq_entries * sizeof(struct io_uring_cqe);
	u->ring_len = sq > cq ? sq : cq;
	u->sqes_len = u->p.sq_entries * SQE_SIZE;
	u->slots_len = u->nr * (HEADER_SIZE + u->payload);
	u->ring = map_part(u, u->ring_len, IORING_OFF_SQ_RING);
	u->sqes = map_part(u, u->sqes_len, IORING_OFF_SQES);
	u->slots = mmap(NULL, u->slots_len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (u->ring == MAP_FAILED || u->sqes == MAP_FAILED ||
	    u->slots == MAP_FAILED)
		return -ENOMEM;
	return 0;
}

static int register_entries(struct tfs_uring *u)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < u->nr && !err; i++) {
		struct entry *e = &u->entries[i];

		e->qid = i / DEPTH;
		e->iov[0].iov_base = u->slots + i * (HEADER_SIZE + u->payload);
		e->iov[0].iov_len = sizeof(struct fuse_uring_req_header);
		e->iov[1].iov_base = e->iov[0].iov_base + HEADER_SIZE;
		e->iov[1].iov_len = u->payload;
		err = submit(u, i, FUSE_IO_URING_CMD_REGISTER, 0);
	}
	return err;
}

/* Once INIT has been answered; requests wait for it. */
int tfs_uring_start(struct tfs_server *srv)
{
	unsigned int nr = possible_cpus() * DEPTH;
	struct tfs_uring *u;
	int err;

	u = calloc(1, sizeof(*u) + nr * sizeof(u->entries[0]));
	if (!u)
		return -ENOMEM;
	u->dev = srv->fd;
	u->nr = nr;
	u->payload = srv->payload ?: PAYLOAD_SIZE;
	err = make_ring(u);
	if (!err)
		err = register_entries(u);
	srv->uring = u;
	return err;
}

void tfs_uring_stop(struct tfs_server *srv)
{
	struct tfs_uring *u = srv->uring;

	if (!u)
		return;
	srv->uring = NULL;
	close(u->fd);
	munmap(u->ring, u->ring_len);
	munmap(u->sqes, u->sqes_len);
	munmap(u->slots, u->slots_len);
	free(u);
}

/* To be polled, or -1. */
int tfs_uring_fd(const struct tfs_server *srv)
{
	return srv->uring ? srv->uring->fd : -1;
}

/* Puts the parts of a request together as a read of /dev/fuse gives them. */
static size_t gather(const struct entry *e, char *buf)
{
	const struct fuse_uring_req_header *h = e->iov[0].iov_base;
	const struct fuse_in_header *ih = (const void *)h->in_out;
	size_t payload = h->ring_ent_in_out.payload_sz;
	size_t op = ih->len - sizeof(*ih) - payload;

	if (ih->len > TFS_REQ_SIZE || op > sizeof(h->op_in))
		abort();
	memcpy(buf, ih, sizeof(*ih));
	memcpy(buf + sizeof(*ih), h->op_in, op);
	memcpy(buf + sizeof(*ih) + op, e->iov[1].iov_base, payload);
	return ih->len;
}

/* The next request, its length and its entry; 0: none now. */
size_t tfs_uring_next(struct tfs_server *srv, void *buf, int *entry)
{
	struct tfs_uring *u = srv->uring;
	unsigned int *head = at(u, u->p.cq_off.head);
	const struct io_uring_cqe *cqes = (void *)at(u, u->p.cq_off.cqes);

	while (*head != __atomic_load_n(at(u, u->p.cq_off.tail),
					__ATOMIC_ACQUIRE)) {
		struct io_uring_cqe cqe =
			cqes[*head & *at(u, u->p.cq_off.ring_mask)];

		__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
		/* The end of the connection, which /dev/fuse tells as well. */
		if (cqe.res < 0)
			continue;
		*entry = cqe.user_data;
		u->entries[*entry].busy = true;
		return gather(&u->entries[*entry], buf);
	}
	return 0;
}

/* A reply of len bytes that claims to have payload_sz. */
void tfs_uring_reply(const struct tfs_req *req,
		     const struct fuse_out_header *oh, const void *data,
		     size_t len, __u32 payload_sz)
{
	struct tfs_uring *u = req->srv->uring;
	struct entry *e = &u->entries[req->entry];
	struct fuse_uring_req_header *h = e->iov[0].iov_base;

	memcpy(h->in_out, oh, sizeof(*oh));
	if (len > u->payload)
		abort();
	if (len)
		memcpy(e->iov[1].iov_base, data, len);
	h->ring_ent_in_out.payload_sz = payload_sz;
	e->busy = false;
	submit(u, req->entry, FUSE_IO_URING_CMD_COMMIT_AND_FETCH,
	       h->ring_ent_in_out.commit_id);
}

/* Gives an entry back whose request needs no reply. */
void tfs_uring_done(const struct tfs_req *req)
{
	struct fuse_out_header oh = {
		.len = sizeof(oh),
		.unique = req->ih->unique,
	};

	if (req->entry >= 0 && req->srv->uring->entries[req->entry].busy)
		tfs_uring_reply(req, &oh, NULL, 0, 0);
}
