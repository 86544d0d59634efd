/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a DAX file system puts what it allocates.
 */
#ifndef FAMFS_BENCH_ALIGN_H
#define FAMFS_BENCH_ALIGN_H

void align_hint(int fd, unsigned int size);

#endif /* FAMFS_BENCH_ALIGN_H */
