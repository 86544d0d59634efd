/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What was found to be wrong with a medium, for messages.
 */
#ifndef FAMFS_FAULT_H
#define FAMFS_FAULT_H

#include <stdint.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_ACCESS,		/* the medium gave an error */
	FAULT_FOREIGN,		/* no famfs at all */
	FAULT_VERSION,		/* famfs of another version */
	FAULT_FEATURES,		/* incompatible features */
	FAULT_SUPER,		/* superblock damaged */
	FAULT_UNFINISHED,	/* no valid root: an unfinished mkfs */
	FAULT_ROOT,		/* root names what cannot be */
	FAULT_SNAPSHOT,		/* snapshot damaged */
	FAULT_LOG,		/* log damaged: records behind its end */
	FAULT_CONTENT,		/* a whole record says what cannot be */
	FAULT_OWNER,		/* another host owns the file system */
	FAULT_MEMORY,		/* no memory */
};

/**
 * struct fault - a finding
 * @kind: what kind it is
 * @where: offset on the medium
 * @number: the version, the slot of the owner, or 0
 * @text: one line without a full stop
 */
struct fault {
	enum fault_kind kind;
	uint64_t where;
	uint64_t number;
	char text[200];
};

/* The first finding stays. Returns @err, so that callers can return it. */
int fault_set(struct fault *fault, int err, enum fault_kind kind,
	      uint64_t where, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

#endif
