#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Stale cache lines on a medium whose coherence is software: what the server has
# the kernel drop, and when. What is easily wrong: a file that this host writes
# has its memory dropped at each step; one that it opens has not.

. "$(dirname "$0")/lib.sh"

plan 13

trace=$work/trace
mkdir "$trace"
mount -t tracefs tracefs "$trace"
trap 'cd /; umount "$trace"; rm -rf "$work"' EXIT
trace_on() { echo 1 > "$trace/events/famfs/famfs_drop/enable"; }
trace_clear() { : > "$trace/trace"; }

# dropped: bytes since trace_clear.
dropped()
{
	local sum=0 length

	while read -r length; do
		sum=$((sum + length))
	done < <(sed -nE 's/.*famfs_drop: .* length (0x[0-9a-f]+) .*/\1/p' "$trace/trace")
	echo $sum
}

check "events" trace_on
check "a file system whose coherence is software" fresh
trace_clear
check "a file is written" dd if=/dev/zero of=$mnt/f bs=64k count=64 status=none
same "of which no memory is dropped but pages of its end" \
	"$(($(dropped) / 65536))" 0
check "another one" sh -c "echo text > $mnt/g"
check "it is mounted again" again
trace_clear
check "files are read" cat $mnt/f $mnt/g
same "and dropped as a whole, before" "$(dropped)" $((4194304 + 4096))
trace_clear
check "they are read again" cat $mnt/f $mnt/g
same "and nothing is dropped" "$(dropped)" 0
check "famfs flush of a file" famfs flush $mnt/f
umount $mnt

mkfs.famfs -q -f --dead --coherence hardware "$dev"
mount -t famfs "$dev" $mnt
trace_clear
check "with coherent hardware" sh -c "echo text > $mnt/f && umount $mnt &&
	mount -t famfs $dev $mnt && cat $mnt/f"
same "nothing is dropped" "$(dropped)" 0
echo 0 > "$trace/events/famfs/famfs_drop/enable"
umount $mnt
