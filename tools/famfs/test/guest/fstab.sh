#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Lines of fstab, as mount(8) and a boot have them: the device bound to another
# driver, options that are systemd's, several lines of one device at the same
# time, and other options for what is mounted, which was once refused where a
# line of fstab named the type.

. "$(dirname "$0")/lib.sh"

plan 25

mkfs.famfs -q -f --dead -L lines "$dev"
famfs unbind -q "$dev"
mkdir -p "$work"/{first,label,two,three}
cp /etc/fstab "$work/fstab"
cat >> /etc/fstab <<T
$dev $work/first famfs fsdev,nofail,_netdev,x-systemd.device-timeout=5s,X-mount.mkdir,comment=x 0 0
famfs:lines $work/label famfs noauto,nofail,ro,noexec 0 0
T

# options DIRECTORY: of the mount point, then of the file system.
options()
{
	findmnt -no VFS-OPTIONS,FS-OPTIONS --mountpoint "$1" |
		sed -E 's/,user_id.*//; s/ +/ /'
}

findmnt --verify > "$work/verify" 2>&1
check "findmnt --verify finds no error" grep -q ' 0 errors' "$work/verify"
check "mount -a, with the device of another driver" mount -a
same "mounts what is to be mounted" "$(findmnt -no TARGET -t fuse.famfs)" "$work/first"
check "mount -a once more" mount -a
same "mounts nothing" "$(findmnt -no TARGET -t fuse.famfs | wc -l)" 1
check "mount by the directory" mount "$work/label"
same "with the options of its line" "$(options "$work/label")" "ro,noexec,relatime rw"
umount "$work/label"

check "mount -o remount,ro" mount -o remount,ro "$work/first"
same "is of the whole file system" "$(options "$work/first")" "ro,relatime ro"
check "takes no file" sh -c "! touch $work/first/x 2> $work/err && grep -q Read-only $work/err"
refuses "a mount point to write meanwhile" 32 'for reading only' \
	mount.famfs -o rw "$dev" "$work/two"
check "mount -o remount,rw,noatime" mount -o remount,rw,noatime "$work/first"
same "has these options" "$(options "$work/first")" "rw,noatime rw"
check "takes files" touch "$work/first/x"
exec 4> "$work/first/x"
refuses "remount,ro while a file is written" 32 'open for writing' \
	mount -o remount,ro "$work/first"
exec 4>&-
refuses "remount with an option that is none" 1 'no such option' \
	mount -o remount,nonsense "$work/first"
refuses "remount of nothing" 32 'nothing is mounted there' \
	mount.famfs -o remount,ro "$dev" "$work/two"
check "umount -a -t fuse.famfs" umount -a -t fuse.famfs
same "leaves none" "$(findmnt -no TARGET -t fuse.famfs)" ""

# As systemd does: each line by a process of its own, in any order. So none is
# for reading only: what comes first decides that for all.
sed -i "\|$work/label|d" /etc/fstab
cat >> /etc/fstab <<T
$dev $work/two famfs fsdev,nofail 0 0
$dev $work/three famfs fsdev,nofail 0 0
T
for i in 1 2 3; do
	famfs unbind -q "$dev"
	mount -a -F > "$work/said" 2>&1
	same "three lines at the same time, $i" \
		"$(findmnt -no TARGET -t fuse.famfs | wc -l)" 3
	sed 's/^/# /' "$work/said"
	umount -a -t fuse.famfs
done
check "their servers end" eventually sh -c '! pgrep -x mount.famfs'

# Without a line of fstab mount(8) does it by itself: no difference.
cp "$work/fstab" /etc/fstab
mount -t famfs "$dev" "$work/first"
check "remount,ro without a line" mount -o remount,ro "$work/first"
same "is the same" "$(options "$work/first")" "ro,relatime ro"
umount "$work/first"
