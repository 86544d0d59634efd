/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that can be mapped by pages of 1 GiB: the fixture, and what is mapped.
 * The device must have six of them, aligned.
 */
#ifndef TFS_PUD_H
#define TFS_PUD_H

#include <linux/fs.h>

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define GiB	(1024 * MiB)
#define HALF	(GiB / 2)
/* Of "f"; the same memory is that of the other files. */
#define PLACE	GiB
#define SIZE	(2 * GiB)

#define PUD_FIELDS							\
	struct tfs_env env;						\
	struct tfs_msg m;						\
	int dev;		/* for notifications past the server */	\
	int fd;			/* of "f" */				\
	char *map		/* all of it, to be written */

/* The words by which the test knows its places. */
static const off_t places[] = {
	0, 8 * PAGE, 5 * PMD + 3 * PAGE, HALF - 8, HALF, GiB - 8, GiB,
	GiB + 7 * PMD, SIZE - 8,
};

static inline __u64 place_word(off_t pos)
{
	return 0x9e3779b97f4a7c15ULL * (pos + 1);
}

static inline const char *pud_unfit(const struct tfs_env *env)
{
	unsigned long long start = 1;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/dax/devices/%s/resource",
		 env->devs[0].name);
	f = fopen(path, "re");
	if (f && fscanf(f, "%llx", &start) != 1)
		start = 1;
	if (f)
		fclose(f);
	if (env->devs[0].size < 6 * GiB || start % GiB)
		return "needs 6 GiB, aligned: BACKEND=hmem-large";
	f = fopen("/proc/cpuinfo", "re");
	for (start = 0; f && !start && fgets(path, sizeof(path), f);)
		start = !!strstr(path, "pdpe1gb");
	while (f && !start && fscanf(f, "%127s", path) == 1)
		start = !strcmp(path, "pdpe1gb");
	if (f)
		fclose(f);
	return start ? NULL : "the processor has no pages of 1 GiB";
}

/* @len bytes of a file, at an address that is @off behind an aligned one. */
static inline char *map_at(int fd, size_t len, off_t pos, size_t off, int prot,
			   int flags)
{
	char *room = mmap(NULL, len + off + 2 * GiB, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *start = (char *)(((unsigned long)room + GiB - 1) & -GiB) + off;

	if (room == MAP_FAILED)
		return room;
	munmap(room, len + off + 2 * GiB);
	return mmap(start, len, prot, flags | MAP_FIXED_NOREPLACE, fd, pos);
}

/* Why there is nothing to be tested, or NULL. */
static inline const char *pud_env_init(struct tfs_env *env)
{
	const char *why = tfs_env_init(env, 1);

	return why ? why : pud_unfit(env);
}

/* All of "f", where pages of 1 GiB fit. */
#define PUD_MAP() do {							\
	self->map = map_at(self->fd, SIZE, 0, 0, PROT_READ | PROT_WRITE, \
			   MAP_SHARED);					\
	ASSERT_NE(MAP_FAILED, self->map);				\
} while (0)

/* Nothing is left of how it was mapped, neither entries nor page tables. */
#define PUD_MAP_AGAIN() do {						\
	ASSERT_EQ(0, tfs_revoke(self->dev, 0));				\
	ASSERT_EQ(0, tfs_push_map(self->dev, 0, &self->m));		\
	munmap(self->map, SIZE);					\
	PUD_MAP();							\
} while (0)

#define PUD_SETUP() do {						\
	size_t i_;							\
									\
	tfs_msg_simple(&self->m, SIZE, 0, PLACE, SIZE);			\
	ASSERT_EQ(0, tfs_add_mapped(&self->env, "f", &self->m));	\
	self->dev = dup(self->env.srv.fd);				\
	ASSERT_LE(0, self->dev);					\
	ASSERT_EQ(0, tfs_mount_fork(&self->env));			\
	self->fd = ASSERT_OPEN("f", O_RDWR);				\
	for (i_ = 0; i_ < ARRAY_SIZE(places); i_++) {			\
		__u64 word_ = place_word(places[i_]);			\
									\
		ASSERT_EQ(8, pwrite(self->fd, &word_, 8, places[i_]));	\
	}								\
	PUD_MAP();							\
} while (0)

#define PUD_TEARDOWN() do {						\
	munmap(self->map, SIZE);					\
	close(self->fd);						\
	close(self->dev);						\
	tfs_msg_exit(&self->m);						\
	TFS_TEARDOWN();							\
} while (0)

/* How many of the words in a part of "f" are not in its mapping. */
static inline int wrong_places(const char *map, off_t from, off_t to)
{
	int wrong = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		if (places[i] >= from && places[i] < to)
			wrong += *(__u64 *)(map + places[i] - from) !=
				 place_word(places[i]);
	return wrong;
}

/* Bytes of a range that are mapped now, by pages of 2 MiB or more. */
static inline __u64 huge_mapped(const void *start, size_t len)
{
	return tfs_mapped(start, len, PAGE_IS_HUGE);
}

/* A load that is one fault, after which 1 GiB is mapped. */
#define EXPECT_GIB(p) do {						\
	const char *p_ = (p);						\
	const char *start_ = (char *)((unsigned long)p_ & -GiB);	\
	long before_;							\
									\
	/* The first call may fault itself. */				\
	tfs_faults();							\
	before_ = tfs_faults();						\
	tfs_load(p_);							\
	EXPECT_EQ(1, tfs_faults() - before_);				\
	EXPECT_EQ(GiB, huge_mapped(start_, GiB));			\
} while (0)

#endif /* TFS_PUD_H */
