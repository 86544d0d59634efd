// SPDX-License-Identifier: GPL-2.0
/*
 * Memory and descriptors that outlive a server.
 */

#include "kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"

/* As many descriptors as one message has. */
#define KEPT_FILES	3

static struct kept *kept_map(int memory)
{
	void *at = mmap(NULL, sizeof(struct kept), PROT_READ | PROT_WRITE,
			MAP_SHARED, memory, 0);

	return at == MAP_FAILED ? NULL : at;
}

struct kept *kept_make(int *memory)
{
	int fd = memfd_create("famfs", MFD_CLOEXEC);
	struct kept *kept = NULL;

	if (fd >= 0 && !ftruncate(fd, sizeof(*kept)))
		kept = kept_map(fd);
	if (!kept) {
		cmd_fail_errno("mount.famfs", -errno);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	kept->version = KEPT_VERSION;
	kept->bytes = sizeof(*kept);
	kept->parent = getpid();
	*memory = fd;
	return kept;
}

struct kept *kept_open(int memory)
{
	struct stat st;
	struct kept *kept;

	if (fstat(memory, &st) || st.st_size != sizeof(*kept))
		return NULL;
	kept = kept_map(memory);
	if (kept && (kept->version != KEPT_VERSION ||
		     kept->bytes != sizeof(*kept))) {
		munmap(kept, sizeof(*kept));
		return NULL;
	}
	return kept;
}

bool kept_keep_init(struct kept *kept, const void *init, size_t bytes)
{
	if (bytes > KEPT_INIT_MOST)
		return false;
	memcpy(kept->init, init, bytes);
	kept->init_bytes = (uint32_t)bytes;
	return true;
}

void kept_take(char *const numbers[4], struct kept_files *files)
{
	int *const list[] = { &files->memory, &files->fuse, &files->media,
			      &files->control };

	for (unsigned int i = 0; i < 4; i++) {
		*list[i] = atoi(numbers[i]);
		fcntl(*list[i], F_SETFD, FD_CLOEXEC);
	}
}

/* A parent that has died, or that has no room for them, has closed it. */
static int kept_wait(int channel)
{
	ssize_t n;
	char byte;

	do
		n = recv(channel, &byte, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -EPIPE;
}

int kept_send(int channel, const struct kept_files *files)
{
	const int list[KEPT_FILES] = { files->fuse, files->media,
				       files->control };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(list))];
	} control = { .bytes = "" };
	struct iovec part = { "", 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(list));
	memcpy(CMSG_DATA(header), list, sizeof(list));
	if (sendmsg(channel, &message, MSG_NOSIGNAL) != 1)
		return -errno;
	return kept_wait(channel);
}

/* Where not all had room, those that came are of no use. */
static int kept_check(struct msghdr *message, int list[KEPT_FILES])
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	size_t count = 0;

	if (header && header->cmsg_type == SCM_RIGHTS)
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(*list);
	if (count)
		memcpy(list, CMSG_DATA(header), count * sizeof(*list));
	if (count == KEPT_FILES)
		return 1;
	while (count)
		close(list[--count]);
	return -EMFILE;
}

int kept_receive(int channel, struct kept_files *files)
{
	int list[KEPT_FILES], res;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(list))];
	} control;
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_LEN(sizeof(list)),
	};

	if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1)
		return 0;
	res = kept_check(&message, list);
	if (res < 0)
		return res;
	files->fuse = list[0];
	files->media = list[1];
	files->control = list[2];
	return 1;
}

void kept_confirm(int channel)
{
	/* A server that has died since asks no more. */
	send(channel, "", 1, MSG_NOSIGNAL);
}
