#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel-doc -Wall finds nothing in what is touched that was not there before.

. "$(dirname "$0")/common.sh"

need python3 python3
need_series
before=$(mktemp -d "${TMPDIR:-/tmp}/kernel-doc.XXXXXX")
trap 'rm -rf "$before"' EXIT

mapfile -t files < <(touched AM | grep '\.[ch]$' | grep -v ^tools/)
mapfile -t old < <(touched M | grep '\.[ch]$' | grep -v ^tools/)
[ ${#old[@]} -eq 0 ] ||
	tree_git "$LINUX" archive base -- "${old[@]}" | tar -x -C "$before"

# kernel_doc DIR FILE...: what it says, without line numbers, nor guesses at
# what was meant; a comment that it quotes on a second line is part of the first.
kernel_doc()
{
	local dir=$1

	shift
	[ $# -eq 0 ] || (
		cd "$dir"
		"$LINUX/tools/docs/kernel-doc" -none -Wall "$@" 2>&1
	) | sed -E ':a; N; s/\n \*/ :/; ta; P; D' | sed -E 's/:[0-9]+ / /; s/ \(did you mean .*//' | sort -u
}

new=$(comm -13 <(kernel_doc "$before" "${old[@]}") <(kernel_doc "$LINUX" "${files[@]}"))
[ -z "$new" ] || { echo "$new"; exit 1; }
