#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Counts instructions of reads, writes, faults, opens and small files, side by
# side in one run: ext4 and xfs with DAX, tmpfs, FUSE without maps and with
# passthrough, mapped files with maps of several kinds, tools/famfs, and a raw dax
# device; and of installing maps.
#
# Usage: scripts/bench/run.sh [WHAT]...
#
# WHAT as in tools/famfs/bench/run.sh; all of it by default. Leaves
# build/bench/results.json and plots there, and prints a table. Fails if a bound
# is exceeded.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

out=$BUILD/bench

BENCH=1 "$TOP/scripts/env/prepare.sh" bench
"$TOP/scripts/test/selftests.sh"
"$TOP/scripts/demo/programs.sh"
"$TOP/scripts/series/base.sh" libfuse
"$TOP/scripts/tools/libfuse.sh" base

mkdir -p "$out"
rm -f "$out"/results.*
make -s -C "$TOP/tools/famfs/bench" OUT="$out" \
	HEADERS="$HEADERS"

# An emulated CPU on a busy machine takes its time; what it counts does not
# depend on that.
"$TOP/scripts/guest/boot.sh" -n -b bench -c bench -t 5400 -s "$FAMFS_CACHE/o" -o "$out/guest" -- \
	bash "$TOP/tools/famfs/bench/run.sh" "$out" "$BUILD/demo" "$FAMFS_CACHE/o" \
	"$@" > "$out/results.txt"
/usr/bin/python3 "$TOP/tools/famfs/bench/report.py" "$out/results.txt" "$out"
