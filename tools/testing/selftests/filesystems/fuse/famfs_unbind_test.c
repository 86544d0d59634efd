// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that go away under mapped files: their driver is unbound while files
 * are mapped, being written, and pinned.
 *
 * What is easily wrong here: unbinding frees the struct pages of the device, and
 * neither waits for nor removes what a file system has mapped; whoever still
 * has a page mapped keeps access, and the kernel oopses when that ends.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <sys/uio.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(2 * PMD)

FIXTURE(unbind)
{
	struct tfs_env env;
	int dev;			/* for notifications past the server */
	int fd, other;
};

FIXTURE_VARIANT(unbind)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(unbind, small_pages) {};
FIXTURE_VARIANT_ADD(unbind, huge_pages) { .huge = true };

FIXTURE_SETUP(unbind)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_msg m;

	if (why)
		SKIP(return, "%s", why);
	/* Two extents, in another order than the file's. */
	tfs_msg_init(&m, SIZE, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(&m, 0, 2 * PMD, PMD);
	tfs_msg_extent(&m, 0, 0, PMD);
	tfs_add_mapped(&self->env, "f", &m);
	tfs_msg_exit(&m);
	tfs_add_simple(&self->env, "other", SIZE, 0, 4 * PMD);
	tfs_add_data(&self->env.srv, "plain", NULL, 0);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_GE(self->fd, 0);
	self->other = tfs_open(&self->env, "other", O_RDWR);
	ASSERT_GE(self->other, 0);
}

FIXTURE_TEARDOWN(unbind)
{
	close(self->fd);
	close(self->other);
	close(self->dev);
	EXPECT_EQ(0, tfs_umount(&self->env));
	EXPECT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	TFS_TEARDOWN();
}

static char *map_file(int fd, int flags, bool huge)
{
	char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (map != MAP_FAILED && !huge)
		madvise(map, SIZE, MADV_NOHUGEPAGE);
	return map;
}

TEST_F(unbind, X2_unbinding_unmaps_and_ends_all_access)
{
	char *map = map_file(self->fd, MAP_SHARED, variant->huge);
	char *priv = map_file(self->fd, MAP_PRIVATE, variant->huge);
	char *cold = map_file(self->other, MAP_SHARED, variant->huge);
	char buf[PAGE];

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(MAP_FAILED, priv);
	ASSERT_NE(MAP_FAILED, cold);
	memset(map, 'u', SIZE);
	EXPECT_EQ('u', priv[PMD]);
	priv[5] = 'p';
	ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
	EXPECT_EQ(SIGBUS, load_byte(map));
	EXPECT_EQ(SIGBUS, load_byte(map + SIZE - 1));
	EXPECT_EQ(SIGBUS, load_byte(priv + PMD));
	EXPECT_EQ(SIGBUS, load_byte(cold));
	/* A page that was copied is the process' own. */
	EXPECT_EQ(0, load_byte(priv));
	EXPECT_EQ('p', priv[5]);
	EXPECT_ERRNO(EIO, pread(self->fd, buf, PAGE, 0));
	EXPECT_ERRNO(EIO, pwrite(self->fd, buf, PAGE, 0));
	EXPECT_ERRNO(EIO, pread(self->other, buf, PAGE, 0));
	munmap(map, SIZE);
	munmap(priv, SIZE);
	munmap(cold, SIZE);
}

TEST_F(unbind, X2_data_is_there_after_binding_again)
{
	char buf[PAGE];

	memset(buf, 'r', PAGE);
	ASSERT_EQ(PAGE, pwrite(self->fd, buf, PAGE, PMD));
	ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
	ASSERT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	/* The old mount has lost the device for good ... */
	EXPECT_ERRNO(EIO, pread(self->fd, buf, PAGE, PMD));
	close(self->fd);
	close(self->other);
	/* ... and a new one gets it, whether or not the old one is gone. */
	ASSERT_EQ(0, tfs_remount(&self->env));
	tfs_add_simple(&self->env, "g", PMD, 0, 0);
	self->fd = ASSERT_OPEN("g", O_RDWR);
	self->other = dup(self->fd);
	memset(buf, 0, PAGE);
	EXPECT_EQ(PAGE, pread(self->fd, buf, PAGE, 0));
	EXPECT_EQ('r', buf[0]);
	EXPECT_EQ('r', buf[PAGE - 1]);
}

/* What could not be used is refused when it is asked for. */
TEST_F(unbind, X2_no_map_on_a_gone_device)
{
	struct tfs_msg m;

	tfs_add_simple(&self->env, "late", PMD, 0, 8 * PMD);
	tfs_msg_simple(&m, SIZE, 0, 10 * PMD, SIZE);
	ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
	EXPECT_OPEN_FAILS(EIO, "late", O_RDWR);
	EXPECT_EQ(-EIO, tfs_push_map(self->dev, 1, &m));
	ASSERT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	EXPECT_OPEN_FAILS(EIO, "late", O_RDWR);
	EXPECT_EQ(2, tfs_maps(&self->env));
	tfs_msg_exit(&m);
}

/* It is the map that a file has now by which it is found. */
TEST_F(unbind, X2_file_whose_map_was_replaced)
{
	char *map = map_file(self->fd, MAP_SHARED, variant->huge);
	struct tfs_msg m;
	char buf[8];

	ASSERT_NE(MAP_FAILED, map);
	memset(map, 'u', SIZE);
	tfs_msg_simple(&m, SIZE, 0, 10 * PMD, SIZE);
	ASSERT_EQ(0, tfs_push_map(self->dev, 0, &m));
	memset(map, 'v', SIZE);
	ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
	EXPECT_EQ(SIGBUS, load_byte(map));
	EXPECT_EQ(SIGBUS, store_byte(map + SIZE - 1, 'w'));
	EXPECT_ERRNO(EIO, pread(self->fd, buf, 1, 0));
	/* Nor does the server bring it back to the device. */
	EXPECT_EQ(-EIO, tfs_push_map(self->dev, 0, &m));
	EXPECT_EQ(SIGBUS, load_byte(map));
	munmap(map, SIZE);
	tfs_msg_exit(&m);
}

/* The dead one, which files still name, must not be taken for the new one. */
TEST_F(unbind, X2_device_that_came_back_goes_again)
{
	struct tfs_state *st = self->env.srv.st;
	char *map;
	int fd;

	memcpy(st->devs[1], st->devs[0], sizeof(st->devs[1]));
	tfs_add_simple(&self->env, "again", SIZE, 1, 0);
	ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
	ASSERT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	fd = ASSERT_OPEN("again", O_RDWR);
	map = map_file(fd, MAP_SHARED, variant->huge);
	ASSERT_NE(MAP_FAILED, map);
	memset(map, 'a', SIZE);
	ASSERT_EQ(0, tfs_unbind(&self->env.devs[0]));
	EXPECT_EQ(SIGBUS, load_byte(map));
	EXPECT_ERRNO(EIO, pwrite(fd, "x", 1, 0));
	munmap(map, SIZE);
	close(fd);
}

struct pinner {
	int fd;
	char *buf;
	ssize_t written;
};

static void *direct_write(void *arg)
{
	struct pinner *p = arg;

	p->written = pwrite(p->fd, p->buf, 4 * PAGE, 0);
	return NULL;
}

struct unbinder {
	struct tfs_env *env;
	int err;
	bool done;
};

static void *unbind_thread(void *arg)
{
	struct unbinder *u = arg;

	u->err = tfs_unbind(&u->env->devs[0]);
	__atomic_store_n(&u->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Pages that a request in flight has pinned are not taken away from it. */
TEST_F(unbind, X2_unbinding_waits_for_pinned_pages)
{
	char *map = map_file(self->fd, MAP_SHARED, variant->huge);
	struct unbinder u = { .env = &self->env };
	int plain = ASSERT_OPEN("plain", O_RDWR | O_DIRECT);
	struct pinner p = { .fd = plain, .buf = map + PMD };
	pthread_t pin, thread;

	ASSERT_NE(MAP_FAILED, map);
	memset(map, 'd', SIZE);
	rule_hold(&self->env.srv, FUSE_WRITE, TFS_ANY);
	ASSERT_EQ(0, pthread_create(&pin, NULL, direct_write, &p));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, unbind_thread, &u));
	usleep(200000);
	EXPECT_FALSE(__atomic_load_n(&u.done, __ATOMIC_SEQ_CST));
	rules_release(&self->env.srv);
	pthread_join(pin, NULL);
	pthread_join(thread, NULL);
	EXPECT_EQ(4 * PAGE, p.written);
	EXPECT_EQ(0, u.err);
	EXPECT_EQ(SIGBUS, load_byte(map + PMD));
	munmap(map, SIZE);
	close(plain);
}

/*
 * A page lies in a pipe for as long as its owner pleases.  Unbinding has to
 * wait for that, but nobody else has.
 */
TEST_F(unbind, X2_io_does_not_wait_for_unbinding)
{
	char *map = map_file(self->fd, MAP_SHARED, variant->huge);
	struct unbinder u = { .env = &self->env };
	struct iovec iov = { map + PMD, PAGE };
	pthread_t thread;
	char buf[PAGE];
	int pipes[2];

	ASSERT_NE(MAP_FAILED, map);
	memset(map, 'v', SIZE);
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(PAGE, vmsplice(pipes[1], &iov, 1, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, unbind_thread, &u));
	usleep(200000);
	EXPECT_FALSE(__atomic_load_n(&u.done, __ATOMIC_SEQ_CST));
	EXPECT_ERRNO(EIO, pread(self->fd, buf, PAGE, 0));
	EXPECT_ERRNO(EIO, pwrite(self->fd, buf, PAGE, PMD));
	EXPECT_EQ(SIGBUS, load_byte(map));
	EXPECT_EQ(SIGBUS, load_byte(map + PMD));
	/* The page itself is still good. */
	EXPECT_EQ(PAGE, read(pipes[0], buf, PAGE));
	EXPECT_EQ('v', buf[PAGE - 1]);
	close(pipes[0]);
	close(pipes[1]);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, u.err);
	munmap(map, SIZE);
}

static bool stop_load;

/* Pins pages of the mapping, many at a time, while they are taken away. */
static void *direct_load(void *arg)
{
	struct pinner *p = arg;

	while (!__atomic_load_n(&stop_load, __ATOMIC_SEQ_CST))
		p->written = pwrite(p->fd, p->buf, 128 * 1024, 0);
	return NULL;
}

TEST_F(unbind, X2_unbinding_against_direct_io)
{
	char *map = map_file(self->fd, MAP_SHARED, variant->huge);
	int plain = ASSERT_OPEN("plain", O_RDWR | O_DIRECT);
	struct pinner p[2];
	pthread_t threads[2];
	int i;

	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < 2; i++) {
		p[i] = (struct pinner){ .fd = plain, .buf = map + i * PMD };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, direct_load,
					    &p[i]));
	}
	usleep(100000);
	EXPECT_EQ(0, tfs_unbind(&self->env.devs[0]));
	__atomic_store_n(&stop_load, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	munmap(map, SIZE);
	close(plain);
}

/* Reads, writes and faults until told to stop; errors are expected. */
static void *load(void *arg)
{
	int fd = *(int *)arg;
	char buf[3 * PAGE] = "";
	char *map = map_file(fd, MAP_SHARED, true);
	unsigned int i = 0;

	while (!__atomic_load_n(&stop_load, __ATOMIC_SEQ_CST)) {
		off_t pos = (i++ * 37 * PAGE) % (SIZE - sizeof(buf));

		if (pwrite(fd, buf, sizeof(buf), pos) < 0 && errno != EIO)
			return "wrong errno of write";
		if (pread(fd, buf, sizeof(buf), pos) < 0 && errno != EIO)
			return "wrong errno of read";
		/* In a system call, where a fault is no signal. */
		if (pwrite(fd, map + pos, PAGE, SIZE - PAGE) < 0 &&
		    errno != EIO && errno != EFAULT)
			return "wrong errno of write from a mapping";
		madvise(map + (pos & ~(PMD - 1)), PMD, MADV_DONTNEED);
	}
	munmap(map, SIZE);
	return NULL;
}

TEST_F(unbind, X2_unbinding_under_load)
{
	pthread_t threads[3];
	void *wrong;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, load,
					    i ? &self->fd : &self->other));
	usleep(100000);
	EXPECT_EQ(0, tfs_unbind(&self->env.devs[0]));
	usleep(50000);
	__atomic_store_n(&stop_load, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < 3; i++) {
		pthread_join(threads[i], &wrong);
		EXPECT_EQ(NULL, wrong) {
			TH_LOG("%s", (char *)wrong);
		}
	}
}

static void *read_again(void *arg)
{
	static char buf[16 * PAGE];
	int fd = *(int *)arg;

	/* Any error may come of this. */
	while (!__atomic_load_n(&stop_load, __ATOMIC_SEQ_CST))
		if (pread(fd, buf, sizeof(buf), 0) < 0)
			sched_yield();
	return NULL;
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/*
 * A read that has found the device alive must find what it needs, too.  Where
 * struct pages lie in slow memory, a device takes seconds to come.
 */
TEST_F_TIMEOUT(unbind, X2_reads_while_the_device_comes_and_goes, 120)
{
	time_t start = seconds();
	pthread_t threads[2];
	char c;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, read_again,
					    &self->fd));
	for (i = 0; i < 15 && seconds() < start + 10; i++) {
		usleep(10000);
		EXPECT_EQ(0, tfs_unbind(&self->env.devs[0]));
		EXPECT_EQ(0, tfs_revoke(self->dev, 0));
		EXPECT_EQ(0, tfs_revoke(self->dev, 1));
		/* Whoever reads has the server asked for the device again. */
		EXPECT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	}
	__atomic_store_n(&stop_load, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(1, pread(self->fd, &c, 1, 0));
}

TEST_HARNESS_MAIN
