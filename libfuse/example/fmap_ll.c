// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

/** @file
 *
 * minimal filesystem whose files lie on a dax device: a directory of files of
 * fixed size, one after the other. The kernel is told where a file lies when it
 * is opened; read, write and mmap then go to the memory and send nothing here.
 *
 * Compile with:
 *
 *     gcc -Wall fmap_ll.c `pkg-config fuse3 --cflags --libs` -o fmap_ll
 *
 * The device must be bound to the fsdev_dax driver:
 *
 *     echo dax0.0 > /sys/bus/dax/drivers/device_dax/unbind
 *     echo dax0.0 > /sys/bus/dax/drivers/fsdev_dax/new_id
 *     fmap_ll -o dev=/dev/dax0.0 -o file=a:4096 -o file=b:0x8000000 /mnt
 *
 * If the kernel offers no maps of files it says why and exits with status 1,
 * also where it runs in the background.
 *
 * ## Source code ##
 * \include fmap_ll.c
 */

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 18)

#include <fuse_lowlevel.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_FILES 64

/* Maps in huge pages need places in the file and on the device that agree */
#define PLACE_ALIGN (2UL << 20)

struct file {
	const char *name;
	uint64_t place;
	struct stat st;
};

static const char *device;
static struct fuse_session *session;
static bool refused;
static pthread_mutex_t times_lock = PTHREAD_MUTEX_INITIALIZER;

/* By inode number, which begins with 1; the first is the directory */
static struct file files[MAX_FILES] = {
	{ .st = { .st_ino = 1, .st_mode = S_IFDIR | 0755, .st_nlink = 2 } },
};
static unsigned int nfiles = 1;

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static struct file *get_file(fuse_ino_t ino)
{
	return &files[ino - 1];
}

static void get_stat(fuse_ino_t ino, struct stat *st)
{
	pthread_mutex_lock(&times_lock);
	*st = get_file(ino)->st;
	pthread_mutex_unlock(&times_lock);
}

/* Without maps nothing could be read: the library has logged what is missing */
static void fmap_ll_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	if (fuse_set_feature_flag(conn, FUSE_CAP_DAX_FMAP))
		return;
	fprintf(stderr, "fmap_ll: the kernel offers no maps of files\n");
	refused = true;
	fuse_session_exit(session);
}

static void fmap_ll_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = {
		.attr_timeout = 1.0,
		.entry_timeout = 1.0,
	};

	(void)parent;
	for (e.ino = FUSE_ROOT_ID + 1; e.ino <= nfiles; e.ino++) {
		if (strcmp(name, get_file(e.ino)->name) != 0)
			continue;
		get_stat(e.ino, &e.attr);
		fuse_reply_entry(req, &e);
		return;
	}
	fuse_reply_err(req, ENOENT);
}

static void fmap_ll_getattr(fuse_req_t req, fuse_ino_t ino,
			    struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	get_stat(ino, &st);
	fuse_reply_attr(req, &st, 1.0);
}

/*
 * A write moves the times in the kernel, which tells them at fsync and close:
 * both would fail without this. The files cannot be truncated, and a size that
 * is only told is the one that their maps have.
 */
static void fmap_ll_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
			    int to_set, struct fuse_file_info *fi)
{
	if (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID |
		      FUSE_SET_ATTR_GID | FUSE_SET_ATTR_TRUNCATE)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	pthread_mutex_lock(&times_lock);
	if (to_set & FUSE_SET_ATTR_ATIME)
		get_file(ino)->st.st_atim = attr->st_atim;
	if (to_set & FUSE_SET_ATTR_MTIME)
		get_file(ino)->st.st_mtim = attr->st_mtim;
	if (to_set & FUSE_SET_ATTR_CTIME)
		get_file(ino)->st.st_ctim = attr->st_ctim;
	pthread_mutex_unlock(&times_lock);
	fmap_ll_getattr(req, ino, fi);
}

static void fmap_ll_readdir(fuse_req_t req, fuse_ino_t ino, size_t size,
			    off_t off, struct fuse_file_info *fi)
{
	char *buf = malloc(size);
	size_t used = 0, len;

	(void)ino;
	(void)fi;
	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	for (off++; off < nfiles; off++, used += len) {
		len = fuse_add_direntry(req, buf + used, size - used,
					files[off].name, &files[off].st, off);
		if (len > size - used)
			break;
	}
	fuse_reply_buf(req, buf, used);
	free(buf);
}

/*
 * One extent, of whole pages; only as many bytes as the file has are used. What
 * goes wrong here fails the reply with the map.
 */
static struct fuse_fmap *make_map(const struct file *f)
{
	struct fuse_fmap *fmap = fuse_fmap_create(f->st.st_size, 0);

	fuse_fmap_add_extent(fmap, 0, f->place,
			     round_up(f->st.st_size, getpagesize()));
	return fmap;
}

/* The map goes with the reply, so that the first open takes one request */
static void fmap_ll_open(fuse_req_t req, fuse_ino_t ino,
			 struct fuse_file_info *fi)
{
	struct fuse_fmap *fmap;

	if (!fuse_req_wants_fmap(req)) {
		fuse_reply_open(req, fi);
		return;
	}
	fmap = make_map(get_file(ino));
	fuse_reply_open_fmap(req, fi, fmap);
	fuse_fmap_destroy(fmap);
}

/* For what else makes the kernel want a map, such as an open with O_TRUNC */
static void fmap_ll_get_fmap(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct fuse_fmap *fmap = make_map(get_file(ino));

	(void)size;
	fuse_reply_fmap(req, fmap);
	fuse_fmap_destroy(fmap);
}

static void fmap_ll_get_daxdev(fuse_req_t req, int daxdev_index)
{
	if (daxdev_index == 0)
		fuse_reply_daxdev(req, device);
	else
		fuse_reply_err(req, ENODEV);
}

static const struct fuse_lowlevel_ops fmap_ll_oper = {
	.init = fmap_ll_init,
	.lookup = fmap_ll_lookup,
	.getattr = fmap_ll_getattr,
	.setattr = fmap_ll_setattr,
	.readdir = fmap_ll_readdir,
	.open = fmap_ll_open,
	.get_fmap = fmap_ll_get_fmap,
	.get_daxdev = fmap_ll_get_daxdev,
};

/* file=NAME:SIZE; the argument is split in place and stays */
static int add_file(char *arg)
{
	struct file *f = &files[nfiles];
	char *size = strrchr(arg, ':');

	if (size) {
		*size++ = '\0';
		f->name = arg;
		f->st.st_size = strtoull(size, NULL, 0);
	}
	if (f->st.st_size <= 0 || nfiles == MAX_FILES - 1) {
		fprintf(stderr, "fmap_ll: no size, or too many files: %s\n", arg);
		return -1;
	}
	f->place = round_up(f[-1].place + f[-1].st.st_size, PLACE_ALIGN);
	f->st.st_ino = ++nfiles;
	f->st.st_mode = S_IFREG | 0644;
	f->st.st_nlink = 1;
	clock_gettime(CLOCK_REALTIME, &f->st.st_mtim);
	f->st.st_atim = f->st.st_mtim;
	f->st.st_ctim = f->st.st_mtim;
	return 0;
}

static int parse_option(void *data, const char *arg, int key,
			struct fuse_args *outargs)
{
	(void)data;
	(void)key;
	(void)outargs;
	/* Absolute, as the kernel looks it up when this is somewhere else */
	if (strncmp(arg, "dev=", 4) == 0) {
		device = realpath(arg + 4, NULL);
		if (!device) {
			perror(arg + 4);
			return -1;
		}
	} else if (strncmp(arg, "file=", 5) == 0)
		return add_file(strdup(arg + 5));
	else
		return 1;
	return 0;
}

/*
 * As fuse_daemonize(), but before the mount, and the parent waits for
 * report_ready(): so it fails where the filesystem does. Returns what to report
 * to in the child, -1 for failure.
 */
static int start_in_background(void)
{
	int ready[2];
	char byte;

	if (pipe(ready) != 0)
		return -1;
	switch (fork()) {
	case -1:
		return -1;
	case 0:
		close(ready[0]);
		setsid();
		return ready[1];
	default:
		close(ready[1]);
		_exit(read(ready[0], &byte, 1) == 1 ? 0 : 1);
	}
}

static void report_ready(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), i;

	for (i = 0; i < 3; i++)
		dup2(null, i);
	close(null);
	if (chdir("/") != 0 || write(fd, "", 1) != 1)
		fuse_session_exit(session);
	close(fd);
}

/* The first request is INIT; it tells whether there can be maps at all */
static int serve_init(void)
{
	struct fuse_buf buf = { .mem = NULL };
	int res = fuse_session_receive_buf(session, &buf);

	if (res > 0)
		fuse_session_process_buf(session, &buf);
	free(buf.mem);
	return res > 0 && !refused && !fuse_session_exited(session) ? 0 : -1;
}

static int serve(const char *mountpoint, int ready)
{
	int ret = -1;

	if (fuse_set_signal_handlers(session) != 0)
		return -1;
	if (fuse_session_mount(session, mountpoint) != 0)
		goto out_signals;
	if (serve_init() == 0) {
		if (ready >= 0)
			report_ready(ready);
		ret = fuse_session_loop(session);
	}
	fuse_session_unmount(session);
out_signals:
	fuse_remove_signal_handlers(session);
	return ret;
}

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts;
	int ret = -1, ready = -1;

	if (fuse_opt_parse(&args, NULL, NULL, parse_option) != 0 ||
	    fuse_parse_cmdline(&args, &opts) != 0)
		return 1;
	if (opts.show_help || !opts.mountpoint || !device) {
		printf("usage: %s [options] <mountpoint>\n\n", argv[0]);
		printf("    -o dev=<path>          dax device\n"
		       "    -o file=<name>:<bytes> file, may be repeated\n");
		fuse_cmdline_help();
		fuse_lowlevel_help();
		ret = opts.show_help ? 0 : -1;
		goto out_args;
	}

	if (!opts.foreground) {
		ready = start_in_background();
		if (ready < 0) {
			perror("fmap_ll: cannot run in the background");
			goto out_args;
		}
	}
	session = fuse_session_new(&args, &fmap_ll_oper, sizeof(fmap_ll_oper),
				   NULL);
	if (session) {
		ret = serve(opts.mountpoint, ready);
		fuse_session_destroy(session);
	}
out_args:
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return ret ? 1 : 0;
}
