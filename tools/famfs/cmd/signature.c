// SPDX-License-Identifier: GPL-2.0
/*
 * What is on a medium already, and who is in.
 *
 * libblkid refuses character devices, so it looks at a file in memory of the
 * same size, with copies of the first and the last bytes.
 */

#define _FILE_OFFSET_BITS 64

#include <blkid/blkid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bytes.h"
#include "cmd.h"
#include "lines.h"
#include "super.h"

#define SIGNATURE_ENDS	(4u << 20)

static int signature_famfs(struct media *media, char *text, size_t room)
{
	struct fault fault = { 0 };
	struct super super = { 0 };
	char label[TEXT_SAFE(LABEL_SIZE)];
	int from;

	if (media->size < AREAS_OFFSET)
		return 0;
	from = super_read_either(&super, media, &fault);
	if (fault.kind == FAULT_ACCESS)
		return from;
	if (from < 0 && fault.kind == FAULT_FOREIGN)
		return 0;
	if (from < 0 && fault.kind == FAULT_VERSION) {
		snprintf(text, room, "famfs of format version %llu",
			 (unsigned long long)fault.number);
		return 2;
	}
	snprintf(text, room, "famfs%s%s%s%s",
		 from ? " with a damaged superblock" : "",
		 super.label[0] ? " \"" : "",
		 text_safe(super.label, label, sizeof(label)),
		 super.label[0] ? "\"" : "");
	/* What is not damaged, but gone, may be something else by now. */
	if (from == 1 && fault.kind == FAULT_FOREIGN)
		from = signature_find_other(media, text, room);
	return from > 1 ? from : 1;
}

static int signature_copy(struct media *media, int fd, uint64_t offset,
			  size_t bytes)
{
	uint8_t *copy = malloc(bytes);
	int err = copy ? media_read(media, offset, copy, bytes, MUTANT_NONE) :
			 -ENOMEM;

	if (!err && pwrite(fd, copy, bytes, (off_t)offset) != (ssize_t)bytes)
		err = -EIO;
	free(copy);
	return err;
}

static int signature_probe(int fd, char *text, size_t room)
{
	blkid_probe probe = blkid_new_probe();
	const char *type = NULL;
	int found;

	if (!probe)
		return -ENOMEM;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_enable_partitions(probe, 1);
	found = blkid_probe_set_device(probe, fd, 0, 0) ? -1 :
		blkid_do_safeprobe(probe);
	/* 1: nothing; -2: several at once. */
	if (found == 0 && blkid_probe_lookup_value(probe, "TYPE", &type, NULL))
		blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL);
	if (found == 0 || found == -2)
		snprintf(text, room, "%s",
			 type ? type : "several file systems at once");
	blkid_free_probe(probe);
	if (found == -1)
		return -EIO;
	return found == 1 ? 0 : 2;
}

int signature_find(struct media *media, char *text, size_t room)
{
	int found = signature_famfs(media, text, room);

	return found ? found : signature_find_other(media, text, room);
}

int signature_find_other(struct media *media, char *text, size_t room)
{
	size_t ends = media->size < SIGNATURE_ENDS ? media->size :
						     SIGNATURE_ENDS;
	int fd, err;

	fd = memfd_create("signature", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = ftruncate(fd, (off_t)media->size) ? -errno : 0;
	if (!err)
		err = signature_copy(media, fd, 0, ends);
	if (!err)
		err = signature_copy(media, fd, media->size - ends, ends);
	if (!err)
		err = signature_probe(fd, text, room);
	close(fd);
	return err;
}

/* Is somebody in a slot, or was one, of whom nothing can be read? */
static bool hosts_may_be_in(struct media *media, const struct super *super,
			    unsigned int slot)
{
	static const uint8_t nothing[LINE_SIZE];
	struct identity identity;
	uint8_t line[LINE_SIZE];

	if (!identity_read(&identity, media, super->uuid, slot))
		return identity.state == IDENTITY_STATE_IN;
	return media_read(media, slot_offset(slot) + SLOT_IDENTITY, line,
			  LINE_SIZE, MUTANT_NONE) ||
	       memcmp(line, nothing, LINE_SIZE);
}

/* Counters of all beats; a slot that nobody is in has 0. */
static int hosts_count(struct media *media, const struct super *super,
		       uint64_t counters[SLOT_COUNT], char *name)
{
	int count = 0;

	for (unsigned int slot = 0; slot < SLOT_COUNT; slot++) {
		struct beat beat;

		counters[slot] = 0;
		if (!hosts_may_be_in(media, super, slot))
			continue;
		count++;
		if (hostname_read(name, media, super->uuid, slot))
			strcpy(name, "a host");
		if (!beat_read(&beat, media, super->uuid, slot))
			counters[slot] = beat.counter;
	}
	return count;
}

int hosts_in(struct media *media, bool *living, char *name)
{
	uint64_t before[SLOT_COUNT], after[SLOT_COUNT];
	struct fault fault = { 0 };
	struct super super;
	int count;

	*living = false;
	if (super_read_either(&super, media, &fault) < 0)
		return -EUCLEAN;
	count = hosts_count(media, &super, before, name);
	for (int tenths = 0; count && tenths < 30 && !*living; tenths++) {
		usleep(100000);
		hosts_count(media, &super, after, name);
		*living = memcmp(before, after, sizeof(before));
	}
	return count;
}
