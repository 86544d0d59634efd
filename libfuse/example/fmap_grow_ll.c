// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

/** @file
 *
 * minimal filesystem with files that grow on a dax device: one directory, in
 * which files are created, written, truncated and removed. What is written goes
 * to the device and sends nothing here, until it needs more memory. Everything
 * but the bytes of the files is forgotten with the mount.
 *
 * fmap_ll.c is simpler: its files have one size. The device is prepared as it
 * says there.
 *
 * Compile with:
 *
 *     gcc -Wall fmap_grow_ll.c `pkg-config fuse3 --cflags --libs` -o fmap_grow_ll
 *
 * It runs in the foreground:
 *
 *     fmap_grow_ll -o dev=/dev/dax0.0 -o size=0x10000000 /mnt
 *
 * ## Source code ##
 * \include fmap_grow_ll.c
 */

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 18)

#include <fuse_lowlevel.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_FILES 256
#define MAX_NAME 255

/* Files get memory in huge pages; small ones waste most of it */
#define UNIT (2ULL << 20)

/*
 * The map is kept, and changes with the file. It is what the kernel gets, but
 * for a size that the kernel has moved and not told yet.
 */
struct file {
	char name[MAX_NAME + 1];	/* empty: removed, or not in use */
	uint64_t nlookup;
	unsigned int generation;
	struct stat st;
	struct fuse_fmap *map;
	uint32_t *units;
	uint32_t nunits;
};

static struct options {
	char *device;
	long long size;
} options;

static const struct fuse_opt option_spec[] = {
	{ "dev=%s", offsetof(struct options, device), 0 },
	{ "size=%lli", offsetof(struct options, size), 0 },
	FUSE_OPT_END
};

static struct fuse_session *session;
static bool refused;
static int device_id;

/* Protects what follows: requests over io-uring come in several threads */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* By inode number, which begins with 1; the first is the directory */
static struct file files[MAX_FILES];
static bool *unit_used;
static uint32_t units_free, units_total;

static struct file *get_file(fuse_ino_t ino)
{
	return &files[ino - 1];
}

/* ---- memory -------------------------------------------------------------- */

static uint32_t unit_get(void)
{
	uint32_t unit = 0;

	while (unit_used[unit])
		unit++;
	unit_used[unit] = true;
	units_free--;
	return unit;
}

static void unit_put(uint32_t unit)
{
	unit_used[unit] = false;
	units_free++;
}

static void add_extent(struct file *f, uint32_t unit)
{
	fuse_fmap_add_extent(f->map, device_id, unit * UNIT, UNIT);
}

/* The map from the units; extents can be added to a map, but not taken away */
static void make_map(struct file *f, uint32_t nunits)
{
	uint32_t i;

	fuse_fmap_reset(f->map, f->st.st_size);
	for (i = 0; i < nunits; i++)
		add_extent(f, f->units[i]);
}

/* Has so many bytes of the file mapped, or returns -errno */
static int file_grow(struct file *f, uint64_t end)
{
	uint64_t want = (end + UNIT - 1) / UNIT;
	uint32_t *units;

	if (want <= f->nunits)
		return 0;
	if (want - f->nunits > units_free)
		return -ENOSPC;
	units = realloc(f->units, want * sizeof(*units));
	if (!units)
		return -ENOMEM;
	f->units = units;
	while (f->nunits < want) {
		units[f->nunits] = unit_get();
		add_extent(f, units[f->nunits++]);
	}
	return fuse_fmap_check(f->map);
}

/*
 * The kernel uses nothing behind the new end any more. It takes other memory
 * for a mistake, though, as long as this file claims it: so its map is changed
 * before the memory is given back, and other files can have it at once.
 */
static int file_shrink(struct file *f, fuse_ino_t ino)
{
	uint32_t nunits = (f->st.st_size + UNIT - 1) / UNIT;
	int err;

	make_map(f, nunits);
	err = fuse_lowlevel_notify_fmap(session, ino, f->map);
	if (err && err != -ENOENT) {
		make_map(f, f->nunits);
		return err;
	}
	while (f->nunits > nunits)
		unit_put(f->units[--f->nunits]);
	return 0;
}

static int file_truncate(struct file *f, fuse_ino_t ino, off_t size)
{
	off_t old = f->st.st_size;
	int err = file_grow(f, size);

	if (err)
		return err;
	f->st.st_size = size;
	fuse_fmap_set_size(f->map, size);
	/* Also for its own size: memory that was mapped ahead goes */
	err = file_shrink(f, ino);
	if (err) {
		f->st.st_size = old;
		fuse_fmap_set_size(f->map, old);
	}
	return err;
}

/* ---- files --------------------------------------------------------------- */

static struct file *file_find(const char *name, fuse_ino_t *ino)
{
	for (*ino = FUSE_ROOT_ID + 1; *ino <= MAX_FILES; (*ino)++)
		if (strcmp(get_file(*ino)->name, name) == 0)
			return get_file(*ino);
	return NULL;
}

static struct file *file_create(const char *name, mode_t mode, fuse_ino_t *ino)
{
	struct file *f = NULL;

	for (*ino = FUSE_ROOT_ID + 1; *ino <= MAX_FILES; (*ino)++) {
		f = get_file(*ino);
		if (!f->map)
			break;
	}
	if (*ino > MAX_FILES)
		return NULL;
	memcpy(f->name, name, strlen(name) + 1);
	f->generation++;
	f->map = fuse_fmap_create(0, FUSE_LL_FMAP_GROW |
				     FUSE_LL_FMAP_BACKING_IDS);
	f->st = (struct stat) {
		.st_ino = *ino,
		.st_mode = S_IFREG | (mode & 07777),
		.st_nlink = 1,
		.st_uid = getuid(),
		.st_gid = getgid(),
	};
	clock_gettime(CLOCK_REALTIME, &f->st.st_mtim);
	f->st.st_atim = f->st.st_mtim;
	f->st.st_ctim = f->st.st_mtim;
	return f;
}

/* Once the kernel has forgotten a removed file it has no use of its memory */
static void file_put(struct file *f)
{
	if (f->name[0] || f->nlookup)
		return;
	while (f->nunits)
		unit_put(f->units[--f->nunits]);
	free(f->units);
	f->units = NULL;
	fuse_fmap_destroy(f->map);
	f->map = NULL;
}

static struct fuse_entry_param file_entry(struct file *f)
{
	f->nlookup++;
	return (struct fuse_entry_param) {
		.ino = f->st.st_ino,
		.generation = f->generation,
		.attr = f->st,
		.attr_timeout = 1.0,
		.entry_timeout = 1.0,
	};
}

/* ---- requests ------------------------------------------------------------ */

static void grow_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	refused = !fuse_set_feature_flag(conn, FUSE_CAP_DAX_FMAP);
	/* Truncating is one thing, and comes by setattr */
	fuse_unset_feature_flag(conn, FUSE_CAP_ATOMIC_O_TRUNC);
}

static void grow_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;
	struct file *f;

	(void)parent;
	pthread_mutex_lock(&lock);
	f = file_find(name, &e.ino);
	if (f) {
		e = file_entry(f);
		fuse_reply_entry(req, &e);
	} else {
		fuse_reply_err(req, ENOENT);
	}
	pthread_mutex_unlock(&lock);
}

static void grow_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	struct file *f = get_file(ino);

	pthread_mutex_lock(&lock);
	if (ino != FUSE_ROOT_ID) {
		f->nlookup -= nlookup;
		file_put(f);
	}
	pthread_mutex_unlock(&lock);
	fuse_reply_none(req);
}

static void grow_getattr(fuse_req_t req, fuse_ino_t ino,
			 struct fuse_file_info *fi)
{
	(void)fi;
	pthread_mutex_lock(&lock);
	fuse_reply_attr(req, &get_file(ino)->st, 1.0);
	pthread_mutex_unlock(&lock);
}

/*
 * A size that is only told is one that the file has got by writing, maybe some
 * time ago: it never makes the file shorter, and takes no memory back.
 */
static int set_size(struct file *f, fuse_ino_t ino, off_t size, int to_set)
{
	if (to_set & FUSE_SET_ATTR_TRUNCATE)
		return file_truncate(f, ino, size);
	if (size <= f->st.st_size)
		return 0;
	if ((uint64_t)size > f->nunits * UNIT)
		return -EINVAL;
	f->st.st_size = size;
	return fuse_fmap_set_size(f->map, size);
}

static void set_other(struct stat *st, const struct stat *attr, int to_set)
{
	if (to_set & FUSE_SET_ATTR_MODE)
		st->st_mode = (st->st_mode & S_IFMT) | (attr->st_mode & 07777);
	if (to_set & FUSE_SET_ATTR_UID)
		st->st_uid = attr->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		st->st_gid = attr->st_gid;
	if (to_set & FUSE_SET_ATTR_ATIME)
		st->st_atim = attr->st_atim;
	if (to_set & FUSE_SET_ATTR_MTIME)
		st->st_mtim = attr->st_mtim;
	if (to_set & FUSE_SET_ATTR_CTIME)
		st->st_ctim = attr->st_ctim;
}

/* The kernel tells times and size at fsync and close, which fail if this does */
static void grow_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
			 int to_set, struct fuse_file_info *fi)
{
	struct file *f = get_file(ino);
	int err = 0;

	(void)fi;
	pthread_mutex_lock(&lock);
	if (to_set & FUSE_SET_ATTR_SIZE)
		err = set_size(f, ino, attr->st_size, to_set);
	if (err) {
		fuse_reply_err(req, -err);
	} else {
		set_other(&f->st, attr, to_set);
		fuse_reply_attr(req, &f->st, 1.0);
	}
	pthread_mutex_unlock(&lock);
}

static void grow_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			 struct fuse_file_info *fi)
{
	char *buf = malloc(size);
	size_t used = 0, len;

	(void)ino;
	(void)fi;
	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_lock(&lock);
	for (off++; off < MAX_FILES; off++) {
		if (!files[off].name[0])
			continue;
		len = fuse_add_direntry(req, buf + used, size - used,
					files[off].name, &files[off].st, off);
		if (len > size - used)
			break;
		used += len;
	}
	pthread_mutex_unlock(&lock);
	fuse_reply_buf(req, buf, used);
	free(buf);
}

/* Where the kernel has the map this is fuse_reply_open() */
static void grow_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	pthread_mutex_lock(&lock);
	fuse_reply_open_fmap(req, fi, get_file(ino)->map);
	pthread_mutex_unlock(&lock);
}

/* The map of an empty file has no extents: it gets memory when it is written */
static void grow_create(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode, struct fuse_file_info *fi)
{
	struct fuse_entry_param e;
	struct file *f;
	int err = 0;

	(void)parent;
	pthread_mutex_lock(&lock);
	f = file_find(name, &e.ino);
	if (f && (fi->flags & O_EXCL))
		err = EEXIST;
	else if (strlen(name) > MAX_NAME)
		err = ENAMETOOLONG;
	else if (!f)
		f = file_create(name, mode, &e.ino);
	if (!f && !err)
		err = ENOSPC;
	if (err) {
		fuse_reply_err(req, err);
	} else {
		e = file_entry(f);
		fuse_reply_create_fmap(req, &e, fi, f->map);
	}
	pthread_mutex_unlock(&lock);
}

static void grow_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct file *f;
	fuse_ino_t ino;

	(void)parent;
	pthread_mutex_lock(&lock);
	f = file_find(name, &ino);
	if (f) {
		f->name[0] = '\0';
		f->st.st_nlink = 0;
		file_put(f);
	}
	fuse_reply_err(req, f ? 0 : ENOENT);
	pthread_mutex_unlock(&lock);
}

/* Somebody writes past what is mapped. The kernel has the new map afterwards */
static void grow_fallocate(fuse_req_t req, fuse_ino_t ino, int mode,
			   off_t offset, off_t length,
			   struct fuse_file_info *fi)
{
	struct file *f = get_file(ino);
	int err;

	(void)mode;
	(void)fi;
	pthread_mutex_lock(&lock);
	err = file_grow(f, offset + length);
	if (!err)
		err = fuse_lowlevel_notify_fmap(session, ino, f->map);
	fuse_reply_err(req, -err);
	pthread_mutex_unlock(&lock);
}

/* For what else makes the kernel want a map, such as truncate */
static void grow_get_fmap(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	(void)size;
	pthread_mutex_lock(&lock);
	fuse_reply_fmap(req, get_file(ino)->map);
	pthread_mutex_unlock(&lock);
}

static const struct fuse_lowlevel_ops grow_oper = {
	.init = grow_init,
	.lookup = grow_lookup,
	.forget = grow_forget,
	.getattr = grow_getattr,
	.setattr = grow_setattr,
	.readdir = grow_readdir,
	.open = grow_open,
	.create = grow_create,
	.unlink = grow_unlink,
	.fallocate = grow_fallocate,
	.get_fmap = grow_get_fmap,
};

/* ---- start and end ------------------------------------------------------- */

/* The first request is INIT; devices can be opened once it has been answered */
static int serve_init(void)
{
	struct fuse_buf buf = { .mem = NULL };
	int fd, res = fuse_session_receive_buf(session, &buf);

	if (res > 0)
		fuse_session_process_buf(session, &buf);
	free(buf.mem);
	if (res <= 0 || refused || fuse_session_exited(session)) {
		fprintf(stderr, "fmap_grow_ll: no maps of files\n");
		return -1;
	}
	fd = open(options.device, O_RDWR | O_CLOEXEC);
	device_id = fd < 0 ? -errno :
			     fuse_session_backing_open(session, fd,
						       FUSE_BACKING_DAX);
	if (fd >= 0)
		close(fd);
	if (device_id < 0)
		fprintf(stderr, "%s: %s\n", options.device,
			strerror(-device_id));
	return device_id < 0 ? -1 : 0;
}

static int serve(const char *mountpoint)
{
	int ret = -1;

	if (fuse_set_signal_handlers(session) != 0)
		return -1;
	if (fuse_session_mount(session, mountpoint) == 0) {
		if (serve_init() == 0)
			ret = fuse_session_loop(session);
		fuse_session_unmount(session);
	}
	fuse_remove_signal_handlers(session);
	return ret;
}

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts;
	int ret = -1;

	if (fuse_opt_parse(&args, &options, option_spec, NULL) != 0 ||
	    fuse_parse_cmdline(&args, &opts) != 0)
		return 1;
	units_total = options.size / UNIT;
	units_free = units_total;
	unit_used = calloc(units_total, sizeof(*unit_used));
	if (opts.show_help || !opts.mountpoint || !options.device ||
	    !units_total || !unit_used) {
		printf("usage: %s [options] <mountpoint>\n\n", argv[0]);
		printf("    -o dev=<path>          dax device\n"
		       "    -o size=<bytes>        how much of it to use\n");
		fuse_cmdline_help();
		fuse_lowlevel_help();
		ret = opts.show_help ? 0 : -1;
		goto out_args;
	}
	files[0].st = (struct stat) {
		.st_ino = FUSE_ROOT_ID,
		.st_mode = S_IFDIR | 0755,
		.st_nlink = 2,
	};
	session = fuse_session_new(&args, &grow_oper, sizeof(grow_oper), NULL);
	if (session) {
		ret = serve(opts.mountpoint);
		fuse_session_destroy(session);
	}
out_args:
	free(unit_used);
	free(options.device);
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return ret ? 1 : 0;
}
