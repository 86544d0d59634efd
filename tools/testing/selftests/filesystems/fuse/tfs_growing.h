/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of files that grow: a pool on the first device, "f", which grows
 * into it, and a mount.  self has env; file, which is "f"; fd, which is open on
 * it; and dev, for notifications past the server.
 */
#ifndef TFS_GROWING_H
#define TFS_GROWING_H

#include "tfs_test.h"

/* Of the pool: its units, and where the first one is. */
#define UNIT	(64 * 1024UL)
#define BASE	(4 * MiB)

/* "f" owns one unit, and is empty. */
#define GROWING_INIT(units) do {					\
	struct tfs_server *srv_ = &self->env.srv;			\
									\
	tfs_pool_init(srv_, 0, BASE, UNIT, units);			\
	self->file = &srv_->st->files[tfs_add_growing(srv_, "f", 1)];	\
} while (0)

#define GROWING_MOUNT() do {						\
	self->dev = dup(self->env.srv.fd);				\
	ASSERT_LE(0, self->dev);					\
	ASSERT_EQ(0, tfs_mount_fork(&self->env));			\
	self->fd = ASSERT_OPEN("f", O_RDWR);				\
} while (0)

#define GROWING_TEARDOWN() do {						\
	close(self->fd);						\
	EXPECT_EQ(0, tfs_umount(&self->env));				\
	close(self->dev);						\
	TFS_TEARDOWN();							\
} while (0)

#define EXPECT_SIZE(n) EXPECT_EQ(n, tfs_size_of(self->fd))

#endif /* TFS_GROWING_H */
