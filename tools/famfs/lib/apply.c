// SPDX-License-Identifier: GPL-2.0
/*
 * Applying items to the model: inodes, space, and the dispatch.
 *
 * An item can come from a hostile medium: nothing that it says is believed
 * before it has been compared with the model. A crc proves no meaning.
 */

#include "apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mutant.h"

int apply_fail(const struct application *application, const struct item *item,
	       const char *text)
{
	static const char *const names[] = {
#define ITEM_TYPE_NAME(type, number, bytes) [number] = #type,
		ITEM_TYPES(ITEM_TYPE_NAME)
	};

	return fault_set(application->fault, -EUCLEAN, FAULT_CONTENT,
			 application->where, "record %llu, %s of inode %llu: %s",
			 (unsigned long long)application->seq,
			 names[item->type], (unsigned long long)item->ino,
			 text);
}

static bool mode_is_known(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: case S_IFDIR: case S_IFLNK: case S_IFCHR: case S_IFBLK:
	case S_IFIFO: case S_IFSOCK:
		return !(mode & ~(S_IFMT | 07777u));
	}
	return false;
}

static int inode_replace(struct inode *inode,
			 const struct application *application,
			 const struct item *item)
{
	if (WRONG(INODE_KEEPS_TYPE, application->snapshot ||
		  (inode->attr.mode ^ item->inode.mode) & S_IFMT))
		return apply_fail(application, item, "there is another one");
	if (WRONG(INODE_KEEPS_SIZE, item->inode.size != inode->attr.size))
		return apply_fail(application, item, "it changes the size");
	inode->attr = item->inode;
	return 0;
}

static int inode_apply(struct model *model,
		       const struct application *application,
		       const struct item *item)
{
	struct inode *inode = inode_find(model, item->ino);

	if (WRONG(INODE_MODE_KNOWN, !mode_is_known(item->inode.mode)))
		return apply_fail(application, item, "it has no known type");
	if (inode)
		return inode_replace(inode, application, item);
	if (WRONG(INODE_NUMBER_NEW, !item->ino || item->ino == UINT64_MAX ||
		  (!application->snapshot && item->ino < model->next_ino)))
		return apply_fail(application, item, "the number is used up");
	if (WRONG(INODE_ROOT_DIRECTORY, item->ino == ROOT_INO &&
		  !S_ISDIR(item->inode.mode)))
		return apply_fail(application, item, "the root is no directory");
	if (WRONG(INODE_STARTS_EMPTY, !application->snapshot &&
		  item->inode.size))
		return apply_fail(application, item, "it begins with a size");
	if (!inode_make(model, item->ino, &item->inode))
		return -ENOMEM;
	if (item->ino >= model->next_ino)
		model->next_ino = item->ino + 1;
	return 0;
}

static struct inode *regular_find(struct model *model,
				  const struct application *application,
				  const struct item *item)
{
	struct inode *inode = inode_find(model, item->ino);

	if (WRONG(FILE_IS_REGULAR, inode && !inode_is_regular(inode)))
		inode = NULL;
	if (!inode)
		apply_fail(application, item, "there is no such file");
	return inode;
}

static int extent_apply(struct model *model,
			const struct application *application,
			const struct item *item)
{
	struct inode *inode = regular_find(model, application, item);
	int err;

	if (!inode)
		return -EUCLEAN;
	if (WRONG(EXTENT_DEVICE_KNOWN, item->extent.device))
		return apply_fail(application, item, "the device is unknown");
	if (WRONG(EXTENT_IN_DATA, !space_has(&model->space,
					      item->extent.offset,
					      item->extent.bytes)))
		return apply_fail(application, item, "it lies outside the data");
	err = space_take(&model->space, item->extent.offset,
			 item->extent.bytes);
	if (err == -EEXIST)
		return apply_fail(application, item, "another file has it");
	if (err)
		return err;
	return inode_extend(model, inode, item->extent.offset,
			    item->extent.bytes);
}

static int cut_apply(struct model *model,
		     const struct application *application,
		     const struct item *item)
{
	struct inode *inode = regular_find(model, application, item);
	uint64_t mapped = item->cut.mapped;

	if (!inode)
		return -EUCLEAN;
	if (WRONG(CUT_SHRINKS, mapped > inode->mapped))
		return apply_fail(application, item, "it cuts more than there is");
	if (WRONG(CUT_AT_UNIT, mapped % model->space.unit))
		return apply_fail(application, item, "it cuts through a unit");
	if (inode->attr.size > mapped)
		inode->attr.size = mapped;
	return inode_cut(model, inode, mapped, application->seq);
}

static int size_apply(struct model *model,
		      const struct application *application,
		      const struct item *item)
{
	struct inode *inode = regular_find(model, application, item);

	if (!inode)
		return -EUCLEAN;
	if (WRONG(SIZE_IS_MAPPED, item->size.bytes > inode->mapped))
		return apply_fail(application, item, "it is larger than the map");
	inode->attr.size = item->size.bytes;
	inode->attr.mtime = item->size.mtime;
	inode->attr.ctime = item->size.ctime;
	return 0;
}

static int xattr_apply(struct model *model,
		       const struct application *application,
		       const struct item *item)
{
	struct inode *inode = inode_find(model, item->ino);
	const struct text *name = &item->xattr.name;
	struct xattr *xattr;

	if (!inode)
		return apply_fail(application, item, "there is no such inode");
	if (WRONG(XATTR_HAS_NAME, !name->bytes ||
		  memchr(name->at, '\0', name->bytes)))
		return apply_fail(application, item, "the name cannot be");
	if (!application->snapshot)
		inode->attr.ctime = application->time;
	if (!item->xattr.flags)
		return xattr_put(model, inode, name, &item->xattr.value);
	xattr = xattr_find(inode, name);
	if (!xattr || item->xattr.flags != XATTR_REMOVED)
		return apply_fail(application, item, "there is nothing to remove");
	xattr_remove(model, inode, xattr);
	return 0;
}

static int target_apply(struct model *model,
			const struct application *application,
			const struct item *item)
{
	struct inode *inode = inode_find(model, item->ino);
	const struct text *text = &item->target.text;

	if (WRONG(TARGET_ONCE, !inode || !S_ISLNK(inode->attr.mode) ||
		  inode->target))
		return apply_fail(application, item, "no link waits for one");
	if (WRONG(TARGET_IS_TEXT, !text->bytes ||
		  memchr(text->at, '\0', text->bytes)))
		return apply_fail(application, item, "the text cannot be");
	inode->target = malloc(text->bytes);
	if (!inode->target)
		return -ENOMEM;
	memcpy(inode->target, text->at, text->bytes);
	inode->attr.size = text->bytes;
	model->snapshot_bytes += target_snapshot_bytes(text->bytes);
	return 0;
}

static int gone_apply(struct model *model,
		      const struct application *application,
		      const struct item *item)
{
	struct inode *inode = inode_find(model, item->ino);

	if (WRONG(GONE_HAS_NO_NAME, !inode || inode->links ||
		  item->ino == ROOT_INO))
		return apply_fail(application, item, "it has names, or is none");
	/* What it has would keep a parent that is not there any more. */
	if (WRONG(GONE_IS_EMPTY, inode_is_directory(inode) &&
		  inode->directory->count))
		return apply_fail(application, item, "the directory is not empty");
	/* Who has let go of the inode has let go of all that it was cut off. */
	space_let_go(&model->space, item->ino, application->seq);
	inode_destroy(model, inode);
	return 0;
}

int model_apply(struct model *model, const struct application *application,
		const struct item *item)
{
	if (WRONG(SNAPSHOT_HAS_ENDED, application->snapshot && model->ended))
		return apply_fail(application, item, "the snapshot has ended");
	switch (item->type) {
	case ITEM_INODE_TYPE:
		return inode_apply(model, application, item);
	case ITEM_NAME_TYPE:
		return name_apply(model, application, item);
	case ITEM_UNNAME_TYPE:
		return unname_apply(model, application, item);
	case ITEM_EXTENT_TYPE:
		return extent_apply(model, application, item);
	case ITEM_CUT_TYPE:
		return cut_apply(model, application, item);
	case ITEM_SIZE_TYPE:
		return size_apply(model, application, item);
	case ITEM_XATTR_TYPE:
		return xattr_apply(model, application, item);
	case ITEM_TARGET_TYPE:
		return target_apply(model, application, item);
	case ITEM_GONE_TYPE:
		return gone_apply(model, application, item);
	case ITEM_HOST_TYPE:
		return host_apply(model, application, item);
	case ITEM_WAIT_TYPE:
		return wait_apply(model, application, item);
	case ITEM_END_TYPE:
		return model_check_snapshot(model, application, item);
	}
	return -EUCLEAN;
}
