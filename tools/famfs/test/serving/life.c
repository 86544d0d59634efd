// SPDX-License-Identifier: GPL-2.0
/*
 * A mount's whole life on a kernel that is made up, in place of libfuse, of what
 * talks to the kernel, and of the kernel's table of mounts.
 */

#include "life.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cmd.h"
#include "parent.h"
#include "serve.h"

/* Where it is mounted, and what the kernel calls what lies there. */
#define LIFE_PLACE	"/nowhere/at/all"
#define LIFE_UNDER	1u
#define LIFE_MOUNT	2u

/* Of the memory that all see, in programs that are started. */
#define LIFE_FD		"FAMFS_TEST_LIFE"

struct life *life;
static int connection = -1;

static bool life_map(int fd)
{
	void *at = mmap(NULL, sizeof(*life), PROT_READ | PROT_WRITE,
			MAP_SHARED, fd, 0);

	life = at == MAP_FAILED ? NULL : at;
	if (life)
		shared = &life->shared;
	return life != NULL;
}

bool life_begin(void)
{
	int fd = memfd_create("life", 0);
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	return fd >= 0 && !setenv(LIFE_FD, number, 1) &&
	       !ftruncate(fd, sizeof(*life)) && life_map(fd);
}

/* The kernel is asked something, and who asks may be killed then. */
static void life_ask(void)
{
	syscall(SYS_getppid);
}

bool life_attach(void)
{
	const char *number = getenv(LIFE_FD);

	return number && life_map(atoi(number));
}

void life_options(struct volume_options *options, uint64_t nonce)
{
	memset(options, 0, sizeof(*options));
	options->self.uuid[0] = 1;
	options->self.boot[0] = 9;
	options->self.page = 4096;
	strcpy(options->self.name, "owner");
	options->nonce = nonce;
	options->now = 1;
}

int life_parent(struct kept *kept, int memory, int ready)
{
	struct serve wanted = { .turn = -1, .ready = ready, .flags = "",
				.source = life->device, .device = life->device,
				.mountpoint = LIFE_PLACE };

	strcpy(kept->device, life->device);
	strcpy(kept->source, life->device);
	strcpy(kept->mountpoint, LIFE_PLACE);
	return parent_run(&wanted, kept, memory);
}

int life_again(char **numbers)
{
	struct kept_files files;
	struct kept *kept;

	kept_take(numbers, &files);
	kept = kept_open(files.memory);
	return kept && !serve_again(kept, &files) ? 0 : 1;
}

/* In place of the host's own id: each server comes by here. */
int cmd_own(struct volume_options *options)
{
	unsigned int how = options->how;

	life_options(options, LIFE_NONCE);
	options->how = how;
	life->server = getpid();
	life->servers++;
	return 0;
}

void fuse_log(enum fuse_log_level level, const char *format, ...)
{
	char text[1024];
	unsigned int at;
	va_list args;
	int bytes;

	(void)level;
	va_start(args, format);
	bytes = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	at = atomic_fetch_add(&life->used, (unsigned int)bytes);
	if (bytes < (int)sizeof(text) && at + (unsigned int)bytes < LIFE_LOG)
		memcpy(life->log + at, text, (size_t)bytes);
}

void fuse_log_enable_syslog(const char *ident, int option, int facility)
{
	(void)ident;
	(void)option;
	(void)facility;
}

int fuse_session_mount(struct fuse_session *session, const char *mountpoint)
{
	(void)session;
	(void)mountpoint;
	connection = eventfd(0, EFD_CLOEXEC);
	life->begun = true;
	life_ask();
	life->mounted = true;
	return 0;
}

void fuse_session_unmount(struct fuse_session *session)
{
	(void)session;
	life_ask();
	life->mounted = false;
}

int fuse_session_fd(struct fuse_session *session)
{
	(void)session;
	return connection;
}

void fuse_session_destroy(struct fuse_session *session)
{
	(void)session;
}

int session_make(struct server *of, const char *flags)
{
	(void)of;
	(void)flags;
	return 0;
}

int session_begin(struct server *of)
{
	life_ask();
	(void)of;
	return 0;
}

int session_resume(struct server *of, int fuse)
{
	(void)of;
	connection = fuse;
	return 0;
}

int maps_register(struct server *of)
{
	life_ask();
	(void)of;
	return 0;
}

int work_again(struct server *of)
{
	(void)of;
	return 0;
}

void work_run(struct server *of)
{
	(void)of;
	life->idle = true;
	while (life->mounted)
		usleep(1000);
	life->idle = false;
}

int umount2(const char *path, int flags)
{
	bool mounted = !strcmp(path, LIFE_PLACE) && life->mounted;

	(void)flags;
	life_ask();
	if (mounted)
		life->mounted = false;
	errno = EINVAL;
	return mounted ? 0 : -1;
}

int statx(int fd, const char *restrict path, int flags, unsigned int mask,
	  struct statx *restrict st)
{
	(void)fd;
	(void)path;
	(void)flags;
	life_ask();
	memset(st, 0, sizeof(*st));
	st->stx_mask = mask;
	st->stx_mnt_id = life->mounted ? LIFE_MOUNT : LIFE_UNDER;
	return 0;
}

/* Whoever asks what is mounted has lost its server. */
int stat(const char *restrict path, struct stat *restrict st)
{
	if (strcmp(path, LIFE_PLACE))
		return fstatat(AT_FDCWD, path, st, 0);
	errno = life->mounted ? ENOTCONN : ENOENT;
	return -1;
}
