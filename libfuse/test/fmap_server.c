// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * A filesystem of mapped files that counts what reaches it, for the tests.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#include "fmap_server.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static struct server *get_server(fuse_req_t req)
{
	struct server *srv = fuse_req_userdata(req);

	if (fuse_req_is_uring(req))
		srv->over_uring++;
	return srv;
}

static void get_stat(struct server *srv, fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_nlink = 1;
	st->st_mode = S_IFREG | 0644;
	if (ino == FUSE_ROOT_ID)
		st->st_mode = S_IFDIR | 0755;
	else
		st->st_size = srv->size;
}

static void get_entry(struct server *srv, fuse_ino_t ino,
		      struct fuse_entry_param *e)
{
	memset(e, 0, sizeof(*e));
	e->ino = ino;
	e->attr_timeout = 10;
	e->entry_timeout = 10;
	get_stat(srv, ino, &e->attr);
}

static void srv_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	if (!fuse_set_feature_flag(conn, FUSE_CAP_DAX_FMAP))
		errx(1, "the kernel offers no maps");
}

static void srv_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct server *srv = get_server(req);
	struct fuse_entry_param e;

	(void)parent;
	if (strcmp(name, SRV_FILE_NAME) != 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	get_entry(srv, SRV_FILE, &e);
	fuse_reply_entry(req, &e);
}

static void srv_getattr(fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	get_stat(get_server(req), ino, &st);
	fuse_reply_attr(req, &st, 10);
}

static void srv_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
			int to_set, struct fuse_file_info *fi)
{
	struct server *srv = get_server(req);
	uint64_t size = attr->st_size;

	/* A size that is only told never makes the file shorter */
	if (to_set & FUSE_SET_ATTR_TRUNCATE) {
		srv->truncates++;
		srv->size = size;
		if (srv->truncate)
			srv->truncate(srv, size);
	} else if ((to_set & FUSE_SET_ATTR_SIZE) && size > srv->size) {
		srv->size = size;
	}
	srv_getattr(req, ino, fi);
}

static void srv_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct server *srv = get_server(req);
	char *payload;

	(void)ino;
	srv->opens++;
	pthread_mutex_lock(&srv->lock);
	if (fuse_req_get_payload(req, &payload, &srv->reply_max, NULL) != 0)
		srv->reply_max = SIZE_MAX;
	if (srv->open_error)
		fuse_reply_err(req, srv->open_error);
	else if (srv->in_open)
		srv->reply_error = fuse_reply_open_fmap(req, fi, srv->fmap);
	else
		fuse_reply_open(req, fi);
	pthread_mutex_unlock(&srv->lock);
}

static void srv_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		       mode_t mode, struct fuse_file_info *fi)
{
	struct server *srv = get_server(req);
	struct fuse_entry_param e;

	(void)parent;
	(void)name;
	(void)mode;
	srv->creates++;
	get_entry(srv, SRV_NEW, &e);
	pthread_mutex_lock(&srv->lock);
	if (srv->in_open)
		srv->reply_error = fuse_reply_create_fmap(req, &e, fi,
							  srv->fmap);
	else
		fuse_reply_create(req, &e, fi);
	pthread_mutex_unlock(&srv->lock);
}

static void srv_get_fmap(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct server *srv = get_server(req);

	(void)ino;
	srv->fmaps++;
	pthread_mutex_lock(&srv->lock);
	srv->fmap_max = size;
	srv->reply_error = fuse_reply_fmap(req, srv->fmap);
	pthread_mutex_unlock(&srv->lock);
}

static void srv_get_daxdev(fuse_req_t req, int daxdev_index)
{
	struct server *srv = get_server(req);

	srv->daxdevs++;
	if (daxdev_index == 0)
		fuse_reply_daxdev(req, srv->device);
	else
		fuse_reply_err(req, ENODEV);
}

static void srv_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct server *srv = get_server(req);
	uint64_t left = (uint64_t)off < srv->size ? srv->size - off : 0;
	char *buf;

	(void)ino;
	(void)fi;
	srv->reads++;
	if (size > left)
		size = left;
	buf = malloc(size + 1);
	memset(buf, 'r', size);
	fuse_reply_buf(req, buf, size);
	free(buf);
}

static void srv_write(fuse_req_t req, fuse_ino_t ino, const char *buf,
		      size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	(void)buf;
	(void)off;
	(void)fi;
	get_server(req)->writes++;
	fuse_reply_write(req, size);
}

static void srv_release(fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	get_server(req)->releases++;
	fuse_reply_err(req, 0);
}

static void srv_fallocate(fuse_req_t req, fuse_ino_t ino, int mode,
			  off_t offset, off_t length, struct fuse_file_info *fi)
{
	struct server *srv = get_server(req);

	(void)mode;
	(void)fi;
	srv->fallocates++;
	fuse_reply_err(req, srv->grow ? srv->grow(srv, ino, offset + length) :
					EOPNOTSUPP);
}

static const struct fuse_lowlevel_ops srv_oper = {
	.init = srv_init,
	.lookup = srv_lookup,
	.getattr = srv_getattr,
	.setattr = srv_setattr,
	.open = srv_open,
	.create = srv_create,
	.read = srv_read,
	.write = srv_write,
	.release = srv_release,
	.fallocate = srv_fallocate,
	.get_fmap = srv_get_fmap,
	.get_daxdev = srv_get_daxdev,
};

static void *srv_run(void *data)
{
	struct server *srv = data;

	if (fuse_session_loop(srv->se) != 0)
		errx(1, "the session ends with an error");
	return NULL;
}

/*
 * A request waits until the connection is up, which is some time after the
 * mount; the ring takes over later still.
 */
static void srv_wait(struct server *srv)
{
	struct stat st;
	char path[PATH_MAX];
	int i;

	for (i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "%s/absent%d", srv->mnt, i);
		if (stat(path, &st) == 0 || errno != ENOENT)
			errx(1, "%s: not ENOENT", path);
		if (!srv->uring || srv->over_uring)
			return;
		usleep(10000);
	}
	errx(1, "no request came over io-uring");
}

void srv_start(struct server *srv, const char *mnt, const char *device)
{
	char name[] = "fmap_server", *argv[] = { name, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	const char *uring = getenv("FUSE_URING_ENABLE");

	memset(srv, 0, sizeof(*srv));
	pthread_mutex_init(&srv->lock, NULL);
	srv->mnt = mnt;
	srv->device = device;
	srv->uring = uring && atoi(uring);
	srv->se = fuse_session_new(&args, &srv_oper, sizeof(srv_oper), srv);
	fuse_opt_free_args(&args);
	if (!srv->se || fuse_session_mount(srv->se, mnt) != 0)
		errx(1, "cannot mount at %s", mnt);
	if (pthread_create(&srv->thread, NULL, srv_run, srv) != 0)
		errx(1, "no thread for the server");
	srv_wait(srv);
}

void srv_stop(struct server *srv)
{
	/* The library would close the descriptor while the thread reads it */
	if (umount2(srv->mnt, 0) != 0)
		err(1, "cannot unmount %s", srv->mnt);
	pthread_join(srv->thread, NULL);
	fuse_session_unmount(srv->se);
	fuse_session_destroy(srv->se);
	fuse_fmap_destroy(srv->fmap);
	pthread_mutex_destroy(&srv->lock);
}

void srv_set_map(struct server *srv, struct fuse_fmap *fmap)
{
	pthread_mutex_lock(&srv->lock);
	fuse_fmap_destroy(srv->fmap);
	srv->fmap = fmap;
	pthread_mutex_unlock(&srv->lock);
}

/* The requester may know of a reply before the function that sent it returns */
int srv_reply_error(struct server *srv)
{
	int err;

	pthread_mutex_lock(&srv->lock);
	err = srv->reply_error;
	pthread_mutex_unlock(&srv->lock);
	return err;
}
