#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the modules newly need from the kernel is exported to modules.
#
# Compiling does not tell, and linking a kernel takes too long for a gate. What
# the modules of the base need is taken as given, for many of those symbols are
# exported by macros.

. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/build.sh"

MODULES=(FUSE_FS=m FUSE_FAMFS_DAX=y FUSE_DAX=y)

# needs DIR COMMIT: the undefined symbols of the modules, less those that one
# of them gives another.
needs()
{
	local out

	out=$(build_out "$1")
	build_config "$1" "${MODULES[@]}" >&2
	build_make "$1" prepare >&2
	# shellcheck disable=SC2046 # words they are
	build_make "$1" $(build_targets "$2") >&2
	find "$out/fs/fuse" -name '*.mod' | sed 's/\.mod$/.o/' | xargs -r nm -u |
		awk '$1 == "U" { print $2 }' | sort -u
}

need_series
known=$(build_kept exports)
if [ ! -e "$known" ]; then
	build_worktree base
	needs base-m base > "$known.new"
	mv "$known.new" "$known"
	BUILD_TREE=$LINUX
fi
needs m-y-y series > "$BUILD/check/exports.now"
[ -s "$BUILD/check/exports.now" ] || { echo "no module was built"; exit 1; }

new=$(comm -13 "$known" "$BUILD/check/exports.now" | paste -sd'|')
[ -n "$new" ] || exit 0
exported=$(git -C "$LINUX" grep -hoE "EXPORT_(PER_CPU_)?SYMBOL[A-Z_]*\( *($new)\b" -- '*.c' '*.h' '*.S' |
	sed 's/.*( *//' | sort -u)
missing=$(comm -23 <(tr '|' '\n' <<< "$new" | sort -u) <(echo "$exported"))
[ -z "$missing" ] || { echo "not exported to modules:"; echo "$missing"; exit 1; }
