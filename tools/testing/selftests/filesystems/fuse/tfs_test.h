/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of mapped files share that needs the harness. */
#ifndef TFS_TEST_H
#define TFS_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "tfs_env.h"

/* In FIXTURE_TEARDOWN(). */
#define TFS_TEARDOWN() EXPECT_EQ(0, tfs_env_exit(&self->env))

/* Opens, and takes the file descriptor as the result. */
#define ASSERT_OPEN(name, flags) ({					\
	int fd_ = tfs_open(&self->env, name, flags);			\
									\
	ASSERT_GE(fd_, 0);						\
	fd_;								\
})

#define EXPECT_OPEN_FAILS(err, name, flags) do {			\
	int fd_ = tfs_open(&self->env, name, flags);			\
									\
	EXPECT_EQ(-(err), fd_);						\
	if (fd_ >= 0)							\
		close(fd_);						\
} while (0)

/* An operation that returns -1 and sets errno. */
#define EXPECT_ERRNO(err, op) do {					\
	errno = 0;							\
	EXPECT_EQ(-1, (long)(op));					\
	EXPECT_EQ(err, errno);						\
} while (0)

/* A write fault that leaves the byte as it is. */
static inline void tfs_dirty(char *p)
{
	__atomic_fetch_or(p, 0, __ATOMIC_SEQ_CST);
}

#define EXPECT_COUNT(n, op) EXPECT_EQ(n, tfs_count(&self->env.srv, op))

/* Maps that the kernel asked for, whichever way. */
#define EXPECT_FETCHES(n) EXPECT_EQ(n, tfs_fetches(&self->env.srv))

/* Opens that the server sees, if it sees any. */
#define EXPECT_OPENS(n) do {						\
	if (self->env.srv.st->open_mode != TFS_NOOPEN)			\
		EXPECT_COUNT(n, FUSE_OPEN);				\
} while (0)

/* The server has got each file handle back, also of opens that failed. */
#define EXPECT_NO_HANDLES() EXPECT_NO_HANDLES_BUT(0)
#define EXPECT_NO_HANDLES_BUT(n) EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, n))

/* Runs code in a child; passes if it exits with 0. */
#define EXPECT_CHILD(code) do {						\
	int status_ = -1;						\
	pid_t pid_ = fork();						\
									\
	ASSERT_GE(pid_, 0);						\
	if (!pid_)							\
		_exit(code);						\
	EXPECT_EQ(pid_, waitpid(pid_, &status_, 0));			\
	EXPECT_EQ(0, status_);						\
} while (0)

#endif /* TFS_TEST_H */
