/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Dax devices as sysfs shows them.
 */
#ifndef FAMFS_DEVICE_H
#define FAMFS_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What goes before a uuid or a label in place of a device. */
#define DEVICE_PREFIX	"famfs:"

/* The name on the dax bus, daxX.Y, of a node or of what would be one. */
bool device_name(const char *path, char *name, size_t room);

/* Its number, as sysfs has it. False: there is no such device. */
bool device_number(const char *name, dev_t *number);

/* The driver that has it, "" for none. False: there is no such device. */
bool device_driver(const char *name, char *driver, size_t room);

/**
 * device_bind - gives a device to a driver
 * @force: take it away from programs that have it open or mapped
 *
 * Return: 0, or 1: what was wrong has been said.
 */
int device_bind(const char *path, const char *driver, bool force);

/* A process, and the name of its program. */
struct device_user {
	unsigned int pid;
	char name[64];
};

/**
 * device_find_user - looks for a program that has a node open or mapped
 * @user: gets the one that has, or that cannot be looked at
 *
 * Only the processes that this one can see are asked, and not itself.
 *
 * Return: 1, 0: nobody has it; -ETIMEDOUT: the memory of one is locked for five
 * seconds; other -errno.
 */
int device_find_user(dev_t device, struct device_user *user);

/* False: it is a dax device that fsdev_dax does not have; that has been said. */
bool device_check(const char *path);

/* The node of a source: a path, famfs:UUID or famfs:LABEL. False: said. */
bool device_find(const char *source, char *path, size_t room);

#endif
