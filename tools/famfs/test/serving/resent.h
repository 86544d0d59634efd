/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests that are sent again.
 */
#ifndef FAMFS_SERVING_RESENT_H
#define FAMFS_SERVING_RESENT_H

#include <stdint.h>

#include "volume.h"

#define REQUESTS	20u

/* A request, which is sent by a call of the server's operation. */
struct request_made {
	const char *name;
	void (*make)(void);
};

extern const struct request_made requests[REQUESTS];

/* What they are about: "file", and an inode without a name. */
extern uint64_t requests_file, requests_unnamed;

/* Of the server of a host that has not been booted again: 0 owns the file system. */
void requests_options(struct volume_options *options, unsigned int host);

/* Makes a file system with what they are about. Return: as its owner has it. */
struct volume *requests_format(struct media *media);
void requests_begin(void);

/* The kernel forgets an inode. */
void requests_forget(uint64_t ino);

/* Servers that die in each step of each request. Return: 0, or 1. */
int resent_run(void);

#endif
