// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that is made up, and what commands would say.
 */

#include "kernel.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "cmd.h"
#include "layout.h"
#include "serve.h"

struct shared *shared;
struct server server;
unsigned int self;

void kernel_listen(void *(*answer)(void *socket))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
				       .sun_path = CONTROL_FOLDER "/test" };
	static int listening;
	pthread_t thread;

	listening = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(!mkdir(CONTROL_FOLDER, 0755));
	CHECK(!bind(listening, (struct sockaddr *)&address, sizeof(address)));
	CHECK(!listen(listening, 64));
	CHECK(!pthread_create(&thread, NULL, answer, &listening));
}

int kernel_clock(clockid_t clock, struct timespec *now, long long faster)
{
	int res = (int)syscall(SYS_clock_gettime, clock, now);
	long long all = (now->tv_sec * 1000000000ll + now->tv_nsec) * faster;

	if (!res && clock == CLOCK_MONOTONIC) {
		now->tv_sec = all / 1000000000ll;
		now->tv_nsec = all % 1000000000ll;
	}
	return res;
}

struct kernel_map *kernel_find(unsigned int host, uint64_t ino)
{
	for (unsigned int i = 0; i < MAPS; i++) {
		if (shared->maps[host][i].ino == ino)
			return &shared->maps[host][i];
	}
	return NULL;
}

void kernel_fill(struct kernel_map *map, uint64_t ino)
{
	struct volume_attr attr;

	if (volume_getattr(server.volume, ino, &attr))
		return;
	map->size = attr.attr.size;
	map->bytes = attr.mapped;
	map->ino = ino;
}

int maps_push(struct server *to, uint64_t ino)
{
	struct kernel_map *map = kernel_find(self, ino);

	(void)to;
	if (!map)
		return -ENOENT;
	if (map->pinned)
		return -EBUSY;
	kernel_fill(map, ino);
	return 0;
}

int maps_is_known(struct server *to, uint64_t ino)
{
	(void)to;
	if (self && shared->hidden)
		return 0;
	return ino == ROOT_INO || kernel_find(self, ino) != NULL;
}

void maps_prune(struct server *to, const uint64_t *inos, uint32_t count)
{
	(void)to;
	while (count--) {
		struct kernel_map *map = kernel_find(self, *inos++);

		if (map && !map->open)
			map->ino = 0;
	}
}

int maps_revoke(struct server *to, uint64_t ino)
{
	struct kernel_map *map = kernel_find(self, ino);

	(void)to;
	if (map)
		map->bytes = 0;
	return 0;
}

bool cmd_quiet;
char kernel_said[512], kernel_next[512];

static void kernel_say(const char *format, va_list args)
{
	vsnprintf(kernel_said, sizeof(kernel_said), format, args);
	puts(kernel_said);
	fflush(stdout);
}

void cmd_fail(const char *object, const char *next, const char *format, ...)
{
	va_list args;

	(void)object;
	snprintf(kernel_next, sizeof(kernel_next), "%s", next ? next : "");
	va_start(args, format);
	kernel_say(format, args);
	va_end(args);
}

void cmd_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	kernel_say(format, args);
	va_end(args);
}

void cmd_tell(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	kernel_say(format, args);
	va_end(args);
}

void cmd_fail_errno(const char *object, int err)
{
	printf("%s: %s\n", object, strerror(-err));
}

void cmd_fail_fault(const char *device, int err, const struct fault *fault)
{
	printf("%s: %d %s\n", device, err, fault->text);
}

int cmd_volume_open(struct volume **volume, struct media *media,
		    struct volume_options *options, struct fault *fault)
{
	return volume_open(volume, media, options, fault);
}
