/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FAMFS_SHIM_LOG2_H
#define _FAMFS_SHIM_LOG2_H

#include <linux/types.h>

#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))
#define ilog2(n)		(63 - __builtin_clzll(n))
#define rounddown_pow_of_two(n)	(1UL << ilog2(n))

#endif
