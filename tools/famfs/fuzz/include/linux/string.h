/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FAMFS_SHIM_STRING_H
#define _FAMFS_SHIM_STRING_H

#include <string.h>

#endif
