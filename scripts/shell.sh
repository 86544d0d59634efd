#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An interactive guest on this terminal, with the commands installed and a famfs
# file system mounted at /mnt/famfs. Leave it with exit, or Ctrl-a x.
#
# Usage: scripts/shell.sh [OPTION OF guest.sh]...
#
# FAMFS_SHELL_START='COMMANDS' runs in the guest first, in place of the mount.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$TOP/scripts/prepare.sh" default
"$TOP/scripts/selftests.sh"
"$TOP/scripts/demo-programs.sh"

# The first device is formatted and mounted; another one is left to try.
# shellcheck disable=SC2016 # the guest expands it
start='cp -a '$BUILD'/demo/root/. /
set -- $FAMFS_DAXDEVS
mkfs.famfs -q -f -L shell $1 && mkdir -p /mnt/famfs &&
mount -t famfs famfs:shell /mnt/famfs
cat <<TEXT

$1 is mounted at /mnt/famfs; ${2:-no other device} is free. Some things to try:

    df -h /mnt/famfs; famfs status
    cp -a /usr/include/linux /mnt/famfs && famfs map /mnt/famfs/linux/*.h
    dd if=/dev/zero of=/mnt/famfs/big bs=1M count=256 && famfs map -q /mnt/famfs/big
    umount /mnt/famfs && fsck.famfs $1 && famfs dump $1 | head
    mkfs.famfs -L second ${2:-$1} && mount -t famfs famfs:second /mnt/famfs

TEXT'

exec "$TOP/scripts/guest.sh" -i "$@" -- /bin/sh -c \
	"${FAMFS_SHELL_START:-$start}; exec bash -i || exec sh -i"
