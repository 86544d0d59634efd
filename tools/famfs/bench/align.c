// SPDX-License-Identifier: GPL-2.0
/*
 * Asking a file system for blocks that huge pages can map.
 */
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "align.h"

/* Alignment for allocations is a hint: xfs takes it here, ext4 at mkfs. */
void align_hint(int fd, unsigned int size)
{
	struct fsxattr attr;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr))
		return;
	attr.fsx_xflags |= FS_XFLAG_EXTSIZE;
	attr.fsx_extsize = size;
	ioctl(fd, FS_IOC_FSSETXATTR, &attr);
}
