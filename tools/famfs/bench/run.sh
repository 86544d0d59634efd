#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The measurements, as they run in the guest of backend bench.
#
# Usage: run.sh PROGRAMS ROOT OBJECTS WHAT...
#
# PROGRAMS has measure, fill, names, age, layouts and installs; ROOT the commands,
# as `make install` leaves them; OBJECTS libfuse. Prints
# "result WHAT OPERATION INSTRUCTIONS" lines. WHAT is
#
#   ext4 xfs tmpfs       file systems of the kernel
#   fuse passthrough     libfuse's examples, on tmpfs: passthrough_ll, whose files
#                        are in the page cache, and passthrough_hp
#   one stripe one-big uniform mixed
#                        maps of several kinds, see layouts.c
#   famfs aged           tools/famfs, on a new file system and on one that 20,000
#                        files have come to and gone from
#   devdax               the device itself
#   install              maps that come by reply and push

set -euo pipefail

programs=$1 root=$2 objects=$3
shift 3
mnt=/tmp/bench
under=/tmp/bench.under
dev=${FAMFS_DAXDEVS%% *}
small=(10000 32768)

mkdir -p $mnt $under
. "$(dirname "$0")/lib.sh"

# measure_io WHAT: file f0, of 64 MiB.
measure_io()
{
	local size

	for size in 4k 64k 1m; do
		measure "$1" io$size $mnt/f0
	done
}

# Files f0 to f3, of 64 MiB each.
measure_files()
{
	measure_io "$1"
	measure "$1" apart4k $mnt/f0
	measure "$1" fault4k $mnt/f1 0 $mnt/f2 0
	measure "$1" fault2m $mnt/f3
	measure "$1" open $mnt/f0
}

# files WHAT OPERATION AS: small files, one after the other.
files()
{
	local value

	value=$("$programs/names" $mnt "${small[0]}" "$2" "${small[1]}") ||
		value="0 failed"
	echo "result $1 $3 $value" | sed 's/ [^ ]* 0 failed/ failed 0/'
}

# small_files WHAT [AGAIN...]: AGAIN mounts once more, with nothing cached.
small_files()
{
	local what=$1

	shift
	files "$what" create create
	if [ $# -gt 0 ]; then
		umount $mnt
		"$@"
		files "$what" touch touch-first
	fi
	files "$what" touch touch
	files "$what" open open-again
	files "$what" stat stat
	files "$what" remove remove
}

kernel_kib()
{
	awk '/^(Slab|VmallocUsed):/ { n += $2 } END { print n }' /proc/meminfo
}

# measure_gigabyte WHAT: the first one, of which nothing is mapped so far.
measure_gigabyte()
{
	measure "$1" fault1g $mnt/f0 0
	measure "$1" whole2m $mnt/f0 0
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
	measure "$1" fault4k $mnt/f0 $((1088 << 20)) $mnt/f0 $((3 << 30))
	measure "$1" apart4k $mnt/f0 $((3136 << 20))
	measure "$1" open $mnt/f0
	measure "$1" io64k $mnt/f0 $((1 << 30))
	if [ $# -gt 1 ]; then
		measure "$1" io1m $mnt/f0 "$2"
		measure "$1" fault2m $mnt/f0 "$2"
		[ "$1" = mixed ] || measure_gigabyte "$1"
	else
		measure "$1" io1m $mnt/f0
	fi
}

# fill_files WHAT: as measure_files() wants them.
fill_files()
{
	local i

	for i in 0 1 2 3; do
		"$programs/fill" $mnt/f$i 64
	done
}

# on_pmem WHAT DEVICE MKFS...: a file system mounted afresh, nothing cached.
on_pmem()
{
	local what=$1 again=(mount -o dax=always "$2" "$mnt")

	"${@:3}" "$2"
	"${again[@]}"
	fill_files
	umount $mnt
	"${again[@]}"
	measure_files "$what"
	rm $mnt/f*
	small_files "$what" "${again[@]}"
	umount $mnt
}

on_tmpfs()
{
	mount -t tmpfs tmpfs $mnt
	head -c 64M /dev/zero > $mnt/f0
	measure_io tmpfs
	measure tmpfs open $mnt/f0
	rm $mnt/f0
	small_files tmpfs
	umount $mnt
}

# on_fuse WHAT SERVER...: in the foreground, a FUSE mount of what is in $under.
on_fuse()
{
	local server

	mount -t tmpfs tmpfs $under
	head -c 64M /dev/zero > $under/f0
	# They keep a descriptor for each inode that the kernel knows.
	ulimit -n 100000
	LD_LIBRARY_PATH=$objects/libfuse-base/lib "${@:2}" > /dev/null &
	server=$!
	until mountpoint -q $mnt; do
		kill -0 $server
		sleep 0.1
	done
	measure_io "$1"
	measure "$1" open $mnt/f0
	rm $mnt/f0
	small_files "$1"
	umount $mnt
	wait $server
	umount $under
}

on_tools()
{
	begin_famfs
	fill_files
	umount $mnt
	mount -t famfs "$dev" $mnt
	measure_files famfs
	rm $mnt/f*
	small_files famfs mount -t famfs "$dev" $mnt
	end_famfs
}

# Four fifths are one file; in the rest files come and go.
on_aged()
{
	local i

	begin_famfs
	fallocate -l 3600M $mnt/big
	mkdir $mnt/age
	"$programs/age" $mnt/age 20000 500
	for i in 0 1 2; do
		fallocate -l 64M $mnt/f$i
	done
	umount $mnt
	mount -t famfs "$dev" $mnt
	echo "# aged: $(famfs map -q $mnt/f0)" >&2
	measure_io aged
	measure aged fault4k $mnt/f1 0 $mnt/f2 0
	measure aged apart4k $mnt/f0
	measure aged open $mnt/f0
	end_famfs
}

# on_famfs LAYOUT
on_famfs()
{
	serve layouts $mnt "$dev" "$1"
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
	end_serve
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
	tmpfs)
		on_tmpfs
		;;
	fuse)
		on_fuse fuse "$objects/libfuse-base/example/passthrough_ll" \
			-f -o source=$under -o cache=always $mnt
		;;
	passthrough)
		on_fuse passthrough \
			"$objects/libfuse-base/example/passthrough_hp" \
			--foreground $under $mnt
		;;
	famfs)
		on_tools
		;;
	aged)
		on_aged
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
