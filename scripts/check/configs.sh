#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The series builds in every configuration of FUSE_FS, FUSE_FAMFS_DAX, FUSE_DAX.
#
# FULL=1 adds those that take away what the feature builds on or stands beside.

. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/build.sh"

switches FULL

# one DIR TOGGLE...
one()
{
	local dir=$1

	progress "configs: ${*:2}"
	build_config "$@"
	build_make "$dir" prepare
	# shellcheck disable=SC2046 # words they are
	build_make "$dir" $(build_targets series "$dir") || { echo "does not build with ${*:2}"; return 1; }
}

need_series
bad=0
for fuse in y m; do
	for famfs in y n; do
		for virtio in y n; do
			dir=$fuse-$famfs-$virtio
			[ $dir != y-y-y ] || dir=main
			one "$dir" FUSE_FS=$fuse FUSE_FAMFS_DAX=$famfs FUSE_DAX=$virtio || bad=1
		done
	done
done
if [ -n "$FULL" ]; then
	one no-fs-dax FUSE_FS=y FS_DAX=n FUSE_FAMFS_DAX=n || bad=1
	one no-passthrough "${MAIN[@]}" FUSE_PASSTHROUGH=n FUSE_IO_URING=n || bad=1
	one no-tracing "${MAIN[@]}" FTRACE=n || bad=1
	one no-failure "${MAIN[@]}" MEMORY_FAILURE=n || bad=1
	one no-thp "${MAIN[@]}" TRANSPARENT_HUGEPAGE=n DEV_DAX=n || bad=1
fi
exit $bad
