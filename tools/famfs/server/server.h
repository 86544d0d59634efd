/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The server: FUSE requests on one side, a volume on the other.
 *
 * No handles: OPEN, OPENDIR, FLUSH and FSYNC are answered with ENOSYS, which the
 * kernel remembers; what an operation has returned is on the medium, and data
 * never comes here.
 *
 * Lock order: an inode's own lock, then those of the volume, which are taken
 * and dropped within its functions. The queue's lock is innermost.
 */
#ifndef FAMFS_SERVER_H
#define FAMFS_SERVER_H

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 18)

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "volume.h"

/* Inodes share so many locks. */
#define SERVER_LOCKS	256u

/*
 * The owner's entries and attributes stay until they change; those of a member
 * change with each poll: in seconds.
 */
#define SERVER_TIMEOUT		1e9
#define SERVER_TIMEOUT_MEMBER	0.1

struct kept;
struct queue;

/**
 * struct server - a mounted file system
 * @device: path of its node
 * @source: as it was given
 * @mountpoint: where it was mounted first
 * @generation: of all node ids: inode numbers are never used again
 * @locks: inodes' own locks, see server_lock()
 * @queue: inodes that the kernel may have to let go of
 * @refused: why the kernel gives no maps, where it does not
 * @backing_id: what maps call the device
 * @unit: bytes in which space is given
 * @drop: maps have the kernel drop stale cache lines, as hosts' caches are not
 *	  coherent and the kernel can
 * @kept: what outlives this server, or NULL in tests
 * @control: the socket that commands connect to, or -1
 * @resumed: another server has served the mount before
 * @member: another host owns the file system
 * @cut: this host does not count any more: nothing is served
 * @ending: nobody is served any more
 */
struct server {
	struct volume *volume;
	struct fuse_session *session;
	const char *device, *source, *mountpoint;
	uint8_t uuid[16];
	uint64_t generation;
	pthread_mutex_t locks[SERVER_LOCKS];
	struct queue *queue;
	const char *refused;
	int backing_id;
	uint32_t unit;
	struct kept *kept;
	int control;
	bool drop, resumed, member;
	volatile bool ending, cut;
};

/* The time is the one that the kernel gives to files. */
struct op server_op(void);

/* request.c: the request that this thread serves. */

/**
 * request_begin - a request has come
 * @unique: its number
 * @resent: a server before has read it too
 */
void request_begin(struct server *server, uint64_t unique, bool resent);
void request_end(void);

/* Who asks for a change. Without a request: as server_op(). */
struct op request_op(void);

/**
 * request_is_done - was it done by a server before, which has not answered?
 * @ino: the inode that it made, or 0; may be NULL
 */
bool request_is_done(uint64_t *ino);

static inline struct server *server_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/*
 * The inode's own lock. A map is composed and given to the kernel, and a size
 * taken from it and answered, within it: so no older map or size comes later.
 */
static inline pthread_mutex_t *server_lock_of(struct server *server,
					      uint64_t ino)
{
	return &server->locks[ino % SERVER_LOCKS];
}

void server_lock(struct server *server, uint64_t ino);
void server_unlock(struct server *server, uint64_t ino);

/* What stat() shows. */
void server_stat(struct stat *st, const struct volume_attr *attr);
void server_entry(struct server *server, struct fuse_entry_param *entry,
		  const struct volume_attr *attr);
void server_reply_attr(fuse_req_t req, const struct volume_attr *attr, int err);
/* @err is 0 or -errno, as everywhere here. */
void server_reply_err(fuse_req_t req, int err);

/* The operations of each file, for the table. */
void names_operations(struct fuse_lowlevel_ops *ops);
void attrs_operations(struct fuse_lowlevel_ops *ops);
void dirs_operations(struct fuse_lowlevel_ops *ops);
void grow_operations(struct fuse_lowlevel_ops *ops);

/* maps.c: all that is said to the kernel about maps. */

/* INIT: asks for maps, or says why there are none. */
void maps_init(struct server *server, struct fuse_conn_info *conn);
void maps_operations(struct fuse_lowlevel_ops *ops);

/*
 * Has the kernel hold the device. 0, or -errno after it has said what is wrong;
 * -EOPNOTSUPP: hosts' caches are not coherent, and this kernel drops no stale
 * lines, as with other hosts it must.
 */
int maps_register(struct server *server);

/**
 * maps_reply_create - replies to CREATE and TMPFILE, with the map
 * @attr: of the new file
 *
 * Return: 0, or -errno where the kernel did not get it.
 */
int maps_reply_create(fuse_req_t req, const struct volume_attr *attr,
		      const struct fuse_file_info *fi);

/**
 * maps_push - gives the kernel the present map of a file that it knows
 *
 * Context: within the inode's own lock.
 *
 * Return: 0; -ENOENT: the kernel does not know the inode, now; -EBUSY: pages
 * that leave the file are pinned.
 */
int maps_push(struct server *server, uint64_t ino);

/**
 * maps_is_known - does the kernel have the inode?
 *
 * It waits for an eviction under way. Within the inode's own lock a no is a
 * proof, if the root is known after it: no map of the inode is on its way, and
 * none is in use.
 *
 * Return: 1, 0, or -errno.
 */
int maps_is_known(struct server *server, uint64_t ino);

/* Has the kernel drop unused inodes. */
void maps_prune(struct server *server, const uint64_t *inos, uint32_t count);

/* Takes the map of a file from the kernel, which asks for it again. */
int maps_revoke(struct server *server, uint64_t ino);

/* session.c: the session with the kernel. 0 or -errno. */

/* @flags: of the mount. */
int session_make(struct server *server, const char *flags);
/* The first request. */
int session_begin(struct server *server);
/* On a connection where a server before has had it. */
int session_resume(struct server *server, int fuse);
/* What servers before have read and not answered is to come again. */
void session_resend(struct server *server);

/* work.c: threads that serve requests. */

/* Serves all that is sent again, alone. 0 or -ENOMEM. */
int work_again(struct server *server);
/* Returns when it has been unmounted. */
void work_run(struct server *server);

/* guard.c: the device's node, which nobody else has then. */

/* Waits for as long as it takes. Return: a descriptor or -errno. */
int guard_wait(const char *device);
/* With the lock of the medium. -EBUSY: somebody has the device. */
int guard_media(const char *device, struct media **media);

/* unmount.c: signals that ask for an unmount. */
void unmount_signals(sigset_t *set);
int unmount_start(struct server *server, pthread_t *thread);
void unmount_end(pthread_t thread);
/* What is there before it is mounted. */
void unmount_note_under(struct kept *kept);
/* What has just been mounted, for those who look for it. */
void unmount_note(struct kept *kept);
/* Takes away what the first server has mounted, and left without one. */
void unmount_dead(const struct kept *kept);

/* queue.c: letting go. */

/* @held: nothing is tried until queue_begin(), for a server that goes on. 0 or -errno. */
int queue_start(struct server *server, bool held);
void queue_begin(struct server *server);
/* Ends the threads; what waits stays for the next mount. */
void queue_end(struct server *server);
/* Frees what there is; nobody uses it any more. */
void queue_stop(struct server *server);

/**
 * queue_add - an inode lost its last name, or memory
 * @soon: the kernel has just forgotten it, or space is short
 */
void queue_add(struct server *server, uint64_t ino, bool soon);

/* Everything is tried now. Returns a number that rises when space came back. */
uint64_t queue_hurry(struct server *server);
/* Waits for that number to rise, at most @ms. False: it did not. */
bool queue_wait(struct server *server, uint64_t seen, unsigned int ms);
/* Inodes in the queue. */
uint64_t queue_length(struct server *server);

/* Gives back all that waits, and what is mapped ahead: nobody has it. */
int queue_settle(struct volume *volume);

/* grow.c: a thread tries again what found no space. 0 or -errno. */
int grow_start(struct server *server);
/* What still waits fails. */
void grow_stop(void);

/* hosts.c: other hosts. */

/**
 * hosts_open - opens the volume as the owner, or else as a member
 * @options: how an owner opens it, and who this host is
 * @member: whether it may be a member
 *
 * Return: 0, or -errno: what is wrong has been said.
 */
int hosts_open(struct server *server, struct media *media,
	       struct volume_options *options, bool member);

/* The same for a server that goes on. 1: the one before had left. */
int hosts_resume(struct server *server, struct media *media,
		 struct volume_options *options);

/* A thread that reads on, or looks at other hosts. 0 or -errno. */
int hosts_start(struct server *server);
void hosts_end(struct server *server);

/* Whether the log gives slots to other hosts. */
bool hosts_are_others(struct server *server);

/* Says, now and then, whose changes are refused here. */
void hosts_say_owner(struct server *server);

/* presence.c: how other hosts are seen. After each look. */
void presence_update(struct server *server);
/* Lines of host and of what waits for it. For one thread. */
void presence_tell(struct server *server, FILE *to);

/* control.c: the socket by which commands talk to the server. */
int control_start(struct server *server);
void control_stop(struct server *server);

/* A word has this room, with its end. */
#define CONTROL_WORD	32

/* Who has connected, and what was asked: the stream is to be written to, or NULL. */
FILE *control_accept(int fd, char word[CONTROL_WORD]);
/* Status, where there is no server. */
void control_tell_stopped(const struct kept *kept, FILE *to);
/* Nobody listens there any more. @in_turn: the caller has this mount's turn. */
void control_remove(const struct kept *kept, bool in_turn);

#endif
