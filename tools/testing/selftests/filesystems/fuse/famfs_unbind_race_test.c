// SPDX-License-Identifier: GPL-2.0
/*
 * What happens at the same time: unbinding against whoever has pages pinned or
 * waits for the server, and maps that come and go under notifications.
 *
 * What is easily wrong here: a lock that is held while somebody is waited for
 * who needs it to get on, and a check for a map that is out of date when it is
 * acted upon.  Most of the moments are made by a server that keeps a request,
 * so that nothing is left to luck.
 */
#include <time.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(4 * PMD)

FIXTURE(unbind_race)
{
	struct tfs_env env;
	int notes;		/* for notifications past the server */
	int fd;
	char *map;
};

static void add_files(struct tfs_env *env)
{
	tfs_add_simple(env, "f", SIZE, 0, 0);
	tfs_add_data(&env->srv, "plain", NULL, 0);
	env->srv.st->files[1].size = TFS_DATA_SIZE;
	tfs_add_data(&env->srv, "slow", "slow", 4);
}

/* Opens and maps "f"; returns 0 or what failed. */
static int use(struct tfs_env *env, int *fd, char **map)
{
	*fd = tfs_open(env, "f", O_RDWR);
	if (*fd < 0)
		return *fd;
	*map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	return *map == MAP_FAILED ? -errno : 0;
}

FIXTURE_SETUP(unbind_race)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	add_files(&self->env);
	/* One read has requests on their way while it pins more pages. */
	self->env.srv.st->want |= FUSE_ASYNC_DIO | FUSE_ASYNC_READ;
	self->notes = dup(self->env.srv.fd);
	ASSERT_GE(self->notes, 0);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	ASSERT_EQ(0, use(&self->env, &self->fd, &self->map));
}

FIXTURE_TEARDOWN(unbind_race)
{
	munmap(self->map, SIZE);
	close(self->fd);
	close(self->notes);
	EXPECT_EQ(0, tfs_umount(&self->env));
	EXPECT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	TFS_TEARDOWN();
}

static long do_unbind(struct tfs_job *job)
{
	return tfs_unbind(&job->env->devs[0]);
}

static long do_chmod(struct tfs_job *job)
{
	return fchmod(job->fd, 0600);
}

/*
 * The writer has pinned one page of the file when it waits for the server, and
 * needs another page of the file before it lets go.
 */
TEST_F(unbind_race, X2_who_has_pinned_a_page_faults_during_unbinding)
{
	int plain = ASSERT_OPEN("plain", O_RDWR | O_DIRECT);
	int slow = ASSERT_OPEN("slow", O_RDONLY);
	char *wait = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, slow, 0);
	struct iovec iov[] = {
		{ self->map, PAGE }, { wait, PAGE }, { self->map + PMD, PAGE },
	};
	struct tfs_job pin = { .run = tfs_job_write, .fd = plain,
			       .iov = iov, .iovs = 3 };
	struct tfs_job unbind = { .run = do_unbind, .env = &self->env };

	ASSERT_NE(MAP_FAILED, wait);
	memset(self->map, 'p', 2 * PMD);
	rule_hold(&self->env.srv, FUSE_READ, TFS_INO(2));
	ASSERT_EQ(0, tfs_job_start(&pin));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	ASSERT_EQ(0, tfs_job_start(&unbind));
	/* By now it has unmapped the file, and waits for the pinned page. */
	EXPECT_FALSE(tfs_job_done(&unbind, 300));
	rules_release(&self->env.srv);
	ASSERT_TRUE(tfs_job_done(&pin, TFS_SOON));
	EXPECT_GT(3 * (long)PAGE, pin.result);
	ASSERT_TRUE(tfs_job_done(&unbind, TFS_SOON));
	EXPECT_EQ(0, unbind.result);
	munmap(wait, PAGE);
	close(slow);
	close(plain);
}

/* The writer brings the page that unbinding waits for. */
TEST_F(unbind_race, X2_pinned_page_is_spliced_into_its_file_during_unbinding)
{
	struct iovec iov = { self->map + PMD, PAGE };
	struct tfs_job unbind = { .run = do_unbind, .env = &self->env };
	int pipes[2];

	memset(self->map, 's', 2 * PMD);
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(PAGE, vmsplice(pipes[1], &iov, 1, 0));
	ASSERT_EQ(0, tfs_job_start(&unbind));
	EXPECT_FALSE(tfs_job_done(&unbind, 300));
	EXPECT_ERRNO(EIO, splice(pipes[0], NULL, self->fd, NULL, PAGE, 0));
	close(pipes[0]);
	close(pipes[1]);
	ASSERT_TRUE(tfs_job_done(&unbind, TFS_SOON));
	EXPECT_EQ(0, unbind.result);
}

/* A page that another process has in a pipe is given up when that is killed. */
TEST_F(unbind_race, X2_unbinding_ends_when_a_process_with_a_page_is_killed)
{
	struct iovec iov = { self->map, PAGE };
	struct tfs_job unbind = { .run = do_unbind, .env = &self->env };
	int ready[2], status;
	char c;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	memset(self->map, 'k', PAGE);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		int pipes[2];

		if (pipe(pipes) || vmsplice(pipes[1], &iov, 1, 0) != PAGE ||
		    write(ready[1], "r", 1) != 1)
			_exit(1);
		pause();
		_exit(2);
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	ASSERT_EQ(0, tfs_job_start(&unbind));
	EXPECT_FALSE(tfs_job_done(&unbind, 300));
	EXPECT_ERRNO(EIO, pread(self->fd, &c, 1, 0));
	EXPECT_EQ(SIGBUS, load_byte(self->map));
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(tfs_job_done(&unbind, TFS_SOON));
	EXPECT_EQ(0, unbind.result);
	close(ready[0]);
}

static bool stop_load;

/* Has the server fill all of the mapping, and pins it for that. */
static long do_reads(struct tfs_job *job)
{
	while (!__atomic_load_n(&stop_load, __ATOMIC_SEQ_CST))
		if (preadv(job->fd, job->iov, job->iovs, 0) < 0 &&
		    errno != EFAULT && errno != EIO)
			return -errno;
	return 0;
}

TEST_F(unbind_race, X2_unbinding_against_direct_reads)
{
	int i;

	for (i = 0; i < 3; i++) {
		struct iovec iov = { self->map, SIZE };
		struct tfs_job reads = {
			.run = do_reads, .iov = &iov, .iovs = 1,
			.fd = ASSERT_OPEN("plain", O_RDONLY | O_DIRECT),
		};
		struct tfs_job unbind = { .run = do_unbind, .env = &self->env };

		__atomic_store_n(&stop_load, false, __ATOMIC_SEQ_CST);
		ASSERT_EQ(0, tfs_job_start(&reads));
		usleep(50000 + i * 7000);
		ASSERT_EQ(0, tfs_job_start(&unbind));
		ASSERT_TRUE(tfs_job_done(&unbind, TFS_SOON));
		EXPECT_EQ(0, unbind.result);
		__atomic_store_n(&stop_load, true, __ATOMIC_SEQ_CST);
		ASSERT_TRUE(tfs_job_done(&reads, TFS_SOON));
		EXPECT_EQ(0, reads.result);
		close(reads.fd);
		munmap(self->map, SIZE);
		close(self->fd);
		ASSERT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
		ASSERT_EQ(0, tfs_remount(&self->env));
		add_files(&self->env);
		ASSERT_EQ(0, use(&self->env, &self->fd, &self->map));
	}
}

/* Whoever changes attributes holds the inode's lock while it asks. */
TEST_F(unbind_race, X2_unbinding_does_not_wait_for_the_server)
{
	struct tfs_job chmod = { .run = do_chmod, .fd = self->fd };
	struct tfs_job unbind = { .run = do_unbind, .env = &self->env };

	memset(self->map, 'c', PAGE);
	rule_hold(&self->env.srv, FUSE_SETATTR, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(&chmod));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	ASSERT_EQ(0, tfs_job_start(&unbind));
	EXPECT_TRUE(tfs_job_done(&unbind, TFS_SOON));
	EXPECT_EQ(SIGBUS, load_byte(self->map));
	rules_release(&self->env.srv);
	ASSERT_TRUE(tfs_job_done(&chmod, TFS_SOON));
	EXPECT_EQ(0, chmod.result);
}

/* What one device has lost does not harm what is on the other. */
TEST_F(unbind_race, X2_sync_of_a_file_that_has_lost_one_of_its_devices)
{
	struct tfs_env *env = &self->env;
	char *map, *raw, buf[PAGE];
	struct tfs_msg m;
	int fd, i;

	if (env->ndevs < 2)
		SKIP(return, "need two dax devices in FAMFS_DAXDEVS");
	tfs_msg_init(&m, 2 * PMD, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(&m, 0, 5 * PMD, PMD);
	tfs_msg_extent(&m, 1, 0, PMD);
	tfs_add_mapped(env, "two", &m);
	tfs_msg_exit(&m);
	fd = ASSERT_OPEN("two", O_RDWR);
	map = mmap(NULL, 2 * PMD, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	memset(map, 'w', 2 * PMD);
	ASSERT_EQ(0, tfs_unbind(&env->devs[0]));
	EXPECT_EQ(SIGBUS, load_byte(map));
	EXPECT_EQ('w', map[2 * PMD - 1]);
	EXPECT_EQ(0, fsync(fd));
	map[2 * PMD - 1] = 'x';
	EXPECT_EQ(0, msync(map + PMD, PMD, MS_SYNC));
	EXPECT_EQ(0, fdatasync(fd));
	EXPECT_ERRNO(EIO, pwrite(fd, "y", 1, 0));
	EXPECT_EQ(1, pwrite(fd, "y", 1, PMD));
	EXPECT_EQ(PAGE, pread(fd, buf, PAGE, PMD));
	EXPECT_EQ('y', buf[0]);
	EXPECT_EQ('w', buf[1]);
	munmap(map, 2 * PMD);
	close(fd);
	munmap(self->map, SIZE);
	close(self->fd);
	ASSERT_EQ(0, tfs_umount(env));

	for (i = 0; i < 2; i++) {
		raw = tfs_raw_map(&env->devs[i], 6 * PMD);
		ASSERT_NE(NULL, raw);
		EXPECT_EQ(i ? 'y' : 'w', raw[i ? 0 : 5 * PMD]);
		EXPECT_EQ('w', raw[i ? 1 : 5 * PMD + 1]);
		EXPECT_EQ(i ? 'x' : 'w', raw[i ? PMD - 1 : 6 * PMD - 1]);
		EXPECT_EQ(0, tfs_raw_unmap(&env->devs[i], raw, 6 * PMD));
	}
	ASSERT_EQ(0, tfs_remount(env));
	add_files(env);
	ASSERT_EQ(0, use(env, &self->fd, &self->map));
}

/*
 * Makes the kernel forget the file, know it as an ordinary one, and fill and
 * empty its page cache, all while others open it.  An opener may wait for the
 * server with the directory locked, so the server itself must not do this.
 */
static long do_notify(struct tfs_job *job)
{
	struct fuse_notify_inval_entry_out entry = {
		.parent = FUSE_ROOT_ID, .namelen = 4 };
	struct fuse_notify_inval_inode_out inval = { .ino = TFS_INO(3) };
	struct fuse_notify_store_out store = {
		.nodeid = TFS_INO(3), .size = 2 * PAGE };
	struct tfs_server srv = job->env->srv;
	struct tfs_file *file = &srv.st->files[3];
	char data[2 * PAGE] = "";
	unsigned long i;
	__u64 size;

	srv.fd = job->fd;
	srv.pid = 0;
	for (i = 0; !__atomic_load_n(&stop_load, __ATOMIC_SEQ_CST); i++) {
		tfs_notify(&srv, FUSE_NOTIFY_INVAL_ENTRY, &entry,
			   sizeof(entry), "race", 5);
		tfs_stat_size(job->env, "race", &size);
		store.offset = i % 2 ? 0 : PMD - PAGE;
		tfs_notify(&srv, FUSE_NOTIFY_STORE, &store, sizeof(store),
			   data, sizeof(data));
		file->size = (i % 3) * PAGE;
		file->mtime.tv_nsec = i;
		tfs_stat_size(job->env, "race", &size);
		tfs_notify(&srv, FUSE_NOTIFY_INVAL_INODE, &inval,
			   sizeof(inval), NULL, 0);
	}
	return i;
}

TEST_F(unbind_race, I8_maps_come_and_go_under_notifications)
{
	struct tfs_job notify = { .run = do_notify, .env = &self->env,
			      .fd = self->notes };
	unsigned int i, wrong = 0;
	struct timespec now, end;
	struct stat st;
	char *map;
	int fd;

	self->env.srv.st->valid = 0;
	ASSERT_EQ(3, tfs_add_simple(&self->env, "race", PMD, 0, 5 * PMD));
	__atomic_store_n(&stop_load, false, __ATOMIC_SEQ_CST);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 2;
	ASSERT_EQ(0, tfs_job_start(&notify));
	for (i = 0; ; i++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec &&
						now.tv_nsec > end.tv_nsec))
			break;
		fd = ASSERT_OPEN("race", O_RDWR);
		map = mmap(NULL, PMD, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   0);
		ASSERT_NE(MAP_FAILED, map);
		memset(map, i, 2 * PAGE);
		map[PMD - 1] = i;
		wrong += fstat(fd, &st) || st.st_size != (off_t)PMD;
		wrong += map[0] != (char)i || map[2 * PAGE - 1] != (char)i;
		wrong += map[PMD - 1] != (char)i;
		munmap(map, PMD);
		close(fd);
		/* There must be moments when nobody has it open. */
		usleep(1000);
	}
	__atomic_store_n(&stop_load, true, __ATOMIC_SEQ_CST);
	ASSERT_TRUE(tfs_job_done(&notify, TFS_SOON));
	EXPECT_LT(0, notify.result);
	EXPECT_EQ(0, wrong);
	EXPECT_FALSE(tfs_warned(&self->env));
	EXPECT_COUNT(0, FUSE_READ);
	EXPECT_COUNT(0, FUSE_WRITE);
	TH_LOG("%u opens, %ld rounds, %llu maps", i, notify.result,
	       tfs_fetches(&self->env.srv));
}

TEST_HARNESS_MAIN
