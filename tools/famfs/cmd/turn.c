// SPDX-License-Identifier: GPL-2.0
/*
 * Mounts of one file system come one after the other: the second one begins when
 * the first can be seen, or has failed.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "clock.h"
#include "cmd.h"
#include "second.h"
#include "super.h"

/* Between two looks, in microseconds. */
#define TURN_LOOK_US	20000

/* After that it is said what is waited for, and after that not any more. */
#define TURN_TELL_MS	2000u
#define TURN_LIMIT_MS	120000u

/* Who has it, as its file says. */
#define TURN_HOLDER	64

static void turn_read_uuid(struct serve *wanted)
{
	struct media *media;
	struct super super;

	if (media_open(wanted->device, 0, &media))
		return;
	if (!super_read(&super, media, NULL))
		uuid_unparse_lower(super.uuid, wanted->uuid);
	media_close(media);
}

static int turn_open(const char *name)
{
	char path[sizeof(CONTROL_FOLDER) + 64];

	snprintf(path, sizeof(path), CONTROL_FOLDER "/.%s", name);
	/* A file of root's: nobody else can keep mounts waiting. */
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* For those who wait. It need not be right any more when the process has ended. */
static void turn_sign(int fd)
{
	char holder[TURN_HOLDER];
	int bytes = snprintf(holder, sizeof(holder), "%d, %s", getpid(),
			     program_invocation_short_name);

	if (bytes >= TURN_HOLDER)
		bytes = TURN_HOLDER - 1;
	if (ftruncate(fd, 0) || pwrite(fd, holder, (size_t)bytes, 0) != bytes)
		return;
}

/* Its number and the name of its program, or "". */
static void turn_read(int fd, char holder[TURN_HOLDER])
{
	ssize_t n = pread(fd, holder, TURN_HOLDER - 1, 0);

	holder[n < 0 ? 0 : n] = '\0';
}

/* As a command shows it. */
static const char *turn_holder(int fd)
{
	char holder[TURN_HOLDER];

	turn_read(fd, holder);
	return cmd_text(*holder ? holder : "?");
}

static void turn_fail(int fd, const char *object)
{
	const char *holder = turn_holder(fd);
	char next[80];

	snprintf(next, sizeof(next), "ps -fp %.*s   shows it; end it, and try again",
		 (int)strcspn(holder, ","), holder);
	cmd_fail(object, next, "process %s, whose turn it is, has not ended it for two minutes",
		 holder);
}

/* Has somebody else got it since @before? */
static bool turn_has_passed(int fd, char before[TURN_HOLDER])
{
	char holder[TURN_HOLDER];

	turn_read(fd, holder);
	if (!strcmp(holder, before))
		return false;
	memcpy(before, holder, sizeof(holder));
	return true;
}

/* 0, -ETIMEDOUT, or other -errno. */
static int turn_lock(int fd, const char *object)
{
	uint64_t begin = clock_ms(), since = begin;
	char holder[TURN_HOLDER] = "";
	bool told = false;

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EINTR && errno != EWOULDBLOCK)
			return -errno;
		/* Each has its own two minutes: many can be before this one. */
		if (turn_has_passed(fd, holder))
			since = clock_ms();
		if (clock_ms() - since > TURN_LIMIT_MS)
			return -ETIMEDOUT;
		if (!told && clock_ms() - begin > TURN_TELL_MS) {
			cmd_tell("%s: waiting: it is the turn of process %s",
				 cmd_text(object), turn_holder(fd));
			told = true;
		}
		usleep(TURN_LOOK_US);
	}
	turn_sign(fd);
	return 0;
}

int turn_wait(const char *name, const char *object)
{
	int fd, err;

	if (mkdir(CONTROL_FOLDER, 0755) && errno != EEXIST) {
		cmd_fail_errno(CONTROL_FOLDER, -errno);
		return -1;
	}
	fd = turn_open(name);
	if (fd < 0) {
		cmd_fail(CONTROL_FOLDER, errno == EACCES ? "run it as root" :
			 "remove it, if it is no directory",
			 "servers have no place for their sockets: %s",
			 strerror(errno));
		return -1;
	}
	err = turn_lock(fd, object);
	if (!err)
		return fd;
	if (err == -ETIMEDOUT)
		turn_fail(fd, object);
	else
		cmd_fail_errno(object, err);
	close(fd);
	return -1;
}

int turn_try(const char *name)
{
	int fd = turn_open(name);

	if (fd < 0 || !flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	close(fd);
	return -1;
}

bool turn_take(struct serve *wanted)
{
	turn_read_uuid(wanted);
	/* The server will say what is wrong with it. */
	if (!wanted->uuid[0])
		return true;
	wanted->turn = turn_wait(wanted->uuid, wanted->device);
	return wanted->turn >= 0;
}
