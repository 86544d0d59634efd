#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Backend bench: a dax device of 5 GiB bound to fsdev_dax, one of 256 MiB that
# stays with device_dax and is named in /run/rawdax, and two block devices of
# 1 GiB that offer DAX, /dev/pmem0 and /dev/pmem1.

set -e
dir=$(dirname "$0")

# by_size MIB: the dax device of that size. Its number depends on how many
# regions of persistent memory were found before.
by_size()
{
	i=0
	while [ $i -lt 100 ]; do
		for dev in /sys/bus/dax/devices/*; do
			[ -e "$dev/size" ] || continue
			if [ "$(cat "$dev/size")" = $(($1 << 20)) ]; then
				echo "${dev##*/}"
				return
			fi
		done
		i=$((i + 1))
		sleep 0.1
	done
	echo "no dax device of $1 MiB" >&2
	return 1
}

name=$(by_size 5120)
sh "$dir/bind-fsdev.sh" "$name"
echo "/dev/$name" >> /run/daxdevs
name=$(by_size 256)
echo "/dev/$name" > /run/rawdax
for dev in "$name" pmem0 pmem1; do
	[ -e "/dev/$dev" ] || { echo "no /dev/$dev"; exit 1; }
done
