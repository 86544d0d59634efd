#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# More mount points with options of their own, mounts at the same time and right
# after unmounts, copies of a device, and servers that are asked to end.

. "$(dirname "$0")/lib.sh"

plan 40

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

# As systemd does with two lines of fstab. The second one once found the device
# busy, after ten seconds.
mkdir -p "$work"/at/{1,2,3}
ln -s "$dev" "$work/dax"
beside()
{
	local i wrong=0

	mount.famfs "$dev" "$work/at/1" &
	mount.famfs "$work/dax" "$work/at/2" &
	timeout 30 mount.famfs --foreground "$dev" "$work/at/3" &
	eventually sh -c "[ \$(findmnt -n -t fuse.famfs | wc -l) = 3 ]" || wrong=1
	for i in 1 2 3; do
		umount "$work/at/$i" || wrong=1
	done
	wait
	return $wrong
}
check "three mounts at the same time" beside
check "leave nothing" eventually sh -c '! pgrep -x mount.famfs'

# The one that is unmounted last is not the one that was first. The device is
# free then, with pages that are pinned too.
mount -t famfs "$dev" $mnt
mount -t famfs "$dev" "$work/second"
check "famfs status by another mount point" sh -c "famfs status $work/second | grep -q serving"
umount $mnt
cat > "$work/pin.py" <<'P'
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
class iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
r, w = os.pipe()
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.write(fd, b"x" * 65536)
at = ctypes.c_void_p(libc.mmap(None, ctypes.c_size_t(65536), 3, 1, fd, ctypes.c_long(0)))
if libc.vmsplice(w, ctypes.byref(iovec(at, 65536)), 1, 0) <= 0:
    sys.exit("vmsplice: %d" % ctypes.get_errno())
libc.munmap(at, ctypes.c_size_t(65536))
os.close(fd)
print("pinned", flush=True)
time.sleep(2)
P
python3 "$work/pin.py" "$work/second/file" > "$work/pinned" &
eventually grep -q pinned "$work/pinned"
check "umount of the last mount point waits for the server" \
	sh -c "famfs umount $work/second && fsck.famfs -y -q $dev"
wait
mount -t famfs "$dev" $mnt
mount -t famfs "$dev" "$work/second"
start=$(date +%s%N)
umount "$work/second"
check "that of another one does not" \
	[ $((($(date +%s%N) - start) / 1000000)) -lt 1500 ]

# What is out of the tree, and still open, ends by itself: that is waited for. A
# busy machine once looked the same after two seconds.
mount -t famfs "$dev" "$work/second"
touch "$work/second/file"
sleep 5 4< "$work/second/file" &
umount -l "$work/second"
check "umount waits for what was detached and is open" \
	sh -c "famfs umount $mnt && fsck.famfs -y -q $dev"
wait
# Another namespace can have it for ever.
mount -t famfs "$dev" $mnt
unshare -m --propagation private sleep 7 &
sleep 0.5
check "umount of what another namespace has says so" \
	sh -c "famfs umount $mnt > $work/out; grep 'still mounted elsewhere' $work/out"
wait
check "and it ends with that" eventually sh -c '! pgrep -x mount.famfs'
mount -t famfs "$dev" $mnt

# A copy of the device, with its uuid, once took the socket of the first one.
copy=${FAMFS_DAXDEVS##* }
uuid=$(field uuid)
mkfs.famfs -q -f --dead -U "$uuid" "$copy"
refuses "mount of a copy of what is mounted" 32 \
	"has the uuid of $dev, which is mounted: one is a copy" \
	mount.famfs "$copy" "$work/second"
check "leaves no mount of it" sh -c "! findmnt $work/second"
same "and the first one answers" "$(field device)" "$dev"
umount $mnt
check "alone it is mounted" mount.famfs "$copy" $mnt
same "and is the one that answers" "$(field device)" "$copy"
umount $mnt
mount.famfs "$dev" "$work/at/1" 2> "$work/one" &
mount.famfs "$copy" "$work/at/2" 2> "$work/two" &
wait
same "of the two at the same time one is mounted" \
	"$(findmnt -n -t fuse.famfs | wc -l)" 1
check "and the other one is refused as a copy" \
	sh -c "cat $work/one $work/two | grep -q 'is a copy of the other'"
umount "$work"/at/* 2> /dev/null
mkfs.famfs -q -f --dead "$copy"
check "it is over" eventually sh -c '! pgrep -x mount.famfs'

# Options that did not fit were once cut off without a word: here ro.
many=$(printf 'nodiratime,%.0s' {1..60})
refuses "more options than fit" 1 'more than 511 bytes' \
	mount.famfs -o "${many}ro" "$dev" $mnt
check "of a second mount point too" sh -c "mount.famfs $dev $mnt &&
	! mount.famfs -o ${many}ro $dev $work/second && ! findmnt $work/second && umount $mnt"

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

# A user chooses where he mounts: a long path with other white space in it was
# taken for a row of its own, here of the mount that is to come.
mkdir -p "$work/first"
mount -t tmpfs taken "$work/first"
mount.famfs "$dev" $mnt
number=$(stat -c %Hd:%Ld $mnt)
umount $mnt
umount "$work/first"
forged=$work/long$(for ((i = 0; i < 13; i++)); do printf '/%250s' ''; done)
forged+=$(printf '/\vx\v%s\v/\v%s/second' "$number" "$work")
mkdir -p "$forged"
mount -t tmpfs forged "$forged"
mount.famfs "$dev" $mnt
same "it has the number of the row that is forged" "$(stat -c %Hd:%Ld $mnt)" "${number:-none}"
check "a second mount goes by the true one" mount.famfs "$dev" "$work/second"
umount "$work/second"
umount $mnt
umount "$forged"
eventually sh -c '! pgrep -x mount.famfs'

# Whoever mounts has closed what messages go to.
check "mount without descriptors" sh -c "mount.famfs $dev $mnt <&- >&- 2>&-"
check "it works" sh -c "cp /bin/bash $mnt/ && cmp /bin/bash $mnt/bash"
check "umount" umount $mnt
check "fsck finds it clean" fsck.famfs "$dev"
