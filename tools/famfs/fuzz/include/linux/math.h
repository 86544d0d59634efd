/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FAMFS_SHIM_MATH_H
#define _FAMFS_SHIM_MATH_H

#define round_up(x, y)		((((x) - 1) | ((typeof(x))(y) - 1)) + 1)
#define round_down(x, y)	((x) & ~((typeof(x))(y) - 1))

#endif
