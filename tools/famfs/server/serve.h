/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mounting and serving, from the device to the end.
 */
#ifndef FAMFS_SERVE_H
#define FAMFS_SERVE_H

#include <stdbool.h>

/**
 * struct serve - what mount.famfs wants
 * @source: as it was given, for the table of mounts
 * @device: its node
 * @flags: options for the kernel, separated by commas, or ""
 * @uuid: of what is on the device, or "" where that cannot be read
 * @member: where another host owns the file system, be a member
 * @turn: a descriptor that is closed when it is mounted, or -1
 * @ready: a descriptor that gets a byte, or two, when it is mounted, or -1
 * @channel: serve()'s own
 */
struct serve {
	const char *source, *device, *mountpoint, *flags;
	char uuid[37];
	bool foreground, debug, member;
	int turn, ready, channel;
};

/*
 * Becomes the parent of servers. Returns when it has been unmounted. 0, or -1: what was
 * wrong has been said.
 */
int serve(const struct serve *wanted);

/* Where servers listen: one socket each, named after the uuid. */
#define CONTROL_FOLDER	"/run/famfs"

#endif
