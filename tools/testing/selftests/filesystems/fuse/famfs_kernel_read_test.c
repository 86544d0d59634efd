// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files that the kernel itself reads, writes or looks into: core dumps,
 * loop devices, modules, the next kernel, probes, quotas.
 *
 * What is easily wrong here: a buffer that is no user memory; a reader in the
 * kernel that hangs, or takes zeros for data, where the map was taken back; a
 * dump that asks a server which is dead.
 */
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <linux/elf.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/quota.h>

#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(PMD + 4 * PAGE)

#ifndef KEXEC_FILE_NO_INITRAMFS
#define KEXEC_FILE_NO_INITRAMFS	0x00000004
#endif

FIXTURE(kernel_read)
{
	struct tfs_env env;
	struct tfs_msg m;
	int dev;			/* for notifications past the server */
	int fd;				/* of "f" */
	char *buf;
};

FIXTURE_SETUP(kernel_read)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, 4 * MiB));
	tfs_msg_simple(&self->m, SIZE, 0, 0, SIZE);
	tfs_add_mapped(&self->env, "f", &self->m);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, PAGE, SIZE));
	tfs_counts_reset(&self->env.srv);
}

FIXTURE_TEARDOWN(kernel_read)
{
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_READ));
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_WRITE));
	free(self->buf);
	close(self->fd);
	tfs_msg_exit(&self->m);
	EXPECT_EQ(0, tfs_umount(&self->env));
	close(self->dev);
	TFS_TEARDOWN();
}

/* Takes the map back; the server has no other one. */
static int lose_map(struct tfs_env *env, int dev)
{
	rule_fail(&env->srv, FUSE_GET_FMAP, TFS_ANY, -EIO, -1);
	return tfs_revoke(dev, 0);
}

/* ---- core dumps -------------------------------------------------------- */

struct dump {
	char dir[64], core[96], old[256];
};

static int read_text(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? -errno : 0;
}

static int dump_init(struct dump *d)
{
	const char *pattern = "/proc/sys/kernel/core_pattern";

	snprintf(d->dir, sizeof(d->dir), "/tmp/famfs_core_XXXXXX");
	if (!mkdtemp(d->dir))
		return -errno;
	snprintf(d->core, sizeof(d->core), "%s/core", d->dir);
	return read_text(pattern, d->old, sizeof(d->old)) ||
	       tfs_write_text(pattern, d->core) ||
	       tfs_write_text("/proc/sys/kernel/core_uses_pid", "0");
}

static void dump_exit(struct dump *d)
{
	tfs_write_text("/proc/sys/kernel/core_pattern", d->old);
	unlink(d->core);
	rmdir(d->dir);
}

/* Dies with these mappings in its dump: bits as in core(5). */
static int dump_child(const char *bits)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGABRT, SIG_DFL);
		if (setrlimit(RLIMIT_CORE, &all) ||
		    prctl(PR_SET_DUMPABLE, 1) ||
		    tfs_write_text("/proc/self/coredump_filter", bits))
			_exit(1);
		abort();
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -EINVAL;
	return WIFSIGNALED(status) && WCOREDUMP(status) ? 0 : -ENODATA;
}

/* How much of a mapping the dump has; its bytes go to buf. */
static ssize_t dumped(const struct dump *d, const char *map, char *buf)
{
	int fd = open(d->core, O_RDONLY | O_CLOEXEC);
	ssize_t found = -ENOENT;
	struct elf64_phdr ph;
	struct elf64_hdr h;
	int i;

	if (fd < 0 || pread(fd, &h, sizeof(h), 0) != sizeof(h))
		return -EIO;
	for (i = 0; i < h.e_phnum && found < 0; i++) {
		if (pread(fd, &ph, sizeof(ph), h.e_phoff + i * sizeof(ph)) !=
		    sizeof(ph))
			break;
		if (ph.p_type == PT_LOAD &&
		    ph.p_vaddr == (unsigned long)map)
			found = pread(fd, buf, ph.p_filesz, ph.p_offset);
	}
	close(fd);
	return found;
}

#define FILTER_SHARED	"0x100"
#define FILTER_PRIVATE	"0x80"
#define FILTER_OTHERS	"0x7f"

static char *map_all(int fd, int flags)
{
	return mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);
}

/* The server is stopped, and nobody asks it: the closing of a file would. */
TEST_F(kernel_read, I1_core_dump_of_a_shared_mapping)
{
	struct dump d;
	char *map = map_all(self->fd, MAP_SHARED);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, dump_init(&d));
	/* A huge page that is there, small ones that are not. */
	EXPECT_EQ(8, tfs_mismatch(&self->m, 0, map, 8));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, tfs_server_signal(&self->env.srv, SIGSTOP));
	EXPECT_EQ(0, dump_child(FILTER_SHARED));
	EXPECT_EQ(0, tfs_server_signal(&self->env.srv, SIGCONT));
	EXPECT_EQ(SIZE, dumped(&d, map, self->buf));
	EXPECT_EQ(SIZE, tfs_mismatch(&self->m, 0, self->buf, SIZE));
	dump_exit(&d);
	munmap(map, SIZE);
}

TEST_F(kernel_read, I5_core_dump_of_a_private_mapping)
{
	struct dump d;
	char *map = map_all(self->fd, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, dump_init(&d));
	memset(map + PAGE, 'p', PAGE);
	EXPECT_EQ(0, dump_child(FILTER_PRIVATE));
	EXPECT_EQ(SIZE, dumped(&d, map, self->buf));
	EXPECT_EQ(0, memcmp(self->buf, map, SIZE));
	EXPECT_EQ('p', self->buf[PAGE]);
	dump_exit(&d);
	munmap(map, SIZE);
}

TEST_F_TIMEOUT(kernel_read, I5_core_dump_leaves_out_what_it_is_told_to, 120)
{
	char *shared = map_all(self->fd, MAP_SHARED);
	char *private = map_all(self->fd, MAP_PRIVATE);
	struct dump d;

	ASSERT_NE(MAP_FAILED, shared);
	ASSERT_NE(MAP_FAILED, private);
	ASSERT_EQ(0, dump_init(&d));
	private[0] = 'p';
	EXPECT_EQ(0, dump_child(FILTER_OTHERS));
	EXPECT_EQ(0, dumped(&d, shared, self->buf));
	EXPECT_EQ(0, dumped(&d, private, self->buf));
	unlink(d.core);
	/* By the user's own advice, and back again. */
	EXPECT_EQ(0, madvise(shared, SIZE, MADV_DONTDUMP));
	EXPECT_EQ(0, dump_child(FILTER_SHARED));
	EXPECT_EQ(0, dumped(&d, shared, self->buf));
	unlink(d.core);
	EXPECT_EQ(0, madvise(shared, SIZE, MADV_DODUMP));
	EXPECT_EQ(0, dump_child(FILTER_SHARED));
	EXPECT_EQ(SIZE, dumped(&d, shared, self->buf));
	dump_exit(&d);
	munmap(shared, SIZE);
	munmap(private, SIZE);
}

/* Pages that are not there are zeros; nobody asks for the map. */
TEST_F(kernel_read, M7_core_dump_of_a_revoked_file)
{
	char *map = map_all(self->fd, MAP_SHARED);
	struct dump d;
	size_t i;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, dump_init(&d));
	tfs_dirty(map);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	EXPECT_EQ(0, tfs_server_signal(&self->env.srv, SIGSTOP));
	EXPECT_EQ(0, dump_child(FILTER_SHARED));
	EXPECT_EQ(0, tfs_server_signal(&self->env.srv, SIGCONT));
	EXPECT_EQ(SIZE, dumped(&d, map, self->buf));
	for (i = 0; i < SIZE && !self->buf[i]; i++)
		;
	EXPECT_EQ(SIZE, i);
	EXPECT_FETCHES(0);
	dump_exit(&d);
	munmap(map, SIZE);
}

/* ---- loop devices ------------------------------------------------------ */

/* A loop device over a file. */
static int loop_open(int file, __u32 flags, int open_flags)
{
	struct loop_config c = { .fd = file, .block_size = 4096 };
	int control, loop = -1, n;
	char path[32];

	c.info.lo_flags = flags;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -errno;
	n = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, sizeof(path), "/dev/loop%d", n);
	if (n >= 0)
		loop = open(path, O_RDWR | O_CLOEXEC | open_flags);
	if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &c)) {
		close(loop);
		return -EIO;
	}
	return loop;
}

static void loop_close(int loop)
{
	ioctl(loop, LOOP_CLR_FD, 0);
	close(loop);
}

/* Reads all of it, writes some, and the file has it. */
static int loop_io(int loop, int fd, char *buf, const struct tfs_msg *m)
{
	char page[PAGE];

	if (pread(loop, buf, SIZE, 0) != SIZE ||
	    tfs_mismatch(m, 0, buf, SIZE) != SIZE)
		return 1;
	memset(buf, 'l', PAGE);
	if (pwrite(loop, buf, PAGE, PMD) != PAGE || fsync(loop))
		return 2;
	if (pread(fd, page, PAGE, PMD) != PAGE || memcmp(page, buf, PAGE))
		return 3;
	return 0;
}

TEST_F(kernel_read, I4_loop_device)
{
	int loop = loop_open(self->fd, 0, 0);

	if (loop == -ENOENT)
		SKIP(return, "need CONFIG_BLK_DEV_LOOP");
	ASSERT_GE(loop, 0);
	EXPECT_EQ(0, loop_io(loop, self->fd, self->buf, &self->m));
	/* There is no punching of holes, whatever the block layer says of it. */
	(void)ioctl(loop, BLKDISCARD, (__u64[]){ 0, PMD });
	EXPECT_EQ(PMD, tfs_check(self->fd, &self->m));
	loop_close(loop);
}

TEST_F(kernel_read, I4_loop_device_with_direct_io)
{
	int loop = loop_open(self->fd, LO_FLAGS_DIRECT_IO, O_DIRECT);

	if (loop == -ENOENT)
		SKIP(return, "need CONFIG_BLK_DEV_LOOP");
	ASSERT_GE(loop, 0);
	EXPECT_EQ(0, loop_io(loop, self->fd, self->buf, &self->m));
	loop_close(loop);
}

TEST_F(kernel_read, M7_loop_device_over_a_revoked_file)
{
	int loop = loop_open(self->fd, 0, O_DIRECT);

	if (loop == -ENOENT)
		SKIP(return, "need CONFIG_BLK_DEV_LOOP");
	ASSERT_GE(loop, 0);
	EXPECT_EQ(PAGE, pread(loop, self->buf, PAGE, 0));
	/* It asks again, ... */
	EXPECT_EQ(0, tfs_revoke(self->dev, 0));
	EXPECT_EQ(PAGE, pread(loop, self->buf, PAGE, PAGE));
	EXPECT_EQ(PAGE, tfs_mismatch(&self->m, PAGE, self->buf, PAGE));
	EXPECT_FETCHES(1);
	/* ... and where there is no map, says so. */
	EXPECT_EQ(0, lose_map(&self->env, self->dev));
	EXPECT_ERRNO(EIO, pread(loop, self->buf, PAGE, PAGE));
	EXPECT_ERRNO(EIO, pwrite(loop, self->buf, PAGE, PAGE));
	rules_clear(&self->env.srv);
	EXPECT_EQ(PAGE, pread(loop, self->buf, PAGE, PAGE));
	loop_close(loop);
}

/* As long as the server lives, and no longer. */
TEST_F(kernel_read, X3_loop_device_over_a_file_of_a_dead_server)
{
	int loop = loop_open(self->fd, 0, O_DIRECT);

	if (loop == -ENOENT)
		SKIP(return, "need CONFIG_BLK_DEV_LOOP");
	ASSERT_GE(loop, 0);
	/* Ours would keep the connection. */
	close(self->dev);
	self->dev = -1;
	EXPECT_EQ(0, tfs_server_signal(&self->env.srv, SIGKILL));
	EXPECT_EQ(PAGE, pread(loop, self->buf, PAGE, PMD));
	EXPECT_EQ(PAGE, tfs_mismatch(&self->m, PMD, self->buf, PAGE));
	EXPECT_ERRNO(EBUSY, umount(self->env.dir));
	loop_close(loop);
}

/* ---- images ------------------------------------------------------------ */

static int kexec_load(int fd)
{
	long ret = syscall(SYS_kexec_file_load, fd, -1, 1, "",
			   KEXEC_FILE_NO_INITRAMFS);

	return ret ? -errno : 0;
}

TEST_F(kernel_read, I4_kexec_reads_an_image)
{
	int err;

	/* Nobody may have it open for writing. */
	close(self->fd);
	self->fd = ASSERT_OPEN("f", O_RDONLY);
	err = kexec_load(self->fd);
	if (err == -ENOSYS)
		SKIP(return, "need CONFIG_KEXEC_FILE");
	/* It was read: what is wrong is what it says. */
	EXPECT_EQ(-ENOEXEC, err);
	EXPECT_EQ(0, lose_map(&self->env, self->dev));
	EXPECT_EQ(-EIO, kexec_load(self->fd));
}

static int module_load(int fd)
{
	return syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
}

TEST_F(kernel_read, I4_module_is_read)
{
	int err;

	close(self->fd);
	self->fd = ASSERT_OPEN("f", O_RDONLY);
	err = module_load(self->fd);
	if (err == -ENOSYS)
		SKIP(return, "need CONFIG_MODULES");
	EXPECT_EQ(-ENOEXEC, err);
	EXPECT_EQ(0, lose_map(&self->env, self->dev));
	EXPECT_EQ(-EIO, module_load(self->fd));
}

/* ---- others ------------------------------------------------------------ */

#define UPROBES	"/sys/kernel/tracing/uprobe_events"

/* Text of the file is copied out through its page cache, which it has not. */
TEST_F(kernel_read, I4_uprobes_are_refused)
{
	char *map, def[256];

	if (access(UPROBES, W_OK))
		SKIP(return, "need CONFIG_UPROBE_EVENTS and tracefs");
	map = map_all(self->fd, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, map);
	tfs_dirty(map);
	snprintf(def, sizeof(def), "p:famfs/at %s/f:0x40", self->env.dir);
	EXPECT_EQ(0, tfs_write_text(UPROBES, def));
	EXPECT_EQ(-EIO,
		  tfs_write_text("/sys/kernel/tracing/events/famfs/at/enable",
				 "1"));
	EXPECT_EQ(0, tfs_write_text(UPROBES, "-:famfs/at"));
	EXPECT_EQ(0, tfs_check_all(self->fd, map, &self->m));
	munmap(map, SIZE);
}

TEST_F(kernel_read, I4_mount_has_no_quotas)
{
	struct if_dqblk dq;
	int cmd;

	for (cmd = 0; cmd < 4; cmd++) {
		static const int what[] = {
			Q_GETQUOTA, Q_SETQUOTA, Q_QUOTAON, Q_SYNC,
		};

		EXPECT_ERRNO(ENOSYS, syscall(SYS_quotactl_fd, self->fd,
					     QCMD(what[cmd], USRQUOTA), 0,
					     &dq));
	}
	EXPECT_EQ(0, tfs_total(&self->env.srv));
}

TEST_HARNESS_MAIN
