// SPDX-License-Identifier: GPL-2.0
/*
 * mkfs: a new file system on a medium.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "volume_internal.h"

static int format_spoil_roots(struct media *media)
{
	static const uint8_t nothing[LINE_SIZE];
	int err;

	err = media_write(media, ROOT_OFFSET_ONE, nothing, LINE_SIZE,
			  FORMAT_SPOIL_ONE_WRITE);
	if (err)
		return err;
	return media_write(media, ROOT_OFFSET_TWO, nothing, LINE_SIZE,
			   FORMAT_SPOIL_TWO_WRITE);
}

/* Lines of slots, and requests: their crc is wrong, so nobody is there. */
static int format_empty_slots(struct media *media)
{
	static const uint8_t nothing[REQUEST_COUNT * LINE_SIZE];
	int err;

	err = media_write(media, REQUEST_OFFSET, nothing, sizeof(nothing),
			  FORMAT_REQUESTS_WRITE);
	for (unsigned int slot = 0; slot < SLOT_COUNT && !err; slot++)
		err = media_write(media, slot_offset(slot), nothing,
				  SLOT_NAME + LINE_SIZE, FORMAT_SLOTS_WRITE);
	return err;
}

/* A copy of an old superblock may be there, if the unit was another one. */
static int format_empty_end(struct media *media, const struct super *super)
{
	static const uint8_t nothing[UNIT_LEAST];
	int err = 0;

	for (uint64_t at = super->end;
	     at + UNIT_LEAST <= media->size && !err; at += UNIT_LEAST)
		err = media_write(media, at, nothing, UNIT_LEAST,
				  FORMAT_END_WRITE);
	return err;
}

/* A root directory, and the owner's slot. */
static int format_fill(struct model *model,
		       const struct volume_format *format)
{
	struct host *host = &model->hosts[0];
	struct attr attr = {
		.mode = S_IFDIR | (format->mode ? format->mode & 07777 : 0755),
		.uid = format->uid,
		.gid = format->gid,
		.atime = format->now,
		.mtime = format->now,
		.ctime = format->now,
	};

	if (!inode_make(model, ROOT_INO, &attr))
		return -ENOMEM;
	model->next_ino = ROOT_INO + 1;
	host->state = HOST_STATE_GIVEN;
	memcpy(host->uuid, format->self.uuid, 16);
	memcpy(host->name, format->self.name,
	       strnlen(format->self.name, HOST_NAME_MOST));
	return 0;
}

static int format_log(struct media *media, const struct super *super,
		      const struct volume_format *format, struct root *root)
{
	struct model model;
	struct log log;
	int err;

	err = model_init(&model, super->data, super->end, super->unit);
	if (err)
		return err;
	log_begin(&log, media, super, root);
	err = format_fill(&model, format);
	if (!err)
		err = snapshot_write(&log, &model, format->now);
	root->lines = (uint32_t)log.snapshot;
	model_free(&model);
	log_end(&log);
	return err;
}

static int format_write(struct media *media, const struct super *super,
			const struct volume_format *format)
{
	struct call call = { .epoch = 1 };
	struct root root = {
		.epoch = 1,
		.state = ROOT_STATE_LEFT,
		.predecessor = ROOT_NO_PREDECESSOR,
		.generation = 1,
	};
	int err;

	memcpy(root.secret, format->secret, 16);

	err = format_spoil_roots(media);
	if (!err)
		err = format_empty_slots(media);
	if (!err)
		err = format_empty_end(media, super);
	if (!err)
		err = super_write(super, media);
	if (!err)
		err = call_write(&call, media, super->uuid);
	if (!err)
		err = hostname_write(format->self.name, media, super->uuid, 0);
	if (!err)
		err = format_log(media, super, format, &root);
	if (!err)
		err = root_write(&root, media, super->uuid);
	return err;
}

int volume_format(struct media *media, const struct volume_format *format,
		  struct fault *fault)
{
	struct super super = {
		.unit = format->unit,
		.coherence = format->coherence,
	};
	int err;

	memcpy(super.uuid, format->uuid, 16);
	memcpy(super.label, format->label, LABEL_SIZE);
	err = super_plan(&super, media->size, format->area, fault);
	if (err)
		return err;
	err = format_write(media, &super, format);
	if (err)
		return fault_set(fault, err, FAULT_ACCESS, media->fault,
				 "the device cannot be written");
	return 0;
}
