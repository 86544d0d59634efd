#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a user does in the first hour: mkfs, mount, a tree copied in, moved and
# removed, programs run and files mapped from it, unmounted and mounted again.

. "$(dirname "$0")/lib.sh"

plan 31

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
check "famfs hosts shows this one" sh -c "
	famfs hosts $mnt | grep -qE '^ +0  guest +owner +in +[0-9]+ '"
check "and what waits for whom" sh -c "
	exec 3< $mnt/64M; rm $mnt/64M
	famfs hosts $mnt > $work/hosts
	famfs hosts --json $mnt > $work/hosts.json
	grep -q 'for slot 0: .* of removed inode' $work/hosts &&
	grep -qE '64 MiB of 1 inodes|6[4-9] MiB of' $work/hosts"
check "the same as JSON" python3 -c "
import json
hosts = json.load(open('$work/hosts.json'))[0]['hosts']
assert len(hosts) == 1 and hosts[0]['self'] and hosts[0]['role'] == 'owner'
assert hosts[0]['waiting'] >= 64 << 20 and hosts[0]['waits'][0]['inode'] > 1"
check "remove it all" sh -c "rm -rf $mnt/*"
check "all space is free" eventually free_is "$before"
check "df says so" test "$(df --output=used $mnt | tail -n 1)" -eq 0
check "famfs umount" famfs umount $mnt
check "fsck finds it clean at the end" fsck.famfs "$dev"

check "mount -o ro" mount -t famfs -o ro "$dev" $mnt
check "takes no file" sh -c "! touch $mnt/file 2> $work/err && grep -q Read-only $work/err"
umount $mnt
# As a boot does: the device is bound to another driver, and in fstab.
famfs unbind -q "$dev"
echo "$dev $mnt famfs fsdev,nofail,x-test 0 0" >> /etc/fstab
check "mount -a, with fsdev in fstab" mount -a -t famfs
check "mounted" sh -c "findmnt -t fuse.famfs $mnt && umount $mnt"
sed -i /x-test/d /etc/fstab
