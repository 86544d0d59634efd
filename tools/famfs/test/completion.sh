#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Completion in bash: after famfs come the commands of --help, after a command its
# options, files and devices.
#
# Usage: completion.sh DIR COMPLETION    DIR is where the binaries are

set -euo pipefail

bin=$(cd "$1" && pwd)
# shellcheck source=/dev/null
. "$2"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# gives EXPECTED WORD...: what comes for the last word.
gives()
{
	local expected=$1 got

	shift
	COMP_WORDS=("$bin/$1" "${@:2}") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_famfs
	got=${COMPREPLY[*]}
	[ "$got" = "$expected" ] || {
		echo "$*: '$got', not '$expected'"
		failed=1
	}
}

commands="bind compact dump flush fsck hosts map mkfs mount restart status umount unbind"
[ "$("$bin/famfs" --help | sed -nE 's/^  ([a-z]+) .*/\1/p' | sort | tr '\n' ' ')" = "$commands " ] ||
	{ echo "this test knows other commands than famfs --help"; failed=1; }
gives "--help $commands" famfs ""
gives "map mkfs mount" famfs m
gives "unbind" famfs unb
gives "" famfs nonsense
gives "--label --log-size" famfs mkfs --l
gives "--unit --uuid" mkfs.famfs --u
gives "--help --json --quiet" famfs map --
gives "--foreground" mount.famfs --f
touch "$tmp/one" "$tmp/two"
gives "$tmp/one $tmp/two" famfs map "$tmp/"
gives "$tmp/two" famfs flush "$tmp/t"
for name in famfs mkfs.famfs fsck.famfs mount.famfs umount.fuse.famfs; do
	complete -p $name | grep -qF _famfs || { echo "$name has none"; failed=1; }
done
exit $failed
