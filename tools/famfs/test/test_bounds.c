// SPDX-License-Identifier: GPL-2.0
/*
 * What one user can make others wait for: the work within the volume's lock, and
 * that of a mount, does not grow with the square of what somebody has made, nor
 * with the size of what he asks for.
 *
 * Each bound is several times what it takes, and a fraction of what it took.
 * FAMFS_BOUND runs one alone.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "checks.h"
#include "layout.h"

#define CHECK(expression) do {						\
	if (!(expression))						\
		return check_say("line %d: %s", __LINE__, #expression);	\
} while (0)

static struct op op = { .now = 2500000000 };
static const struct volume_node file_node = { .mode = S_IFREG | 0644 };
static const struct volume_node directory_node = { .mode = S_IFDIR | 0755 };

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Directories in one another: each was compared with all above. */
static const char *bound_depth(struct volume *v, struct media *media)
{
	struct volume_attr in = { .ino = ROOT_INO };
	struct volume *again;

	for (unsigned int i = 0; i < 60000; i++)
		CHECK(volume_create(v, &op, in.ino, "d", &directory_node,
				    &in) == 0);
	CHECK(check_open(&again, media, VOLUME_READ, NULL) == 0);
	volume_close(again);
	return NULL;
}

/* As many xattrs as can be listed, on many inodes: each was compared with all. */
static const char *bound_xattrs(struct volume *v, struct media *media)
{
	struct volume_attr a;
	struct volume *again;
	char name[32];

	for (unsigned int i = 0; i < 5; i++) {
		unsigned int n = 0;
		int err;

		snprintf(name, sizeof(name), "f%u", i);
		CHECK(volume_create(v, &op, 1, name, &file_node, &a) == 0);
		do {
			snprintf(name, sizeof(name), "user.%x", n++);
			err = volume_setxattr(v, &op, a.ino, name, "", 0, 0);
		} while (!err && n < 50000);
		CHECK(err == -ENOSPC && n > 6000 && n < 9000);
		CHECK(volume_listxattr(v, a.ino, NULL, 0) <= 65536);
		CHECK(volume_setxattr(v, &op, a.ino, "user.0", "x", 1, 0) == 0);
		CHECK(volume_removexattr(v, &op, a.ino, "user.1") == 0);
	}
	CHECK(check_open(&again, media, VOLUME_READ, NULL) == 0);
	volume_close(again);
	return NULL;
}

static int waits_make(struct volume *v, unsigned int files)
{
	struct volume_node node = { .mode = S_IFREG | 0644, .map = 8192 };
	struct volume_attr a;
	char name[16];
	int err = 0;

	for (unsigned int i = 0; i < files && !err; i++) {
		snprintf(name, sizeof(name), "%u", i);
		err = volume_create(v, &op, 1, name, &node, &a);
		if (!err)
			err = volume_truncate(v, &op, a.ino, 8192, &a);
		if (!err)
			err = volume_truncate(v, &op, a.ino, 1, &a);
	}
	return err;
}

/* Each let-go looked at all that waits; df at all that has no name. */
static const char *bound_waits(struct volume *v, struct media *media)
{
	struct volume_stat stat;

	(void)media;
	CHECK(waits_make(v, 30000) == 0);
	volume_statfs(v, &stat);
	CHECK(stat.waiting == 30000 * 4096ull);
	for (uint64_t ino = 30001; ino > 1; ino--)
		CHECK(volume_let_go(v, ino, stat.seq) == 0);
	for (unsigned int i = 0; i < 30000; i++)
		CHECK(volume_create(v, &op, 1, NULL, &file_node, NULL) == 0);
	for (unsigned int i = 0; i < 30000; i++)
		volume_statfs(v, &stat);
	CHECK(stat.waiting == 0);
	return NULL;
}

/* Two files of 2 MiB, which have the units of two slots in turn. */
static int holes_make(struct volume *v, uint64_t inos[2])
{
	struct volume_attr a;
	int err = 0;

	for (unsigned int i = 0; i < 2 && !err; i++) {
		err = volume_create(v, &op, 1, NULL, &file_node, &a);
		inos[i] = a.ino;
	}
	for (uint64_t size = 4096; size <= HUGE_SIZE && !err; size += 4096) {
		err = volume_map(v, &op, inos[0], size, false, &a);
		if (!err)
			err = volume_map(v, &op, inos[1], size, false, &a);
	}
	return err;
}

#define HOLES	255u

/* Each piece was looked for on all of the device, for one that is longer. */
static const char *bound_holes(struct volume *v, struct media *media)
{
	static uint64_t inos[HOLES][2];
	struct volume_attr a;

	(void)media;
	for (unsigned int i = 0; i < HOLES; i++)
		CHECK(holes_make(v, inos[i]) == 0);
	CHECK(volume_create(v, &op, 1, "a", &file_node, &a) == 0);
	/* No whole slot is left. */
	CHECK(volume_map(v, &op, a.ino, 2 * HUGE_SIZE, false, &a) == 0);
	for (unsigned int i = 0; i < HOLES; i++)
		CHECK(volume_gone(v, &op, inos[i][1]) == 0);
	for (uint64_t reach = 2; reach < HOLES; reach++)
		CHECK(volume_map(v, &op, a.ino, reach * HUGE_SIZE, false,
				 &a) == 0);
	return NULL;
}

/* A step for each unit, and several times. */
static const char *bound_large(struct volume *v, struct media *media)
{
	struct volume_attr a;

	(void)media;
	CHECK(volume_create(v, &op, 1, "a", &file_node, &a) == 0);
	for (unsigned int i = 0; i < 4; i++) {
		CHECK(volume_map(v, &op, a.ino, 1ull << 40, false, &a) == 0);
		CHECK(volume_map(v, &op, a.ino, 1ull << 50, false, &a) ==
		      -ENOSPC);
		CHECK(volume_trim(v, &op, a.ino, &a) == 0);
		CHECK(volume_let_go(v, a.ino, volume_seq(v)) == 0);
	}
	return NULL;
}

/* A name is looked for among all of its inode. */
static const char *bound_links(struct volume *v, struct media *media)
{
	unsigned int made = 0;
	struct volume_attr a;
	char name[16];
	int err;

	(void)media;
	CHECK(volume_create(v, &op, 1, "a", &file_node, &a) == 0);
	do {
		snprintf(name, sizeof(name), "%u", made++);
		err = volume_link(v, &op, a.ino, 1, name, &a);
	} while (!err && made < 100000);
	CHECK(err == -EMLINK && a.links == 65000);
	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%u", i);
		CHECK(volume_unlink(v, &op, 1, name, NULL) == 0);
	}
	return NULL;
}

struct listing {
	unsigned int count;
	uint64_t cookie;
	char names[50][24];
};

static int list_each(void *context, const struct volume_entry *entry)
{
	struct listing *listing = context;

	if (listing->count == 50)
		return 1;
	snprintf(listing->names[listing->count++], 24, "%s", entry->name);
	listing->cookie = entry->cookie;
	return 0;
}

/* Who renames what it has listed comes to an end. */
static const char *bound_listing(struct volume *v, struct media *media)
{
	struct listing listing = { 0 };
	unsigned int listed = 0;
	struct volume_attr a;
	uint64_t last;
	char name[48];

	(void)media;
	for (unsigned int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "%u", i);
		CHECK(volume_create(v, &op, 1, name, &file_node, &a) == 0);
	}
	last = volume_last_cookie(v);
	do {
		listing.count = 0;
		CHECK(volume_readdir(v, 1, listing.cookie, last, NULL,
				     list_each, &listing) == 0);
		for (unsigned int i = 0; i < listing.count; i++) {
			snprintf(name, sizeof(name), "%s.", listing.names[i]);
			CHECK(volume_rename(v, &op, 1, listing.names[i], 1,
					    name, 0, NULL) == 0);
		}
		listed += listing.count;
	} while (listing.count && listed < 10000);
	CHECK(listed == 200);
	return NULL;
}

static const struct bound {
	const char *name;
	const char *(*run)(struct volume *v, struct media *media);
	uint64_t data, area;
	double limit;
} bounds[] = {
	{ "depth", bound_depth, 8 << 20, 32 << 20, 2 },
	{ "xattrs", bound_xattrs, 8 << 20, 64 << 20, 2 },
	{ "waits", bound_waits, 256 << 20, 32 << 20, 3 },
	{ "holes", bound_holes, (2 * HOLES + 2) * (uint64_t)HUGE_SIZE + 4096, 64 << 20, 10 },
	{ "large", bound_large, 3ull << 40, 16 << 20, 2 },
	{ "links", bound_links, 8 << 20, 32 << 20, 3 },
	{ "listing", bound_listing, 8 << 20, 1 << 20, 1 },
};

static const char *bound_run(const struct bound *bound, struct media *media)
{
	struct volume_format format;
	struct volume *volume;
	const char *wrong;

	check_format(&format);
	format.area = bound->area;
	if (volume_format(media, &format, NULL) ||
	    check_open(&volume, media, VOLUME_OWN, NULL))
		return "making it fails";
	wrong = bound->run(volume, media);
	volume_close(volume);
	return wrong;
}

static int bound_try(const struct bound *bound)
{
	uint64_t size = AREAS_OFFSET + AREA_COUNT * bound->area + bound->data;
	const char *wrong = "no memory";
	double took = seconds();
	struct media *media;
	void *bytes;

	bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	media = bytes == MAP_FAILED ? NULL : media_of_memory(bytes, size);
	if (media)
		wrong = bound_run(bound, media);
	took = seconds() - took;
	media_close(media);
	if (bytes != MAP_FAILED)
		munmap(bytes, size);
	if (!wrong && took > bound->limit)
		wrong = "it takes too long";
	printf("%-8s %7.3f s of %.0f: %s\n", bound->name, took, bound->limit,
	       wrong ? wrong : "good");
	return wrong != NULL;
}

int main(void)
{
	const char *one = getenv("FAMFS_BOUND");
	int failed = 0;

	for (unsigned int i = 0; i < sizeof(bounds) / sizeof(*bounds); i++) {
		if (!one || !strcmp(one, bounds[i].name))
			failed += bound_try(&bounds[i]);
	}
	return failed != 0;
}
