// SPDX-License-Identifier: GPL-2.0
/*
 * What the test tells its server to do with single requests, and what the
 * server has counted.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tfs_server.h"

#define WAIT_MS		10000

static struct tfs_rule *find_rule(const struct tfs_req *req, __u32 opcode,
				  __u64 nodeid)
{
	struct tfs_rule *r = req->srv->st->rules;
	int i;

	for (i = 0; i < TFS_MAX_RULES; i++, r++) {
		if (!r->action || r->opcode != opcode || !r->times)
			continue;
		if (r->nodeid != TFS_ANY && r->nodeid != nodeid)
			continue;
		if (r->times > 0)
			r->times--;
		return r;
	}
	return NULL;
}

/* What rules know a request by. */
static __u64 rule_key(const struct tfs_req *req)
{
	const struct fuse_get_daxdev_in *daxdev = req->in;

	return req->ih->opcode == FUSE_GET_DAXDEV ? daxdev->index :
						    req->ih->nodeid;
}

/* Does the kernel want the map along with the reply? */
static bool asks_for_map(const struct tfs_req *req)
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
bool tfs_sends_map(const struct tfs_req *req)
{
	return req->srv->st->open_mode == TFS_OPENFMAP && asks_for_map(req);
}

/*
 * Rules for GET_FMAP are for maps, by whatever request they are asked for.  At
 * a CREATE the file's number is not known yet; such rules are for any file.
 */
struct tfs_rule *rule_for(const struct tfs_req *req)
{
	struct tfs_rule *r = find_rule(req, req->ih->opcode, rule_key(req));

	if (!r && tfs_sends_map(req))
		r = find_rule(req, FUSE_GET_FMAP, req->ih->nodeid);
	return r;
}

static void count_one(__u64 *count)
{
	__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
}

/* Takes note of a request that has just come. */
void tfs_count_request(const struct tfs_req *req)
{
	const struct fuse_release_in *release = req->in;
	struct tfs_state *st = req->srv->st;
	__u32 opcode = req->ih->opcode;

	if (opcode < TFS_OPCODES) {
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
		count_one(&st->nr_open_fmap);
	if (opcode == FUSE_RELEASE) {
		st->released_fh = release->fh;
		count_one(&st->released);
	}
}

/* A new rule, without limit, or NULL.  The oldest rule that fits wins. */
struct tfs_rule *rule_add(struct tfs_server *srv, __u32 opcode,
			  __u64 nodeid, enum tfs_action action)
{
	struct tfs_rule *r = srv->st->rules;
	int i;

	for (i = 0; i < TFS_MAX_RULES; i++, r++) {
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

int rule_fail(struct tfs_server *srv, __u32 opcode, __u64 nodeid,
	      int error, int times)
{
	struct tfs_rule *r = rule_add(srv, opcode, nodeid, TFS_FAIL);

	if (!r)
		return -ENOSPC;
	r->error = error;
	r->times = times;
	return 0;
}

/* A rule that sends these bytes, in the way of its kind. */
static int bytes_rule(struct tfs_rule *r, struct tfs_server *srv,
		      const void *data, size_t len, int times)
{
	if (!r)
		return -ENOSPC;
	r->raw = tfs_arena_add(srv, data, len, len);
	r->raw_len = len;
	r->times = times;
	return 0;
}

int rule_raw(struct tfs_server *srv, __u32 opcode, __u64 nodeid,
	     const void *data, size_t len, int times)
{
	return bytes_rule(rule_add(srv, opcode, nodeid, TFS_RAW), srv,
			  data, len, times);
}

/* Sends a notification each time before such a request is answered. */
int rule_notify(struct tfs_server *srv, __u32 opcode, __u64 nodeid,
		const void *note, size_t len, int times)
{
	return bytes_rule(rule_add(srv, opcode, nodeid, TFS_NOTIFY), srv,
			  note, len, times);
}

int rule_hold(struct tfs_server *srv, __u32 opcode, __u64 nodeid)
{
	return rule_add(srv, opcode, nodeid, TFS_HOLD) ? 0 : -ENOSPC;
}

void rules_clear(struct tfs_server *srv)
{
	memset(srv->st->rules, 0, sizeof(srv->st->rules));
}

static __u64 held(const struct tfs_state *st)
{
	return __atomic_load_n(&st->held, __ATOMIC_SEQ_CST);
}

static __u64 handles(const struct tfs_state *st)
{
	return __atomic_load_n(&st->opened, __ATOMIC_SEQ_CST) -
	       __atomic_load_n(&st->released, __ATOMIC_SEQ_CST);
}

static int wait_for(const struct tfs_state *st, __u64 n,
		    __u64 (*number)(const struct tfs_state *st))
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
int tfs_wait_held(struct tfs_server *srv, __u64 n)
{
	return wait_for(srv->st, n, held);
}

/* Waits until n files are open as the server sees it, if it sees any. */
int tfs_wait_handles(struct tfs_server *srv, __u64 n)
{
	if (srv->st->open_mode == TFS_NOOPEN)
		return 0;
	return wait_for(srv->st, n, handles);
}

__u64 tfs_count(struct tfs_server *srv, __u32 opcode)
{
	return __atomic_load_n(&srv->st->count[opcode], __ATOMIC_SEQ_CST);
}

/* How often the kernel asked for a map that it then got, or an error. */
__u64 tfs_fetches(struct tfs_server *srv)
{
	__u64 n = tfs_count(srv, FUSE_GET_FMAP);

	if (srv->st->open_mode == TFS_OPENFMAP)
		n += __atomic_load_n(&srv->st->nr_open_fmap, __ATOMIC_SEQ_CST);
	return n;
}

/* All requests but those that the kernel sends when it pleases. */
__u64 tfs_total(struct tfs_server *srv)
{
	__u64 sum = 0;
	__u32 op;

	for (op = 0; op < TFS_OPCODES; op++) {
		if (op == FUSE_FORGET || op == FUSE_BATCH_FORGET ||
		    op == FUSE_RELEASE || op == FUSE_INTERRUPT)
			continue;
		sum += tfs_count(srv, op);
	}
	return sum;
}

void tfs_counts_reset(struct tfs_server *srv)
{
	memset(srv->st->count, 0, sizeof(srv->st->count));
	srv->st->setattr_valid = 0;
	srv->st->nr_open_fmap = 0;
}
