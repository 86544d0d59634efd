#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# All tests: KUnit and kselftests in the guest, the user-space ones here.
#
# Usage: scripts/test/run.sh
#
# Kconfig says what T, BACKEND, TRANSPORT, OPEN_MODE, VARIANT, FULL and FAMFS_* choose.
#
# Ends with `N passed, N failed, N skipped`; build/test has what was printed.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

named=${BACKEND:+1}
switches T BACKEND TRANSPORT OPEN_MODE VARIANT FULL
switches FAMFS_{SEED,HISTORIES,SECONDS,FAILURES,SCRIPT,EVERY,LOG}

pattern=$T
out=$BUILD/test
# For all programs of a backend, in seconds. Each has a limit of its own.
guest_limit=3000
[ "$VARIANT/$FULL" = default/ ] || guest_limit=18000
passed=0 failed=0 skipped=0

# count NAME PASSED FAILED SKIPPED SECONDS: one program's results.
count()
{
	passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
	printf '%-32s %4d passed %4d failed %4d skipped %5ss\n' "$@"
}

# details DIR NAME: what failed, and why what was skipped was.
details()
{
	[ ! -e "$1/libfuse-$2.log" ] ||
		sed -nE 's/^\+ *[0-9.]+s (FAIL|SKIP) /    \1 /p' "$1/libfuse-$2.log"
	[ -e "$1/$2.tap" ] || return 0
	grep -hE '^not ok|# SKIP' "$1/$2.tap" | sed 's/^/    /' || :
	grep -q '^not ok' "$1/$2.tap" || return 0
	grep -hE '^# .*(Expected|test failed|terminated|[a-z_]+\.c:[0-9]+)' \
		"$1/$2.tap" | head -n 40 | sed 's/^/        /' || :
}

# programs_of NUMBER: a pattern of the programs that have tests of it.
programs_of()
{
	local tests=$TOP/tools/testing/selftests/filesystems/fuse names

	names=$(grep -lE "^TEST_F(_TIMEOUT)?\\(\\w+, *$1_" "$tests"/*_test.c |
		sed 's,.*/,,; s,\.c$,,' | paste -sd '|') || true
	[ -n "$names" ] || die "no test of $1" \
		"The numbers are in Documentation/filesystems/fuse/famfs.rst"
	echo "^($names)(@|\$)"
}

[[ ! $pattern =~ ^[A-Z][0-9]+$ ]] || pattern=$(programs_of "$pattern")

wanted()
{
	[[ $1 =~ $pattern ]]
}

# What to run over the transports that are not the usual one: the programs
# where the server's context, its replies or its end matter.
some='famfs_(concurrent|device|init|io|map|open|stage|teardown|transport|unbind|unbind_race)_test'

# transports PROGRAM BACKEND: over which it is run.
transports()
{
	if [[ $1 != famfs_* ]]; then
		echo fuse
	elif [ -n "$TRANSPORT" ]; then
		echo "$TRANSPORT"
	elif [ "$2" != "${backends[0]}" ]; then
		echo fuse
	elif [ -n "$FULL" ] || [[ $1 =~ $some ]]; then
		echo fuse clone uring
	else
		echo fuse
	fi
}

# Programs that show soon whether a mode works at all.
quick='famfs_(concurrent|io|map|open)_test'

# modes PROGRAM BACKEND: the ones that are not the usual one, in which it is
# run.
modes()
{
	if [[ $1 != famfs_* ]] || [ -n "$TRANSPORT" ] ||
	   [ "$2" != "${backends[0]}" ]; then
		:
	elif [ -n "$FULL" ] || [[ $1 =~ $quick ]]; then
		echo openfmap noopen
	fi
}

# ways PROGRAM BACKEND: over which transports, and in which modes, it is run.
ways()
{
	# Pages of 1 GiB need a device as large.
	if [[ $1 == famfs_pud_* ]]; then
		[ "$2" != hmem-large ] || echo fuse
		return
	fi
	# So many pages are for one program; the others would only be slower.
	if [ "$2" = hmem-large ] &&
	   { [[ $1 != famfs_push_parts_test ]] || [ -z "$FULL$named" ]; }; then
		return
	fi
	# Other file systems have a guest of their own.
	if [[ $1 == famfs_fsdax_test ]]; then
		[ "$2" != fsdax ] || echo fuse
		return
	fi
	[ "$2" != fsdax ] || return 0
	if [ -n "$OPEN_MODE" ] && [[ $1 == famfs_* ]]; then
		echo "$OPEN_MODE"
	else
		transports "$@"
		modes "$@"
	fi
}

# programs BACKEND: those to run, by path, with their transports or modes.
programs()
{
	local program way name

	for program in "$BUILD"/selftests/*_test; do
		for way in $(ways "${program##*/}" "$1"); do
			name=${program##*/}@$way
			wanted "${name%@*}" || wanted "$name" || continue
			name=${name%@fuse}
			echo "${program%/*}/${name%@getfmap}"
		done
	done
}

# What histories of crashes go by, as famfs_crash_test.c says, if anybody has
# said so.
histories=()
for name in FAMFS_{SEED,HISTORIES,SECONDS,FAILURES,SCRIPT,EVERY,LOG}; do
	[ -z "${!name}" ] || histories+=("$name=${!name}")
done

# in_guest BACKEND: KUnit and kselftests on one backend.
in_guest()
{
	local backend=$1 dir=$out/$1 code=0 kunit=() list

	mapfile -t list < <(programs "$backend")
	[ "$backend" = fsdax ] || [ "$backend$FULL$named" = hmem-large ] ||
		! wanted kunit || kunit=(-k)
	[ ${#list[@]} -gt 0 ] || [ ${#kunit[@]} -gt 0 ] || return 0
	rm -rf "$dir"
	mkdir -p "$dir"
	"$TOP/scripts/guest/boot.sh" -b "$backend" -c "$VARIANT" -t "$guest_limit" \
		-w "$dir" -o "$dir/guest" -- \
		env ${FULL:+FAMFS_FULL=1} "${histories[@]}" \
		bash "$TOP/scripts/guest/tests.sh" "$dir" "${kunit[@]}" "${list[@]}" \
		> "$dir/results" || code=$?
	account "guest/$backend" "$dir" "$code"
}

# account NAME DIR CODE: the results that a guest, which ended with CODE, left.
account()
{
	local dir=$2 line

	while read -r _ line; do
		# shellcheck disable=SC2086 # five words
		count $line
		details "$dir" "$(basename "${line%% *}")"
	done < <(grep '^result ' "$dir/results")
	if [ "$3" != 0 ] || ! grep -q '^result ' "$dir/results"; then
		count "$1" 0 1 0 0
		tail -n 30 "$dir/results"
		say "the guest failed with $3; its log: ${dir#"$TOP/"}/guest/console.log"
	fi
}

# libfuse BACKEND: the tests of maps that libfuse has.
libfuse()
{
	local dir=$out/libfuse code=0

	wanted libfuse || return 0
	"$TOP/scripts/series/apply.sh" libfuse
	"$TOP/scripts/tools/libfuse.sh" base plain asan
	rm -rf "$dir"
	mkdir -p "$dir"
	"$TOP/scripts/guest/boot.sh" -b "$1" -c "$VARIANT" -t 1500 \
		-s "$FAMFS_CACHE/o" -s "$LIBFUSE" -w "$dir" -o "$dir/guest" -- \
		bash "$TOP/scripts/guest/libfuse.sh" "$dir" "$LIBFUSE" \
		"$FAMFS_CACHE/o" > "$dir/results" || code=$?
	account guest/libfuse "$dir" "$code"
}

# Tests of the commands and the server, in tools/famfs/test/guest.
# package, which ends with nothing installed, is the last.
SERVER_TESTS=(mount mounts fstab names crowd programs space bad drop fsx kill
	      restart end shell readme package)

# famfs BACKEND: those that are wanted.
famfs()
{
	local dir=$out/famfs code=0 name deb='' list=() limit=900

	# A million operations on files take half an hour.
	[ -z "$FULL" ] || limit=5400

	for name in "${SERVER_TESTS[@]}"; do
		! wanted "famfs-$name" || list+=("$name")
	done
	[ ${#list[@]} -gt 0 ] || return 0
	"$TOP/scripts/tools/userspace.sh" famfs_build
	! wanted famfs-package || deb=$("$TOP/scripts/tools/deb.sh")
	rm -rf "$dir"
	mkdir -p "$dir"
	"$TOP/scripts/guest/boot.sh" -b "$1" -c "$VARIANT" -t $((4 * limit)) \
		-w "$dir" -o "$dir/guest" -- \
		env FAMFS_GUEST="$BUILD/tools/guest" \
		${FULL:+FULL=1} ${deb:+FAMFS_DEB="$deb"} \
		bash "$TOP/scripts/guest/famfs.sh" "$dir" \
		"$BUILD/tools/checked/famfs" $limit "${list[@]}" \
		> "$dir/results" || code=$?
	account guest/famfs "$dir" "$code"
}

# lacks: what users see on a kernel that has another driver for the memory, and
# no maps of files.
lacks()
{
	local dir=$out/famfs-lacks code=0

	[ -n "$FULL" ] && wanted famfs-lacks || return 0
	"$TOP/scripts/kernel/build.sh" default lacks DEV_DAX_KMEM=y FUSE_FAMFS_DAX=n
	"$TOP/scripts/tools/userspace.sh" famfs_build
	rm -rf "$dir"
	mkdir -p "$dir"
	"$TOP/scripts/guest/boot.sh" -b hmem -c lacks -t 300 \
		-w "$dir" -o "$dir/guest" -- \
		env FAMFS_GUEST="$BUILD/tools/guest" \
		bash "$TOP/scripts/guest/famfs.sh" "$dir" \
		"$BUILD/tools/checked/famfs" 200 lacks \
		> "$dir/results" || code=$?
	account guest/lacks "$dir" "$code"
}

# here NAME COMMAND...: a test of its own that runs on this machine.
here()
{
	local name=$1 start=$SECONDS results=(0 1 0) reason=

	shift
	wanted "$name" || return 0
	mkdir -p "$out"
	if "$@" > "$out/$name.log" 2>&1; then
		results=(1 0 0)
		! reason=$(grep -m 1 '^SKIP: ' "$out/$name.log") || results=(0 0 1)
	else
		tail -n 30 "$out/$name.log"
	fi
	count "$name" "${results[@]}" $((SECONDS - start))
	[ -z "$reason" ] || echo "    $reason"
}

[[ $TRANSPORT =~ ^(fuse|clone|uring|)$ ]] ||
	die "no transport '$TRANSPORT'" "fuse, clone or uring"
"$TOP/scripts/env/prepare.sh" "$VARIANT"
"$TOP/scripts/test/selftests.sh"

backends=("$BACKEND")
[ -z "$FULL" ] || [ -n "$named" ] || backends=(hmem hmem-multi hmem-large pmem nvdimm cxl)
[ -n "$FULL$named" ] || backends+=(hmem-large)
[ -n "$named" ] || backends+=(fsdax)
for backend in "${backends[@]}"; do
	in_guest "$backend"
done
libfuse "${backends[0]}"
famfs "${backends[0]}"
lacks
built=
while read -r name; do
	# What T picks is built as well.
	if [ -z "$built" ] && wanted "$name"; then
		[ "$name" = famfs_build ] || "$TOP/scripts/tools/userspace.sh" famfs_build
		built=1
	fi
	here "$name" "$TOP/scripts/tools/userspace.sh" "$name"
done < <("$TOP/scripts/tools/userspace.sh" --list)
here fuzz "$TOP/scripts/test/fuzz.sh"
here series "$TOP/scripts/series/test.sh"
here guest "$TOP/scripts/guest/test-guest.sh"

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
