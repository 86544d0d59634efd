// SPDX-License-Identifier: GPL-2.0
/*
 * The socket by which commands talk to the server: a word comes, lines of a
 * word and a value go back, and the connection ends. Empty lines say that what takes
 * its time gets on.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "cmd.h"
#include "kept.h"
#include "parent.h"
#include "second.h"
#include "serve.h"
#include "server.h"

/* After an accept4() that failed: others may give descriptors back. */
#define CONTROL_PAUSE_US	100000

/* Between two signs that work gets on. */
#define CONTROL_SIGN_MS	1000

/* One mount a process. */
static struct {
	pthread_t thread;
	bool started;
} control;

static void control_address(struct sockaddr_un *address, const uint8_t id[16])
{
	char uuid[37];

	uuid_unparse_lower(id, uuid);
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path),
		 CONTROL_FOLDER "/%s", uuid);
}

/*
 * The next mount may have begun, and have bound its own: in its turn, which nobody
 * has while it is looked whose this is. Another one who has it puts a new one in its
 * place, or leaves one that refuses.
 */
void control_remove(const struct kept *kept, bool in_turn)
{
	struct sockaddr_un address;
	char uuid[37];
	struct stat st;
	int turn = -1;

	uuid_unparse_lower(kept->uuid, uuid);
	if (!kept->binds || (!in_turn && (turn = turn_try(uuid)) < 0))
		return;
	control_address(&address, kept->uuid);
	/* A server may have been killed before it knew which one it made. */
	if ((in_turn && !kept->socket_ino) ||
	    (!stat(address.sun_path, &st) && st.st_dev == kept->socket_dev &&
	     st.st_ino == kept->socket_ino))
		unlink(address.sun_path);
	if (turn >= 0)
		close(turn);
}

/* What is the same whoever serves. */
static void control_tell_mount(const struct kept *kept, FILE *to)
{
	char uuid[37];

	uuid_unparse_lower(kept->uuid, uuid);
	fprintf(to, "uuid %s\nlabel %s\ndevice %s\n", uuid,
		cmd_text(kept->label), cmd_text(kept->device));
	fprintf(to, "mountpoint %s\nsource %s\nsuperblock %u:%u\n",
		cmd_text(kept->mountpoint), cmd_text(kept->source),
		kept->major, kept->minor);
	/* Which mount it is: that number is never given again. */
	fprintf(to, "mount %" PRIu64 "\n", kept->mount_id);
	fprintf(to, "role %s\nparent %d\ndeaths %u\nprogram %s\n",
		kept->member ? "member" : "owner", kept->parent,
		kept->deaths, kept->own ? "mounted" : "installed");
}

void control_tell_stopped(const struct kept *kept, FILE *to)
{
	control_tell_mount(kept, to);
	fprintf(to, "pid 0\nstate stopped\nowner %s\n",
		cmd_text(kept->owner));
	fprintf(to, "health its server has died too often\n");
}

static void control_status(struct server *server, FILE *to)
{
	struct volume_stat stat;

	volume_statfs(server->volume, &stat);
	control_tell_mount(server->kept, to);
	fprintf(to, "pid %d\nstate %s\n", getpid(),
		server->ending ? "ending" : "serving");
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

/* Who asks hears of it before this server ends. */
static void control_restart(struct server *server, FILE *to)
{
	if (server->ending) {
		fprintf(to, "result ending\n");
	} else if (getppid() != server->kept->parent) {
		fprintf(to, "result its parent has died\n");
	} else if (server->kept->serving != getpid()) {
		fprintf(to, "result " PARENT_EARLY "\n");
	} else {
		fprintf(to, "result done\n");
		fflush(to);
		_exit(PARENT_RESTART);
	}
}

/**
 * struct control_work - what takes as long as it takes
 * @server: whose work it is
 * @over: an eventfd, readable when it is over
 * @err: how it went
 */
struct control_work {
	struct server *server;
	int over, err;
};

static void *control_compact(void *context)
{
	struct control_work *work = context;

	work->err = volume_compact(work->server->volume, server_op().now);
	eventfd_write(work->over, 1);
	return NULL;
}

/* Who asks gets an empty line now and then, for as long as anything is written. */
static void control_wait(const struct control_work *work, FILE *to)
{
	struct pollfd look = { .fd = work->over, .events = POLLIN };
	uint64_t seen = 0, now;

	while (poll(&look, 1, CONTROL_SIGN_MS) <= 0) {
		now = volume_written(work->server->volume);
		if (now != seen) {
			fputc('\n', to);
			fflush(to);
		}
		seen = now;
	}
}

static int control_work(struct server *server, FILE *to)
{
	struct control_work work = { .server = server };
	pthread_t thread;
	int err;

	work.over = eventfd(0, EFD_CLOEXEC);
	if (work.over < 0)
		return -errno;
	err = -pthread_create(&thread, NULL, control_compact, &work);
	if (!err) {
		control_wait(&work, to);
		pthread_join(thread, NULL);
		err = work.err;
	}
	close(work.over);
	return err;
}

static void control_answer(struct server *server, const char *word, FILE *to)
{
	if (!strcmp(word, "status")) {
		control_status(server, to);
	} else if (!strcmp(word, "hosts")) {
		presence_tell(server, to);
	} else if (!strcmp(word, "compact")) {
		int err = control_work(server, to);

		fprintf(to, "result %s\n", err ? strerror(-err) : "done");
	} else if (!strcmp(word, "restart")) {
		control_restart(server, to);
	} else {
		fprintf(to, "result unknown\n");
	}
}

/* NULL: nobody asks anything. */
static FILE *control_hear(int fd, char word[CONTROL_WORD])
{
	struct timeval limit = { .tv_sec = 2 };
	FILE *stream;

	/* Nobody can keep the others waiting. */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	stream = fdopen(fd, "r+");
	if (!stream) {
		close(fd);
		return NULL;
	}
	if (!fgets(word, CONTROL_WORD, stream)) {
		fclose(stream);
		return NULL;
	}
	word[strcspn(word, "\n")] = '\0';
	/* From reading to writing. */
	fflush(stream);
	return stream;
}

FILE *control_accept(int socket, char word[CONTROL_WORD])
{
	int fd = accept4(socket, NULL, NULL, SOCK_CLOEXEC);

	return fd < 0 ? NULL : control_hear(fd, word);
}

static void *control_thread(void *context)
{
	struct server *server = context;
	char word[CONTROL_WORD];
	FILE *stream;
	int fd;

	/* EINVAL: control_stop(). Whatever else is wrong passes. */
	while ((fd = accept4(server->control, NULL, NULL, SOCK_CLOEXEC)) >= 0 ||
	       errno != EINVAL) {
		if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			usleep(CONTROL_PAUSE_US);
		stream = fd >= 0 ? control_hear(fd, word) : NULL;
		if (!stream)
			continue;
		control_answer(server, word, stream);
		fclose(stream);
	}
	return NULL;
}

/* Who connects while there is no server waits for the next one. */
static int control_listen(struct server *server)
{
	struct kept *kept = server->kept;
	struct sockaddr_un address;
	struct stat st;

	control_address(&address, server->uuid);
	if (mkdir(CONTROL_FOLDER, 0755) && errno != EEXIST)
		return -errno;
	server->control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->control < 0)
		return -errno;
	/* One that is there is of a mount whose parent has died. */
	unlink(address.sun_path);
	kept->binds = true;
	if (bind(server->control, (struct sockaddr *)&address,
		 sizeof(address)) ||
	    stat(address.sun_path, &st) ||
	    chmod(address.sun_path, 0600) || listen(server->control, 8))
		return -errno;
	kept->socket_dev = st.st_dev;
	kept->socket_ino = st.st_ino;
	return 0;
}

int control_start(struct server *server)
{
	int err = server->resumed ? 0 : control_listen(server);

	if (err)
		return err;
	err = pthread_create(&control.thread, NULL, control_thread, server);
	control.started = !err;
	return -err;
}

void control_stop(struct server *server)
{
	if (server->control < 0)
		return;
	control_remove(server->kept, false);
	/* accept4() returns with EINVAL. */
	shutdown(server->control, SHUT_RDWR);
	if (control.started)
		pthread_join(control.thread, NULL);
	close(server->control);
	server->control = -1;
}
