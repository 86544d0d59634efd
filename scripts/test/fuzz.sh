#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Feeds messages to a user-space build, with sanitizers, of the code that reads
# maps of files. The messages are the same on every run. With FULL=1 libFuzzer
# goes on from there for a minute, or for FUZZ_SECONDS.
#
# Usage: scripts/test/fuzz.sh

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches FULL FUZZ_MESSAGES FUZZ_SECONDS

out=$BUILD/fuzz
passed=0 failed=0 skipped=0

build()
{
	make -s -C "$TOP/tools/famfs/fuzz" O="$out" \
		UAPI="$UAPI" "$@" >&2
}

# verdict NAME COMMAND...: one test; what it prints is kept as comments.
verdict()
{
	local name=$1 log=$out/log

	shift
	if "$@" > "$log" 2>&1; then
		echo "ok - $name"
		passed=$((passed + 1))
	else
		echo "not ok - $name"
		failed=$((failed + 1))
	fi
	sed 's/^#* */# /' "$log"
}

# What it finds beyond the corpus stays for the next run.
libfuzzer()
{
	mkdir -p "$out/good" "$out/corpus"
	"$out/fuzz-4k" -c "$out/good"
	"$out/libfuzzer" -seed=1 -max_len=4096 -max_total_time="$FUZZ_SECONDS" \
		-verbosity=0 -print_final_stats=1 -artifact_prefix="$out/" \
		"$out/corpus" "$out/good"
}

mkdir -p "$out"
build all
cd "$out"
for page in 4k 64k; do
	verdict "famfs_fuzz_M1_$page" "$out/fuzz-$page" -n "$FUZZ_MESSAGES"
done
if [ -z "$FULL" ]; then
	:
elif ! command -v clang >/dev/null; then
	echo "ok - famfs_fuzz_M1_libfuzzer # SKIP clang is missing"
	skipped=1
else
	build libfuzzer
	verdict famfs_fuzz_M1_libfuzzer libfuzzer
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
