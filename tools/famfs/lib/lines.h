/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What fits into one line and has one writer: root, call, and the lines of
 * slots and requests.
 */
#ifndef FAMFS_LINES_H
#define FAMFS_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"
#include "media.h"

struct root {
	uint32_t epoch;
	uint8_t state;
	uint8_t predecessor;
	uint16_t owner;
	uint64_t generation;
	uint64_t base_seq;
	uint32_t base_chain;
	uint32_t lines;		/* of the snapshot */
	uint64_t nonce;		/* of the owner */
	uint8_t secret[16];	/* of mkfs; no user ever sees it */
};

struct call {
	uint32_t epoch;
	uint16_t slot;
};

struct identity {
	uint32_t state;
	uint64_t nonce;
	uint8_t uuid[16];	/* of the host */
	uint8_t boot[16];
	uint32_t page;
	uint64_t features;
};

struct beat {
	uint32_t epoch;
	uint64_t counter;
	uint64_t nonce;
	uint64_t passed;
	uint32_t list_version, list_count, list_crc;
	uint32_t tail;		/* lines appended to the present area */
	uint64_t tail_seq;
};

/* Whoever has the slot in line for ownership; 0 and 0: nobody. */
struct claim {
	uint32_t choosing;
	uint64_t ticket;
};

/* A host without a slot asks for one. */
struct request {
	char name[21];
	uint64_t nonce;
	uint8_t uuid[16];
	uint8_t boot[16];
};

/**
 * root_read - reads both root lines
 *
 * The valid one with the higher (epoch, generation) counts. A single line is
 * torn at most while it is written, and then the other one is valid.
 *
 * Return: 0, -ENOENT where none is valid, or the error of the medium.
 */
int root_read(struct root *root, struct media *media, const uint8_t uuid[16]);

/* How many root lines are as they should be, for fsck: 2, or fewer. */
int root_count(struct media *media, const uint8_t uuid[16]);

/**
 * root_write - writes one line, looks at the call, and writes the other
 *
 * Return: 0; -EROFS where the call is newer: the owner is deposed; or the error
 * of the medium.
 */
int root_write(const struct root *root, struct media *media,
	       const uint8_t uuid[16]);

/* Return: 0, -EAGAIN where its crc is wrong, or the error of the medium. */
int call_read(struct call *call, struct media *media, const uint8_t uuid[16]);
int call_write(const struct call *call, struct media *media,
	       const uint8_t uuid[16]);

/*
 * call_check - may the owner of @epoch go on?
 *
 * While the call's crc is wrong it is read again, for a second.
 *
 * Return: 0, -EROFS where it is newer, -EIO where it stays wrong, or the error
 * of the medium.
 */
int call_check(struct media *media, const uint8_t uuid[16], uint32_t epoch);

/*
 * Reading gives -EAGAIN where the crc is wrong; of an identity -ENOENT where
 * nothing was ever written.
 */
int identity_read(struct identity *identity, struct media *media,
		  const uint8_t uuid[16], unsigned int slot);
int identity_write(const struct identity *identity, struct media *media,
		   const uint8_t uuid[16], unsigned int slot);
int beat_read(struct beat *beat, struct media *media, const uint8_t uuid[16],
	      unsigned int slot);
int beat_write(const struct beat *beat, struct media *media,
	       const uint8_t uuid[16], unsigned int slot);
/**
 * list_write - writes the list that a beat of @version is going to name
 * @crc: for the beat
 *
 * The beat still names the other one, of the version before.
 */
int list_write(const uint64_t *inodes, uint32_t count, uint32_t version,
	       struct media *media, const uint8_t secret[16],
	       unsigned int slot, uint32_t *crc);

/**
 * list_read - reads the list that @beat names
 * @inodes: room for LIST_MOST
 *
 * Return: 0; -EAGAIN where it is another one: read the beat again.
 */
int list_read(uint64_t *inodes, const struct beat *beat, struct media *media,
	      const uint8_t secret[16], unsigned int slot);

int claim_write(const struct claim *claim, struct media *media,
		const uint8_t uuid[16], unsigned int slot);
int hostname_read(char name[HOST_NAME_MOST + 1], struct media *media,
		  const uint8_t uuid[16], unsigned int slot);
int hostname_write(const char *name, struct media *media,
		   const uint8_t uuid[16], unsigned int slot);

/* @line: one of REQUEST_COUNT. -EAGAIN where the crc is wrong. */
int request_read(struct request *request, struct media *media,
		 const uint8_t uuid[16], unsigned int line);
int request_write(const struct request *request, struct media *media,
		  const uint8_t uuid[16], unsigned int line);

static inline uint64_t slot_offset(unsigned int slot)
{
	return SLOTS_OFFSET + (uint64_t)slot * SLOT_SIZE;
}

#endif
