// SPDX-License-Identifier: GPL-2.0
/*
 * What the test tells its server to do with single requests, and what the
 * server has counted.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "famfs_server.h"

#define WAIT_MS		10000

/* A new rule, without limit, or NULL.  The oldest rule that fits wins. */
struct famfs_rule *famfs_rule(struct famfs_server *srv, __u32 opcode,
			      __u64 nodeid, enum famfs_action action)
{
	struct famfs_rule *r = srv->st->rules;
	int i;

	for (i = 0; i < FAMFS_MAX_RULES; i++, r++) {
		if (r->action && r->times)
			continue;
		memset(r, 0, sizeof(*r));
		r->opcode = opcode;
		r->nodeid = nodeid;
		r->times = -1;
		r->action = action;
		return r;
	}
	return NULL;
}

int famfs_fail(struct famfs_server *srv, __u32 opcode, __u64 nodeid,
	       int error, int times)
{
	struct famfs_rule *r = famfs_rule(srv, opcode, nodeid, FAMFS_FAIL);

	if (!r)
		return -ENOSPC;
	r->error = error;
	r->times = times;
	return 0;
}

int famfs_raw(struct famfs_server *srv, __u32 opcode, __u64 nodeid,
	      const void *data, size_t len, int times)
{
	struct famfs_rule *r = famfs_rule(srv, opcode, nodeid, FAMFS_RAW);

	if (!r)
		return -ENOSPC;
	r->raw = famfs_arena_add(srv, data, len, len);
	r->raw_len = len;
	r->times = times;
	return 0;
}

int famfs_hold(struct famfs_server *srv, __u32 opcode, __u64 nodeid)
{
	return famfs_rule(srv, opcode, nodeid, FAMFS_HOLD) ? 0 : -ENOSPC;
}

void famfs_rules_clear(struct famfs_server *srv)
{
	memset(srv->st->rules, 0, sizeof(srv->st->rules));
}

/* Waits until the server keeps n requests. */
int famfs_wait_held(struct famfs_server *srv, __u64 n)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	int i;

	for (i = 0; i < WAIT_MS; i++) {
		if (__atomic_load_n(&srv->st->held, __ATOMIC_SEQ_CST) == n)
			return 0;
		nanosleep(&ms, NULL);
	}
	return -ETIMEDOUT;
}

__u64 famfs_count(struct famfs_server *srv, __u32 opcode)
{
	return __atomic_load_n(&srv->st->count[opcode], __ATOMIC_SEQ_CST);
}

/* All requests but those that the kernel sends when it pleases. */
__u64 famfs_total(struct famfs_server *srv)
{
	__u64 sum = 0;
	__u32 op;

	for (op = 0; op < FAMFS_OPCODES; op++) {
		if (op == FUSE_FORGET || op == FUSE_BATCH_FORGET ||
		    op == FUSE_RELEASE || op == FUSE_INTERRUPT)
			continue;
		sum += famfs_count(srv, op);
	}
	return sum;
}

void famfs_counts_reset(struct famfs_server *srv)
{
	memset(srv->st->count, 0, sizeof(srv->st->count));
	srv->st->setattr_valid = 0;
}
