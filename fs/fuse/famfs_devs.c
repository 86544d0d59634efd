// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: the devices of a connection.
 *
 * A connection holds each device once, in a slot of its table.  A map names it
 * by an index of the server's own (famfs_ask.c) or by a backing id
 * (famfs_fd.c): these are names, and two of them may stand for one device.  The
 * numbers in a map become slots before anything else looks at it, and a device
 * keeps its slot as long as a map uses it.
 *
 * A device whose driver has been unbound stays as long as maps use it.  Bound
 * again, it is another one.
 */

#include "famfs.h"

#include <linux/bitmap.h>
#include <linux/dax.h>
#include <linux/slab.h>

/**
 * famfs_daxdev_warn() - tell why a device was refused
 * @fc: the connection
 * @name: what the server calls it; not trusted
 * @err: the error
 */
void famfs_daxdev_warn(struct fuse_conn *fc, const char *name, int err)
{
	const char *why;

	switch (err) {
	case -EOPNOTSUPP:
		why = "bind it to fsdev_dax by writing its name to that driver's new_id";
		break;
	case -EBUSY:
		why = "in use by another file system, or known and opened in another way";
		break;
	case -E2BIG:
		why = "too many devices";
		break;
	default:
		why = "refused";
	}
	famfs_warn(fc, "dax device \"%*pE\": %s (error %d)\n",
		   (int)strlen(name), name, why, err);
}

static void famfs_daxdev_free(struct famfs_daxdev *dev)
{
	WARN_ON_ONCE(dev->nr_claims);
	mtree_destroy(&dev->poison);
	kfree(dev);
}

/* The server may use all of these for another device from now on. */
static void famfs_daxdev_drop_names(struct famfs_daxdev *dev)
{
	struct famfs_conn *conn = dev->conn;
	struct famfs_daxdev *named;
	unsigned long index;

	lockdep_assert_held(&conn->lock);
	xa_for_each(&conn->indices, index, named)
		if (named == dev)
			xa_erase(&conn->indices, index);
	dev->nr_indices = 0;
	if (dev->backing_id)
		fuse_backing_put(fuse_backing_id_remove(conn->fc,
							dev->backing_id,
							FUSE_BACKING_TYPE_DAX));
	dev->backing_id = 0;
}

/**
 * famfs_daxdev_drop() - let others use a device
 * @dev: the device, gone after success
 *
 * Context: &famfs_conn.register_lock is held.  Waits for a failure callback
 * that is running.  For a device without maps it looks for no more files, but
 * may have just begun to wait for a pin of one that was on it, which is over
 * after a tenth of a second.
 * Return: 0, or -EBUSY where a map uses it.
 */
int famfs_daxdev_drop(struct famfs_daxdev *dev)
{
	struct famfs_conn *conn = dev->conn;

	lockdep_assert_held(&conn->register_lock);
	scoped_guard(mutex, &conn->lock) {
		if (dev->nr_users)
			return -EBUSY;
		conn->devs[dev->slot] = NULL;
		famfs_daxdev_drop_names(dev);
	}
	famfs_daxdev_release(dev);
	famfs_daxdev_free(dev);
	return 0;
}

/**
 * famfs_daxdev_drop_unnamed() - drop a device that could not be given a name
 * @dev: what famfs_daxdev_find_or_add() returned
 *
 * Context: As famfs_daxdev_drop().
 */
void famfs_daxdev_drop_unnamed(struct famfs_daxdev *dev)
{
	if (!dev->backing_id && !dev->nr_indices)
		WARN_ON_ONCE(famfs_daxdev_drop(dev));
}

static int famfs_daxdev_acquire(struct famfs_daxdev *dev)
{
	int err;

	dev->dax_dev = dax_dev_find(dev->devt);
	if (!dev->dax_dev)
		return -ENODEV;
	err = famfs_daxdev_hold(dev);
	put_dax(dev->dax_dev);
	/* No driver, another driver: the remedy is the same. */
	return err == -ENODEV ? -EOPNOTSUPP : err;
}

static struct famfs_daxdev *famfs_daxdev_add(struct famfs_conn *conn, u32 slot,
					  dev_t devt, bool readonly)
{
	struct famfs_daxdev *dev = kzalloc_obj(*dev);
	int err;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	mt_init_flags(&dev->poison, MT_FLAGS_USE_RCU);
	dev->conn = conn;
	dev->slot = slot;
	dev->devt = devt;
	dev->readonly = readonly;
	err = famfs_daxdev_acquire(dev);
	if (err) {
		famfs_daxdev_free(dev);
		return ERR_PTR(err);
	}
	guard(mutex)(&conn->lock);
	conn->devs[slot] = dev;
	return dev;
}

/**
 * famfs_daxdev_find_or_add() - hold a device, if that is not so yet
 * @conn: the connection's devices
 * @devt: number of its device node
 * @readonly: whether its files may only be read
 *
 * One whose driver has been unbound is not what is meant, and is dropped if no
 * map uses it.
 *
 * Context: The server's tasks, with &famfs_conn.register_lock held.  Waits for
 * nobody but as famfs_daxdev_drop(): a device that is being unbound is refused.
 * Return: the device, which is to get a name, or an ERR_PTR: -EBUSY where it
 * has another user, or has been opened in another way, -ENODEV for what is no
 * dax device, -EOPNOTSUPP where it has another driver, -E2BIG where there are
 * too many, -ENOTCONN after the last unmount, -ENOMEM.
 */
struct famfs_daxdev *famfs_daxdev_find_or_add(struct famfs_conn *conn, dev_t devt,
				   bool readonly)
{
	u32 i, slot = FAMFS_DEVS_MAX;

	lockdep_assert_held(&conn->register_lock);
	/* Nobody would give the device back. */
	if (conn->stopped)
		return ERR_PTR(-ENOTCONN);
	for (i = 0; i < FAMFS_DEVS_MAX; i++) {
		struct famfs_daxdev *dev = conn->devs[i];

		if (dev && dev->devt == devt) {
			if (!READ_ONCE(dev->dead))
				return dev->readonly == readonly ?
					dev : ERR_PTR(-EBUSY);
			if (famfs_daxdev_drop(dev))
				continue;
			dev = NULL;
		}
		if (!dev)
			slot = min(slot, i);
	}
	if (slot == FAMFS_DEVS_MAX)
		return ERR_PTR(-E2BIG);
	return famfs_daxdev_add(conn, slot, devt, readonly);
}

/**
 * famfs_daxdev_lookup() - find a device by one of its names
 * @conn: the connection's devices
 * @number: the name
 * @backing_id: whether it is a backing id, or else an index
 *
 * Context: &famfs_conn.register_lock or &famfs_conn.lock is held, until the
 * device is not used any more.
 * Return: the device, which may be dead, or NULL.
 */
struct famfs_daxdev *famfs_daxdev_lookup(struct famfs_conn *conn, u32 number,
				     bool backing_id)
{
	struct famfs_daxdev *dev;
	struct fuse_backing *fb;

	if (!backing_id)
		return xa_load(&conn->indices, number);
	fb = fuse_backing_lookup(conn->fc, number, FUSE_BACKING_TYPE_DAX);
	if (!fb)
		return NULL;
	dev = fb->daxdev;
	fuse_backing_put(fb);
	return dev;
}

/* The device of a number, which stays then until the map is released. */
static struct famfs_daxdev *famfs_daxdev_use(struct famfs_conn *conn,
					  struct famfs_map *map, u32 number)
{
	struct famfs_daxdev *dev;

	guard(mutex)(&conn->lock);
	dev = famfs_daxdev_lookup(conn, number, map->backing_ids);
	if (dev && !__test_and_set_bit(dev->slot, map->uses))
		dev->nr_users++;
	return dev;
}

/* The last number that was looked up: mostly the next one is the same. */
struct famfs_resolve_walk {
	struct fuse_mount *fm;
	struct famfs_map *map;
	bool ask;
	u32 number;
	struct famfs_daxdev *dev;
};

static int famfs_daxdev_resolve_number(struct famfs_resolve_walk *use, u32 *number)
{
	struct famfs_conn *conn = use->fm->fc->famfs;
	int err;

	if (!use->dev || use->number != *number) {
		if (use->ask) {
			err = famfs_index_resolve(use->fm, *number);
			if (err)
				return err;
		}
		use->number = *number;
		use->dev = famfs_daxdev_use(conn, use->map, *number);
	}
	if (!use->dev) {
		pr_debug("fmap refused: no device has the %s %u\n",
			 use->map->backing_ids ? "backing id" : "index",
			 *number);
		return -ENODEV;
	}
	*number = use->dev->slot;
	return 0;
}

/**
 * famfs_daxdevs_resolve() - replace the numbers of a map by slots
 * @fm: the mount
 * @map: a map that nobody else can see yet
 * @ask: whether the server is asked what an index that is new stands for
 *
 * The devices stay what and where they are until famfs_map_put(), which is due
 * also after errors.
 *
 * Context: With @ask no lock is held that the server could need, and this may
 * wait for the server, killably.
 * Return: 0, -ENODEV for a number that stands for no device, or an error of
 * famfs_index_resolve().
 */
int famfs_daxdevs_resolve(struct fuse_mount *fm, struct famfs_map *map, bool ask)
{
	struct famfs_resolve_walk use = {
		.fm	= fm,
		.map	= map,
		.ask	= ask && !map->backing_ids,
	};
	int err = 0;
	u32 i;

	map->devs = fm->fc->famfs->devs;
	for (i = 0; i < map->nr_extents && !err; i++)
		err = famfs_daxdev_resolve_number(&use, &map->extents[i].dev);
	for (i = 0; i < map->nr_strips && !err; i++)
		err = famfs_daxdev_resolve_number(&use, &map->strips[i].dev);
	return err;
}

/**
 * famfs_map_put() - release a map and what it uses
 * @conn: the connection's devices
 * @map: a map without claims
 *
 * Context: As famfs_evict().
 */
void famfs_map_put(struct famfs_conn *conn, struct famfs_map *map)
{
	u32 slot;

	scoped_guard(mutex, &conn->lock)
		for_each_set_bit(slot, map->uses, FAMFS_DEVS_MAX)
			conn->devs[slot]->nr_users--;
	famfs_map_free(map);
}

/**
 * famfs_daxdevs_release() - release all devices of a connection, for good
 * @conn: the connection's devices; no inode has a map any more
 *
 * Context: As famfs_daxdev_drop(), but with no lock held.
 */
void famfs_daxdevs_release(struct famfs_conn *conn)
{
	u32 i;

	guard(mutex)(&conn->register_lock);
	conn->stopped = true;
	for (i = 0; i < FAMFS_DEVS_MAX; i++)
		if (conn->devs[i])
			WARN_ON_ONCE(famfs_daxdev_drop(conn->devs[i]));
}
