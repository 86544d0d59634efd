#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds libfuse in the cache, from the tree there as it is checked out.
#
# Usage: scripts/tools/libfuse.sh BUILD...
#
#   base     the base without the series: programs to run with a newer library
#   plain    with the series: that library
#   static   the same, to be linked into the tools of tools/famfs
#   asan     the tests of maps, with AddressSanitizer and
#            UndefinedBehaviorSanitizer
#
# Each ends up in the cache as o/libfuse-BUILD, a build folder of meson with what
# is needed of it; the gate libfuse-patches builds everything.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

[ $# -gt 0 ] || usage

# What to make of each.
LIBRARY=lib/libfuse3.so.$LIBFUSE_VERSION
declare -A TARGETS=(
	[base]="$LIBRARY util/fusermount3 example/printcap example/hello_ll
		example/hello example/passthrough_ll
		example/passthrough_hp test/test_abi
		test/test_write_cache"
	[plain]=$LIBRARY
	[static]=lib/libfuse3.a
	[asan]="$LIBRARY util/fusermount3 example/printcap example/fmap_ll
		example/fmap_grow_ll
		test/test_fmap test/test_fmap_wire test/test_fmap_parts
		test/test_famfs_names test/test_fmap_mount
		test/test_fmap_device"
)

# The base does not change: its sources are unpacked once.
base_source()
{
	local dir=$FAMFS_CACHE/o/libfuse-base-source commit

	commit=$(tree_git "$LIBFUSE" rev-parse 'base^{commit}')
	if [ "$(cat "$dir/.commit" 2>/dev/null)" != "$commit" ]; then
		rm -rf "$dir" "$FAMFS_CACHE/o/libfuse-base"
		mkdir -p "$dir"
		tree_git "$LIBFUSE" archive base | tar -x -C "$dir"
		echo "$commit" > "$dir/.commit"
	fi
	echo "$dir"
}

build()
{
	local name=$1 source=$LIBFUSE out=$FAMFS_CACHE/o/libfuse-$1
	local options=(-Dwerror=true)

	[ "$name" != base ] || source=$(base_source)
	# Requests of a server that dies must not die with a ring.
	[ "$name" != static ] ||
		options+=(-Ddefault_library=static -Denable-io-uring=false
			  -Dutils=false -Dexamples=false -Dtests=false)
	# The second option lets a library leave the sanitizer's symbols open.
	[ "$name" != asan ] ||
		options+=("-Db_sanitize=address,undefined" -Db_lundef=false)
	[ -e "$out/build.ninja" ] ||
		meson setup "${options[@]}" "$out" "$source" || return
	# shellcheck disable=SC2086 # words they are
	ninja -C "$out" -j "$JOBS" ${TARGETS[$name]}
}

# quiet NAME: the log only where the build fails.
quiet()
{
	local log=$FAMFS_CACHE/o/libfuse-$1.log

	build "$1" > "$log" 2>&1 || {
		grep -vE '^\[[0-9]+/[0-9]+\]' "$log" | tail -n 40 >&2
		die "libfuse ($1) does not build" "The whole log: $log"
	}
}

for name in "$@"; do
	[ -n "${TARGETS[$name]:-}" ] || usage
done
mkdir -p "$FAMFS_CACHE/o"
lock libfuse
if command -v ccache >/dev/null; then
	export CCACHE_DIR=${CCACHE_DIR:-$FAMFS_CACHE/ccache}
fi
for name in "$@"; do
	step "building libfuse ($name)" quiet "$name"
done
