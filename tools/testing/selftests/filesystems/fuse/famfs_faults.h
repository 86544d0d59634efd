/* SPDX-License-Identifier: GPL-2.0 */
/* Map messages that are to be refused, and why. */
#ifndef FAMFS_FAULTS_H
#define FAMFS_FAULTS_H

#include "famfs_fmap.h"

/* A change to a good message that spoils it. */
struct famfs_fault {
	const char *what;		/* NULL after the last one */
	size_t at;
	int bytes;			/* width of the field */
	__u64 value;
	int err;
};

extern const struct famfs_fault famfs_simple_faults[];
extern const struct famfs_fault famfs_striped_faults[];

void famfs_good_simple(struct famfs_msg *m);
void famfs_good_striped(struct famfs_msg *m);
void famfs_spoil(struct famfs_msg *m, const struct famfs_fault *f);

#endif /* FAMFS_FAULTS_H */
