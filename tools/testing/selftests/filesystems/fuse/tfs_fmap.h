/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Building map messages, and resolving them the plain way, as a reference for
 * what the kernel does.
 */
#ifndef TFS_FMAP_H
#define TFS_FMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <linux/fuse.h>

struct tfs_msg {
	unsigned char *buf;
	size_t len, cap;
};

void tfs_msg_init(struct tfs_msg *m, __u64 file_size, __u32 ext_type);
void tfs_msg_exit(struct tfs_msg *m);
struct fuse_fmap_header *tfs_msg_header(struct tfs_msg *m);
void tfs_msg_append(struct tfs_msg *m, const void *data, size_t len);
void tfs_msg_extent(struct tfs_msg *m, __u32 dev, __u64 off, __u64 len);
void tfs_msg_stripe(struct tfs_msg *m, __u64 nbytes, __u32 chunk,
		    __u32 nstrips);
void tfs_msg_strip(struct tfs_msg *m, __u32 dev, __u64 off, __u64 len);
void tfs_msg_simple(struct tfs_msg *m, __u64 file_size, __u32 dev,
		    __u64 off, __u64 len);

void tfs_msg_by_id(struct tfs_msg *out, const struct tfs_msg *m,
		   const int *ids);

bool tfs_resolve(const struct tfs_msg *m, __u64 pos, __u32 *dev,
		 __u64 *off);

__u64 pattern_word(__u32 dev, __u64 off);
void pattern_fill(__u32 dev, __u64 off, void *buf, size_t len);
size_t tfs_mismatch(const struct tfs_msg *m, __u64 pos, const void *buf,
		    size_t len);

#endif /* TFS_FMAP_H */
