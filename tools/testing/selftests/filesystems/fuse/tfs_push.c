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

#include "tfs_fmap.h"
#include "tfs_server.h"

/*
 * Sends a map, a part of one, or what flags say instead, by any descriptor of
 * the connection's device.  Returns what the kernel says to it.
 */
int tfs_push_to(int fd, __u64 nodeid, __u32 flags, __u64 size, __u64 offset,
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

int tfs_push_map(int fd, int file, const struct tfs_msg *m)
{
	return tfs_push_to(fd, TFS_INO(file), 0, 0, 0, m->buf, m->len);
}

int tfs_revoke(int fd, int file)
{
	return tfs_push_to(fd, TFS_INO(file), FUSE_NOTIFY_FMAP_REVOKE, 0,
			   0, NULL, 0);
}

/* Returns the backing id that a dax device gets, or an error. */
int tfs_dax_open(int dev, int fd)
{
	struct fuse_backing_map map = {
		.fd = fd, .flags = FUSE_BACKING_TYPE_DAX,
	};
	int id = ioctl(dev, FUSE_DEV_IOC_BACKING_OPEN, &map);

	return id < 0 ? -errno : id;
}

int tfs_dax_open_path(int dev, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	int id = tfs_dax_open(dev, fd);

	close(fd);
	return id;
}

int tfs_dax_close(int dev, __u32 id)
{
	return ioctl(dev, FUSE_DEV_IOC_BACKING_CLOSE, &id) < 0 ? -errno : 0;
}

/* A map of one extent, on a device that has this backing id. */
static void msg_by_id(struct tfs_msg *m, __u32 id, __u64 off, __u64 size)
{
	tfs_msg_simple(m, size, id, off, size);
	tfs_msg_header(m)->flags = FUSE_FMAP_BACKING_IDS;
}

void tfs_set_id(struct tfs_server *srv, int file, __u32 id, __u64 off,
		__u64 size)
{
	struct tfs_msg m;

	msg_by_id(&m, id, off, size);
	tfs_set_map(srv, file, m.buf, m.len);
	tfs_msg_exit(&m);
}

int tfs_push_id(int dev, int file, __u32 id, __u64 off, __u64 size)
{
	struct tfs_msg m;
	int err;

	msg_by_id(&m, id, off, size);
	err = tfs_push_map(dev, file, &m);
	tfs_msg_exit(&m);
	return err;
}

/* Has the server push a map when such a request of the file comes. */
int rule_push(struct tfs_server *srv, __u32 opcode, int file,
	      const void *map, size_t len, int times)
{
	struct {
		struct fuse_out_header oh;
		struct fuse_notify_fmap_out out;
		unsigned char map[4096];
	} note = {
		.oh.len = offsetof(typeof(note), map) + len,
		.oh.error = FUSE_NOTIFY_FMAP,
		.out.nodeid = TFS_INO(file),
	};

	if (len > sizeof(note.map))
		return -EMSGSIZE;
	memcpy(note.map, map, len);
	return rule_notify(srv, opcode, TFS_INO(file), &note, note.oh.len,
			   times);
}
