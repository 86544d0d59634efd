#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the guest of `make shell` begins with: the first device is formatted and
# mounted at /mnt/famfs, another one is left to try, and five commands are shown.
#
# Usage: shell.sh    (in the guest, where the commands are installed)

set -euo pipefail

read -r first second _ <<< "${FAMFS_DAXDEVS:-} "
[ -n "$first" ] || { echo "There is no dax device." >&2; exit 1; }
mkfs.famfs -q -f --dead -L shell "$first"
mkdir -p /mnt/famfs /mnt/second
mount -t famfs famfs:shell /mnt/famfs
other=$second
if [ -z "$other" ]; then
	# No other device: the one there is, once it is unmounted.
	other="-f $first"
fi
cat <<TEXT

$first is mounted at /mnt/famfs; ${second:-no other device} is free. Some things to try:

    df -h /mnt/famfs; famfs status
    cp -a /usr/include/asm-generic /mnt/famfs && famfs map /mnt/famfs/asm-generic/unistd.h
    dd if=/dev/zero of=/mnt/famfs/big bs=1M count=256 && famfs map -q /mnt/famfs/big
    umount /mnt/famfs && fsck.famfs $first && famfs dump $first | head
    mkfs.famfs -L second $other && mount -t famfs famfs:second /mnt/second

exit, or Ctrl-a x, ends the guest; what it wrote is gone then.

TEXT
