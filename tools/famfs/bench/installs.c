// SPDX-License-Identifier: GPL-2.0
/*
 * Counts instructions of giving a file that has no map its first one.
 *
 * Usage: installs MOUNTPOINT DEVICE
 *
 *   reply-N	a map of N extents that is the reply to GET_FMAP, which the
 *		first open of the file sends
 *   push-N	the same by FUSE_NOTIFY_FMAP, in one write
 *   parts-N	the same in parts of 1 MiB
 *   drop-N	what FUSE_FMAP_DROP adds to a push of one extent of N pages
 *
 * N extents of 4 KiB lie scattered over N pages of the device: each makes a
 * claim of its own, and claims arrive in no order.  With "-joined" they follow
 * one another on the device, and make one claim.
 *
 * All that the kernel does between the server's message and the published map
 * is counted: allocating, pinning the server's pages and copying them, reading
 * and checking the message, checking against the devices, gathering and
 * entering claims, publishing, freeing the message; and interrupts.  A byte
 * that rep movsb copies is one instruction here, so copying alone is 24 an
 * extent.
 *
 * Of a push this is the whole write(), with a few dozen instructions of the
 * server's library.  Of a reply it is what the first open() of a file takes more
 * than the second, less the same of a file whose reply is empty: requests,
 * replies, switches between the tasks and the work of the server, which sends a
 * map from where it lies, are the same and fall out, so a small map looks cheaper
 * than by a push.  Replies are looked through once more, for devices to ask
 * about.  Making a message, asking for a device and looking up the file are not
 * in any of these.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "serve.h"

#define PAGE		4096UL
#define MILLION		1000000UL
#define TIMES		8

/* Coprime to every power of ten, so that it goes through all pages. */
#define STRIDE		618033UL

/* Whose cache lines are dropped: 1 GiB. */
#define DROPPED		262144UL

/* Behind the million pages that large maps share. */
#define ONES		MILLION
#define THOUSANDS	(MILLION + 1000)

static struct tfs_env env;
static int next_file;

static void scattered(struct tfs_msg *m, unsigned long page, unsigned long n)
{
	unsigned long i;

	tfs_msg_init(m, n * PAGE, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < n; i++)
		tfs_msg_extent(m, 0, (page + i * STRIDE % n) * PAGE, PAGE);
}

static void joined(struct tfs_msg *m, unsigned long page, unsigned long n)
{
	unsigned long i;

	tfs_msg_init(m, n * PAGE, FUSE_FMAP_EXT_SIMPLE);
	for (i = 0; i < n; i++)
		tfs_msg_extent(m, 0, (page + i) * PAGE, PAGE);
}

/* A file whose inode is known, and no more.  The server may have its map. */
static int add_file(const struct tfs_msg *m, bool mapped, char *name)
{
	__u64 size;
	int file;

	snprintf(name, TFS_NAME_LEN, "f%02d", next_file++);
	if (mapped)
		file = tfs_add_mapped(&env, name, m);
	else
		file = tfs_add_file(&env.srv, name, PAGE);
	/* To be opened with nothing to drop, as if it were mapped. */
	env.srv.st->files[file].open_flags = FOPEN_KEEP_CACHE;
	errno = -tfs_stat_size(&env, name, &size);
	if (errno)
		die("cannot find", name);
	return file;
}

static void must_have(long maps, const char *name)
{
	if (tfs_maps(&env) == maps)
		return;
	errno = EPROTO;
	die("the kernel has other maps with", name);
}

static void drop(int file, const char *name)
{
	errno = -tfs_revoke(env.srv.fd, file);
	if (errno)
		die("cannot revoke", name);
}

static unsigned long open_count(const char *name, int *fd)
{
	unsigned long start = count();

	*fd = tfs_open(&env, name, O_RDONLY);
	start = count() - start;
	errno = -*fd;
	if (*fd < 0)
		die("cannot open", name);
	return start;
}

/* What the first open of a file takes more than the second. */
static long open_first(const struct tfs_msg *m)
{
	long maps = tfs_maps(&env), more;
	char name[TFS_NAME_LEN];
	int file, fd[2];

	file = add_file(m, m, name);
	more = open_count(name, &fd[0]);
	more -= open_count(name, &fd[1]);
	close(fd[0]);
	close(fd[1]);
	must_have(maps + !!m, name);
	/* Large ones take turns on the same pages. */
	if (m && m->len > MILLION)
		drop(file, name);
	return more;
}

static int send_parts(int file, const struct tfs_msg *m)
{
	size_t at, n;
	int err = 0;

	for (at = 0; at < m->len && !err; at += n) {
		n = m->len - at < MiB ? m->len - at : MiB;
		err = tfs_push_to(env.srv.fd, TFS_INO(file),
				  FUSE_NOTIFY_FMAP_PART, m->len, at,
				  m->buf + at, n);
	}
	return err;
}

static int send_whole(int file, const struct tfs_msg *m)
{
	return tfs_push_map(env.srv.fd, file, m);
}

/* A push to a file that nobody has opened. */
static unsigned long push_once(const struct tfs_msg *m,
			       int (*send)(int file, const struct tfs_msg *m))
{
	long maps = tfs_maps(&env);
	char name[TFS_NAME_LEN];
	unsigned long start;
	int file, err;

	file = add_file(m, false, name);
	start = count();
	err = send(file, m);
	start = count() - start;
	errno = -err;
	if (err)
		die("cannot push a map of", name);
	must_have(maps + 1, name);
	drop(file, name);
	return start;
}

static double open_plain(void)
{
	long sum = 0;
	int i;

	for (i = 0; i < TIMES; i++)
		sum += open_first(NULL);
	return (double)sum / TIMES;
}

/* Small maps: the mean of several files, each with pages of its own. */
static void measure_small(unsigned long page, unsigned long n, int times,
			  double plain)
{
	long replies = 0, pushes = 0;
	struct tfs_msg m;
	char op[32];
	int i;

	for (i = 0; i < times; i++) {
		scattered(&m, page + i * n, n);
		pushes += push_once(&m, send_whole);
		replies += open_first(&m);
		tfs_msg_exit(&m);
	}
	snprintf(op, sizeof(op), "reply-%lu", n);
	result(op, (double)replies / times - plain);
	snprintf(op, sizeof(op), "push-%lu", n);
	result(op, (double)pushes / times);
}

static void measure_million(const char *suffix, struct tfs_msg *m,
			    double plain)
{
	char op[32];

	snprintf(op, sizeof(op), "reply%s-%lu", suffix, MILLION);
	result(op, open_first(m) - plain);
	snprintf(op, sizeof(op), "push%s-%lu", suffix, MILLION);
	result(op, push_once(m, send_whole));
	snprintf(op, sizeof(op), "parts%s-%lu", suffix, MILLION);
	result(op, push_once(m, send_parts));
	tfs_msg_exit(m);
}

static void measure_drop(void)
{
	unsigned long plain, dropped;
	struct tfs_msg m;
	char op[32];

	tfs_msg_simple(&m, DROPPED * PAGE, 0, 0, DROPPED * PAGE);
	plain = push_once(&m, send_whole);
	tfs_msg_header(&m)->flags = FUSE_FMAP_DROP;
	dropped = push_once(&m, send_whole);
	snprintf(op, sizeof(op), "drop-%lu", DROPPED);
	result(op, dropped - plain);
	tfs_msg_exit(&m);
}

int main(int argc, char **argv)
{
	struct tfs_msg m;
	double plain;

	errno = EINVAL;
	if (argc != 3)
		die("usage:", "installs MOUNTPOINT DEVICE");
	errno = -serve_init(&env, argv[1], argv[2]);
	if (!errno)
		errno = -serve_mount(&env);
	if (errno)
		die("cannot serve at", argv[1]);
	if (mlockall(MCL_CURRENT))
		die("cannot lock", "memory");
	check_clock();

	/* The first file brings the device. */
	scattered(&m, ONES, 1);
	open_first(&m);
	tfs_msg_exit(&m);
	plain = open_plain();

	measure_small(ONES + 1, 1, TIMES / 2, plain);
	measure_small(THOUSANDS, 1000, TIMES / 4, plain);
	scattered(&m, 0, MILLION);
	measure_million("", &m, plain);
	joined(&m, 0, MILLION);
	measure_million("-joined", &m, plain);
	measure_drop();

	errno = -tfs_umount(&env);
	if (errno)
		die("cannot unmount", argv[1]);
	return 0;
}
