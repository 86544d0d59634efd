#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Counts instructions of reads, writes, faults and opens, side by side in one
# run: ext4 and xfs with DAX, mapped files with maps of several kinds, and a
# raw dax device; and of installing maps.
#
# Usage: scripts/bench/run.sh [WHAT]...
#
# WHAT as in tools/famfs/bench/run.sh; all of it by default. Leaves
# build/bench/results.json and results.svg and prints a table. Fails if a bound
# is exceeded.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

out=$BUILD/bench

"$TOP/scripts/env/prepare.sh" bench
"$TOP/scripts/test/selftests.sh"

mkdir -p "$out"
rm -f "$out"/results.*
make -s -C "$TOP/tools/famfs/bench" OUT="$out" \
	HEADERS="$HEADERS"

# An emulated CPU on a busy machine takes its time; what it counts does not
# depend on that.
"$TOP/scripts/guest/boot.sh" -n -b bench -c bench -t 1800 -o "$out/guest" -- \
	bash "$TOP/tools/famfs/bench/run.sh" "$out" "$@" > "$out/results.txt"
python3 "$TOP/tools/famfs/bench/report.py" "$out/results.txt" "$out"
