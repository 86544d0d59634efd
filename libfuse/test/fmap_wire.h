/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE: Filesystem in Userspace
 *
 * A session without a kernel: requests are made up, and what the library writes
 * is kept to be looked at.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#ifndef FMAP_WIRE_H_
#define FMAP_WIRE_H_

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 18)

#include "fuse_lowlevel.h"
#include "fuse_kernel.h"

#include <err.h>
#include <stdbool.h>

#define CHECK(cond) \
	do { \
		if (!(cond)) \
			errx(1, "%s:%d: check failed: %s", __func__, __LINE__, \
			     #cond); \
	} while (0)

/* For what returns a number, so that it shows */
#define CHECK_EQ(got, want) \
	do { \
		long long got_ = (got), want_ = (want); \
		if (got_ != want_) \
			errx(1, "%s:%d: %s is %lld, not %lld", __func__, \
			     __LINE__, #got, got_, want_); \
	} while (0)

/* What was written last, without the header; the beginning of it */
struct wire_sent {
	struct fuse_out_header out;
	size_t size;
	union {
		uint64_t align;
		char data[1024];
	};
};

extern struct wire_sent wire_sent;

/* What was written last, if that was the reply to INIT */
static inline const struct fuse_init_out *wire_init_reply(void)
{
	return (const void *)wire_sent.data;
}

extern unsigned int wire_writes;

/* Called with each message, if set; a negative errno makes the write fail */
extern int (*wire_hook)(const struct fuse_out_header *out,
			const struct iovec *iov, int count);

struct fuse_session *wire_session(const struct fuse_lowlevel_ops *ops,
				  void *userdata);
void wire_request(struct fuse_session *se, uint32_t opcode, uint64_t nodeid,
		  const void *in, size_t size);
void wire_init(struct fuse_session *se, uint32_t minor, uint64_t flags);
void wire_get_fmap(struct fuse_session *se, uint64_t nodeid, uint32_t size);
void wire_end(struct fuse_session *se);

/* What has been logged since the last call */
const char *wire_log(void);

#endif /* FMAP_WIRE_H_ */
