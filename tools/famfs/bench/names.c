// SPDX-License-Identifier: GPL-2.0
/*
 * Many small files by one process: create, stat, list and remove them.
 *
 * Usage: names DIR COUNT create|stat|readdir|remove
 *
 * Files of 4 KiB, a thousand in each directory of DIR. Prints nanoseconds per
 * file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES	4096
#define IN_DIRECTORY	1000

static char content[FILE_BYTES];

static void names_die(const char *what, const char *path)
{
	fprintf(stderr, "names: %s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

static void names_create(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, content, FILE_BYTES) != FILE_BYTES || close(fd))
		names_die("create", path);
}

static void names_stat(const char *path)
{
	struct stat st;

	if (stat(path, &st) || st.st_size != FILE_BYTES)
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

/* Each file of one directory, or the directory itself. */
static unsigned long names_directory(const char *dir, unsigned long count,
				     const char *what)
{
	void (*each)(const char *path) = NULL;
	char path[4200];

	if (!strcmp(what, "readdir"))
		return names_list(dir);
	if (!strcmp(what, "create")) {
		each = names_create;
		if (mkdir(dir, 0755))
			names_die("mkdir", dir);
	} else if (!strcmp(what, "stat")) {
		each = names_stat;
	} else if (!strcmp(what, "remove")) {
		each = names_remove;
	} else {
		errno = EINVAL;
		names_die("do", what);
	}
	for (unsigned long i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/file%lu", dir, i);
		each(path);
	}
	if (each == names_remove && rmdir(dir))
		names_die("rmdir", dir);
	return count;
}

int main(int argc, char **argv)
{
	unsigned long count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	struct timespec from, to;
	unsigned long done = 0;
	char dir[4096];

	if (!count || count % IN_DIRECTORY) {
		fprintf(stderr, "Usage: names DIR COUNT create|stat|readdir|remove\n");
		return 2;
	}
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
