#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs libfuse's own tests of maps in the guest, over /dev/fuse and over
# io-uring, and programs that were built against the base with the new library.
#
# Usage: libfuse.sh OUT SOURCE BUILDS
#
# SOURCE is libfuse with the series, BUILDS the folder where scripts/tools/libfuse.sh
# leaves what it builds. Prints a line each, as tests.sh does:
#
#   result NAME PASSED FAILED SKIPPED SECONDS

set -uo pipefail

out=$1 source=$2 builds=$3
FUSE_TEST_DAXDEV=${FAMFS_DAXDEVS%% *}
export FUSE_TEST_DAXDEV
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=suppressions=$source/test/lsan_suppress.txt

# As its last line but for what was slow or failed, run-tests.py says
# "N tests: N passed, N failed, N skipped".
of()
{
	sed -nE "s/^[0-9]+ tests: .*\b([0-9]+) $1.*/\1/p" "$2" | tail -n 1 |
		grep . || echo 0
}

# suite NAME SOURCE BUILD ARG...: a run of run-tests.py. One that ends badly
# without a failed test has failed as well.
suite()
{
	local name=$1 suite=$2 build=$3 log=$out/libfuse-$1.log start=$SECONDS
	local status=0 passed failed

	shift 3
	# What a failed test leaves is of use outside.
	rm -rf "$out/libfuse-$name"
	"$suite/test/run-tests.py" --build-dir "$build" -j1 \
		--run-dir "$out/libfuse-$name" "$@" > "$log" 2>&1 || status=$?
	passed=$(of passed "$log")
	failed=$(of failed "$log")
	[ "$failed" -gt 0 ] || { [ $status -eq 0 ] && [ "$passed" -gt 0 ]; } ||
		failed=1
	echo "result libfuse/$name $passed $failed $(of skipped "$log") $((SECONDS - start))"
}

suite dev "$source" "$builds/libfuse-asan" -g fmap
echo Y > /sys/module/fuse/parameters/enable_uring
suite uring "$source" "$builds/libfuse-asan" --io-uring -g fmap

# The programs find their own library by a path in them, which goes second.
export LD_LIBRARY_PATH=$builds/libfuse-plain/lib
if ldd "$builds/libfuse-base/example/hello_ll" |
   grep -q "libfuse3.*$builds/libfuse-plain/"; then
	suite old "$builds/libfuse-base-source" "$builds/libfuse-base" \
		-t examples/hello-ll-direct -t examples/hello-direct \
		-t ctests/write-cache -t unit/test_abi
else
	echo "result libfuse/old 0 1 0 0"
fi
