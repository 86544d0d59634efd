// SPDX-License-Identifier: GPL-2.0
/*
 * What the test tells its server to do with single requests, and what the
 * server has counted.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "famfs_server.h"

#define WAIT_MS		10000

static struct famfs_rule *find_rule(const struct famfs_req *req, __u32 opcode,
				    __u64 nodeid)
{
	struct famfs_rule *r = req->srv->st->rules;
	int i;

	for (i = 0; i < FAMFS_MAX_RULES; i++, r++) {
		if (!r->action || r->opcode != opcode || !r->times)
			continue;
		if (r->nodeid != FAMFS_ANY && r->nodeid != nodeid)
			continue;
		if (r->times > 0)
			r->times--;
		return r;
	}
	return NULL;
}

/* What rules know a request by. */
static __u64 rule_key(const struct famfs_req *req)
{
	const struct fuse_get_daxdev_in *daxdev = req->in;

	return req->ih->opcode == FUSE_GET_DAXDEV ? daxdev->index :
						    req->ih->nodeid;
}

/* Does the kernel want the map along with the reply? */
static bool asks_for_map(const struct famfs_req *req)
{
	const struct fuse_open_in *open = req->in;
	const struct fuse_create_in *create = req->in;

	switch (req->ih->opcode) {
	case FUSE_OPEN:
		return open->open_flags & FUSE_OPEN_FMAP;
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		return create->open_flags & FUSE_OPEN_FMAP;
	}
	return false;
}

/* Is the map to go with the reply to this request? */
bool famfs_sends_map(const struct famfs_req *req)
{
	return req->srv->st->manner == FAMFS_ONETRIP && asks_for_map(req);
}

/*
 * Rules for GET_FMAP are for maps, by whatever request they are asked for.  At
 * a CREATE the file's number is not known yet; such rules are for any file.
 */
struct famfs_rule *famfs_rule_for(const struct famfs_req *req)
{
	struct famfs_rule *r = find_rule(req, req->ih->opcode, rule_key(req));

	if (!r && famfs_sends_map(req))
		r = find_rule(req, FUSE_GET_FMAP, req->ih->nodeid);
	return r;
}

static void count_one(__u64 *count)
{
	__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
}

/* Takes note of a request that has just come. */
void famfs_seen(const struct famfs_req *req)
{
	const struct fuse_release_in *release = req->in;
	struct famfs_state *st = req->srv->st;
	__u32 opcode = req->ih->opcode;

	if (opcode < FAMFS_OPCODES) {
		count_one(&st->count[opcode]);
		st->in_len[opcode] = req->in_len;
	}
	if (opcode == FUSE_GET_FMAP)
		memcpy(&st->get_fmap, req->in, sizeof(st->get_fmap));
	if (opcode == FUSE_GET_DAXDEV) {
		memcpy(&st->get_daxdev, req->in, sizeof(st->get_daxdev));
		st->daxdev_nodeid = req->ih->nodeid;
	}
	if (asks_for_map(req))
		count_one(&st->asked);
	if (opcode == FUSE_RELEASE) {
		st->released_fh = release->fh;
		count_one(&st->released);
	}
}

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

/* A rule that sends these bytes, in the way of its kind. */
static int bytes_rule(struct famfs_rule *r, struct famfs_server *srv,
		      const void *data, size_t len, int times)
{
	if (!r)
		return -ENOSPC;
	r->raw = famfs_arena_add(srv, data, len, len);
	r->raw_len = len;
	r->times = times;
	return 0;
}

int famfs_raw(struct famfs_server *srv, __u32 opcode, __u64 nodeid,
	      const void *data, size_t len, int times)
{
	return bytes_rule(famfs_rule(srv, opcode, nodeid, FAMFS_RAW), srv,
			  data, len, times);
}

/* Sends a notification each time before such a request is answered. */
int famfs_note(struct famfs_server *srv, __u32 opcode, __u64 nodeid,
	       const void *note, size_t len, int times)
{
	return bytes_rule(famfs_rule(srv, opcode, nodeid, FAMFS_NOTE), srv,
			  note, len, times);
}

int famfs_hold(struct famfs_server *srv, __u32 opcode, __u64 nodeid)
{
	return famfs_rule(srv, opcode, nodeid, FAMFS_HOLD) ? 0 : -ENOSPC;
}

void famfs_rules_clear(struct famfs_server *srv)
{
	memset(srv->st->rules, 0, sizeof(srv->st->rules));
}

static __u64 held(const struct famfs_state *st)
{
	return __atomic_load_n(&st->held, __ATOMIC_SEQ_CST);
}

static __u64 handles(const struct famfs_state *st)
{
	return __atomic_load_n(&st->opened, __ATOMIC_SEQ_CST) -
	       __atomic_load_n(&st->released, __ATOMIC_SEQ_CST);
}

static int wait_for(const struct famfs_state *st, __u64 n,
		    __u64 (*number)(const struct famfs_state *st))
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	int i;

	for (i = 0; i < WAIT_MS; i++) {
		if (number(st) == n)
			return 0;
		nanosleep(&ms, NULL);
	}
	return -ETIMEDOUT;
}

/* Waits until the server keeps n requests. */
int famfs_wait_held(struct famfs_server *srv, __u64 n)
{
	return wait_for(srv->st, n, held);
}

/* Waits until n files are open as the server sees it, if it sees any. */
int famfs_wait_handles(struct famfs_server *srv, __u64 n)
{
	if (srv->st->manner == FAMFS_NOOPEN)
		return 0;
	return wait_for(srv->st, n, handles);
}

__u64 famfs_count(struct famfs_server *srv, __u32 opcode)
{
	return __atomic_load_n(&srv->st->count[opcode], __ATOMIC_SEQ_CST);
}

/* How often the kernel asked for a map that it then got, or an error. */
__u64 famfs_fetches(struct famfs_server *srv)
{
	__u64 n = famfs_count(srv, FUSE_GET_FMAP);

	if (srv->st->manner == FAMFS_ONETRIP)
		n += __atomic_load_n(&srv->st->asked, __ATOMIC_SEQ_CST);
	return n;
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
	srv->st->asked = 0;
}
