// SPDX-License-Identifier: GPL-2.0
/*
 * Snapshots: the model as records.
 *
 * Inodes with all that is theirs come first, then names from the root
 * downwards, then what waits, the hosts, and the end in a record of its own,
 * so that its place is known.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"

/* Larger records would only take memory. */
#define SNAPSHOT_RECORD	(1u << 20)

/* A record is flushed before an item that does not fit; of each one less. */
#define SNAPSHOT_RECORD_LEAST	(SNAPSHOT_RECORD / 2)

struct snapshot {
	struct log *log;
	struct model *model;
	struct record record;
	int64_t time;
	int err;
};

static void snapshot_flush(struct snapshot *snapshot)
{
	if (!snapshot->err && snapshot->record.used > RECORD_HEADER)
		snapshot->err = log_append(snapshot->log, &snapshot->record,
					   RECORD_SNAPSHOT, 0, snapshot->time);
	record_begin(&snapshot->record);
}

static void snapshot_add(struct snapshot *snapshot, const struct item *item)
{
	if (snapshot->record.used + item_size(item) > SNAPSHOT_RECORD)
		snapshot_flush(snapshot);
	if (!snapshot->err)
		record_add(&snapshot->record, item);
}

static void snapshot_add_file(struct snapshot *snapshot,
			      const struct inode *inode)
{
	struct item item = { .type = ITEM_EXTENT_TYPE, .ino = inode->ino };

	for (uint32_t i = 0; i < inode->extent_count; i++) {
		item.extent.offset = inode->extents[i].offset;
		item.extent.bytes = inode->extents[i].bytes;
		snapshot_add(snapshot, &item);
	}
}

static void snapshot_add_inode(struct snapshot *snapshot,
			       const struct inode *inode)
{
	struct item item = { .type = ITEM_INODE_TYPE, .ino = inode->ino };
	struct xattr *xattr;

	item.inode = inode->attr;
	snapshot_add(snapshot, &item);
	if (inode_is_regular(inode)) {
		snapshot_add_file(snapshot, inode);
	} else if (S_ISLNK(inode->attr.mode) && inode->target) {
		item.type = ITEM_TARGET_TYPE;
		item.target.text.at = inode->target;
		item.target.text.bytes = (uint32_t)inode->attr.size;
		snapshot_add(snapshot, &item);
	}
	for (xattr = xattr_first(inode); xattr; xattr = xattr_next(xattr)) {
		item.type = ITEM_XATTR_TYPE;
		item.xattr.flags = 0;
		item.xattr.name.at = xattr->text;
		item.xattr.name.bytes = xattr->name_bytes;
		item.xattr.value.at = xattr->text + xattr->name_bytes;
		item.xattr.value.bytes = xattr->value_bytes;
		snapshot_add(snapshot, &item);
	}
}

static void snapshot_add_names(struct snapshot *snapshot)
{
	struct item item = { .type = ITEM_NAME_TYPE };
	struct name *name = NULL;

	while ((name = name_walk(snapshot->model, name))) {
		item.ino = name->inode->ino;
		item.name.parent = name->parent->ino;
		item.name.cookie = name->cookie;
		item.name.text.at = name->text;
		item.name.text.bytes = name->bytes;
		snapshot_add(snapshot, &item);
	}
}

static void snapshot_add_waits(struct snapshot *snapshot)
{
	struct item item = { .type = ITEM_WAIT_TYPE };
	struct space *space = &snapshot->model->space;
	struct inode *inode;

	TAILQ_FOREACH(inode, &snapshot->model->removed, removed) {
		item.ino = inode->ino;
		item.wait.seq = inode->released;
		snapshot_add(snapshot, &item);
	}
	for (struct wait *wait = space_wait_first(space); wait;
	     wait = space_wait_next(wait)) {
		item.ino = wait->ino;
		item.wait.seq = wait->seq;
		item.wait.flags = WAIT_HAS_EXTENT;
		item.wait.offset = wait->offset;
		item.wait.bytes = wait->bytes;
		snapshot_add(snapshot, &item);
	}
}

static void snapshot_host(const struct model *model, unsigned int slot,
			  struct item *item)
{
	const struct host *host = &model->hosts[slot];

	item->type = ITEM_HOST_TYPE;
	item->host.slot = (uint16_t)slot;
	item->host.state = host->state;
	memcpy(item->host.uuid, host->uuid, 16);
	item->host.nonce = host->nonce;
	item->host.name.at = host->name;
	item->host.name.bytes = (uint32_t)strlen(host->name);
}

static void snapshot_add_hosts(struct snapshot *snapshot)
{
	const struct model *model = snapshot->model;
	struct item item = { 0 };

	for (unsigned int slot = 0; slot < SLOT_COUNT; slot++) {
		if (!model->hosts[slot].state)
			continue;
		snapshot_host(model, slot, &item);
		snapshot_add(snapshot, &item);
	}
}

uint64_t snapshot_bytes(const struct model *model)
{
	uint64_t bytes = model->snapshot_bytes +
			 model->space.wait_count * ITEM_WAIT_FIXED;
	struct item item = { 0 };

	for (unsigned int slot = 0; slot < SLOT_COUNT; slot++) {
		if (!model->hosts[slot].state)
			continue;
		snapshot_host(model, slot, &item);
		bytes += item_size(&item);
	}
	/* Headers, and what is left of last lines. */
	bytes += (bytes / SNAPSHOT_RECORD_LEAST + 1) *
		 (RECORD_HEADER + LINE_SIZE);
	return bytes + END_LINES * LINE_SIZE;
}

static void snapshot_add_end(struct snapshot *snapshot)
{
	const struct model *model = snapshot->model;
	struct item item = { .type = ITEM_END_TYPE };

	item.end.inodes = model->inode_count;
	item.end.names = model->name_count;
	item.end.extents = model->extent_count;
	item.end.waits = model->space.wait_count;
	item.end.next_ino = model->next_ino;
	item.end.next_cookie = model->next_cookie;
	snapshot_flush(snapshot);
	snapshot_add(snapshot, &item);
	snapshot_flush(snapshot);
}

int snapshot_write(struct log *log, struct model *model, int64_t time)
{
	struct snapshot snapshot = { .log = log, .model = model, .time = time };

	record_begin(&snapshot.record);
	for (struct inode *inode = inode_first(model);
	     inode && !snapshot.err; inode = inode_next(inode))
		snapshot_add_inode(&snapshot, inode);
	snapshot_add_names(&snapshot);
	snapshot_add_waits(&snapshot);
	snapshot_add_hosts(&snapshot);
	snapshot_add_end(&snapshot);
	log->snapshot = log->tail;
	record_free(&snapshot.record);
	return snapshot.err;
}
