// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files: from a place in a file to a place on a device.
 */

#include "famfs.h"
#include "famfs_trace.h"

#include <linux/dax.h>
#include <linux/fiemap.h>
#include <linux/iomap.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

static void famfs_iomap_set(struct iomap *iomap, const struct famfs_daxdev *dev,
			    u64 offset, u64 len, u64 addr)
{
	/* iomap->flags stays 0: nothing is new, shared or dirty metadata. */
	iomap->type = IOMAP_MAPPED;
	iomap->offset = offset;
	iomap->length = len;
	iomap->addr = addr;
	iomap->dax_dev = dev->dax_dev;
}

static noinline int famfs_iomap_slow(const struct famfs_map *map,
				       struct inode *inode, loff_t pos,
				       unsigned int flags, struct iomap *iomap)
{
	struct famfs_daxdev *dev;
	struct famfs_range range;
	int err;

	famfs_map_resolve(map, pos, &range);
	dev = map->devs[range.dev];
	if (unlikely(READ_ONCE(dev->dead)))
		return -EIO;
	if (unlikely(!mtree_empty(&dev->poison))) {
		err = famfs_trim_poison(dev, pos, &range);
		if (err)
			return flags & IOMAP_FAULT ? err : -EIO;
	}
	famfs_iomap_set(iomap, dev, range.offset, range.len, range.addr);
	trace_famfs_resolve(inode, pos, &range);
	return 0;
}

/*
 * What is commonest, one extent on a device that is well, gets by without a
 * stack frame: every fault comes here.
 */
static __always_inline int famfs_iomap_find(struct inode *inode, loff_t pos,
					    unsigned int flags,
					    struct iomap *iomap)
{
	const struct famfs_map *map = famfs_inode_map(inode);
	const struct famfs_daxdev *dev;

	if (unlikely(!map || pos >= map->mapped))
		return -EIO;
	if (unlikely(map->readonly && (flags & (IOMAP_WRITE | IOMAP_ZERO))))
		return -EROFS;
	if (map->nr_extents != 1 || trace_famfs_resolve_enabled())
		return famfs_iomap_slow(map, inode, pos, flags, iomap);

	dev = map->devs[map->extents[0].dev];
	if (unlikely(READ_ONCE(dev->dead) || !mtree_empty(&dev->poison)))
		return famfs_iomap_slow(map, inode, pos, flags, iomap);
	famfs_iomap_set(iomap, dev, 0, map->mapped, map->extents[0].addr);
	return 0;
}

/*
 * famfs's tools look for this name in /proc/kallsyms to see whether the kernel
 * maps files, so the compiler must not give it another one.
 */
static noinline __used int
famfs_fuse_iomap_begin(struct inode *inode, loff_t pos, loff_t length,
		       unsigned int flags, struct iomap *iomap,
		       struct iomap *srcmap)
{
	return famfs_iomap_find(inode, pos, flags, iomap);
}

static noinline DEFINE_IOMAP_ITER_NEXT(famfs_iomap_next_slow,
				       famfs_fuse_iomap_begin);

static int famfs_iomap_next(const struct iomap_iter *iter, struct iomap *iomap,
			    struct iomap *srcmap)
{
	int ret;

	if (iomap->length) {
		/* One piece is mostly all: no need to ask iomap. */
		if (likely(!iter->len && !iter->status))
			return 0;
		return famfs_iomap_next_slow(iter, iomap, srcmap);
	}
	ret = famfs_iomap_find(iter->inode, iter->pos, iter->flags, iomap);
	return ret < 0 ? ret : 1;
}

/* The caller keeps the map from changing for as long as it uses the result. */
const struct iomap_ops famfs_iomap_ops = {
	.iomap_next	= famfs_iomap_next,
};

/**
 * famfs_iomap_probe() - find out whether a byte of a file can be read
 * @inode: a mapped inode
 * @pos: where it is
 *
 * Context: invalidate_lock is held.
 * Return: 0, or -EIO.
 */
int famfs_iomap_probe(struct inode *inode, loff_t pos)
{
	struct iomap iomap = {};
	void *addr;
	pgoff_t page;
	char byte;
	int id, err;

	err = famfs_iomap_find(inode, pos, 0, &iomap);
	if (err)
		return err;
	page = PHYS_PFN(iomap.addr + pos - iomap.offset);
	id = dax_read_lock();
	if (dax_direct_access(iomap.dax_dev, page, 1, DAX_ACCESS, &addr,
			      NULL) < 1 ||
	    copy_mc_to_kernel(&byte, addr + offset_in_page(pos), 1))
		err = -EIO;
	dax_read_unlock(id);
	return err;
}

/* The result is copied to user space in between, which may fault. */
static int famfs_fiemap_next(const struct iomap_iter *iter, struct iomap *iomap,
			     struct iomap *srcmap)
{
	int ret;

	/* A file can have very many pieces. */
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	filemap_invalidate_lock_shared(iter->inode->i_mapping);
	ret = famfs_iomap_next(iter, iomap, srcmap);
	filemap_invalidate_unlock_shared(iter->inode->i_mapping);
	return ret;
}

static const struct iomap_ops famfs_fiemap_ops = {
	.iomap_next	= famfs_fiemap_next,
};

/**
 * famfs_fiemap() - report where a file's bytes are
 * @inode: any regular FUSE file
 * @info: the request
 * @start: file offset
 * @len: bytes
 *
 * Addresses are offsets in devices; which device it is cannot be said here.
 *
 * Return: 0, -EOPNOTSUPP for a file that is not mapped, or another error.
 */
int famfs_fiemap(struct inode *inode, struct fiemap_extent_info *info,
		 u64 start, u64 len)
{
	u64 size;
	int err = 0;

	if (!fuse_is_famfs(inode))
		return -EOPNOTSUPP;
	inode_lock_shared(inode);
	size = i_size_read(inode);
	if (start < size)
		err = iomap_fiemap(inode, info, start, min(len, size - start),
				   &famfs_fiemap_ops);
	inode_unlock_shared(inode);
	return err;
}
