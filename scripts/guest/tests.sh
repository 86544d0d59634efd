#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs tests in the guest and says how they went.
#
# Usage: tests.sh OUT [-k] PROGRAM[@TRANSPORT|@OPEN_MODE]...
#
# Each program prints TAP; what it prints goes to OUT/NAME.tap. With -k the
# KUnit suites of fs/fuse are run as well. TRANSPORT says how requests reach the
# server of a program that has its own: fuse (default), clone or uring;
# OPEN_MODE how that server gives maps: getfmap (default), openfmap or noopen.
# Prints one line a program, which tally.sh makes:
#
#   result NAME[@...] PASSED FAILED SKIPPED SECONDS

set -uo pipefail

tally=$(dirname "$0")/tally.sh
out=$1
shift
kunit=/sys/kernel/debug/kunit

# limit PROGRAM: seconds it may take where the processor is emulated. Maps of
# sixteen million extents take longer, and so do thousands of histories.
limit()
{
	if [ "${FAMFS_BACKEND:-}" = hmem-large ] ||
	   [ "${FAMFS_FULL:-}/${1##*/}" = 1/famfs_crash_test ]; then
		echo 1500
	else
		echo 300
	fi
}

if [ "${1:-}" = -k ]; then
	shift
	for suite in "$kunit"/fuse_famfs*/; do
		name=$(basename "$suite")
		echo > "$suite/run"
		# Results of a suite are indented below its line.
		sed -n 's/^    \(1\.\.[0-9]\|ok\|not ok\)/\1/p' "$suite/results" > "$out/$name.tap"
		"$tally" "kunit/$name" "$out/$name.tap" 0
	done
fi

# offer_uring TRANSPORT: elsewhere the kernel stays as it comes.
offer_uring()
{
	local switch=/sys/module/fuse/parameters/enable_uring on=N

	[ "$1" != uring ] || on=Y
	[ ! -e $switch ] || echo $on > $switch
}

for program; do
	name=$(basename "$program")
	export FAMFS_TRANSPORT=fuse FAMFS_OPEN_MODE=getfmap
	case $name in *@*)
		how=${name#*@} program=${program%@*}
		case $how in
		openfmap|noopen) FAMFS_OPEN_MODE=$how ;;
		*) FAMFS_TRANSPORT=$how ;;
		esac ;;
	esac
	offer_uring "$FAMFS_TRANSPORT"
	start=$SECONDS
	(cd "${program%/*}" && timeout -k 5 "$(limit "$program")" "$program") \
		> "$out/$name.tap" 2>&1
	"$tally" "$name" "$out/$name.tap" $((SECONDS - start))
done
