// SPDX-License-Identifier: GPL-2.0
/*
 * An owner that creates and removes objects without end on a file system that
 * is 90 % full, while sixteen members open, read and close them. Each host is a
 * process with the server's threads and a kernel that is made up; the memory is
 * a plain file.
 *
 * Every page of an object says which one it is, so a member that finds another
 * one's bytes through its map has had its memory taken away.
 *
 * Usage: test_load FILE [SECONDS]
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "bytes.h"
#include "clock.h"
#include "hosts.h"
#include "kernel.h"
#include "layout.h"
#include "mutant.h"
#include "replies.h"

#define SIZE		(256ull << 20)
#define OBJECT		65536u
#define PAGE		4096u
#define MEMBERS		16u

/* Between two opens of a member, which has MAPS of them, at most. */
#define KEEP_US		300000u

/* Objects that members may look for, and what they have done. */
static struct load {
	_Atomic uint64_t names[4096];
	_Atomic unsigned int count, in;
	_Atomic uint64_t opened, read, missed;
	_Atomic bool begun, over;
} *load;

static uint8_t *memory;

/* The owner's kernel asks for memory, and has the answer. */
static struct fuse_lowlevel_ops ops;
static sem_t answered;
static struct reply load_reply;

/* Called before the reply, and after it. */
static void load_step(void)
{
	if (load_reply.count)
		sem_post(&answered);
}

static void load_options(struct volume_options *options)
{
	memset(options, 0, sizeof(*options));
	options->self.uuid[0] = (uint8_t)(1 + self);
	options->self.boot[0] = (uint8_t)(100 + self);
	options->self.page = PAGE;
	snprintf(options->self.name, sizeof(options->self.name), "host%u",
		 self);
	options->nonce = 1 + self;
	options->how = VOLUME_OWN | VOLUME_UNUSED;
}

static void load_begin(struct media *media)
{
	struct volume_options options;

	load_options(&options);
	server.device = "memory";
	server.mountpoint = "nowhere";
	CHECK(!hosts_open(&server, media, &options, true));
	CHECK(server.member == (self != 0));
	CHECK(!queue_start(&server, false) && !hosts_start(&server) &&
	      !grow_start(&server));
}

static void load_end(struct media *media)
{
	grow_stop();
	hosts_end(&server);
	queue_end(&server);
	CHECK(!volume_leave(server.volume));
	queue_stop(&server);
	volume_close(server.volume);
	media_close(media);
}

static void load_name(char name[32], uint64_t number)
{
	snprintf(name, 32, "object%" PRIu64, number);
}

/* An object's bytes as a map finds them: @extents lie one after the other. */
static bool object_is(const struct volume_extent *extents, uint32_t count,
		      uint64_t ino)
{
	for (uint32_t i = 0; i < count; i++) {
		for (uint64_t at = 0; at < extents[i].bytes; at += PAGE) {
			if (get_le64(memory + extents[i].offset + at) != ino)
				return false;
		}
	}
	return true;
}

static void object_write(const struct volume_extent *extents, uint32_t count,
			 uint64_t ino)
{
	for (uint32_t i = 0; i < count; i++) {
		for (uint64_t at = 0; at < extents[i].bytes; at += PAGE)
			put_le64(memory + extents[i].offset + at, ino);
	}
}

/* What a member has open. */
struct object {
	struct kernel_map *map;
	struct volume_extent extents[OBJECT / PAGE];
	uint32_t count;
};

/* The member's kernel gets a map of the object, as a reply to an open. */
static void object_map(struct object *object, uint64_t ino)
{
	struct volume_attr attr;

	server_lock(&server, ino);
	if (!volume_getattr(server.volume, ino, &attr) && attr.links &&
	    !volume_extents(server.volume, ino, object->extents, OBJECT / PAGE,
			    &object->count) && object->count) {
		object->map->open = true;
		object->map->ino = ino;
		object->map->size = attr.attr.size;
		object->map->bytes = attr.mapped;
	}
	server_unlock(&server, ino);
}

static void object_read(const struct object *object)
{
	CHECK(object_is(object->extents, object->count, object->map->ino));
	load->read++;
}

static void object_open(struct object *object, uint64_t number)
{
	struct volume_attr attr;
	char name[32];

	object->count = 0;
	object->map = kernel_find(self, 0);
	load_name(name, number);
	if (object->map &&
	    !volume_lookup(server.volume, ROOT_INO, name, &attr) &&
	    attr.attr.size == OBJECT)
		object_map(object, attr.ino);
	if (object->count) {
		load->opened++;
		object_read(object);
	} else {
		load->missed++;
	}
}

static void object_close(struct object *object)
{
	uint64_t ino;

	if (!object->count)
		return;
	object_read(object);
	ino = object->map->ino;
	object->map->open = false;
	object->map->ino = 0;
	queue_add(&server, ino, true);
}

static int member_main(void)
{
	struct media *media = media_of_memory(memory, SIZE);
	struct object objects[MAPS] = { 0 };
	unsigned int seed = self, step;

	while (!load->begun && !shared->failed)
		usleep(10000);
	load_begin(media);
	load->in++;
	for (step = 0; !load->over && !shared->failed; step++) {
		object_close(&objects[step % MAPS]);
		object_open(&objects[step % MAPS],
			    load->names[(unsigned int)rand_r(&seed) %
					load->count]);
		usleep((unsigned int)rand_r(&seed) % KEEP_US);
	}
	for (unsigned int i = 0; i < MAPS; i++)
		object_close(&objects[i]);
	load_end(media);
	return shared->failed;
}

/* It waits for space that comes back. Return: 0 or -errno. */
static int owner_map(uint64_t ino)
{
	ops.fallocate(NULL, ino, FALLOC_FL_KEEP_SIZE, 0, OBJECT, NULL);
	sem_wait(&answered);
	load_reply.count = 0;
	return -load_reply.err;
}

static int owner_create(unsigned int nth, uint64_t number)
{
	struct volume_node node = { .mode = S_IFREG | 0644 };
	struct volume_extent extents[OBJECT / PAGE];
	struct op op = server_op();
	struct volume_attr attr;
	uint32_t count = 0;
	char name[32];
	int err;

	load_name(name, number);
	err = volume_create(server.volume, &op, ROOT_INO, name, &node, &attr);
	if (!err)
		err = owner_map(attr.ino);
	if (!err)
		err = volume_extents(server.volume, attr.ino, extents,
				     OBJECT / PAGE, &count);
	if (err)
		return err;
	object_write(extents, count, attr.ino);
	/* From here on members find it. */
	err = volume_tell(server.volume, &op, attr.ino, OBJECT, &attr);
	load->names[nth] = number;
	return err;
}

static int owner_remove(unsigned int nth)
{
	struct volume_removed removed = { 0 };
	struct op op = server_op();
	char name[32];
	int err;

	load_name(name, load->names[nth]);
	err = volume_unlink(server.volume, &op, ROOT_INO, name, &removed);
	if (!err && removed.ino)
		queue_add(&server, removed.ino, false);
	return err;
}

/* Return: objects that were replaced within @ms milliseconds. */
static uint64_t owner_load(uint64_t ms, uint64_t *number)
{
	uint64_t end = clock_ms() + ms, done = 0;
	unsigned int seed = 1;

	while (clock_ms() < end && !shared->failed) {
		unsigned int nth = (unsigned int)rand_r(&seed) % load->count;

		CHECK(!owner_remove(nth));
		CHECK(!owner_create(nth, (*number)++));
		done++;
	}
	return done;
}

static void owner_fill(uint64_t *number)
{
	struct volume_stat stat;

	volume_statfs(server.volume, &stat);
	load->count = (unsigned int)(stat.total / 10 * 9 / OBJECT);
	CHECK(load->count <= sizeof(load->names) / sizeof(*load->names));
	for (unsigned int i = 0; i < load->count && !shared->failed; i++)
		CHECK(!owner_create(i, (*number)++));
}

/* With nobody there any more, all that was removed is free. */
static void owner_check_space(void)
{
	struct volume_stat stat;

	for (unsigned int i = 0; i < load->count; i++)
		CHECK(!owner_remove(i));
	do {
		usleep(10000);
		volume_statfs(server.volume, &stat);
	} while (stat.free != stat.total && queue_length(&server));
	UNTIL((volume_statfs(server.volume, &stat), stat.free == stat.total));
}

static void owner_main(uint64_t ms)
{
	struct volume_format format = { .unit = PAGE, .area = 8 << 20,
					.coherence = COHERENCE_HARDWARE };
	struct media *media = media_of_memory(memory, SIZE);
	struct volume_options options;
	uint64_t alone, beside, number = 1;

	load_options(&options);
	format.self = options.self;
	memset(format.uuid, 7, sizeof(format.uuid));
	CHECK(!volume_format(media, &format, NULL));
	load_begin(media);
	owner_fill(&number);
	alone = owner_load(ms / 2, &number);
	load->begun = true;
	UNTIL(load->in == MEMBERS);
	beside = owner_load(ms, &number);
	load->over = true;
	owner_check_space();
	printf("%u objects of 64 KiB, 90 %% of %llu MiB: %" PRIu64 " replaced a second alone, %" PRIu64 " beside %u members: %.2f\n",
	       load->count, SIZE >> 20, alone * 2000 / ms, beside * 1000 / ms,
	       MEMBERS, alone ? (double)beside / (double)alone / 2 : 0);
	printf("members: %" PRIu64 " opened, read %" PRIu64 " times, %" PRIu64 " not found\n",
	       load->opened, load->read, load->missed);
	CHECK(load->opened > 100);
	load_end(media);
}

static void *load_share(int fd, size_t bytes)
{
	int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return at;
}

int main(int argc, char **argv)
{
	uint64_t ms = argc > 2 ? 1000 * strtoull(argv[2], NULL, 0) : 10000;
	const char *mutant = getenv("FAMFS_MUTANT");
	int fd = argc > 1 ? open(argv[1], O_RDWR | O_CREAT, 0600) : -1;
	unsigned int status = 0;

	if (fd < 0 || ftruncate(fd, SIZE)) {
		perror("test_load FILE [SECONDS]");
		return 1;
	}
	unlink(argv[1]);
	if (mutant)
		mutant_disabled = (unsigned int)strtoul(mutant, NULL, 0);
	memory = load_share(fd, SIZE);
	shared = load_share(-1, sizeof(*shared));
	load = load_share(-1, sizeof(*load));
	grow_operations(&ops);
	sem_init(&answered, 0, 0);
	reply = &load_reply;
	reply_step = load_step;
	for (unsigned int i = 0; i < SERVER_LOCKS; i++)
		pthread_mutex_init(&server.locks[i], NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (self = 1; self <= MEMBERS; self++) {
		if (!fork())
			return member_main();
	}
	self = 0;
	owner_main(ms);
	for (int one; wait(&one) > 0;)
		status |= (unsigned int)one;
	printf("an owner and %u members under load: %s\n", MEMBERS,
	       shared->failed || status ? "FAIL" : "ok");
	return shared->failed || status;
}
