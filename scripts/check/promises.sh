#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Each guarantee of famfs.rst has a test named by it, each test is named by one.

. "$(dirname "$0")/common.sh"

DOC=Documentation/filesystems/fuse/famfs.rst

# guarantees: the numbers in the document.
guarantees()
{
	sed -n '/^Guarantees$/,/^The protocol$/p' "$DOC" |
		sed -nE 's/^ *:([A-Z][0-9]+[a-z]?): .*/\1/p'
}

# lines PATHSPEC PATTERN: what matches, after the name of its file.
lines()
{
	repo_files "$1" | tr '\n' '\0' | xargs -0 -r grep -HE "$2" || true
}

# names: of kselftests and KUnit's, each after that of its file.
names()
{
	lines 'tools/testing/selftests/filesystems/fuse/famfs_*.c' '^TEST(_F|\()' |
		sed -E 's/^([^:]*):TEST[A-Z_]*\(([a-z0-9_]+, *)?([A-Za-z0-9_]*).*/\1 \3/'
	lines 'fs/fuse/tests/*.c' 'KUNIT_CASE' |
		sed -E 's/^([^:]*):.*KUNIT_CASE[A-Z_]*\((famfs_)?([A-Za-z0-9_]*).*/\1 \3/'
}

cd "$TOP"
bad=0
numbers=$(guarantees)
[ -n "$numbers" ] || { echo "$DOC: no guarantees"; exit 1; }
twice=$(sort <<< "$numbers" | uniq -d | tr '\n' ' ')
[ -z "$twice" ] || { echo "$DOC: guaranteed twice: $twice"; bad=1; }

# Items of a guarantee, as M6a, are tested by tests of the guarantee.
numbers=$(tr -d '[:lower:]' <<< "$numbers" | sort -u)
tests=$(names)
tested=$(cut -d' ' -f2 <<< "$tests" | cut -d_ -f1 | sort -u)

while read -r number; do
	echo "$DOC: no test is named by ${number:-any guarantee}"
	bad=1
done < <(comm -23 <(echo "$numbers") <(echo "$tested"))

while read -r file name; do
	! grep -qx "${name%%_*}" <<< "$numbers" || continue
	echo "$file: no guarantee is meant by ${name:-the next line}"
	bad=1
done <<< "$tests"
exit $bad
