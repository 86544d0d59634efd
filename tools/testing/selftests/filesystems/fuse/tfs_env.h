/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tests of mapped files stand on: dax devices, a mount in a mount
 * namespace of the test's own, and the kernel's taint flags.
 *
 * FAMFS_DAXDEVS names the devices, as in "/dev/dax0.0 /dev/dax1.0".  They must
 * be bound to fsdev_dax, and what is on them is lost.
 */
#ifndef TFS_ENV_H
#define TFS_ENV_H

#include "tfs_fmap.h"
#include "tfs_server.h"

#define MiB	(1024 * 1024UL)
#define PMD	(2 * MiB)

struct tfs_dev {
	char path[64];
	const char *name;		/* dax0.0, in path */
	__u64 size;
};

struct tfs_env {
	struct tfs_server srv;
	struct tfs_dev devs[TFS_MAX_DEVS];
	int ndevs;
	char dir[64];
	bool mounted;
	unsigned long taint;
};

/* tfs_bind.c: dax devices and their drivers. */
int tfs_write_text(const char *path, const char *text);
bool tfs_bound(const struct tfs_dev *dev, const char *driver);
int tfs_unbind(const struct tfs_dev *dev);
int tfs_bind(const struct tfs_dev *dev, const char *driver);
void *tfs_raw_map(const struct tfs_dev *dev, size_t len);
int tfs_raw_unmap(const struct tfs_dev *dev, void *map, size_t len);
void tfs_dev_wait_free(const struct tfs_dev *dev);
int tfs_dev_lock(const struct tfs_dev *dev);

/* tfs_env.c: the mount, and files on it. */
bool tfs_warned(struct tfs_env *env);
int tfs_drop_caches(void);
void tfs_name_devs(struct tfs_env *env, struct tfs_server *srv);
const char *tfs_env_init(struct tfs_env *env, int devs);
int tfs_env_exit(struct tfs_env *env);
int tfs_mount_at(struct tfs_server *srv, const char *dir);
int tfs_mount(struct tfs_env *env);
int tfs_mount_thread(struct tfs_env *env);
int tfs_mount_fork(struct tfs_env *env);
int tfs_umount(struct tfs_env *env);
int tfs_remount(struct tfs_env *env);
int tfs_mount_other(struct tfs_env *env, struct tfs_env *other,
		    __u64 size);
int tfs_open(struct tfs_env *env, const char *name, int flags);
int tfs_try_open(struct tfs_env *env, const char *name, int flags);
int tfs_reply_errno(struct tfs_env *env, __u32 opcode);
int tfs_stat_size(struct tfs_env *env, const char *name, __u64 *size);
int tfs_add_mapped(struct tfs_env *env, const char *name,
		   const struct tfs_msg *m);
int tfs_add_simple(struct tfs_env *env, const char *name, __u64 size,
		   __u32 dev, __u64 off);
int tfs_fill(struct tfs_env *env, size_t len);
__u64 tfs_check(int fd, const struct tfs_msg *m);
int tfs_check_all(int fd, const char *map, const struct tfs_msg *m);

/* tfs_inspect.c: what can be seen of them. */
int tfs_table(struct tfs_env *env, char *text, size_t len);
long tfs_maps(struct tfs_env *env);
int tfs_evict(struct tfs_env *env, long maps);
off_t tfs_size_of(int fd);
int tfs_check_data(int fd, const char *data, size_t len);
bool tfs_zeros(int fd, off_t from, off_t to);
__u64 tfs_open_cost(struct tfs_env *env, const char *name);
int tfs_trace_lines(const char *instance, const char *event, const char *with);

/* tfs_map.c: mappings. */
char *tfs_map_aligned(int fd, size_t len, int prot, size_t align);
__u64 tfs_mapped(const void *start, size_t len, __u64 kinds);
void tfs_hint_huge(int fd);
void tfs_load(const char *p);
long tfs_faults(void);
long tfs_rss_shared(void);
long tfs_store_faults(char *p);
int tfs_msyncs_lost(char *page, char *other, int n);

/* tfs_fail.c */
const char *tfs_fail_init(void);
__u64 tfs_frame_of(const char *p);
int tfs_fail_frame(__u64 frame);
void tfs_fail_settle(void);

#endif /* TFS_ENV_H */
