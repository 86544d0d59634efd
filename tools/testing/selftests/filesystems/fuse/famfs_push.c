// SPDX-License-Identifier: GPL-2.0
/*
 * Maps and devices that the server brings by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "famfs_fmap.h"
#include "famfs_server.h"

/*
 * Sends a map, a part of one, or what flags say instead, by any descriptor of
 * the connection's device.  Returns what the kernel says to it.
 */
int famfs_push_to(int fd, __u64 nodeid, __u32 flags, __u64 size, __u64 offset,
		  const void *data, size_t len)
{
	struct fuse_notify_fmap_out out = {
		.nodeid = nodeid,
		.flags = flags,
		.size = size,
		.offset = offset,
	};
	struct fuse_out_header oh = {
		.len = sizeof(oh) + sizeof(out) + len,
		.error = FUSE_NOTIFY_FMAP,
	};
	struct iovec iov[] = {
		{ &oh, sizeof(oh) }, { &out, sizeof(out) },
		{ (void *)data, len },
	};

	return writev(fd, iov, len ? 3 : 2) < 0 ? -errno : 0;
}

int famfs_push_map(int fd, int file, const struct famfs_msg *m)
{
	return famfs_push_to(fd, FAMFS_INO(file), 0, 0, 0, m->buf, m->len);
}

int famfs_revoke(int fd, int file)
{
	return famfs_push_to(fd, FAMFS_INO(file), FUSE_NOTIFY_FMAP_REVOKE, 0,
			     0, NULL, 0);
}

/* Returns the backing id that a dax device gets, or an error. */
int famfs_dax_open(int dev, int fd)
{
	struct fuse_backing_map map = {
		.fd = fd, .flags = FUSE_BACKING_TYPE_DAX,
	};
	int id = ioctl(dev, FUSE_DEV_IOC_BACKING_OPEN, &map);

	return id < 0 ? -errno : id;
}

int famfs_dax_open_path(int dev, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	int id = famfs_dax_open(dev, fd);

	close(fd);
	return id;
}

int famfs_dax_close(int dev, __u32 id)
{
	return ioctl(dev, FUSE_DEV_IOC_BACKING_CLOSE, &id) < 0 ? -errno : 0;
}

/* A map of one extent, on a device that has this backing id. */
static void msg_by_id(struct famfs_msg *m, __u32 id, __u64 off, __u64 size)
{
	famfs_msg_simple(m, size, id, off, size);
	famfs_msg_header(m)->flags = FUSE_FMAP_BACKING_IDS;
}

void famfs_set_id(struct famfs_server *srv, int file, __u32 id, __u64 off,
		  __u64 size)
{
	struct famfs_msg m;

	msg_by_id(&m, id, off, size);
	famfs_set_map(srv, file, m.buf, m.len);
	famfs_msg_exit(&m);
}

int famfs_push_id(int dev, int file, __u32 id, __u64 off, __u64 size)
{
	struct famfs_msg m;
	int err;

	msg_by_id(&m, id, off, size);
	err = famfs_push_map(dev, file, &m);
	famfs_msg_exit(&m);
	return err;
}

/* Has the server push a map when such a request of the file comes. */
int famfs_note_push(struct famfs_server *srv, __u32 opcode, int file,
		    const void *map, size_t len, int times)
{
	struct {
		struct fuse_out_header oh;
		struct fuse_notify_fmap_out out;
		unsigned char map[4096];
	} note = {
		.oh.len = offsetof(typeof(note), map) + len,
		.oh.error = FUSE_NOTIFY_FMAP,
		.out.nodeid = FAMFS_INO(file),
	};

	if (len > sizeof(note.map))
		return -EMSGSIZE;
	memcpy(note.map, map, len);
	return famfs_note(srv, opcode, FAMFS_INO(file), &note, note.oh.len,
			  times);
}
