// SPDX-License-Identifier: GPL-2.0
/*
 * Thousands of files are removed from a full file system, and a large one is to
 * get their space, which comes back file by file. An allocation once gave up
 * after so many files had come back, not after its time.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "kernel.h"
#include "replies.h"

#define SIZE		(160ull << 20)
#define SMALL		16384u

/* What the kernel takes to say that it does not know an inode. */
#define KERNEL_US	20u

static struct shared here;
static struct reply answer;

void fuse_log(enum fuse_log_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

/* Before each inode is let go of. */
static int slow_read(struct media *media, uint64_t offset, void *buf,
		     size_t len, unsigned int how)
{
	usleep(KERNEL_US);
	(void)how;
	memcpy(buf, (uint8_t *)(media + 1) + offset, len);
	return 0;
}

static int slow_write(struct media *media, uint64_t offset, const void *buf,
		      size_t len, unsigned int how)
{
	(void)how;
	memcpy((uint8_t *)(media + 1) + offset, buf, len);
	return 0;
}

static void slow_settle(struct media *media)
{
	(void)media;
}

static const struct media_ops slow_ops = {
	.read = slow_read, .write = slow_write, .settle = slow_settle,
};

static void begin(struct media *media)
{
	struct volume_options options = { .how = VOLUME_OWN, .nonce = 1 };
	struct volume_format format = { .unit = 4096, .uuid = { 1 },
					.secret = { 2 } };

	strcpy(format.self.name, "host");
	format.self.uuid[0] = 3;
	options.self = format.self;
	CHECK(!volume_format(media, &format, NULL));
	CHECK(!volume_open(&server.volume, media, &options, NULL));
	for (unsigned int i = 0; i < SERVER_LOCKS; i++)
		pthread_mutex_init(&server.locks[i], NULL);
	CHECK(!queue_start(&server, false) && !grow_start(&server));
}

/* As many files as there is space for. */
static unsigned int fill(void)
{
	struct volume_node node = { .mode = S_IFREG | 0644, .map = SMALL };
	struct op op = server_op();
	unsigned int count = 0;
	char name[16];

	do {
		snprintf(name, sizeof(name), "file%u", count++);
	} while (!volume_create(server.volume, &op, 1, name, &node, NULL));
	return count - 1;
}

static void empty(unsigned int count)
{
	struct op op = server_op();
	char name[16];

	while (count--) {
		struct volume_removed removed = { 0 };

		snprintf(name, sizeof(name), "file%u", count);
		CHECK(!volume_unlink(server.volume, &op, 1, name, &removed));
		queue_add(&server, removed.ino, false);
	}
}

static void run(void)
{
	struct volume_node node = { .mode = S_IFREG | 0644 };
	struct fuse_lowlevel_ops ops = { 0 };
	struct op op = server_op();
	struct volume_stat stat;
	struct volume_attr attr;
	unsigned int count = fill();

	CHECK(!volume_create(server.volume, &op, 1, "large", &node, &attr));
	volume_statfs(server.volume, &stat);
	CHECK(stat.free < SMALL && count > 1000);
	empty(count);
	grow_operations(&ops);
	ops.fallocate(NULL, attr.ino, FALLOC_FL_KEEP_SIZE, 0,
		      (off_t)(stat.total / 10 * 9), NULL);
	UNTIL(answer.count);
	CHECK(!answer.err);
}

int main(void)
{
	struct media *media = mmap(NULL, sizeof(*media) + SIZE,
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	shared = &here;
	reply = &answer;
	media->ops = &slow_ops;
	media->size = SIZE;
	begin(media);
	if (!here.failed)
		run();
	grow_stop();
	queue_stop(&server);
	volume_close(server.volume);
	printf("%s\n", here.failed ? "failed" :
	       "an allocation waits for all that comes back");
	return here.failed;
}
