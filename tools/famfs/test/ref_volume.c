// SPDX-License-Identifier: GPL-2.0
/*
 * The reference and a volume: the same operations, the same contents.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "layout.h"
#include "ref.h"

static int ref_create(const struct ref *ref, struct ref_op *op,
		      struct volume *volume, const struct op *how)
{
	struct volume_node node = { .mode = S_IFREG | 0644 };
	uint64_t parent = ref->nodes[op->parent].ino;
	const char *text = ref_text(op->text);
	struct volume_attr attr;
	int err;

	if (op->kind == REF_MKDIR)
		node.mode = S_IFDIR | 0755;
	else if (op->kind == REF_SYMLINK)
		node.mode = S_IFLNK | 0777;
	else
		node.map = op->number % 3 * 4096;
	node.target = ref_text(op->text2);
	err = volume_create(volume, how, parent,
			    op->kind == REF_TMPFILE ? NULL : text, &node,
			    &attr);
	if (!err)
		op->made = attr.ino;
	return err;
}

static int ref_setattr(const struct ref_op *op, struct volume *volume,
		       const struct op *how, uint64_t ino)
{
	struct attr attr = { .mode = op->number & 07777, .uid = op->number };

	return volume_setattr(volume, how, ino, VOLUME_MODE | VOLUME_UID, &attr,
			      NULL);
}

static int ref_tell(struct ref_op *op, struct volume *volume,
		    const struct op *how, uint64_t ino)
{
	struct volume_attr attr;

	/* Only what is mapped can be told. */
	if (!volume_getattr(volume, ino, &attr) && op->number > attr.mapped)
		op->number = (uint32_t)attr.mapped;
	return volume_tell(volume, how, ino, op->number, NULL);
}

static int ref_setxattr(const struct ref_op *op, struct volume *volume,
			const struct op *how, uint64_t ino)
{
	uint32_t value = op->number | 1;

	return volume_setxattr(volume, how, ino, "user.x", &value,
			       sizeof(value), 0);
}

static int ref_rename_volume(const struct ref *ref, const struct ref_op *op,
			     struct volume *volume, const struct op *how)
{
	return volume_rename(volume, how, ref->nodes[op->parent].ino,
			     ref_text(op->text), ref->nodes[op->parent2].ino,
			     ref_text(op->text2), op->flags, NULL);
}

int ref_do_volume(const struct ref *ref, struct ref_op *op,
		  struct volume *volume, int64_t now)
{
	struct op how = { .now = now, .unique = (uint64_t)now };
	uint64_t ino = ref->nodes[op->node].ino;
	uint64_t parent = ref->nodes[op->parent].ino;
	const char *text = ref_text(op->text);

	switch (op->kind) {
	case REF_CREATE: case REF_MKDIR: case REF_SYMLINK: case REF_TMPFILE:
		return ref_create(ref, op, volume, &how);
	case REF_LINK:
		return volume_link(volume, &how, ino, parent, text, NULL);
	case REF_UNLINK:
		return volume_unlink(volume, &how, parent, text, NULL);
	case REF_RMDIR:
		return volume_rmdir(volume, &how, parent, text, NULL);
	case REF_RENAME:
		return ref_rename_volume(ref, op, volume, &how);
	case REF_CHMOD:
		return ref_setattr(op, volume, &how, ino);
	case REF_TRUNCATE:
		return volume_truncate(volume, &how, ino, op->number, NULL);
	case REF_MAP:
		return volume_map(volume, &how, ino, op->number, op->flags,
				  NULL);
	case REF_TELL:
		return ref_tell(op, volume, &how, ino);
	case REF_TRIM:
		return volume_trim(volume, &how, ino, NULL);
	case REF_SETXATTR:
		return ref_setxattr(op, volume, &how, ino);
	case REF_REMOVEXATTR:
		return volume_removexattr(volume, &how, ino, "user.x");
	case REF_GONE:
		return volume_gone(volume, &how, ino);
	case REF_LET_GO:
		return volume_let_go(volume, ino, UINT64_MAX);
	case REF_COMPACT:
		return volume_compact(volume, now);
	case REF_KINDS:
		break;
	}
	return 0;
}

static const char *ref_compare_node(const struct ref_node *node,
				    struct volume *volume)
{
	struct volume_attr attr;
	uint32_t value = 0;
	int bytes;

	if (volume_getattr(volume, node->ino, &attr))
		return "an inode is missing";
	if (attr.attr.mode != node->mode || attr.attr.uid != node->uid)
		return "an inode has another mode or owner";
	if (!S_ISDIR(node->mode) && attr.attr.size != node->size)
		return "a file has another size";
	if (S_ISREG(node->mode) && attr.mapped < node->size)
		return "a file is not mapped";
	if (!S_ISDIR(node->mode) && attr.links != node->links)
		return "an inode has another number of links";
	bytes = volume_getxattr(volume, node->ino, "user.x", &value, 4);
	if (node->xattr ? bytes != 4 || value != node->xattr : bytes > 0)
		return "an inode has another xattr";
	return NULL;
}

const char *ref_compare(const struct ref *ref, struct volume *volume)
{
	uint64_t inodes = 0, names = 0;
	struct volume_stat stat;

	volume_statfs(volume, &stat);
	for (int i = 0; i < REF_NAMES; i++)
		names += ref->names[i].used;
	for (int i = 0; i < REF_NODES; i++)
		inodes += ref->nodes[i].ino != 0;
	if (stat.inodes != inodes || stat.names != names)
		return "there are more or fewer inodes or names";
	for (int i = 0; i < REF_NODES; i++) {
		const char *wrong;

		if (!ref->nodes[i].ino)
			continue;
		wrong = ref_compare_node(&ref->nodes[i], volume);
		if (wrong)
			return wrong;
	}
	for (int i = 0; i < REF_NAMES; i++) {
		const struct ref_name *name = &ref->names[i];
		struct volume_attr attr;

		if (!name->used)
			continue;
		if (volume_lookup(volume, ref->nodes[name->parent].ino,
				  ref_text(name->text), &attr) ||
		    attr.ino != ref->nodes[name->node].ino)
			return "a name is missing, or is another's";
	}
	return NULL;
}

struct ref_space {
	uint64_t start;
	uint8_t used[4096];	/* of each 4 KiB */
	const char *wrong;
	uint64_t bytes;
};

static void ref_mark(struct ref_space *space, uint64_t offset, uint64_t bytes)
{
	space->bytes += bytes;
	for (; bytes; bytes -= 4096, offset += 4096) {
		uint8_t *used = &space->used[(offset - space->start) / 4096];

		if (*used)
			space->wrong = "two files have the same byte";
		*used = 1;
	}
}

static int ref_add_waiting(void *context, const struct volume_waiting *waiting)
{
	struct ref_space *space = context;

	/* What removed inodes have was counted with the files. */
	if (!waiting->removed)
		space->bytes += waiting->bytes;
	return 0;
}

const char *ref_check_space(struct volume *volume, uint64_t start,
			    uint64_t end)
{
	struct ref_space space = { .start = start };
	struct volume_stat stat;
	uint64_t inodes = 0;

	volume_statfs(volume, &stat);
	for (uint64_t ino = 1; inodes < stat.inodes && ino < 100000; ino++) {
		struct volume_extent list[64];
		struct volume_attr attr;
		uint32_t count;

		inodes += !volume_getattr(volume, ino, &attr);
		if (volume_extents(volume, ino, list, 64, &count))
			continue;
		for (uint32_t i = 0; i < count && i < 64; i++)
			ref_mark(&space, list[i].offset, list[i].bytes);
	}
	volume_each_waiting(volume, ref_add_waiting, &space);
	if (!space.wrong && space.bytes + stat.free != stat.total)
		space.wrong = "space has got lost";
	if (!space.wrong && stat.total != end - start)
		space.wrong = "the device has another size";
	return space.wrong;
}
