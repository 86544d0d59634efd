#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs cached in the guest, on mounts of a server that knows nothing of maps.
#
# Usage: cached.sh PROGRAMS SERVER RUNS TIMES CASE...
#
# SERVER is libfuse's passthrough_ll. CASE is offered, where the kernel offers
# maps if it has them, or unoffered, where the mounter may not have them. Prints
# "run CASE" and what cached prints, for each run.

set -euo pipefail

programs=$1 server=$2 runs=$3 times=$4
shift 4
lower=/tmp/lower
mnt=/tmp/cached
mkdir -p $lower $mnt

# serve CASE: in the background.
serve()
{
	local as=()

	[ "$1" = offered ] || as=(setpriv --bounding-set -sys_rawio)
	"${as[@]}" "$server" -f -s -o "source=$lower,cache=auto,timeout=86400" $mnt &
	until mountpoint -q $mnt; do sleep 0.01; done
}

for ((i = 0; i < runs; i++)); do
	for case; do
		mount -t tmpfs tmpfs $lower
		serve "$case"
		echo "run $case"
		"$programs/cached" $mnt "$times"
		umount $mnt
		wait
		umount $lower
	done
done
