#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What should cost the same however much there is, as it runs in the guest of
# backend hmem-large.
#
# Usage: scale.sh PROGRAMS ROOT FULL WHAT...
#
# PROGRAMS has measure, fill, names, hold and scale; ROOT the commands, as `make
# install` leaves them. With FULL not empty maps are larger. Prints "result WHAT
# OPERATION-NUMBER INSTRUCTIONS" lines. WHAT is
#
#   extents    a file by the number of its extents, 1 to 4 Mi, or 16 Mi
#   open       tools/famfs by the number of open files, 1 to 100,000: the file
#              that was opened last
#   devices    a file that is one stripe, by the number of its devices, 1 to 64.
#              They are cut from the guest's device, so it comes last

set -euo pipefail

programs=$1 root=$2 full=$3
shift 3
mnt=/tmp/bench
dev=${FAMFS_DAXDEVS%% *}
devices=64 device_mib=256
mkdir -p $mnt
. "$(dirname "$0")/lib.sh"

# number WHAT N: results of the input are those of N.
number()
{
	awk -v what="$1" -v n="$2" '{
		print "result", what, $(NF - 1) "-" n, $NF
	}'
}

# faults WHAT N FILE [MIB]: of four windows from there on the one that least came
# between. They must not have been used before.
faults()
{
	local i

	for i in 0 1 2 3; do
		measure "$1" apart4k "$3" $(((${4:-0} + i * 64) << 20))
	done | sort -g -k 4 | head -n 1 | number "$1" "$2"
}

# on_scale WHAT N ARGS...: a server with one map.
on_scale()
{
	serve scale $mnt "${@:3}" > /tmp/served
	number "$1" "$2" < /tmp/served
	measure "$1" io4k $mnt/f0 | number "$1" "$2"
	faults "$1" "$2" $mnt/f0
	end_serve
}

on_extents()
{
	local n

	for n in 1 16 256 4096 65536 1048576 4194304 ${full:+16777216}; do
		on_scale extents "$n" extents "$n" "$dev"
	done
}

on_open()
{
	local n i=0 line

	begin_famfs
	"$programs/names" $mnt 100000 create > /dev/null
	fallocate -l 1536M $mnt/last
	umount $mnt
	mount -t famfs "$dev" $mnt
	coproc HOLD { exec "$programs/hold" $mnt; }
	for n in 1 10 100 1000 10000 100000; do
		# The last one is measured.
		echo $((n - 1)) >&"${HOLD[1]}"
		read -r line <&"${HOLD[0]}"
		[ "$line" = "held $((n - 1))" ]
		measure open io4k $mnt/last | number open $n
		faults open $n $mnt/last $((i * 256))
		measure open turn $mnt/last | number open $n
		i=$((i + 1))
	done
	eval "exec ${HOLD[1]}>&-"
	wait "$HOLD_PID"
	umount $mnt
	fsck.famfs -q "$dev"
}

# cut_device: small devices from what was one. Their names go to $cut.
cut_device()
{
	local name=${dev#/dev/} bus=/sys/bus/dax size=$((device_mib << 20))
	local region new i

	region=$(realpath "$bus/devices/$name/..")/dax_region
	echo "$name" > $bus/drivers/fsdev_dax/unbind
	echo $size > "$bus/devices/$name/size"
	cut=("/dev/$name")
	for ((i = 1; i < devices; i++)); do
		echo 1 > "$region/create"
		new=$(cat "$region/create")
		echo $size > "$bus/devices/$new/size"
		cut+=("/dev/$new")
	done
	sh /run/guest/bind-fsdev.sh "${cut[@]#/dev/}"
}

on_devices()
{
	local n

	cut_device
	for ((n = 1; n <= devices; n *= 2)); do
		on_scale devices $n stripe "${cut[@]:0:n}"
	done
}

for what in "$@"; do
	"on_$what"
done
