/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The superblock of format 3.
 */
#ifndef FAMFS_SUPER_H
#define FAMFS_SUPER_H

#include <stdbool.h>
#include <stdint.h>

#include "fault.h"
#include "layout.h"
#include "media.h"

struct area {
	uint64_t offset;
	uint64_t length;
};

/* A verified superblock, or what mkfs is about to write. */
struct super {
	uint8_t uuid[16];
	char label[LABEL_SIZE + 1];
	uint64_t compat, ro_compat, incompat;
	uint32_t unit;
	uint32_t coherence;
	struct area areas[AREA_COUNT];
	uint64_t data;		/* where data begins */
	uint64_t end;		/* where it ends: the copy begins */
	uint64_t size;		/* of the device */
};

/**
 * super_plan - lays a medium out
 * @super: uuid, label, unit and coherence are given
 * @size: bytes of the device
 * @area: bytes of a log area, 0 for the usual share
 *
 * Return: 0, or -ENOSPC with a finding where the device is too small.
 */
int super_plan(struct super *super, uint64_t size, uint64_t area,
	       struct fault *fault);

void super_encode(const struct super *super, uint8_t block[SUPER_SIZE]);

/**
 * super_decode - reads a superblock that comes from anywhere
 * @size: bytes of the medium, which bound everything in it
 * @fault: kind FOREIGN, VERSION (number: which), FEATURES or SUPER
 *
 * Return: 0, -EMEDIUMTYPE, -EPROTONOSUPPORT, -EUCLEAN.
 */
int super_decode(struct super *super, const uint8_t block[SUPER_SIZE],
		 uint64_t size, struct fault *fault);

/* Reads and decodes the one at 0. The copy is for fsck. */
int super_read(struct super *super, struct media *media, struct fault *fault);

/**
 * super_read_either - the one at 0, or the copy where that one is damaged
 * @fault: what is wrong with the one at 0, also where the copy is whole
 *
 * One that says another version, or nothing that is known, is damaged only if
 * the rest of it is that of the copy: else something else has been put there.
 *
 * Return: 0; 1 for the copy; or what is wrong with the one at 0.
 */
int super_read_either(struct super *super, struct media *media,
		      struct fault *fault);

/* Looks for the copy in the last unit, whatever the unit is. */
int super_read_copy(struct super *super, struct media *media);

/* Is the copy where @super says? The device may have become larger. */
bool super_has_copy(const struct super *super, struct media *media);

/* Writes the copy, and then the one at 0. No host may be in. */
int super_write(const struct super *super, struct media *media);

#endif
