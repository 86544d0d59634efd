#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Counts what the option costs those who do not ask for it: the kernel's
# instructions for opens, attributes, listings, reads, writes and syncs of an
# ordinary FUSE server, function by function.
#
# Usage: scripts/bench/cost.sh
#
#   RUNS=N     runs on each of three kernels: without the series, with the
#              option off, and with it on, where the server is offered maps and
#              takes none, and where it is not offered them
#   TIMES=N    how often each operation
#
# Prints a table, and fails where more instructions are taken than without the
# series by 1 %, or by the spread of the runs without it, if that is larger.
# build/cost/functions.txt says which functions differ.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches RUNS TIMES

out=$BUILD/cost

# count KERNEL BUILD CASE...
count()
{
	local kernel=$1 build=$2

	shift 2
	step "counting: $kernel" "$TOP/scripts/guest/boot.sh" -n \
		-p "$out/counter.so,out=$out/$kernel.counts" \
		-b none -c "$build" -t 6000 -s "$FAMFS_CACHE/o" -o "$out/guest-$kernel" -- \
		bash "$TOP/tools/famfs/bench/cached.sh" "$out" \
		"$FAMFS_CACHE/o/libfuse-base/example/passthrough_ll" \
		"$RUNS" "$TIMES" "$@" > "$out/$kernel.runs"
}

# base_kernel: once, for it means a checkout of the base and back, after which
# everything that the series touches is compiled anew.
base_kernel()
{
	local stamp=$FAMFS_CACHE/o/cost-base/stamp now

	now=$(tree_git "$LINUX" rev-parse 'base^{commit}'
	      cat "$TOP/scripts/kernel/config/default.config")
	[ "$now" != "$(cat "$stamp" 2>/dev/null)" ] || return 0
	# The tree goes back to the series, whatever happens.
	trap '"$TOP/scripts/series/apply.sh" linux' EXIT
	"$TOP/scripts/series/apply.sh" linux base
	"$TOP/scripts/kernel/build.sh" default cost-base
	"$TOP/scripts/series/apply.sh" linux
	trap - EXIT
	echo "$now" > "$stamp"
}

"$TOP/scripts/env/prepare.sh" default
"$TOP/scripts/series/base.sh" libfuse
"$TOP/scripts/tools/libfuse.sh" base
mkdir -p "$out"
make -s -C "$TOP/tools/famfs/bench" OUT="$out" "$out/cached" "$out/counter.so"

"$TOP/scripts/kernel/build.sh" default cost-off FUSE_FAMFS_DAX=n
base_kernel

count base cost-base offered
count off cost-off offered
count on default offered unoffered
python3 "$TOP/tools/famfs/bench/cost.py" "$out" "$TIMES" \
	"base=$FAMFS_CACHE/o/cost-base" "off=$FAMFS_CACHE/o/cost-off" \
	"on=$FAMFS_CACHE/o/default"
