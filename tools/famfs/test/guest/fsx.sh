#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Random operations on files by several processes at once, compared byte by byte
# with what they should have, on the smallest device, so that space goes from
# file to file. FAMFS_GUEST has the program.

. "$(dirname "$0")/lib.sh"

operations=7000
[ -z "${FULL:-}" ] || operations=334000
plan 8

small=${FAMFS_DAXDEVS##* }
mkfs.famfs -q -f --dead "$small"
mount -t famfs "$small" $mnt
before=$(field free)
pids=()
for seed in 1 2 3; do
	"$FAMFS_GUEST/fsx" $mnt $operations $seed > "$work/fsx$seed" 2>&1 &
	pids+=($!)
done
for seed in 1 2 3; do
	wait "${pids[$((seed - 1))]}"
	status=$?
	[ $status = 0 ] || sed 's/^/# Expected: /' "$work/fsx$seed"
	result $status "$operations operations, seed $seed"
done
sums=$(cd $mnt && sha256sum f* | sha256sum)
check "umount" umount $mnt
check "fsck" fsck.famfs "$small"
check "mount" mount -t famfs "$small" $mnt
same "all files are as they were" "$(cd $mnt && sha256sum f* | sha256sum)" "$sums"
rm $mnt/*
check "all space comes back" eventually free_is "$before"
umount $mnt
