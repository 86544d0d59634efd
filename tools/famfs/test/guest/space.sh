#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Space: what is removed, cut off or mapped ahead comes back when nobody has it
# any more, and not before; and what happens when there is none.

. "$(dirname "$0")/lib.sh"

plan 27

fresh || exit 1
before=$(field free)

head -c 8M /dev/urandom > "$work/8M"
cp "$work/8M" $mnt/open
exec 4< $mnt/open
rm $mnt/open
sleep 2.5
check "a removed file that is open keeps its space" \
	test "$(field free)" -le $((before - (8 << 20)))
check "and its bytes" sh -c "cmp - $work/8M <&4"
exec 4<&-
check "closed, it gives it back" eventually free_is "$before"

# Pages in a pipe are pinned, whatever happens to the file.
cat > "$work/pin.py" <<'P'
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None, use_errno=True)
class iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
fd = os.open(sys.argv[1], os.O_RDWR)
m = mmap.mmap(fd, 65536, offset=int(sys.argv[2]))
addr = ctypes.addressof(ctypes.c_char.from_buffer(m))
m[0]
r, w = os.pipe()
v = iovec(addr, 65536)
n = libc.vmsplice(w, ctypes.byref(v), 1, 0)
if n <= 0:
    sys.exit("vmsplice: %d" % ctypes.get_errno())
os.close(fd)
print("pinned", flush=True)
sys.stdin.readline()
P
cp "$work/8M" $mnt/pinned
coproc PIN { exec python3 "$work/pin.py" $mnt/pinned 4194304; }
read -r said <&"${PIN[0]}"
same "pages are pinned" "$said" pinned
rm $mnt/pinned
sleep 1
check "a removed file with pinned pages keeps its space" \
	test "$(field free)" -le $((before - (8 << 20)))
cp "$work/8M" $mnt/other
check "nobody else gets it" cmp "$work/8M" $mnt/other
kill "$PIN_PID"
wait "$PIN_PID" 2> /dev/null
rm $mnt/other
check "unpinned, it gives it back" eventually free_is "$before"

cp "$work/8M" $mnt/cut
truncate -s 1M $mnt/cut
check "what is cut off comes back while the file is there" \
	eventually free_is $((before - (1 << 20)))
check "what is left of it is right" cmp -n 1048576 "$work/8M" $mnt/cut
truncate -s 3M $mnt/cut
check "what it grows into reads as zeros" \
	sh -c "tail -c 2M $mnt/cut | cmp -n 2097152 - /dev/zero"
exec 4<> $mnt/cut
truncate -s 0 $mnt/cut
check "also while it is open" eventually free_is "$before"
exec 4<&-
rm $mnt/cut

for i in 1 2 3 4 5 6 7 8; do
	head -c $((i * 700000)) "$work/8M" > $mnt/ahead$i
done
taken=$((before - $(field free)))
check "growing files have memory ahead" test "$taken" -gt $((36 * 700000))
umount $mnt
mount -t famfs "$dev" $mnt
need=0
for i in 1 2 3 4 5 6 7 8; do
	need=$((need + (i * 700000 + 4095) / 4096 * 4096))
done
same "after the mount they have what they need" \
	$((before - $(field free))) "$need"
check "and their bytes" cmp -n $((8 * 700000)) "$work/8M" $mnt/ahead8
rm $mnt/ahead*
check "removed, they have nothing" eventually free_is "$before"
umount $mnt

# A small file system in a device that is full.
small=${FAMFS_DAXDEVS##* }
mkfs.famfs -q -f --dead "$small"
mount -t famfs "$small" $mnt
before=$(field free)
same "df tells the size" "$(df --output=avail -B1 $mnt | tail -n 1)" "$before"
head -c "$before" /dev/zero > $mnt/all
status=$?
same "a file may have every byte" "$status $(stat -c %s $mnt/all)" "0 $before"
same "then nothing is free" "$(field free)" 0
check "one byte more is ENOSPC" \
	sh -c "! dd if=/dev/zero of=$mnt/all oflag=append conv=notrunc bs=1 count=1 2> $work/err && grep 'No space' $work/err"
check "an empty file still has room" touch $mnt/empty
check "its first byte has none" \
	sh -c "! dd if=/dev/zero of=$mnt/empty bs=1 count=1 2> $work/err && grep 'No space' $work/err"
rm $mnt/all
check "right after rm there is space again" \
	dd if=/dev/zero of=$mnt/next bs=1M count=$((before >> 20)) status=none
rm $mnt/next
failed=0
for i in 1 2 3 4 5 6; do
	dd if=/dev/zero of=$mnt/round bs=1M count=$(((before >> 20) * 9 / 10)) \
		status=none || failed=1
	rm $mnt/round
done
same "rm and cp in turn on a full device" $failed 0
check "famfs status says when space is short" \
	sh -c "head -c $((before * 99 / 100)) /dev/zero > $mnt/all; famfs status $mnt; [ \$? = 1 ]"
rm $mnt/all $mnt/empty
check "all of it comes back" eventually free_is "$before"
check "umount" umount $mnt
check "fsck" fsck.famfs "$small"
