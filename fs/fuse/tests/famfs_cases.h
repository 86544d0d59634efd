/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests of file maps: messages with one thing wrong, or just not wrong.
 */

#ifndef _FS_FUSE_FAMFS_CASES_H
#define _FS_FUSE_FAMFS_CASES_H

#include "famfs_test.h"

/**
 * struct famfs_edit - a changed field of a message
 * @at: its place
 * @width: its size, 0 if nothing is changed
 * @to: its new value
 */
struct famfs_edit {
	u32 at;
	u32 width;
	u64 to;
};

/**
 * struct famfs_case - a good message with a change
 * @name: what is special
 * @type: FUSE_FMAP_EXT_*
 * @edits: what is changed
 * @resize: how many bytes it gets longer
 * @pos: what it must be refused for
 * @why: reason that must be given
 */
struct famfs_case {
	const char *name;
	u32 type;
	struct famfs_edit edits[3];
	int resize;
	size_t pos;
	const char *why;
};

/* Each ends with a case without a name. */
extern const struct famfs_case famfs_bad_headers[];
extern const struct famfs_case famfs_bad_lengths[];
extern const struct famfs_case famfs_bad_extents[];
extern const struct famfs_case famfs_bad_stripes[];
extern const struct famfs_case famfs_good_cases[];

void famfs_case_message(const struct famfs_case *c, struct famfs_msg *msg);

#endif /* _FS_FUSE_FAMFS_CASES_H */
