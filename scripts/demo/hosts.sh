#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demo of several hosts: guests that share one memory, of which one owns a
# file system and the others are members. Whatever is missing is made first.
#
# Usage: scripts/demo/hosts.sh [load]
#
# load: instead, the owner replaces objects on a file system that is almost full
# while members use them.
#
# Kconfig says what MEMBERS and FAMFS_PATIENCE are.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches MEMBERS FAMFS_PATIENCE

# shellcheck disable=SC2153 # Kconfig has it
members=$MEMBERS
out=$BUILD/demo-hosts
what=${1:-demo}

"$TOP/scripts/env/prepare.sh" default
"$TOP/scripts/test/selftests.sh"
"$TOP/scripts/demo/programs.sh"
rm -rf "$out"
mkdir -p "$out/meet"
truncate -s 1G "$out/memory"

# host NUMBER [again]: one guest. The first one makes the namespace of the memory.
host()
{
	local script=hosts.sh args="${2:-}"

	[ "$what" != load ] || script=hosts_load.sh args=$BUILD/demo/churn
	"$TOP/scripts/guest/boot.sh" -b nvdimm -d "$out/memory" -w "$out/meet" \
		-t $((FAMFS_PATIENCE * 4)) -o "$out/$1${2:-}" -- /bin/sh -c \
		"cp -a '$BUILD/demo/root/.' / && FAMFS_PATIENCE=$FAMFS_PATIENCE exec bash '$TOP/tools/famfs/demo/$script' $1 $members '$out/meet' $args" \
		> "$out/$1${2:-}.log" 2>&1 ||
		[ -e "$out/meet/killing.$1${2:-}" ] || : > "$out/meet/failed"
}

# meets NAME: waits until a guest has said so. False: one has failed.
meets()
{
	while [ ! -e "$out/meet/$1" ]; do
		[ ! -e "$out/meet/failed" ] || return 1
		sleep 0.5
	done
}

# qemu_of PID: the QEMU that it, or a child of it, has started.
qemu_of()
{
	local pid

	for pid in $(pgrep -P "$1"); do
		case $(cat "/proc/$pid/comm" 2> /dev/null) in
		qemu*)	echo "$pid" ;;
		*)	qemu_of "$pid" ;;
		esac
	done
}

# kill_host NUMBER PID: it ends as a machine without power does, when it has said
# so, and is switched on again when another one has seen enough.
kill_host()
{
	local pid

	meets "kill.$1" || return 0
	: > "$out/meet/killing.$1"
	pid=$(qemu_of "$2")
	[ -z "$pid" ] || kill -KILL "$pid"
	while [ -n "$pid" ] && kill -0 "$pid" 2> /dev/null; do
		sleep 0.1
	done
	: > "$out/meet/killed.$1"
	! meets "wake.$1" || host "$1" again
}

host 0 &
owner=$!
meets made || :
for number in $(seq "$members"); do
	host "$number" &
done
if [ "$what" != load ]; then
	kill_host "$members" $! &
	kill_host 0 $owner &
fi
wait
rm -f "$out/memory"
sort -s -k1,1 "$out/meet/table" 2> /dev/null || true
if [ -e "$out/meet/failed" ] || grep -q 'FAIL$' "$out/meet/table"; then
	echo "demo-hosts: FAIL"
	exit 1
fi
echo "demo-hosts: PASS"
