/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Red-black trees, from libbsd. Its RB_GENERATE_STATIC() wants a macro that its
 * own headers define only for some; not every tree uses every function.
 */
#ifndef FAMFS_TREE_H
#define FAMFS_TREE_H

#include <bsd/sys/tree.h>

#define TREE_GENERATE(name, type, field, compare)		\
	RB_GENERATE_INTERNAL(name, type, field, compare,	\
			     __attribute__((unused)) static)

#endif
