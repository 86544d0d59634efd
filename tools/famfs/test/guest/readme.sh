#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The first hour of README.md: each command as it is shown there, in that order.
# What it says is what is shown, but for numbers. What it said goes to standard
# error, as README.md would have it.

. "$(dirname "$0")/lib.sh"

readme=$(dirname "$0")/../../../../README.md
sed -n '/^## The first hour/,/^## What a server/s/^    //p' "$readme" > "$work/shown"
grep '^# ' "$work/shown" > "$work/commands"
plan $((2 * $(wc -l < "$work/commands") + 5))

# shape FILE: without what differs from run to run.
shape()
{
	sed -E 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/g
		s/[0-9]+(\.[0-9]+)?/N/g; s/N (bytes|KiB|MiB|GiB)/N bytes/g
		s/N[KMG]\b/N/g; s/ +/ /g; s/N are not/N is not/' "$1" | uniq
}

check "there are commands" [ -s "$work/commands" ]
# As after a boot, with nothing on the device.
mkdir -p /mnt/data
dd if=/dev/zero of="$dev" bs=1M count=4 conv=notrunc status=none
# The copy of the superblock.
dd if=/dev/zero of="$dev" bs=1M count=4 oflag=seek_bytes conv=notrunc status=none \
	seek=$(($(cat "/sys/bus/dax/devices/${dev##*/}/size") - (4 << 20)))
famfs unbind -q "$dev"
head -c 100M /dev/urandom > /tmp/model
while read -r line <&3; do
	command=${line#\# }
	status=0 expected=0
	# What goes wrong, at the end.
	[[ $(grep -A 1 -Fx "$line" "$work/shown") != *"famfs: "*": it holds"* ]] || expected=1
	bash -c "$command" > "$work/says" 2>&1 < /dev/null || status=$?
	{ echo "$line"; cat "$work/says"; } | sed 's/^/    /' >&2
	same "$command" $status $expected
	awk -v line="$line" '$0 == line { on = 1; next } /^# |^$|^\/dev\/.* famfs / { on = 0 } on' \
		"$work/shown" > "$work/expected"
	shape "$work/expected" > "$work/expected.shape"
	shape "$work/says" > "$work/says.shape"
	check "says what is shown" diff "$work/expected.shape" "$work/says.shape"
	# What is free is known when the kernel has forgotten what was removed.
	[[ $command != rm* ]] || sleep 3
done 3< "$work/commands"

grep -E '^/dev/[a-z0-9.]+  /mnt/data  famfs  ' "$work/shown" > "$work/line"
same "there is a line for fstab" "$(wc -l < "$work/line")" 1
famfs unbind -q "$dev"
cat "$work/line" >> /etc/fstab
check "mount -a" mount -a
check "it is mounted" cmp /tmp/model /mnt/data/model
check "famfs restart /mnt/data" famfs restart /mnt/data
umount /mnt/data
sed -i '\|/mnt/data|d' /etc/fstab
rm /tmp/model
