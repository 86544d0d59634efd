#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the KUnit tests of fs/fuse under UML, a kernel that is a process: no guest,
# no emulation. Builds from the tree in the cache as it is checked out.
#
# Usage: scripts/kernel/kunit.sh [SUITE[.TEST]]
#
# The pattern may have wildcards. Leaves the whole output in build/kunit.log.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

[ $# -le 1 ] || usage
filter=${1:-}
out=$FAMFS_CACHE/o/kunit
log=$BUILD/kunit.log

# kunit COMMAND ARGS...: kunit.py, with nothing of the caller's make.
kunit()
{
	(
		cd "$LINUX"
		unset ARCH CROSS_COMPILE KBUILD_OUTPUT MAKEFLAGS MFLAGS
		tools/testing/kunit/kunit.py "$1" --build_dir="$out" "${@:2}"
	) < /dev/null
}

build()
{
	local args=(--make_options=LOCALVERSION=)

	if command -v ccache >/dev/null; then
		export CCACHE_DIR=${CCACHE_DIR:-$FAMFS_CACHE/ccache}
		args+=("--make_options=CC=ccache gcc")
	fi
	kunit build --kunitconfig=fs/fuse --jobs="$JOBS" "${args[@]}" \
		> "$out/build.log" 2>&1 || {
		tail -n 40 "$out/build.log" >&2
		die "the UML kernel does not build" "The whole log: $out/build.log"
	}
}

# A warning ends the kernel, and kunit.py tells that from tests that passed.
run()
{
	kunit exec --kernel_args=panic_on_warn=1 --timeout=120 \
		${filter:+"$filter"} > "$log" 2>&1
}

# of WHAT: from the summary, as in "Ran 5 tests: passed: 4, failed: 1".
of()
{
	local n

	n=$(sed -nE "/Testing complete/s/.*[ :]$1: ([0-9]+).*/\1/p" "$log")
	echo "${n:-0}"
}

grep -qs FUSE_FAMFS_KUNIT_TEST "$LINUX/fs/fuse/Kconfig" ||
	die "the kernel tree in the cache has no such tests" \
	    "Run scripts/series/apply.sh linux"
mkdir -p "$out" "$BUILD"
lock o-kunit

if [ "$(uname -m)" != x86_64 ]; then
	say "there is no UML for $(uname -m): the tests run in the guest only"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi

step "building UML with the KUnit tests of fs/fuse" build
status=0
step "running them" run || status=$?

# What is not a pass, with what the kernel said about it.
sed -nE 's/^\[[0-9:]+\] //; /FAILED|CRASHED|ERROR|SKIPPED|# .*(EXPECT|ASSERT)|^ *Expected/p' "$log"
failed=$(($(of failed) + $(of crashed) + $(of errors)))
passed=$(of passed)
skipped=$(of skipped)
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || {
	tail -n 20 "$log" >&2
	failed=1
}
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
