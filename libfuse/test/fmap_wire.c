// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * A session without a kernel: requests are made up, and what the library writes
 * is kept to be looked at.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#include "fmap_wire.h"
#include "fuse_i.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct wire_sent wire_sent;
unsigned int wire_writes;
int (*wire_hook)(const struct fuse_out_header *out, const struct iovec *iov,
		 int count);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[4096];

static void keep(const struct iovec *iov, int count)
{
	int i;

	pthread_mutex_lock(&lock);
	wire_sent.out = *(struct fuse_out_header *)iov[0].iov_base;
	wire_sent.size = 0;
	for (i = 1; i < count; i++) {
		size_t n = iov[i].iov_len, at = wire_sent.size;
		size_t room = at < sizeof(wire_sent.data) ?
			      sizeof(wire_sent.data) - at : 0;

		if (room && n)
			memcpy(wire_sent.data + at, iov[i].iov_base,
			       n < room ? n : room);
		wire_sent.size += n;
	}
	wire_writes++;
	pthread_mutex_unlock(&lock);
}

static ssize_t wire_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	const struct fuse_out_header *out = iov[0].iov_base;
	int err = wire_hook ? wire_hook(out, iov, count) : 0;

	(void)fd;
	(void)userdata;
	keep(iov, count);
	if (err) {
		errno = -err;
		return -1;
	}
	return out->len;
}

static ssize_t wire_read(int fd, void *buf, size_t len, void *userdata)
{
	(void)fd;
	(void)buf;
	(void)len;
	(void)userdata;
	errno = EIO;
	return -1;
}

static void wire_log_func(enum fuse_log_level level, const char *fmt,
			  va_list ap)
{
	size_t used = strlen(log_text);

	(void)level;
	vsnprintf(log_text + used, sizeof(log_text) - used, fmt, ap);
}

const char *wire_log(void)
{
	static char text[sizeof(log_text)];

	memcpy(text, log_text, sizeof(text));
	log_text[0] = '\0';
	return text;
}

struct fuse_session *wire_session(const struct fuse_lowlevel_ops *ops,
				  void *userdata)
{
	static const struct fuse_custom_io io = {
		.writev = wire_writev,
		.read = wire_read,
	};
	char name[] = "wire", *argv[] = { name, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct fuse_session *se;

	fuse_set_log_func(wire_log_func);
	se = fuse_session_new(&args, ops, sizeof(*ops), userdata);
	CHECK(se && fd >= 0);
	/* As fuse_session_custom_io(), which not every build has */
	se->io = malloc(sizeof(io));
	CHECK(se->io != NULL);
	*se->io = io;
	se->fd = fd;
	fuse_opt_free_args(&args);
	wire_log();
	wire_writes = 0;
	wire_hook = NULL;
	return se;
}

void wire_request(struct fuse_session *se, uint32_t opcode, uint64_t nodeid,
		  const void *in, size_t size)
{
	static uint64_t unique;
	struct fuse_in_header *ih = calloc(1, sizeof(*ih) + size);
	struct fuse_buf buf = { .size = sizeof(*ih) + size, .mem = ih };

	CHECK(ih != NULL);
	ih->len = buf.size;
	ih->opcode = opcode;
	ih->unique = unique += 2;
	ih->nodeid = nodeid;
	if (size)
		memcpy(ih + 1, in, size);
	fuse_session_process_buf(se, &buf);
	free(ih);
	CHECK(wire_sent.out.unique == unique);
}

void wire_init(struct fuse_session *se, uint32_t minor, uint64_t flags)
{
	const struct fuse_init_in in = {
		.major = FUSE_KERNEL_VERSION,
		.minor = minor,
		.flags = (uint32_t)flags | FUSE_INIT_EXT | FUSE_MAX_PAGES,
		.flags2 = flags >> 32,
	};

	wire_request(se, FUSE_INIT, 0, &in, sizeof(in));
}

/* As the kernel asks: for all of a file, and taking so much in the reply */
void wire_get_fmap(struct fuse_session *se, uint64_t nodeid, uint32_t size)
{
	const struct fuse_get_fmap_in in = { .length = ~0ULL, .size = size };

	wire_request(se, FUSE_GET_FMAP, nodeid, &in, sizeof(in));
}

void wire_end(struct fuse_session *se)
{
	wire_hook = NULL;
	fuse_session_destroy(se);
}
