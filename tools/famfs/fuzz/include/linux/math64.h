/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FAMFS_SHIM_MATH64_H
#define _FAMFS_SHIM_MATH64_H

#include <linux/types.h>

static inline u64 div64_u64_rem(u64 dividend, u64 divisor, u64 *remainder)
{
	*remainder = dividend % divisor;
	return dividend / divisor;
}

static inline u64 div64_u64(u64 dividend, u64 divisor)
{
	return dividend / divisor;
}

static inline u64 div_u64_rem(u64 dividend, u32 divisor, u32 *remainder)
{
	*remainder = dividend % divisor;
	return dividend / divisor;
}

static inline u64 div_u64(u64 dividend, u32 divisor)
{
	return dividend / divisor;
}

#define DIV_ROUND_UP_ULL(n, d)	(((u64)(n) + (d) - 1) / (d))

#endif
