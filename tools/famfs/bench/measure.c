// SPDX-License-Identifier: GPL-2.0
/*
 * Counts instructions per operation on files that are mapped by DAX.
 *
 * Usage: measure io4k FILE [OFFSET]	pread and pwrite of 4 KiB
 *        measure io64k FILE [OFFSET]	the same of 64 KiB
 *        measure io1m FILE [OFFSET]	the same of 1 MiB
 *        measure apart4k FILE [OFFSET]	read fault of 4 KiB, far from others
 *        measure fault4k FILE OFFSET FILE OFFSET
 *					first read of each of many pages of
 *					4 KiB, and write fault on them; on the
 *					second file write fault on a page never
 *					mapped so far
 *        measure fault2m FILE [OFFSET]	read fault of 2 MiB, and write fault on
 *					the same page
 *        measure again2m FILE		removal of a page of 2 MiB when the
 *					file is evicted, and the read fault
 *					after that
 *        measure whole2m FILE [OFFSET]	a page of 1 GiB of pages of 2 MiB, that
 *					had such before: read, and populated
 *        measure fault1g FILE [OFFSET]	read fault of 1 GiB, and on the same
 *					memory after the file is evicted
 *        measure raw DEVICE		read fault of 2 MiB, and what whole2m
 *					does
 *        measure open FILE		open and close, all known
 *        measure turn FILE		open and close by themselves, and fsync
 *					and syncfs with nothing to do
 *        measure cold FILE...		the first open of each
 *
 * Parts of files that faults are measured on must not have been used before.
 * Prints "OPERATION INSTRUCTIONS" lines.  To be run on the one CPU of a guest
 * under QEMU -icount shift=0, where a nanosecond is an instruction.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "measure.h"

static struct window open_window(const char *path, const char *off)
{
	struct window w = {
		.path = path,
		.off = off ? strtoul(off, NULL, 0) : 0,
		.fd = open(path, O_RDWR | O_CLOEXEC),
	};

	if (w.fd < 0)
		die("cannot open", path);
	return w;
}

static void usage(void)
{
	fprintf(stderr, "usage: measure OPERATION FILE...\n");
	exit(2);
}

int main(int argc, char **argv)
{
	const char *op = argv[1];
	struct window w, w2;

	if (argc < 3)
		usage();
	if (mlockall(MCL_CURRENT))
		die("cannot lock", "memory");
	check_clock();

	if (!strcmp(op, "raw")) {
		measure_raw(argv[2]);
	} else if (!strcmp(op, "again2m")) {
		measure_again(argv[2]);
	} else if (!strcmp(op, "open")) {
		measure_warm_open(argv[2]);
	} else if (!strcmp(op, "cold")) {
		measure_cold_open(argv + 2, argc - 2);
	} else if (!strcmp(op, "fault4k") && argc == 6) {
		w = open_window(argv[2], argv[3]);
		w2 = open_window(argv[4], argv[5]);
		measure_small_faults(&w, &w2);
	} else {
		w = open_window(argv[2], argv[3]);
		if (!strcmp(op, "io4k"))
			measure_io(&w, PAGE, "4k");
		else if (!strcmp(op, "io64k"))
			measure_io(&w, 64 << 10, "64k");
		else if (!strcmp(op, "io1m"))
			measure_io(&w, MiB, "1m");
		else if (!strcmp(op, "apart4k"))
			measure_apart(&w);
		else if (!strcmp(op, "whole2m"))
			measure_whole(&w, PUD);
		else if (!strcmp(op, "fault1g"))
			measure_largest(&w);
		else if (!strcmp(op, "turn"))
			measure_turn(&w);
		else if (!strcmp(op, "fault2m"))
			measure_huge_faults(&w);
		else
			usage();
	}
	return 0;
}
