#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# sparse says nothing about what is touched that it did not say before.

. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/build.sh"

# With a sparse that the tree does not accept make warns, and checks nothing.
[ -x "$SPARSE" ] || "$TOP/scripts/env/build-sparse.sh" >/dev/null ||
	skip "sparse is missing: scripts/env/build-sparse.sh builds it"
[ "$(sh "$LINUX/scripts/checker-valid.sh" "$SPARSE")" = 1 ] ||
	skip "the kernel does not accept $SPARSE"

# Every file, whether or not it would be compiled, and past a first error.
sparse()
{
	build_config "$1" "${MAIN[@]}"
	build_make "$1" prepare
	# shellcheck disable=SC2046 # words they are
	BUILD_LOUD=--no-print-directory build_make "$1" -k C=2 "CHECK=$SPARSE" \
		CF='-Wsparse-error -D__CHECK_ENDIAN__' $(build_targets series) \
		> "$BUILD/check/sparse.out" 2>&1 || true
	grep -E '^[^ ]+:[0-9]+:[0-9]+: (error|warning):' "$BUILD/check/sparse.out" | plain || true
}

need_series
known=$(build_kept sparse)
if [ ! -e "$known" ]; then
	build_worktree base
	sparse base > "$known.new"
	mv "$known.new" "$known"
	BUILD_TREE=$LINUX
fi
sparse main > "$BUILD/check/sparse.now"

# Make ends with an error where sparse had something to say before, too. So see
# whether it came to all files that are ours.
bad=0
while read -r path; do
	grep -qE "^  CHECK +(.*/)?$path$" "$BUILD/check/sparse.out" ||
		{ echo "$path was not checked; see $BUILD/check/sparse.out"; bad=1; }
done < <(touched A | grep '^fs/fuse/famfs.*\.c$')

new=$(comm -13 "$known" "$BUILD/check/sparse.now")
[ -z "$new" ] || { echo "$new"; bad=1; }
exit $bad
