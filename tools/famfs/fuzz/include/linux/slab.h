/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FAMFS_SHIM_SLAB_H
#define _FAMFS_SHIM_SLAB_H

#include <linux/types.h>

#define GFP_KERNEL		0
#define GFP_KERNEL_ACCOUNT	0

#define KMALLOC_MAX_CACHE_SIZE	8192

/* Defined by the fuzzer, which counts and fails allocations. */
void *kmalloc(size_t size, int flags);
void kvfree(const void *ptr);

#define kvfree_rcu(ptr, member)	kvfree(ptr)

#endif
