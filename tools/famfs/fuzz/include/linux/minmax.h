/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FAMFS_SHIM_MINMAX_H
#define _FAMFS_SHIM_MINMAX_H

#define min(x, y)		((x) < (y) ? (x) : (y))
#define max(x, y)		((x) > (y) ? (x) : (y))
#define min3(x, y, z)		min(min(x, y), z)
#define min_t(type, x, y)	min((type)(x), (type)(y))
#define max_t(type, x, y)	max((type)(x), (type)(y))

#endif
