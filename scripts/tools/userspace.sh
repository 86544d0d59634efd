#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the commands of tools/famfs and their library, and runs one of their
# tests, all of which run on this machine alone.
#
# Usage: scripts/tools/userspace.sh --list    names the tests
#        scripts/tools/userspace.sh TEST
#        scripts/tools/userspace.sh install   builds the commands and installs them;
#                                       DESTDIR= and PREFIX= say where
#
# With FULL=1 there are more histories, a million files, and libFuzzer for
# FUZZ_SECONDS. Media made by other tools are read where FAMFS_FIXTURES has any.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches FULL FUZZ_SECONDS FAMFS_FIXTURES DESTDIR PREFIX

TOOLS=$BUILD/tools
FIXTURES=$(cd "$TOP" && realpath -m "$FAMFS_FIXTURES")

# In this order: what builds comes first.
TESTS=(famfs_build famfs_format famfs_mutants_list famfs_library
       famfs_library_asan famfs_histories famfs_histories_asan famfs_hosts
       famfs_hosts_asan famfs_serving famfs_load famfs_mutants famfs_threads famfs_scale famfs_bounds
       famfs_commands famfs_completion famfs_manuals famfs_install famfs_fuzz)

make_tools()
{
	make -s -C "$TOP/tools/famfs" -j "$JOBS" O="$TOOLS" FUSE="$LIBFUSE" \
		FUSE_BUILD="$FAMFS_CACHE/o/libfuse-static" "$@"
}

# ready: what the commands are built with.
ready()
{
	"$TOP/scripts/env/packages.sh"
	"$TOP/scripts/series/base.sh" libfuse
	"$TOP/scripts/series/apply.sh" libfuse
	"$TOP/scripts/tools/libfuse.sh" static
}

# Manual pages without mistakes, which say what --help says.
manuals()
{
	local page

	# What scdoc itself makes of headings is no mistake.
	for page in "$TOOLS"/man/*; do
		mandoc -T lint -W warning "$page" |
			grep -v 'skipping paragraph macro' && return 1
	done
	for page in $("$TOOLS/famfs" --help | sed -nE 's/^  ([a-z]+) .*/\1/p'); do
		grep -q "^.*fB$page.*fR" "$TOOLS/man/famfs.8" ||
			{ echo "famfs(8) has no $page"; return 1; }
	done
}

# Each mutant has one place in the library: a comparison or access without a
# name, or a name without one, would not be tested.
mutants_list()
{
	local lib=$TOP/tools/famfs/lib wrong=0

	diff <(grep -ohE '^	[XRW]\([A-Z_]+\)' "$lib/mutants.h" |
	       sed -E 's/.*\((.*)\)/\1/' | sort) \
	     <(cat "$lib"/*.c | grep -oE '\bWRONG\([A-Z_]+|\b[A-Z_]+_(DROP|WRITE|SETTLE)\b' |
	       sed 's/WRONG(//' | grep -vE '^MEDIA_' | sort) || wrong=1
	diff <(grep -ohE '^	S\([A-Z_]+\)' "$lib/mutants.h" |
	       sed -E 's/.*\((.*)\)/\1/' | sort) \
	     <(cat "$lib"/../server/*.c | grep -oE '\bWRONG\([A-Z_]+' |
	       sed 's/WRONG(//' | sort) || wrong=1
	# Calls, less the definitions, the wrappers and what is in comments.
	[ "$(cat "$lib"/*.c | grep -cE '\bmedia_(read|write|settle)\(')" = \
	  "$(($(grep -cE '^	[RW]\(' "$lib/mutants.h") + 3))" ] || wrong=1
	return $wrong
}

fuzz()
{
	if [ -z "$FULL" ]; then
		echo "SKIP: only with FULL=1"
		return
	elif ! command -v clang > /dev/null; then
		echo "SKIP: clang is missing"
		return
	fi
	make_tools fuzzers
	mkdir -p "$TOOLS/corpus"
	"$TOOLS/fuzz/media" -max_total_time="$FUZZ_SECONDS" \
		-max_len=1024 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix="$TOOLS/" "$TOOLS/corpus"
}

[ $# = 1 ] || usage
case $1 in
--list)
	printf '%s\n' "${TESTS[@]}" ;;
famfs_build)
	ready
	make_tools tests ;;
install)
	ready
	make_tools install DESTDIR="$DESTDIR" PREFIX="$PREFIX" ;;
famfs_manuals)
	manuals ;;
famfs_format)
	"$TOOLS/test/test_format" "$TOP/tools/famfs/FORMAT" "$FIXTURES" ;;
famfs_mutants_list)
	mutants_list ;;
famfs_library)
	"$TOOLS/test/test_lib" ;;
famfs_library_asan)
	"$TOOLS/asan/test_lib" ;;
famfs_histories)
	FAMFS_HISTORIES=$((${FULL:+8}0 + 20))000 "$TOOLS/test/test_history" ;;
famfs_histories_asan)
	FAMFS_HISTORIES=$((${FULL:+15}0 + 50))0 FAMFS_SEED=1000000 \
		"$TOOLS/asan/test_history" ;;
famfs_hosts)
	FAMFS_TWO=$((${FULL:+1}0 / 10 + 2)) FAMFS_THREE=2 \
		FAMFS_HISTORIES=$((${FULL:+8}0 + 20))000 "$TOOLS/test/test_hosts" ;;
famfs_hosts_asan)
	FAMFS_TWO=1 FAMFS_HISTORIES=$((${FULL:+18}0 + 20))0 FAMFS_SEED=1000000 \
		"$TOOLS/asan/test_hosts" ;;
famfs_serving)
	"$TOOLS/serving/test_serving"
	"$TOOLS/serving/test_serving" mutants
	"$TOOLS/serving/test_dying"
	"$TOOLS/serving/test_killed"
	"$TOOLS/serving/test_second"
	"$TOOLS/serving/test_grow"
	"$TOOLS/serving/test_control"
	"$TOOLS/serving/test_umount"
	"$TOOLS/serving/test_bind"
	"$TOOLS/serving/test_parent" ;;
famfs_load)
	"$TOOLS/serving/test_load" "$TOOLS/load" $((${FULL:+5}0 + 10)) ;;
famfs_mutants)
	"$TOOLS/test/test_mutants" ;;
famfs_threads)
	"$TOOLS/asan/test_threads"
	"$TOOLS/tsan/test_threads" ;;
famfs_scale)
	FAMFS_FILES=1${FULL:+0}00000 "$TOOLS/test/test_scale" ;;
famfs_bounds)
	"$TOOLS/test/test_bounds" ;;
famfs_commands)
	"$TOP/tools/famfs/test/commands.sh" "$TOOLS" ;;
famfs_install)
	rm -rf "$TOOLS/install"
	mkdir -p "$TOOLS/install"
	make_tools install DESTDIR="$TOOLS/install/root" PREFIX=/usr
	"$TOP/tools/famfs/test/install.sh" "$TOOLS/install/root" ;;
famfs_completion)
	"$TOP/tools/famfs/test/completion.sh" "$TOOLS" \
		"$TOP/tools/famfs/system/famfs.bash" ;;
famfs_fuzz)
	fuzz ;;
*)
	die "there is no test $1" "scripts/tools/userspace.sh --list names them." ;;
esac
