/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small FUSE server over raw /dev/fuse or io_uring for tests of files that
 * are mapped onto dax devices.
 *
 * It serves one directory of files.  Each file may have a map: any bytes, so
 * that they can be wrong on purpose.  Rules make it answer single requests
 * with errors, with other bytes, late or never.  All of its state lies in
 * shared memory, so that the test reads counts and changes files also where
 * the server is a process of its own, which can be stopped and killed.
 *
 * There are no locks: a test changes state only while no request that uses it
 * is on its way.
 */
#ifndef FAMFS_SERVER_H
#define FAMFS_SERVER_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>
#include <linux/fuse.h>

struct famfs_msg;

#define FAMFS_MAX_FILES		32
#define FAMFS_MAX_DEVS		8
#define FAMFS_MAX_RULES		16
#define FAMFS_MAX_HELD		16
#define FAMFS_OPCODES		64
#define FAMFS_NAME_LEN		32

/* Clones of the device that a server uses. */
#define FAMFS_CLONES		2

/* Units of the pool that growing files take their space from. */
#define FAMFS_MAX_UNITS		1024

/* The server reads requests of at most this size. */
#define FAMFS_MAX_WRITE		(128 * 1024)
#define FAMFS_REQ_SIZE		(FAMFS_MAX_WRITE + 4096)

/* Bytes that an ordinary file can hold. */
#define FAMFS_DATA_SIZE		(4UL << 20)

/* What this kernel takes: the largest map in a reply, and in a push. */
#define FAMFS_REPLY_MAX		(64UL << 20)
#define FAMFS_PUSH_MAX		0x40000000UL

/* In rules: every file. */
#define FAMFS_ANY		(~0ULL)

/* The inode number of files[i]. */
#define FAMFS_INO(i)		((__u64)(i) + 2)

/* How a server goes about maps; FAMFS_MANNER chooses. */
enum famfs_manner {
	FAMFS_OLD,		/* GET_FMAP alone */
	FAMFS_ONETRIP,		/* with the replies to opens that ask for it */
	FAMFS_NOOPEN,		/* OPEN is -ENOSYS */
};

struct famfs_file {
	char name[FAMFS_NAME_LEN];
	bool exists;			/* else CREATE and MKNOD bring it up */
	bool unlinked;
	__u32 mode, uid, gid;
	__u64 size;			/* as attributes tell it */
	struct timespec atime, mtime, ctime;
	__u32 open_flags;		/* FOPEN_* of each reply to an open */
	__s32 backing_id;		/* for FOPEN_PASSTHROUGH */
	__u64 map, map_len;		/* reply to GET_FMAP, in the arena */
	__u64 data;			/* bytes of an ordinary file, or 0 */

	/* A file that grows has its map made up from what it owns. */
	bool grows;
	bool pushes;			/* its map, before it replies */
	bool partly;			/* takes what there is, then -ENOSPC */
	__u32 ahead;			/* units to take beyond those needed */
	__u32 units;
	__u16 unit[FAMFS_MAX_UNITS];	/* where in the pool they are */
};

enum famfs_action {
	FAMFS_FAIL = 1,		/* reply with an error and no payload */
	FAMFS_RAW,		/* reply with other bytes as the payload */
	FAMFS_HOLD,		/* keep the request until famfs_release() */
	FAMFS_NOTE,		/* send a notification, then go on as ever */
};

/* Of a GET_DAXDEV nodeid is the index. */
struct famfs_rule {
	enum famfs_action action;	/* 0: rule not in use */
	__u32 opcode;
	__u64 nodeid;
	int error;
	__u64 raw, raw_len;
	int times;			/* uses left, or -1: without limit */
};

/* Space of a device that files grow into. */
struct famfs_pool {
	__u32 dev;
	__u64 base, unit;		/* bytes */
	__u32 units;
	bool empty;			/* an empty file has no unit */
	__u8 owner[FAMFS_MAX_UNITS];	/* file + 1, or 0 */
};

/* Shared between the test and the server. */
struct famfs_state {
	/* Set before the server starts. */
	__u64 want;			/* INIT flags to ask for */
	bool force;			/* ask also for what is not offered */
	__u64 valid;			/* seconds attributes and names hold */
	bool xattrs;			/* else GETXATTR is -ENOSYS */
	enum famfs_manner manner;
	bool new_grow;			/* files made by CREATE grow ... */
	bool new_push;			/* ... and are pushed */

	struct famfs_file files[FAMFS_MAX_FILES];
	char devs[FAMFS_MAX_DEVS][FUSE_DAXDEV_NAME_MAX];
	struct famfs_rule rules[FAMFS_MAX_RULES];
	struct famfs_pool pool;

	/* What the server saw. */
	__u64 offered;		/* flags of the INIT request */
	__u64 count[FAMFS_OPCODES];
	__u64 asked;		/* opens that asked for a map */
	struct fuse_get_fmap_in get_fmap;	/* the last one, ... */
	struct fuse_get_daxdev_in get_daxdev;
	__u64 in_len[FAMFS_OPCODES];	/* ... and how long they all were */
	__u64 daxdev_nodeid;
	__u64 opened, released;	/* file handles, given out and given back */
	__u64 released_fh;	/* the last one that was given back */
	__u64 told_size;	/* the last that SETATTR told */
	int pushed_errno;	/* of the last notification by FAMFS_NOTE */
	__u64 held;			/* requests that a rule keeps now */
	int reply_errno[FAMFS_OPCODES];	/* of the last write of a reply */
	__u32 setattr_valid;		/* every FATTR_* that SETATTR sent */
	__u64 retrieved;		/* bytes that NOTIFY_REPLY brought */
	int last_errno;			/* why the server ended */
	__u64 ring_requests;		/* that came over io_uring */
	__u64 clone_requests[FAMFS_CLONES];	/* over each clone */

	/* One reply that says it is longer, or shorter, than it is. */
	__u32 skew_opcode;
	__s64 skew;			/* 0: none, or sent */
	int skew_errno;			/* what the kernel said to it */

	/* A notification that the test has the server process send. */
	size_t note_len;		/* 0 when it has been sent */
	int note_errno;
	unsigned char note[16384];

	__u64 arena_used;
	unsigned char arena[];
};

/* How requests come, chosen by FAMFS_TRANSPORT in the environment. */
enum famfs_transport {
	FAMFS_FUSE,		/* by reading /dev/fuse */
	FAMFS_CLONE,		/* the same from clones of it */
	FAMFS_URING,		/* over io_uring, where the kernel does that */
};

struct famfs_req;

/* The test's handle. */
struct famfs_server {
	struct famfs_state *st;
	int fd;				/* /dev/fuse, or -1 */
	enum famfs_transport transport;
	int clones[FAMFS_CLONES];	/* of fd, or -1 */
	struct famfs_uring *uring;	/* of the server, once it has one */
	size_t payload;			/* of the ring's entries, or 0 */
	unsigned int user;		/* whom the mount is for */
	unsigned int root_mode;		/* of the mount's root */
	int wake[2];			/* tells the server to look again */
	pthread_t thread;
	bool threaded;
	pid_t pid;			/* of a server process, or 0 */
	int (*prepare)(void);		/* first thing in a server process */
	bool (*watch)(const struct famfs_req *req); /* true: it has served it */
	bool (*answers)(const struct famfs_req *req); /* false: not sent */
};

/* A request as the server handles it. */
struct famfs_req {
	struct famfs_server *srv;
	const struct fuse_in_header *ih;
	const void *in;			/* what follows the header */
	size_t in_len;
	int fd;				/* where it was read, ... */
	int entry;			/* ... or its entry in the ring, or -1 */
};

/* From here on no file calls functions of those below it. */

/* famfs_uring.c: the transport of that name. */
int famfs_uring_start(struct famfs_server *srv);
void famfs_uring_stop(struct famfs_server *srv);
int famfs_uring_fd(const struct famfs_server *srv);
size_t famfs_uring_next(struct famfs_server *srv, void *buf, int *entry);
void famfs_uring_reply(const struct famfs_req *req,
		       const struct fuse_out_header *oh, const void *data,
		       size_t len, __u32 payload_sz);
void famfs_uring_done(const struct famfs_req *req);

/* famfs_transport.c: the ways of requests and replies. */
enum {
	FAMFS_POLL_WAKE,
	FAMFS_POLL_RING,
	FAMFS_POLL_DEVS,
	FAMFS_POLL_FDS = FAMFS_POLL_DEVS + FAMFS_CLONES,
};

int famfs_transport_choose(struct famfs_server *srv);
enum famfs_manner famfs_manner(void);
int famfs_transport_open(struct famfs_server *srv);
void famfs_transport_close(struct famfs_server *srv);
void famfs_transport_fds(struct famfs_server *srv, struct pollfd *fds);
void famfs_reply(const struct famfs_req *req, int error, const void *data,
		 size_t len);

/* famfs_file.c: the files. */
struct famfs_file *famfs_file_of(const struct famfs_req *req);
int famfs_find_name(struct famfs_state *st, const char *name, bool exists);
int famfs_new_file(struct famfs_state *st, const char *name);
void famfs_op_read(const struct famfs_req *req);
void famfs_op_write(const struct famfs_req *req);
__u64 famfs_arena_add(struct famfs_server *srv, const void *data, size_t len,
		      size_t room);
int famfs_add_file(struct famfs_server *srv, const char *name, __u64 size);
int famfs_add_data(struct famfs_server *srv, const char *name,
		   const void *data, size_t len);
void famfs_set_map(struct famfs_server *srv, int file, const void *map,
		   size_t len);

/* famfs_rules.c: orders and counts. */
bool famfs_sends_map(const struct famfs_req *req);
struct famfs_rule *famfs_rule_for(const struct famfs_req *req);
void famfs_seen(const struct famfs_req *req);
struct famfs_rule *famfs_rule(struct famfs_server *srv, __u32 opcode,
			      __u64 nodeid, enum famfs_action action);
int famfs_fail(struct famfs_server *srv, __u32 opcode, __u64 nodeid,
	       int error, int times);
int famfs_raw(struct famfs_server *srv, __u32 opcode, __u64 nodeid,
	      const void *data, size_t len, int times);
int famfs_hold(struct famfs_server *srv, __u32 opcode, __u64 nodeid);
int famfs_note(struct famfs_server *srv, __u32 opcode, __u64 nodeid,
	       const void *note, size_t len, int times);
void famfs_rules_clear(struct famfs_server *srv);
int famfs_wait_handles(struct famfs_server *srv, __u64 n);
int famfs_wait_held(struct famfs_server *srv, __u64 n);

__u64 famfs_count(struct famfs_server *srv, __u32 opcode);
__u64 famfs_fetches(struct famfs_server *srv);
__u64 famfs_total(struct famfs_server *srv);
void famfs_counts_reset(struct famfs_server *srv);

/* famfs_push.c: maps that the server sends by itself. */
int famfs_push_to(int fd, __u64 nodeid, __u32 flags, __u64 size, __u64 offset,
		  const void *data, size_t len);
int famfs_push_map(int fd, int file, const struct famfs_msg *m);
int famfs_revoke(int fd, int file);
int famfs_dax_open(int dev, int fd);
int famfs_dax_open_path(int dev, const char *path, int flags);
int famfs_dax_close(int dev, __u32 id);
void famfs_set_id(struct famfs_server *srv, int file, __u32 id, __u64 off,
		  __u64 size);
int famfs_push_id(int dev, int file, __u32 id, __u64 off, __u64 size);
int famfs_note_push(struct famfs_server *srv, __u32 opcode, int file,
		    const void *map, size_t len, int times);

/* famfs_grow.c: files that grow and shrink. */
void famfs_pool_init(struct famfs_server *srv, __u32 dev, __u64 base,
		     __u64 unit, __u32 units);
int famfs_add_growing(struct famfs_server *srv, const char *name,
		      __u32 units);
int famfs_grow(struct famfs_server *srv, struct famfs_file *f, __u64 end);
void famfs_shrink(struct famfs_server *srv, struct famfs_file *f, __u64 size);
int famfs_leave_units(struct famfs_server *srv, __u32 units);
int famfs_push_file(struct famfs_server *srv, int fd, struct famfs_file *f);
int famfs_answer_now(struct famfs_server *srv, struct famfs_file *f);
const void *famfs_map_of(struct famfs_server *srv, struct famfs_file *f,
			 size_t *len);
__u64 famfs_place(struct famfs_server *srv, const struct famfs_file *f,
		  __u64 pos);
void famfs_op_fallocate(const struct famfs_req *req);
int famfs_set_size(const struct famfs_req *req, struct famfs_file *f,
		   __u64 size, bool truncates);

/* famfs_ops.c: what the requests do. */
void famfs_handle(const struct famfs_req *req);
void famfs_handle_open(const struct famfs_req *req, const void *map,
		       size_t len);

/* famfs_server.c: the loop. */
int famfs_server_init(struct famfs_server *srv);
int famfs_server_thread(struct famfs_server *srv);
int famfs_server_fork(struct famfs_server *srv);
void famfs_server_stop(struct famfs_server *srv);
void famfs_server_exit(struct famfs_server *srv);
int famfs_server_signal(struct famfs_server *srv, int sig);

int famfs_notify(struct famfs_server *srv, int code, const void *out,
		 size_t len, const void *data, size_t data_len);
void famfs_release_op(struct famfs_server *srv, __u32 opcode);
void famfs_release(struct famfs_server *srv);

#endif /* FAMFS_SERVER_H */
