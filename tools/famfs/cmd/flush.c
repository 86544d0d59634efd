// SPDX-License-Identifier: GPL-2.0
/*
 * famfs flush: what this host's caches have of a file goes to memory, and is
 * read from there when it is used next. For memory that hosts share without
 * coherence, after another host has rewritten a file in place.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "place.h"

static const char flush_help[] =
	"Usage: famfs flush [OPTION...] FILE...\n"
	"\n"
	"Writes back and drops the lines that this host's caches have of files, so\n"
	"that what other hosts have written to them is seen.\n"
	"\n"
	"  -q, --quiet    say nothing but errors\n"
	"  -h, --help\n";

#if defined(__x86_64__)
#define FLUSH_LINE	64u

static void flush_line(const char *at)
{
	__asm__ volatile("clflush %0" : : "m"(*at) : "memory");
}

static void flush_fence(void)
{
	__asm__ volatile("mfence" : : : "memory");
}
#elif defined(__aarch64__)
/* The least that there is; a larger line is flushed more than once. */
#define FLUSH_LINE	16u

static void flush_line(const char *at)
{
	__asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
}

static void flush_fence(void)
{
	__asm__ volatile("dsb sy" : : : "memory");
}
#else
#define FLUSH_LINE	0u

static void flush_line(const char *at)
{
	(void)at;
}

static void flush_fence(void)
{
}
#endif

static int flush_mapped(int fd, size_t bytes)
{
	const char *map;

	if (!FLUSH_LINE)
		return -EOPNOTSUPP;
	if (!bytes)
		return 0;
	map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	flush_fence();
	for (size_t at = 0; at < bytes; at += FLUSH_LINE)
		flush_line(map + at);
	flush_fence();
	munmap((void *)map, bytes);
	return 0;
}

static int flush_file(const char *path)
{
	struct stat st;
	int fd, err;

	if (!place_answers(path))
		return 1;
	/* A FIFO is not waited for. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	err = fd < 0 || fstat(fd, &st) ? -errno : 0;
	if (!err && !S_ISREG(st.st_mode))
		err = -EINVAL;
	if (!err)
		err = flush_mapped(fd, (size_t)st.st_size);
	if (fd >= 0)
		close(fd);
	if (!err) {
		cmd_say("%s: %lld bytes flushed", cmd_text(path),
			(long long)st.st_size);
		return 0;
	}
	cmd_fail(cmd_text(path), err == -EINVAL ? "name a regular file" : NULL, "%s",
		 err == -EOPNOTSUPP ?
		 "programs cannot flush caches on this machine" :
		 strerror(-err));
	return 1;
}

int cmd_flush(int argc, char **argv)
{
	int status;

	status = cmd_options(argc, argv, flush_help, NULL);
	if (status >= 0)
		return status;
	if (optind == argc) {
		cmd_fail("famfs flush", "famfs flush --help",
			 "a file must be named");
		return 2;
	}
	for (status = 0; optind < argc; optind++)
		status |= flush_file(argv[optind]);
	return status;
}
