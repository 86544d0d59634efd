#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What users and machines get wrong: each is refused with what is wrong and what
# to do next, and leaves no mount, no process and no damage behind.

. "$(dirname "$0")/lib.sh"

plan 52

# No mount and no server; what is on the device is as it was.
nothing_left()
{
	[ -z "$(findmnt -t fuse.famfs)" ] && ! pgrep -x mount.famfs > /dev/null
}

# put BYTES OFFSET: as for printf, into the device.
put()
{
	# shellcheck disable=SC2059 # it is a format on purpose
	printf "$1" | dd of="$dev" bs=1 seek="$2" conv=notrunc status=none
}

refuses "a device that is not there" 1 'No such file' mkfs.famfs /dev/dax9.9
refuses "a device of another kind" 1 'neither of the two' mkfs.famfs /dev/console
refuses "a label that no device has" 32 'none of the devices' \
	mount.famfs famfs:nobody $mnt
refuses "one argument alone" 1 'must be named' mount.famfs "$dev"
refuses "an option that is none" 1 'no such option' mount.famfs -o nonsense "$dev" $mnt

# Another driver.
check "famfs unbind" famfs unbind "$dev"
same "the driver then" "$(basename "$(readlink "/sys/bus/dax/devices/$name/driver")")" device_dax
refuses "mkfs of a device of device_dax" 1 'bound to device_dax' mkfs.famfs "$dev"
refuses "mount of it" 32 'bound to device_dax' mount.famfs "$dev" $mnt
refuses "fsck of it" 8 'bound to device_dax' fsck.famfs "$dev"
refuses "dump of it" 1 'bound to device_dax' famfs dump "$dev"
check "famfs bind" famfs bind "$dev"
check "famfs bind once more" famfs bind "$dev"

# What is on the device.
mkfs.famfs -q -f --dead "$dev"
put '\0\0\0\0\0\0\0\0' 0
dd if=/dev/zero of="$dev" bs=4096 count=1 conv=notrunc status=none
dd if=/dev/zero of="$dev" bs=4096 conv=notrunc status=none \
	seek=$(($(cat "/sys/bus/dax/devices/$name/size") / 4096 - 1)) count=1
refuses "mount of a device with nothing on it" 32 'no famfs superblock' \
	mount.famfs "$dev" $mnt
truncate -s 64M "$work/ext4"
mke2fs -q -t ext4 "$work/ext4"
dd if="$work/ext4" of="$dev" bs=1M count=4 conv=notrunc status=none
refuses "mkfs over ext4" 1 'it holds ext4' mkfs.famfs "$dev"
for version in 48 49 1; do
	dd if=/dev/zero of="$dev" bs=4096 count=1 conv=notrunc status=none
	put '\377\202\262\207\0\0\0\0' 0
	put "\\$(printf %o $version)" 8
	refuses "mkfs over format $version" 1 "famfs of format version $version" \
		mkfs.famfs "$dev"
	refuses "mount of format $version" 32 "version $version, and this program knows 300" \
		mount.famfs "$dev" $mnt
	refuses "fsck of it" 8 "version $version" fsck.famfs "$dev"
	refuses "dump of it" 1 "version $version" famfs dump "$dev"
	refuses "status of it" 2 "version $version" famfs status "$dev"
done
mkfs.famfs -q -f --dead "$dev"
put '\0\0\0\0\0\0\0\0' 65544
put '\0\0\0\0\0\0\0\0' 131080
refuses "mount of an unfinished mkfs" 32 'unfinished mkfs' mount.famfs "$dev" $mnt
check "so far nothing is left behind" nothing_left

# Where and who.
mkfs.famfs -q -f --dead "$dev"
touch "$work/file"
refuses "a mount point that is a file" 32 'no directory' mount.famfs "$dev" "$work/file"
refuses "a mount point that is not there" 32 'No such file' mount.famfs "$dev" "$work/none"
refuses "without CAP_SYS_RAWIO" 32 'CAP_SYS_RAWIO' \
	setpriv --bounding-set -sys_rawio mount.famfs "$dev" $mnt
refuses "in a user namespace" 32 'user namespace' \
	unshare -Urm mount.famfs "$dev" $mnt
mv /dev/fuse /dev/fuse.away
refuses "without /dev/fuse" 32 'No such file' mount.famfs "$dev" $mnt
mv /dev/fuse.away /dev/fuse
rm -rf /run/famfs
touch /run/famfs
check "a server that cannot start says so" \
	sh -c "! mount.famfs $dev $mnt 2> $work/err && grep -q famfs: $work/err"
rm /run/famfs
check "and nothing is left behind" nothing_left
check "not even a host that is in" sh -c "famfs status $dev | grep -q left"

# In use.
mount -t famfs "$dev" $mnt
echo content > $mnt/file
refuses "mkfs of what is mounted" 1 'Device or resource busy' mkfs.famfs -f "$dev"
mkdir -p "$work/second"
check "a second mount is one more mount point" mount.famfs "$dev" "$work/second"
check "of the same files" cmp $mnt/file "$work/second/file"
check "which goes by itself" umount "$work/second"
refuses "fsck -y of what is mounted" 8 'busy' fsck.famfs -y "$dev"
check "fsck -n of it" fsck.famfs -n "$dev"
check "dump of it" sh -c "famfs dump $dev | grep -q /file"
refuses "famfs unbind of it" 1 'mounted' famfs unbind "$dev"
exec 4< $mnt/file
refuses "umount of what is in use" 32 'busy' famfs umount $mnt
exec 4<&-
same "all of that has changed nothing" "$(cat $mnt/file)" content
check "umount" umount $mnt
check "nothing is left behind at the end" eventually nothing_left
