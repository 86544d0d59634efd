#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Counts the results in what a program printed as TAP.
#
# Usage: tally.sh NAME FILE SECONDS
#
# Prints a line as scripts/guest/tests.sh does. A program that printed no
# results, or other than as many as it planned, has failed once more.

name=$1 seconds=$3 awk '
function result() {
	n++
	if (/^not ok/) failed++
	else if (/# SKIP/) skipped++
	else passed++
}
/^1[.][.][0-9]+/ { planned = substr($1, 4); next }
/^(not )?ok / { result() }
END {
	if (!n || planned + 0 != n) failed++
	print "result", ENVIRON["name"], passed + 0, failed + 0, skipped + 0,
		ENVIRON["seconds"]
}' "$2"
