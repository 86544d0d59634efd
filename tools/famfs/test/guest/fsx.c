// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations on files, compared with what they should have, byte by byte.
 *
 * Usage: fsx DIRECTORY OPERATIONS SEED
 *
 * Files are written, appended to, stored to through mappings, truncated, given
 * memory ahead, closed, renamed, removed and made anew. The last line says how
 * many operations there were; the first difference ends it with status 1.
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
#include <unistd.h>

#define FILES	6
/* Past 2 MiB space is given in another way. */
#define MOST	(6u << 20)
#define CHUNK	(32u << 10)

struct file {
	char name[32];
	int fd;
	size_t size;
	unsigned char *model;
};

static struct file files[FILES];
static unsigned char buf[CHUNK];
static uint64_t state;
static unsigned long operation;

static uint64_t draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static void fail(const struct file *file, const char *what, uint64_t at)
{
	printf("operation %lu, %s, size %zu: %s at %llu: %s\n", operation,
	       file->name, file->size, what, (unsigned long long)at,
	       strerror(errno));
	exit(1);
}

static void fill(size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (unsigned char)(operation * 31 + i * 7 + 1);
}

/* The size rises: what lies between is zeros. */
static void grow(struct file *file, size_t size)
{
	if (size <= file->size)
		return;
	memset(file->model + file->size, 0, size - file->size);
	file->size = size;
}

static void compare(struct file *file, const unsigned char *seen, size_t at,
		    size_t len)
{
	if (!memcmp(seen, file->model + at, len))
		return;
	for (size_t i = 0; i < len; i++) {
		if (seen[i] == file->model[at + i])
			continue;
		printf("%u, not %u: ", seen[i], file->model[at + i]);
		fail(file, "another byte", at + i);
	}
}

static void do_write(struct file *file)
{
	size_t at = draw(draw(2) ? file->size + 1 : MOST - CHUNK);
	size_t len = 1 + draw(CHUNK);

	if (at + len > MOST)
		return;
	fill(len);
	if (pwrite(file->fd, buf, len, (off_t)at) != (ssize_t)len)
		fail(file, "write", at);
	grow(file, at + len);
	memcpy(file->model + at, buf, len);
}

static void do_append(struct file *file)
{
	size_t len = 1 + draw(draw(2) ? 100 : CHUNK);
	int fd;

	if (file->size + len > MOST)
		return;
	fill(len);
	fd = open(file->name, O_WRONLY | O_APPEND);
	if (fd < 0 || write(fd, buf, len) != (ssize_t)len || close(fd))
		fail(file, "append", file->size);
	memcpy(file->model + file->size, buf, len);
	file->size += len;
}

static void do_read(struct file *file)
{
	size_t at = draw(file->size + 1), len = 1 + draw(CHUNK);
	size_t want = len < file->size - at ? len : file->size - at;

	if (pread(file->fd, buf, len, (off_t)at) != (ssize_t)want)
		fail(file, "read", at);
	compare(file, buf, at, want);
}

static void do_map(struct file *file)
{
	size_t at, len;
	unsigned char *map;

	if (!file->size)
		return;
	map = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   file->fd, 0);
	if (map == MAP_FAILED)
		fail(file, "mmap", 0);
	at = draw(file->size);
	len = 1 + draw(CHUNK);
	if (len > file->size - at)
		len = file->size - at;
	compare(file, map + at, at, len);
	if (draw(2)) {
		fill(len);
		memcpy(map + at, buf, len);
		memcpy(file->model + at, buf, len);
	}
	if (draw(4) == 0 && msync(map, file->size, MS_SYNC))
		fail(file, "msync", 0);
	munmap(map, file->size);
}

static void do_truncate(struct file *file)
{
	size_t size = draw(4) ? draw(file->size + 1) : draw(MOST);

	if (draw(2) ? ftruncate(file->fd, (off_t)size) :
		      truncate(file->name, (off_t)size))
		fail(file, "truncate", size);
	grow(file, size);
	file->size = size;
}

static void do_fallocate(struct file *file)
{
	size_t at = draw(MOST - CHUNK), len = 1 + draw(CHUNK);
	int mode = draw(2) ? FALLOC_FL_KEEP_SIZE : 0;

	if (fallocate(file->fd, mode, (off_t)at, (off_t)len))
		fail(file, "fallocate", at);
	if (!mode)
		grow(file, at + len);
}

static void do_reopen(struct file *file)
{
	if ((draw(2) && fsync(file->fd)) || close(file->fd))
		fail(file, "close", 0);
	file->fd = open(file->name, O_RDWR);
	if (file->fd < 0)
		fail(file, "open", 0);
}

/* With the descriptor open or closed; sometimes O_TRUNC instead. */
static void do_anew(struct file *file)
{
	bool late = draw(2);
	int old = file->fd;

	if (!late)
		close(old);
	if (draw(2) && unlink(file->name))
		fail(file, "unlink", 0);
	file->fd = open(file->name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file->fd < 0)
		fail(file, "create", 0);
	if (late)
		close(old);
	file->size = 0;
}

static void do_rename(struct file *file)
{
	char name[32];

	snprintf(name, sizeof(name), "%.8s.%lu", file->name, operation);
	if (rename(file->name, name))
		fail(file, "rename", 0);
	strcpy(file->name, name);
}

static void do_stat(struct file *file)
{
	struct stat st;

	if (stat(file->name, &st) || (size_t)st.st_size != file->size)
		fail(file, "stat", (uint64_t)st.st_size);
}

static void step(struct file *file)
{
	static void (*const all[])(struct file *) = {
		do_write, do_write, do_write, do_append, do_append, do_read,
		do_read, do_map, do_map, do_truncate, do_fallocate, do_reopen,
		do_stat,
	};
	uint64_t which = draw(200);

	if (which < 4)
		do_anew(file);
	else if (which < 8)
		do_rename(file);
	else
		all[which % (sizeof(all) / sizeof(*all))](file);
}

int main(int argc, char **argv)
{
	unsigned long operations;

	if (argc != 4 || chdir(argv[1]))
		return 2;
	operations = strtoul(argv[2], NULL, 0);
	state = strtoul(argv[3], NULL, 0) * 2654435761u + 1;
	for (int i = 0; i < FILES; i++) {
		snprintf(files[i].name, sizeof(files[i].name), "f%s-%d",
			 argv[3], i);
		files[i].model = malloc(MOST);
		files[i].fd = open(files[i].name, O_RDWR | O_CREAT, 0600);
		if (files[i].fd < 0 || !files[i].model)
			fail(&files[i], "create", 0);
	}
	for (operation = 1; operation <= operations; operation++)
		step(&files[draw(FILES)]);
	for (int i = 0; i < FILES; i++) {
		for (size_t at = 0; at < files[i].size; at += CHUNK) {
			size_t len = files[i].size - at;

			len = len < CHUNK ? len : CHUNK;
			if (pread(files[i].fd, buf, len, (off_t)at) !=
			    (ssize_t)len)
				fail(&files[i], "read", at);
			compare(&files[i], buf, at, len);
		}
		close(files[i].fd);
	}
	printf("%lu operations\n", operations);
	return 0;
}
