/* SPDX-License-Identifier: GPL-2.0 */
/*
 * famfs: files whose bytes are on dax devices (fmap files).
 *
 * Locks, outermost first:
 *
 *   FUSE_I_FMAP_LOCK		bit lock: one opener requests the fmap; taken
 *				with no locks held (at create: only the
 *				directory's i_rwsem)
 *   famfs_conn.register_lock	device table and names; taken by the server's
 *				tasks; holders may wait for ->notify_failure()
 *				of a device without fmaps, but for no user
 *   device_lock of a device	held by the driver core when unbinding, around
 *				->notify_failure(); never taken here
 *   dax_device.holder_rwsem	(read) held around ->notify_failure();
 *				fs_put_dax() takes it for writing, so none of
 *				the locks below is held then
 *   fuse_conn.killsb		(read) pins the superblock in
 *				->notify_failure() and FUSE_NOTIFY_FMAP;
 *				holders must not wait for pinned pages
 *   inode->i_rwsem		held by read and write; holders may wait for the
 *				server
 *   mmap_lock, sb_pagefault	held by faults
 *   famfs_conn.ask_lock	one GET_DAXDEV at a time; no server takes it
 *   mapping->invalidate_lock	held by faults and copying, and for writing to
 *				change the fmap; holders wait neither for the
 *				server nor for faults of an fmap file
 *   famfs_conn.lock		claims, and which fmaps use which devices; taken
 *				in reclaim, so holders must not allocate;
 *				innermost except for spin locks
 *
 * famfs_conn.partial_lock	messages in parts; no lock is taken inside
 * famfs_conn.drop_rwsem	(read) dropping cache lines; the same
 *
 * Holders of invalidate_lock in either mode may use the fmap.  So a server can
 * change it while i_rwsem is held for a request that is not answered yet.
 */

#ifndef _FS_FUSE_FAMFS_H
#define _FS_FUSE_FAMFS_H

#include "fuse_i.h"
#include "famfs_map.h"

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/sizes.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

/* Largest fmap in a reply, and in a push or staged, in bytes. */
#define FAMFS_REPLY_MAX	SZ_64M
#define FAMFS_PUSH_MAX	SZ_1G

/* Bytes zeroed between checks for signals. */
#define FAMFS_ZERO_MAX	SZ_16M

struct fuse_copy_state;
struct writeback_control;

/**
 * struct famfs_daxdev - a device of a connection
 * @dax_dev: the device, held for the connection
 * @conn: the connection's device table
 * @devt: number of its device node
 * @slot: its place in &famfs_conn.devs, used in the log and in traces
 * @backing_id: its name in fmaps with FUSE_FMAP_BACKING_IDS, or 0
 * @nr_indices: number of its server-assigned indices
 * @size: bytes
 * @dead: the driver was unbound; never cleared, and new I/O fails
 * @readonly: the server may not write to it
 * @nr_claims: claims on its pages, changed under famfs_conn.lock
 * @nr_users: fmaps that use it, published or not; changed under famfs_conn.lock
 * @name: the kernel's name, as in "dax0.0"
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
	char name[32];
};

/**
 * enum famfs_partial_kind - purpose of a message in parts
 * @FAMFS_PARTIAL_PUSH: incomplete, to be installed when complete
 * @FAMFS_PARTIAL_STAGING: incomplete, to be staged when complete
 * @FAMFS_PARTIAL_STAGED: complete, to be installed by a reply
 */
enum famfs_partial_kind {
	FAMFS_PARTIAL_PUSH,
	FAMFS_PARTIAL_STAGING,
	FAMFS_PARTIAL_STAGED,
};

/**
 * struct famfs_partial - a multi-part FUSE_NOTIFY_FMAP being reassembled
 * @list: in &famfs_conn.partials
 * @count: references: of the list and of a reply
 * @kind: its purpose
 * @nodeid: the inode
 * @size: length of the whole message in bytes
 * @filled: bytes received
 * @msg: the message
 */
struct famfs_partial {
	struct list_head list;
	refcount_t count;
	enum famfs_partial_kind kind;
	u64 nodeid;
	size_t size;
	size_t filled;
	u8 msg[] __aligned(8);
};

/**
 * struct famfs_conn - dax devices and fmaps of a connection
 * @fc: the connection
 * @ask_lock: serialises FUSE_GET_DAXDEV
 * @register_lock: protects @devs and names against changes
 * @lock: protects @claims, and devices and their names against removal
 * @claims: rbtree of claimed page ranges, keyed by slot and page
 * @stopped: the last superblock is gone; under @register_lock
 * @partial_lock: protects @partials
 * @partials: incomplete and staged messages
 * @keep_lock: protects @kept and @keep_delay
 * @kept: inodes that cannot be evicted yet
 * @keep_work: looks for inodes in @kept that can be evicted
 * @keep_delay: jiffies until the next look
 * @claimed: woken when claims on a device are dropped
 * @drop_rwsem: makes a memory failure wait for cache lines being dropped
 * @nr_maps: number of fmaps
 * @nr_extents: extents and strips of these fmaps
 * @indices: devices by the server's index; ids: &fuse_conn.backing_files_map
 * @devs: devices by slot; an entry stays while an fmap uses the device
 */
struct famfs_conn {
	struct fuse_conn *fc;
	struct mutex ask_lock;		/* taken by openers only */
	struct mutex register_lock;	/* protects @devs and @indices */
	struct mutex lock;		/* protects @claims */
	struct rb_root claims;
	bool stopped;
	struct mutex partial_lock;	/* protects @partials */
	struct list_head partials;
	struct mutex keep_lock;		/* protects @kept */
	struct list_head kept;
	struct delayed_work keep_work;
	unsigned long keep_delay;
	wait_queue_head_t claimed;
	struct rw_semaphore drop_rwsem;
	atomic_long_t nr_maps;
	atomic_long_t nr_extents;
	struct xarray indices;
	struct famfs_daxdev *devs[FAMFS_DEVS_MAX];
};

/**
 * struct famfs_fmap_snap - inode state sampled before an fmap request is sent
 * @seq: fuse_inode.famfs_seq
 * @size: fuse_inode.famfs_server_size
 * @locked: the task that sends the request holds i_rwsem for writing
 */
struct famfs_fmap_snap {
	u32 seq;
	loff_t size;
	bool locked;
};

/**
 * struct famfs_open_req - an open whose reply may carry the fmap
 * @inode: the inode whose FUSE_I_FMAP_LOCK is held, or NULL
 * @joined: the rest of the reply to FUSE_CREATE, or NULL
 * @msg: the fmap in the reply
 * @size: its length in bytes
 * @snap: from before the request
 * @wants_fmap: the request has FUSE_OPEN_FMAP
 * @has_fmap: the inode had become an fmap inode before the open
 */
struct famfs_open_req {
	struct inode *inode;
	struct famfs_joined *joined;
	void *msg;
	size_t size;
	struct famfs_fmap_snap snap;
	bool wants_fmap;
	bool has_fmap;
};

/**
 * struct famfs_truncate - state between famfs_setattr_begin() and _end()
 * @old: size of the file before
 * @seq: fuse_inode.famfs_seq of the fmap that a growing file was zeroed in
 */
struct famfs_truncate {
	loff_t old;
	u32 seq;
};

/* What a read or write needs before it can continue. */
enum famfs_rw_need {
	FAMFS_RW_NOTHING,	/* nothing, or it is complete */
	FAMFS_RW_MAP,		/* the fmap, which was revoked or changed */
	FAMFS_RW_MEMORY,	/* memory beyond the end of the fmap */
	FAMFS_RW_ZEROS,		/* zeros between EOF and its start */
	FAMFS_RW_LOCK,		/* i_rwsem for writing */
};

/**
 * struct famfs_rw - a read or write
 * @iocb: the kiocb
 * @iter: the user's buffer
 * @shared: i_rwsem is held for reading by a write
 * @need: what it needs, with no locks held
 * @alloc_err: 0, or why the server has not mapped more memory
 */
struct famfs_rw {
	struct kiocb *iocb;
	struct iov_iter *iter;
	bool shared;
	enum famfs_rw_need need;
	int alloc_err;
};

/* famfs_daxdev.c */
extern const struct file_operations famfs_ctl_ops;

/* Errors of requests that the server has not answered. */
static inline bool famfs_err_unanswered(int err)
{
	return err == -EINTR || err == -ENOMEM;
}

/* Results that are neither success nor an error. */
enum famfs_result {
	FAMFS_STALE = 1,	/* famfs_seq has changed: the reply is void */
	FAMFS_CONTENDED,	/* the lock's holder may wait for the server */
	FAMFS_IN_USE,		/* a cached file is open, and stays cached */
	FAMFS_UNDROPPED,	/* cache lines of more pages must be dropped */
};

/* Logs the connection's device number with the message. */
#define famfs_warn(fc, fmt, ...) do {					\
	dev_t dev_ = (fc)->dev;						\
									\
	pr_warn_ratelimited("%u:%u: " fmt, MAJOR(dev_), MINOR(dev_),	\
			    ##__VA_ARGS__);				\
} while (0)

/* Logged if the server sets FUSE_DAX_FMAP, but the kernel did not offer it. */
#define FAMFS_NO_MAPS	"no file can be mapped onto dax devices: %s\n"

#ifdef CONFIG_FUSE_FAMFS_DAX

/*
 * Once an inode has had an fmap it stays a DAX inode until it is evicted, even
 * if the fmap is revoked.
 */
static inline bool fuse_is_famfs(const struct inode *inode)
{
	return IS_DAX(inode) && !fuse_is_virtio_dax(inode);
}

/*
 * NULL unless FUSE_DAX_FMAP was agreed on.  Set by the reply to INIT, and stays
 * until the connection is freed.
 */
static inline struct famfs_conn *famfs_conn_of(const struct fuse_conn *fc)
{
	/* Pairs with famfs_conn_start(). */
	return smp_load_acquire(&fc->famfs);
}

/* The fmap or NULL.  Caller holds invalidate_lock, unless it tests for NULL. */
static inline struct famfs_map *famfs_inode_map(const struct inode *inode)
{
	struct famfs_map *map = READ_ONCE(get_fuse_inode(inode)->famfs_meta);

	return map == FAMFS_NO_FMAP ? NULL : map;
}

/* famfs_iomap.c */
extern const struct iomap_ops famfs_iomap_ops;
int famfs_iomap_probe(struct inode *inode, loff_t pos);
int famfs_fiemap(struct inode *inode, struct fiemap_extent_info *info,
		 u64 start, u64 len);
int famfs_mmap(struct file *file, struct vm_area_struct *vma);

/* famfs_cpu_cache.c */
extern const struct address_space_operations famfs_aops;
struct dax_device *famfs_live_dax_dev(const struct famfs_map *map);
void famfs_flush_cpu_cache(struct address_space *mapping,
			   struct dax_device *dax_dev);
int famfs_fsync(struct file *file, loff_t start, loff_t end, int datasync);
int famfs_flush(struct file *file, fl_owner_t id);
void famfs_sync_fs(struct super_block *sb);
int famfs_drop_new(struct inode *inode, struct famfs_map *map);
int famfs_drop_end(struct inode *inode, struct famfs_map *map);

/* famfs_inode.c */
void famfs_size_write_locked(struct inode *inode, loff_t size);
void famfs_size_write(struct inode *inode, loff_t size);
bool famfs_size_dirty(const struct inode *inode);
u32 famfs_size_to_flush(const struct inode *inode, u64 *size, u32 *seq);
void famfs_size_flushed(struct inode *inode, u32 valid, u64 size, u32 seq,
			int err);
int famfs_attr_flush_wait(struct inode *inode);
int famfs_size_flush(struct inode *inode, loff_t size);
int famfs_size_settle(struct inode *inode);
int famfs_refresh_nosec(struct inode *inode, struct file *file);
void famfs_privs_set(struct inode *inode);
int famfs_remove_privs(struct file *file);
int famfs_file_modified(struct file *file);
int famfs_iocb_modified(struct kiocb *iocb, struct inode *inode);
bool famfs_preserve_nosec(const struct inode *inode);
bool famfs_pagecache_lock(struct inode *inode);
void famfs_pagecache_unlock(struct inode *inode);
bool famfs_cached_open(struct fuse_file *ff, struct inode *inode);
void famfs_cached_release(struct fuse_file *ff);

/* famfs_writeback.c */
bool famfs_inode_attr_dirty(struct inode *inode);
u32 famfs_cache_mask(struct inode *inode);
void famfs_keep_work(struct work_struct *work);
void famfs_attr_flush_done(struct inode *inode);
bool famfs_inode_keep(struct inode *inode);
void famfs_file_release(struct inode *inode, struct fuse_file *ff);
int famfs_write_inode(struct inode *inode, struct writeback_control *wbc);

/* famfs_claim.c */
int famfs_claims_alloc(struct famfs_conn *conn, struct inode *inode,
		       struct famfs_map *map);
int famfs_claim_map(struct famfs_conn *conn, struct famfs_map *map,
		    struct famfs_map *old);
void famfs_unclaim_map(struct famfs_conn *conn, struct famfs_map *map);
void famfs_claims_shrink(struct famfs_conn *conn, struct famfs_map *map);
void famfs_unclaim_dev(struct famfs_daxdev *dev, struct famfs_map *map);
struct inode *famfs_claim_next_inode(struct famfs_daxdev *dev, u64 *page,
				     u64 end);

/* famfs_failure.c */
extern const struct dax_holder_operations famfs_holder_ops;
bool famfs_invalidate_trylock(struct inode *inode);
void famfs_delete_entries(struct inode *inode, const struct famfs_map *map,
			  u64 pos);
struct page *famfs_try_unmap(struct inode *inode, const struct famfs_map *map,
			     u64 pos);
int famfs_wait_page_idle(struct inode *inode, struct page *busy);
void famfs_unmap_beyond(struct inode *inode, loff_t size);

/* famfs_daxdev.c */
void famfs_daxdev_warn(struct fuse_conn *fc, const char *name, int err);
int famfs_daxdev_drop(struct famfs_daxdev *dev);
void famfs_daxdev_drop_unnamed(struct famfs_daxdev *dev);
struct famfs_daxdev *famfs_daxdev_find_or_add(struct famfs_conn *conn,
					      dev_t devt, bool readonly);
struct famfs_daxdev *famfs_daxdev_lookup(struct famfs_conn *conn, u32 number,
					 bool backing_id);
void famfs_map_put(struct famfs_conn *conn, struct famfs_map *map);
void famfs_daxdevs_release(struct famfs_conn *conn);
int famfs_backing_open(struct fuse_conn *fc,
		       const struct fuse_backing_map *map);
int famfs_backing_close(struct fuse_conn *fc, int id);

/* famfs_conn.c */
bool famfs_conn_offer(struct fuse_mount *fm);
bool famfs_conn_start(struct fuse_mount *fm, u64 flags);
void famfs_conn_stop(struct fuse_conn *fc);
void famfs_conn_free(struct fuse_conn *fc);
int famfs_daxdevs_resolve(struct fuse_mount *fm, struct famfs_map *map,
			  bool ask);

/* famfs_install.c */
void famfs_seq_inc(struct inode *inode);
bool famfs_snap_stale(struct inode *inode,
		      const struct famfs_fmap_snap *snap);
int famfs_install_msg(struct inode *inode, const void *msg, size_t size,
		      const struct famfs_fmap_snap *snap);
int famfs_revoke(struct inode *inode);
void famfs_evict(struct inode *inode);

/* famfs_notify.c */
void famfs_staged_drop(struct inode *inode);
int famfs_install_reply(struct inode *inode, const void *msg, size_t size,
			const struct famfs_fmap_snap *snap);
int famfs_notify_fmap(struct fuse_conn *fc, unsigned int size,
		      struct fuse_copy_state *cs);

/* famfs_fetch.c */
int famfs_fetch(struct inode *inode, bool locked);
bool famfs_needs_fetch(struct inode *inode);
int famfs_fetch_retry(struct inode *inode, bool locked);
int famfs_fetch_locked(struct inode *inode);
const struct famfs_map *famfs_map_lock(struct inode *inode);
void famfs_map_unlock(struct inode *inode);
int famfs_can_resize(struct inode *inode);
int famfs_open_fetch(struct inode *inode, struct file *file);
void famfs_open_cleanup(struct famfs_open_req *req);
int famfs_open_prepare(struct famfs_open_req *req, struct inode *inode,
		       struct file *file);
void famfs_create_prepare(struct famfs_open_req *req, struct fuse_conn *fc);
void famfs_open_add_arg(struct famfs_open_req *req, struct fuse_args *args,
			u32 *open_flags);
int famfs_open_get_reply(struct famfs_open_req *req, struct fuse_args *args,
			 ssize_t ret);
int famfs_open_finish(struct famfs_open_req *req, struct inode *inode,
		      struct fuse_file *ff);
int famfs_create_finish(struct famfs_open_req *req, struct inode *inode,
			struct file *file, struct fuse_file *ff);

/* famfs_grow.c */
int famfs_zero_range(struct inode *inode, loff_t start, loff_t end);
void famfs_extend_commit(struct inode *inode, loff_t size);
int famfs_extend_prepare(struct famfs_rw *rw, const struct famfs_map *map);
int famfs_mapped_len(struct inode *inode, u64 *mapped);
int famfs_alloc(struct file *file, loff_t end);
int famfs_alloc_locked(struct inode *inode, struct file *file, loff_t end);
int famfs_rw_provide(struct famfs_rw *rw);
long famfs_fallocate(struct file *file, int mode, loff_t offset,
		     loff_t length);

/* famfs_truncate.c */
int famfs_truncate_fetch(struct inode *inode, const struct iattr *attr);
int famfs_setattr_check(struct inode *inode, struct iattr *attr);
int famfs_setattr_begin(struct inode *inode, struct iattr *attr,
			struct file *file, struct famfs_truncate *trunc);
int famfs_setattr_end(struct inode *inode, const struct iattr *attr,
		      struct file *file, struct famfs_truncate *trunc, int err);
u32 famfs_create_flags(const struct fuse_conn *fc, u32 flags);
int famfs_create_truncate(struct mnt_idmap *idmap, struct file *file,
			  bool was_fmap);

/* famfs_file.c */
int famfs_file_io_open(struct inode *inode, struct file *file);

#else /* CONFIG_FUSE_FAMFS_DAX */

#include "famfs_stubs.h"

#endif /* CONFIG_FUSE_FAMFS_DAX */
#endif /* _FS_FUSE_FAMFS_H */
