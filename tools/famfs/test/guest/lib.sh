# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the tests in the guest share. Sourced with the number of results.

set -uo pipefail

# shellcheck disable=SC2034 # the sourcing scripts use them
{
dev=${FAMFS_DAXDEVS%% *}
name=${dev##*/}
mnt=/mnt/famfs
work=$(mktemp -d)
}
trap 'cd /; rm -rf "$work"' EXIT
mkdir -p $mnt
tests=0

# plan N: how many results there will be.
plan()
{
	echo "1..$1"
}

# result STATUS TEXT: one result; what explains it has been printed before.
result()
{
	local word=ok

	tests=$((tests + 1))
	[ "$1" = 0 ] || word="not ok"
	echo "$word $tests $2"
}

# check TEXT COMMAND...: the command must succeed.
check()
{
	local text=$1 status=0

	shift
	"$@" > "$work/said" 2>&1 < /dev/null || status=$?
	[ $status = 0 ] || sed 's/^/# Expected: /' "$work/said"
	result $status "$text"
}

# refuses TEXT STATUS REGEX COMMAND...: the command must fail with the status,
# say what is wrong, and what to do next.
refuses()
{
	local text=$1 expected=$2 regex=$3 status=0

	shift 3
	"$@" > "$work/said" 2>&1 < /dev/null || status=$?
	if [ $status = "$expected" ] && grep -qE "$regex" "$work/said" &&
	   grep -q 'Next: ' "$work/said"; then
		result 0 "$text"
	else
		echo "# Expected: status $expected and '$regex', not $status:"
		sed 's/^/# Expected: /' "$work/said"
		result 1 "$text"
	fi
}

# same TEXT ONE TWO
same()
{
	[ "$2" = "$3" ] || echo "# Expected: '$3', not '$2'"
	[ "$2" = "$3" ]
	result $? "$1"
}

# fresh: a new file system, mounted.
fresh()
{
	mkfs.famfs -q -f --dead "$dev" && mount -t famfs "$dev" $mnt
}

# again: unmounts, checks, and mounts.
again()
{
	umount $mnt && fsck.famfs -q "$dev" && mount -t famfs "$dev" $mnt
}

# field WORD: what famfs status says.
field()
{
	famfs status --json $mnt |
		sed -nE "s/^ *\"$1\": *\"?([^\",]*)\"?,?$/\1/p"
}

# eventually COMMAND...: within ten seconds.
eventually()
{
	local i

	for ((i = 0; i < 100; i++)); do
		"$@" > /dev/null 2>&1 && return
		sleep 0.1
	done
	return 1
}

# free_is BYTES: what may be used at once.
free_is()
{
	[ "$(field free)" = "$1" ]
}
