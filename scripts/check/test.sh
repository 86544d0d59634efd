#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests what gates and test runs sift with: that they let through what is good,
# and nothing else.
#
# Usage: scripts/check/test.sh

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

ROOT=$(mktemp -d "${TMPDIR:-/tmp}/check-test.XXXXXX")
trap 'rm -rf "$ROOT"' EXIT
PASSED=0 FAILED=0

# expect NAME WANTED COMMAND...: what it prints is this, and nothing goes to
# standard error.
expect()
{
	local name=$1 want=$2 got

	shift 2
	got=$("$@" 2>&1) || true
	if [ "$got" = "$want" ]; then
		PASSED=$((PASSED + 1))
		echo "ok   $name"
	else
		FAILED=$((FAILED + 1))
		printf 'FAIL %s:\n%s\n' "$name" "$got"
	fi
}

# complaint TYPE FILE LINE
complaint()
{
	printf 'WARNING:%s: said\n#12: FILE: %s:7:\n%s\n\n' "$@"
}

# sift ENTRY COMPLAINT...: each as the three words of complaint().
sift()
{
	local entry=$1

	shift
	while [ $# -gt 0 ]; do
		complaint "$1" "$2" "$3"
		shift 3
	done | "$TOP/scripts/check/exempt.sh" "$entry" | grep -c FILE:
}

# From here on, each with one complaint that the entry is about, and others that
# differ in one word.
expect "an entry is about its type" 1 \
	sift 'SPACING||' SPACING a.c 'x' LINE_SPACING a.c 'x'
expect "of files that it names" 1 \
	sift 'SPACING|_trace\.h|' SPACING fs/a_trace.h 'x' SPACING fs/a_tracexh 'x'
expect "and of text that it names" 2 \
	sift 'SPACING||EM\( A' SPACING a.h '+EM( A,' SPACING a.h '+EM A' SPACING a.h '+EM\( A'
expect "up to the end of the text" 1 \
	sift 'T||TP_[A-Za-z_]*\($' T a.h 'TP_x(' T a.h 'TP_x(y)'
expect "with a star that is one" 1 \
	sift 'T||--- \*/' T a.h '--- */' T a.h '-- */'
expect "an entry with nothing to leave out" 1 sift 'T|b|' T a.c x
expect "no complaint at all" 0 sift 'T||'

# tap LINE...: what tally.sh makes of it.
tap()
{
	printf '%s\n' "$@" > "$ROOT/tap"
	"$TOP/scripts/guest/tally.sh" 'a\b' "$ROOT/tap" 3
}

expect "results are counted" 'result a\b 1 1 1 3' \
	tap 'TAP version 13' '1..3' '# ok 7' 'ok 1 x' 'not ok 2 y' 'ok 3 z # SKIP no'
expect "one that is missing has failed" 'result a\b 1 1 0 3' tap '1..2' 'ok 1 x'
expect "a plan that is missing has failed" 'result a\b 1 1 0 3' tap 'ok 1 x'
expect "and so has nothing" 'result a\b 0 1 0 3' tap ''
expect "and nothing planned" 'result a\b 0 1 0 3' tap '1..0 # SKIP'

# checkout GATE: one with nothing but this gate.
checkout()
{
	rm -rf "$ROOT/checkout"
	mkdir -p "$ROOT/checkout/scripts/check"
	cp "$TOP/scripts/lib.sh" "$ROOT/checkout/scripts/"
	cp "$TOP/Kconfig" "$ROOT/checkout/"
	cp "$TOP/scripts/check/common.sh" "$TOP/scripts/check/$1.sh" \
		"$ROOT/checkout/scripts/check/"
	tree_git "$ROOT/checkout" init -q
}

# sized FILE: what the gate "size" says of that file.
sized()
{
	checkout size
	mkdir -p "$ROOT/checkout/fs/fuse" "$ROOT/checkout/include/uapi"
	cat > "$ROOT/checkout/fs/fuse/$1"
	"$ROOT/checkout/scripts/check/size.sh"
}

# body LINES: a function with so many between its braces.
body()
{
	printf 'int f(int a)\n{\n'
	seq -f '	a += %g;' 1 "$1"
	printf '}\n'
}

expect "a function of 85 lines" '' sized a.c < <(body 83)
expect "a longer one" 'fs/fuse/a.c:2: 86 lines, more than 85: int f(int a)' \
	sized a.c < <(body 84)
expect "a file of 451 lines" 'fs/fuse/a=b.c: 451 lines, more than 450' \
	sized a=b.c < <(seq 451)
expect "a copy of a header of the base" '' sized ../../include/uapi/a.h < <(seq 451)
expect "a condition in a file of the feature" 'fs/fuse/famfs_a.c:1:#ifdef A' \
	sized famfs_a.c <<< '#ifdef A'

# promised TEST NUMBER...: what the gate "promises" says of a kselftest, a KUnit
# test that is named by X1, and guarantees.
promised()
{
	local top=$ROOT/checkout
	local tests=$top/tools/testing/selftests/filesystems/fuse

	checkout promises
	mkdir -p "$top/Documentation/filesystems/fuse" "$tests" "$top/fs/fuse/tests"
	echo "$1" > "$tests/famfs_a_test.c"
	echo '	KUNIT_CASE(famfs_X1_fails),' > "$top/fs/fuse/tests/a.c"
	shift
	{
		printf 'Guarantees\n=====\n\n'
		printf ':%s: Is kept.\n' "$@"
		printf '\nThe protocol\n=====\n\n:Z9: Is none.\n'
	} > "$top/Documentation/filesystems/fuse/famfs.rst"
	"$top/scripts/check/promises.sh"
}

RST=Documentation/filesystems/fuse/famfs.rst
TEST=tools/testing/selftests/filesystems/fuse/famfs_a_test.c
expect "tests and guarantees that fit" '' \
	promised 'TEST_F_TIMEOUT(famfs_a, M6_is_kept, 90)' M6 M6a X1
expect "a guarantee without a test" "$RST: no test is named by M10" \
	promised 'TEST_F(famfs_a, M1_is_kept)' M1 M10 X1
expect "a test without a guarantee" "$TEST: no guarantee is meant by M10_is_kept" \
	promised 'TEST_F(famfs_a, M10_is_kept)' X1
expect "a test without a number" "$TEST: no guarantee is meant by is_kept" \
	promised 'TEST(is_kept)' X1
expect "a number that is taken" "$RST: guaranteed twice: X1 " \
	promised 'TEST_F(famfs_a, X1_is_kept)' X1 X1

# switched TEXT NAME...: what the gate "switches" says of a script with that text,
# and Kconfig with these symbols beside those of lib.sh.
switched()
{
	local top=$ROOT/checkout name

	checkout switches
	mkdir "$top/scripts/test"
	printf '%s\n' "$1" > "$top/scripts/test/run.sh"
	shift
	for name in FAMFS_CACHE JOBS "$@"; do
		printf 'config %s\n\tstring "A"\n\tdefault "1"\n\thelp\n\t  It is.\n\n' "$name"
	done > "$top/Kconfig"
	"$top/scripts/check/switches.sh"
}

expect "switches that are in Kconfig" '' switched 'switches A B_{C,D}' A B_C B_D
expect "one that is not" 'Kconfig: no B, which a script reads' switched 'switches A B' A
expect "one that nobody reads" 'Kconfig: no script reads B' switched 'switches A' A B
expect "one that is there twice" 'Kconfig: A is there twice' switched 'switches A' A A
# Cut, so that the gate does not take this for a switch that is read here.
expect "one with a default in a script" 'scripts/test/run.sh:2: A has its default in Kconfig' \
	switched $'switches A\na=$''{A:-1}' A
expect "one past Kconfig" 'scripts/test/run.sh:1: B is read, and not in Kconfig' \
	switched 'b=$''{B:-1}'
expect "what is no default" '' switched $'switches A\na=$''{A:+1}$''{TMPDIR:-}' A
expect "one without a help text" 'Kconfig: B lacks a type, a default or a help text' \
	switched 'switches A B C' A $'B\n\tint "A"\n\tdefault 1\n\nconfig C'

# taken ASSIGNMENT...: what switches makes of these, and of symbols of each type.
taken()
{
	checkout switches
	# shellcheck disable=SC2016 # switches expands it
	{
		printf 'config FAMFS_CACHE\n\tstring "A"\n\tdefault "x"\n'
		printf 'config JOBS\n\tint "A"\n\tdefault "$(shell,echo $((3 + 4)))"\n'
		printf 'config S\n\tstring "A"\n\tdefault "a b"\n\thelp\n\t  string default 4\n'
		printf 'config Y\n\tbool "A"\n\tdefault y\n'
		printf 'config N\n\tbool "A"\n\tdefault n\n'
	} > "$ROOT/checkout/Kconfig"
	# shellcheck disable=SC2016
	env -u JOBS -u FAMFS_CACHE "$@" bash -c '. "$0"; switches S Y N
		echo "$FAMFS_CACHE $JOBS $S,$Y,$N"' "$ROOT/checkout/scripts/lib.sh"
}

expect "defaults of all types" 'x 7 a b,1,' taken
expect "the environment goes before" 'y 2 c,,1' taken FAMFS_CACHE=y JOBS=2 S=c Y=n N=1
expect "an empty one counts as none" 'x 7 a b,1,' taken JOBS= S= Y= N=
expect "a number is one" 'scripts/lib.sh: error: JOBS=2x is no number' taken JOBS=2x
expect "a bool is one" 'scripts/lib.sh: error: N=7 is neither y nor n' taken N=7

# missing_scripts: those that are named, and are neither here nor the kernel's own.
missing_scripts()
{
	local name

	cd "$TOP"
	git grep -hoE '\bscripts/[a-z0-9/_-]+\.(sh|py|pl)\b' -- \
		Makefile README.md .ci scripts tools/famfs | sort -u |
	while read -r name; do
		[ -e "$name" ] || [ -e "$LINUX/$name" ] || echo "$name"
	done
}

expect "a script that is named is there" '' missing_scripts

printf '%d passed, %d failed\n' $PASSED $FAILED
[ $FAILED -eq 0 ]
