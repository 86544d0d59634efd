#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the kselftests of fs/fuse, those of mainline and those of the series,
# from the tree in the cache as it is checked out.
#
# Usage: scripts/test/selftests.sh
#
# Leaves the programs in build/selftests.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

[ -d "$LINUX/.git" ] || die "no kernel tree" "Run scripts/series/base.sh linux"

dir=tools/testing/selftests/filesystems/fuse
headers=$FAMFS_CACHE/o/headers
out=$BUILD/selftests

# Headers change seldom, and making them takes a while: only when their
# sources have.
headers()
{
	local stamp=$headers/stamp now

	mkdir -p "$headers"
	now=$(
		cd "$LINUX"
		git ls-files -s -- include/uapi arch/x86/include/uapi
		git diff HEAD -- include/uapi arch/x86/include/uapi
	)
	if [ "$now" != "$(cat "$stamp" 2>/dev/null)" ]; then
		make -s -C "$LINUX" O="$headers" -j "$JOBS" headers
		echo "$now" > "$stamp"
	fi
}

programs()
{
	local program

	make -s -C "$LINUX/$dir" -j "$JOBS" OUTPUT="$out" \
		KHDR_INCLUDES="-isystem ${HEADERS// / -isystem }" all >&2
	# Programs whose source is gone would be run for ever.
	for program in "$out"/*_test; do
		[ -e "$LINUX/$dir/${program##*/}.c" ] || rm -f "$program"
	done
}

mkdir -p "$out" "$headers"
lock headers
headers > "$headers/build.log" 2>&1 || {
	cat "$headers/build.log" >&2
	die "the kernel's headers cannot be made"
}
step "building kselftests" programs
