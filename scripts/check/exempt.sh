#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Leaves out of checkpatch's complaints what it says in vain.
#
# Usage: scripts/check/exempt.sh 'TYPE|FILE|TEXT'... < COMPLAINTS
#
# A complaint is a paragraph: its first line has the type, the second the file.
# FILE and TEXT are extended regular expressions, of that line and of the whole
# paragraph; FILE has no |, and an empty one fits everything.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

# By the environment: in a value of -v each awk treats backslashes in its own way.
EXEMPT=$(printf '%s\n' "$@") awk '
BEGIN {
	RS = ""; FS = "\n"; ORS = "\n\n"
	n = split(ENVIRON["EXEMPT"], item, "\n")
	for (i = 1; i <= n; i++) {
		split(item[i], part, "[|]")
		type[i] = part[1]; file[i] = part[2]; text[i] = item[i]
		sub(/^[^|]*[|][^|]*[|]/, "", text[i])
	}
}
{
	# Some awks leave it to the last paragraph.
	sub(/\n+$/, "")
	for (i = 1; i <= n; i++)
		if (index($1, ":" type[i] ":") && $2 ~ file[i] && $0 ~ text[i])
			next
	print
}'
