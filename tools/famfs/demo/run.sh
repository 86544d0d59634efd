#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demo, as it runs in the guest: what a user does with a file system on a dax
# device, from mkfs to fsck, and what the kernel and the raw memory say to it.
#
# Usage: run.sh PROGRAMS WORK
#
# PROGRAMS has peek, and root/ with the commands as `make install` leaves them.
# Ends with 0 if everything is as it should be.

set -euo pipefail

programs=$1
work=$2
mnt=/mnt/famfs
dev=${FAMFS_DAXDEVS%% *}
name=${dev##*/}
trace=/sys/kernel/tracing
bad=0

# What to copy: a tree with many small files, a program, and a file that is big
# enough for many 2 MiB pages.
tree=/usr/include/linux
program=/bin/bash
megabytes=64

fail()
{
	echo "demo: $*" >&2
	exit 1
}

# row TEXT VALUE [EXPECTED]: a line of the table.
row()
{
	local mark=

	if [ $# -gt 2 ]; then
		mark=ok
		[ "$2" = "$3" ] || { mark="WRONG, not $3"; bad=1; }
	fi
	printf '| %-48s | %-22s | %s\n' "$1" "$2" "$mark"
}

# does TEXT COMMAND...: a line for a command that must succeed.
does()
{
	local text=$1 status=0

	shift
	"$@" > "$work/said" 2>&1 || status=$?
	[ $status = 0 ] || cat "$work/said" >&2
	row "$text" "status $status" "status 0"
}

# The first words of a hash.
sum()
{
	sha256sum | cut -c 1-16
}

# of DIR: a hash of all that is in it.
of()
{
	(cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum) | sum
}

# raw PATH: what the memory has where the file lies, as mapped by device_dax.
raw()
{
	local size left bytes offset _

	size=$(awk -v path="$1" '$6 == path { print $5 }' "$work/dump")
	left=$size
	while read -r _ offset bytes; do
		[ "$bytes" -le "$left" ] || bytes=$left
		"$programs/peek" "$dev" "$offset" "$bytes" 2> /dev/null
		left=$((left - bytes))
	done < <(awk -v path="$1" '/^[0-9]/ { on = $6 == path; next } on' "$work/dump")
}

[ -n "$dev" ] || fail "no dax device"
mkdir -p "$mnt" "$work"
cp -a "$programs/root/." /
head -c ${megabytes}M < <(cat /usr/bin/* 2>/dev/null) > "$work/big" || :
[ "$(stat -c %s "$work/big")" = $((megabytes << 20)) ] ||
	fail "cannot gather $megabytes MiB"

echo
echo "$dev, bound to fsdev_dax, $(cat "/sys/bus/dax/devices/$name/size") bytes"
echo
row "as an administrator" "exit status"
does "mkfs.famfs -L demo $dev" mkfs.famfs -f -L demo "$dev"
does "mount -t famfs famfs:demo $mnt" mount -t famfs famfs:demo "$mnt"
empty=$(df --output=used "$mnt" | tail -n 1)

# The kernel's own account of what it sends to the server.
echo 16384 > $trace/buffer_size_kb
echo 1 > $trace/events/fuse/fuse_request_send/enable
row "as a user" "exit status"
does "cp -a $tree: $(find $tree -type f | wc -l) files" cp -a $tree "$mnt/tree"
does "diff -r" diff -r $tree "$mnt/tree"
does "mkdir, mv, rm" sh -c "cd $mnt && mkdir -p a/b && mv tree a/b/moved &&
	rm -r a/b/moved/netfilter* && ln -s b/moved a/link && test -e a/link/fs.h"
does "cp $program, and run the copy" \
	sh -c "cp $program $mnt/program && $mnt/program -c 'exit 0'"
does "cp of $megabytes MiB" cp "$work/big" "$mnt/big"
row "read, and mapped" "sha256"
expected=$(sum < "$work/big")
row "  read with cat" "$(sum < "$mnt/big")" "$expected"
row "  mapped" "$("$programs/peek" "$mnt/big" 2> "$work/huge" | sum)" "$expected"
huge=$(($(cat "$work/huge") / 2048))
[ "$huge" -lt $((megabytes / 2 - 1)) ] || least=$huge
row "  2 MiB pages in the mapping, of $((megabytes / 2))" "$huge" \
	"${least:-$((megabytes / 2 - 1)) or more}"
echo 0 > $trace/events/fuse/fuse_request_send/enable

row "requests that the kernel sent meanwhile" "count"
grep -o 'opcode [0-9]* ([A-Z_]*' $trace/trace | sed 's/.*(//' | sort | uniq -c |
	sort -rn > "$work/requests"
while read -r count opcode; do
	row "  ${opcode#FUSE_}" "$count"
done < <(head -n 8 "$work/requests")
for opcode in READ WRITE; do
	row "  $opcode" \
		"$(awk -v o="FUSE_$opcode" '$2 == o { n = $1 } END { print n + 0 }' "$work/requests")" 0
done

before=$(of "$mnt")
row "once more" "exit status"
does "umount" umount "$mnt"
does "mount" mount -t famfs "$dev" "$mnt"
row "  everything is there" "$(of "$mnt")" "$before"
does "umount" umount "$mnt"
does "fsck.famfs" fsck.famfs "$dev"
famfs dump "$dev" > "$work/dump"

row "the raw memory, mapped with device_dax" "sha256"
famfs unbind -q "$dev"
row "  the $megabytes MiB" "$(raw /big | sum)" "$expected"
row "  the program" "$(raw /program | sum)" "$(sum < $program)"
famfs bind -q "$dev"

row "and back to nothing" "exit status"
mount -t famfs "$dev" "$mnt"
does "rm -r of everything" sh -c "rm -r $mnt/*"
for ((i = 0; i < 50; i++)); do
	[ "$(df --output=used "$mnt" | tail -n 1)" != "$empty" ] || break
	sleep 0.1
done
row "  KiB in use, as df says" "$(df --output=used "$mnt" | tail -n 1 | tr -d ' ')" \
	"$(tr -d ' ' <<< "$empty")"
umount "$mnt"
echo

exit $bad
