/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE: Filesystem in Userspace
 *
 * The two sources of test_famfs_names.
 *
 * This program can be distributed under the terms of the GNU GPLv2.
 * See the file GPL2.txt.
 */

#ifndef TEST_FAMFS_H_
#define TEST_FAMFS_H_

#include <stddef.h>

/* test_famfs_fmap.c: maps packed by hand, into 256 bytes */
size_t famfs_pack_simple(void *buf);
size_t famfs_pack_interleaved(void *buf);
char *famfs_describe(const void *buf);

#endif /* TEST_FAMFS_H_ */
