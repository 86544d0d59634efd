#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# GROUP: fmap examples serial
# TIMEOUT: 240

# Files are created, grow, are truncated and removed, and others get the memory.

# shellcheck disable=SC1091
. "$TEST_LIB/fmap.sh"

fuse_mount fmap_grow_ll -d -o "dev=$FUSE_TEST_DAXDEV" -o size=0xa00000 \
	>/dev/null

# What lies behind the end is not seen again when the file grows.
source=$TEST_TMP/source
dd if=/dev/urandom of="$source" bs=1M count=5 status=none
cp "$source" "$TEST_MNT/file"
cmp "$source" "$TEST_MNT/file"
for file in "$source" "$TEST_MNT/file"; do
	echo more >>"$file"
	truncate -s 3000001 "$file"
	truncate -s 4000000 "$file"
	echo end >>"$file"
done
cmp "$source" "$TEST_MNT/file"
_assert_eq "$(stat -c %s "$TEST_MNT/file")" 4000004 "size"

# More than half of the memory each time: given back by truncate, O_TRUNC, rm.
for name in first second third fourth; do
	written=$(dd if=/dev/urandom bs=1M count=5 iflag=fullblock status=none |
		  tee "$TEST_MNT/$name" | sha256sum)
	_assert_eq "$(sha256sum <"$TEST_MNT/$name")" "$written" "$name"
	case $name in
	first)	truncate -s 0 "$TEST_MNT/first" ;;
	second)	true >"$TEST_MNT/second" ;;
	third)	rm "$TEST_MNT/third" ;;
	esac
done
_assert_listdir "$TEST_MNT" file first second fourth
cmp "$source" "$TEST_MNT/file"
log=$(fuse_fs_log)
fuse_umount

count()
{
	grep -cE "opcode: $1 \(" "$log" || true
}

_assert_eq "$(count READ)" 0 "read requests"
_assert_eq "$(count WRITE)" 0 "write requests"
_assert_eq "$(count GET_DAXDEV)" 0 "device requests"
