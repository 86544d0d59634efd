/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks of the library: what test_lib runs once, and test_mutants with each
 * mutant. Each returns NULL, or what is wrong.
 */
#ifndef FAMFS_TEST_CHECKS_H
#define FAMFS_TEST_CHECKS_H

#include <stdbool.h>
#include <stdint.h>

#include "volume.h"

struct check {
	const char *name;
	const char *(*run)(void);
};

extern const struct check checks[];
extern const unsigned int check_count;

const char *check_crc(void);
const char *check_items(void);
const char *check_super(void);
const char *check_lines(void);
const char *check_records(void);
const char *check_damage(void);
const char *check_bad_items(void);
const char *check_bad_snapshots(void);
const char *check_flips(void);
const char *check_cache(void);
const char *check_names(void);
const char *check_space(void);
const char *check_growth(void);
const char *check_log_full(void);
const char *check_deposed(void);
const char *check_readdir(void);
const char *check_dead_media(void);
const char *check_owner(void);
const char *check_mkfs_crash(void);
const char *check_crash(void);
const char *check_members(void);
const char *check_reading(void);
const char *check_table(void);
/* Up to so many switches between two hosts, and between three. */
const char *check_turns(unsigned int two, unsigned int three, bool tell);
const char *check_forged(void);
const char *check_forged_long(void);
const char *check_mkfs_again(void);
const char *check_full(void);
const char *check_numbers(void);

/* The media of the checks. */
#define CHECK_SIZE	(5u << 20)
#define CHECK_AREA	(64u << 10)

void check_self(struct host_self *self);
void check_format(struct volume_format *format);

/* A new file system in @bytes. @area: bytes of an area. 0 or -errno. */
int check_mkfs(struct media *media);

/* Opens; how as in struct volume_options. */
int check_open(struct volume **volume, struct media *media, unsigned int how,
	       struct fault *fault);

/* Text for what went wrong in a loop. */
const char *check_say(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/**
 * check_history - one random history, with crashes, readers and all
 * @seed: everything follows from it
 * @trace: prints what happens
 *
 * Return: NULL or what is wrong.
 */
const char *check_history(uint64_t seed, bool trace);
void check_history_free(void);

/* As check_history(), of an owner and two members. */
const char *check_hosts(uint64_t seed, bool trace);
void check_hosts_free(void);
extern uint64_t history_steps, history_crashes, history_readers, history_ops;

#endif
