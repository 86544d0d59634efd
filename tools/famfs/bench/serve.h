/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The selftests' FUSE server, as it serves maps to be measured.
 */
#ifndef FAMFS_BENCH_SERVE_H
#define FAMFS_BENCH_SERVE_H

#include "tfs_env.h"

int serve_init(struct tfs_env *env, const char *dir, const char *dev);
int serve_mount(struct tfs_env *env);

#endif /* FAMFS_BENCH_SERVE_H */
