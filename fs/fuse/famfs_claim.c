// SPDX-License-Identifier: GPL-2.0
/*
 * famfs: which pages of a device belong to which file.
 *
 * fs/dax.c keeps the file that a page belongs to in the page itself, so a page
 * in two places would corrupt both.  Each fmap therefore claims its pages
 * before it is published.  Claims are also the reverse map, from a failing page
 * to the file that has it.
 *
 * Claims are allocated with their fmap, so that neither replacing nor restoring
 * an fmap can fail half way.  Extents that follow one another on a device make
 * one claim.
 *
 * interval_tree_generic.h is for intervals that may overlap: finding out that
 * none does is a walk of its own, which makes the installation of an fmap with
 * a million extents 27 % slower (770 instructions an extent instead of 606).
 */

#include "famfs.h"

#include <linux/overflow.h>
#include <linux/rbtree.h>
#include <linux/sched.h>

/* Device offsets are signed, which leaves bits for the slot above them. */
#define FAMFS_CLAIM_DEV_SHIFT	(63 - PAGE_SHIFT)

static_assert(FAMFS_DEVS_MAX <= 1ULL << (64 - FAMFS_CLAIM_DEV_SHIFT));

/**
 * struct famfs_claim - pages of a device that a file takes up
 * @node: in &famfs_conn.claims, or cleared if the claim was dropped
 * @first: first page, counted from the first page of slot 0
 * @nr: number of pages
 * @index: of this claim among those of its fmap
 */
struct famfs_claim {
	struct rb_node node;
	u64 first;
	u32 nr;
	u32 index;
};

/**
 * struct famfs_claims - the claims of an fmap
 * @inode: the file
 * @nr: number of claims
 * @claims: the claims, in the fmap's order
 */
struct famfs_claims {
	struct inode *inode;
	u32 nr;
	struct famfs_claim claims[] __counted_by(nr);
};

/**
 * struct famfs_claim_walk - a walk that collects the claims of an fmap
 * @conn: the connection's devices
 * @out: where to put the claims, or NULL to check and count them
 * @nr: number of claims so far
 * @next: page after the last claim
 * @room: pages that the last claim can still take
 */
struct famfs_claim_walk {
	struct famfs_conn *conn;
	struct famfs_claims *out;
	u64 nr;
	u64 next;
	u32 room;
};

static u64 famfs_claim_key(u32 dev, u64 addr)
{
	return ((u64)dev << FAMFS_CLAIM_DEV_SHIFT) + (addr >> PAGE_SHIFT);
}

static u32 famfs_claim_dev(const struct famfs_claim *claim)
{
	return claim->first >> FAMFS_CLAIM_DEV_SHIFT;
}

static struct inode *famfs_claim_inode(struct famfs_claim *claim)
{
	struct famfs_claim *first = claim - claim->index;

	return container_of(first, struct famfs_claims, claims[0])->inode;
}

static void famfs_claim_add_run(struct famfs_claim_walk *g, u64 first, u32 nr)
{
	bool joins = g->next == first && g->room >= nr;

	if (g->out && joins) {
		g->out->claims[g->nr - 1].nr += nr;
	} else if (g->out) {
		g->out->claims[g->nr].first = first;
		g->out->claims[g->nr].nr = nr;
		g->out->claims[g->nr].index = g->nr;
	}
	if (!joins) {
		g->nr++;
		g->room = U32_MAX;
	}
	g->room -= nr;
	g->next = first + nr;
}

static int famfs_claim_add_range(const struct famfs_range *range, void *data)
{
	u64 first = famfs_claim_key(range->dev, range->addr);
	u64 pages = range->len >> PAGE_SHIFT;

	while (pages) {
		u32 nr = min(pages, U32_MAX);

		famfs_claim_add_run(data, first, nr);
		first += nr;
		pages -= nr;
	}
	return 0;
}

static int famfs_daxdev_check_end(const struct famfs_daxdev *dev, u64 end)
{
	if (READ_ONCE(dev->dead))
		return -EIO;
	return end > dev->size ? -ERANGE : 0;
}

static int famfs_claim_check_range(const struct famfs_range *range, void *data)
{
	struct famfs_claim_walk *g = data;
	int err;

	err = famfs_daxdev_check_end(g->conn->devs[range->dev],
				     range->addr + range->len);
	if (err) {
		pr_debug("fmap refused: %#llx bytes at %#llx of device %u: error %d\n",
			 range->len, range->addr, range->dev, err);
		return err;
	}
	return famfs_claim_add_range(range, data);
}

/**
 * famfs_claims_alloc() - allocate the claims of an fmap
 * @conn: the connection's devices
 * @inode: the file
 * @map: its fmap, after famfs_daxdevs_resolve(); owns the claims afterwards
 *
 * Takes 40 bytes for each run of pages, charged to the caller.
 *
 * Return: 0, -EIO for a dead device, -ERANGE for an extent outside its device,
 * -ENOMEM.
 */
int famfs_claims_alloc(struct famfs_conn *conn, struct inode *inode,
		       struct famfs_map *map)
{
	struct famfs_claim_walk count = { .conn = conn, .next = U64_MAX };
	struct famfs_claim_walk fill = { .next = U64_MAX };
	struct famfs_claims *claims;
	int err;

	scoped_guard(mutex, &conn->lock)
		err = famfs_map_walk(map, famfs_claim_check_range, &count);
	if (err)
		return err;

	claims = famfs_map_kvmalloc(struct_size(claims, claims, count.nr));
	if (!claims)
		return -ENOMEM;
	claims->inode = inode;
	claims->nr = count.nr;
	fill.out = claims;
	famfs_map_walk(map, famfs_claim_add_range, &fill);
	map->claims = claims;
	map->claimed = map->mapped;
	return 0;
}

/* Insert @claim; returns false if one of its pages is claimed. */
static bool famfs_claim_insert(struct rb_root *root, struct famfs_claim *claim)
{
	struct rb_node **link = &root->rb_node, *parent = NULL;

	while (*link) {
		const struct famfs_claim *there =
			rb_entry(*link, struct famfs_claim, node);

		parent = *link;
		if (claim->first + claim->nr <= there->first)
			link = &parent->rb_left;
		else if (there->first + there->nr <= claim->first)
			link = &parent->rb_right;
		else
			return false;
	}
	rb_link_node(&claim->node, parent, link);
	rb_insert_color(&claim->node, root);
	return true;
}

/* The device may have died since the claims were collected. */
static int famfs_claim_one(struct famfs_conn *conn, struct famfs_claim *claim)
{
	u32 slot = famfs_claim_dev(claim);
	u64 first = claim->first - famfs_claim_key(slot, 0);
	struct famfs_daxdev *dev = conn->devs[slot];
	int err;

	lockdep_assert_held(&conn->lock);
	err = famfs_daxdev_check_end(dev, (first + claim->nr) << PAGE_SHIFT);
	if (err)
		return err;
	if (!famfs_claim_insert(&conn->claims, claim)) {
		pr_debug("fmap refused: pages %#llx-%#llx of device %u are taken\n",
			 first, first + claim->nr - 1, slot);
		return -EEXIST;
	}
	dev->nr_claims++;
	return 0;
}

/*
 * Nodes are not cleared, so that famfs_claim_restore() can insert them again.
 */
static void famfs_unclaim_span(struct famfs_conn *conn,
			       struct famfs_claims *claims, u32 first, u32 end)
{
	u32 i;

	lockdep_assert_held(&conn->lock);
	for (i = first; i < end; i++) {
		struct famfs_claim *claim = &claims->claims[i];
		struct famfs_daxdev *dev = conn->devs[famfs_claim_dev(claim)];

		if (RB_EMPTY_NODE(&claim->node))
			continue;
		rb_erase(&claim->node, &conn->claims);
		dev->nr_claims--;
		cond_resched();
	}
}

static int famfs_claim_all(struct famfs_conn *conn, struct famfs_map *map)
{
	struct famfs_claims *claims = map->claims;
	int err = 0;
	u32 i;

	for (i = 0; i < claims->nr; i++) {
		struct famfs_claim *claim = &claims->claims[i];

		err = famfs_claim_one(conn, claim);
		if (err)
			break;
		map->readonly |= conn->devs[famfs_claim_dev(claim)]->readonly;
		cond_resched();
	}
	if (err)
		famfs_unclaim_span(conn, claims, 0, i);
	return err;
}

/* conn->lock was held throughout, so these insertions cannot fail. */
static void famfs_claim_restore(struct famfs_conn *conn,
				struct famfs_claims *claims)
{
	u32 i;

	lockdep_assert_held(&conn->lock);
	for (i = 0; i < claims->nr; i++) {
		struct famfs_claim *claim = &claims->claims[i];
		struct famfs_daxdev *dev = conn->devs[famfs_claim_dev(claim)];

		if (RB_EMPTY_NODE(&claim->node))
			continue;
		famfs_claim_insert(&conn->claims, claim);
		dev->nr_claims++;
		cond_resched();
	}
}

/* Neither I/O nor faults use the fmap while its claims change. */
static void famfs_claims_assert_locked(const struct famfs_map *map)
{
	struct address_space *mapping = map->claims->inode->i_mapping;

	lockdep_assert_held_write(&mapping->invalidate_lock);
}

/**
 * famfs_claim_map() - claim the pages of an fmap for a file
 * @conn: the connection's devices
 * @map: the fmap, after famfs_claims_alloc()
 * @old: the fmap that it replaces, whose claims are dropped, or NULL
 *
 * Rechecks that the devices are alive.
 *
 * Context: The inode's invalidate_lock is held for writing until @map is
 * published.
 * Return: 0, -EEXIST if a page is claimed by another file or twice in @map,
 * -EIO for a dead device.  After errors @old has its claims.
 */
int famfs_claim_map(struct famfs_conn *conn, struct famfs_map *map,
		    struct famfs_map *old)
{
	int err;

	famfs_claims_assert_locked(map);
	mutex_lock(&conn->lock);
	if (old)
		famfs_unclaim_span(conn, old->claims, 0, old->claims->nr);
	err = famfs_claim_all(conn, map);
	if (err && old)
		famfs_claim_restore(conn, old->claims);
	mutex_unlock(&conn->lock);
	wake_up_all(&conn->claimed);
	return err;
}

/**
 * famfs_unclaim_map() - drop the claims of an fmap
 * @conn: the connection's devices
 * @map: a claimed fmap, not in use any more
 */
void famfs_unclaim_map(struct famfs_conn *conn, struct famfs_map *map)
{
	mutex_lock(&conn->lock);
	famfs_unclaim_span(conn, map->claims, 0, map->claims->nr);
	mutex_unlock(&conn->lock);
	wake_up_all(&conn->claimed);
}

/**
 * famfs_claims_shrink() - drop the claims beyond the end of an fmap
 * @conn: the connection's devices
 * @map: a claimed fmap, after famfs_map_shrink()
 *
 * The strips of a stripe do not end where the fmap ends: a striped fmap keeps
 * its claims.
 */
void famfs_claims_shrink(struct famfs_conn *conn, struct famfs_map *map)
{
	struct famfs_claims *claims = map->claims;
	u64 pages = map->mapped >> PAGE_SHIFT;
	u32 i;

	famfs_claims_assert_locked(map);
	if (map->nr_stripes)
		return;
	mutex_lock(&conn->lock);
	for (i = 0; i < claims->nr && pages; i++) {
		struct famfs_claim *claim = &claims->claims[i];

		claim->nr = min(pages, claim->nr);
		pages -= claim->nr;
		cond_resched();
	}
	famfs_unclaim_span(conn, claims, i, claims->nr);
	claims->nr = i;
	map->claimed = map->mapped;
	mutex_unlock(&conn->lock);
	wake_up_all(&conn->claimed);
}

/**
 * famfs_unclaim_dev() - drop the claims of an fmap on a dead device
 * @dev: the device
 * @map: a claimed fmap; it still refers to the device
 *
 * Context: The inode's invalidate_lock is held for writing.
 */
void famfs_unclaim_dev(struct famfs_daxdev *dev, struct famfs_map *map)
{
	struct famfs_conn *conn = dev->conn;
	u32 i;

	famfs_claims_assert_locked(map);
	mutex_lock(&conn->lock);
	for (i = 0; i < map->claims->nr; i++) {
		struct famfs_claim *claim = &map->claims->claims[i];

		if (famfs_claim_dev(claim) == dev->slot &&
		    !RB_EMPTY_NODE(&claim->node)) {
			rb_erase(&claim->node, &conn->claims);
			RB_CLEAR_NODE(&claim->node);
			dev->nr_claims--;
		}
		cond_resched();
	}
	mutex_unlock(&conn->lock);
	wake_up_all(&conn->claimed);
}

/* The first claim that ends after @key. */
static struct famfs_claim *famfs_claim_find(struct famfs_conn *conn, u64 key)
{
	struct rb_node *node = conn->claims.rb_node;
	struct famfs_claim *found = NULL;

	while (node) {
		struct famfs_claim *claim =
			rb_entry(node, struct famfs_claim, node);

		if (claim->first + claim->nr > key) {
			found = claim;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

/**
 * famfs_claim_next_inode() - find an inode with claims on a device
 * @dev: the device
 * @page: first page to look at; set to the page after the claim found
 * @end: page after the last one to look at
 *
 * Inodes that are being evicted are skipped.
 *
 * Return: a reference to the inode, or NULL if no more are found.
 */
struct inode *famfs_claim_next_inode(struct famfs_daxdev *dev, u64 *page,
				     u64 end)
{
	struct famfs_conn *conn = dev->conn;
	u64 base = famfs_claim_key(dev->slot, 0);
	struct famfs_claim *claim;
	struct inode *inode;

	guard(mutex)(&conn->lock);
	/* A closed device has no claims, and its slot may have been reused. */
	while (conn->devs[dev->slot] == dev && *page < end) {
		claim = famfs_claim_find(conn, base + *page);
		if (!claim || claim->first >= base + end)
			break;
		*page = claim->first + claim->nr - base;
		inode = igrab(famfs_claim_inode(claim));
		if (inode)
			return inode;
	}
	return NULL;
}
