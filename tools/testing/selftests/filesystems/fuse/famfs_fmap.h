/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Building map messages, and resolving them the plain way, as a reference for
 * what the kernel does.
 */
#ifndef FAMFS_FMAP_H
#define FAMFS_FMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <linux/fuse.h>

struct famfs_msg {
	unsigned char *buf;
	size_t len, cap;
};

void famfs_msg_init(struct famfs_msg *m, __u64 file_size, __u32 ext_type);
void famfs_msg_exit(struct famfs_msg *m);
struct fuse_fmap_header *famfs_msg_header(struct famfs_msg *m);
void famfs_msg_append(struct famfs_msg *m, const void *data, size_t len);
void famfs_msg_extent(struct famfs_msg *m, __u32 dev, __u64 off, __u64 len);
void famfs_msg_stripe(struct famfs_msg *m, __u64 nbytes, __u32 chunk,
		      __u32 nstrips);
void famfs_msg_strip(struct famfs_msg *m, __u32 dev, __u64 off, __u64 len);
void famfs_msg_simple(struct famfs_msg *m, __u64 file_size, __u32 dev,
		      __u64 off, __u64 len);

void famfs_msg_by_id(struct famfs_msg *out, const struct famfs_msg *m,
		     const int *ids);

bool famfs_resolve(const struct famfs_msg *m, __u64 pos, __u32 *dev,
		   __u64 *off);

__u64 famfs_word(__u32 dev, __u64 off);
void famfs_pattern(__u32 dev, __u64 off, void *buf, size_t len);
size_t famfs_mismatch(const struct famfs_msg *m, __u64 pos, const void *buf,
		      size_t len);

#endif /* FAMFS_FMAP_H */
