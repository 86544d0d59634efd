/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Access to a medium: two calls that copy.
 */
#ifndef FAMFS_MEDIA_H
#define FAMFS_MEDIA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mutant.h"

struct media;

/* What a call has to do about caches besides copying. */
enum media_how {
	MEDIA_DROP = 1,		/* read: fence, drop each line, fence, copy */
	MEDIA_BACK = 2,		/* write: write each line back */
	MEDIA_FENCE = 4,	/* write: fence after that */
};

/**
 * struct media_ops - what stands for a medium
 * @read: copies @len bytes at @offset to @buf
 * @write: copies whole lines from @buf
 * @settle: returns when what was fenced before is seen by all hosts
 * @close: frees the struct media
 *
 * A file and a dax node do all of enum media_how in every call, whatever @how
 * says; the tests' double does what it is told. All return 0 or -errno.
 */
struct media_ops {
	int (*read)(struct media *media, uint64_t offset, void *buf,
		    size_t len, unsigned int how);
	int (*write)(struct media *media, uint64_t offset, const void *buf,
		     size_t len, unsigned int how);
	void (*settle)(struct media *media);
	void (*close)(struct media *media);
};

/**
 * struct media - an open medium
 * @ops: its calls
 * @size: bytes
 * @coherent: hardware keeps the hosts' caches coherent: nothing is dropped
 * @fault: offset of the access that failed last
 * @written: bytes that were written, as a sign that it gets on
 *
 * The calls may be used by several threads; each line is written by one.
 */
struct media {
	const struct media_ops *ops;
	uint64_t size;
	bool coherent;
	uint64_t fault;
	_Atomic uint64_t written;
};

/**
 * media_read - copies verified-later bytes to private memory
 * @site: the number of the drop
 *
 * Callers check what they have got, and use nothing but the copy.
 *
 * Return: 0, -EINVAL beyond the end, or the error of the medium.
 */
int media_read(struct media *media, uint64_t offset, void *buf, size_t len,
	       enum mutant site);

/**
 * media_write - writes whole lines, writes them back and fences
 * @site: the number of the write-back; that of the fence is the next one
 *
 * What it wrote is in memory when it returns 0. Offset and length are multiples
 * of LINE_SIZE, and the caller is the one writer of these lines.
 *
 * Return: 0, -EINVAL, or the error of the medium.
 */
int media_write(struct media *media, uint64_t offset, const void *buf,
		size_t len, enum mutant site);

/* Waits until all hosts see what was written. @site: its number. */
void media_settle(struct media *media, enum mutant site);

void media_close(struct media *media);

/* A medium in @memory, which stays the caller's. NULL without memory. */
struct media *media_of_memory(void *memory, uint64_t size);

/* The descriptor of one that is a file, for another process. */
int media_file_fd(const struct media *media);

/* A medium of such a descriptor, with the lock that it has. 0 or -errno. */
int media_of_fd(int fd, struct media **out);

enum { MEDIA_WRITE = 1, MEDIA_EXCLUSIVE = 2 };

/**
 * media_open - opens a plain file or the node of a dax device
 * @flags: MEDIA_WRITE (with a lock that one process of this host can have),
 *         MEDIA_EXCLUSIVE (nobody else may use the device)
 * @out: the medium; media_close() ends it
 *
 * Return: 0 or -errno; -ENOTBLK for what is neither; -EBUSY where it is in use.
 */
int media_open(const char *path, int flags, struct media **out);

#endif
