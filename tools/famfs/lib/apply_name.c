// SPDX-License-Identifier: GPL-2.0
/*
 * Applying items to the model: names, hosts, what waits, and what holds of
 * whole records and snapshots.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "apply.h"
#include "mutant.h"

static bool text_is_name(const struct text *text)
{
	const char *at = text->at;

	if (!text->bytes || memchr(at, '/', text->bytes) ||
	    memchr(at, '\0', text->bytes))
		return false;
	return !(at[0] == '.' && (text->bytes == 1 ||
				  (text->bytes == 2 && at[1] == '.')));
}

/*
 * Is @inode the root, or below it? Not when it is @without, or below that.
 *
 * Only of directories that are moved: what is empty has nothing below it, and
 * what has a name is below the root, but for what a record has on its way.
 */
static bool inode_is_linked(const struct inode *inode,
			    const struct inode *without)
{
	while (inode->ino != ROOT_INO) {
		struct name *name = LIST_FIRST(&inode->names);

		if (inode == without || !name)
			return false;
		inode = name->parent;
	}
	return true;
}

/* A clock that stands, or goes back a little, must not hide a change. */
static void inode_touch(struct inode *inode, int64_t time)
{
	int64_t last = inode->attr.mtime;

	if (time <= last && last < INT64_MAX &&
	    (uint64_t)last - (uint64_t)time < 1000000000)
		time = last + 1;
	inode->attr.mtime = time;
	inode->attr.ctime = time;
}

static const char *name_wrong(struct model *model,
			      const struct application *application,
			      const struct item *item, struct inode *parent,
			      struct inode *inode)
{
	uint64_t cookie = item->name.cookie;

	if (!inode || !parent)
		return "there is no such inode";
	if (WRONG(NAME_IN_DIRECTORY, !inode_is_directory(parent)))
		return "its parent is no directory";
	if (WRONG(NAME_IS_TEXT, !text_is_name(&item->name.text)))
		return "the text cannot be a name";
	if (WRONG(NAME_NOT_OF_ROOT, item->ino == ROOT_INO))
		return "it names the root";
	if (WRONG(NAME_COOKIE_NEW, !cookie || cookie >= INT64_MAX ||
		  (!application->snapshot && cookie < model->next_cookie) ||
		  name_find_cookie(parent, cookie)))
		return "the cookie is used up";
	if (WRONG(NAME_IS_NEW, name_find(parent, &item->name.text)))
		return "the name is there already";
	if (WRONG(NAME_DIRECTORY_ONCE, inode_is_directory(inode) &&
		  inode->links))
		return "the directory has another name";
	if (WRONG(NAME_NO_LOOP, inode_is_directory(inode) &&
		  inode->directory->count &&
		  !inode_is_linked(parent, inode)))
		return "it would hang in the air, or in itself";
	if (WRONG(NAME_PARENT_LINKED, parent->ino != ROOT_INO &&
		  !parent->links))
		return "its parent has been removed";
	if (WRONG(NAME_HAS_TARGET, S_ISLNK(inode->attr.mode) &&
		  !inode->target))
		return "the link has no target";
	if (WRONG(NAME_LINK_COUNT, inode->links == UINT32_MAX))
		return "the inode has too many names";
	return NULL;
}

int name_apply(struct model *model, const struct application *application,
	       const struct item *item)
{
	struct inode *parent = inode_find(model, item->name.parent);
	struct inode *inode = inode_find(model, item->ino);
	const char *wrong = name_wrong(model, application, item, parent,
				       inode);

	if (wrong)
		return apply_fail(application, item, wrong);
	if (!name_make(model, parent, inode, &item->name.text,
		       item->name.cookie))
		return -ENOMEM;
	if (item->name.cookie >= model->next_cookie)
		model->next_cookie = item->name.cookie + 1;
	if (!application->snapshot) {
		inode_touch(parent, application->time);
		inode->attr.ctime = application->time;
	}
	return 0;
}

int unname_apply(struct model *model, const struct application *application,
		 const struct item *item)
{
	struct inode *parent = inode_find(model, item->unname.parent);
	struct name *name = NULL;

	if (parent && inode_is_directory(parent))
		name = name_find_cookie(parent, item->unname.cookie);
	if (!name || application->snapshot)
		return apply_fail(application, item, "there is no such name");
	name->inode->attr.ctime = application->time;
	name_destroy(model, name, application->seq);
	inode_touch(parent, application->time);
	return 0;
}

int host_apply(struct model *model, const struct application *application,
	       const struct item *item)
{
	struct host *host;

	if (WRONG(HOST_SLOT_IS, item->host.slot >= SLOT_COUNT))
		return apply_fail(application, item, "there is no such slot");
	if (WRONG(HOST_STATE_KNOWN, item->host.state > HOST_STATE_EXPELLED))
		return apply_fail(application, item, "the state is unknown");
	host = &model->hosts[item->host.slot];
	memset(host, 0, sizeof(*host));
	host->state = item->host.state;
	memcpy(host->uuid, item->host.uuid, 16);
	host->nonce = item->host.nonce;
	memcpy(host->name, item->host.name.at, item->host.name.bytes);
	return 0;
}

int wait_apply(struct model *model, const struct application *application,
	       const struct item *item)
{
	struct inode *inode = inode_find(model, item->ino);
	int err;

	if (!inode || !application->snapshot)
		return apply_fail(application, item, "there is no such inode");
	if (item->wait.flags != WAIT_HAS_EXTENT) {
		if (WRONG(WAIT_HAS_NO_NAME, inode->links ||
			  item->wait.flags))
			return apply_fail(application, item, "it has a name");
		inode->released = item->wait.seq;
		return 0;
	}
	if (WRONG(WAIT_IN_DATA, item->wait.device ||
		  !space_has(&model->space, item->wait.offset,
			     item->wait.bytes)))
		return apply_fail(application, item, "it lies outside the data");
	err = space_wait_new(&model->space, item->wait.offset,
			     item->wait.bytes, item->ino, item->wait.seq);
	return err == -EEXIST ?
	       apply_fail(application, item, "a file has it") : err;
}

int model_check(struct model *model, const struct application *application)
{
	struct item item = { .type = ITEM_UNNAME_TYPE };
	struct inode *inode;

	/* What this record has removed stands at the end. */
	TAILQ_FOREACH_REVERSE(inode, &model->removed, inode_list, removed) {
		item.ino = inode->ino;
		if (inode->released && inode->released != application->seq)
			break;
		if (WRONG(REMOVED_IS_EMPTY, inode_is_directory(inode) &&
			  inode->directory->count))
			return apply_fail(application, &item,
					  "the directory is not empty");
		inode->released = application->seq;
	}
	if (WRONG(ROOT_IS_THERE, !inode_find(model, ROOT_INO)))
		return apply_fail(application, &item, "there is no root");
	return 0;
}

/* What a whole snapshot must say of each inode. */
static const char *inode_wrong(const struct inode *inode)
{
	if (WRONG(SNAPSHOT_SIZES, inode_is_regular(inode) &&
		  inode->attr.size > inode->mapped))
		return "a file is larger than its map";
	if (WRONG(SNAPSHOT_REMOVED, !inode->links && !inode->released &&
		  inode->ino != ROOT_INO))
		return "an inode has no name and was not removed";
	return NULL;
}

int model_check_snapshot(struct model *model,
			 const struct application *application,
			 const struct item *end)
{
	const char *wrong = NULL;

	if (WRONG(END_IN_SNAPSHOT, !application->snapshot))
		wrong = "it stands in no snapshot";
	else if (WRONG(END_COUNTS, end->end.inodes != model->inode_count ||
		       end->end.names != model->name_count ||
		       end->end.extents != model->extent_count ||
		       end->end.waits != model->space.wait_count))
		wrong = "the counts are others";
	else if (WRONG(END_NEXTS, end->end.next_ino < model->next_ino ||
		       end->end.next_cookie < model->next_cookie))
		wrong = "numbers would be given twice";
	else if (WRONG(END_MOST, end->end.next_cookie > INT64_MAX))
		wrong = "there are no more cookies";
	for (struct inode *inode = inode_first(model); inode && !wrong;
	     inode = inode_next(inode))
		wrong = inode_wrong(inode);
	if (wrong)
		return apply_fail(application, end, wrong);
	model->next_ino = end->end.next_ino;
	model->next_cookie = end->end.next_cookie;
	model->ended = true;
	return model_check(model, application);
}

uint64_t model_let_go(struct model *model, uint64_t ino, uint64_t seq)
{
	return space_let_go(&model->space, ino, seq);
}
