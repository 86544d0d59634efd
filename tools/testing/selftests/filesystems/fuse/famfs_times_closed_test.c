// SPDX-License-Identifier: GPL-2.0
/*
 * Times of a file that nobody has open, which the flusher tells the server.
 *
 * What was wrong here: a change of a name or of an attribute makes an inode
 * dirty and has it written at once.  Where the flusher came between the two, it
 * sent the times in the background, and nothing kept the inode until the server
 * had answered: the answer was taken with an inode that had been freed.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <time.h>

#include "tfs_test.h"

#define SIZE	(64 * 1024UL)

/* Shared with the server. */
static struct seen {
	__u32 changer;			/* its task */
	bool told;			/* the flusher's request is there */
	bool forgotten;			/* and then FUSE_FORGET */
} *seen;

/* Answers no SETATTR but those of the changing task itself. */
static bool watch(const struct tfs_req *req)
{
	switch (req->ih->opcode) {
	case FUSE_SETATTR:
		if (!seen->changer || req->ih->pid == seen->changer)
			return false;
		__atomic_store_n(&seen->told, true, __ATOMIC_SEQ_CST);
		return true;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		if (seen->told)
			__atomic_store_n(&seen->forgotten, true, __ATOMIC_SEQ_CST);
	}
	return false;
}

FIXTURE(times_closed)
{
	struct tfs_env env;
	char path[128];
	int dir;
};

FIXTURE_SETUP(times_closed)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_server *srv = &self->env.srv;

	if (why)
		SKIP(return, "%s", why);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "need two CPUs");
	/* What a ring hands out and is not held is answered. */
	if (srv->transport == TFS_URING)
		SKIP(return, "need requests that nobody answers");
	seen = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)seen);
	srv->watch = watch;
	srv->st->valid = 3600;
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	rule_raw(srv, FUSE_SETXATTR, TFS_ANY, "", 0, -1);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	ASSERT_EQ(0, tfs_try_open(&self->env, "f", O_RDWR));
	snprintf(self->path, sizeof(self->path), "%s/f", self->env.dir);
	self->dir = open(self->env.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, self->dir);
}

FIXTURE_TEARDOWN(times_closed)
{
	/* Its requests end, and the inode goes. */
	tfs_server_signal(&self->env.srv, SIGKILL);
	close(self->dir);
	TFS_TEARDOWN();
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static bool told(void)
{
	return __atomic_load_n(&seen->told, __ATOMIC_SEQ_CST);
}

static bool stop;

static bool go_on(void)
{
	return !told() && !__atomic_load_n(&stop, __ATOMIC_SEQ_CST);
}

static void *flush_on(void *arg)
{
	run_on(1);
	while (go_on())
		syncfs(*(int *)arg);
	return NULL;
}

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Takes the CPU from the changing task every now and then, for 1.5 ms. */
static void *intrude(void *arg)
{
	struct sched_param prio = { .sched_priority = 10 };
	long long until;

	run_on(0);
	sched_setscheduler(0, SCHED_FIFO, &prio);
	while (go_on()) {
		usleep(100 + rand() % 400);
		until = now_ns() + 1500000;
		while (now_ns() < until)
			;
	}
	return NULL;
}

/* Changes an attribute until the flusher has come between. */
static void change_until_told(const char *path, int dir)
{
	long long end = now_ns() + 20000000000LL;
	pthread_t flusher, intruder;
	struct statfs sf;

	stop = false;
	pthread_create(&flusher, NULL, flush_on, &dir);
	pthread_create(&intruder, NULL, intrude, NULL);
	run_on(0);
	seen->changer = getpid();
	/* What is asked last is answered when the flusher's request is there. */
	while (!told() && now_ns() < end)
		if (setxattr(path, "user.x", "1", 1, 0) || statfs(path, &sf))
			break;
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	pthread_join(flusher, NULL);
	pthread_join(intruder, NULL);
}

TEST_F_TIMEOUT(times_closed, X3_inode_stays_until_its_times_are_answered, 90)
{
	int i;

	change_until_told(self->path, self->dir);
	if (!told())
		SKIP(return, "the flusher never came between");
	for (i = 0; i < 20; i++) {
		tfs_drop_caches();
		usleep(50000);
	}
	EXPECT_FALSE(seen->forgotten);
	EXPECT_EQ(1, tfs_maps(&self->env));
}

TEST_HARNESS_MAIN
