#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The scripts refuse what they must, whichever awk the machine has.

. "$(dirname "$0")/common.sh"

# Which of them is awk depends on what was installed last.
AWKS=(gawk mawk busybox)

bin=$(mktemp -d "${TMPDIR:-/tmp}/machinery.XXXXXX")
trap 'rm -rf "$bin"' EXIT
bad=0
for awk in "${AWKS[@]}"; do
	need "$awk" "$awk"
	ln -sf "$(command -v "$awk")" "$bin/awk"
	for test in check/test series/test; do
		said=$(PATH=$bin:$PATH "$TOP/scripts/$test.sh" 2>&1) || {
			echo "== scripts/$test.sh with $awk"
			grep -v '^ok ' <<< "$said"
			bad=1
		}
	done
done
exit $bad
