// SPDX-License-Identifier: GPL-2.0
/*
 * Operations that list directories, and the one that says how much room there
 * is.
 *
 * An entry's offset is its cookie and 2; 1 and 2 are those of "." and "..".
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "server.h"

#define DIRS_DOTS	2

/* So many tasks that read directories are told apart; a power of two. */
#define DIRS_READERS	1024u

/*
 * A listing ends at the name that was the last when it began, or it might never
 * end. There are no handles, so it goes by the task that reads. One that takes
 * the place of another only makes that one's listing end later.
 */
static struct reader {
	uint64_t ino, last;
	pid_t pid;
} readers[DIRS_READERS];
static pthread_mutex_t readers_lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t reader_last(fuse_req_t req, uint64_t ino, bool begins)
{
	uint64_t last = volume_last_cookie(server_of(req)->volume);
	pid_t pid = fuse_req_ctx(req)->pid;
	struct reader *reader = &readers[(ino * 31 + (uint64_t)pid) %
					 DIRS_READERS];

	pthread_mutex_lock(&readers_lock);
	if (begins || reader->ino != ino || reader->pid != pid)
		*reader = (struct reader){ ino, last, pid };
	last = reader->last;
	pthread_mutex_unlock(&readers_lock);
	return last;
}

struct listing {
	fuse_req_t req;
	bool plus;
	char *buf;
	size_t size, used;
};

/* False: it does not fit any more. */
static bool listing_add(struct listing *listing, const char *name,
			const struct fuse_entry_param *entry, off_t off)
{
	char *to = listing->buf + listing->used;
	size_t left = listing->size - listing->used;
	size_t len = listing->plus ?
		     fuse_add_direntry_plus(listing->req, to, left, name,
					    entry, off) :
		     fuse_add_direntry(listing->req, to, left, name,
				       &entry->attr, off);

	if (len > left)
		return false;
	listing->used += len;
	return true;
}

static int listing_entry(void *context, const struct volume_entry *entry)
{
	struct listing *listing = context;
	struct fuse_entry_param param;

	/* Only a medium that somebody has tampered with has so many. */
	if (entry->cookie > INT64_MAX - DIRS_DOTS)
		return 1;
	server_entry(server_of(listing->req), &param, &entry->attr);
	return !listing_add(listing, entry->name, &param,
			    (off_t)entry->cookie + DIRS_DOTS);
}

/* Node id 0: the kernel knows these two, and makes nothing of them. */
static bool listing_dot(struct listing *listing, const char *name,
			uint64_t ino, off_t off)
{
	struct fuse_entry_param param;

	memset(&param, 0, sizeof(param));
	param.attr.st_ino = ino;
	param.attr.st_mode = S_IFDIR;
	return listing_add(listing, name, &param, off);
}

static int listing_nothing(void *context, const struct volume_entry *entry)
{
	(void)context;
	(void)entry;
	return 1;
}

static int listing_fill(struct listing *listing, uint64_t ino, off_t off)
{
	struct volume *volume = server_of(listing->req)->volume;
	uint64_t last = reader_last(listing->req, ino, off <= DIRS_DOTS);
	uint64_t parent;
	int err;

	if (off < DIRS_DOTS) {
		err = volume_readdir(volume, ino, 0, 0, &parent,
				     listing_nothing, NULL);
		if (err)
			return err;
		if ((off < 1 && !listing_dot(listing, ".", ino, 1)) ||
		    !listing_dot(listing, "..", parent, DIRS_DOTS))
			return 0;
		off = DIRS_DOTS;
	}
	return volume_readdir(volume, ino, (uint64_t)(off - DIRS_DOTS), last,
			      NULL, listing_entry, listing);
}

static void dirs_list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		      bool plus)
{
	struct listing listing = { .req = req, .plus = plus, .size = size };
	int err = -ENOMEM;

	listing.buf = malloc(size);
	if (listing.buf)
		err = off < 0 ? -EINVAL : listing_fill(&listing, ino, off);
	if (err)
		server_reply_err(req, err);
	else
		fuse_reply_buf(req, listing.buf, listing.used);
	free(listing.buf);
}

static void dirs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			 struct fuse_file_info *fi)
{
	(void)fi;
	dirs_list(req, ino, size, off, false);
}

static void dirs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size,
			     off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	dirs_list(req, ino, size, off, true);
}

/* A file with its name and map takes as much of the log, or a little less. */
#define DIRS_INODE_BYTES	256

static void dirs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct server *server = server_of(req);
	struct volume_stat stat;
	struct statvfs st;

	(void)ino;
	volume_statfs(server->volume, &stat);
	memset(&st, 0, sizeof(st));
	st.f_bsize = stat.unit;
	st.f_frsize = stat.unit;
	st.f_blocks = stat.total / stat.unit;
	st.f_bfree = stat.free / stat.unit;
	st.f_bavail = st.f_bfree;
	if (stat.log_least < stat.log_most)
		st.f_ffree = (stat.log_most - stat.log_least) / DIRS_INODE_BYTES;
	st.f_favail = st.f_ffree;
	st.f_files = stat.inodes + st.f_ffree;
	st.f_fsid = server->generation;
	st.f_namemax = NAME_MOST;
	fuse_reply_statfs(req, &st);
}

void dirs_operations(struct fuse_lowlevel_ops *ops)
{
	ops->readdir = dirs_readdir;
	ops->readdirplus = dirs_readdirplus;
	ops->statfs = dirs_statfs;
}
