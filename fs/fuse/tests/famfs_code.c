// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of file maps: the code under test, from its own files.
 */

#include "famfs_test.h"

#include "../famfs_map.c"
#include "../famfs_parse.c"
