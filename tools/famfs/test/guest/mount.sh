#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a user does in the first hour: mkfs, mount, a tree copied in, moved and
# removed, programs run and files mapped from it, unmounted and mounted again.

. "$(dirname "$0")/lib.sh"

plan 24

check "mkfs on a device" mkfs.famfs -f -L first "$dev"
check "fsck finds it clean" fsck.famfs "$dev"
check "mount(8) mounts it" mount -t famfs "$dev" $mnt
same "its type" "$(findmnt -no FSTYPE $mnt)" fuse.famfs
same "its source" "$(findmnt -no SOURCE $mnt)" "$dev"
before=$(field free)

check "cp -a of a tree" cp -a /etc/. $mnt/etc/
check "it is the same" diff -r --no-dereference /etc $mnt/etc
(cd /etc && find . -printf '%p %m %u %g %s %T@ %l\n' | sort) > "$work/there"
(cd $mnt/etc && find . -printf '%p %m %u %g %s %T@ %l\n' | sort) > "$work/here"
# Sizes of directories differ, and so do times finer than the other has.
check "modes, owners and links are the same" \
	diff <(sed -E 's/ [0-9]+ [0-9.]+ ?([^ ]*)$/ \1/' "$work/there") \
	     <(sed -E 's/ [0-9]+ [0-9.]+ ?([^ ]*)$/ \1/' "$work/here")
check "mkdir and mv" sh -c "mkdir -p $mnt/one/two && mv $mnt/etc $mnt/one/two/"
check "a program copied in runs" sh -c "cp /bin/bash $mnt/ && $mnt/bash -c true"
head -c 64M /dev/urandom > "$work/64M"
check "64 MiB copied in" cp "$work/64M" $mnt/64M
check "they are the same" cmp "$work/64M" $mnt/64M
famfs map -q $mnt/64M > "$work/map"
check "2 MiB pages can map all but the first" \
	grep -qE '3[12] of 32 possible' "$work/map"
check "famfs map says where" sh -c "famfs map --json $mnt/64M | grep -q device_offset"
check "famfs flush" famfs flush $mnt/64M
sum=$(cd $mnt && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
check "umount waits until the device is free" \
	sh -c "umount $mnt && exec 3<>$dev && fsck.famfs -y -q $dev"
check "and mounted again, by its label" mount -t famfs famfs:first $mnt
same "everything is there" "$sum" \
	"$(cd $mnt && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)"
check "famfs compact while it is mounted" famfs compact $mnt
check "remove it all" sh -c "rm -rf $mnt/*"
check "all space is free" eventually free_is "$before"
check "df says so" test "$(df --output=used $mnt | tail -n 1)" -eq 0
check "famfs umount" famfs umount $mnt
check "fsck finds it clean at the end" fsck.famfs "$dev"
