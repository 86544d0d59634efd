// SPDX-License-Identifier: GPL-2.0
/*
 * Starting the server, with one device and on a folder that are given.
 */
#include <errno.h>
#include <stdio.h>

#include "serve.h"

/* Files can be added then. */
int serve_init(struct tfs_env *env, const char *dir, const char *dev)
{
	int err = tfs_server_init(&env->srv);

	if (err)
		return err;
	snprintf(env->dir, sizeof(env->dir), "%s", dir);
	snprintf(env->srv.st->devs[0], FUSE_DAXDEV_NAME_MAX, "%s", dev);
	return 0;
}

/* In a thread of this process.  Fails where the kernel has no maps. */
int serve_mount(struct tfs_env *env)
{
	int err = tfs_mount_thread(env);

	if (err)
		return err;
	return env->srv.st->offered & FUSE_DAX_FMAP ? 0 : -EOPNOTSUPP;
}
