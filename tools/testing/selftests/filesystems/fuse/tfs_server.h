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
#ifndef TFS_SERVER_H
#define TFS_SERVER_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>
#include <linux/fuse.h>

struct tfs_msg;

#define TFS_MAX_FILES		32
#define TFS_MAX_DEVS		8
#define TFS_MAX_RULES		16
#define TFS_MAX_HELD		16
#define TFS_OPCODES		64
#define TFS_NAME_LEN		32

/* Clones of the device that a server uses. */
#define TFS_CLONES		2

/* Units of the pool that growing files take their space from. */
#define TFS_MAX_UNITS		1024

/* The server reads requests of at most this size. */
#define TFS_MAX_WRITE		(128 * 1024)
#define TFS_REQ_SIZE		(TFS_MAX_WRITE + 4096)

/* Bytes that an ordinary file can hold. */
#define TFS_DATA_SIZE		(4UL << 20)

/* What this kernel takes: the largest map in a reply, and in a push. */
#define TFS_REPLY_MAX		(64UL << 20)
#define TFS_PUSH_MAX		0x40000000UL

/* In rules: every file. */
#define TFS_ANY			(~0ULL)

/* The inode number of files[i]. */
#define TFS_INO(i)		((__u64)(i) + 2)

/* How a server gives maps; FAMFS_OPEN_MODE chooses. */
enum tfs_open_mode {
	TFS_GETFMAP,		/* GET_FMAP alone */
	TFS_OPENFMAP,		/* with the replies to opens that ask for it */
	TFS_NOOPEN,		/* OPEN is -ENOSYS */
};

struct tfs_file {
	char name[TFS_NAME_LEN];
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
	__u16 unit[TFS_MAX_UNITS];	/* where in the pool they are */
};

enum tfs_action {
	TFS_FAIL = 1,		/* reply with an error and no payload */
	TFS_RAW,		/* reply with other bytes as the payload */
	TFS_HOLD,		/* keep the request until rules_release() */
	TFS_NOTIFY,		/* send a notification, then go on as ever */
};

/* Of a GET_DAXDEV nodeid is the index. */
struct tfs_rule {
	enum tfs_action action;		/* 0: rule not in use */
	__u32 opcode;
	__u64 nodeid;
	int error;
	__u64 raw, raw_len;
	int times;			/* uses left, or -1: without limit */
};

/* Space of a device that files grow into. */
struct tfs_pool {
	__u32 dev;
	__u64 base, unit;		/* bytes */
	__u32 units;
	bool empty;			/* an empty file has no unit */
	__u8 owner[TFS_MAX_UNITS];	/* file + 1, or 0 */
};

/* Shared between the test and the server. */
struct tfs_state {
	/* Set before the server starts. */
	__u64 want;			/* INIT flags to ask for */
	bool force;			/* ask also for what is not offered */
	__u64 valid;			/* seconds attributes and names hold */
	bool xattrs;			/* else GETXATTR is -ENOSYS */
	enum tfs_open_mode open_mode;
	bool new_grow;			/* files made by CREATE grow ... */
	bool new_push;			/* ... and are pushed */

	struct tfs_file files[TFS_MAX_FILES];
	char devs[TFS_MAX_DEVS][FUSE_DAXDEV_NAME_MAX];
	struct tfs_rule rules[TFS_MAX_RULES];
	struct tfs_pool pool;

	/* What the server saw. */
	__u64 offered;		/* flags of the INIT request */
	__u64 count[TFS_OPCODES];
	__u64 nr_open_fmap;	/* opens that asked for a map */
	struct fuse_get_fmap_in get_fmap;	/* the last one, ... */
	struct fuse_get_daxdev_in get_daxdev;
	__u64 in_len[TFS_OPCODES];	/* ... and how long they all were */
	__u64 daxdev_nodeid;
	__u64 opened, released;	/* file handles, given out and given back */
	__u64 released_fh;	/* the last one that was given back */
	__u64 setattr_size;	/* the last that SETATTR told */
	int notify_errno;	/* of the last notification by TFS_NOTIFY */
	__u64 held;			/* requests that a rule keeps now */
	int reply_errno[TFS_OPCODES];	/* of the last write of a reply */
	__u32 setattr_valid;		/* every FATTR_* that SETATTR sent */
	__u64 retrieved;		/* bytes that NOTIFY_REPLY brought */
	int last_errno;			/* why the server ended */
	__u64 ring_requests;		/* that came over io_uring */
	__u64 clone_requests[TFS_CLONES];	/* over each clone */

	/* One reply that says it is longer, or shorter, than it is. */
	__u32 skew_opcode;
	__s64 skew;			/* 0: none, or sent */
	int skew_errno;			/* what the kernel said to it */

	/* A notification that the test has the server process send. */
	size_t notice_len;		/* 0 when it has been sent */
	int notice_errno;
	unsigned char notice[16384];

	__u64 arena_used;
	unsigned char arena[];
};

/* How requests come, chosen by FAMFS_TRANSPORT in the environment. */
enum tfs_transport {
	TFS_FUSE,		/* by reading /dev/fuse */
	TFS_CLONE,		/* the same from clones of it */
	TFS_URING,		/* over io_uring, where the kernel does that */
};

struct tfs_req;

/* The test's handle. */
struct tfs_server {
	struct tfs_state *st;
	int fd;				/* /dev/fuse, or -1 */
	enum tfs_transport transport;
	int clones[TFS_CLONES];		/* of fd, or -1 */
	struct tfs_uring *uring;	/* of the server, once it has one */
	size_t payload;			/* of the ring's entries, or 0 */
	unsigned int user;		/* whom the mount is for */
	unsigned int root_mode;		/* of the mount's root */
	int wake[2];			/* tells the server to look again */
	pthread_t thread;
	bool threaded;
	pid_t pid;			/* of a server process, or 0 */
	int (*prepare)(void);		/* first thing in a server process */
	bool (*watch)(const struct tfs_req *req); /* true: it has served it */
	bool (*answers)(const struct tfs_req *req); /* false: not sent */
};

/* A request as the server handles it. */
struct tfs_req {
	struct tfs_server *srv;
	const struct fuse_in_header *ih;
	const void *in;			/* what follows the header */
	size_t in_len;
	int fd;				/* where it was read, ... */
	int entry;			/* ... or its entry in the ring, or -1 */
};

/* From here on no file calls functions of those below it. */

/* tfs_uring.c: the transport of that name. */
int tfs_uring_start(struct tfs_server *srv);
void tfs_uring_stop(struct tfs_server *srv);
int tfs_uring_fd(const struct tfs_server *srv);
size_t tfs_uring_next(struct tfs_server *srv, void *buf, int *entry);
void tfs_uring_reply(const struct tfs_req *req,
		     const struct fuse_out_header *oh, const void *data,
		     size_t len, __u32 payload_sz);
void tfs_uring_done(const struct tfs_req *req);

/* tfs_transport.c: the ways of requests and replies. */
enum {
	TFS_POLL_WAKE,
	TFS_POLL_RING,
	TFS_POLL_DEVS,
	TFS_POLL_FDS = TFS_POLL_DEVS + TFS_CLONES,
};

int tfs_transport_choose(struct tfs_server *srv);
enum tfs_open_mode tfs_open_mode(void);
int tfs_transport_open(struct tfs_server *srv);
void tfs_transport_close(struct tfs_server *srv);
void tfs_transport_fds(struct tfs_server *srv, struct pollfd *fds);
void tfs_reply(const struct tfs_req *req, int error, const void *data,
	       size_t len);

/* tfs_file.c: the files. */
struct tfs_file *tfs_file_of(const struct tfs_req *req);
int tfs_find_name(struct tfs_state *st, const char *name, bool exists);
int tfs_new_file(struct tfs_state *st, const char *name);
void tfs_op_read(const struct tfs_req *req);
void tfs_op_write(const struct tfs_req *req);
__u64 tfs_arena_add(struct tfs_server *srv, const void *data, size_t len,
		    size_t room);
int tfs_add_file(struct tfs_server *srv, const char *name, __u64 size);
int tfs_add_data(struct tfs_server *srv, const char *name,
		 const void *data, size_t len);
void tfs_set_map(struct tfs_server *srv, int file, const void *map,
		 size_t len);

/* tfs_rules.c: orders and counts. */
bool tfs_sends_map(const struct tfs_req *req);
struct tfs_rule *rule_for(const struct tfs_req *req);
void tfs_count_request(const struct tfs_req *req);
struct tfs_rule *rule_add(struct tfs_server *srv, __u32 opcode,
			  __u64 nodeid, enum tfs_action action);
int rule_fail(struct tfs_server *srv, __u32 opcode, __u64 nodeid,
	      int error, int times);
int rule_raw(struct tfs_server *srv, __u32 opcode, __u64 nodeid,
	     const void *data, size_t len, int times);
int rule_hold(struct tfs_server *srv, __u32 opcode, __u64 nodeid);
int rule_notify(struct tfs_server *srv, __u32 opcode, __u64 nodeid,
		const void *note, size_t len, int times);
void rules_clear(struct tfs_server *srv);
int tfs_wait_handles(struct tfs_server *srv, __u64 n);
int tfs_wait_held(struct tfs_server *srv, __u64 n);

__u64 tfs_count(struct tfs_server *srv, __u32 opcode);
__u64 tfs_fetches(struct tfs_server *srv);
__u64 tfs_total(struct tfs_server *srv);
void tfs_counts_reset(struct tfs_server *srv);

/* tfs_push.c: maps that the server sends by itself. */
int tfs_push_to(int fd, __u64 nodeid, __u32 flags, __u64 size, __u64 offset,
		const void *data, size_t len);
int tfs_push_map(int fd, int file, const struct tfs_msg *m);
int tfs_revoke(int fd, int file);
int tfs_dax_open(int dev, int fd);
int tfs_dax_open_path(int dev, const char *path, int flags);
int tfs_dax_close(int dev, __u32 id);
void tfs_set_id(struct tfs_server *srv, int file, __u32 id, __u64 off,
		__u64 size);
int tfs_push_id(int dev, int file, __u32 id, __u64 off, __u64 size);
int rule_push(struct tfs_server *srv, __u32 opcode, int file,
	      const void *map, size_t len, int times);

/* tfs_grow.c: files that grow and shrink. */
void tfs_pool_init(struct tfs_server *srv, __u32 dev, __u64 base,
		   __u64 unit, __u32 units);
int tfs_add_growing(struct tfs_server *srv, const char *name,
		    __u32 units);
int tfs_grow(struct tfs_server *srv, struct tfs_file *f, __u64 end);
void tfs_shrink(struct tfs_server *srv, struct tfs_file *f, __u64 size);
int tfs_leave_units(struct tfs_server *srv, __u32 units);
int tfs_push_file(struct tfs_server *srv, int fd, struct tfs_file *f);
int rule_freeze_map(struct tfs_server *srv, struct tfs_file *f);
const void *tfs_map_of(struct tfs_server *srv, struct tfs_file *f,
		       size_t *len);
__u64 tfs_place(struct tfs_server *srv, const struct tfs_file *f,
		__u64 pos);
void tfs_op_fallocate(const struct tfs_req *req);
int tfs_set_size(const struct tfs_req *req, struct tfs_file *f,
		 __u64 size, bool truncates);

/* tfs_requests.c: what the requests do. */
void tfs_handle(const struct tfs_req *req);
void tfs_handle_open(const struct tfs_req *req, const void *map,
		     size_t len);

/* tfs_server.c: the loop. */
int tfs_server_init(struct tfs_server *srv);
int tfs_server_thread(struct tfs_server *srv);
int tfs_server_fork(struct tfs_server *srv);
void tfs_server_stop(struct tfs_server *srv);
void tfs_server_exit(struct tfs_server *srv);
int tfs_server_signal(struct tfs_server *srv, int sig);

int tfs_notify(struct tfs_server *srv, int code, const void *out,
	       size_t len, const void *data, size_t data_len);
void rules_release_op(struct tfs_server *srv, __u32 opcode);
void rules_release(struct tfs_server *srv);

#endif /* TFS_SERVER_H */
