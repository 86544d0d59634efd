#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# libfuse has the header of the kernel series, byte for byte.

. "$(dirname "$0")/common.sh"

need_series
"$TOP/scripts/series/apply.sh" libfuse --clean
diff -u "$LINUX/include/uapi/linux/fuse.h" "$LIBFUSE/include/fuse_kernel.h"
