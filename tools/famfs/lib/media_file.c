// SPDX-License-Identifier: GPL-2.0
/*
 * A plain file, or the character node of a dax device, as a medium.
 *
 * The kernel's read() of such a node drops the lines first and its write()
 * writes back and fences, so both kinds need no more than two calls. A plain
 * file is for tests and for copies of media; its page cache is what all hosts
 * share.
 */

#include "media.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct media_file {
	struct media media;
	int fd;
};

static int media_file_read(struct media *media, uint64_t offset, void *buf,
			   size_t len, unsigned int how)
{
	struct media_file *file = (struct media_file *)media;
	uint8_t *to = buf;

	(void)how;
	while (len) {
		ssize_t n = pread(file->fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int media_file_write(struct media *media, uint64_t offset,
			    const void *buf, size_t len, unsigned int how)
{
	struct media_file *file = (struct media_file *)media;
	const uint8_t *from = buf;

	(void)how;
	while (len) {
		ssize_t n = pwrite(file->fd, from, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* One millisecond, as the format assumes of the memory. */
static void media_file_settle(struct media *media)
{
	struct timespec left = { .tv_nsec = 1000000 };

	(void)media;
	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static void media_file_close(struct media *media)
{
	struct media_file *file = (struct media_file *)media;

	/* Other processes may have the same open file. */
	flock(file->fd, LOCK_UN);
	close(file->fd);
	free(file);
}

static const struct media_ops media_file_ops = {
	.read = media_file_read,
	.write = media_file_write,
	.settle = media_file_settle,
	.close = media_file_close,
};

/* A node's size is where its end is: st_size says nothing of it. */
static int media_file_measure(int fd, uint64_t *size)
{
	struct stat st;
	off_t end;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return -ENOTBLK;
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return -errno;
	*size = (uint64_t)end;
	return 0;
}

int media_open(const char *path, int flags, struct media **out)
{
	/* What is no medium must not be waited for, as a FIFO would be. */
	int how = (flags & MEDIA_WRITE ? O_RDWR : O_RDONLY) | O_NONBLOCK |
		  O_CLOEXEC;
	struct media_file *file = calloc(1, sizeof(*file));
	int err;

	if (!file)
		return -ENOMEM;
	if (flags & MEDIA_EXCLUSIVE)
		how |= O_EXCL;
	file->media.ops = &media_file_ops;
	file->fd = open(path, how);
	if (file->fd < 0) {
		err = -errno;
		free(file);
		return err;
	}
	err = media_file_measure(file->fd, &file->media.size);
	/* One writer a host. Readers need no lock: they bear a writer. */
	if (!err && flags & MEDIA_WRITE && flock(file->fd, LOCK_EX | LOCK_NB))
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (err) {
		media_file_close(&file->media);
		return err;
	}
	*out = &file->media;
	return 0;
}

int media_file_fd(const struct media *media)
{
	return ((const struct media_file *)media)->fd;
}

int media_of_fd(int fd, struct media **out)
{
	struct media_file *file = calloc(1, sizeof(*file));
	int err;

	if (!file)
		return -ENOMEM;
	file->media.ops = &media_file_ops;
	file->fd = fd;
	err = media_file_measure(fd, &file->media.size);
	if (err) {
		free(file);
		return err;
	}
	*out = &file->media;
	return 0;
}
