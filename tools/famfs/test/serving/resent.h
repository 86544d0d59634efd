/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FAMFS_SERVING_RESENT_H
#define FAMFS_SERVING_RESENT_H

/* Servers that die in each step of each request. Return: 0, or 1. */
int resent_run(void);

#endif
