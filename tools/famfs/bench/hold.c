// SPDX-License-Identifier: GPL-2.0
/*
 * Holds many files open.
 *
 * Usage: hold DIR
 *
 * For each number N on standard input, opens files that names has made, first to
 * last, until N of them are open, and prints "held N".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define IN_DIRECTORY	1000
#define OTHERS		100

int main(int argc, char **argv)
{
	unsigned long held = 0, want;
	struct rlimit most;
	char path[4200];

	if (argc != 2) {
		fprintf(stderr, "usage: hold DIR\n");
		return 2;
	}
	while (scanf("%lu", &want) == 1) {
		most.rlim_cur = want + OTHERS;
		most.rlim_max = want + OTHERS;
		if (setrlimit(RLIMIT_NOFILE, &most))
			perror("hold: files that may be open");
		for (; held < want; held++) {
			snprintf(path, sizeof(path), "%s/d%lu/file%lu", argv[1],
				 held - held % IN_DIRECTORY,
				 held % IN_DIRECTORY);
			if (open(path, O_RDONLY) < 0) {
				perror(path);
				return 1;
			}
		}
		printf("held %lu\n", held);
		fflush(stdout);
	}
	return 0;
}
