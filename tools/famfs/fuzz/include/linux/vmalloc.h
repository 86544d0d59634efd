/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FAMFS_SHIM_VMALLOC_H
#define _FAMFS_SHIM_VMALLOC_H

#include <linux/slab.h>

#define __vmalloc(size, flags)	kmalloc(size, flags)

#endif
