#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demo of several hosts: guests that share one memory, of which one owns a
# file system and the others are members. Whatever is missing is made first.
#
# Usage: scripts/demo/hosts.sh
#
# Kconfig says what MEMBERS and FAMFS_PATIENCE are.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches MEMBERS FAMFS_PATIENCE

members=$MEMBERS
out=$BUILD/demo-hosts

"$TOP/scripts/env/prepare.sh" default
"$TOP/scripts/test/selftests.sh"
"$TOP/scripts/demo/programs.sh"
rm -rf "$out"
mkdir -p "$out/meet"
truncate -s 1G "$out/memory"

# host NUMBER: one guest. The first one makes the namespace of the memory.
host()
{
	"$TOP/scripts/guest/boot.sh" -b nvdimm -d "$out/memory" -w "$out/meet" \
		-t $((FAMFS_PATIENCE * 4)) -o "$out/$1" -- /bin/sh -c \
		"cp -a '$BUILD/demo/root/.' / && FAMFS_PATIENCE=$FAMFS_PATIENCE exec bash '$TOP/tools/famfs/demo/hosts.sh' $1 $members '$out/meet'" \
		> "$out/$1.log" 2>&1 || : > "$out/meet/failed"
}

host 0 &
while [ ! -e "$out/meet/made" ] && [ ! -e "$out/meet/failed" ]; do
	sleep 0.5
done
for number in $(seq "$members"); do
	host "$number" &
done
wait
rm -f "$out/memory"
sort -s -k1,1 "$out/meet/table" 2> /dev/null || true
if [ -e "$out/meet/failed" ] || grep -q 'FAIL$' "$out/meet/table"; then
	echo "demo-hosts: FAIL"
	exit 1
fi
echo "demo-hosts: PASS"
