// SPDX-License-Identifier: GPL-2.0
/*
 * Talking to the servers that are running on this host.
 */

#include "ask.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd.h"
#include "serve.h"

/* So long a server has to answer, in seconds; compacting takes its time. */
#define ASK_LIMIT_S	5

/* How often it is looked whether the next one serves. */
#define ASK_NEXT_LOOKS	600
#define ASK_NEXT_US	100000

static int ask_connect(const char *uuid, const char *word)
{
	struct timeval limit = { .tv_sec = ASK_LIMIT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path),
		 CONTROL_FOLDER "/%s", uuid);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (strcmp(word, "compact"))
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

int ask_uuid(const char *uuid, const char *word, struct answer *answer)
{
	int fd = ask_connect(uuid, word), err;
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	snprintf(answer->uuid, sizeof(answer->uuid), "%s", uuid);
	if (!ask_send(fd, word)) {
		close(fd);
		return -ENOENT;
	}
	while ((n = read(fd, answer->text + used,
			 sizeof(answer->text) - 1 - used)) > 0)
		used += (size_t)n;
	/* If nothing came, it ended meanwhile. */
	err = n < 0 && errno == EAGAIN ? -ETIMEDOUT : used ? 0 : -ENOENT;
	answer->text[used] = '\0';
	close(fd);
	return err;
}

int ask_next(const char *uuid, const char *before, struct answer *answer)
{
	for (unsigned int i = 0; i < ASK_NEXT_LOOKS; i++) {
		int err = ask_uuid(uuid, "status", answer);

		/* One that reads a long log has not begun to answer. */
		if (err == -ETIMEDOUT)
			continue;
		if (err || !strcmp(ask_value(answer, "state"), "stopped"))
			break;
		if (strcmp(ask_value(answer, "pid"), before))
			return 0;
		usleep(ASK_NEXT_US);
	}
	return -ESRCH;
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

static bool ask_is(const struct answer *answer, const char *wanted)
{
	static const char *const words[] = { "mountpoint", "device", "source",
					     "uuid", "label" };
	char path[PATH_MAX];

	if (!wanted)
		return true;
	if (!realpath(wanted, path))
		snprintf(path, sizeof(path), "%s", wanted);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		const char *value = ask_value(answer, words[i]);

		if (*value && (!strcmp(value, wanted) || !strcmp(value, path)))
			return true;
	}
	return false;
}

int ask_status(const char *wanted,
	       void (*each)(void *context, const struct answer *answer),
	       void *context)
{
	DIR *folder = opendir(CONTROL_FOLDER);
	struct dirent *entry;
	struct answer answer;
	int count = 0, err;

	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		err = ask_uuid(entry->d_name, "status", &answer);
		if (err == -ETIMEDOUT)
			cmd_fail(cmd_text(entry->d_name),
				 "findmnt -t fuse.famfs   shows what is mounted",
				 "the server of this file system does not answer");
		if (err || !ask_is(&answer, wanted))
			continue;
		count++;
		each(context, &answer);
	}
	if (folder)
		closedir(folder);
	return count;
}
