// SPDX-License-Identifier: GPL-2.0
/*
 * Ordinary files on a mount that has mapped files: what happens to them when
 * the server pushes maps of them, or gives them one when it is asked again.
 *
 * What is easily wrong here: a server that waits for itself, because its push
 * waits for a lock that is held until it has replied; a page cache that is
 * dropped with what has just been stored to it.
 */
#include "famfs_task.h"
#include "famfs_test.h"

#define PAGE	4096UL
#define SIZE	(16 * PAGE)

FIXTURE(famfs_plain)
{
	struct famfs_env env;
	struct famfs_msg m;		/* a good map of "plain" */
	int dev;			/* for notifications past the server */
};

FIXTURE_SETUP(famfs_plain)
{
	const char *why = famfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	famfs_msg_simple(&self->m, SIZE, 0, 0, SIZE);
	famfs_add_data(&self->env.srv, "plain", NULL, 0);
	self->env.srv.st->files[0].size = FAMFS_DATA_SIZE;
	famfs_add_simple(&self->env, "g", SIZE, 0, PMD);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	/* The device must be known before anything can be pushed. */
	close(ASSERT_OPEN("g", O_RDONLY));
}

FIXTURE_TEARDOWN(famfs_plain)
{
	famfs_msg_exit(&self->m);
	EXPECT_EQ(0, famfs_umount(&self->env));
	close(self->dev);
	FAMFS_TEARDOWN();
}

static long do_push(struct famfs_job *job)
{
	struct famfs_msg m;
	long err;

	famfs_msg_simple(&m, SIZE, 0, 0, SIZE);
	err = famfs_push_map(job->fd, 0, &m);
	famfs_msg_exit(&m);
	return err;
}

static long do_revoke(struct famfs_job *job)
{
	return famfs_revoke(job->fd, 0);
}

/*
 * Who reads or writes an ordinary file waits for the server with its locks
 * held.  A push that waited for them would keep the server from its reply.
 */
TEST_F(famfs_plain, G4_ordinary_file_that_waits_for_the_server)
{
	static const __u32 ops[] = { FUSE_READ, FUSE_WRITE };
	struct famfs_server *srv = &self->env.srv;
	struct iovec iov = { malloc(PAGE), PAGE };
	int plain = ASSERT_OPEN("plain", O_RDWR), i;

	for (i = 0; i < 4; i++) {
		struct famfs_job io = {
			.run = i / 2 ? famfs_job_write : famfs_job_read,
			.fd = plain, .iov = &iov, .iovs = 1, .pos = i * MiB,
		};
		struct famfs_job note = {
			.run = i % 2 ? do_revoke : do_push, .fd = self->dev,
		};

		famfs_hold(srv, ops[i / 2], FAMFS_ANY);
		ASSERT_EQ(0, famfs_job_start(&io));
		ASSERT_EQ(0, famfs_wait_held(srv, 1));
		ASSERT_EQ(0, famfs_job_start(&note));
		EXPECT_TRUE(famfs_job_done(&note, FAMFS_SOON)) {
			TH_LOG("%s during %s", i % 2 ? "revoke" : "push",
			       i / 2 ? "write" : "read");
		}
		famfs_release(srv);
		if (!note.done)
			famfs_job_done(&note, FAMFS_SOON);
		/* It is in use; a revocation may find nothing to do. */
		EXPECT_TRUE(note.result == -EBUSY ||
			    (i % 2 && !note.result));
		ASSERT_TRUE(famfs_job_done(&io, FAMFS_SOON));
		EXPECT_EQ(PAGE, io.result);
		famfs_rules_clear(srv);
	}
	close(plain);
	free(iov.iov_base);
}

/*
 * Before a map counts, what the page cache holds is written back.  What is
 * stored meanwhile must not get lost, whether or not the map counts then.
 */
TEST_F(famfs_plain, F5_bytes_stored_while_a_map_is_on_its_way)
{
	struct famfs_server *srv = &self->env.srv;
	struct famfs_job open = { .run = famfs_job_open, .env = &self->env,
				  .name = "plain", .flags = O_RDWR };
	int plain = ASSERT_OPEN("plain", O_RDWR);
	char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 plain, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, famfs_probe(map + PAGE));
	map[0] = '1';
	famfs_set_map(srv, 0, self->m.buf, self->m.len);
	EXPECT_EQ(0, famfs_revoke(self->dev, 0));
	famfs_hold(srv, FUSE_WRITE, FAMFS_ANY);
	ASSERT_EQ(0, famfs_job_start(&open));
	ASSERT_EQ(0, famfs_wait_held(srv, 1));
	map[PAGE] = '2';
	famfs_release(srv);
	ASSERT_TRUE(famfs_job_done(&open, FAMFS_SOON));
	EXPECT_EQ(-EBUSY, open.result);
	famfs_rules_clear(srv);
	EXPECT_EQ('1', map[0]);
	EXPECT_EQ('2', map[PAGE]);
	EXPECT_EQ(0, fsync(plain));
	EXPECT_EQ('1', srv->st->arena[srv->st->files[0].data]);
	EXPECT_EQ('2', srv->st->arena[srv->st->files[0].data + PAGE]);
	munmap(map, 2 * PAGE);
	close(plain);
}

/* What the server has just said to be of this size is not empty. */
TEST_F(famfs_plain, F5_truncating_open_of_what_is_pushed_meanwhile)
{
	struct famfs_server *srv = &self->env.srv;
	int fd;

	if (srv->st->manner == FAMFS_NOOPEN)
		SKIP(return, "the server has no opens");
	srv->st->pushed_errno = -1;
	famfs_note_push(srv, FUSE_OPEN, 0, self->m.buf, self->m.len, 1);
	EXPECT_OPEN_FAILS(EPERM, "plain", O_RDWR | O_TRUNC);
	EXPECT_EQ(0, srv->st->pushed_errno);
	fd = ASSERT_OPEN("plain", O_RDWR);
	EXPECT_EQ(SIZE, famfs_size_of(fd));
	EXPECT_EQ(1, pwrite(fd, "x", 1, SIZE - 1));
	close(fd);
}

TEST_HARNESS_MAIN
