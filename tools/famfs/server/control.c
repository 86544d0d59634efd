// SPDX-License-Identifier: GPL-2.0
/*
 * The socket by which commands talk to the server: a word comes, lines of a
 * word and a value go back, and the connection ends.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "cmd.h"
#include "serve.h"
#include "server.h"

/* After an accept4() that failed: others may give descriptors back. */
#define CONTROL_PAUSE_US	100000

/* One mount a process. @own: the socket that it has bound. */
static struct {
	pthread_t thread;
	int fd;
	bool started;
	struct sockaddr_un address;
	struct stat own;
} control = { .fd = -1 };

static void control_status(struct server *server, FILE *to)
{
	struct volume_stat stat;
	char uuid[37];

	volume_statfs(server->volume, &stat);
	uuid_unparse_lower(stat.uuid, uuid);
	fprintf(to, "uuid %s\nlabel %s\ndevice %s\n", uuid,
		cmd_text(stat.label), cmd_text(server->device));
	fprintf(to, "mountpoint %s\nsuperblock %u:%u\npid %d\n",
		cmd_text(server->mountpoint), server->major, server->minor,
		getpid());
	fprintf(to, "source %s\nstate %s\n", cmd_text(server->source),
		server->ending ? "ending" : "serving");
	fprintf(to, "role %s\n", server->member ? "member" : "owner");
	fprintf(to, "owner %s\nepoch %u\nhealth %s\n", cmd_text(stat.owner),
		stat.epoch, strerror(-volume_health(server->volume)));
	fprintf(to, "unit %u\ntotal %" PRIu64 "\nfree %" PRIu64 "\nwaiting %" PRIu64 "\n",
		stat.unit, stat.total, stat.free, stat.waiting);
	fprintf(to, "inodes %" PRIu64 "\nnames %" PRIu64 "\nextents %" PRIu64 "\n",
		stat.inodes, stat.names, stat.extents);
	fprintf(to, "log_bytes %" PRIu64 "\nlog_used %" PRIu64 "\nrecord %" PRIu64 "\n",
		stat.log_bytes, stat.log_used, stat.seq);
	fprintf(to, "log_least %" PRIu64 "\nlog_most %" PRIu64 "\n",
		stat.log_least, stat.log_most);
	fprintf(to, "letting_go %" PRIu64 "\n", queue_length(server));
}

static void control_answer(struct server *server, const char *word, FILE *to)
{
	if (!strcmp(word, "status")) {
		control_status(server, to);
	} else if (!strcmp(word, "hosts")) {
		presence_tell(server, to);
	} else if (!strcmp(word, "compact")) {
		int err = volume_compact(server->volume, server_op().now);

		fprintf(to, "result %s\n", err ? strerror(-err) : "done");
	} else {
		fprintf(to, "result unknown\n");
	}
}

static void control_serve(struct server *server, int fd)
{
	struct timeval limit = { .tv_sec = 2 };
	char word[32] = "";
	FILE *stream;

	/* Nobody can keep the others waiting. */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	stream = fdopen(fd, "r+");
	if (!stream) {
		close(fd);
		return;
	}
	if (fgets(word, sizeof(word), stream)) {
		word[strcspn(word, "\n")] = '\0';
		/* From reading to writing. */
		fflush(stream);
		control_answer(server, word, stream);
	}
	fclose(stream);
}

static void *control_thread(void *context)
{
	struct server *server = context;
	int fd;

	/* EINVAL: control_stop(). Whatever else is wrong passes. */
	while ((fd = accept4(control.fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 ||
	       errno != EINVAL) {
		if (fd >= 0)
			control_serve(server, fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			usleep(CONTROL_PAUSE_US);
	}
	return NULL;
}

int control_start(struct server *server)
{
	char uuid[37];
	int err;

	uuid_unparse_lower(server->uuid, uuid);
	control.address.sun_family = AF_UNIX;
	snprintf(control.address.sun_path, sizeof(control.address.sun_path),
		 CONTROL_FOLDER "/%s", uuid);
	if (mkdir(CONTROL_FOLDER, 0755) && errno != EEXIST)
		return -errno;
	control.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (control.fd < 0)
		return -errno;
	/* One that is there is of a server that has died. */
	unlink(control.address.sun_path);
	if (bind(control.fd, (struct sockaddr *)&control.address,
		 sizeof(control.address)) ||
	    stat(control.address.sun_path, &control.own) ||
	    chmod(control.address.sun_path, 0600) || listen(control.fd, 8))
		return -errno;
	err = pthread_create(&control.thread, NULL, control_thread, server);
	control.started = !err;
	return -err;
}

/* The next mount may have begun, and have bound its own. */
static void control_unlink(void)
{
	struct stat st;

	if (!stat(control.address.sun_path, &st) &&
	    st.st_dev == control.own.st_dev && st.st_ino == control.own.st_ino)
		unlink(control.address.sun_path);
}

void control_stop(void)
{
	if (control.fd < 0)
		return;
	control_unlink();
	/* accept4() returns with EINVAL. */
	shutdown(control.fd, SHUT_RDWR);
	if (control.started)
		pthread_join(control.thread, NULL);
	close(control.fd);
	control.fd = -1;
}
