// SPDX-License-Identifier: GPL-2.0
/*
 * Ordinary files on a mount that has mapped files: what happens to them when
 * the server pushes maps of them, or gives them one when it is asked again.
 *
 * What is easily wrong here: a server that waits for itself, because its push
 * waits for a lock that is held until it has replied; a page cache that is
 * dropped with what has just been stored to it.
 */
#include <sched.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(16 * PAGE)

FIXTURE(convert)
{
	struct tfs_env env;
	struct tfs_msg m;		/* a good map of "plain" */
	int dev;			/* for notifications past the server */
};

FIXTURE_SETUP(convert)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_msg_simple(&self->m, SIZE, 0, 0, SIZE);
	tfs_add_data(&self->env.srv, "plain", NULL, 0);
	self->env.srv.st->files[0].size = TFS_DATA_SIZE;
	tfs_add_simple(&self->env, "g", SIZE, 0, PMD);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	/* The device must be known before anything can be pushed. */
	close(ASSERT_OPEN("g", O_RDONLY));
}

FIXTURE_TEARDOWN(convert)
{
	tfs_msg_exit(&self->m);
	EXPECT_EQ(0, tfs_umount(&self->env));
	close(self->dev);
	TFS_TEARDOWN();
}

static long do_push(struct tfs_job *job)
{
	struct tfs_msg m;
	long err;

	tfs_msg_simple(&m, SIZE, 0, 0, SIZE);
	err = tfs_push_map(job->fd, 0, &m);
	tfs_msg_exit(&m);
	return err;
}

static long do_revoke(struct tfs_job *job)
{
	return tfs_revoke(job->fd, 0);
}

/*
 * Who reads or writes an ordinary file waits for the server with its locks
 * held.  A push that waited for them would keep the server from its reply.
 */
TEST_F(convert, G4_ordinary_file_that_waits_for_the_server)
{
	static const __u32 ops[] = { FUSE_READ, FUSE_WRITE };
	struct tfs_server *srv = &self->env.srv;
	struct iovec iov = { malloc(PAGE), PAGE };
	int plain = ASSERT_OPEN("plain", O_RDWR), i;

	for (i = 0; i < 4; i++) {
		struct tfs_job io = {
			.run = i / 2 ? tfs_job_write : tfs_job_read,
			.fd = plain, .iov = &iov, .iovs = 1, .pos = i * MiB,
		};
		struct tfs_job note = {
			.run = i % 2 ? do_revoke : do_push, .fd = self->dev,
		};

		rule_hold(srv, ops[i / 2], TFS_ANY);
		ASSERT_EQ(0, tfs_job_start(&io));
		ASSERT_EQ(0, tfs_wait_held(srv, 1));
		ASSERT_EQ(0, tfs_job_start(&note));
		EXPECT_TRUE(tfs_job_done(&note, TFS_SOON)) {
			TH_LOG("%s during %s", i % 2 ? "revoke" : "push",
			       i / 2 ? "write" : "read");
		}
		rules_release(srv);
		if (!note.done)
			tfs_job_done(&note, TFS_SOON);
		/* It is in use; a revocation may find nothing to do. */
		EXPECT_TRUE(note.result == -EBUSY ||
			    (i % 2 && !note.result));
		ASSERT_TRUE(tfs_job_done(&io, TFS_SOON));
		EXPECT_EQ(PAGE, io.result);
		rules_clear(srv);
	}
	close(plain);
	free(iov.iov_base);
}

/* What is stored to an open file must not get lost for a map that comes. */
TEST_F(convert, F5_bytes_stored_while_a_map_is_on_its_way)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = "plain", .flags = O_RDWR };
	int plain = ASSERT_OPEN("plain", O_RDWR);
	char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 plain, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, load_byte(map + PAGE));
	map[0] = '1';
	tfs_set_map(srv, 0, self->m.buf, self->m.len);
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	rule_hold(srv, FUSE_GET_FMAP, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(&open));
	ASSERT_EQ(0, tfs_wait_held(srv, 1));
	map[PAGE] = '2';
	rules_release(srv);
	ASSERT_TRUE(tfs_job_done(&open, TFS_SOON));
	EXPECT_EQ(-EBUSY, open.result);
	rules_clear(srv);
	EXPECT_EQ('1', map[0]);
	EXPECT_EQ('2', map[PAGE]);
	EXPECT_EQ(0, fsync(plain));
	EXPECT_EQ('1', srv->st->arena[srv->st->files[0].data]);
	EXPECT_EQ('2', srv->st->arena[srv->st->files[0].data + PAGE]);
	munmap(map, 2 * PAGE);
	close(plain);
}

/* What the server has just said to be of this size is not empty. */
TEST_F(convert, F5_truncating_open_of_what_is_pushed_meanwhile)
{
	struct tfs_server *srv = &self->env.srv;
	int fd;

	if (srv->st->open_mode == TFS_NOOPEN)
		SKIP(return, "the server has no opens");
	srv->st->notify_errno = -1;
	rule_push(srv, FUSE_OPEN, 0, self->m.buf, self->m.len, 1);
	EXPECT_OPEN_FAILS(EPERM, "plain", O_RDWR | O_TRUNC);
	EXPECT_EQ(0, srv->st->notify_errno);
	fd = ASSERT_OPEN("plain", O_RDWR);
	EXPECT_EQ(SIZE, tfs_size_of(fd));
	EXPECT_EQ(1, pwrite(fd, "x", 1, SIZE - 1));
	close(fd);
}

static long do_fault(struct tfs_job *job)
{
	return load_byte(job->iov->iov_base);
}

static long do_inval(struct tfs_job *job)
{
	const struct fuse_notify_inval_inode_out out = {
		.ino = TFS_INO(0), .off = 8 * PAGE, .len = PAGE,
	};

	tfs_notify(&job->env->srv, FUSE_NOTIFY_INVAL_INODE, &out,
		   sizeof(out), NULL, 0);
	return 0;
}

/*
 * A fault that waits for the server holds what others may share.  Who would
 * have it alone must not queue for it: the server's notifications would wait
 * behind.
 */
TEST_F(convert, G4_map_for_a_file_whose_fault_waits_for_the_server)
{
	struct tfs_server *srv = &self->env.srv;
	int plain = ASSERT_OPEN("plain", O_RDONLY);
	char *map = mmap(NULL, 16 * PAGE, PROT_READ, MAP_SHARED, plain, 0);
	struct iovec iov = { map, 1 };
	struct tfs_job fault = { .run = do_fault, .iov = &iov };
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = "plain", .flags = O_RDONLY };
	struct tfs_job inval = { .run = do_inval, .env = &self->env };

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, madvise(map, 16 * PAGE, MADV_RANDOM));
	tfs_set_map(srv, 0, self->m.buf, self->m.len);
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	ASSERT_EQ(0, tfs_job_hold(&fault, srv, FUSE_READ));
	ASSERT_EQ(0, tfs_job_start(&open));
	EXPECT_TRUE(tfs_job_done(&open, 3000));
	ASSERT_EQ(0, tfs_job_start(&inval));
	EXPECT_TRUE(tfs_job_done(&inval, 3000));
	rules_release(srv);
	EXPECT_EQ(0, tfs_job_result(&fault));
	if (!open.done)
		tfs_job_done(&open, TFS_SOON);
	if (!inval.done)
		tfs_job_done(&inval, TFS_SOON);
	EXPECT_EQ(-EBUSY, open.result);
	munmap(map, 16 * PAGE);
	close(plain);
}

/* The same without its own mount: what is wanted at INIT differs. */
FIXTURE(trunc_open)
{
	struct tfs_env env;
	struct tfs_msg m;
	int dev;
};

/* The server and all others keep away from the last CPU. */
static int use_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

FIXTURE_SETUP(trunc_open)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_msg_simple(&self->m, SIZE, 0, 0, SIZE);
	tfs_add_data(&self->env.srv, "plain", "server", 6);
	self->env.srv.st->want |= FUSE_WRITEBACK_CACHE;
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "need two CPUs");
	ASSERT_EQ(0, use_cpu(0));
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
}

FIXTURE_TEARDOWN(trunc_open)
{
	tfs_msg_exit(&self->m);
	EXPECT_EQ(0, tfs_umount(&self->env));
	close(self->dev);
	TFS_TEARDOWN();
}

static long do_chmod(struct tfs_job *job)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/plain", job->env->dir);
	return chmod(path, 0640) ? -errno : 0;
}

static long open_on_cpu_1(struct tfs_job *job)
{
	if (use_cpu(1))
		return -errno;
	return tfs_job_open(job);
}

/* Lets nobody else run on that CPU until job->flags is set. */
static long hog_cpu_1(struct tfs_job *job)
{
	const struct sched_param fifo = { .sched_priority = 1 };

	if (use_cpu(1) || sched_setscheduler(0, SCHED_FIFO, &fifo))
		return -errno;
	__atomic_store_n(&job->pos, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&job->flags, __ATOMIC_SEQ_CST))
		;
	return 0;
}

/*
 * An open that truncates waits for the inode.  When it has it, another open has
 * got a map: it may not lock the inode once more, nor have the server truncate.
 */
TEST_F(trunc_open, F5_file_becomes_mapped_while_it_waits)
{
	struct tfs_server *srv = &self->env.srv;
	struct tfs_job chmod = { .run = do_chmod, .env = &self->env };
	struct tfs_job hog = { .run = hog_cpu_1 };
	struct tfs_job trunc = { .run = open_on_cpu_1, .env = &self->env,
				 .name = "plain",
				 .flags = O_RDWR | O_TRUNC };
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = "plain", .flags = O_RDONLY };
	int i;

	if (srv->st->open_mode != TFS_GETFMAP)
		SKIP(return, "the map has to come by GET_FMAP");
	ASSERT_EQ(0, tfs_job_hold(&chmod, srv, FUSE_SETATTR));
	ASSERT_EQ(0, tfs_job_start(&trunc));
	for (i = 0; i < TFS_SOON && !tfs_count(srv, FUSE_GET_FMAP); i++)
		usleep(1000);
	/* And time to get to where it waits. */
	usleep(200000);
	EXPECT_COUNT(1, FUSE_GET_FMAP);
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	tfs_set_map(srv, 0, self->m.buf, self->m.len);
	rule_hold(srv, FUSE_GET_FMAP, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(&open));
	ASSERT_EQ(0, tfs_wait_held(srv, 2));

	/* Whoever waits is woken, but does not run: the other is faster. */
	ASSERT_EQ(0, tfs_job_start(&hog));
	for (i = 0; i < 1000 && !__atomic_load_n(&hog.pos, __ATOMIC_SEQ_CST);
	     i++)
		usleep(1000);
	rules_release_op(srv, FUSE_SETATTR);
	EXPECT_EQ(0, tfs_job_result(&chmod));
	rules_release(srv);
	EXPECT_LE(0, tfs_job_result(&open));
	__atomic_store_n(&hog.flags, 1, __ATOMIC_SEQ_CST);
	EXPECT_EQ(0, tfs_job_result(&hog));
	EXPECT_EQ(-EPERM, tfs_job_result(&trunc));
	EXPECT_EQ(6, srv->st->files[0].size);
	EXPECT_EQ(SIZE, tfs_size_of(open.result));
	close(open.result);
}

TEST_HARNESS_MAIN
