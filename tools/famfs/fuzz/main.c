// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzing the code that reads maps of files: the same messages on every run.
 *
 * Usage: fuzz [-n MESSAGES] [-s SEED]	make messages and check each
 *	  fuzz -c DIR			write a corpus of good messages to DIR
 *	  fuzz FILE...			check the messages in files
 *
 * A message that the code under test gets wrong is kept in fuzz-failure.bin.
 */

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each string in famfs_parse.c: all that it can say. */
static const char * const reasons[] = {
#include "reasons.inc"
};

/*
 * Reading an extent checks that it is there, although the length of the whole
 * was checked before: what protects the kernel's memory is worth having twice.
 */
static const char spare[] = "message ends before its extents";

static unsigned long given[ARRAY_SIZE(reasons)];
static unsigned long accepted;

static void count(const char *why)
{
	size_t i;

	if (!why) {
		accepted++;
		return;
	}
	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		if (!strcmp(why, reasons[i]))
			given[i]++;
}

static void save(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "wb");

	if (!file || fwrite(data, 1, size, file) != size || fclose(file)) {
		perror(path);
		exit(2);
	}
}

static void fuzz(unsigned long messages, u64 seed)
{
	struct fuzz_result result;
	struct famfs_msg msg;
	struct rnd_state rnd;
	unsigned long i;

	for (i = 0; i < messages; i++) {
		prandom_seed_state(&rnd, seed + i * 0x632be59bd9b4e019ULL);
		famfs_msg_random(&msg, &famfs_shapes[i % FAMFS_NR_SHAPES],
				 &rnd);
		fuzz_mutate(&msg, &rnd);
		fuzz_one(msg.data, msg.size, &result);
		count(result.why);
		if (!result.wrong)
			continue;
		save("fuzz-failure.bin", msg.data, msg.size);
		printf("not ok - message %lu: %s\n", i, result.wrong);
		exit(1);
	}
	printf("ok - %lu messages, %lu of them good\n", messages, accepted);
}

static int report_reasons(void)
{
	unsigned int missing = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
		printf("# %7lu refused: %s\n", given[i], reasons[i]);
		missing += !given[i] && strcmp(reasons[i], spare);
	}
	printf("%s - reasons for refusal that never came up: %u\n",
	       missing ? "not ok" : "ok", missing);
	return missing ? 1 : 0;
}

static int make_corpus(const char *dir)
{
	struct famfs_msg msg;
	struct rnd_state rnd;
	char path[4096];
	u32 i;

	for (i = 0; i < 8 * FAMFS_NR_SHAPES; i++) {
		prandom_seed_state(&rnd, i);
		famfs_msg_random(&msg, &famfs_shapes[i % FAMFS_NR_SHAPES],
				 &rnd);
		snprintf(path, sizeof(path), "%s/good-%03u", dir, i);
		save(path, msg.data, msg.size);
	}
	return 0;
}

static int replay(const char *path)
{
	static u8 data[1 << 20];
	struct fuzz_result result;
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		perror(path);
		exit(2);
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	fuzz_one(data, size, &result);
	if (result.wrong)
		printf("not ok - %s: %s\n", path, result.wrong);
	else if (result.why)
		printf("ok - %s: refused at byte %zu: %s\n", path, result.pos,
		       result.why);
	else
		printf("ok - %s: accepted\n", path);
	return result.wrong ? 1 : 0;
}

int main(int argc, char **argv)
{
	unsigned long messages = 200000;
	u64 seed = 20260101;
	int opt, ret = 0;

	while ((opt = getopt(argc, argv, "c:n:s:")) != -1) {
		switch (opt) {
		case 'c':
			return make_corpus(optarg);
		case 'n':
			messages = strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		default:
			fprintf(stderr, "usage: %s [-n MESSAGES] [-s SEED] | -c DIR | FILE...\n",
				argv[0]);
			return 2;
		}
	}
	if (optind < argc) {
		for (; optind < argc; optind++)
			ret |= replay(argv[optind]);
		return ret;
	}
	fuzz(messages, seed);
	return report_reasons();
}
