#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The Debian package, installed and used as its reader would. FAMFS_DEB names it.

. "$(dirname "$0")/lib.sh"

plan 9

rm -f /usr/sbin/{famfs,mkfs.famfs,fsck.famfs,mount.famfs,umount.fuse.famfs}
check "dpkg installs it" dpkg -i "${FAMFS_DEB:-none}"
check "its files are where dpkg says" sh -c "dpkg -L famfs-tools | xargs ls -d"
check "the manual page" sh -c "zcat /usr/share/man/man8/famfs.8.gz | grep -q COMMANDS"
check "completion" bash -c ". /usr/share/bash-completion/completions/mount.famfs &&
	COMP_WORDS=(famfs stat) COMP_CWORD=1 && _famfs && [ \"\${COMPREPLY[*]}\" = status ]"
check "mkfs.famfs" mkfs.famfs -f --dead "$dev"
check "mount" mount -t famfs "$dev" $mnt
check "a file" sh -c "echo text > $mnt/file && grep text $mnt/file"
check "umount" umount $mnt
check "dpkg removes it" sh -c "dpkg -r famfs-tools && ! test -e /usr/sbin/famfs"
