// SPDX-License-Identifier: GPL-2.0
/*
 * Options that several commands have, and those of who owns a volume.
 */

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "cmd.h"

int cmd_options(int argc, char **argv, const char *help, bool *json)
{
	/* The first one only where the command has something to say in JSON. */
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int option;

	while ((option = getopt_long(argc, argv, "qh", options + !json,
				     NULL)) >= 0) {
		if (option == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (option == '?')
			return 2;
		if (option == 'j')
			*json = true;
		cmd_quiet |= option == 'q';
	}
	return -1;
}

int cmd_own(struct volume_options *options)
{
	struct timespec now;
	uuid_t nonce;

	clock_gettime(CLOCK_REALTIME, &now);
	options->now = now.tv_sec * 1000000000ll + now.tv_nsec;
	uuid_generate(nonce);
	memcpy(&options->nonce, nonce, sizeof(options->nonce));
	return host_self_read(&options->self);
}

/* In place: the next one, and what is said in the end, write over it. */
static void cmd_progress(uint64_t bytes)
{
	fprintf(stderr, "\rreading the log: %llu MiB\033[K",
		(unsigned long long)bytes >> 20);
}

int cmd_volume_open(struct volume **volume, struct media *media,
		    struct volume_options *options, struct fault *fault)
{
	bool terminal = !cmd_quiet && isatty(STDERR_FILENO);
	int err;

	if (terminal)
		options->progress = cmd_progress;
	err = volume_open(volume, media, options, fault);
	if (terminal)
		fputs("\r\033[K", stderr);
	return err;
}
