/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FAMFS_SHIM_FS_H
#define _FAMFS_SHIM_FS_H

#include <linux/types.h>

#define MAX_LFS_FILESIZE	LLONG_MAX

#endif
