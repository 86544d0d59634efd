/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tests of mapped files stand on: dax devices, a mount in a mount
 * namespace of the test's own, and the kernel's taint flags.
 *
 * FAMFS_DAXDEVS names the devices, as in "/dev/dax0.0 /dev/dax1.0".  They must
 * be bound to fsdev_dax, and what is on them is lost.
 */
#ifndef FAMFS_ENV_H
#define FAMFS_ENV_H

#include "famfs_fmap.h"
#include "famfs_server.h"

#define MiB	(1024 * 1024UL)
#define PMD	(2 * MiB)

struct famfs_dev {
	char path[64];
	const char *name;		/* dax0.0, in path */
	__u64 size;
};

struct famfs_env {
	struct famfs_server srv;
	struct famfs_dev devs[FAMFS_MAX_DEVS];
	int ndevs;
	char dir[64];
	bool mounted;
	unsigned long taint;
};

/* famfs_bind.c: dax devices and their drivers. */
int famfs_write_text(const char *path, const char *text);
bool famfs_bound(const struct famfs_dev *dev, const char *driver);
int famfs_unbind(const struct famfs_dev *dev);
int famfs_bind(const struct famfs_dev *dev, const char *driver);
void *famfs_raw_map(const struct famfs_dev *dev, size_t len);
int famfs_raw_unmap(const struct famfs_dev *dev, void *map, size_t len);
void famfs_dev_wait_free(const struct famfs_dev *dev);
int famfs_dev_lock(const struct famfs_dev *dev);

/* famfs_env.c: the mount, and files on it. */
bool famfs_warned(struct famfs_env *env);
int famfs_drop_caches(void);
void famfs_name_devs(struct famfs_env *env, struct famfs_server *srv);
const char *famfs_env_init(struct famfs_env *env, int devs);
int famfs_env_exit(struct famfs_env *env);
int famfs_mount_at(struct famfs_server *srv, const char *dir);
int famfs_mount(struct famfs_env *env);
int famfs_mount_thread(struct famfs_env *env);
int famfs_mount_fork(struct famfs_env *env);
int famfs_umount(struct famfs_env *env);
int famfs_remount(struct famfs_env *env);
int famfs_mount_other(struct famfs_env *env, struct famfs_env *other,
		      __u64 size);
int famfs_open(struct famfs_env *env, const char *name, int flags);
int famfs_try_open(struct famfs_env *env, const char *name, int flags);
int famfs_reply_errno(struct famfs_env *env, __u32 opcode);
int famfs_stat_size(struct famfs_env *env, const char *name, __u64 *size);
int famfs_add_mapped(struct famfs_env *env, const char *name,
		     const struct famfs_msg *m);
int famfs_add_simple(struct famfs_env *env, const char *name, __u64 size,
		     __u32 dev, __u64 off);
int famfs_fill(struct famfs_env *env, size_t len);
__u64 famfs_check(int fd, const struct famfs_msg *m);
int famfs_check_all(int fd, const char *map, const struct famfs_msg *m);

/* famfs_look.c: what can be seen of them. */
int famfs_table(struct famfs_env *env, char *text, size_t len);
long famfs_maps(struct famfs_env *env);
int famfs_evict(struct famfs_env *env, long maps);
off_t famfs_size_of(int fd);
int famfs_check_data(int fd, const char *data, size_t len);
bool famfs_zeros(int fd, off_t from, off_t to);
__u64 famfs_open_cost(struct famfs_env *env, const char *name);

/* famfs_fail.c */
const char *famfs_fail_init(void);
__u64 famfs_frame_of(const char *p);
int famfs_fail_frame(__u64 frame);

#endif /* FAMFS_ENV_H */
