/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a file may hold, by the contract, after any history of operations: for
 * each byte the writes that it may come from, and sizes.
 */
#ifndef TFS_CRASH_MODEL_H
#define TFS_CRASH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define MODEL_SPANS	512
#define MODEL_IDS	6

/* From start to the next span: the writes that these bytes may come from. */
struct model_span {
	__u64 start;
	__u32 n;			/* 0: any bytes may be there */
	__u32 id[MODEL_IDS];		/* 0: zeros */
};

struct tfs_model {
	__u64 size;			/* as stat() shows it */
	__u64 promised;			/* as far as fsync and close promised */
	__u64 most;			/* the largest that may be told */
	bool lossy;			/* the server refused to be told */
	bool revoked;			/* perhaps: there may be no map */
	bool loose;			/* the size may have gone down */
	bool stale;			/* bytes may be left behind the end */
	__u32 n;
	struct model_span span[MODEL_SPANS];
};

void model_init(struct tfs_model *m);
void model_set(struct tfs_model *m, __u64 start, __u64 end, __u32 id);
void model_may(struct tfs_model *m, __u64 start, __u64 end, __u32 id);
void model_resize(struct tfs_model *m, __u64 size);
void model_hide(struct tfs_model *m, __u64 size);
void model_fill(__u32 id, __u64 pos, void *buf, size_t len);
size_t model_match(const struct tfs_model *m, __u64 pos, const void *buf,
		   size_t len);
const struct model_span *model_at(const struct tfs_model *m, __u64 pos);

#endif /* TFS_CRASH_MODEL_H */
