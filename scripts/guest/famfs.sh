#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the tests of the commands and the server in the guest, on a dax device.
#
# Usage: famfs.sh OUT BINARY SECONDS TEST...
#
# BINARY is installed under its names first. Each test is a script in
# tools/famfs/test/guest, has SECONDS at most, and prints TAP, which goes to
# OUT/famfs-NAME.tap. Prints a line each, as tests.sh does:
#
#   result NAME PASSED FAILED SKIPPED SECONDS

set -uo pipefail

out=$1 binary=$2 limit=$3
shift 3
here=$(dirname "$0")
tests=$(cd "$here/../../tools/famfs/test/guest" && pwd)

for name in famfs mkfs.famfs fsck.famfs mount.famfs umount.fuse.famfs; do
	ln -sf "$binary" "/usr/sbin/$name"
done
# Of the host; servers with sanitizers say there what they have found.
export ASAN_OPTIONS=detect_leaks=1:log_path=$out/sanitizer
export UBSAN_OPTIONS=print_stacktrace=1:log_path=$out/sanitizer

for name; do
	start=$SECONDS
	timeout -k 5 "$limit" bash "$tests/$name.sh" \
		> "$out/famfs-$name.tap" 2> "$out/famfs-$name.err"
	"$here/tally.sh" "famfs-$name" "$out/famfs-$name.tap" \
		$((SECONDS - start))
	# What a test that failed has left must not hurt the next one.
	mount | awk '$5 == "fuse.famfs" { print $3 }' | tac |
		while read -r dir; do umount -l "$dir"; done
done
shopt -s nullglob
found=("$out"/sanitizer*)
[ ${#found[@]} = 0 ] || echo "result famfs-sanitizers 0 1 0 0"
