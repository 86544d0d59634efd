// SPDX-License-Identifier: GPL-2.0
/*
 * The threads of two servers on one memory: an owner's, in this process, and a
 * member's, in another one. Each has a kernel that is made up.
 *
 * No FUSE, no caches: what reaches the real kernel, and data, is for guests.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bytes.h"
#include "cmd.h"
#include "hosts.h"
#include "kernel.h"
#include "layout.h"
#include "lines.h"
#include "mutant.h"
#include "resent.h"
#include "server.h"

#define SIZE	(8u << 20)

static uint8_t *memory;

static void options_of(struct volume_options *options, unsigned int mount)
{
	memset(options, 0, sizeof(*options));
	options->self.uuid[0] = (uint8_t)(1 + self);
	options->self.boot[0] = 9;
	options->self.page = 4096;
	strcpy(options->self.name, self ? "member" : "owner");
	options->nonce = 100 * self + mount;
}

static void serve_begin(struct media *media, unsigned int mount)
{
	struct volume_options options;

	options_of(&options, mount);
	options.how = VOLUME_OWN | VOLUME_UNUSED;
	server.device = "memory";
	server.mountpoint = "nowhere";
	/* The made-up kernels say that they can. */
	server.drop = true;
	CHECK(!hosts_open(&server, media, &options, true));
	CHECK(server.member == self);
	CHECK(!queue_start(&server, false) && !hosts_start(&server));
}

static void serve_end(void)
{
	hosts_end(&server);
	queue_end(&server);
	if (!server.cut)
		CHECK(!volume_leave(server.volume));
	queue_stop(&server);
	volume_close(server.volume);
}

static bool member_sees(void)
{
	struct volume_attr attr;

	return !volume_lookup(server.volume, ROOT_INO, "a", &attr) &&
	       attr.ino == shared->ino;
}

/* A file is looked up, and opened. */
static void member_opens(void)
{
	struct kernel_map *map = kernel_find(self, 0);

	UNTIL(member_sees());
	if (shared->failed || !map)
		return;
	kernel_fill(map, shared->ino);
	map->open = true;
}

/* The reply with a map is composed, and reaches the kernel only much later. */
static void member_opens_late(void)
{
	struct kernel_map *map = kernel_find(self, 0);
	struct volume_attr attr;

	UNTIL(member_sees());
	if (shared->failed || !map)
		return;
	server_lock(&server, shared->ino);
	CHECK(!volume_getattr(server.volume, shared->ino, &attr));
	shared->late = 1;
	usleep(1500000);
	map->open = true;
	map->size = attr.attr.size;
	map->bytes = attr.mapped;
	map->ino = attr.ino;
	server_unlock(&server, shared->ino);
}

static void member_changes(void)
{
	struct volume_node node = { .mode = S_IFREG | 0644 };
	struct op op = server_op();
	struct volume_attr attr;

	CHECK(volume_create(server.volume, &op, ROOT_INO, "b", &node,
			    &attr) == -EROFS);
	CHECK(!volume_getattr(server.volume, ROOT_INO, &attr));
	CHECK(volume_getattr(server.volume, shared->ino, &attr) ||
	      volume_truncate(server.volume, &op, shared->ino, 0,
			      &attr) == -EROFS);
}

static void member_closes(void)
{
	struct kernel_map *map = kernel_find(self, shared->ino);

	CHECK(map);
	if (!map)
		return;
	map->open = false;
	map->ino = 0;
	queue_add(&server, shared->ino, true);
}

/* Steps of the member, as the owner asks for them. */
enum { STEP_OPEN = 1, STEP_LATE, STEP_CHANGE, STEP_CLOSE, STEP_LEAVE, STEP_CUT, STEP_END };

static int member_main(void)
{
	struct media *media = media_of_memory(memory, SIZE);
	int step = 0;

	self = 1;
	serve_begin(media, 1);
	while (step != STEP_END && !shared->failed) {
		shared->done = step;
		UNTIL(shared->want != step || shared->failed);
		step = shared->want;
		if (step == STEP_OPEN) {
			member_opens();
		} else if (step == STEP_LATE) {
			member_opens_late();
		} else if (step == STEP_CHANGE) {
			member_changes();
		} else if (step == STEP_CLOSE) {
			member_closes();
		} else if (step == STEP_LEAVE) {
			serve_end();
			serve_begin(media, 2);
		} else if (step == STEP_CUT) {
			UNTIL(server.cut);
		}
	}
	serve_end();
	media_close(media);
	return shared->failed;
}

static void step(int number)
{
	shared->want = number;
	UNTIL(shared->done == number || shared->failed);
}

static uint64_t waiting(void)
{
	struct volume_stat stat;

	volume_statfs(server.volume, &stat);
	return stat.waiting;
}

static void owner_grows(uint64_t size)
{
	struct op op = server_op();
	struct volume_attr attr;

	CHECK(!volume_map(server.volume, &op, shared->ino, size, false, &attr));
	CHECK(!volume_tell(server.volume, &op, shared->ino, size, &attr));
}

static void owner_truncates(uint64_t size)
{
	struct op op = server_op();
	struct volume_attr attr;

	CHECK(!volume_truncate(server.volume, &op, shared->ino, size, &attr));
	queue_add(&server, shared->ino, false);
}

static void owner_creates(void)
{
	struct volume_node node = { .mode = S_IFREG | 0644 };
	struct op op = server_op();
	struct volume_attr attr = { .ino = 0 };

	CHECK(!volume_create(server.volume, &op, ROOT_INO, "a", &node, &attr));
	shared->ino = attr.ino;
	owner_grows(40960);
}

static void owner_removes(void)
{
	struct op op = server_op();

	CHECK(!volume_unlink(server.volume, &op, ROOT_INO, "a", NULL));
	queue_add(&server, shared->ino, false);
}

/* Sizes and maps of what the member has open follow. */
static void serving_sizes(void)
{
	struct kernel_map *map;

	owner_creates();
	step(STEP_OPEN);
	map = kernel_find(1, shared->ino);
	CHECK(map && map->bytes == 40960 && map->size == 40960);
	if (!map)
		return;
	owner_truncates(8192);
	UNTIL(map->bytes == 8192 && map->size == 8192);
	UNTIL(!waiting());
	owner_grows(20480);
	UNTIL(map->bytes == 20480 && map->size == 20480);
	/* Pins keep what was cut off waiting, and nothing else. */
	map->pinned = true;
	owner_truncates(4096);
	usleep(500000);
	CHECK(waiting() == 16384);
	map->pinned = false;
	UNTIL(map->bytes == 4096);
	UNTIL(!waiting());
}

/* A file that is open there stays, and comes back when it is closed. */
static void serving_removes(void)
{
	struct volume_attr attr;

	step(STEP_CHANGE);
	owner_removes();
	usleep(500000);
	CHECK(!volume_getattr(server.volume, shared->ino, &attr));
	CHECK(kernel_find(1, shared->ino));
	step(STEP_CLOSE);
	UNTIL(volume_getattr(server.volume, shared->ino, &attr) == -ENOENT);
	/* One that is only cached is dropped. */
	owner_creates();
	step(STEP_OPEN);
	CHECK(kernel_find(1, shared->ino));
	if (kernel_find(1, shared->ino))
		kernel_find(1, shared->ino)->open = false;
	owner_removes();
	UNTIL(volume_getattr(server.volume, shared->ino, &attr) == -ENOENT);
	CHECK(!kernel_find(1, shared->ino));
}

/* A map on its way is waited for: the file goes when that has been closed. */
static void serving_late(void)
{
	struct volume_attr attr;

	owner_creates();
	shared->want = STEP_LATE;
	UNTIL(shared->late);
	owner_removes();
	step(STEP_LATE);
	usleep(500000);
	CHECK(kernel_find(1, shared->ino));
	CHECK(!volume_getattr(server.volume, shared->ino, &attr));
	step(STEP_CLOSE);
	UNTIL(volume_getattr(server.volume, shared->ino, &attr) == -ENOENT);
}

/* An unmount hides what is in use: it is not let go of. */
static void serving_hidden(void)
{
	struct volume_attr attr;

	owner_creates();
	step(STEP_OPEN);
	shared->hidden = 1;
	owner_removes();
	usleep(500000);
	CHECK(!volume_getattr(server.volume, shared->ino, &attr));
	shared->hidden = 0;
	step(STEP_CLOSE);
	UNTIL(volume_getattr(server.volume, shared->ino, &attr) == -ENOENT);
}

/* Whoever leaves and comes back; whoever is no more who it was. */
static void serving_hosts(struct media *media)
{
	struct identity identity;
	struct volume_stat stat;

	step(STEP_LEAVE);
	owner_creates();
	step(STEP_OPEN);
	CHECK(kernel_find(1, shared->ino));
	volume_statfs(server.volume, &stat);
	CHECK(!identity_read(&identity, media, stat.uuid, 1));
	identity.nonce++;
	CHECK(!identity_write(&identity, media, stat.uuid, 1));
	step(STEP_CUT);
	UNTIL(!kernel_find(1, shared->ino) ||
	      !kernel_find(1, shared->ino)->bytes);
	shared->want = STEP_END;
}

static int owner_main(void)
{
	struct volume_format format = { .unit = 4096, .area = 64 << 10,
					.coherence = COHERENCE_SOFTWARE };
	struct media *media = media_of_memory(memory, SIZE);
	struct volume_options options;

	options_of(&options, 1);
	format.self = options.self;
	memset(format.uuid, 7, sizeof(format.uuid));
	CHECK(!volume_format(media, &format, NULL));
	serve_begin(media, 1);
	serving_sizes();
	serving_removes();
	serving_late();
	serving_hidden();
	serving_hosts(media);
	serve_end();
	media_close(media);
	return shared->failed;
}

/* Each of the server's mutants must be found, by a run of its own. */
static int find_mutants(const char *program)
{
	int missed = 0;

	for (int i = MUTANT_SERVER + 1; i < MUTANT_LAST; i++) {
		char number[16];
		int status;
		pid_t pid;

		snprintf(number, sizeof(number), "%d", i);
		pid = fork();
		if (!pid) {
			setenv("FAMFS_MUTANT", number, 1);
			execl(program, program, (char *)NULL);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 1;
		printf("%s: %sfound\n", mutant_name((unsigned int)i),
		       status ? "" : "NOT ");
		missed += !status;
	}
	return missed != 0;
}

int main(int argc, char **argv)
{
	const char *mutant = getenv("FAMFS_MUTANT");
	int status = 1;
	pid_t pid;

	if (argc > 1 && !strcmp(argv[1], "mutants"))
		return find_mutants(argv[0]);
	if (mutant)
		mutant_disabled = (unsigned int)strtoul(mutant, NULL, 0);

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || memory == MAP_FAILED)
		return 1;
	for (unsigned int i = 0; i < SERVER_LOCKS; i++)
		pthread_mutex_init(&server.locks[i], NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	pid = fork();
	if (!pid) {
		/* The owner makes the file system meanwhile. */
		while (!get_le64(memory + ROOT_OFFSET_TWO) && !shared->failed)
			usleep(10000);
		return member_main();
	}
	owner_main();
	shared->failed |= waitpid(pid, &status, 0) < 0 || status;
	printf("two servers on one memory: %s\n",
	       shared->failed ? "FAIL" : "ok");
	return shared->failed || resent_run();
}
