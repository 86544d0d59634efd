#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# GROUP: fmap examples serial
# TIMEOUT: 240

# The filesystem's debug output shows which requests reached it.

# shellcheck disable=SC1091
. "$TEST_LIB/fmap.sh"

fuse_mount fmap_ll -d -o "dev=$FUSE_TEST_DAXDEV" \
	-o file=small:5000 -o file=large:0x1000123 >/dev/null

_assert_listdir "$TEST_MNT" small large
for name in small large; do
	_check fuse_test_mapped "$TEST_MNT/$name"
done
log=$(fuse_fs_log)
fuse_umount

count()
{
	grep -cE "opcode: $1 \(" "$log" || true
}

_assert_eq "$(count READ)" 0 "read requests"
_assert_eq "$(count WRITE)" 0 "write requests"
_assert_eq "$(count GET_DAXDEV)" 1 "device requests"
_assert_eq "$(count OPEN)" 4 "open requests"
_assert_eq "$(count GET_FMAP)" 0 "map requests"
