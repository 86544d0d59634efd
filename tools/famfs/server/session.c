// SPDX-License-Identifier: GPL-2.0
/*
 * The session with the kernel: what is asked for, the first request, and the
 * same once more for a server that goes on.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "kept.h"
#include "serve.h"
#include "server.h"

static void session_init(void *context, struct fuse_conn_info *conn)
{
	struct server *server = context;
	struct kept *kept = server->kept;

	fuse_set_feature_flag(conn, FUSE_CAP_NO_OPEN_SUPPORT);
	fuse_set_feature_flag(conn, FUSE_CAP_NO_OPENDIR_SUPPORT);
	fuse_set_feature_flag(conn, FUSE_CAP_PARALLEL_DIROPS);
	fuse_set_feature_flag(conn, FUSE_CAP_CACHE_SYMLINKS);
	maps_init(server, conn);
	if (server->resumed) {
		/* The kernel goes by the first reply, whatever is new here. */
		conn->want_ext &= kept->want;
		conn->max_write = kept->max_write;
	} else {
		kept->want = conn->want_ext;
		kept->max_write = conn->max_write;
	}
}

/* Data never comes here: a file of the volume always has a map. */
static void session_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			 struct fuse_file_info *fi)
{
	(void)ino;
	(void)size;
	(void)off;
	(void)fi;
	fuse_reply_err(req, EIO);
}

static void session_operations(struct fuse_lowlevel_ops *ops)
{
	memset(ops, 0, sizeof(*ops));
	ops->init = session_init;
	ops->read = session_read;
	names_operations(ops);
	attrs_operations(ops);
	dirs_operations(ops);
	grow_operations(ops);
	maps_operations(ops);
}

int session_make(struct server *server, const char *flags)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	char *options = NULL, *name = NULL;
	struct fuse_lowlevel_ops ops;

	session_operations(&ops);
	if (asprintf(&name, "fsname=%s", server->source) < 0 ||
	    fuse_opt_add_opt_escaped(&options, name) ||
	    fuse_opt_add_opt(&options,
			     "subtype=famfs,allow_other,default_permissions") ||
	    (flags[0] && fuse_opt_add_opt(&options, flags)) ||
	    fuse_opt_add_arg(&args, "mount.famfs") ||
	    fuse_opt_add_arg(&args, "-o") || fuse_opt_add_arg(&args, options) ||
	    (server->kept->debug && fuse_opt_add_arg(&args, "-d")))
		goto out;
	server->session = fuse_session_new(&args, &ops, sizeof(ops), server);
out:
	fuse_opt_free_args(&args);
	free(options);
	free(name);
	return server->session ? 0 : -EINVAL;
}

/* Another server hands the request to its library. */
static int session_take_init(struct server *server, struct fuse_buf *buf)
{
	if (!kept_keep_init(server->kept, buf->mem, buf->size)) {
		cmd_fail(server->mountpoint, "mount it with tools as new as the kernel",
			 "the kernel's first request has %zu bytes, and no other server could go on with more than %u",
			 buf->size, KEPT_INIT_MOST);
		return -E2BIG;
	}
	fuse_session_process_buf(server->session, buf);
	return 0;
}

int session_begin(struct server *server)
{
	struct fuse_buf buf = { .mem = NULL };
	int res = fuse_session_receive_buf(server->session, &buf), err = 0;

	if (res > 0)
		err = session_take_init(server, &buf);
	free(buf.mem);
	if (err)
		return err;
	if (server->refused) {
		cmd_fail(server->device, "famfs(7) says what a kernel needs",
			 "the kernel gives no maps of files: %s",
			 server->refused);
		return -EOPNOTSUPP;
	}
	if (res > 0 && !fuse_session_exited(server->session))
		return 0;
	cmd_fail(server->mountpoint, NULL,
		 "the kernel did not begin to talk to the server");
	return -EIO;
}

/* The kernel takes no second reply; the library has what it needs. */
int session_resume(struct server *server, int fuse)
{
	struct kept *kept = server->kept;
	struct fuse_buf buf = { .size = kept->init_bytes };
	char path[32];

	snprintf(path, sizeof(path), "/dev/fd/%d", fuse);
	buf.mem = malloc(KEPT_INIT_MOST);
	if (!buf.mem || fuse_session_mount(server->session, path)) {
		free(buf.mem);
		return -EIO;
	}
	memcpy(buf.mem, kept->init, KEPT_INIT_MOST);
	fuse_session_process_buf(server->session, &buf);
	free(buf.mem);
	return fuse_session_exited(server->session) || server->refused ?
	       -EPROTO : 0;
}

/* What a server before has read and not answered comes once more. */
void session_resend(struct server *server)
{
	/* It fails where nobody waits any more: the next read says so. */
	fuse_lowlevel_notify_resend(server->session);
}
