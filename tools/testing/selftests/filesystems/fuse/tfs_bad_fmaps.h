/* SPDX-License-Identifier: GPL-2.0 */
/* Map messages that are to be refused, and why. */
#ifndef TFS_BAD_FMAPS_H
#define TFS_BAD_FMAPS_H

#include "tfs_fmap.h"

/* A change to a good message that spoils it. */
struct tfs_fault {
	const char *what;		/* NULL after the last one */
	size_t at;
	int bytes;			/* width of the field */
	__u64 value;
	int err;
};

extern const struct tfs_fault tfs_simple_faults[];
extern const struct tfs_fault tfs_striped_faults[];

void tfs_good_simple(struct tfs_msg *m);
void tfs_good_striped(struct tfs_msg *m);
void tfs_spoil(struct tfs_msg *m, const struct tfs_fault *f);

#endif /* TFS_BAD_FMAPS_H */
