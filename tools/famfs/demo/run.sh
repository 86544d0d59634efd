#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demo, as it runs in the guest: real files go onto a dax device through a
# FUSE mount, and come back by reading, by mapping and from the raw memory.
#
# Usage: run.sh PROGRAMS WORK
#
# PROGRAMS has serve and peek. Ends with 0 if everything is as it should be.

set -euo pipefail

programs=$1
work=$2
mnt=$work/mnt
dev=${FAMFS_DAXDEVS%% *}
name=${dev##*/}
bad=0

# What to copy: programs that any such guest has, and one file big enough for
# many 2 MiB mappings.
files=(/bin/bash /usr/bin/perl /usr/bin/git)

fail()
{
	echo "demo: $*" >&2
	exit 1
}

# ask COMMAND: sends it to the server and prints the reply.
ask()
{
	local line

	echo "$1" >&"${SERVER[1]}"
	while read -r line <&"${SERVER[0]}" && [ "$line" != . ]; do
		echo "$line"
	done
}

# row TEXT VALUE [EXPECTED]: a line of the table.
row()
{
	local mark=

	if [ $# -gt 2 ]; then
		mark=ok
		[ "$2" = "$3" ] || { mark="WRONG, not $3"; bad=1; }
	fi
	printf '| %-44s | %-22s | %s\n' "$1" "$2" "$mark"
}

sum()
{
	sha256sum | cut -d ' ' -f 1
}

bind()
{
	local driver

	driver=$(readlink "/sys/bus/dax/devices/$name/driver")
	driver=${driver##*/}
	echo "$name" > "/sys/bus/dax/drivers/$driver/unbind"
	if [ "$1" = fsdev_dax ]; then
		echo "$name" > /sys/bus/dax/drivers/fsdev_dax/new_id
	else
		echo "$name" > /sys/bus/dax/drivers/fsdev_dax/remove_id
		echo "$name" > "/sys/bus/dax/drivers/$1/bind"
	fi
}

[ -n "$dev" ] || fail "no dax device"
mkdir -p "$mnt"
head -c $((64 << 20)) < <(cat /usr/bin/* 2>/dev/null) > "$work/64MiB" || :
[ "$(stat -c %s "$work/64MiB")" = $((64 << 20)) ] || fail "cannot gather 64 MiB"
files+=("$work/64MiB")

args=()
for file in "${files[@]}"; do
	args+=("${file##*/}:$(stat -Lc %s "$file")")
done

coproc SERVER { exec "$programs/serve" "$mnt" "$dev" "${args[@]}"; }
server=$SERVER_PID
read -r line <&"${SERVER[0]}" || fail "the server does not start"
[ "$line" = ready ] || fail "the server says '$line'"

echo
echo "fsdev_dax device $dev, FUSE mount $mnt"
echo
row "copied in with dd, read back with cat" "sha256 of both"
declare -A sums
for file in "${files[@]}"; do
	base=${file##*/}
	dd if="$file" of="$mnt/$base" bs=1M conv=notrunc,fsync status=none
	sums[$base]=$(sum < "$file")
	got=$(sum < "$mnt/$base")
	row "  $base, $(stat -Lc %s "$file") bytes" "${got:0:16}" "${sums[$base]:0:16}"
done

row "mapped" "sha256 of the mapping"
for base in "${!sums[@]}"; do
	got=$("$programs/peek" "$mnt/$base" 2> "$work/huge.$base" | sum)
	row "  $base" "${got:0:16}" "${sums[$base]:0:16}"
done
row "  64MiB: KiB of it in 2 MiB pages" "$(cat "$work/huge.64MiB")" 65536

row "requests that reached the server" "count"
while read -r opcode count; do
	case $opcode in
	GET_FMAP) row "  $opcode, one a file" "$count" "${#files[@]}" ;;
	GET_DAXDEV) row "  $opcode" "$count" 1 ;;
	READ | WRITE) row "  $opcode" "$count" 0 ;;
	*) row "  $opcode" "$count" ;;
	esac
done < <(ask counts)

places=$(ask place)
eval "exec ${SERVER[1]}>&-"
wait "$server" || fail "the server failed"

row "raw memory of $name, after unmounting" "sha256 of it"
bind device_dax
while read -r base off size; do
	got=$("$programs/peek" "$dev" "$off" "$size" 2>/dev/null | sum)
	row "  $base at $off" "${got:0:16}" "${sums[$base]:0:16}"
done <<< "$places"
bind fsdev_dax
echo

exit $bad
