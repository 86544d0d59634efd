#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What names and growing files cost on famfs, beside ext4 with DAX in the same
# guest: create, stat, list and remove 10,000 files of 4 KiB, cp -r, untar; and
# how much of files that were written in different ways 2 MiB pages map.
#
# Usage: scripts/bench/figures.sh [WHAT]...
#
#   WHAT       grow create stat stat-again readdir readdir-again remove cp untar;
#              all by default. create to remove go together
#   ROUNDS=N   rounds, in turn on both; the median counts
#   COUNT=N    files to create
#
# Times are the emulated CPU's, which count instructions: those of program,
# kernel and server. Prints tables; what is too slow is marked and is no failure.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches ROUNDS COUNT

out=$BUILD/figures
[ $# -gt 0 ] || set -- grow create stat stat-again readdir readdir-again remove \
	cp untar

"$TOP/scripts/env/prepare.sh" default
"$TOP/scripts/test/selftests.sh"
"$TOP/scripts/demo/programs.sh"
mkdir -p "$out"
make -s -C "$TOP/tools/famfs/bench" OUT="$out" "$out/names"
tree_git "$LINUX" archive --format=tar base Documentation > "$out/documentation.tar"
tar -cf "$out/include.tar" -C /usr include

"$TOP/scripts/guest/boot.sh" -n -b bench -t 9000 -o "$out/guest" -- \
	bash "$TOP/tools/famfs/bench/figures.sh" "$out" "$BUILD/demo" \
	"$ROUNDS" "$COUNT" "$@" > "$out/figures.txt"
python3 "$TOP/tools/famfs/bench/figures.py" "$out/figures.txt"
