// SPDX-License-Identifier: GPL-2.0
/*
 * Talking to the servers that are running on this host.
 */

#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "cmd.h"
#include "serve.h"

/* So long a server has to answer, in seconds. */
#define ASK_ANSWER_S	5

/* How often it is said that one works, or is silent. */
#define ASK_TELL_MS	10000u

/* Between two looks whether the next one serves. */
#define ASK_NEXT_US	100000

static int ask_connect(const char *uuid)
{
	struct timeval limit = { .tv_sec = ASK_ANSWER_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path),
		 CONTROL_FOLDER "/%s", uuid);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int err = -errno;

		close(fd);
		/* The socket of a server that has died. */
		return err == -ECONNREFUSED ? -ENOENT :
		       err == -EAGAIN ? -ETIMEDOUT : err;
	}
	return fd;
}

/* A server that ends meanwhile must not end who asks: no SIGPIPE. */
static bool ask_send(int fd, const char *word)
{
	char line[40];
	int bytes = snprintf(line, sizeof(line), "%s\n", word);

	return send(fd, line, (size_t)bytes, MSG_NOSIGNAL) == bytes;
}

/* A descriptor, or -errno. */
static int ask_begin(const char *uuid, const char *word, struct answer *answer)
{
	int fd = ask_connect(uuid);

	answer->text[0] = '\0';
	if (fd < 0)
		return fd;
	snprintf(answer->uuid, sizeof(answer->uuid), "%s", uuid);
	if (!ask_send(fd, word)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

int ask_uuid(const char *uuid, const char *word, struct answer *answer)
{
	int fd = ask_begin(uuid, word, answer), err;
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	while ((n = read(fd, answer->text + used,
			 sizeof(answer->text) - 1 - used)) > 0)
		used += (size_t)n;
	/* If nothing came, it ended meanwhile. */
	err = n < 0 && errno == EAGAIN ? -ETIMEDOUT : used ? 0 : -ENOENT;
	answer->text[used] = '\0';
	close(fd);
	return err;
}

int ask_again(const char *uuid, const char *word, const char *object,
	      struct answer *answer)
{
	uint64_t begin = clock_ms();
	bool told = false;
	int err;

	while ((err = ask_uuid(uuid, word, answer)) == -ETIMEDOUT &&
	       clock_ms() - begin < ASK_LIMIT_MS) {
		if (!told)
			ask_tell(object);
		told = true;
	}
	return err;
}

/**
 * struct ask_work - what a server does, and how it is seen
 * @used: bytes of the answer
 * @told: when it was said last that it is waited for, or when that began
 * @heard: when something has come last
 */
struct ask_work {
	const char *object;
	struct answer *answer;
	size_t used;
	uint64_t told, heard;
};

/* Return: 1: it goes on; 0: it is over; -ETIMEDOUT. */
static int ask_hear(struct ask_work *work, int fd)
{
	char *text = work->answer->text;
	ssize_t n = read(fd, text + work->used,
			 sizeof(work->answer->text) - 1 - work->used);
	uint64_t now = clock_ms();

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return 0;
	if (n > 0) {
		work->heard = now;
		work->used += (size_t)n;
		text[work->used] = '\0';
		/* Signs that it gets on would fill it. */
		if (text[strspn(text, "\n")] == '\0')
			work->used = 0;
	}
	if (now - work->heard >= ASK_LIMIT_MS)
		return -ETIMEDOUT;
	if (now - work->told < ASK_TELL_MS)
		return 1;
	work->told = now;
	if (now - work->heard < ASK_ANSWER_S * 1000)
		cmd_tell("%s: waiting: its server works, and gets on",
			 cmd_text(work->object));
	else
		ask_tell(work->object);
	return 1;
}

int ask_work(const char *uuid, const char *word, const char *object,
	     struct answer *answer)
{
	struct ask_work work = {
		.object = object, .answer = answer,
		.told = clock_ms(), .heard = clock_ms(),
	};
	int fd = ask_begin(uuid, word, answer), res;

	if (fd < 0)
		return fd;
	while ((res = ask_hear(&work, fd)) > 0)
		;
	answer->text[work.used] = '\0';
	close(fd);
	return res ? res : work.used ? 0 : -ENOENT;
}

void ask_tell(const char *object)
{
	cmd_tell("%s: waiting: a server does not answer: it reads a long log, or hangs",
		 cmd_text(object));
}

int ask_next(const char *uuid, const char *before, const char *object,
	     struct answer *answer)
{
	uint64_t begin = clock_ms();
	bool told = false;
	int err;

	do {
		err = ask_uuid(uuid, "status", answer);
		/* One that reads a long log has not begun to answer. */
		if (err == -ETIMEDOUT) {
			if (!told)
				ask_tell(object);
			told = true;
			continue;
		}
		if (err || !strcmp(ask_value(answer, "state"), "stopped"))
			return -ESRCH;
		if (strcmp(ask_value(answer, "pid"), before))
			return 0;
		err = -ESRCH;
		usleep(ASK_NEXT_US);
	} while (clock_ms() - begin < ASK_LIMIT_MS);
	return err;
}

const char *ask_value(const struct answer *answer, const char *word)
{
	static char values[16][TEXT_SAFE(PATH_MAX)];
	static unsigned int next;
	char *value = values[next++ % 16];
	size_t bytes = strlen(word);
	const char *line = answer->text;

	*value = '\0';
	while (*line) {
		size_t length = strcspn(line, "\n");

		if (length > bytes && !strncmp(line, word, bytes) &&
		    line[bytes] == ' ') {
			snprintf(value, sizeof(values[0]), "%.*s",
				 (int)(length - bytes - 1), line + bytes + 1);
			text_plain(value);
			break;
		}
		line += length + (line[length] == '\n');
	}
	return value;
}
