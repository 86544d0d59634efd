// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: which pages of a device belong to which file.
 *
 * fs/dax.c keeps the file that a page belongs to in the page itself, so a page
 * that stood in two places would corrupt both.  Each map therefore claims its
 * pages before anyone can see it.  The claims also lead from a failing page to
 * the file that it hurts.
 *
 * Extents that follow one another on a device make one claim.
 */

#include "famfs.h"

#include <linux/maple_tree.h>
#include <linux/sched/mm.h>

/**
 * struct famfs_claims - a walk over the claims of a map
 * @devs: device table
 * @only: the only device to look at, or NULL for all
 * @inode: the claiming file, or NULL to give the claims up
 * @run: device range gathered so far
 * @done: claims made
 * @limit: claims to give up at most
 */
struct famfs_claims {
	struct famfs_daxdev **devs;
	const struct famfs_daxdev *only;
	struct inode *inode;
	struct famfs_range run;
	u64 done;
	u64 limit;
};

static int famfs_claim_run(struct famfs_claims *c)
{
	struct famfs_daxdev *dev = c->devs[c->run.dev];
	unsigned long first = c->run.addr >> PAGE_SHIFT;
	unsigned long last = (c->run.addr + c->run.len - 1) >> PAGE_SHIFT;
	int err;

	if (!c->run.len || (c->only && c->only != dev))
		return 0;
	if (!c->inode) {
		if (c->done++ == c->limit)
			return 1;
		/* Cannot fail: the claim would outlive the inode. */
		mtree_store_range(&dev->claims, first, last, NULL,
				  GFP_KERNEL | __GFP_NOFAIL);
		return 0;
	}
	if (READ_ONCE(dev->dead))
		return -EIO;
	err = mtree_insert_range(&dev->claims, first, last, c->inode,
				 GFP_KERNEL);
	if (err == -EEXIST) {
		pr_debug("fmap refused: pages %#lx-%#lx of device %u are taken\n",
			 first, last, dev->index);
		return -EBUSY;
	}
	if (!err)
		c->done++;
	return err;
}

static int famfs_claim_range(const struct famfs_range *range, void *data)
{
	struct famfs_claims *c = data;
	int err;

	if (c->run.len && c->run.dev == range->dev &&
	    c->run.addr + c->run.len == range->addr) {
		c->run.len += range->len;
		return 0;
	}
	err = famfs_claim_run(c);
	c->run = *range;
	return err;
}

static int famfs_claim_walk(const struct famfs_map *map, struct famfs_claims *c)
{
	int err = famfs_map_walk(map, famfs_claim_range, c);

	return err ?: famfs_claim_run(c);
}

static void famfs_unclaim_some(const struct famfs_map *map,
			       const struct famfs_daxdev *only, u64 limit)
{
	struct famfs_claims c = {
		.devs	= map->devs,
		.only	= only,
		.limit	= limit,
	};

	famfs_claim_walk(map, &c);
}

/**
 * famfs_claim() - claim the pages of a map for a file
 * @conn: the connection's devices
 * @inode: the file
 * @map: its map, with devices
 *
 * Return: 0, -EBUSY if a page is claimed already, for another file or twice
 * in @map, -EIO if a device has gone, -ENOMEM.
 */
int famfs_claim(struct famfs_conn *conn, struct inode *inode,
		const struct famfs_map *map)
{
	struct famfs_claims c = {
		.devs	= map->devs,
		.inode	= inode,
	};
	unsigned int nofs;
	int err;

	mutex_lock(&conn->lock);
	nofs = memalloc_nofs_save();
	err = famfs_claim_walk(map, &c);
	if (err)
		famfs_unclaim_some(map, NULL, c.done);
	memalloc_nofs_restore(nofs);
	mutex_unlock(&conn->lock);
	return err;
}

/**
 * famfs_unclaim() - give up the claims of a map
 * @conn: the connection's devices
 * @map: a map that has been claimed
 * @only: the device to give up, or NULL for all
 *
 * Giving up what has been given up does no harm as long as nobody else can
 * have claimed it since, which holds for devices that are gone.
 */
void famfs_unclaim(struct famfs_conn *conn, const struct famfs_map *map,
		   const struct famfs_daxdev *only)
{
	unsigned int nofs;

	mutex_lock(&conn->lock);
	nofs = memalloc_nofs_save();
	famfs_unclaim_some(map, only, U64_MAX);
	memalloc_nofs_restore(nofs);
	mutex_unlock(&conn->lock);
	wake_up_all(&conn->claimed);
}
