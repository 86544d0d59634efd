/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parent of the servers of a mount.
 */
#ifndef FAMFS_PARENT_H
#define FAMFS_PARENT_H

struct kept;
struct kept_files;
struct serve;

/* The exit status of a server that wants another one to go on. */
#define PARENT_RESTART	64

/* What a server says that cannot be restarted yet. */
#define PARENT_EARLY	"it has not begun to serve"

/* The command by which the next server is started; people have no use for it. */
#define PARENT_RESUME	"resume"

/* The parent's own life: returns when the mount has ended. 0 or -1. */
int parent_run(const struct serve *wanted, struct kept *kept, int memory);

/*
 * The servers: the first, which mounts, and those after it. 0: the mount has
 * ended; -1: it failed, which has been said.
 */
int serve_first(const struct serve *wanted, struct kept *kept);
int serve_again(struct kept *kept, const struct kept_files *files);

/*
 * It is mounted, and whoever mounts hears it: from parent and server, as either
 * may be killed before it has said so.
 */
void serve_tell_mounted(const struct serve *wanted);

/* Without a terminal from here on: messages go to the system's log. */
void serve_detach(void);

#endif
