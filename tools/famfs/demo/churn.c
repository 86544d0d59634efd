// SPDX-License-Identifier: GPL-2.0
/*
 * Objects of 64 KiB that one host replaces without end while others use them.
 *
 * Usage: churn DIR COUNT SECONDS own    replaces random ones of COUNT objects,
 *                                       which it creates first if there are none
 *        churn DIR COUNT SECONDS use    opens, maps, reads and closes them
 *
 * Each page of an object begins with its inode number, so whoever finds another
 * one has been left with memory that was given to somebody else. Prints how often
 * it did what it does; fails at the first error.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OBJECT	65536u
#define PAGE	4096u

/* An object is kept for so long at most. */
#define KEEP_US	300000

static const char *dir;
static char buffer[OBJECT];

static void churn_die(const char *what, const char *path)
{
	fprintf(stderr, "churn: %s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

static void churn_path(char path[4200], unsigned long nth)
{
	snprintf(path, 4200, "%s/object%lu", dir, nth);
}

static uint64_t churn_ino(int fd, const char *path, off_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		churn_die("stat", path);
	*size = st.st_size;
	return st.st_ino;
}

static void churn_create(unsigned long nth)
{
	char path[4200];
	uint64_t ino;
	off_t size;
	int fd;

	churn_path(path, nth);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		churn_die("create", path);
	ino = churn_ino(fd, path, &size);
	for (size_t at = 0; at < OBJECT; at += PAGE)
		memcpy(buffer + at, &ino, sizeof(ino));
	if (pwrite(fd, buffer, OBJECT, 0) != (ssize_t)OBJECT)
		churn_die("write", path);
	if (close(fd))
		churn_die("close", path);
}

static void churn_replace(unsigned long nth)
{
	char path[4200];

	churn_path(path, nth);
	if (unlink(path))
		churn_die("remove", path);
	churn_create(nth);
}

static void churn_check(const char *map, uint64_t ino, const char *path)
{
	uint64_t found;

	for (size_t at = 0; at < OBJECT; at += PAGE) {
		memcpy(&found, map + at, sizeof(found));
		if (found == ino)
			continue;
		fprintf(stderr, "churn: %s: inode %llu has a page of %llu\n",
			path, (unsigned long long)ino,
			(unsigned long long)found);
		exit(1);
	}
}

/* Return: false: there is no such object at the moment, or it is not whole. */
static bool churn_use(unsigned long nth)
{
	char path[4200], *map;
	uint64_t ino;
	off_t size;
	int fd;

	churn_path(path, nth);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		churn_die("open", path);
	if (fd < 0)
		return false;
	ino = churn_ino(fd, path, &size);
	if (size != OBJECT) {
		close(fd);
		return false;
	}
	map = mmap(NULL, OBJECT, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		churn_die("map", path);
	churn_check(map, ino, path);
	usleep((useconds_t)(rand() % KEEP_US));
	churn_check(map, ino, path);
	munmap(map, OBJECT);
	close(fd);
	return true;
}

int main(int argc, char **argv)
{
	unsigned long count, done = 0, missed = 0;
	bool own;
	time_t end;
	char path[4200];

	if (argc != 5) {
		fprintf(stderr, "Usage: churn DIR COUNT SECONDS own|use\n");
		return 2;
	}
	dir = argv[1];
	count = strtoul(argv[2], NULL, 0);
	own = !strcmp(argv[4], "own");
	srand((unsigned int)getpid());
	churn_path(path, count - 1);
	for (unsigned long i = 0; own && access(path, F_OK) && i < count; i++)
		churn_create(i);
	end = time(NULL) + (time_t)strtoul(argv[3], NULL, 0);
	while (time(NULL) < end) {
		unsigned long nth = (unsigned long)rand() % count;

		if (own)
			churn_replace(nth);
		else if (!churn_use(nth)) {
			missed++;
			continue;
		}
		done++;
	}
	printf("%lu %lu\n", done, missed);
	return 0;
}
