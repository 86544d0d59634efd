// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that fails under mapped files.
 *
 * What is easily wrong here: nobody is told, and the bad page stays mapped; or
 * everybody is, and one bad page takes all files of the device with it.
 *
 * Poison is injected by software.  Binding the device to its driver anew gives
 * it fresh struct pages, which ends the injected failure.
 */
#include <setjmp.h>
#include <sys/prctl.h>

#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(2 * PMD)

FIXTURE(poison)
{
	struct tfs_env env;
	int dev;			/* for notifications past the server */
	int fd, other;
	bool poisoned;
};

FIXTURE_VARIANT(poison)
{
	bool huge;
	bool one;		/* extent: it is found in another way */
};

FIXTURE_VARIANT_ADD(poison, small_pages) {};
FIXTURE_VARIANT_ADD(poison, huge_pages) { .huge = true };
FIXTURE_VARIANT_ADD(poison, one_extent) { .one = true };

FIXTURE_SETUP(poison)
{
	const char *why = tfs_env_init(&self->env, 1);
	struct tfs_msg m;

	if (why)
		SKIP(return, "%s", why);
	why = tfs_fail_init();
	if (why)
		SKIP(return, "%s", why);
	tfs_msg_init(&m, SIZE, FUSE_FMAP_EXT_SIMPLE);
	if (variant->one) {
		tfs_msg_extent(&m, 0, 0, SIZE);
	} else {
		/* In another order than the file's. */
		tfs_msg_extent(&m, 0, 2 * PMD, PMD);
		tfs_msg_extent(&m, 0, 0, PMD);
	}
	tfs_add_mapped(&self->env, "f", &m);
	tfs_msg_exit(&m);
	tfs_add_simple(&self->env, "other", SIZE, 0, 4 * PMD);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_GE(self->fd, 0);
	self->other = tfs_open(&self->env, "other", O_RDWR);
	ASSERT_GE(self->other, 0);
}

FIXTURE_TEARDOWN(poison)
{
	close(self->fd);
	close(self->other);
	close(self->dev);
	EXPECT_EQ(0, tfs_umount(&self->env));
	if (self->poisoned)
		tfs_bind(&self->env.devs[0], "fsdev_dax");
	EXPECT_TRUE(tfs_bound(&self->env.devs[0], "fsdev_dax"));
	TFS_TEARDOWN();
}

static char *map_file(int fd, int flags, bool huge)
{
	char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (map != MAP_FAILED && !huge)
		madvise(map, SIZE, MADV_NOHUGEPAGE);
	return map;
}

/* Notes that there is a failure to end. */
static int poison(bool *done, __u64 frame)
{
	*done = true;
	return tfs_fail_frame(frame);
}

/* Fills "f", and tells the frame of a page that nobody maps afterwards. */
static __u64 fill_and_find(int fd, off_t where, bool huge)
{
	char *map = map_file(fd, MAP_SHARED, huge);
	__u64 frame;

	if (map == MAP_FAILED)
		return 0;
	memset(map, 'g', SIZE);
	frame = tfs_frame_of(map + where);
	munmap(map, SIZE);
	return frame;
}

/* What a process that maps "f" or "other" lives through; shared memory. */
struct victim {
	bool ready, go;
	int signals;			/* before it touched anything again */
	int code;
	void *addr;
	int touched[3];			/* code of SIGBUS at bad, next, far */
};

static struct victim *me;
static sigjmp_buf jump;
static int jumping, jump_code;

static void on_sigbus(int sig, siginfo_t *si, void *ctx)
{
	(void)sig;
	(void)ctx;
	if (__atomic_load_n(&jumping, __ATOMIC_SEQ_CST)) {
		jump_code = si->si_code;
		siglongjmp(jump, 1);
	}
	me->signals++;
	me->code = si->si_code;
	me->addr = si->si_addr;
}

/* Reads a byte; returns the code of the SIGBUS that this brings, or 0. */
static int probe(const char *p)
{
	jump_code = 0;
	__atomic_store_n(&jumping, 1, __ATOMIC_SEQ_CST);
	if (!sigsetjmp(jump, 1))
		__atomic_load_n(p, __ATOMIC_SEQ_CST);
	__atomic_store_n(&jumping, 0, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&jump_code, __ATOMIC_SEQ_CST);
}

static void catch_sigbus(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO,
	};

	sigaction(SIGBUS, &sa, NULL);
}

static void wait_for(bool *flag)
{
	while (!__atomic_load_n(flag, __ATOMIC_SEQ_CST))
		usleep(1000);
}

/*
 * Starts a process that maps the file, and has these bytes mapped now.  Early:
 * it wants to be told of failures before it comes across them.
 */
static pid_t start_victim(struct victim *v, int fd, int flags, bool huge,
			  off_t bad, off_t used, bool early)
{
	pid_t pid = fork();
	char *map;

	if (pid) {
		if (pid > 0)
			wait_for(&v->ready);
		return pid;
	}
	me = v;
	catch_sigbus();
	prctl(PR_MCE_KILL, PR_MCE_KILL_SET,
	      early ? PR_MCE_KILL_EARLY : PR_MCE_KILL_LATE, 0, 0);
	map = map_file(fd, flags, huge);
	if (map == MAP_FAILED)
		_exit(1);
	probe(map + used);
	__atomic_store_n(&v->ready, true, __ATOMIC_SEQ_CST);
	wait_for(&v->go);
	if (v->signals)
		v->addr = (void *)((char *)v->addr - map);
	v->touched[0] = probe(map + bad);
	v->touched[1] = probe(map + bad + PAGE);
	v->touched[2] = probe(map + (bad ^ PMD));
	_exit(0);
}

static int end_victim(struct victim *v, pid_t pid)
{
	int status;

	__atomic_store_n(&v->go, true, __ATOMIC_SEQ_CST);
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

TEST_F(poison, X1_only_who_maps_the_page_is_told)
{
	const off_t bad = PMD + 7 * PAGE;
	struct victim *v = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	__u64 frame = fill_and_find(self->fd, bad, variant->huge);
	bool huge = variant->huge;
	pid_t pid[5];
	int i;

	ASSERT_NE(MAP_FAILED, v);
	pid[0] = start_victim(&v[0], self->fd, MAP_SHARED, huge, bad, bad, 1);
	pid[1] = start_victim(&v[1], self->fd, MAP_PRIVATE, huge, bad, bad, 1);
	pid[2] = start_victim(&v[2], self->fd, MAP_SHARED, huge, bad, bad, 0);
	/* Maps the file, but another huge page of it; and another file. */
	pid[3] = start_victim(&v[3], self->fd, MAP_SHARED, huge, bad, 0, 1);
	pid[4] = start_victim(&v[4], self->other, MAP_SHARED, huge, bad, bad,
			      1);
	EXPECT_EQ(0, poison(&self->poisoned, frame));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, end_victim(&v[i], pid[i]));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(i < 2, v[i].signals);
		/* Whoever comes to the page gets it, and only there. */
		EXPECT_EQ(i < 4 ? BUS_MCEERR_AR : 0, v[i].touched[0]);
		EXPECT_EQ(0, v[i].touched[1]);
		EXPECT_EQ(0, v[i].touched[2]);
	}
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(BUS_MCEERR_AO, v[i].code);
		EXPECT_EQ(bad, (unsigned long)v[i].addr & ~(PAGE - 1));
	}
	munmap(v, PAGE);
}

/* By default a process learns of it when it comes to the page. */
TEST_F(poison, X1_page_is_unmapped_from_who_is_not_told)
{
	const off_t bad = 3 * PAGE;
	struct victim *v = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	__u64 frame = fill_and_find(self->fd, bad, variant->huge);
	pid_t pid;

	ASSERT_NE(MAP_FAILED, v);
	pid = start_victim(v, self->fd, MAP_SHARED, variant->huge, bad, bad, 0);
	EXPECT_EQ(0, poison(&self->poisoned, frame));
	EXPECT_EQ(0, end_victim(v, pid));
	EXPECT_EQ(0, v->signals);
	EXPECT_EQ(BUS_MCEERR_AR, v->touched[0]);
	EXPECT_EQ(0, v->touched[1]);
	EXPECT_EQ(0, v->touched[2]);
	munmap(v, PAGE);
}

/* The memory of the device as such, past file and CPU caches. */
TEST_F(poison, X1_node_fails_on_the_page_only)
{
	const off_t bad = PMD + 7 * PAGE;
	const off_t at = variant->one ? bad : bad - PMD;
	__u64 frame = fill_and_find(self->fd, bad, variant->huge);
	int node = open(self->env.devs[0].path, O_RDWR | O_CLOEXEC);
	char buf[3 * PAGE];

	ASSERT_GE(node, 0);
	EXPECT_EQ(3 * PAGE, pread(node, buf, 3 * PAGE, at - PAGE));
	EXPECT_EQ(0, poison(&self->poisoned, frame));
	EXPECT_ERRNO(EIO, pread(node, buf, 1, at));
	EXPECT_ERRNO(EIO, pread(node, buf, 1, at + PAGE - 1));
	EXPECT_ERRNO(EIO, pwrite(node, buf, PAGE - 1, at));
	EXPECT_EQ(PAGE, pread(node, buf, 3 * PAGE, at - PAGE));
	EXPECT_EQ('g', buf[PAGE - 1]);
	EXPECT_EQ(PAGE, pwrite(node, buf, 2 * PAGE - 1, at - PAGE));
	EXPECT_EQ(PAGE, pread(node, buf, PAGE, at + PAGE));
	EXPECT_EQ('g', buf[0]);
	/* The first page of a huge one is as good as any other. */
	EXPECT_EQ(PAGE, pread(node, buf, PAGE, at - 7 * PAGE));
	close(node);
}

/* A file is found by each of its pages, also by the first and the last. */
static void page_at_an_edge(struct __test_metadata *const _metadata,
			    FIXTURE_DATA(poison) * self, bool huge,
			    off_t bad)
{
	struct victim *v = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	__u64 frame = fill_and_find(self->fd, bad, huge);
	pid_t pid;

	ASSERT_NE(MAP_FAILED, v);
	pid = start_victim(v, self->fd, MAP_SHARED, huge, bad, bad, 1);
	EXPECT_EQ(0, poison(&self->poisoned, frame));
	EXPECT_EQ(0, end_victim(v, pid));
	EXPECT_EQ(1, v->signals);
	EXPECT_EQ(BUS_MCEERR_AR, v->touched[0]);
	EXPECT_EQ(0, v->touched[2]);
	munmap(v, PAGE);
}

TEST_F(poison, X1_first_page_of_an_extent)
{
	page_at_an_edge(_metadata, self, variant->huge, 0);
}

TEST_F(poison, X1_last_page_of_an_extent)
{
	page_at_an_edge(_metadata, self, variant->huge, PMD - PAGE);
}

/* A page of the old map, and then one of the map that is there now. */
TEST_F(poison, X1_file_whose_map_was_replaced)
{
	const off_t bad = PMD + 7 * PAGE;
	struct victim *v = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	__u64 frame = fill_and_find(self->fd, bad, variant->huge);
	struct tfs_msg m;
	pid_t pid[2];

	ASSERT_NE(MAP_FAILED, v);
	tfs_msg_simple(&m, SIZE, 0, 8 * PMD, SIZE);
	ASSERT_EQ(0, tfs_push_map(self->dev, 0, &m));
	pid[0] = start_victim(&v[0], self->fd, MAP_SHARED, variant->huge, bad,
			      bad, 1);
	EXPECT_EQ(0, poison(&self->poisoned, frame));
	EXPECT_EQ(0, end_victim(&v[0], pid[0]));
	EXPECT_EQ(0, v[0].signals);
	EXPECT_EQ(0, v[0].touched[0]);

	frame = fill_and_find(self->fd, bad, variant->huge);
	pid[1] = start_victim(&v[1], self->fd, MAP_SHARED, variant->huge, bad,
			      bad, 1);
	EXPECT_EQ(0, poison(&self->poisoned, frame));
	EXPECT_EQ(0, end_victim(&v[1], pid[1]));
	EXPECT_EQ(1, v[1].signals);
	EXPECT_EQ(BUS_MCEERR_AR, v[1].touched[0]);
	EXPECT_EQ(0, v[1].touched[1]);
	munmap(v, PAGE);
	tfs_msg_exit(&m);
}

/* Returns 0 if the failure brought the right signal to the one who met it. */
static int meet_failure(int fd, bool huge, bool *done)
{
	char *map = map_file(fd, MAP_SHARED, huge);
	struct victim v = {};

	if (map == MAP_FAILED)
		return 1;
	me = &v;
	catch_sigbus();
	map[5 * PAGE] = 1;
	if (poison(done, tfs_frame_of(map + 5 * PAGE)))
		return 2;
	if (v.signals != 1 || v.code != BUS_MCEERR_AR)
		return 3;
	return ((unsigned long)v.addr & ~(PAGE - 1)) !=
	       (unsigned long)(map + 5 * PAGE);
}

TEST_F(poison, X1_who_comes_across_the_failure_is_told)
{
	self->poisoned = true;
	EXPECT_CHILD(meet_failure(self->fd, variant->huge, &self->poisoned));
}

TEST_F(poison, X1_only_io_to_the_page_fails)
{
	const off_t bad = PMD + 7 * PAGE;
	__u64 frame = fill_and_find(self->fd, bad, variant->huge);
	char buf[2 * PAGE];
	int fd;

	ASSERT_EQ(0, poison(&self->poisoned, frame));
	EXPECT_EQ(-1, pread(self->fd, buf, PAGE, bad));
	EXPECT_TRUE(errno == EIO || errno == EHWPOISON);
	EXPECT_EQ(-1, pread(self->fd, buf, 1, bad + PAGE - 1));
	EXPECT_ERRNO(EIO, pwrite(self->fd, buf, PAGE - 1, bad));
	EXPECT_ERRNO(EIO, pwrite(self->fd, buf, 1, bad + PAGE - 1));
	/* What lies before it is read and written. */
	EXPECT_EQ(PAGE, pread(self->fd, buf, 2 * PAGE, bad - PAGE));
	EXPECT_EQ('g', buf[PAGE - 1]);
	EXPECT_EQ(PAGE, pwrite(self->fd, buf, 2 * PAGE - 1, bad - PAGE));
	EXPECT_EQ(PAGE, pread(self->fd, buf, PAGE, bad + PAGE));
	EXPECT_EQ(PAGE, pwrite(self->fd, buf, PAGE, bad + PAGE));
	EXPECT_EQ(2 * PAGE, pread(self->fd, buf, 2 * PAGE, 7 * PAGE));
	EXPECT_EQ(2 * PAGE, pread(self->other, buf, 2 * PAGE, bad));
	/* The same for whoever opens the file only now. */
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(-1, pread(fd, buf, PAGE, bad));
	EXPECT_EQ(PAGE, pread(fd, buf, PAGE, bad + PAGE));
	close(fd);
}

TEST_F(poison, X1_failure_is_seen_by_later_mappings)
{
	const off_t bad = 9 * PAGE;
	__u64 frame = fill_and_find(self->fd, bad, variant->huge);
	char *map;

	ASSERT_EQ(0, poison(&self->poisoned, frame));
	catch_sigbus();
	map = map_file(self->fd, MAP_SHARED, variant->huge);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(BUS_MCEERR_AR, probe(map + bad));
	EXPECT_EQ(0, probe(map + bad - PAGE));
	EXPECT_EQ(0, probe(map + bad + PAGE));
	EXPECT_EQ('g', map[bad - 1]);
	EXPECT_EQ(0, probe(map + PMD));
	munmap(map, SIZE);
}

TEST_HARNESS_MAIN
