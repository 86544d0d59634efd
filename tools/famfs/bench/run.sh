#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The measurements, as they run in the guest of backend bench.
#
# Usage: run.sh PROGRAMS [WHAT]...
#
# PROGRAMS has measure, fill, layouts and installs. WHAT is some of ext4 xfs one
# stripe one-big uniform mixed devdax install; all of them by default. Prints
# "result WHAT OPERATION INSTRUCTIONS" lines.

set -euo pipefail

programs=$1
shift
mnt=/tmp/bench
dev=${FAMFS_DAXDEVS%% *}

[ $# -gt 0 ] || set -- devdax ext4 xfs one stripe one-big uniform mixed \
	install
mkdir -p $mnt

# results WHAT PROGRAM ARGS...
results()
{
	local what=$1 op value

	shift
	while read -r op value; do
		echo "result $what $op $value"
	done < <("$programs/$1" "${@:2}" || echo "failed 0")
}

# measure WHAT OPERATION ARGS...
measure()
{
	results "$1" measure "${@:2}"
}

# Files f0 to f3, of 64 MiB each.
measure_files()
{
	measure "$1" io4k $mnt/f0
	measure "$1" io1m $mnt/f0
	measure "$1" fault4k $mnt/f1 0 $mnt/f2 0
	measure "$1" fault2m $mnt/f3
	measure "$1" open $mnt/f0
}

kernel_kib()
{
	awk '/^(Slab|VmallocUsed):/ { n += $2 } END { print n }' /proc/meminfo
}

# measure_parts WHAT [HUGE]: 64 MiB parts of one file. HUGE is where extents
# of 2 MiB begin.
measure_parts()
{
	local before

	before=$(kernel_kib)
	measure "$1" cold $mnt/f0
	echo "result $1 map-kib $(($(kernel_kib) - before))"
	measure "$1" io4k $mnt/f0 $((1 << 30))
	measure "$1" fault4k $mnt/f0 $((1025 << 20)) $mnt/f0 $((3 << 30))
	measure "$1" open $mnt/f0
	if [ $# -gt 1 ]; then
		measure "$1" io1m $mnt/f0 "$2"
		measure "$1" fault2m $mnt/f0 "$2"
	else
		measure "$1" io1m $mnt/f0
	fi
}

# on_pmem WHAT DEVICE MKFS...: a file system mounted afresh, nothing cached.
on_pmem()
{
	local what=$1 device=$2 i

	shift 2
	"$@" "$device"
	mount -o dax=always "$device" $mnt
	for i in 0 1 2 3; do
		"$programs/fill" $mnt/f$i 64
	done
	umount $mnt
	mount -o dax=always "$device" $mnt
	measure_files "$what"
	umount $mnt
}

# on_famfs LAYOUT
on_famfs()
{
	local server line

	coproc SERVER { exec "$programs/layouts" $mnt "$dev" "$1"; }
	server=$SERVER_PID
	read -r line <&"${SERVER[0]}"
	[ "$line" = ready ]
	case $1 in
	one | stripe)
		# The first open also brings the device.
		: < $mnt/f0
		measure "$1" cold $mnt/f{8..23}
		measure_files "$1"
		# Others keep inodes whose memory is mapped until they unmount.
		measure "$1" again2m $mnt/f3
		;;
	one-big | mixed)
		measure_parts "$1" $((2 << 30))
		;;
	uniform)
		measure_parts "$1"
		;;
	esac
	eval "exec ${SERVER[1]}>&-"
	wait "$server"
}

for what in "$@"; do
	case $what in
	ext4)
		on_pmem ext4 /dev/pmem0 mkfs.ext4 -q -b 4096 \
			-E stride=512,stripe_width=512
		;;
	xfs)
		on_pmem xfs /dev/pmem1 mkfs.xfs -q -d su=2m,sw=1
		;;
	devdax)
		measure devdax raw "$(cat /run/rawdax)"
		;;
	install)
		results install installs $mnt "$dev"
		;;
	*)
		on_famfs "$what"
		;;
	esac
done
