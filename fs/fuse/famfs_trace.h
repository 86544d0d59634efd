/* SPDX-License-Identifier: GPL-2.0 */
/*
 * famfs: tracepoints.
 *
 * These are for debugging, not an ABI.  Units: pos, offset and length are bytes
 * in a file, addr is bytes in a device; all in hex.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM famfs

#if !defined(_TRACE_FAMFS_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_FAMFS_H

#include <linux/tracepoint.h>

/* @map is NULL if the message could not be parsed. */
DECLARE_EVENT_CLASS(famfs_map,
	TP_PROTO(const struct inode *inode, const struct famfs_map *map,
		 int error),
	TP_ARGS(inode, map, error),
	TP_STRUCT__entry(
		__field(dev_t,	sb_dev)
		__field(u64,	nodeid)
		__field(u64,	size)
		__field(u32,	nr_extents)
		__field(u32,	nr_stripes)
		__field(u32,	nr_strips)
		__field(int,	error)
	),
	TP_fast_assign(
		__entry->sb_dev = inode->i_sb->s_dev;
		__entry->nodeid = get_fuse_inode(inode)->nodeid;
		__entry->size = map ? map->file_size : 0;
		__entry->nr_extents = map ? map->nr_extents : 0;
		__entry->nr_stripes = map ? map->nr_stripes : 0;
		__entry->nr_strips = map ? map->nr_strips : 0;
		__entry->error = error;
	),
	TP_printk("dev %d:%d nodeid %llu size 0x%llx extents %u stripes %u strips %u error %d",
		  MAJOR(__entry->sb_dev), MINOR(__entry->sb_dev),
		  __entry->nodeid, __entry->size, __entry->nr_extents,
		  __entry->nr_stripes, __entry->nr_strips, __entry->error)
);

DEFINE_EVENT(famfs_map, famfs_install,
	TP_PROTO(const struct inode *inode, const struct famfs_map *map,
		 int error),
	TP_ARGS(inode, map, error)
);

DEFINE_EVENT(famfs_map, famfs_replace,
	TP_PROTO(const struct inode *inode, const struct famfs_map *map,
		 int error),
	TP_ARGS(inode, map, error)
);

/* @map is the one that was revoked. */
DEFINE_EVENT(famfs_map, famfs_revoke,
	TP_PROTO(const struct inode *inode, const struct famfs_map *map,
		 int error),
	TP_ARGS(inode, map, error)
);

TRACE_EVENT(famfs_resolve,
	TP_PROTO(const struct inode *inode, loff_t pos,
		 const struct famfs_range *range),
	TP_ARGS(inode, pos, range),
	TP_STRUCT__entry(
		__field(dev_t,	sb_dev)
		__field(u64,	nodeid)
		__field(u64,	pos)
		__field(u64,	offset)
		__field(u64,	range_len)
		__field(u64,	addr)
		__field(u32,	daxdev)
	),
	TP_fast_assign(
		__entry->sb_dev = inode->i_sb->s_dev;
		__entry->nodeid = get_fuse_inode(inode)->nodeid;
		__entry->pos = pos;
		__entry->offset = range->offset;
		__entry->range_len = range->len;
		__entry->addr = range->addr;
		__entry->daxdev = range->dev;
	),
	TP_printk("dev %d:%d nodeid %llu pos 0x%llx: offset 0x%llx length 0x%llx at daxdev %u addr 0x%llx",
		  MAJOR(__entry->sb_dev), MINOR(__entry->sb_dev),
		  __entry->nodeid, __entry->pos, __entry->offset,
		  __entry->range_len, __entry->daxdev, __entry->addr)
);

/* Before the lines are dropped. */
TRACE_EVENT(famfs_drop,
	TP_PROTO(const struct inode *inode, const struct famfs_range *range),
	TP_ARGS(inode, range),
	TP_STRUCT__entry(
		__field(dev_t,	sb_dev)
		__field(u64,	nodeid)
		__field(u64,	offset)
		__field(u64,	length)
		__field(u64,	addr)
		__field(u32,	daxdev)
	),
	TP_fast_assign(
		__entry->sb_dev = inode->i_sb->s_dev;
		__entry->nodeid = get_fuse_inode(inode)->nodeid;
		__entry->offset = range->offset;
		__entry->length = range->len;
		__entry->addr = range->addr;
		__entry->daxdev = range->dev;
	),
	TP_printk("dev %d:%d nodeid %llu offset 0x%llx length 0x%llx at daxdev %u addr 0x%llx",
		  MAJOR(__entry->sb_dev), MINOR(__entry->sb_dev),
		  __entry->nodeid, __entry->offset, __entry->length,
		  __entry->daxdev, __entry->addr)
);

TRACE_EVENT(famfs_failure,
	TP_PROTO(const struct famfs_daxdev *dev, u64 offset, u64 length,
		 int flags),
	TP_ARGS(dev, offset, length, flags),
	TP_STRUCT__entry(
		__field(dev_t,	sb_dev)
		__field(dev_t,	devt)
		__field(u32,	daxdev)
		__field(u64,	addr)
		__field(u64,	length)
		__field(int,	flags)
	),
	TP_fast_assign(
		__entry->sb_dev = dev->conn->fc->dev;
		__entry->devt = dev->devt;
		__entry->daxdev = dev->slot;
		__entry->addr = offset;
		__entry->length = length;
		__entry->flags = flags;
	),
	TP_printk("dev %d:%d daxdev %u (%d:%d) addr 0x%llx length 0x%llx flags 0x%x",
		  MAJOR(__entry->sb_dev), MINOR(__entry->sb_dev),
		  __entry->daxdev, MAJOR(__entry->devt), MINOR(__entry->devt),
		  __entry->addr, __entry->length, __entry->flags)
);

#endif /* _TRACE_FAMFS_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE famfs_trace
#include <trace/define_trace.h>
