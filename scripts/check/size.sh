#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# C files and functions stay short, and the feature's files free of #ifdef.

. "$(dirname "$0")/common.sh"

FILE_LINES=450
# An example of libfuse is one file, which its documentation shows whole.
EXAMPLE_LINES=600
FUNCTION_LINES=85

cd "$TOP"
bad=0
while read -r path; do
	# A copy of a file of the base is as long as that.
	[[ $path != include/uapi/* ]] || continue
	lines=$FILE_LINES
	[[ $path != libfuse/example/* ]] || lines=$EXAMPLE_LINES
	# In kernel style a function's braces stand in the first column, alone.
	# Brackets about a brace: to some awks it begins an interval.
	path=$path awk -v files="$lines" -v functions=$FUNCTION_LINES '
	BEGIN { path = ENVIRON["path"] }
	/^[A-Za-z_].*[(]/ { name = $0 }
	/^[{]/ { start = NR }
	/^[}]/ && start {
		if (NR - start + 1 > functions) {
			printf "%s:%d: %d lines, more than %d: %s\n",
				path, start, NR - start + 1, functions, name
			bad = 1
		}
		start = 0
	}
	END {
		if (NR > files) {
			printf "%s: %d lines, more than %d\n", path, NR, files
			bad = 1
		}
		exit bad
	}' < "$path" || bad=1
done < <(repo_files '*.c' '*.h')

# Kconfig decides which files are built; a header has the stubs.
! repo_files 'fs/fuse/famfs*.c' | tr '\n' '\0' |
	xargs -0 -r grep -nHE '^[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif|else)\b' || bad=1
exit $bad
