#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Programs that were built with libfuse before the series run with it.
#
# The functions of the base take and return what they did, as the debugging
# information of both libraries has it; what is new has a version of its own.

. "$(dirname "$0")/common.sh"

need abidiff abigail-tools
"$TOP/scripts/series/apply.sh" libfuse --clean
"$TOP/scripts/tools/libfuse.sh" base plain

library()
{
	echo "$FAMFS_CACHE/o/libfuse-$1/lib/libfuse3.so.$LIBFUSE_VERSION"
}

# It knows that what comes at the end of struct fuse_lowlevel_ops harms no
# program, a member that moves it reports.
abidiff --headers-dir1 "$FAMFS_CACHE/o/libfuse-base-source/include" \
	--headers-dir2 "$LIBFUSE/include" --no-added-syms \
	"$(library base)" "$(library plain)" ||
	{ echo "abidiff ends with $?"; exit 1; }

# symbols BUILD: "name@version", sorted.
symbols()
{
	readelf --dyn-syms --wide "$(library "$1")" |
		awk '$7 != "UND" && $8 ~ /@/ { sub(/@@/, "@", $8); print $8 }' | sort
}

added=$(comm -13 <(symbols base) <(symbols plain) | grep -v '@FUSE_3\.18_FMAP$' || true)
gone=$(comm -23 <(symbols base) <(symbols plain))
[ -z "$added" ] || { printf 'not in the section of the series:\n%s\n' "$added"; exit 1; }
[ -z "$gone" ] || { printf 'gone:\n%s\n' "$gone"; exit 1; }
