/* SPDX-License-Identifier: GPL-2.0 */
/* Histories: by chance from a seed, or written down. */
#ifndef TFS_CRASH_HISTORY_H
#define TFS_CRASH_HISTORY_H

#include "tfs_crash.h"

#define HISTORY_STEPS	40

struct history {
	__u64 seed;
	int steps;
	bool skip[HISTORY_STEPS];	/* steps that are left out */
};

bool history_run(struct crash *c, const struct history *h);
void history_shrink(struct crash *c, struct history *h, int seconds);

/* One operation in which things go wrong, with others around it. */
struct script {
	const char *name;
	bool large;
	struct crash_op before[4];	/* up to the first OP_OPEN */
	struct crash_op op, after;
};

extern const struct script scripts[];
extern const int script_count;

bool script_run(struct crash *c, const struct script *s,
		const struct crash_op *plan, __u32 *requests);

#endif /* TFS_CRASH_HISTORY_H */
