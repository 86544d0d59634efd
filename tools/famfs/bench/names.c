// SPDX-License-Identifier: GPL-2.0
/*
 * Many small files by one process.
 *
 * Usage: names DIR COUNT create|stat|readdir|open|touch|remove [BYTES]
 *
 * Files of BYTES, 4 KiB by default and a multiple of it, a thousand in each
 * directory of DIR. Touch: open, map, load of each page, unmap, close. Prints
 * nanoseconds per file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096
#define IN_DIRECTORY	1000

static char content[1 << 20];
static size_t file_bytes = PAGE;

static void names_die(const char *what, const char *path)
{
	fprintf(stderr, "names: %s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

static void names_create(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0 ||
	    write(fd, content, file_bytes) != (ssize_t)file_bytes || close(fd))
		names_die("create", path);
}

static int names_begin(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		names_die("open", path);
	return fd;
}

static void names_open(const char *path)
{
	close(names_begin(path));
}

static void names_touch(const char *path)
{
	int fd = names_begin(path);
	char *map = mmap(NULL, file_bytes, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		names_die("mmap", path);
	for (size_t at = 0; at < file_bytes; at += PAGE)
		*(volatile char *)(map + at);
	munmap(map, file_bytes);
	close(fd);
}

static void names_stat(const char *path)
{
	struct stat st;

	if (stat(path, &st) || st.st_size != (off_t)file_bytes)
		names_die("stat", path);
}

static void names_remove(const char *path)
{
	if (unlink(path))
		names_die("unlink", path);
}

static unsigned long names_list(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned long n = 0;

	if (!dir)
		names_die("opendir", path);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static const struct {
	const char *what;
	void (*each)(const char *path);
} names_operations[] = {
	{ "create",	names_create },
	{ "stat",	names_stat },
	{ "open",	names_open },
	{ "touch",	names_touch },
	{ "remove",	names_remove },
};

#define OPERATIONS	(sizeof(names_operations) / sizeof(*names_operations))

/* Each file of one directory, or the directory itself. */
static unsigned long names_directory(const char *dir, unsigned long count,
				     const char *what)
{
	char path[4200];
	size_t op = 0;

	if (!strcmp(what, "readdir"))
		return names_list(dir);
	while (op < OPERATIONS && strcmp(what, names_operations[op].what))
		op++;
	if (op == OPERATIONS) {
		errno = EINVAL;
		names_die("do", what);
	}
	if (!strcmp(what, "create") && mkdir(dir, 0755))
		names_die("mkdir", dir);
	for (unsigned long i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/file%lu", dir, i);
		names_operations[op].each(path);
	}
	if (!strcmp(what, "remove") && rmdir(dir))
		names_die("rmdir", dir);
	return count;
}

static int names_arguments(int argc, char **argv, unsigned long *count)
{
	*count = argc >= 4 ? strtoul(argv[2], NULL, 10) : 0;
	if (argc == 5)
		file_bytes = strtoul(argv[4], NULL, 0);
	if (*count && *count % IN_DIRECTORY == 0 && argc <= 5 &&
	    file_bytes % PAGE == 0 && file_bytes <= sizeof(content))
		return 0;
	fprintf(stderr, "Usage: names DIR COUNT create|stat|readdir|open|touch|remove [BYTES]\n");
	return -1;
}

int main(int argc, char **argv)
{
	unsigned long count, done = 0;
	struct timespec from, to;
	char dir[4096];

	if (names_arguments(argc, argv, &count))
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned long i = 0; i < count; i += IN_DIRECTORY) {
		snprintf(dir, sizeof(dir), "%s/d%lu", argv[1], i);
		done += names_directory(dir, IN_DIRECTORY, argv[3]);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (done != count) {
		fprintf(stderr, "names: %lu files, not %lu\n", done, count);
		return 1;
	}
	printf("%.0f\n", ((double)(to.tv_sec - from.tv_sec) * 1e9 +
			  (double)(to.tv_nsec - from.tv_nsec)) / (double)count);
	return 0;
}
