#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests make.sh, apply.sh and refresh.sh on a small tree of their own: what
# must be refused is, with the right words, and an edit comes back as a change of
# a patch.
#
# Usage: scripts/series/test.sh

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

ROOT=$(mktemp -d "${TMPDIR:-/tmp}/series-test.XXXXXX")
trap 'rm -rf "$ROOT"' EXIT
CHECKOUT=$ROOT/checkout
TREE=$ROOT/cache/linux
export FAMFS_CACHE=$ROOT/cache
PASSED=0 FAILED=0

ok()
{
	PASSED=$((PASSED + 1))
	echo "ok   $1"
}

not_ok()
{
	FAILED=$((FAILED + 1))
	printf 'FAIL %s\n' "$1"
	sed 's/^/     /' "$ROOT/log"
}

# run SCRIPT ARGS...: its output goes to the log.
run()
{
	local script=$1

	shift
	"$CHECKOUT/scripts/series/$script" linux "$@" > "$ROOT/log" 2>&1
}

# passes NAME SCRIPT ARGS...
passes()
{
	local name=$1

	shift
	if run "$@"; then ok "$name"; else not_ok "$name"; fi
}

# refuses NAME PATTERN SCRIPT ARGS...: and says what the pattern asks for.
refuses()
{
	local name=$1 pattern=$2

	shift 2
	if ! run "$@" && grep -qE "$pattern" "$ROOT/log"; then
		ok "$name"
	else
		not_ok "$name"
	fi
}

# holds NAME COMMAND...
holds()
{
	local name=$1

	shift
	if "$@" > "$ROOT/log" 2>&1; then ok "$name"; else not_ok "$name"; fi
}

# numbers N: a file of so many different lines.
numbers()
{
	seq -f 'line %g' 1 "$1"
}

patch_folder()
{
	mkdir -p "$CHECKOUT/series/linux/$1"
	printf 'test: %s\n\nWhy it is so.\n' "$1" > "$CHECKOUT/series/linux/$1/message"
}

# fresh: a base of three files, a series of two patches on it.
fresh()
{
	rm -rf "$CHECKOUT" "$FAMFS_CACHE"
	mkdir -p "$TREE/fs" "$CHECKOUT/scripts/check" "$CHECKOUT/fs"

	printf 'VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\n' > "$TREE/Makefile"
	numbers 60 > "$TREE/fs/one.c"
	numbers 60 > "$TREE/fs/two.c"
	tree_git "$TREE" init -q -b series
	tree_git "$TREE" add -A
	tree_git "$TREE" commit -q -m base
	tree_git "$TREE" tag base

	cp "$TOP/scripts/lib.sh" "$CHECKOUT/scripts/"
	cp "$TOP/Kconfig" "$CHECKOUT/"
	cp -r "$TOP/scripts/series" "$CHECKOUT/scripts/"
	cp "$TOP/scripts/check/private-regex.sh" "$CHECKOUT/scripts/check/"
	patch_folder 01-first
	patch_folder 02-second
	printf 'test: a series\n\nWhat it is for.\n' > "$CHECKOUT/series/linux/cover"
	echo 'int whole;' > "$CHECKOUT/fs/whole.c"
	echo fs/whole.c > "$CHECKOUT/series/linux/02-second/new-files"
	change 01-first 20 'first change'
	change 02-second 40 'second change'
	tree_git "$CHECKOUT" init -q
	tree_git "$CHECKOUT" add -A
}

# change PATCH LINE TEXT: the text after a line of one.c, 01's before 02's.
change()
{
	local shift=0

	[ "$1" = 01-first ] || shift=1
	{
		echo '--- a/fs/one.c'
		echo '+++ b/fs/one.c'
		echo "@@ -$(($2 - 2 + shift)),6 +$(($2 - 2 + shift)),7 @@"
		seq -f ' line %g' $(($2 - 2)) "$2"
		echo "+$3"
		seq -f ' line %g' $(($2 + 1)) $(($2 + 3))
	} > "$CHECKOUT/series/linux/$1/changes.diff"
}

# edit FILE LINE TEXT: in the throw-away tree.
edit()
{
	sed -i "$2a $3" "$TREE/fs/$1"
}

fresh
passes "a good series is made" make.sh
holds "with a cover letter that names the base" \
	grep -q '^Base: Linux 7.3.4$' "$CHECKOUT/build/series/linux/0000-cover-letter.patch"
cp -r "$CHECKOUT/build/series" "$ROOT/kept"
touch -d '2 days ago' "$CHECKOUT/fs/whole.c"
passes "and made again" make.sh
holds "with the same bytes" diff -r "$ROOT/kept" "$CHECKOUT/build/series"

passes "it is applied to the tree" apply.sh
holds "as the overlay and the changes have it" \
	grep -q 'second change' "$TREE/fs/one.c"
touch -d '2 days ago' "$TREE/fs/one.c" "$TREE/fs/two.c"
before=$(stat -c %Y "$TREE/fs/one.c")
echo 'int more;' >> "$CHECKOUT/fs/whole.c"
passes "an edit of the overlay is applied" apply.sh
holds "and reaches the tree" cmp "$CHECKOUT/fs/whole.c" "$TREE/fs/whole.c"
holds "while other files keep their times" \
	test "$(stat -c %Y "$TREE/fs/one.c")" = "$before"
passes "the tree can stop after a patch" apply.sh 01
holds "without what comes later" test ! -e "$TREE/fs/whole.c"

# What must be refused.
sed -i 's/-18,6 +18,7/-15,6 +15,7/' "$CHECKOUT/series/linux/01-first/changes.diff"
refuses "a change with an offset" 'fs/one.c: Hunk #1 .*offset' make.sh
refuses "and says what mends it" 'series/refresh.sh linux --all' make.sh
passes "which does" refresh.sh --all
passes "so that the series is good again" make.sh

sed -i 's/^ line 19$/ line other/' "$CHECKOUT/series/linux/01-first/changes.diff"
refuses "a change whose context differs" '01-first: changes.diff does not apply' make.sh

fresh
echo 'int orphan;' > "$CHECKOUT/fs/orphan.c"
tree_git "$CHECKOUT" add fs/orphan.c
refuses "a file that no patch brings" 'fs/orphan.c' make.sh
passes "while apply leaves it out" apply.sh
cp "$ROOT/log" "$ROOT/said"
holds "and says so" grep -q 'belong to no patch.*fs/orphan.c' "$ROOT/said"

fresh
echo fs/whole.c > "$CHECKOUT/series/linux/01-first/new-files"
refuses "a file that two patches bring" 'fs/whole.c is brought twice' apply.sh
echo fs/none.c > "$CHECKOUT/series/linux/01-first/new-files"
refuses "a file that is not there" 'fs/none.c is not in the overlay' apply.sh
cp "$TREE/fs/two.c" "$CHECKOUT/fs/two.c"
echo fs/two.c > "$CHECKOUT/series/linux/01-first/new-files"
refuses "a whole file that the base has" 'fs/two.c exists in the base' apply.sh

fresh
printf -- '--- a/fs/whole.c\n+++ b/fs/whole.c\n@@ -1 +1,2 @@\n int whole;\n+int b;\n' \
	>> "$CHECKOUT/series/linux/02-second/changes.diff"
refuses "a change in a whole file" 'edits fs/whole.c, which 02-second brings' apply.sh
printf -- '--- /dev/null\n+++ b/fs/new.c\n@@ -0,0 +1 @@\n+int b;\n' \
	> "$CHECKOUT/series/linux/02-second/changes.diff"
refuses "a change that makes a file" 'makes fs/new.c' apply.sh

fresh
patch_folder 03-third
refuses "a patch that changes nothing" '03-third changes nothing' apply.sh
mv "$CHECKOUT/series/linux/02-second/changes.diff" "$CHECKOUT/series/linux/02-second/a.diff"
refuses "a change under another name" '02-second: a.diff is no part of a patch' apply.sh
mv "$CHECKOUT/series/linux/03-third" "$CHECKOUT/series/linux/02-third"
refuses "two patches with one number" 'numbered 02' apply.sh

# Files that come in parts.
# parts_of_file: whole.c and whole.h with 02, less what 03 brings.
parts_of_file()
{
	fresh
	patch_folder 03-third
	cat > "$CHECKOUT/fs/whole.c" <<'END'
#include "whole.h"

/* The first { of them. */
int first(int a)
{
	return a;

}

#define TWICE(a) \
	((a) + (a))

/**
 * second() - what comes later
 * @a: a number
 */
int second(struct pair *a,
	   int b)
{
	return TWICE(b);
}
END
	cat > "$CHECKOUT/fs/whole.h" <<'END'
/**
 * struct pair - two
 * @one: the first
 * @two: the second,
 *	 of two lines
 */
struct pair {
	int one;
	int *two[3];
};

/* whole.c */
int first(int a);
int second(struct pair *a,
	   int b);

/* other.c */
int third(void);

#define VERSION 3
END
	printf '#define VERSION 4\nstatic int four;\n' > "$CHECKOUT/fs/later.c"
	printf 'fs/whole.c\nfs/whole.h\n' > "$CHECKOUT/series/linux/02-second/new-files"
	printf '%s\n' 'fs/whole.c: second TWICE' 'fs/whole.h: pair.two' fs/later.c \
		> "$CHECKOUT/series/linux/03-third/new-files"
}

# lacks FILE TEXT
lacks()
{
	! grep -qF "$2" "$TREE/fs/$1"
}

parts_of_file
passes "a file in parts" apply.sh 02
holds "has what comes first" grep -q 'int first' "$TREE/fs/whole.c"
holds "and no function that comes later" lacks whole.c second
holds "nor a macro" lacks whole.c TWICE
holds "nor a declaration" lacks whole.h second
holds "nor a field" lacks whole.h "*two"
holds "nor what is said of it" lacks whole.h "lines"
holds "and no empty line at its end" test -n "$(tail -n 1 "$TREE/fs/whole.c")"
holds "but what no file defines" grep -q third "$TREE/fs/whole.h"
holds "and what another file has for itself" grep -q VERSION "$TREE/fs/whole.h"
echo 'int more;' >> "$TREE/fs/whole.c"
refuses "an edit of a part in the tree" 'both in .* and in the overlay' refresh.sh 02
tree_git "$TREE" checkout -q .
passes "the last patch" apply.sh
holds "gives the whole of the source" cmp "$CHECKOUT/fs/whole.c" "$TREE/fs/whole.c"
holds "and of the header" cmp "$CHECKOUT/fs/whole.h" "$TREE/fs/whole.h"
passes "a series with such a file is good" make.sh
sed -i 's/return TWICE/return 2 + TWICE/' "$CHECKOUT/fs/whole.c"
passes "an edit of what comes later" make.sh
holds "is in the later patch" \
	grep -q '^+.return 2 + TWICE' "$CHECKOUT/build/series/linux/0003-test-03-third.patch"
passes "all changes can be written anew" refresh.sh --all
echo 'fs/whole.c: fourth' >> "$CHECKOUT/series/linux/03-third/new-files"
refuses "a definition that is not there" '03-third: new-files: fs/whole.c has no fourth' apply.sh
echo 'fs/whole.h: pair.three' > "$CHECKOUT/series/linux/03-third/new-files"
refuses "a field that is not there" 'fs/whole.h has no pair.three' apply.sh
echo 'fs/other.c: first' > "$CHECKOUT/series/linux/03-third/new-files"
refuses "a part of what no patch brings" 'no earlier patch brings fs/other.c' apply.sh

fresh
echo "char where[] = \"/""tmp/x/file\";" >> "$CHECKOUT/fs/whole.c"
refuses "a machine path in a file" 'name a place of this machine' make.sh
fresh
echo "See /""tmp/x/file" >> "$CHECKOUT/series/linux/01-first/message"
refuses "a machine path in a message" 'name a place of this machine' make.sh
# Told apart from the folder for temporary files, in which this test runs.
for text in "$CHECKOUT" "$FAMFS_CACHE" "$(dirname "$CHECKOUT")"; do
	holds "a machine path is known" \
		grep -E "$("$CHECKOUT/scripts/check/private-regex.sh")" <<< "x='$text/file'"
done
fresh
echo "char template[] = \"/""tmp/famfs.XXXXXX\";" >> "$CHECKOUT/fs/whole.c"
passes "but not a template of mkstemp()" make.sh

fresh
printf 'one\n---\ntwo\n' >> "$CHECKOUT/series/linux/01-first/message"
refuses "a message that git am would cut" 'git am changes a message' make.sh
fresh
echo 'Signed-off-by: A <a@example.org>' >> "$CHECKOUT/series/linux/01-first/message"
refuses "a signed patch" 'whoever posts signs' make.sh

# Whoever posts.
fresh
POSTER='Ada Lee <ada@example.org>' passes "a series is signed" make.sh
holds "by the poster" \
	grep -q '^Signed-off-by: Ada Lee <ada@example.org>$' "$CHECKOUT"/build/series/linux/0001-*.patch
holds "who is the author" \
	grep -q '^From: Ada Lee <ada@example.org>$' "$CHECKOUT"/build/series/linux/0002-*.patch
POSTER='Ada Lee' refuses "a poster without an address" 'no name with an address' make.sh

# Parts.
fresh
printf 'a 01\nb 02\n' > "$CHECKOUT/series/linux/parts"
refuses "parts without a cover letter" 'cover.a is missing' make.sh
cp "$CHECKOUT/series/linux/cover" "$CHECKOUT/series/linux/cover.a"
cp "$CHECKOUT/series/linux/cover" "$CHECKOUT/series/linux/cover.b"
passes "a series in parts is made" make.sh
holds "each with what it needs in its letter" \
	grep -q '^Base: Linux 7.3.4 with a$' "$CHECKOUT/build/series/linux/b/0000-cover-letter.patch"
holds "and with its own patches" \
	test -e "$CHECKOUT/build/series/linux/b/0001-test-02-second.patch"
printf 'b 02\na 01\n' > "$CHECKOUT/series/linux/parts"
refuses "parts out of order" 'a does not end after those before it' make.sh
printf 'a 01\nb 03\n' > "$CHECKOUT/series/linux/parts"
refuses "a part without its patch" 'b does not end' make.sh
printf 'a 01\n' > "$CHECKOUT/series/linux/parts"
refuses "a patch in no part" '02-second is in no part' make.sh

# The way back.
fresh
run apply.sh
edit one.c 10 'edited early'
edit two.c 30 'edited elsewhere'
cp "$TREE/fs/one.c" "$ROOT/one.c"
passes "uncommitted edits stay" apply.sh
refuses "unless the tree is to be clean" 'uncommitted edits' apply.sh --clean
passes "an edit is taken into a patch" refresh.sh 01
holds "into that one" grep -q '^+edited elsewhere' "$CHECKOUT/series/linux/01-first/changes.diff"
holds "and a later change moves" grep -q '^@@ -40,6 +40,7' "$CHECKOUT/series/linux/02-second/changes.diff"
holds "the tree is as it was edited" cmp "$ROOT/one.c" "$TREE/fs/one.c"
passes "the tree is clean" apply.sh --clean
passes "the series is good" make.sh
cp -r "$CHECKOUT/series" "$ROOT/round"
passes "--all finds nothing to do" refresh.sh --all
holds "and does nothing" diff -r "$ROOT/round" "$CHECKOUT/series"

patch_folder 03-third
edit two.c 5 'edited third'
passes "a patch of a message alone takes an edit" refresh.sh 03
holds "as its change" grep -q '^+edited third' "$CHECKOUT/series/linux/03-third/changes.diff"
passes "the series is good" make.sh

sed -i 's/^second change/second change, edited/' "$TREE/fs/one.c"
cp -r "$CHECKOUT/series" "$ROOT/unharmed"
refuses "an edit of lines that come later" 'does not fit into 01-first' refresh.sh 01
holds "with nothing written" diff -r "$ROOT/unharmed" "$CHECKOUT/series"
passes "but it fits where they come" refresh.sh 02

echo 'int from_tree;' >> "$TREE/fs/whole.c"
refuses "an edit of a whole file in the tree" 'not in the overlay' apply.sh
passes "which refresh takes" refresh.sh 02
holds "back to the overlay" grep -q from_tree "$CHECKOUT/fs/whole.c"
passes "the series is good" make.sh

# What the overlay has of the base, as the series leaves it.
copied()
{
	fresh
	run apply.sh
	cp "$TREE/fs/one.c" "$CHECKOUT/fs/one.c"
	tree_git "$CHECKOUT" add -A
	tree_git "$CHECKOUT" commit -q -m copied
}

copied
passes "a series with a copy is good" make.sh
sed -i '2a edited in the copy' "$CHECKOUT/fs/one.c"
refuses "a copy that differs" 'as the series leaves them:' make.sh
passes "which apply leaves as it is" apply.sh
cp "$ROOT/log" "$ROOT/said"
holds "but tells" grep -q 'not as the series leaves them: fs/one.c' "$ROOT/said"
passes "an edit of it is taken into a patch" refresh.sh 01
holds "into that one" \
	grep -q '^+edited in the copy' "$CHECKOUT/series/linux/01-first/changes.diff"
passes "so that the series is good" make.sh

copied
edit one.c 2 'edited in the tree'
passes "an edit of the tree is taken" refresh.sh 01
holds "and reaches the copy" cmp "$CHECKOUT/fs/one.c" "$TREE/fs/one.c"
passes "so that the series is good" make.sh
edit one.c 3 'edited in the tree'
sed -i '3a edited in the copy' "$CHECKOUT/fs/one.c"
refuses "an edit of both" 'fs/one.c was edited both in .* and in the overlay' refresh.sh 01

copied
sed -i '2a of another time' "$CHECKOUT/fs/one.c"
tree_git "$CHECKOUT" commit -q -a -m 'of another time'
passes "a copy of another time is no edit" refresh.sh 01
holds "and is written anew" cmp "$CHECKOUT/fs/one.c" "$TREE/fs/one.c"
sed -i '2a of another time' "$CHECKOUT/fs/one.c"
passes "--all looks at the patches alone" refresh.sh --all
holds "and writes it anew" cmp "$CHECKOUT/fs/one.c" "$TREE/fs/one.c"

# Who maintains what the series adds.
fresh
printf 'A SECTION\nM:\tWhoever Posts This <poster@example.org>\n' > "$ROOT/section"
{
	printf -- '--- a/MAINTAINERS\n+++ b/MAINTAINERS\n@@ -1,3 +1,5 @@\n'
	numbers 3 | sed 's/^/ /'
	sed 's/^/+/' "$ROOT/section"
} >> "$CHECKOUT/series/linux/01-first/changes.diff"
numbers 3 > "$TREE/MAINTAINERS"
tree_git "$TREE" add MAINTAINERS
tree_git "$TREE" commit -q --amend -m base
tree_git "$TREE" tag -f base > /dev/null
refuses "a section that is not at the top" "MAINTAINERS is not what the series adds" make.sh
{ echo '# SPDX'; echo; cat "$ROOT/section"; } > "$CHECKOUT/MAINTAINERS"
passes "one that is" make.sh
POSTER='Ada Lee <ada@example.org>' passes "and is filled in" make.sh
holds "by the poster" grep -rq '^+M:.Ada Lee <ada@example.org>$' "$CHECKOUT/build/series"
echo 'F:	fs/none.c' >> "$CHECKOUT/MAINTAINERS"
refuses "another at the top" "MAINTAINERS is not what the series adds" make.sh

fresh
run apply.sh
edit two.c 1 'by hand'
tree_git "$TREE" commit -q -a -m 'by hand'
refuses "to lose a commit made by hand" 'has commits that no script made' apply.sh

printf '%d passed, %d failed\n' $PASSED $FAILED
[ $FAILED -eq 0 ]
