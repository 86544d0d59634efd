/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the commands share.
 */
#ifndef FAMFS_CMD_H
#define FAMFS_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"
#include "media.h"
#include "volume.h"

/* Each command gets its own name in argv[0], and returns an exit status. */
int cmd_mkfs(int argc, char **argv);
int cmd_fsck(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_mount(int argc, char **argv);
int cmd_umount(int argc, char **argv);
int cmd_restart(int argc, char **argv);
/* For the parent of servers alone: the next server, of descriptors. */
int cmd_resume(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_hosts(int argc, char **argv);
int cmd_map(int argc, char **argv);
int cmd_flush(int argc, char **argv);
int cmd_compact(int argc, char **argv);
int cmd_bind(int argc, char **argv);
int cmd_unbind(int argc, char **argv);

extern bool cmd_quiet;
extern unsigned int cmd_verbose;

/* A line on standard output, unless -q was given. */
void cmd_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Likewise, seen at once: what is being waited for. */
void cmd_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Room for @bytes of text that is made safe. */
#define TEXT_SAFE(bytes)	(4 * (bytes) + 1)

/*
 * A text that comes from a medium or a user, on one line and without what
 * terminals obey: such bytes, those that are no UTF-8, and backslashes are
 * written as \xNN. Returns @to.
 */
const char *text_safe(const char *text, char *to, size_t room);

/* The same backwards, in place. */
void text_plain(char *text);

/* Has it nothing that terminals obey? */
bool text_is_plain(const char *text);

/* Likewise of what the kernel writes into tables: \040 for a space. */
void text_plain_table(char *text);

/* In one of a few buffers, for messages. */
const char *cmd_text(const char *text);

/* For JSON: as it is, or, where that is no UTF-8, made safe. */
struct json_object *cmd_json_text(const char *text);

/* On standard output. @flags: of json-c. */
void cmd_json_print(struct json_object *object, int flags);

/* An error names the object and the finding; @next is what to type, or NULL. */
void cmd_fail(const char *object, const char *next, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The error of a call, for an object. */
void cmd_fail_errno(const char *object, int err);

/* What a medium's finding means, and what to do about it. */
void cmd_fail_fault(const char *device, int err, const struct fault *fault);

/* Opens a source: a path, famfs:UUID or famfs:LABEL. NULL: said why not. */
struct media *cmd_open(const char *device, int flags);

/**
 * cmd_options - takes the options that most commands have: --json, -q, -h
 * @help: what --help prints
 * @json: set by --json; NULL where there is no such option
 *
 * Return: -1 to go on at optind, or the exit status.
 */
int cmd_options(int argc, char **argv, const char *help, bool *json);

/* Who takes a volume over: this host, now. 0 or -errno. */
int cmd_own(struct volume_options *options);

/* volume_open(), which on a terminal shows how much of the log it has read. */
int cmd_volume_open(struct volume **volume, struct media *media,
		    struct volume_options *options, struct fault *fault);

/* Yes on a terminal? Without one: no. */
bool cmd_ask(const char *question);

/* A number with K, M, G or T. False: it is none. */
bool cmd_size(const char *text, uint64_t *bytes);

/* Bytes as people write them, in one of a few buffers. */
const char *cmd_bytes(uint64_t bytes);

/**
 * signature_find - what is on a medium already?
 * @text: what it is, for a message
 *
 * Return: 1 for famfs of our version, 2 for something else, 0 for nothing, or
 * -errno.
 */
int signature_find(struct media *media, char *text, size_t room);

/* As signature_find(), of all but famfs. */
int signature_find_other(struct media *media, char *text, size_t room);

/**
 * hosts_in - which hosts are in a medium of our version?
 * @living: one of them was seen alive within three seconds
 *
 * A slot that cannot be read may be of a host that is in: it counts.
 *
 * Return: how many; the name of one in @name. -EUCLEAN: without a superblock
 * and its copy nobody can tell.
 */
int hosts_in(struct media *media, bool *living, char *name);

#endif
