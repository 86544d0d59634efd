/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FAMFS_SHIM_MM_H
#define _FAMFS_SHIM_MM_H

#include <linux/align.h>
#include <linux/types.h>

/* The Makefile also builds with the largest page that Linux has. */
#ifndef PAGE_SHIFT
#define PAGE_SHIFT	12
#endif

#define PAGE_SIZE	(1UL << PAGE_SHIFT)
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x)	ALIGN(x, PAGE_SIZE)
#define PAGE_ALIGNED(x)	IS_ALIGNED((unsigned long)(x), PAGE_SIZE)

#endif
