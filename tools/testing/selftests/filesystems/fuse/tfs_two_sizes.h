/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of a file, "f", that is mapped by a huge page and by small ones.
 */
#ifndef TFS_TWO_SIZES_H
#define TFS_TWO_SIZES_H

#include "tfs_test.h"

#define PAGE	4096UL
/* A huge page, and small ones. */
#define SIZE	(PMD + 8 * PAGE)

#define TWO_SIZES_FIELDS						\
	struct tfs_env env;						\
	struct tfs_msg m;						\
	int fd;								\
	/* Of it, with pages of both sizes, and the same by small pages. */ \
	char *map, *small

/* After tfs_env_init(). */
#define TWO_SIZES_SETUP() do {						\
	ASSERT_EQ(0, tfs_fill(&self->env, 4 * MiB));			\
	tfs_msg_simple(&self->m, SIZE, 0, 0, SIZE);			\
	tfs_add_mapped(&self->env, "f", &self->m);			\
	ASSERT_EQ(0, tfs_mount_fork(&self->env));			\
	self->fd = tfs_open(&self->env, "f", O_RDWR);			\
	ASSERT_GE(self->fd, 0);						\
	self->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, \
			 self->fd, 0);					\
	ASSERT_NE(MAP_FAILED, self->map);				\
	self->small = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, \
			   self->fd, 0);				\
	ASSERT_NE(MAP_FAILED, self->small);				\
	ASSERT_EQ(0, madvise(self->small, SIZE, MADV_NOHUGEPAGE));	\
	/* Dirty and clean ones, of both sizes. */			\
	tfs_dirty(self->map + 5);					\
	tfs_dirty(self->small + 3 * PAGE);				\
	ASSERT_EQ(8, tfs_mismatch(&self->m, PMD, self->small + PMD, 8)); \
	tfs_dirty(self->map + PMD + PAGE);				\
	tfs_counts_reset(&self->env.srv);				\
} while (0)

/* Whatever was done, the file is as it was, and the server knows nothing. */
#define TWO_SIZES_TEARDOWN() do {					\
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->m));	\
	EXPECT_EQ(0, tfs_check_all(self->fd, self->small, &self->m));	\
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_READ));		\
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_WRITE));		\
	EXPECT_EQ(0, tfs_fetches(&self->env.srv));			\
	munmap(self->map, SIZE);					\
	munmap(self->small, SIZE);					\
	close(self->fd);						\
	tfs_msg_exit(&self->m);						\
	TFS_TEARDOWN();							\
} while (0)

#endif /* TFS_TWO_SIZES_H */
