#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Counts instructions of reads, writes, faults, opens and small files, side by
# side in one run: ext4 and xfs with DAX, tmpfs, FUSE without maps and with
# passthrough, mapped files with maps of several kinds, tools/famfs, and a raw dax
# device; of installing maps; and of what should cost the same however many
# extents, open files and devices there are. fio runs on famfs beside ext4, by
# the clock.
#
# Usage: scripts/bench/run.sh [WHAT]...
#
#   WHAT       devdax ext4 xfs tmpfs fuse passthrough one stripe one-big uniform
#              mixed famfs aged install, as in tools/famfs/bench/run.sh; extents
#              open devices, as in scale.sh there; fio. All by default
#   FULL=1     maps of 16 Mi extents as well
#
# Leaves build/bench/results.json, tables and plots there, and prints tables.
# Fails if a bound is exceeded.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches FULL

out=$BUILD/bench
bench=$TOP/tools/famfs/bench
fio=(5 500)
[ $# -gt 0 ] || set -- devdax ext4 xfs tmpfs fuse passthrough one stripe one-big \
	uniform mixed famfs aged install extents open devices fio

# chosen WHAT...: those of them that were asked for, in this order.
chosen()
{
	local what

	for what; do
		[[ " $asked " != *" $what "* ]] || echo "$what"
	done
}

# guest NAME BACKEND OPTIONS SCRIPT ARGS...: its results are added to the others.
guest()
{
	local name=$1 backend=$2 options=$3 script=$4

	shift 4
	# An emulated CPU on a busy machine takes its time; what it counts does
	# not depend on that.
	# shellcheck disable=SC2086
	"$TOP/scripts/guest/boot.sh" $options -b "$backend" -c bench -t 5400 \
		-s "$FAMFS_CACHE/o" -o "$out/guest-$name" -- \
		bash "$bench/$script" "$out" "$BUILD/demo" "$@" >> "$out/results.txt"
}

asked="$*"
# Devices are cut from what the others use.
mapfile -t scale < <(chosen extents open devices)
counted=()
for what; do
	[[ " ${scale[*]} fio " == *" $what "* ]] || counted+=("$what")
done

BENCH=1 "$TOP/scripts/env/prepare.sh" bench
"$TOP/scripts/test/selftests.sh"
"$TOP/scripts/demo/programs.sh"
"$TOP/scripts/series/base.sh" libfuse
"$TOP/scripts/tools/libfuse.sh" base

mkdir -p "$out"
rm -f "$out"/results.*
make -s -C "$bench" OUT="$out" HEADERS="$HEADERS"

[ ${#counted[@]} = 0 ] ||
	guest files bench -n run.sh "$FAMFS_CACHE/o" "${counted[@]}"
[ ${#scale[@]} = 0 ] ||
	guest scale hmem-large -n scale.sh "$FULL" "${scale[@]}"
[[ " $asked " != *" fio "* ]] || guest fio bench "" fio.sh "${fio[@]}"
/usr/bin/python3 "$bench/report.py" "$out/results.txt" "$out"
