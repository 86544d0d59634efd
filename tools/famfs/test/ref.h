/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The reference: what a file system has to contain, in the plainest way, and
 * what each operation does to it. It shares no code with the library.
 */
#ifndef FAMFS_TEST_REF_H
#define FAMFS_TEST_REF_H

#include <stdbool.h>
#include <stdint.h>

#include "volume.h"

#define REF_NODES	24
#define REF_NAMES	32
#define REF_TEXTS	12

struct ref_node {
	uint64_t ino;		/* 0: unused */
	uint64_t size;
	uint32_t mode, uid;
	uint32_t xattr;		/* what its one xattr says, or 0: it has none */
	uint32_t links;
};

struct ref_name {
	bool used;
	uint8_t parent, node;	/* indices; node 0 is the root */
	uint8_t text;
};

struct ref {
	struct ref_node nodes[REF_NODES];
	struct ref_name names[REF_NAMES];
};

enum ref_kind {
	REF_CREATE, REF_MKDIR, REF_SYMLINK, REF_TMPFILE, REF_LINK, REF_UNLINK,
	REF_RMDIR, REF_RENAME, REF_CHMOD, REF_TRUNCATE, REF_MAP, REF_TELL,
	REF_TRIM, REF_SETXATTR, REF_REMOVEXATTR, REF_GONE, REF_LET_GO,
	REF_COMPACT, REF_KINDS
};

/* An operation: what is done to which nodes and texts. */
struct ref_op {
	enum ref_kind kind;
	uint8_t node, parent, text, parent2, text2, flags;
	uint32_t number;
	uint64_t map;		/* found out when it is done */
	uint64_t made;		/* the ino that it made, or will make */
};

void ref_init(struct ref *ref);

const char *ref_text(uint8_t text);

/* What the operation must return. */
int ref_expect(const struct ref *ref, const struct ref_op *op);

/* Does it: it has returned 0, or would have. */
void ref_do(struct ref *ref, const struct ref_op *op);

/* Does it to a volume. @now is its time. */
int ref_do_volume(const struct ref *ref, struct ref_op *op,
		  struct volume *volume, int64_t now);

/* Is the volume what the reference says? NULL, or what is not. */
const char *ref_compare(const struct ref *ref, struct volume *volume);

/* Do no two files have a byte, and is each byte accounted for? */
const char *ref_check_space(struct volume *volume, uint64_t start,
			    uint64_t end);

#endif
