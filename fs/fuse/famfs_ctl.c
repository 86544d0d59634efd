// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: the file "dax" of a connection under the fusectl mount.
 *
 *   maps N
 *   extents N
 *   device NUMBER NAME SIZE STATE
 *   backing ID NUMBER
 *   index INDEX NUMBER
 *
 * NUMBER is what the log and traces call the device, NAME is the device's own,
 * as in "dax0.0", SIZE is in bytes, STATE is "held" or, once the driver has
 * been unbound, "gone".  The other lines tell what maps call the devices.
 */

#include "dev.h"
#include "famfs.h"

#include <linux/seq_file.h>

static void famfs_ctl_show_dev(struct seq_file *m,
			       const struct famfs_daxdev *dev)
{
	seq_printf(m, "device %u %s %llu %s\n", dev->slot, dev->name,
		   dev->size, READ_ONCE(dev->dead) ? "gone" : "held");
	if (dev->backing_id)
		seq_printf(m, "backing %d %u\n", dev->backing_id, dev->slot);
}

static void famfs_ctl_show_indices(struct seq_file *m, struct famfs_conn *conn)
{
	const struct famfs_daxdev *dev;
	unsigned long index;

	xa_for_each(&conn->indices, index, dev)
		seq_printf(m, "index %lu %u\n", index, dev->slot);
}

static void famfs_ctl_show_conn(struct seq_file *m, struct famfs_conn *conn)
{
	u32 i;

	seq_printf(m, "maps %ld\nextents %ld\n",
		   atomic_long_read(&conn->nr_maps),
		   atomic_long_read(&conn->nr_extents));
	guard(mutex)(&conn->register_lock);
	for (i = 0; i < ARRAY_SIZE(conn->devs); i++)
		if (conn->devs[i])
			famfs_ctl_show_dev(m, conn->devs[i]);
	famfs_ctl_show_indices(m, conn);
}

static int famfs_ctl_show(struct seq_file *m, void *v)
{
	struct fuse_conn *fc = fuse_ctl_file_conn_get(m->file);
	struct famfs_conn *conn;

	if (!fc)
		return 0;
	conn = famfs_conn_of(fc);
	if (conn)
		famfs_ctl_show_conn(m, conn);
	fuse_conn_put(fc);
	return 0;
}

static int famfs_ctl_open(struct inode *inode, struct file *file)
{
	return single_open(file, famfs_ctl_show, NULL);
}

const struct file_operations famfs_ctl_ops = {
	.open		= famfs_ctl_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= single_release,
};
