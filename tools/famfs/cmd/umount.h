/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The call that unmounts, and the end of the mount after it.
 */
#ifndef FAMFS_UMOUNT_H
#define FAMFS_UMOUNT_H

#include <stdbool.h>

#include "ask.h"

/* As umount(8) knows it. */
enum { UMOUNT_FAILED = 32 };

/**
 * struct umount_target - what is to be unmounted
 * @number: of the superblock, or ""
 * @flags: of umount2()
 * @answer: of its server; without a uuid where none is known
 * @elsewhere: it has more mount points in this namespace
 */
struct umount_target {
	const char *path, *number;
	int flags;
	struct answer answer;
	bool elsewhere;
};

/**
 * umount_call - unmounts
 *
 * What the kernel tells the server on the way may have it die, or hang. Who waits
 * is told so each second that it is another finding, and each ten seconds.
 *
 * Return: 0, -errno, or 1: it is not over, and goes on by itself, which has been
 * said.
 */
int umount_call(const struct umount_target *target);

/**
 * umount_wait - waits until the server has ended, and the device is free
 *
 * Mounts elsewhere, in other namespaces too, keep the server.
 *
 * Return: the exit status.
 */
int umount_wait(const struct umount_target *target);

#endif
