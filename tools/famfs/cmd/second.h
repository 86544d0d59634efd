/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One more mount point of what is mounted.
 */
#ifndef FAMFS_SECOND_H
#define FAMFS_SECOND_H

#include "serve.h"

/* As mount(8) knows it. */
enum { SECOND_FAILED = 32 };

/**
 * second_mount_point - makes one, if a server of this host has the device
 *
 * Return: 0; an exit status, and what was wrong has been said; -1: none has it.
 */
int second_mount_point(const struct serve *wanted);

#endif
