#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The series builds for 32 bits, for arm64 with 4K and 64K pages, for riscv64.

. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/build.sh"

# one DIR FRAGMENT TOGGLE...
one()
{
	local dir=$1

	progress "machines: $dir"
	BUILD_FRAGMENTS=("$TOP/scripts/check/$2.config")
	shift 2
	build_config "$dir" "$@"
	build_make "$dir" prepare
	# shellcheck disable=SC2046 # words they are
	build_make "$dir" $(build_targets series "$dir") || { echo "does not build for $dir"; return 1; }
}

need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
need riscv64-linux-gnu-gcc gcc-riscv64-linux-gnu
need_series
bad=0

# Nothing narrower than 64 bits has device memory with struct pages: here the
# rest of FUSE must build without the feature.
BUILD_ARCH=i386
one i386 i386 FUSE_FS=y || bad=1

BUILD_ARCH=arm64 BUILD_CROSS=aarch64-linux-gnu-
one arm64-4k arm64-4k "${MAIN[@]}" || bad=1
one arm64-64k arm64-64k FUSE_FS=m FUSE_FAMFS_DAX=y FUSE_DAX=y || bad=1

BUILD_ARCH=riscv BUILD_CROSS=riscv64-linux-gnu-
one riscv64 riscv64 "${MAIN[@]}" || bad=1
exit $bad
