#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a machine may lack: memory that is not System RAM already, and maps of
# files. Runs on a kernel of its own, with the kmem driver and without
# CONFIG_FUSE_FAMFS_DAX.

. "$(dirname "$0")/lib.sh"

plan 19

# daxctl takes the memory blocks of a device offline, so it must consist of whole
# ones.
ram=/dev/dax0.0
dev=/dev/dax1.0
drivers=/sys/bus/dax/drivers

# No mount and no server, and no host is in.
nothing_left()
{
	[ -z "$(findmnt -t fuse.famfs)" ] && ! pgrep -x mount.famfs > /dev/null
}

# Memory that the kernel has taken.
check "kmem takes the device" sh -c "echo dax0.0 > $drivers/fsdev_dax/unbind &&
	echo dax0.0 > $drivers/kmem/bind"
same "it is System RAM" "$(basename "$(readlink /sys/bus/dax/devices/dax0.0/driver)")" kmem
check "its memory is in use" daxctl online-memory dax0.0
refuses "mkfs of System RAM" 1 'it is System RAM' mkfs.famfs -f $ram
refuses "mount of it" 32 'it is System RAM' mount.famfs $ram $mnt
refuses "mount that binds it first" 32 'it is System RAM' mount.famfs -o fsdev $ram $mnt
refuses "fsck of it" 8 'it is System RAM' fsck.famfs $ram
refuses "dump of it" 1 'it is System RAM' famfs dump $ram
refuses "famfs bind of it" 1 'it is System RAM' famfs bind $ram
same "it is what it was" "$(basename "$(readlink /sys/bus/dax/devices/dax0.0/driver)")" kmem

# What the refusals say is to be done. At last daxctl loads the module of
# device_dax, and fails: the kernel here has it built in.
check "daxctl gives it back" sh -c "daxctl reconfigure-device -f -m devdax dax0.0
	! readlink /sys/bus/dax/devices/dax0.0/driver | grep kmem"
check "famfs bind after that" famfs bind $ram
check "and mkfs" mkfs.famfs -q $ram

# Maps that the kernel does not know. All but the mount goes without.
check "mkfs" mkfs.famfs -q -f --dead "$dev"
check "fsck" fsck.famfs -q "$dev"
refuses "mount without CONFIG_FUSE_FAMFS_DAX" 32 'built without CONFIG_FUSE_FAMFS_DAX' \
	mount -t famfs "$dev" $mnt
refuses "once more, by mount.famfs" 32 'built without CONFIG_FUSE_FAMFS_DAX' \
	mount.famfs "$dev" $mnt
check "nothing is left behind" eventually nothing_left
check "not even a host that is in" sh -c "famfs status $dev | grep -q left"
