/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that a FUSE server maps onto dax devices.
 *
 * Locks, outermost first:
 *
 *   FUSE_I_FMAP_FETCH		bit lock: one opener asks the server for the map;
 *				taken with no lock held but a directory's, at
 *				create
 *   FUSE_I_PRIVS_FETCH		bit lock: one opener asks the server for the
 *				privileges; as above
 *   famfs_conn.register_lock	device table and names; taken by the server's
 *				tasks, who inside it wait for callbacks of a
 *				device without maps, but for no user
 *   device_lock of a device	unbinding holds it while it tells us; never
 *				taken by us
 *   dax_device.holder_rwsem	(read) held while we are told of a failure;
 *				releasing a device takes it for writing, so
 *				whatever is below is not held then
 *   fuse_conn.killsb		(read) keeps the superblock while a device fails
 *				or the server pushes a map; whoever holds it
 *				does not wait for pinned pages
 *   inode->i_rwsem		read and write hold it; whoever holds it may
 *				wait for the server
 *   mmap_lock, sb_pagefault	held by faults
 *   famfs_conn.ask_lock	one GET_DAXDEV at a time; never taken by the
 *				server
 *   mapping->invalidate_lock	faults and copying hold it, changing the map takes
 *				it for writing; whoever holds it does not wait
 *				for the server, and does not fault (of a mapped
 *				file)
 *   famfs_conn.lock		claims, and which maps use which devices; taken
 *				in reclaim, so whoever holds it allocates
 *				nothing; innermost but for spin locks
 *
 * famfs_conn.parts_lock	messages in parts; nothing is locked inside it
 *
 * Holding invalidate_lock in any way is enough to use the map.  A server may
 * change it while the inode is locked for a request of which it has not disposed
 * yet.
 */

#ifndef _FS_FUSE_FAMFS_H
#define _FS_FUSE_FAMFS_H

#include "fuse_i.h"
#include "famfs_map.h"

#include <linux/atomic.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/sizes.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

/* The largest map in a reply, and in a push or in parts; in bytes. */
#define FAMFS_REPLY_MAX	SZ_64M
#define FAMFS_PUSH_MAX	SZ_1G

struct dax_device;
struct fuse_copy_state;
struct writeback_control;

/**
 * struct famfs_daxdev - a device of a connection
 * @dax_dev: the device, held for the connection
 * @conn: the connection's device table
 * @devt: number of its device node
 * @slot: its place in &famfs_conn.devs, and what the log and traces call it
 * @backing_id: what maps with FUSE_FMAP_BACKING_IDS call it, or 0
 * @nr_indices: how many indices stand for it
 * @size: bytes
 * @dead: its driver has been unbound; once set it stays, and new I/O fails
 * @readonly: the server may not write to it
 * @nr_claims: claims on its pages, changed under famfs_conn.lock
 * @nr_users: maps that use it, whether or not it is dead, or are about to;
 *	      changed under famfs_conn.lock
 * @bad: pages with a memory failure
 * @name: the device's own, as in "dax0.0"
 */
struct famfs_daxdev {
	struct dax_device *dax_dev;
	struct famfs_conn *conn;
	dev_t devt;
	u32 slot;
	int backing_id;
	u32 nr_indices;
	u64 size;
	bool dead;
	bool readonly;
	u64 nr_claims;
	u32 nr_users;
	struct maple_tree bad;
	char name[32];
};

/**
 * enum famfs_parts_kind - what becomes of a message that arrives in parts
 * @FAMFS_PARTS_PUSH: arriving, to be installed when it is complete
 * @FAMFS_PARTS_STAGING: arriving, to be staged when it is complete
 * @FAMFS_PARTS_STAGED: complete, to be installed by a reply
 */
enum famfs_parts_kind {
	FAMFS_PARTS_PUSH,
	FAMFS_PARTS_STAGING,
	FAMFS_PARTS_STAGED,
};

/**
 * struct famfs_parts - a message of which parts have arrived
 * @list: in &famfs_conn.parts
 * @count: references: the list's, and that of a reply
 * @kind: what becomes of it
 * @nodeid: the file that it is about
 * @size: its length in bytes
 * @filled: bytes that have arrived
 * @msg: the message
 */
struct famfs_parts {
	struct list_head list;
	refcount_t count;
	enum famfs_parts_kind kind;
	u64 nodeid;
	size_t size;
	size_t filled;
	u8 msg[] __aligned(8);
};

/**
 * struct famfs_conn - what a connection knows about dax devices
 * @fc: the connection
 * @ask_lock: held while the server is asked for a device
 * @register_lock: held while a device is entered into @devs or taken out, and
 *		   while it gets a name
 * @lock: protects @claims, and devices and their names against removal
 * @claims: what the maps take up, by device and page
 * @stopped: the last mount has gone, under @register_lock
 * @parts_lock: protects @parts
 * @parts: messages in parts that are not complete, or staged
 * @keep_lock: protects @kept and @keep_delay
 * @kept: inodes that cannot be evicted yet
 * @keep_work: looks whether they can
 * @keep_delay: jiffies until it does so again
 * @claimed: woken when claims on a device are dropped
 * @nr_maps: files that have a map
 * @nr_extents: extents and strips of these maps
 * @indices: devices by what the server calls them; backing ids are in
 *	     &fuse_conn.backing_files_map
 * @devs: devices by slot; an entry stays as long as a map uses the device
 */
struct famfs_conn {
	struct fuse_conn *fc;
	struct mutex ask_lock;		/* held by openers only */
	struct mutex register_lock;	/* protects @devs and @indices */
	struct mutex lock;		/* protects @claims */
	struct rb_root claims;
	bool stopped;
	struct mutex parts_lock;	/* protects @parts */
	struct list_head parts;
	struct mutex keep_lock;		/* protects @kept */
	struct list_head kept;
	struct delayed_work keep_work;
	unsigned long keep_delay;
	wait_queue_head_t claimed;
	atomic_long_t nr_maps;
	atomic_long_t nr_extents;
	struct xarray indices;
	struct famfs_daxdev *devs[FAMFS_DEVS_MAX];
};

/**
 * struct famfs_fmap_snap - what was so when the server was asked for a map
 * @seq: fuse_inode.famfs_seq
 * @size: fuse_inode.famfs_server_size
 * @locked: whoever asks holds i_rwsem for writing
 */
struct famfs_fmap_snap {
	u32 seq;
	loff_t size;
	bool locked;
};

/**
 * struct famfs_trip - an open that may bring the map along
 * @inode: the inode whose FUSE_I_FMAP_FETCH is held, or NULL
 * @joined: of a creation, what the reply has besides, or NULL
 * @msg: what came with the reply
 * @size: its length in bytes
 * @asked: how it was before the request
 * @asks: the request asks for the map
 */
struct famfs_trip {
	struct inode *inode;
	struct famfs_joined *joined;
	void *msg;
	size_t size;
	struct famfs_fmap_snap asked;
	bool asks;
};

/**
 * struct famfs_resize - a change of size that the server is asked for
 * @old: size of the file before
 * @seq: fuse_inode.famfs_seq of the map that the file will grow into
 */
struct famfs_resize {
	loff_t old;
	u32 seq;
};

/* famfs_ctl.c */
extern const struct file_operations famfs_ctl_ops;

/* Errors that come without the server having seen the request. */
static inline bool famfs_unanswered(int err)
{
	return err == -EINTR || err == -ENOMEM;
}

/* Results that are neither success nor an error. */
enum famfs_result {
	FAMFS_OVERTAKEN = 1,	/* the map has changed since it was asked for */
	FAMFS_CONTENDED,	/* the lock's owner may wait for the server */
	FAMFS_IN_USE,		/* an ordinary file is open, and stays so */
};

/* A line in the log, which says which connection it is about. */
#define famfs_warn(fc, fmt, ...) do {					\
	dev_t dev_ = (fc)->dev;						\
									\
	pr_warn_ratelimited("%u:%u: " fmt, MAJOR(dev_), MINOR(dev_),	\
			    ##__VA_ARGS__);				\
} while (0)

/* For servers that ask for FUSE_DAX_FMAP although it was not offered. */
#define FAMFS_NO_MAPS	"no file can be mapped onto dax devices: %s\n"

#ifdef CONFIG_FUSE_FAMFS_DAX

/*
 * Once a file has been mapped it stays a file of this kind for the inode's
 * life, whatever becomes of its map.
 */
static inline bool fuse_is_famfs(const struct inode *inode)
{
	return IS_DAX(inode) && !fuse_is_virtio_dax(inode);
}

/*
 * NULL unless the server has agreed on FUSE_DAX_FMAP.  It comes with the reply
 * to INIT and stays until the connection is freed.
 */
static inline struct famfs_conn *famfs_conn_of(const struct fuse_conn *fc)
{
	/* Pairs with famfs_conn_start(). */
	return smp_load_acquire(&fc->famfs);
}

/* The caller keeps the map from changing, or looks only for NULL. */
static inline const struct famfs_map *famfs_inode_map(const struct inode *inode)
{
	return READ_ONCE(get_fuse_inode(inode)->famfs_meta);
}

/* famfs_conn.c */
bool famfs_conn_offer(struct fuse_mount *fm);
bool famfs_conn_start(struct fuse_mount *fm, u64 flags);
void famfs_conn_stop(struct fuse_conn *fc);
void famfs_conn_free(struct fuse_conn *fc);

/* famfs_devs.c */
void famfs_dev_complain(struct fuse_conn *fc, const char *name, int err);
struct famfs_daxdev *famfs_dev_get(struct famfs_conn *conn, dev_t devt,
				   bool readonly);
int famfs_dev_drop(struct famfs_daxdev *dev);
void famfs_dev_drop_unnamed(struct famfs_daxdev *dev);
struct famfs_daxdev *famfs_dev_named(struct famfs_conn *conn, u32 number,
				     bool backing_id);
int famfs_map_use_devs(struct fuse_mount *fm, struct famfs_map *map, bool ask);
void famfs_map_put(struct famfs_conn *conn, struct famfs_map *map);
void famfs_devs_put(struct famfs_conn *conn);

/* famfs_ask.c */
int famfs_dev_ask(struct fuse_mount *fm, u32 index);

/* famfs_claim.c */
int famfs_claims_alloc(struct famfs_conn *conn, struct inode *inode,
		       struct famfs_map *map);
int famfs_claim_map(struct famfs_conn *conn, struct famfs_map *map,
		    struct famfs_map *old);
void famfs_unclaim_map(struct famfs_conn *conn, struct famfs_map *map);
void famfs_claims_shrink(struct famfs_conn *conn, struct famfs_map *map);
void famfs_unclaim_dev(struct famfs_daxdev *dev, struct famfs_map *map);
struct inode *famfs_next_owner(struct famfs_daxdev *dev, u64 *page, u64 end);

/* famfs_failure.c */
extern const struct dax_holder_operations famfs_holder_ops;
int famfs_hold(struct famfs_daxdev *dev);
void famfs_release(struct famfs_daxdev *dev);
int famfs_pin_wait(struct page *busy, struct dev_pagemap *pgmap,
		   unsigned int state);
int famfs_avoid_bad(struct famfs_daxdev *dev, u64 pos,
		    struct famfs_range *range);

/* famfs_iomap.c */
extern const struct iomap_ops famfs_iomap_ops;
int famfs_iomap_probe(struct inode *inode, loff_t pos);
int famfs_fiemap(struct inode *inode, struct fiemap_extent_info *info,
		 u64 start, u64 len);

/* famfs_file.c */
ssize_t famfs_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t famfs_write_iter(struct kiocb *iocb, struct iov_iter *from);
int famfs_mmap(struct file *file, struct vm_area_struct *vma);

/* famfs_sync.c */
int famfs_fsync(struct file *file, loff_t start, loff_t end, int datasync);
int famfs_file_flush(struct file *file);
struct dax_device *famfs_map_alive(const struct famfs_map *map);
void famfs_flush(struct address_space *mapping, struct dax_device *dax_dev);
extern const struct address_space_operations famfs_aops;
void famfs_sync_fs(struct super_block *sb);

/* famfs_attr.c */
int famfs_file_io_open(struct inode *inode, struct file *file);
int famfs_setattr(struct inode *inode, struct iattr *attr);
void famfs_privs_set(struct inode *inode);
int famfs_file_modified(struct file *file);
int famfs_modified(struct kiocb *iocb, struct inode *inode);
u32 famfs_cache_mask(struct inode *inode);
bool famfs_keep_nosec(const struct inode *inode);

/* famfs_grow.c */
#define FAMFS_ZERO_MAX		SZ_16M	/* zeroed at once */

void famfs_extend_end(struct inode *inode, loff_t size);
int famfs_zero(struct inode *inode, loff_t start, loff_t end);
int famfs_mapped(struct inode *inode, u64 *mapped);
int famfs_grow(struct file *file, loff_t end);
int famfs_fill_gap(struct kiocb *iocb);
long famfs_fallocate(struct file *file, int mode, loff_t offset,
		     loff_t length);
int famfs_memory_get(struct inode *inode, struct file *file, loff_t end);

/* famfs_size.c */
void famfs_size_write(struct inode *inode, loff_t size);
bool famfs_size_untold(const struct inode *inode);
u32 famfs_size_to_tell(const struct inode *inode, u64 *size, u32 *seq);
void famfs_size_told(struct inode *inode, u32 valid, u64 size, u32 seq,
		     int err);
int famfs_size_wait_sent(struct inode *inode);
int famfs_size_flush(struct inode *inode, loff_t size);
int famfs_size_settle(struct inode *inode);

/* famfs_keep.c */
void famfs_keep_work(struct work_struct *work);
void famfs_keep_answered(struct inode *inode);
bool famfs_inode_unwritten(struct inode *inode);
bool famfs_inode_keep(struct inode *inode);
void famfs_file_release(struct inode *inode, struct fuse_file *ff);

/* famfs_tell.c */
int famfs_write_inode(struct inode *inode, struct writeback_control *wbc);

/* famfs_resize.c */
int famfs_resize_begin(struct inode *inode, struct iattr *attr,
		       struct file *file, struct famfs_resize *resize);
int famfs_resize_end(struct inode *inode, const struct iattr *attr,
		     struct file *file, struct famfs_resize *resize, int err);
u32 famfs_create_flags(const struct fuse_conn *fc, u32 flags);
int famfs_create_truncate(struct mnt_idmap *idmap, struct file *file,
			  bool mapped);

/* famfs_unmap.c */
struct page *famfs_try_unmap(struct inode *inode, const struct famfs_map *map,
			     u64 pos);
int famfs_wait_idle(struct inode *inode, struct page *busy);
void famfs_unmap_behind(struct inode *inode, loff_t size);
int famfs_cut(struct inode *inode, loff_t size);
void famfs_map_shorten(struct inode *inode, loff_t size);

/* famfs_install.c */
void famfs_seq_inc(struct inode *inode);
int famfs_install(struct inode *inode, struct famfs_map *map,
		  const struct famfs_fmap_snap *asked);
int famfs_revoke(struct inode *inode);
void famfs_evict(struct inode *inode);

/* famfs_plain.c */
bool famfs_cache_begin(struct inode *inode);
void famfs_cache_end(struct inode *inode);
bool famfs_open_plain(struct fuse_file *ff, struct inode *inode);
void famfs_release_plain(struct fuse_file *ff);

/* famfs_parts.c */
void famfs_parts_put(struct famfs_parts *parts);
struct famfs_parts *famfs_parts_take(struct famfs_conn *conn, u64 nodeid,
				     enum famfs_parts_kind kind);
void famfs_parts_keep(struct famfs_conn *conn, struct famfs_parts *parts);
void famfs_staged_drop(struct inode *inode);
int famfs_take_reply(struct inode *inode, const void *msg, size_t size,
		     const struct famfs_fmap_snap *asked);

/* famfs_push.c */
int famfs_notify(struct fuse_conn *fc, unsigned int size,
		 struct fuse_copy_state *cs);

/* famfs_fd.c */
int famfs_backing_open(struct fuse_conn *fc,
		       const struct fuse_backing_map *map);
int famfs_backing_close(struct fuse_conn *fc, int id);

/* famfs_trip.c */
int famfs_trip_open(struct famfs_trip *trip, struct inode *inode,
		    struct file *file);
void famfs_trip_create(struct famfs_trip *trip, struct fuse_conn *fc);
void famfs_trip_ask(struct famfs_trip *trip, struct fuse_args *args,
		    u32 *open_flags);
int famfs_trip_answer(struct famfs_trip *trip, struct fuse_args *args,
		      ssize_t ret);
int famfs_trip_opened(struct famfs_trip *trip, struct inode *inode,
		      struct fuse_file *ff);
int famfs_trip_created(struct famfs_trip *trip, struct inode *inode,
		       struct file *file, struct fuse_file *ff);
void famfs_trip_end(struct famfs_trip *trip);

/* famfs_inode.c */
struct famfs_fmap_snap famfs_fmap_snapshot(struct inode *inode);
int famfs_take(struct inode *inode, const void *msg, size_t size,
	       const struct famfs_fmap_snap *asked);
int famfs_fetch(struct inode *inode);
int famfs_fetch_known(struct inode *inode);
int famfs_fetch_shrunk(struct inode *inode, loff_t size);
int famfs_fetch_truncate(struct inode *inode, const struct iattr *attr);
bool famfs_must_fetch(struct inode *inode);
int famfs_fetch_once(struct inode *inode);
const struct famfs_map *famfs_map_lock(struct inode *inode);
void famfs_map_unlock(struct inode *inode);
int famfs_can_resize(struct inode *inode);
int famfs_open(struct inode *inode, struct file *file);

#else /* CONFIG_FUSE_FAMFS_DAX */

#include "famfs_stubs.h"

#endif /* CONFIG_FUSE_FAMFS_DAX */
#endif /* _FS_FUSE_FAMFS_H */
