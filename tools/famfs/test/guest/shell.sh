#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What `make shell` begins with, and the commands that it shows, each as it is
# shown and in that order.

. "$(dirname "$0")/lib.sh"

plan 10

# As in a guest that has just booted.
read -r _ second _ <<< "$FAMFS_DAXDEVS"
dd if=/dev/zero of="$second" bs=1M count=4 conv=notrunc status=none
check "the start" bash "$(dirname "$0")/../../../../scripts/guest/shell.sh"
cp "$work/said" "$work/shown"
same "the first device is mounted" \
	"$(findmnt -no FSTYPE,SOURCE $mnt | tr -s ' ')" "fuse.famfs famfs:shell"
check "both devices are named" grep -q "^$dev is mounted at $mnt; $second is free" "$work/shown"
sed -n 's/^    //p' "$work/shown" > "$work/commands"
same "there are five commands" "$(wc -l < "$work/commands")" 5
while read -r command <&3; do
	check "$command" bash -c "$command"
done 3< "$work/commands"
same "then the second device is mounted" \
	"$(findmnt -no SOURCE /mnt/second)" famfs:second
umount /mnt/second
