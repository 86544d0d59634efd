// SPDX-License-Identifier: GPL-2.0
/*
 * Ages a file system: files of mixed sizes come and go.
 *
 * Usage: age DIR TIMES MIB
 *
 * TIMES files of 4 KiB to 1 MiB are created, as many sizes between two powers of
 * two as between the next, while at most MIB of them are there: a random one
 * goes for each that is too much. In the end every other one is removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE		4096UL
#define POWERS		8
#define FILES_MOST	65536

static struct {
	unsigned long number, bytes;
} files[FILES_MOST];

static unsigned long count, total;
static const char *dir;

static void age_path(char path[4200], unsigned long number)
{
	snprintf(path, 4200, "%s/age%lu", dir, number);
}

static void age_die(const char *what, const char *path)
{
	fprintf(stderr, "age: %s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

static void age_create(unsigned long number)
{
	unsigned long power = PAGE << (rand() % POWERS);
	unsigned long bytes = power + (unsigned long)rand() % power / PAGE * PAGE;
	char path[4200];
	int fd;

	age_path(path, number);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		age_die("create", path);
	errno = posix_fallocate(fd, 0, (off_t)bytes);
	if (errno)
		age_die("allocate", path);
	close(fd);
	files[count].number = number;
	files[count++].bytes = bytes;
	total += bytes;
}

static void age_remove(unsigned long nth)
{
	char path[4200];

	age_path(path, files[nth].number);
	if (unlink(path))
		age_die("remove", path);
	total -= files[nth].bytes;
	files[nth] = files[--count];
}

int main(int argc, char **argv)
{
	unsigned long times, most;

	if (argc != 4) {
		fprintf(stderr, "Usage: age DIR TIMES MIB\n");
		return 2;
	}
	dir = argv[1];
	times = strtoul(argv[2], NULL, 0);
	most = strtoul(argv[3], NULL, 0) << 20;
	for (unsigned long i = 0; i < times; i++) {
		age_create(i);
		while (total > most || count == FILES_MOST)
			age_remove((unsigned long)rand() % count);
	}
	for (unsigned long left = count / 2; left; left--)
		age_remove((unsigned long)rand() % count);
	return 0;
}
