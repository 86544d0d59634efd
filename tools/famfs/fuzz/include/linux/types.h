/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FAMFS_SHIM_TYPES_H
#define _FAMFS_SHIM_TYPES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
/* As in the kernel, where it is a long long on 64-bit machines too. */
typedef unsigned long long u64;
typedef int8_t s8;
typedef int32_t s32;
typedef long long s64;

#define U32_MAX		UINT32_MAX
#define U64_MAX		ULLONG_MAX
#define S64_MAX		LLONG_MAX

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define DECLARE_BITMAP(name, bits) \
	unsigned long name[(bits) / (8 * sizeof(long))]

#ifndef __aligned
#define __aligned(n)	__attribute__((__aligned__(n)))
#endif

#endif
