// SPDX-License-Identifier: GPL-2.0
/*
 * What can be seen of mapped files: what they hold, what opens cost, and what
 * the kernel tells of maps and devices; waiting until it has fewer of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tfs_env.h"

/*
 * What the fusectl mount shows of the connection's maps and devices.  Returns
 * 0, or an error where there is no fusectl.
 */
int tfs_table(struct tfs_env *env, char *text, size_t len)
{
	char dir[] = "/tmp/famfs_ctl_XXXXXX", path[64];
	ssize_t n = -1;
	struct statx stx;
	int fd;

	text[0] = '\0';
	/* The server may be stopped. */
	if (statx(AT_FDCWD, env->dir, AT_STATX_DONT_SYNC, 0, &stx) ||
	    !mkdtemp(dir))
		return -errno;
	if (!mount("fusectl", dir, "fusectl", 0, NULL)) {
		snprintf(path, sizeof(path), "%s/%u/dax", dir,
			 stx.stx_dev_minor);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			n = read(fd, text, len - 1);
			close(fd);
		}
		umount(dir);
	}
	rmdir(dir);
	if (n < 0)
		return -ENOENT;
	text[n] = '\0';
	return 0;
}

/* How many files the kernel has maps of, or -1. */
long tfs_maps(struct tfs_env *env)
{
	char text[4096];
	long n;

	if (tfs_table(env, text, sizeof(text)) ||
	    sscanf(text, "maps %ld", &n) != 1)
		return -1;
	return n;
}

/*
 * Drops caches until no more files than these are mapped.  A file that has been
 * closed stays until the server has answered.
 */
int tfs_evict(struct tfs_env *env, long maps)
{
	int i;

	for (i = 0; i < 100; i++) {
		if (tfs_drop_caches())
			break;
		if (tfs_maps(env) <= maps)
			return 0;
		usleep(20000);
	}
	return -EBUSY;
}

off_t tfs_size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_size;
}

/*
 * The file has these bytes, by read() and by a mapping, and zeros behind.
 * Returns 0 or what differs.
 */
int tfs_check_data(int fd, const char *data, size_t len)
{
	char *buf = malloc(len + 1), *map;
	size_t end = (len + 4095) & ~4095UL, i;
	int err = 0;

	if (tfs_size_of(fd) != (off_t)len)
		err = 1;
	else if (pread(fd, buf, len + 1, 0) != (ssize_t)len)
		err = 2;
	else if (memcmp(buf, data, len))
		err = 3;
	free(buf);
	if (err || !len)
		return err;
	map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return 4;
	if (memcmp(map, data, len))
		err = 5;
	for (i = len; i < end; i++)
		if (map[i])
			err = 6;
	munmap(map, len);
	return err;
}

/* Are these bytes zero, by read()? */
bool tfs_zeros(int fd, off_t from, off_t to)
{
	char buf[8192];

	while (from < to) {
		size_t left = to - from;
		size_t n = left < sizeof(buf) ? left : sizeof(buf);
		size_t i;

		if (pread(fd, buf, n, from) != (ssize_t)n)
			return false;
		for (i = 0; i < n; i++)
			if (buf[i])
				return false;
		from += n;
	}
	return true;
}

/* How many requests an open costs of a file that has been looked up. */
__u64 tfs_open_cost(struct tfs_env *env, const char *name)
{
	__u64 before, size;
	int fd;

	if (tfs_stat_size(env, name, &size))
		return ~0ULL;
	before = tfs_total(&env->srv);
	fd = tfs_open(env, name, O_RDONLY);
	if (fd < 0)
		return ~0ULL;
	before = tfs_total(&env->srv) - before;
	close(fd);
	return before;
}

/* Lines of a tracefs instance with one text and another after it, or -1. */
int tfs_trace_lines(const char *instance, const char *event, const char *with)
{
	char path[256], line[512];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/trace", instance);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		const char *p = strstr(line, event);

		n += line[0] != '#' && p && strstr(p, with);
	}
	fclose(f);
	return n;
}
