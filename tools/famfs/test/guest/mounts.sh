#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# More mount points with options of their own, mounts right after unmounts, and
# servers that are asked to end.

. "$(dirname "$0")/lib.sh"

plan 20

fresh || exit 1
cp /bin/true $mnt/true
mkdir -p "$work/second" "$work/a b"

# options DIRECTORY: of the mount point.
options()
{
	findmnt -no VFS-OPTIONS --mountpoint "$1"
}

mount -t famfs -o ro,nosuid,nodev,noexec,noatime "$dev" "$work/second"
same "a second mount has its options" "$(options "$work/second")" \
	ro,nosuid,nodev,noexec,noatime
check "takes no file" sh -c "! touch $work/second/x 2> /dev/null"
check "runs nothing" sh -c "! $work/second/true 2> /dev/null"
check "and the first one goes on as it was" sh -c "touch $mnt/x && $mnt/true"
check "unmounted" umount "$work/second"
refuses "an option of the whole file system" 32 'option of the whole' \
	mount.famfs -o sync "$dev" "$work/second"
check "leaves no mount" sh -c "! findmnt $work/second"
umount $mnt

mount -t famfs -o ro,noexec "$dev" "$work/a b"
refuses "a second mount to write, of one to read" 32 'for reading only' \
	mount.famfs "$dev" "$work/second"
check "leaves no mount either" sh -c "! findmnt $work/second"
mount -t famfs -o ro "$dev" "$work/second"
same "another one has not the options of the first" \
	"$(options "$work/second")" ro,relatime
umount "$work/second"
umount "$work/a b"

# Without a helper that waits: the last server still ends.
for ((i = 0; i < 15; i++)); do
	mount.famfs "$dev" $mnt > "$work/said" 2>&1 || break
	umount -i $mnt
done
same "mounts right after unmounts" "$i" 15
sed 's/^/# /' "$work/said"
eventually sh -c '! pgrep -x mount.famfs'
flock "$dev" sleep 2 &
sleep 0.5
check "a mount waits for whoever still has the lock" mount.famfs "$dev" $mnt
wait $!
umount -i $mnt
eventually sh -c '! pgrep -x mount.famfs'

# A server that is asked to end, with something else over its mount point.
mount -t famfs "$dev" $mnt
mount -t tmpfs over $mnt
pkill -TERM -x mount.famfs
sleep 1
same "SIGTERM leaves what is not the server's" \
	"$(findmnt -no FSTYPE --mountpoint $mnt | tail -n 1)" tmpfs
umount $mnt
check "and the server goes on" sh -c "touch $mnt/y && rm $mnt/y"
pkill -TERM -x mount.famfs
check "alone it is unmounted" eventually sh -c "! findmnt $mnt"
check "and ends" eventually sh -c '! pgrep -x mount.famfs'

# Whoever mounts has closed what messages go to.
check "mount without descriptors" sh -c "mount.famfs $dev $mnt <&- >&- 2>&-"
check "it works" sh -c "cp /bin/bash $mnt/ && cmp /bin/bash $mnt/bash"
check "umount" umount $mnt
check "fsck finds it clean" fsck.famfs "$dev"
