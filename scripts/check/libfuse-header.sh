#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# libfuse has the header of the kernel series, byte for byte.

. "$(dirname "$0")/common.sh"

"$TOP/scripts/series/apply.sh" libfuse --clean
diff -u "$UAPI/linux/fuse.h" "$LIBFUSE/include/fuse_kernel.h"
